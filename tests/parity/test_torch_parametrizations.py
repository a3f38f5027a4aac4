"""Weight and spectral normalisation beside PyTorch's.

Run where PyTorch is installed:  python -m pytest tests/parity
"""

from __future__ import annotations

import numpy as np
import pytest

import nn
from tests.parity.modules import compare_modules, torch

RNG = np.random.default_rng(0)
LAYERS = [
    ("Linear", (4, 3), RNG.normal(size=(5, 4))),
    ("Conv2d", (2, 4, 3), RNG.normal(size=(2, 2, 5, 5))),
    ("ConvTranspose1d", (3, 4, 2), RNG.normal(size=(2, 3, 6))),
]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("layer", LAYERS, ids=lambda case: case[0])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("weight_norm", {}),
        ("weight_norm", {"dim": 1}),
        ("weight_norm", {"dim": None}),
        ("spectral_norm", {}),
        ("spectral_norm", {"n_power_iterations": 3, "dim": 1}),
    ],
)
def test_parametrized_layer(name, options, layer, train, dtype):
    kind, args, x = layer
    ours = getattr(nn.utils.parametrizations, name)(getattr(nn, kind)(*args), **options)
    theirs = getattr(torch.nn.utils.parametrizations, name)(getattr(torch.nn, kind)(*args), **options)
    compare_modules(ours, theirs, [x], dtype=dtype, train=train)
    assert repr(ours) == repr(theirs)
