"""Dropout: the functions and their modules."""

from __future__ import annotations

from math import prod, sqrt
from typing import Any

import numpy as np

from autograd import linear, no_grad
from autograd.dispatch import Differentiable, bare
from autograd.random import default_generator
from nn.inplace import InplaceModule
from nn.module import Module

__all__ = [
    "AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout", "alpha_dropout",
    "dropout", "dropout1d", "dropout2d", "dropout3d", "feature_alpha_dropout", "monte_carlo_dropout",
]  # fmt: skip


def _check_share(p: float) -> None:
    if not 0 <= p <= 1:
        raise ValueError(f"dropout takes a share p between 0 and 1; got {p}")


def _as_floats(input: Any) -> Any:
    input = input if isinstance(input, Differentiable) else np.asarray(input)
    if input.dtype.kind not in "fc":
        raise TypeError(f"dropout of dtype {input.dtype}; convert the input to floats first")
    return input


def _kept(shape: tuple[int, ...], p: float) -> Any:
    """Which entries stay, each with probability ``1 − p`` to within ``2⁻³²``."""
    limit = min(round(p * 2**32), 2**32 - 1)
    if p == 1:
        return np.zeros(shape, bool)
    words = np.frombuffer(default_generator().bytes(4 * prod(shape)), np.uint32)
    return (words >= limit).reshape(shape)


# The mask is kept as one byte per entry.
_mask: Any = linear(
    lambda input, kept, scale: np.multiply(input, scale, where=kept, out=np.zeros(input.shape, input.dtype)),
    input=lambda g, kept, scale: _mask(g, kept, scale),
    name="dropout",
)


def _dropped(input: Any, p: float, training: bool, mask_shape: Any) -> Any:
    _check_share(p)
    input = _as_floats(input)
    if not training or p == 0:
        return input
    kept = np.broadcast_to(_kept(mask_shape(input.shape), p), input.shape)
    return _mask(input, kept, 0.0 if p == 1 else 1 / (1 - p))


def dropout(input: Any, p: float = 0.5, training: bool = True) -> Any:
    """``a ⊙ m / (1 − p)`` with ``m ~ Bernoulli(1 − p)`` in training; the input itself in evaluation.

    Drawn from the library's generator (``autograd.manual_seed``). Source: Srivastava et al. 2014, in the inverted form.
    Raises ValueError unless ``0 ≤ p ≤ 1``, TypeError for integers.
    """
    return _dropped(input, p, training, lambda shape: shape)


def _channels(name: str, input: Any, p: float, training: bool, axes: int) -> Any:
    """Dropout of whole channels of inputs (N, C, …) with ``axes`` later axes, or (C, …)."""
    ndim = np.ndim(input)
    if ndim not in (axes + 1, axes + 2):
        raise ValueError(f"{name}() takes inputs with {axes + 1} or {axes + 2} axes; got shape {np.shape(input)}")
    return _dropped(input, p, training, lambda shape: shape[: ndim - axes] + (1,) * axes)


def dropout1d(input: Any, p: float = 0.5, training: bool = True) -> Any:
    """Dropout of whole channels of inputs (N, C, L) or (C, L) (Tompson et al. 2015); raises as :func:`dropout`."""
    return _channels("dropout1d", input, p, training, 1)


def dropout2d(input: Any, p: float = 0.5, training: bool = True) -> Any:
    """Dropout of whole channels of inputs (N, C, H, W) or (C, H, W); source and errors as of :func:`dropout1d`."""
    return _channels("dropout2d", input, p, training, 2)


def dropout3d(input: Any, p: float = 0.5, training: bool = True) -> Any:
    """Dropout of whole channels of inputs (N, C, D, H, W) or (C, D, H, W); raises as :func:`dropout`."""
    return _channels("dropout3d", input, p, training, 3)


# ---------------------------------------------------------------------- for self-normalising networks

SELU_FLOOR = -1.7580993408473766  # the lowest value of SELU: −λα


