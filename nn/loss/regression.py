"""Losses of real targets: squared, absolute, and between the two."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import elementwise
from nn.loss.reduction import Loss, array, check_same, reduced, targets

__all__ = [
    "HalfMSELoss", "HuberLoss", "L1Loss", "MSELoss", "SmoothL1Loss", "half_mse_loss", "huber_loss", "l1_loss",
    "mse_loss", "smooth_l1_loss",
]  # fmt: skip


def _weighted_mean(name: str, losses: Any, weight: Any, reduction: str) -> Any:
    """The reduction of weighted losses, where "mean" divides by the sum of the weights."""
    check_same(name, reduction, input=losses, weight=weight)
    total = reduced(losses * weight, "none" if reduction == "none" else "sum")
    return total / np.sum(weight) if reduction == "mean" else total


# ---------------------------------------------------------------------- squared error


def mse_loss(input: Any, target: Any, reduction: str = "mean", weight: Any = None) -> Any:
    """``(ŷ − y)²``, averaged over all elements (PyTorch's convention).

    "sum" adds the elements, "none" gives them all. A ``weight`` of the same shape multiplies each element;
    "mean" then divides by its sum. For ``½‖ŷ − y‖²`` averaged over the batch see :func:`half_mse_loss`.
    Raises ValueError for shapes that differ and for another ``reduction``.
    """
    input = array(input)
    target = targets(target, input)
    check_same("mse_loss", reduction, input=input, target=target)
    squares = np.square(input - target)
    if weight is not None:
        return _weighted_mean("mse_loss", squares, weight, reduction)
    return reduced(squares, reduction)


def half_mse_loss(input: Any, target: Any, reduction: str = "mean") -> Any:
    """``½‖ŷ − y‖²`` of each sample, averaged over the batch: the textbook's convention, gradient ``(ŷ − y)/N``.

    The first axis is the batch; a 0-d input is one sample. "sum" adds the samples, "none" gives one value
    for each. For PyTorch's mean over all elements see :func:`mse_loss`. Raises as that does.
    """
    input = array(input)
    target = targets(target, input)
    check_same("half_mse_loss", reduction, input=input, target=target)
    squares = np.square(input - target)
    return reduced(0.5 * np.sum(squares, axis=tuple(range(1, np.ndim(squares)))), reduction)


class MSELoss(Loss):
    """:func:`mse_loss` as a module."""

    def forward(self, input: Any, target: Any) -> Any:
        return mse_loss(input, target, self.reduction)


class HalfMSELoss(Loss):
    """:func:`half_mse_loss` as a module."""

    def forward(self, input: Any, target: Any) -> Any:
        return half_mse_loss(input, target, self.reduction)


# ---------------------------------------------------------------------- absolute error


def l1_loss(input: Any, target: Any, reduction: str = "mean", weight: Any = None) -> Any:
    """``|ŷ − y|`` of each element, with derivative 0 at 0.

    A ``weight`` of the same shape multiplies each element; "mean" then divides by its sum. Raises ValueError
    for shapes that differ and for another ``reduction``.
    """
    input = array(input)
    target = targets(target, input)
    check_same("l1_loss", reduction, input=input, target=target)
    distances = np.abs(input - target)
    if weight is not None:
        return _weighted_mean("l1_loss", distances, weight, reduction)
    return reduced(distances, reduction)


class L1Loss(Loss):
    """:func:`l1_loss` as a module."""

    def forward(self, input: Any, target: Any) -> Any:
        return l1_loss(input, target, self.reduction)


# ---------------------------------------------------------------------- squared near 0, absolute far away


def _below_and_above(d: Any, delta: float) -> Any:
    """``d²/2`` up to ``|d| = δ``, from there the tangent ``δ (|d| − δ/2)``."""
    c = np.clip(d, -delta, delta)
    return c * (d - 0.5 * c)


_huber = elementwise(_below_and_above, lambda d, delta: np.clip(d, -delta, delta), name="huber")


def huber_loss(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0, weight: Any = None) -> Any:
    """``d²/2`` of the error ``d = ŷ − y`` up to ``|d| = δ``, from there the tangent ``δ (|d| − δ/2)`` (Huber 1964).

    A ``weight`` of the same shape multiplies each element; "mean" divides by their number all the same, as in
    PyTorch. Raises ValueError for shapes that differ, another ``reduction``, and ``delta ≤ 0``.
    """
    input = array(input)
    target = targets(target, input)
    check_same("huber_loss", reduction, input=input, target=target)
    if not delta > 0:
        raise ValueError(f"huber_loss() takes delta > 0; got {delta}")
    losses = _huber(input - target, delta)
    if weight is not None:
        check_same("huber_loss", reduction, input=input, weight=weight)
        losses = losses * weight
    return reduced(losses, reduction)


def smooth_l1_loss(input: Any, target: Any, reduction: str = "mean", beta: float = 1.0) -> Any:
    """``d²/2β`` of the error ``d = ŷ − y`` up to ``|d| = β``, from there ``|d| − β/2`` (Girshick 2015).

    :func:`huber_loss` with δ = β, divided by β; for β = 0 it is :func:`l1_loss`. Raises ValueError for shapes
    that differ, another ``reduction``, and a negative ``beta``.
    """
    input = array(input)
    target = targets(target, input)
    check_same("smooth_l1_loss", reduction, input=input, target=target)
    if not beta >= 0:
        raise ValueError(f"smooth_l1_loss() takes beta ≥ 0; got {beta}")
    if beta == 0:
        return l1_loss(input, target, reduction)
    losses = _huber(input - target, beta)
    return reduced(losses if beta == 1 else losses / beta, reduction)


class SmoothL1Loss(Loss):
    """:func:`smooth_l1_loss` as a module. Raises ValueError for a negative ``beta``."""

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        if not beta >= 0:
            raise ValueError(f"SmoothL1Loss takes beta ≥ 0; got {beta}")
        self.beta = beta

    def forward(self, input: Any, target: Any) -> Any:
        return smooth_l1_loss(input, target, self.reduction, self.beta)


class HuberLoss(Loss):
    """:func:`huber_loss` as a module. Raises ValueError for ``delta ≤ 0``."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        if not delta > 0:
            raise ValueError(f"HuberLoss takes delta > 0; got {delta}")
        self.delta = delta

    def forward(self, input: Any, target: Any) -> Any:
        return huber_loss(input, target, self.reduction, self.delta)
