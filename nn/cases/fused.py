"""Sample calls of the fused operations of layers and losses."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

import nn.functional as F
from autograd.cases.base import Case, an_axis, arrays, seeds, shapes, sides


@st.composite
def linear_cases(draw: Any) -> Case:
    n_in, n_out = draw(sides), draw(sides)
    lead = draw(st.lists(sides, max_size=2).map(tuple))
    x, w = draw(arrays((*lead, n_in))), draw(arrays((n_out, n_in)))
    if draw(st.booleans()):
        return Case(F.linear, (x, w))
    return Case(F.linear, (x, w, draw(arrays((n_out,)))))


@st.composite
def along_an_axis(draw: Any, function: Any) -> Case:
    shape = draw(shapes.filter(len))
    dim = draw(an_axis(len(shape)))
    return Case(lambda x: function(x, dim), (draw(arrays(shape)),))


@st.composite
def options(draw: Any, classes: int) -> dict[str, Any]:
    weight = draw(st.sampled_from([None, np.linspace(0.5, 1.5, classes)]))
    return {
        "weight": weight,
        "reduction": draw(st.sampled_from(["none", "mean", "sum"])),
        "label_smoothing": draw(st.sampled_from([0.0, 0.2])),
    }


logit_shapes = st.tuples(st.integers(1, 3), st.integers(1, 4), st.lists(st.integers(1, 2), max_size=2).map(tuple)).map(
    lambda s: (*s[:2], *s[2])
)


@st.composite
def cross_entropy_cases(draw: Any) -> Case:
    shape = draw(logit_shapes)
    arguments = draw(options(shape[1]))
    return Case(
        lambda logits, y: F.cross_entropy(logits, y, **arguments),
        (draw(arrays(shape)), draw(arrays(shape, low=0.1, high=1.0))),
    )


@st.composite
def cross_entropy_of_classes_cases(draw: Any) -> Case:
    shape = draw(logit_shapes)
    rng = np.random.default_rng(draw(seeds))
    target = rng.integers(0, shape[1], (shape[0], *shape[2:]))
    target.flat[0] = 0
    arguments = draw(options(shape[1]))
    ignored = draw(st.sampled_from([-100, shape[1] - 1])) if shape[1] > 1 else -100
    return Case(
        lambda logits: F.cross_entropy(logits, target, ignore_index=ignored, **arguments), (draw(arrays(shape)),)
    )


CASES = {
    "linear": linear_cases(),
    "softmax": along_an_axis(F.softmax),
    "log_softmax": along_an_axis(F.log_softmax),
    "cross_entropy": cross_entropy_cases(),
    "cross_entropy_of_classes": cross_entropy_of_classes_cases(),
}
