"""Weights that travel between the two libraries as safetensors files.

Run where PyTorch and safetensors are installed:  python -m pytest tests/parity
"""

from __future__ import annotations

import numpy as np
import pytest

import nn
from autograd import Tensor, manual_seed
from tests.parity.modules import torch

files = pytest.importorskip("safetensors.torch")


def networks():
    manual_seed(0)
    ours = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
    theirs = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 10)
    )
    return ours, theirs


def assert_equal_predictions(ours, theirs):
    x = np.random.default_rng(0).normal(size=(5, 1, 8, 8)).astype(np.float32)
    ours.eval()
    theirs.eval()
    np.testing.assert_allclose(ours(Tensor(x)).numpy(), theirs(torch.tensor(x)).detach().numpy(), rtol=1e-4, atol=1e-5)


def test_ours_is_read_there(tmp_path):
    ours, theirs = networks()
    nn.save(ours.state_dict(), tmp_path / "weights.safetensors")
    theirs.load_state_dict(files.load_file(tmp_path / "weights.safetensors"))
    assert_equal_predictions(ours, theirs)


def test_theirs_is_read_here(tmp_path):
    ours, theirs = networks()
    theirs(torch.randn(6, 1, 8, 8))
    files.save_file(theirs.state_dict(), tmp_path / "weights.safetensors")
    ours.load_state_dict(nn.load(tmp_path / "weights.safetensors"))
    assert_equal_predictions(ours, theirs)
