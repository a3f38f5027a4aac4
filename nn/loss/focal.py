"""The focal loss: cross-entropy in which what is already right weighs little."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import elementwise
from autograd.dispatch import bare
from autograd.numpy.elementwise import sigmoid
from nn.loss.binary import logistic_loss
from nn.loss.reduction import Loss, check_same, floats, reduced

__all__ = ["FocalLoss", "focal_loss"]


def _slope(u: Any, gamma: float) -> Any:
    """Derivative of ``−σ(−u)^γ log σ(u)``, which as ``σ(−u)^γ`` is written ``e^(−γ log(1 + e^u))``."""
    wrong = np.exp(-gamma * logistic_loss(-u))
    return -wrong * (gamma * sigmoid(u) * logistic_loss(u) + sigmoid(-u))


_focal = elementwise(
    lambda u, gamma: np.exp(-gamma * logistic_loss(-u)) * logistic_loss(u),
    lambda u, gamma: _slope(u, gamma),
    name="focal",
)


def _check(alpha: float | None, gamma: float) -> None:
    if alpha is not None and not 0 <= alpha <= 1:
        raise ValueError(f"the focal loss takes alpha in [0, 1], or None for no weights; got {alpha}")
    if not gamma >= 0:
        raise ValueError(f"the focal loss takes gamma ≥ 0; got {gamma}")


def focal_loss(input: Any, target: Any, alpha: float | None = 0.25, gamma: float = 2.0, reduction: str = "mean") -> Any:
    """``−α_t (1 − p_t)^γ log p_t`` of logits, where ``p_t`` is the probability given to the truth (Lin et al. 2017).

    ``p_t = σ(z)`` and ``α_t = α`` where the target is 1, ``1 − σ(z)`` and ``1 − α`` where it is 0; without
    ``alpha`` nothing is weighted, and for γ = 0 it is the binary cross-entropy. Stable for logits of any size.
    Raises ValueError for shapes that differ, targets other than 0 and 1, and options out of range; TypeError for
    logits that are not floats.
    """
    _check(alpha, gamma)
    input, y = floats("focal_loss", input), np.asarray(bare(target))
    check_same("focal_loss", reduction, input=input, target=y)
    yes = y == 1
    if not (yes | (y == 0)).all():
        raise ValueError(f"focal_loss() takes targets that are 0 or 1; got {y[~(yes | (y == 0))].flat[0]}")
    dtype = input.dtype
    losses = _focal(input * np.where(yes, 1, -1).astype(dtype), float(gamma))
    return reduced(losses if alpha is None else losses * np.where(yes, alpha, 1 - alpha).astype(dtype), reduction)


class FocalLoss(Loss):
    """:func:`focal_loss` as a module. Raises ValueError for options out of range."""

    def __init__(self, alpha: float | None = 0.25, gamma: float = 2.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        _check(alpha, gamma)
        self.alpha = alpha
        self.gamma = gamma

    def forward(self, input: Any, target: Any) -> Any:
        return focal_loss(input, target, self.alpha, self.gamma, self.reduction)
