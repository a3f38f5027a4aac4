"""Activations: the functions and their modules."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import primitive
from autograd.numpy.elementwise import relu, sigmoid, tanh
from nn.module import Module

__all__ = [
    "LogSoftmax", "ReLU", "Sigmoid", "Softmax", "Tanh", "log_softmax", "relu", "sigmoid", "softmax", "tanh",
]  # fmt: skip


# ---------------------------------------------------------------------- softmax


def shift(input: Any, dim: int) -> Any:
    """Logits less their maximum along ``dim``: exponentials of it cannot overflow."""
    if input.dtype.kind != "f":
        raise TypeError(f"softmax of dtype {input.dtype}; convert the logits to floats first")
    with np.errstate(over="ignore"):
        return input - np.maximum.reduce(input, axis=dim, keepdims=True, initial=-np.inf)


def _softmax(input: Any, dim: int) -> Any:
    """``e^(z_i) / Σ_j e^(z_j)`` along ``dim``, stable for logits of any size (Bridle 1990).

    Raises TypeError for logits that are not floats, AxisError for an axis that is not there.
    """
    e = shift(input, dim)
    np.exp(e, out=e)
    return np.divide(e, np.add.reduce(e, axis=dim, keepdims=True), out=e)


def _softmax_slope(v: Any, out: Any, dim: int) -> Any:
    """``(diag(s) − s sᵀ) v``: symmetric, so it serves cotangents and tangents alike."""
    weighted = v * out
    return weighted - out * np.sum(weighted, axis=dim, keepdims=True)


softmax = primitive(
    _softmax,
    vjp={"input": lambda g, out, dim: _softmax_slope(g, out, dim)},
    jvp={"input": lambda t, out, dim: _softmax_slope(t, out, dim)},
)


def _log_softmax(input: Any, dim: int) -> Any:
    """``z_i − log Σ_j e^(z_j)`` along ``dim``, stable for logits of any size. Raises as ``softmax`` does."""
    shifted = shift(input, dim)
    with np.errstate(divide="ignore"):  # of an axis without entries
        return shifted - np.log(np.add.reduce(np.exp(shifted), axis=dim, keepdims=True))


log_softmax = primitive(
    _log_softmax,
    vjp={"input": lambda g, out, dim: g - np.exp(out) * np.sum(g, axis=dim, keepdims=True)},
    jvp={"input": lambda t, out, dim: t - np.sum(np.exp(out) * t, axis=dim, keepdims=True)},
)


# ---------------------------------------------------------------------- modules


class ReLU(Module):
    """``max(0, x)``, with derivative 0 at 0."""

    def forward(self, input: Any) -> Any:
        return relu(input)


class Tanh(Module):
    """Hyperbolic tangent."""

    def forward(self, input: Any) -> Any:
        return tanh(input)


class Sigmoid(Module):
    """``1 / (1 + e^(−x))``."""

    def forward(self, input: Any) -> Any:
        return sigmoid(input)


class Softmax(Module):
    """:func:`softmax` along ``dim``."""

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Any) -> Any:
        return softmax(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(Module):
    """:func:`log_softmax` along ``dim``."""

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Any) -> Any:
        return log_softmax(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"
