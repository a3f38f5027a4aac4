"""Losses of two classes: cross-entropy of probabilities and of logits."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import Tensor, elementwise
from autograd.dispatch import bare
from autograd.numpy.elementwise import sigmoid
from nn.activation.smooth import logsigmoid
from nn.loss.reduction import WeightedLoss, array, as_buffer, check_same, floats, reduced, targets, weighted

__all__ = [
    "BCELoss", "BCEWithLogitsLoss", "binary_cross_entropy", "binary_cross_entropy_with_logits", "logistic_loss",
]  # fmt: skip


def _logistic_loss(x: Any) -> Any:
    """``log(1 + e^(−x)) = −log σ(x)``, for ``x`` of any size."""
    return -logsigmoid(x)


logistic_loss = elementwise(_logistic_loss, lambda x: -sigmoid(-x), name="logistic_loss")


# ---------------------------------------------------------------------- of probabilities


def _clamped_log(p: Any) -> Any:
    """``log p``, but no less than −100."""
    return np.maximum(np.log(np.maximum(p, np.finfo(bare(p).dtype).tiny)), -100)


def _bce(input: Any, target: Any) -> Any:
    with np.errstate(divide="ignore"):
        yes, no = np.log(input), np.log1p(-input)
    return -(target * np.maximum(yes, -100) + (1 - target) * np.maximum(no, -100))


_of_probabilities = elementwise(
    _bce,
    lambda input, target: (input - target) / np.maximum(input * (1 - input), 1e-12),
    lambda input: _clamped_log(1 - input) - _clamped_log(input),
    name="binary_cross_entropy",
)


def binary_cross_entropy(input: Any, target: Any, weight: Any = None, reduction: str = "mean") -> Any:
    """``−y log p − (1 − y) log(1 − p)`` of probabilities p, the logarithms no less than −100.

    ``target`` has ``input``'s shape; ``weight`` broadcasts to it. The gradient ``(p − y) / p(1 − p)`` has the
    denominator kept above 1e-12, as in PyTorch. :func:`binary_cross_entropy_with_logits` is more exact.
    Raises ValueError for shapes that do not fit, another ``reduction``, and probabilities outside [0, 1] (NaN is
    outside); TypeError for input that is not floats.
    """
    input = floats("binary_cross_entropy", input)
    target = targets(target, input)
    check_same("binary_cross_entropy", reduction, input=input, target=target)
    p = bare(input)
    if p.size and not (np.minimum.reduce(p, axis=None) >= 0 and np.maximum.reduce(p, axis=None) <= 1):
        raise ValueError(
            f"binary_cross_entropy() takes probabilities in [0, 1]; got values from {p.min()} to {p.max()} "
            "(for logits there is binary_cross_entropy_with_logits)"
        )
    return reduced(weighted("binary_cross_entropy", _of_probabilities(input, target), weight), reduction)


class BCELoss(WeightedLoss):
    """:func:`binary_cross_entropy` as a module; ``weight`` is a buffer."""

    def forward(self, input: Any, target: Any) -> Any:
        return binary_cross_entropy(input, target, self.weight, self.reduction)


# ---------------------------------------------------------------------- of logits


def _bce_of_logits(input: Any, target: Any) -> Any:
    """``log(1 + e^(−|z|)) + |z|/2 + z (½ − y)``, which for y = 0 and y = 1 cancels exactly."""
    size = np.abs(input)
    return np.log1p(np.exp(-size)) + 0.5 * size + input * (0.5 - target)


_of_logits = elementwise(
    _bce_of_logits,
    lambda input, target: sigmoid(input) - target,
    lambda input: -input,
    name="binary_cross_entropy_with_logits",
)


def _bce_of_weighted_logits(input: Any, target: Any, pos_weight: Any) -> Any:
    """``(1 − y) z + (1 + (w − 1) y) log(1 + e^(−z))``."""
    return (1 - target) * input + (1 + (pos_weight - 1) * target) * _logistic_loss(input)


_of_weighted_logits = elementwise(
    _bce_of_weighted_logits,
    lambda input, target, pos_weight: 1 - target - (1 + (pos_weight - 1) * target) * sigmoid(-input),
    lambda input, pos_weight: (pos_weight - 1) * logistic_loss(input) - input,
    lambda input, target: target * logistic_loss(input),
    name="binary_cross_entropy_with_weighted_logits",
)


def binary_cross_entropy_with_logits(
    input: Any, target: Any, weight: Any = None, reduction: str = "mean", pos_weight: Any = None
) -> Any:
    """``−w y log σ(z) − (1 − y) log(1 − σ(z))``, fused and stable for logits z of any size; gradient ``σ(z) − y``.

    ``target`` has ``input``'s shape. ``weight`` (of the losses) and ``pos_weight`` (w, of the positive answers)
    broadcast to it. Raises ValueError for shapes that do not fit and another ``reduction``, TypeError for logits
    that are not floats.
    """
    name = "binary_cross_entropy_with_logits"
    input = floats(name, input)
    target = targets(target, input)
    check_same(name, reduction, input=input, target=target)
    if pos_weight is None:
        losses = _of_logits(input, target)
    else:
        losses = _of_weighted_logits(input, target, array(pos_weight))
        if losses.shape != input.shape:
            raise ValueError(
                f"{name}(): a pos_weight of shape {np.shape(pos_weight)} does not broadcast to the input {input.shape}"
            )
    return reduced(weighted(name, losses, weight), reduction)


class BCEWithLogitsLoss(WeightedLoss):
    """:func:`binary_cross_entropy_with_logits` as a module; ``weight`` and ``pos_weight`` are buffers."""

    pos_weight: Tensor | None

    def __init__(self, weight: Any = None, reduction: str = "mean", pos_weight: Any = None) -> None:
        super().__init__(weight, reduction)
        self.register_buffer("pos_weight", as_buffer(pos_weight))

    def forward(self, input: Any, target: Any) -> Any:
        return binary_cross_entropy_with_logits(input, target, self.weight, self.reduction, self.pos_weight)
