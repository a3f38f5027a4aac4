"""Negative log-likelihoods of distributions: Gaussian and Poisson."""

from __future__ import annotations

from math import log, pi
from typing import Any

import numpy as np

from autograd import elementwise
from autograd.dispatch import bare
from nn.loss.reduction import Loss, array, check_same, reduced, targets

__all__ = ["GaussianNLLLoss", "PoissonNLLLoss", "gaussian_nll_loss", "poisson_nll_loss"]


# The gradient passes below the floor too: a variance that fell under it can recover.
_floored = elementwise(lambda var, eps: np.maximum(var, eps), 1, name="floored_variance")


def gaussian_nll_loss(
    input: Any, target: Any, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Any:
    """``½ (log σ² + (μ − y)²/σ²)``, plus ``½ log 2π`` if ``full`` (Nix & Weigend 1994).

    ``input`` is μ, ``target`` y of the same shape; ``var`` is σ²: a number, of ``input``'s shape, without its last
    axis, or with one side of 1 instead. Variances below ``eps`` count as ``eps``, but receive their gradient as if
    they were there. Raises ValueError for shapes that do not fit, negative variances, and another ``reduction``.
    """
    input = array(input)
    target = targets(target, input)
    check_same("gaussian_nll_loss", reduction, input=input, target=target)
    if not eps > 0:
        raise ValueError(f"gaussian_nll_loss() takes eps > 0; got {eps}")
    var = _floored(_variance(var, input), eps)
    losses = 0.5 * (np.log(var) + np.square(input - target) / var)
    return reduced(losses + 0.5 * log(2 * pi) if full else losses, reduction)


def _variance(var: Any, input: Any) -> Any:
    """``var`` in a shape that broadcasts to that of ``input``."""
    if isinstance(var, (int, float)):
        var = np.full(input.shape, var, input.dtype)
    var = array(var)
    if (bare(var) < 0).any():
        raise ValueError(f"gaussian_nll_loss() takes variances ≥ 0; got {bare(var).min()}")
    if var.shape == input.shape:
        return var
    if input.ndim and var.shape == input.shape[:-1]:
        return var[..., None]
    differing = [n for m, n in zip(input.shape, var.shape, strict=False) if m != n]
    if var.ndim == input.ndim and differing == [1]:
        return var
    raise ValueError(
        f"gaussian_nll_loss() of input {input.shape} takes a number or variances of that shape, without its last axis, "
        f"or with one side of 1; got shape {var.shape}"
    )


class GaussianNLLLoss(Loss):
    """:func:`gaussian_nll_loss` as a module."""

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.full = full
        self.eps = eps

    def forward(self, input: Any, target: Any, var: Any) -> Any:
        return gaussian_nll_loss(input, target, var, self.full, self.eps, self.reduction)


def _stirling(y: Any) -> Any:
    """``log y!`` by Stirling's formula, ``y log y − y + ½ log 2πy``; 0 for ``y ≤ 1``."""
    large = bare(y) > 1
    y = np.where(large, y, 1)
    return np.where(large, y * np.log(y) - y + 0.5 * np.log(2 * pi * y), 0)


def poisson_nll_loss(
    input: Any,
    target: Any,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> Any:
    """``λ − y log λ`` of counts y, plus Stirling's ``log y!`` for ``y > 1`` if ``full``.

    ``input`` is ``log λ``, or with ``log_input=False`` λ itself, of which ``log(λ + eps)`` is taken. Raises
    ValueError for shapes that differ and another ``reduction``.
    """
    input = array(input)
    target = targets(target, input)
    check_same("poisson_nll_loss", reduction, input=input, target=target)
    losses = np.exp(input) - target * input if log_input else input - target * np.log(input + eps)
    return reduced(losses + _stirling(target) if full else losses, reduction)


class PoissonNLLLoss(Loss):
    """:func:`poisson_nll_loss` as a module."""

    def __init__(self, log_input: bool = True, full: bool = False, eps: float = 1e-8, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.log_input = log_input
        self.full = full
        self.eps = eps

    def forward(self, input: Any, target: Any) -> Any:
        return poisson_nll_loss(input, target, self.log_input, self.full, self.eps, self.reduction)
