"""Softmax and its kin: the functions and their modules."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import primitive
from autograd.dispatch import Differentiable, bare
from autograd.kernels import in_rows
from autograd.random import default_generator
from nn.module import Module

__all__ = [
    "LogSoftmax", "Softmax", "Softmax2d", "Softmin", "gumbel_softmax", "log_softmax", "shift", "softmax", "softmin",
]  # fmt: skip


# ---------------------------------------------------------------------- functions


def shift(input: Any, dim: int) -> Any:
    """Logits less their maximum along ``dim``: exponentials of it cannot overflow."""
    if input.dtype.kind != "f":
        raise TypeError(f"softmax of dtype {input.dtype}; convert the logits to floats first")
    if dim is None:
        raise TypeError("softmax needs the axis dim; where it is None PyTorch takes axis 0 or 1 by the number of axes")
    if not input.shape:
        raise np.exceptions.AxisError(dim, 0)
    with np.errstate(over="ignore"):
        return input - np.maximum.reduce(input, axis=dim, keepdims=True, initial=-np.inf)


def _softmax(input: Any, dim: int) -> Any:
    """``e^(z_i) / Σ_j e^(z_j)`` along ``dim``, stable for logits of any size (Bridle 1990).

    Raises TypeError for logits that are not floats, AxisError for an axis that is not there.
    """
    found = in_rows("softmax", input, dim=dim, parameter=np.nan)
    if found is not None:
        return found
    e = shift(input, dim)
    np.exp(e, out=e)
    return np.divide(e, np.add.reduce(e, axis=dim, keepdims=True), out=e)


def _softmax_slope(v: Any, out: Any, dim: int) -> Any:
    """``(diag(s) − s sᵀ) v``: symmetric, so it serves cotangents and tangents alike."""
    found = in_rows("softmax_slope", v, out, dim=dim)
    if found is not None:
        return found
    weighted = v * out
    return weighted - out * np.sum(weighted, axis=dim, keepdims=True)


softmax = primitive(
    _softmax,
    vjp={"input": lambda g, out, dim: _softmax_slope(g, out, dim)},
    jvp={"input": lambda t, out, dim: _softmax_slope(t, out, dim)},
    autocast="single",
)


def softmin(input: Any, dim: int) -> Any:
    """``softmax(−z)`` along ``dim``; raises as ``softmax`` does."""
    return softmax(-input, dim)


def _log_softmax(input: Any, dim: int) -> Any:
    """``z_i − log Σ_j e^(z_j)`` along ``dim``, stable for logits of any size. Raises as ``softmax`` does."""
    shifted = shift(input, dim)
    with np.errstate(divide="ignore"):  # of an axis without entries
        return shifted - np.log(np.add.reduce(np.exp(shifted), axis=dim, keepdims=True))


log_softmax = primitive(
    _log_softmax,
    vjp={"input": lambda g, out, dim: g - np.exp(out) * np.sum(g, axis=dim, keepdims=True)},
    jvp={"input": lambda t, out, dim: t - np.sum(np.exp(out) * t, axis=dim, keepdims=True)},
    autocast="single",
)


def gumbel_softmax(logits: Any, tau: float = 1.0, hard: bool = False, *, dim: int = -1) -> Any:
    """A differentiable sample of the classes along ``dim``: ``softmax((z + γ)/τ)`` with Gumbel noise γ.

    The noise ``γ = −log E``, ``E`` exponential, comes from the library's generator (``autograd.manual_seed``).
    With ``hard`` the sample is one-hot, and its gradient that of the soft one (straight through).
    Source: Jang, Gu & Poole 2017. Raises ValueError unless ``tau > 0``, and as ``softmax`` does.
    """
    if not tau > 0:
        raise ValueError(f"gumbel_softmax() takes tau > 0; got {tau}")
    logits = logits if isinstance(logits, Differentiable) else np.asarray(logits)
    noise = -np.log(default_generator().standard_exponential(logits.shape))
    soft = softmax((logits + noise.astype(logits.dtype)) / tau, dim)
    if not hard:
        return soft
    sample = bare(soft)
    one_hot = np.zeros_like(sample)
    np.put_along_axis(one_hot, np.expand_dims(sample.argmax(dim), dim), 1, dim)
    return soft + (one_hot - sample)


# ---------------------------------------------------------------------- modules


class _Along(Module):
    """A function along the axis ``dim``, which PyTorch guesses, with a warning, where it is left out."""

    _function: Any = None

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Any) -> Any:
        return type(self)._function(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmax(_Along):
    """:func:`softmax` along ``dim``."""

    _function = staticmethod(softmax)


class Softmin(_Along):
    """:func:`softmin` along ``dim``."""

    _function = staticmethod(softmin)


class LogSoftmax(_Along):
    """:func:`log_softmax` along ``dim``."""

    _function = staticmethod(log_softmax)


class Softmax2d(Module):
    """:func:`softmax` over the channels of images (N, C, H, W) or (C, H, W); raises ValueError for others."""

    def forward(self, input: Any) -> Any:
        if np.ndim(input) not in (3, 4):
            raise ValueError(f"Softmax2d takes images (N, C, H, W) or (C, H, W); got shape {np.shape(input)}")
        return softmax(input, -3)
