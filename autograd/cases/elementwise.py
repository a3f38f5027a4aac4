"""Sample inputs of the elementwise primitives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

import autograd.numpy as anp
from autograd.cases.base import Case, arrays, broadcastable

INF = float("inf")


def unary(function: Callable[..., Any], **options: Any) -> st.SearchStrategy[Case]:
    return arrays(**options).map(lambda x: Case(function, (x,)))


def binary(function: Callable[..., Any], **options: Any) -> st.SearchStrategy[Case]:
    """Broadcast operands, a scalar on either side, or the same argument twice."""
    return st.one_of(
        broadcastable(**options).map(lambda xy: Case(function, xy)),
        arrays(**options).map(lambda x: Case(lambda x: function(x, 1.5), (x,))),
        arrays(**options).map(lambda x: Case(lambda x: function(1.5, x), (x,))),
    )


@st.composite
def pairs_apart(draw: Any, function: Callable[..., Any], multiples: bool = False) -> Case:
    """Two broadcast operands away from the function's kinks: ties, or whole multiples."""
    x, y = draw(broadcastable(low=0.5, high=3.0))
    if multiples:
        ratio = x / y
        whole = np.abs(ratio - np.round(ratio)) < 0.1
        y = y if not whole.any() else y * 0 + 2.0
        x = np.where(np.abs(x / 2 - np.round(x / 2)) < 0.1, x + 0.5, x) if whole.any() else x
    elif np.any(np.abs(x - y) < 0.1):
        x = x + 3.0
    return Case(function, (x, y))


@st.composite
def clipped(draw: Any) -> Case:
    x = draw(arrays(away_from=(-1.0, 1.0)))
    form = draw(st.integers(0, 3))
    if form == 0:
        return Case(lambda x: np.clip(x, -1.0, 1.0), (x,))
    if form == 1:
        return Case(lambda x: anp.clip(x, max=1.0), (x,))
    low, high = np.full(x.shape[-1:], -1.0), np.array(1.0)
    return Case(lambda x, a, b: np.clip(x, a, b), (x, low, high))


@st.composite
def selected(draw: Any) -> Case:
    x, y, mask = draw(broadcastable(count=3))
    return Case(lambda x, y: np.where(mask > 0, x, y), (x, y))


@st.composite
def power_cases(draw: Any) -> Case:
    if draw(st.booleans()):
        exponent = draw(st.sampled_from([0, 1, 2, 3, -1, 0.5, -1.5, 2.0]))
        return Case(lambda x: x**exponent, (draw(arrays(low=0.5, high=2.0)),))
    return Case(np.power, draw(broadcastable(low=0.5, high=2.0)))


def steps(function: Callable[..., Any], **options: Any) -> st.SearchStrategy[Case]:
    points = tuple(np.arange(-3, 3.5, 0.5))
    return unary(lambda x: function(x), away_from=points, margin=0.05, **options)


CASES: dict[str, st.SearchStrategy[Case]] = {
    "add": binary(np.add),
    "subtract": binary(np.subtract),
    "multiply": binary(np.multiply),
    "divide": binary(np.divide, low=0.5),
    "floor_divide": pairs_apart(np.floor_divide, multiples=True),
    "remainder": pairs_apart(np.remainder, multiples=True),
    "fmod": pairs_apart(np.fmod, multiples=True),
    "negative": unary(np.negative),
    "positive": unary(np.positive),
    "reciprocal": unary(np.reciprocal, away_from=(0.0,), margin=0.5),
    "square": unary(np.square),
    "power": power_cases(),
    "float_power": binary(np.float_power, low=0.5),
    "sqrt": unary(np.sqrt, low=0.3),
    "cbrt": unary(np.cbrt, away_from=(0.0,), margin=0.3),
    "hypot": binary(np.hypot, low=0.3),
    "exp": unary(np.exp),
    "exp2": unary(np.exp2),
    "expm1": unary(np.expm1),
    "log": unary(np.log, low=0.3),
    "log2": unary(np.log2, low=0.3),
    "log10": unary(np.log10, low=0.3),
    "log1p": unary(np.log1p, low=-0.7),
    "logaddexp": binary(np.logaddexp),
    "logaddexp2": binary(np.logaddexp2),
    "sigmoid": unary(anp.sigmoid, low=-4, high=4),
    "sin": unary(np.sin),
    "cos": unary(np.cos),
    "tan": unary(np.tan, low=-1, high=1),
    "arcsin": unary(np.arcsin, low=-0.8, high=0.8),
    "arccos": unary(np.arccos, low=-0.8, high=0.8),
    "arctan": unary(np.arctan),
    "arctan2": binary(np.arctan2, low=0.3),
    "sinh": unary(np.sinh),
    "cosh": unary(np.cosh),
    "tanh": unary(np.tanh),
    "arcsinh": unary(np.arcsinh),
    "arccosh": unary(np.arccosh, low=1.3, high=3),
    "arctanh": unary(np.arctanh, low=-0.8, high=0.8),
    "deg2rad": unary(np.deg2rad),
    "radians": unary(np.radians),
    "rad2deg": unary(np.rad2deg),
    "degrees": unary(np.degrees),
    "sinc": unary(np.sinc, low=-1.5, high=1.5),
    "maximum": pairs_apart(np.maximum),
    "minimum": pairs_apart(np.minimum),
    "fmax": pairs_apart(np.fmax),
    "fmin": pairs_apart(np.fmin),
    "relu": unary(anp.relu, away_from=(0.0,)),
    "fabs": unary(np.fabs, away_from=(0.0,)),
    "absolute": unary(np.absolute, away_from=(0.0,)),
    "sign": unary(np.sign, away_from=(0.0,)),
    "copysign": binary(np.copysign, away_from=(0.0,)),
    "heaviside": binary(np.heaviside, away_from=(0.0,)),
    "ldexp": unary(lambda x: np.ldexp(x, 2)),
    "floor": steps(np.floor),
    "ceil": steps(np.ceil),
    "trunc": steps(np.trunc),
    "rint": steps(np.rint),
    "round": st.one_of(steps(np.round), unary(lambda x: np.round(x, -1))),
    "nan_to_num": unary(np.nan_to_num),
    "clip": clipped(),
    "where": selected(),
    "conjugate": unary(np.conjugate),
    "real": unary(np.real),
    "imag": unary(np.imag),
    "input": unary(lambda x: x * 1.0),
}
