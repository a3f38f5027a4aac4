"""Sample calls of the normalisations that share one fused operation."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

import nn.functional as F
from autograd.cases.base import Case, arrays


@st.composite
def standardize_cases(draw: Any) -> Case:
    kind = draw(st.sampled_from(["batch", "layer", "group", "instance"]))
    length = draw(st.integers(3, 4))
    shape, width = {
        "batch": ((draw(st.integers(3, 4)), 3), 3),
        "layer": ((draw(st.integers(0, 3)), length), length),
        "group": ((draw(st.integers(1, 2)), 4, length), 4),
        "instance": ((draw(st.integers(0, 2)), 2, length), 2),
    }[kind]
    eps = draw(st.sampled_from([1e-3, 0.1]))
    function = {
        "batch": lambda x, w=None, b=None: F.batch_norm(x, None, None, w, b, training=True, eps=eps),
        "layer": lambda x, w=None, b=None: F.layer_norm(x, length, w, b, eps),
        "group": lambda x, w=None, b=None: F.group_norm(x, 2, w, b, eps),
        "instance": lambda x, w=None, b=None: F.instance_norm(x, None, None, w, b, eps=eps),
    }[kind]
    # Three values or more, far apart: two are ±1 once standardised, whatever they were.
    x = draw(arrays(shape, low=-0.3, high=0.3)) + np.sum(np.indices(shape), axis=0) % 5
    parameters = tuple(draw(arrays((width,))) for _ in range(draw(st.integers(0, 2))))
    return Case(function, (x, *parameters))


CASES = {"standardize": standardize_cases()}
