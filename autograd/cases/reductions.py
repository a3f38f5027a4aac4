"""Sample inputs of the reductions."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

import autograd.numpy as anp
from autograd.cases.base import Case, an_axis, arrays, distinct, full_shapes, seeds, shapes, some_axes


@st.composite
def reduced(
    draw: Any,
    /,
    function: Callable[..., Any],
    shape: Any = shapes,
    inputs: Callable[..., Any] = arrays,
    masks: bool = True,
    **options: Any,
) -> Case:
    """Any axes, kept or not, with a mask now and then."""
    x = draw(inputs(shape=shape))
    keywords: dict[str, Any] = {"axis": draw(some_axes(x.ndim)), "keepdims": draw(st.booleans()), **options}
    if masks and draw(st.integers(0, 3)) == 0:
        keywords["where"] = np.random.default_rng(draw(seeds)).random(x.shape) < 0.7
        with warnings.catch_warnings(action="ignore"):
            assume(np.isfinite(function(x, **keywords)).all())  # a mean of nothing is no number
    return Case(lambda a: function(a, **keywords), (x,))


@st.composite
def moments(draw: Any, function: Callable[..., Any]) -> Case:
    """Spreads of distinct entries, with enough of them for ddof = 1."""
    x = draw(distinct(shape=full_shapes, gap=0.2))
    axis = draw(some_axes(x.ndim))
    ddof = draw(st.sampled_from([0, 1]))
    axes = tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    assume(np.prod([x.shape[a] for a in axes], dtype=int) >= 2)
    keepdims = draw(st.booleans())
    return Case(lambda a: function(a, axis=axis, ddof=ddof, keepdims=keepdims), (x,))


@st.composite
def products(draw: Any) -> Case:
    """Products with no, one or several zeros among the factors."""
    x = draw(arrays(shape=shapes, away_from=(0.0,), margin=0.3))
    for _ in range(draw(st.integers(0, 2))):
        if x.size:
            x = x.copy()
            x.flat[draw(st.integers(0, x.size - 1))] = 0.0
    axis, keepdims = draw(some_axes(x.ndim)), draw(st.booleans())
    return Case(lambda a: np.prod(a, axis=axis, keepdims=keepdims), (x,))


@st.composite
def running(draw: Any) -> Case:
    x = draw(arrays())
    axis = draw(an_axis(x.ndim)) if x.ndim and draw(st.booleans()) else None
    return Case(lambda a: np.cumsum(a, axis=axis), (x,))


@st.composite
def log_sums(draw: Any) -> Case:
    x = draw(arrays(shape=full_shapes, low=-3, high=3))
    axis, keepdims = draw(some_axes(x.ndim)), draw(st.booleans())
    if draw(st.booleans()):
        return Case(lambda a: anp.logsumexp(a, axis=axis, keepdims=keepdims), (x,))
    weights = draw(arrays(shape=x.shape[-1:], low=0.5, high=2))
    return Case(lambda a, b: anp.logsumexp(a, axis=axis, b=b, keepdims=keepdims), (x, weights))


CASES: dict[str, st.SearchStrategy[Case]] = {
    "sum": reduced(np.sum),
    "mean": reduced(np.mean, shape=full_shapes),
    "var": moments(np.var),
    "std": moments(np.std),
    "prod": products(),
    "max": reduced(np.max, shape=full_shapes, inputs=distinct, masks=False),
    "min": reduced(np.min, shape=full_shapes, inputs=distinct, masks=False),
    "logsumexp": log_sums(),
    "cumsum": running(),
}
