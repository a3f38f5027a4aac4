"""Sample calls of the activations."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

import nn.functional as F
from autograd.cases.base import Case, an_axis, arrays, shapes
from nn.activation.smooth import _Phi


@st.composite
def entrywise(draw: Any, function: Any, *options: tuple[Any, ...], kinks: tuple[float, ...] = ()) -> Case:
    """``function(x, *option)`` for one of the options, away from the kinks."""
    option = draw(st.sampled_from(options or [()]))
    return Case(lambda x: function(x, *option), (draw(arrays(low=-4.0, high=4.0, away_from=kinks)),))


@st.composite
def prelu_cases(draw: Any) -> Case:
    x = draw(arrays(away_from=(0.0,)))
    channels = x.ndim > 1 and draw(st.booleans())
    return Case(F.prelu, (x, draw(arrays((x.shape[1],) if channels else (1,)))))


@st.composite
def gates(draw: Any, function: Any) -> Case:
    shape = draw(shapes.filter(len))
    dim = draw(an_axis(len(shape)))
    sides = list(shape)
    sides[dim] *= 2
    return Case(lambda x: function(x, dim), (draw(arrays(tuple(sides))),))


CASES = {
    "leaky_relu": entrywise(F.leaky_relu, (), (0.3,), (0.0,), (2.0,), (-0.5,), kinks=(0.0,)),
    "prelu": prelu_cases(),
    "hardtanh": entrywise(F.hardtanh, (), (0.0, 6.0), (-2.5, 1.5), kinks=(-1.0, 1.0, 0.0, -2.5, 1.5)),
    "hardsigmoid": entrywise(F.hardsigmoid, kinks=(-3.0, 3.0)),
    "hardswish": entrywise(F.hardswish, kinks=(-3.0, 3.0)),
    "threshold": entrywise(F.threshold, (0.5, 20.0), (-1.0, 0), kinks=(0.5, -1.0)),
    "hardshrink": entrywise(F.hardshrink, (), (1.5,), (0.0,), kinks=(-0.5, 0.5, -1.5, 1.5, 0.0)),
    "softshrink": entrywise(F.softshrink, (), (1.5,), (0.0,), kinks=(-0.5, 0.5, -1.5, 1.5, 0.0)),
    "elu": entrywise(F.elu, (), (0.5,), kinks=(0.0,)),
    "celu": entrywise(F.celu, (), (0.5,), kinks=(0.0,)),
    "selu": entrywise(F.selu, kinks=(0.0,)),
    "logsigmoid": entrywise(F.logsigmoid),
    "softplus": entrywise(F.softplus, (), (2.0,), (3.0, 4.0), kinks=(4 / 3,)),
    "softsign": entrywise(F.softsign, kinks=(0.0,)),
    "tanhshrink": entrywise(F.tanhshrink),
    "silu": entrywise(F.silu),
    "mish": entrywise(F.mish),
    "normal_cdf": entrywise(_Phi),
    "gelu": entrywise(F.gelu),
    "gelu_tanh": entrywise(F.gelu, ("tanh",)),
    "glu": gates(F.glu),
    "swiglu": gates(F.swiglu),
}
