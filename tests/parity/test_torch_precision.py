"""The scaling of losses beside PyTorch's, through overflows and growth."""

from __future__ import annotations

import numpy as np
import pytest

import optim
from autograd import Tensor

torch = pytest.importorskip("torch")

FACTORS = [1.0, 1.0, np.inf, 1.0, 1.0, 1.0, np.nan, 1.0, 1.0, 1.0, 1.0, np.inf, 1.0]
OPTIONS = {"init_scale": 512.0, "growth_factor": 4.0, "backoff_factor": 0.25, "growth_interval": 2}


@pytest.mark.parametrize("clip", [False, True])
def test_scales_and_weights_follow_pytorch(clip):
    start = np.array([1.0, -2.0, 3.0])
    w, v = Tensor(start.copy(), requires_grad=True), torch.tensor(start, requires_grad=True)
    ours, theirs = optim.Adam([w], lr=0.1), torch.optim.Adam([v], lr=0.1)
    scaler, reference = optim.GradScaler(**OPTIONS), torch.amp.GradScaler("cpu", **OPTIONS)
    for factor in FACTORS:
        ours.zero_grad()
        theirs.zero_grad()
        with np.errstate(all="ignore"):
            scaler.scale((w * w).sum() * factor).backward()
        reference.scale((v * v).sum() * factor).backward()
        if clip:
            scaler.unscale_(ours)
            reference.unscale_(theirs)
            np.testing.assert_allclose(w.grad.numpy(), v.grad.numpy(), rtol=1e-6)
        scaler.step(ours)
        reference.step(theirs)
        scaler.update()
        reference.update()
        assert scaler.get_scale() == reference.get_scale()
        np.testing.assert_allclose(w.numpy(), v.detach().numpy(), rtol=1e-6)
    assert scaler.state_dict() == reference.state_dict()
