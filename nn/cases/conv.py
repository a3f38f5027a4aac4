"""Sample calls of convolutions, padding and folding."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from autograd.cases.base import Case, arrays
from nn import _windows, convolution, folding, padding

small = st.integers(1, 2)


@st.composite
def geometries(draw: Any) -> dict[str, Any]:
    """Shapes and options of a convolution that fit exactly, with padding of either sign; N may be 0."""
    ndim = draw(st.sampled_from([1, 1, 2, 2, 3]))
    kernel, counts, stride, dilation = (tuple(draw(small) for _ in range(ndim)) for _ in range(4))
    pairs = tuple((draw(st.integers(-1, 2)), draw(st.integers(-1, 2))) for _ in range(ndim))
    spans = [(m - 1) * s + d * (k - 1) + 1 for m, s, d, k in zip(counts, stride, dilation, kernel, strict=True)]
    sides = [span - a - b for span, (a, b) in zip(spans, pairs, strict=True)]
    fits = [n >= 0 and n + min(a, 0) + min(b, 0) >= 0 for n, (a, b) in zip(sides, pairs, strict=True)]
    if not all(fits):
        pairs = tuple(pair if fit else (0, 0) for pair, fit in zip(pairs, fits, strict=True))
        sides = [n if fit else span for n, fit, span in zip(sides, fits, spans, strict=True)]
    groups, n, c_in, c_out = draw(small), draw(st.sampled_from([0, 1, 2, 2])), draw(small), draw(small)
    return {
        "x": (n, c_in * groups, *sides),
        "w": (c_out * groups, c_in, *kernel),
        "y": (n, c_out * groups, *counts),
        "options": (stride, pairs, dilation, groups),
    }


@st.composite
def convolve_cases(draw: Any) -> Case:
    shapes = draw(geometries())
    x, w, options = draw(arrays(shapes["x"])), draw(arrays(shapes["w"])), shapes["options"]
    if draw(st.booleans()):
        return Case(lambda x, w: _windows.convolve(x, w, *options), (x, w))
    bias = draw(arrays(shapes["w"][:1]))
    return Case(lambda x, w, b: _windows.convolve(x, w, *options, b), (x, w, bias))


@st.composite
def transposed_cases(draw: Any, function: Any, first: str, second: str) -> Case:
    shapes = draw(geometries())
    options = shapes["options"]
    return Case(lambda a, b: function(a, b, *options), (draw(arrays(shapes[first])), draw(arrays(shapes[second]))))


@st.composite
def layer_cases(draw: Any) -> Case:
    """The functions on top, which leave away what remains after the last window."""
    x, w, b = draw(arrays((2, 2, 5, 4))), draw(arrays((2, 2, 2, 3))), draw(arrays((2,)))
    stride, around = draw(st.integers(1, 3)), draw(st.integers(0, 2))
    if draw(st.booleans()):
        return Case(lambda x, w, b: convolution.conv2d(x[0], w, b, stride, around), (x, w, b))
    extra = draw(st.integers(0, stride - 1))
    return Case(lambda x, w, b: convolution.conv_transpose2d(x, w, b, stride, 1, extra), (x, w, b))


@st.composite
def widths(draw: Any, mode: str, sides: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Borders that the sides allow, negative ones too."""
    pairs = []
    for n in sides:
        most = {"reflect": n - 1, "circular": n, "replicate": 3}[mode]
        before = draw(st.integers(1 - n, most))
        pairs.append((before, draw(st.integers(1 - n - min(before, 0), most))))
    return tuple(pairs)


@st.composite
def bordered_cases(draw: Any, transposed: bool) -> Case:
    mode = draw(st.sampled_from(["reflect", "replicate", "circular"]))
    sides = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=2)))
    pairs = draw(widths(mode, sides))
    lead = draw(st.sampled_from([(2,), (0,), (2, 1)]))
    if not transposed:
        return Case(lambda x: padding.bordered(x, pairs, mode), (draw(arrays((*lead, *sides))),))
    outer = tuple(n + a + b for n, (a, b) in zip(sides, pairs, strict=True))
    return Case(lambda y: padding.unbordered(y, pairs, mode, sides), (draw(arrays((*lead, *outer))),))


@st.composite
def folding_cases(draw: Any, transposed: bool) -> Case:
    kernel, stride, dilation, around = ((draw(small), draw(small)) for _ in range(4))
    sides = tuple(d * (k - 1) + draw(st.integers(1, 3)) for k, d in zip(kernel, dilation, strict=True))
    pairs = tuple((p, p) for p in around)
    x = draw(arrays((draw(st.sampled_from([0, 1, 2])), draw(small), *sides)))
    if not transposed:
        return Case(lambda x: folding.window_columns(x, kernel, stride, pairs, dilation), (x,))
    columns = folding.window_columns(x, kernel, stride, pairs, dilation)
    return Case(
        lambda y: folding.window_sums(y, sides, kernel, stride, pairs, dilation), (draw(arrays(np.shape(columns))),)
    )


CASES = {
    "convolve": st.one_of(convolve_cases(), layer_cases()),
    "convolve_transpose": transposed_cases(_windows.convolve_transpose, "y", "w"),
    "convolve_weight": transposed_cases(_windows.convolve_weight, "x", "y"),
    "bordered": bordered_cases(False),
    "unbordered": bordered_cases(True),
    "window_columns": folding_cases(False),
    "window_sums": folding_cases(True),
}
