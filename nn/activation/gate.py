"""Gated activations: one half of the input decides what of the other half passes."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import primitive
from autograd.elementwise import conjugated
from autograd.numpy.elementwise import sigmoid
from nn.activation.smooth import silu, silu_slope
from nn.module import Module

__all__ = ["GLU", "SwiGLU", "glu", "swiglu"]


# ---------------------------------------------------------------------- gates


def _halves(name: str, input: Any, dim: int) -> list[Any]:
    if len(input.shape) == 0 or input.shape[dim] % 2:
        raise ValueError(f"{name}() halves axis {dim}, which has to be even; got shape {input.shape}")
    return np.split(input, 2, dim)


def _glu(input: Any, dim: int = -1) -> Any:
    """``a ⊙ σ(b)`` of the two halves of the input along ``dim`` (Dauphin et al. 2017).

    Raises ValueError for an odd axis, IndexError for one that is not there.
    """
    a, b = _halves("glu", input, dim)
    return a * sigmoid(b)


def _glu_slopes(input: Any, dim: int) -> tuple[Any, Any]:
    a, b = np.split(input, 2, dim)
    s = sigmoid(b)
    return s, a * (s - s * s)


def _swiglu(input: Any, dim: int = -1) -> Any:
    """``a σ(a) ⊙ b`` of the two halves of the input along ``dim`` (Shazeer 2020); raises as ``glu`` does."""
    a, b = _halves("swiglu", input, dim)
    return silu(a) * b


def _swiglu_slopes(input: Any, dim: int) -> tuple[Any, Any]:
    a, b = np.split(input, 2, dim)
    return b * silu_slope(a), silu(a)


def _gate(fun: Any, slopes: Any, name: str) -> Any:
    """A primitive of two halves, of the slopes with respect to each."""

    def pull(g: Any, input: Any, dim: int) -> Any:
        to_a, to_b = slopes(input, dim)
        return np.concatenate([g * conjugated(to_a), g * conjugated(to_b)], dim)

    def push(t: Any, input: Any, dim: int) -> Any:
        to_a, to_b = slopes(input, dim)
        a, b = np.split(t, 2, dim)
        return a * to_a + b * to_b

    return primitive(fun, vjp={"input": pull}, jvp={"input": push}, name=name)


glu = _gate(_glu, _glu_slopes, "glu")
swiglu = _gate(_swiglu, _swiglu_slopes, "swiglu")


# ---------------------------------------------------------------------- modules


class _Gate(Module):
    """A gate along the axis ``dim``."""

    _function: Any = None

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Any) -> Any:
        return type(self)._function(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class GLU(_Gate):
    """:func:`glu` as a module."""

    _function = staticmethod(glu)


class SwiGLU(_Gate):
    """:func:`swiglu` as a module."""

    _function = staticmethod(swiglu)