def _alpha_dropped(input: Any, p: float, training: bool, mask_shape: Any) -> Any:
    """Dropped entries become SELU's lowest value; ``a x + b`` then restores mean 0 and variance 1."""
    _check_share(p)
    input = _as_floats(input)
    if not training or p == 0:
        return input
    kept = np.broadcast_to(_kept(mask_shape(input.shape), p), input.shape)
    if p == 1:
        return _mask(input, kept, 0.0)
    a = 1 / sqrt((1 - p) * (1 + p * SELU_FLOOR**2))
    b = -a * p * SELU_FLOOR
    lifted = np.where(bare(kept), 0, a * SELU_FLOOR) + b
    return _mask(input, kept, a) + lifted.astype(input.dtype)


def alpha_dropout(input: Any, p: float = 0.5, training: bool = True) -> Any:
    """Dropout to SELU's lowest value that keeps mean 0 and variance 1; raises as :func:`dropout`.

    Source: Klambauer et al. 2017.
    """
    return _alpha_dropped(input, p, training, lambda shape: shape)


def feature_alpha_dropout(input: Any, p: float = 0.5, training: bool = True) -> Any:
    """:func:`alpha_dropout` of whole channels of inputs (N, C, …); raises as :func:`dropout`."""
    if np.ndim(input) < 2:
        raise ValueError(f"feature_alpha_dropout() takes inputs of shape (N, C, …); got {np.shape(input)}")
    return _alpha_dropped(input, p, training, lambda shape: shape[:2] + (1,) * (len(shape) - 2))


# ---------------------------------------------------------------------- modules


class _Dropout(InplaceModule):
    """What the modules share: a share ``p``, and nothing to do in evaluation."""

    _function: Any = None

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__(inplace)
        _check_share(p)
        self.p = p

    def compute(self, input: Any) -> Any:
        return type(self)._function(input, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    """:func:`dropout` in training mode."""

    _function = staticmethod(dropout)


class Dropout1d(_Dropout):
    """:func:`dropout1d` in training mode."""

    _function = staticmethod(dropout1d)


class Dropout2d(_Dropout):
    """:func:`dropout2d` in training mode."""

    _function = staticmethod(dropout2d)


class Dropout3d(_Dropout):
    """:func:`dropout3d` in training mode."""

    _function = staticmethod(dropout3d)


class AlphaDropout(_Dropout):
    """:func:`alpha_dropout` in training mode."""

    _function = staticmethod(alpha_dropout)


class FeatureAlphaDropout(_Dropout):
    """:func:`feature_alpha_dropout` in training mode."""

    _function = staticmethod(feature_alpha_dropout)


# ---------------------------------------------------------------------- uncertainty


def monte_carlo_dropout(model: Module, input: Any, samples: int = 50) -> tuple[Any, Any]:
    """Mean and standard deviation of a model's output over dropout: an estimate of how sure it is.

    The model runs ``samples`` times without recording, with its dropout layers in training mode and all others in
    evaluation mode, which approximates predictions under the posterior of its weights (Gal & Ghahramani 2016).

    Parameters
    ----------
    model : Module
        With one output; left in the modes it was in.
    input : what the model takes
    samples : int
        At least 2.

    Returns
    -------
    mean, std : arrays of the output's shape and dtype; the deviation is that of a sample (divided by n − 1)

    Raises
    ------
    ValueError
        For fewer than 2 samples, and a model without dropout layers.
    """
    layers = [module for module in model.modules() if isinstance(module, _Dropout)]
    if samples < 2 or not layers:
        raise ValueError(f"monte_carlo_dropout() takes 2 samples or more of a model with dropout; got {samples}")
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        for layer in layers:
            layer.training = True
        with no_grad():
            outputs = np.stack([np.asarray(bare(model(input))) for _ in range(samples)])
    finally:
        for module, mode in modes.items():
            module.training = mode
    return outputs.mean(axis=0), outputs.std(axis=0, ddof=1)
