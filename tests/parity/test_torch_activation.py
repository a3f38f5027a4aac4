"""Activations beside PyTorch's.

Run where PyTorch is installed:  python -m pytest tests/parity
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
import nn.functional as F
from autograd import Tensor
from tests.parity.modules import compare_modules, torch

RNG = np.random.default_rng(0)
KINKS = np.array([-6, -3, -1, -0.5, 0, 0.5, 1, 3, 6, 20, 21, 30, -30, 100, -100], float)
SAMPLES = [np.concatenate([RNG.normal(size=37) * 4, KINKS]), RNG.normal(size=(2, 3, 4)), np.zeros((0, 3))]

CASES: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("ReLU", (), {}), ("ReLU", (), {"inplace": True}), ("ReLU6", (), {}), ("ReLU6", (True,), {}),
    ("LeakyReLU", (), {}), ("LeakyReLU", (0.3, True), {}), ("LeakyReLU", (1.5,), {}), ("PReLU", (), {}),
    ("PReLU", (1, 0.5), {}), ("RReLU", (), {}), ("RReLU", (0.1, 0.3, True), {}),
    ("ELU", (), {}), ("ELU", (0.5, True), {}), ("CELU", (), {}), ("CELU", (0.5, True), {}), ("SELU", (), {}),
    ("GELU", (), {}), ("GELU", ("tanh",), {}), ("SiLU", (), {}), ("SiLU", (True,), {}), ("Mish", (), {}),
    ("Sigmoid", (), {}), ("LogSigmoid", (), {}), ("Hardsigmoid", (), {}), ("Hardswish", (), {}), ("Tanh", (), {}),
    ("Hardtanh", (), {}), ("Hardtanh", (-2.0, 0.5, True), {}), ("Softplus", (), {}), ("Softplus", (2.0, 1.0), {}),
    ("Softsign", (), {}), ("Threshold", (0.1, 20), {}), ("Threshold", (0.1, 20, True), {}),
    ("Hardshrink", (), {}), ("Hardshrink", (1.5,), {}), ("Softshrink", (), {}), ("Softshrink", (1.5,), {}),
    ("Tanhshrink", (), {}),
]  # fmt: skip


def compare(name: str, args: Any, options: Any, x: Any, dtype: Any, train: bool = False) -> None:
    ours, theirs = getattr(nn, name)(*args, **options), getattr(torch.nn, name)(*args, **options)
    assert repr(ours) == repr(theirs)
    if getattr(ours, "inplace", False):  # a leaf cannot be changed in place
        ours, theirs = (
            nn.Sequential(nn.Hardtanh(-1e9, 1e9), ours),
            torch.nn.Sequential(torch.nn.Hardtanh(-1e9, 1e9), theirs),
        )
    compare_modules(ours, theirs, [x], dtype=dtype, train=train)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_module(case, dtype):
    if case[0] == "Hardsigmoid" and dtype is np.float64:
        pytest.skip("PyTorch's gradient has 1/6 in float32")
    for x in SAMPLES:
        compare(*case, x, dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "case",
    [
        ("PReLU", (3,), {}, SAMPLES[1]),
        ("PReLU", (3,), {}, RNG.normal(size=(2, 3))),
        ("Softmax", (1,), {}, SAMPLES[1]),
        ("Softmax", (-1,), {}, SAMPLES[0]),
        ("Softmin", (0,), {}, SAMPLES[1]),
        ("LogSoftmax", (1,), {}, SAMPLES[1]),
        ("Softmax2d", (), {}, RNG.normal(size=(2, 3, 4, 5))),
        ("Softmax2d", (), {}, RNG.normal(size=(3, 4, 5))),
        ("GLU", (), {}, SAMPLES[1]),
        ("GLU", (0,), {}, SAMPLES[1]),
    ],
    ids=lambda case: f"{case[0]}-{case[1]}",
)
def test_module_along_an_axis(case, dtype):
    compare(*case, dtype)


def test_random_slopes_have_their_gradient():
    x = Tensor(RNG.normal(size=200), requires_grad=True)
    y = F.rrelu(x, 0.2, 0.4, training=True)
    y.sum().backward()
    slopes = np.where(x.numpy() > 0, 1, y.numpy() / x.numpy())
    np.testing.assert_allclose(x.grad.numpy(), slopes)
    below = slopes[x.numpy() < 0]
    assert 0.2 <= below.min() < 0.25
    assert 0.35 < below.max() <= 0.4
