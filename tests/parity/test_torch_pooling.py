"""Pooling and resampling beside PyTorch's: equal texts, outputs, indices and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
import nn.functional as F
import nn.resampling as R
from autograd import Tensor
from tests.parity.modules import compare_modules

torch = pytest.importorskip("torch")

DTYPES = [np.float64, np.float32]
SIDES = {1: (9,), 2: (7, 9), 3: (5, 7, 6)}
POOLS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    (f"{kind}Pool{n}d", args, options)
    for n in (1, 2, 3)
    for kind, args, options in [
        ("Max", (2,), {}),
        ("Max", (3, 2, 1), {"ceil_mode": True}),
        ("Max", (3, 1, 1, 2), {}),
        ("Max", (2, 1), {"return_indices": True}),
        ("Avg", (2,), {}),
        ("Avg", (3, 2, 1), {"count_include_pad": False}),
        ("Avg", (3, 2, 1, True), {}),
        ("Avg", (2, 3), {"ceil_mode": True}),
        ("LP", (2, 2), {}),
        ("LP", (4, 3, 2), {"ceil_mode": True}),
        ("AdaptiveMax", (3,), {"return_indices": True}),
        ("AdaptiveMax", (1,), {}),
        ("AdaptiveAvg", (1,), {}),
        ("AdaptiveAvg", (4,), {}),
    ]
]
POOLS += [
    ("MaxPool2d", ((2, 3), (1, 2), (0, 1)), {}),
    ("AvgPool2d", ((2, 3),), {"divisor_override": 5}),
    ("AvgPool3d", (2,), {"divisor_override": -3}),
    ("AdaptiveAvgPool2d", ((None, 5),), {}),
    ("AdaptiveMaxPool3d", ((2, None, 9),), {"return_indices": True}),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("lead", [(2, 3), (3,)])
@pytest.mark.parametrize(("name", "args", "options"), POOLS)
def test_pools(name: str, args: Any, options: Any, lead: Any, dtype: Any) -> None:
    ours, theirs = (
        getattr(nn, name)(*args, **options),
        getattr(torch.nn, name)(*args, **options),
    )
    assert repr(ours) == repr(theirs)
    x = np.random.default_rng(0).normal(size=(*lead, *SIDES[int(name[-2])]))
    compare_modules(ours, theirs, [x], dtype=dtype)


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("output_size", [False, True])
def test_unpooling(ndim: int, output_size: bool) -> None:
    sides = SIDES[ndim]
    x = torch.tensor(np.random.default_rng(1).normal(size=(2, 3, *sides)))
    y, indices = getattr(torch.nn.functional, f"max_pool{ndim}d")(x, 2, return_indices=True)
    ours, theirs = getattr(nn, f"MaxUnpool{ndim}d")(2), getattr(torch.nn, f"MaxUnpool{ndim}d")(2)
    assert repr(ours) == repr(theirs)
    keywords = {"output_size": [2, 3, *sides]} if output_size else {}
    even = keywords or all(n % 2 == 0 for n in sides)
    if not even:
        indices = indices * 0 + torch.arange(indices[0, 0].numel()).reshape(indices.shape[2:])
    compare_modules(ours, theirs, [y.numpy(), indices.numpy()], keywords=keywords)


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf, 0.0])
@pytest.mark.parametrize("args", [(2,), (3, 2, 1), (3, 1)])
def test_ties_and_special_values_go_where_pytorch_puts_them(special: float, args: Any) -> None:
    rng = np.random.default_rng(2)
    x = np.where(rng.random((2, 2, 7, 8)) < 0.6, special, rng.integers(-1, 2, (2, 2, 7, 8)))
    a, b = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y, i = F.max_pool2d(a, *args, return_indices=True)
    z, j = torch.nn.functional.max_pool2d(b, *args, return_indices=True)
    np.testing.assert_array_equal(y.detach().numpy(), z.detach().numpy())
    np.testing.assert_array_equal(i, j.numpy())
    y.backward(np.ones(y.shape))
    z.backward(torch.ones_like(z))
    np.testing.assert_array_equal(a.grad.numpy(), b.grad.numpy())


MODES = [(1, "linear"), (2, "bilinear"), (2, "bicubic"), (3, "trilinear")]
MODES += [(n, mode) for n in (1, 2, 3) for mode in ("nearest", "nearest-exact", "area")]
TARGETS: list[dict[str, Any]] = [
    {"size": 4},
    {"size": 13},
    {"scale_factor": 2},
    {"scale_factor": 1.3},
    {"scale_factor": 0.6, "recompute_scale_factor": True},
    {"scale_factor": 1.1},
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("ndim", "mode"), MODES)
def test_interpolation(ndim: int, mode: str, target: Any, dtype: Any) -> None:
    x = np.random.default_rng(3).normal(size=(2, 3, *SIDES[ndim]))
    if target == {"scale_factor": 1.1} and (mode == "bicubic" or (mode == "nearest" and ndim != 2)):
        return  # PyTorch's gradients there are not those of its outputs: one of the two ignores the factor
    for align in [None, False, True] if mode in R.AXES else [None]:
        ours = R.Upsample(mode=mode, align_corners=align, **target)
        theirs = torch.nn.Upsample(mode=mode, align_corners=align, **target)
        assert repr(ours) == repr(theirs)
        compare_modules(ours, theirs, [x], dtype=dtype)


@pytest.mark.parametrize(
    ("name", "args", "shape"),
    [
        ("UpsamplingNearest2d", (None, 3), (2, 3, 4, 5)),
        ("UpsamplingBilinear2d", ((7, 6),), (2, 3, 4, 5)),
        ("PixelShuffle", (2,), (2, 2, 8, 3, 5)),
        ("PixelUnshuffle", (3,), (2, 6, 9)),
        ("ChannelShuffle", (3,), (2, 6, 4, 5)),
    ],
)
def test_other_resolutions(name: str, args: Any, shape: Any) -> None:
    ours, theirs = getattr(R, name)(*args), getattr(torch.nn, name)(*args)
    assert repr(ours) == repr(theirs)
    compare_modules(ours, theirs, [np.random.default_rng(4).normal(size=shape)])
