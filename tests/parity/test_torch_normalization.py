"""Normalisation beside PyTorch's: values, gradients, running moments.

Run where PyTorch is installed:  python -m pytest tests/parity
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
from autograd import Tensor
from nn.normalization import normalize
from tests.parity.modules import compare_modules, torch

RNG = np.random.default_rng(0)


def x(*shape: int) -> Any:
    return RNG.normal(1.0, 2.0, shape)


CASES: list[tuple[str, tuple[Any, ...], dict[str, Any], Any]] = [
    ("BatchNorm1d", (3,), {}, x(5, 3)),
    ("BatchNorm1d", (3,), {"eps": 1e-2, "momentum": 0.3}, x(4, 3, 6)),
    ("BatchNorm1d", (3,), {"affine": False}, x(2, 3)),
    ("BatchNorm1d", (3,), {"track_running_stats": False}, x(5, 3)),
    ("BatchNorm2d", (3,), {"momentum": None}, x(2, 3, 4, 5)),
    ("BatchNorm2d", (1,), {}, x(1, 1, 4, 5)),
    ("BatchNorm3d", (2,), {}, x(2, 2, 3, 1, 2)),
    ("InstanceNorm1d", (3,), {}, x(4, 3, 6)),
    ("InstanceNorm1d", (3,), {"affine": True}, x(3, 6)),
    ("InstanceNorm2d", (3,), {"affine": True, "track_running_stats": True}, x(2, 3, 4, 5)),
    ("InstanceNorm3d", (2,), {"track_running_stats": True, "momentum": 0.4}, x(2, 2, 3, 1, 2)),
    ("LayerNorm", (4,), {}, x(3, 4)),
    ("LayerNorm", ((2, 4),), {"eps": 1e-2}, x(3, 5, 2, 4)),
    ("LayerNorm", (4,), {"elementwise_affine": False}, x(4)),
    ("LayerNorm", (4,), {"bias": False}, x(2, 3, 4)),
    ("GroupNorm", (2, 6), {}, x(3, 6)),
    ("GroupNorm", (3, 6), {"eps": 1e-2}, x(3, 6, 4)),
    ("GroupNorm", (6, 6), {"affine": False}, x(2, 6, 2, 3)),
    ("RMSNorm", (4,), {}, x(3, 4)),
    ("RMSNorm", ((3, 4),), {"eps": 1e-2, "elementwise_affine": False}, x(2, 3, 4)),
    ("LocalResponseNorm", (3,), {}, x(2, 5, 4)),
    ("LocalResponseNorm", (2,), {"alpha": 0.5, "beta": 0.4, "k": 2.0}, x(2, 5, 4, 3)),
]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c[0]}-{c[1]}-{c[2]}")
def test_module(case, train, dtype):
    name, args, options, input = case
    ours, theirs = getattr(nn, name)(*args, **options), getattr(torch.nn, name)(*args, **options)
    rng = np.random.default_rng(1)
    for tensor in (*ours.parameters(), *ours.buffers()):
        if tensor.dtype.kind == "f":
            tensor.data[...] = rng.uniform(0.5, 1.5, tensor.shape)
    if train and options.get("momentum", 0.1) is None:
        ours.num_batches_tracked.data[...] = 3
    compare_modules(ours, theirs, [input], train=train, dtype=dtype)
    assert repr(ours) == repr(theirs)


@pytest.mark.parametrize(("p", "dim"), [(2.0, 1), (1.0, 0), (3.0, (0, 1)), (np.inf, 1)])
def test_normalize(p, dim):
    a = x(3, 4)
    a[0] = 0
    ours, theirs = Tensor(a, requires_grad=True), torch.tensor(a, requires_grad=True)
    y, z = normalize(ours, p, dim), torch.nn.functional.normalize(theirs, p, dim)
    np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=1e-12)
    g = x(3, 4)
    g[0] = 0
    y.backward(g)
    z.backward(torch.tensor(g))
    np.testing.assert_allclose(ours.grad[1:], theirs.grad.numpy()[1:], rtol=1e-10, atol=1e-12)
