"""Losses that are 0 once an answer is right by a margin: of labels, of classes, of pairs, of triplets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograd.dispatch import bare
from nn.activation import relu
from nn.distance import PairwiseDistance, pairwise_distance
from nn.loss.binary import binary_cross_entropy_with_logits, logistic_loss
from nn.loss.cross_entropy import chosen
from nn.loss.reduction import (
    Loss,
    WeightedLoss,
    array,
    check_reduction,
    check_same,
    check_signs,
    floats,
    reduced,
    targets,
    weighted,
)

__all__ = [
    "CosineEmbeddingLoss", "HingeEmbeddingLoss", "HingeLoss", "MarginRankingLoss", "MultiLabelMarginLoss",
    "MultiLabelSoftMarginLoss", "MultiMarginLoss", "SoftMarginLoss", "TripletMarginLoss",
    "TripletMarginWithDistanceLoss", "cosine_embedding_loss", "hinge_embedding_loss", "hinge_loss",
    "margin_ranking_loss", "multi_margin_loss", "multilabel_margin_loss", "multilabel_soft_margin_loss",
    "soft_margin_loss", "triplet_margin_loss", "triplet_margin_with_distance_loss",
]  # fmt: skip


# ---------------------------------------------------------------------- of labels 1 and −1


def hinge_loss(input: Any, target: Any, reduction: str = "mean") -> Any:
    """``max(0, 1 − y ŷ)`` of scores ŷ and labels y of 1 or −1, the loss of support vector machines (Vapnik 1995).

    Raises ValueError for shapes that differ, other labels, and another ``reduction``.
    """
    input = array(input)
    target = targets(target, input)
    check_same("hinge_loss", reduction, input=input, target=target)
    check_signs("hinge_loss", target)
    return reduced(relu(1 - target * input), reduction)


class HingeLoss(Loss):
    """:func:`hinge_loss` as a module."""

    def forward(self, input: Any, target: Any) -> Any:
        return hinge_loss(input, target, self.reduction)


def soft_margin_loss(input: Any, target: Any, reduction: str = "mean") -> Any:
    """``log(1 + e^(−y ŷ))`` of scores ŷ and labels y, stable for scores of any size.

    Raises ValueError for shapes that differ and another ``reduction``.
    """
    input = array(input)
    target = targets(target, input)
    check_same("soft_margin_loss", reduction, input=input, target=target)
    return reduced(logistic_loss(target * input), reduction)


class SoftMarginLoss(Loss):
    """:func:`soft_margin_loss` as a module."""

    def forward(self, input: Any, target: Any) -> Any:
        return soft_margin_loss(input, target, self.reduction)


def hinge_embedding_loss(input: Any, target: Any, margin: float = 1.0, reduction: str = "mean") -> Any:
    """A distance ``x`` where the label is 1 (alike), ``max(0, margin − x)`` where it is −1 (Hadsell et al. 2006).

    Raises ValueError for shapes that differ, other labels, and another ``reduction``.
    """
    input, alike = array(input), np.asarray(bare(target))
    check_same("hinge_embedding_loss", reduction, input=input, target=alike)
    check_signs("hinge_embedding_loss", alike)
    return reduced(np.where(alike > 0, input, relu(margin - input)), reduction)


class HingeEmbeddingLoss(Loss):
    """:func:`hinge_embedding_loss` as a module."""

    def __init__(self, margin: float = 1.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.margin = margin

    def forward(self, input: Any, target: Any) -> Any:
        return hinge_embedding_loss(input, target, self.margin, self.reduction)


# ---------------------------------------------------------------------- of classes


def _rows(name: str, input: Any, target: Any) -> Any:
    """Scores of shape (C,) or (N, C) as floats; raises ValueError for others."""
    input = floats(name, input)
    if input.ndim not in (1, 2):
        raise ValueError(f"{name}() takes scores of shape (C,) or (N, C); got {input.shape}")
    if target.dtype.kind not in "iu":
        raise TypeError(f"{name}() takes class indices as integers; got {target.dtype}")
    return input


def _check_classes(name: str, classes: Any, lowest: int, count: int) -> None:
    if classes.size and (classes.min() < lowest or classes.max() >= count):
        wrong = classes.min() if classes.min() < lowest else classes.max()
        raise IndexError(f"{name}(): class index {wrong} among {count} classes")


def multi_margin_loss(
    input: Any, target: Any, p: int = 1, margin: float = 1.0, weight: Any = None, reduction: str = "mean"
) -> Any:
    """``Σ_{c ≠ y} w_y max(0, margin − x_y + x_c)^p / C`` of scores (C,) or (N, C) (Crammer & Singer 2001 for p = 1).

    ``target`` holds the classes y, of shape () or (N,); ``p`` is 1 or 2; ``weight`` has one number per class.
    Raises ValueError for shapes that do not fit, another ``p`` and another ``reduction``, IndexError for a class
    index out of range, TypeError for targets that are not integers.
    """
    check_reduction(reduction)
    if p not in (1, 2):
        raise ValueError(f"multi_margin_loss() takes p = 1 or p = 2; got {p}")
    target = np.asarray(bare(target))
    input = _rows("multi_margin_loss", input, target)
    if input.ndim == 1:
        if target.shape not in ((), (1,)):
            raise ValueError(f"multi_margin_loss() of one sample takes one class; got shape {target.shape}")
        loss = multi_margin_loss(input[None], target.reshape(1), p, margin, weight, reduction)
        return loss[0] if reduction == "none" else loss
    count = input.shape[1]
    if target.shape != input.shape[:1]:
        raise ValueError(f"scores of shape {input.shape} take classes of shape {input.shape[:1]}; got {target.shape}")
    _check_classes("multi_margin_loss", target, 0, count)
    right = chosen(input, target, np.ones(target.shape, input.dtype), False)
    excess = relu(input + (margin - right)[:, None])
    excess = excess if p == 1 else np.square(excess)
    factors = np.full(input.shape, 1 / count, input.dtype)
    factors[np.arange(target.size), target] = 0
    if weight is not None:
        weight = np.asarray(bare(weight), input.dtype)
        if weight.shape != (count,):
            raise ValueError(f"multi_margin_loss() takes one weight per class, ({count},); got {weight.shape}")
        factors *= weight[target][:, None]
    return reduced(np.sum(excess * factors, axis=1), reduction)


class MultiMarginLoss(WeightedLoss):
    """:func:`multi_margin_loss` as a module; ``weight`` is a buffer. Raises ValueError unless ``p`` is 1 or 2."""

    def __init__(self, p: int = 1, margin: float = 1.0, weight: Any = None, reduction: str = "mean") -> None:
        super().__init__(weight, reduction)
        if p not in (1, 2):
            raise ValueError(f"MultiMarginLoss takes p = 1 or p = 2; got {p}")
        self.p = p
        self.margin = margin

    def forward(self, input: Any, target: Any) -> Any:
        return multi_margin_loss(input, target, self.p, self.margin, self.weight, self.reduction)


def multilabel_margin_loss(input: Any, target: Any, reduction: str = "mean") -> Any:
    """``Σ_{y, c} max(0, 1 − x_y + x_c) / C`` over each sample's classes y and the others c.

    ``input`` holds scores (C,) or (N, C); ``target``, of the same shape, lists each sample's classes, ended by a
    −1 if they are fewer than C. Raises ValueError for shapes that differ and another ``reduction``, IndexError for a
    class index out of range, TypeError for targets that are not integers.
    """
    target = np.asarray(bare(target))
    input = _rows("multilabel_margin_loss", input, target)
    check_same("multilabel_margin_loss", reduction, input=input, target=target)
    if input.ndim == 1:
        loss = multilabel_margin_loss(input[None], target[None], reduction)
        return loss[0] if reduction == "none" else loss
    count = input.shape[1]
    listed = np.logical_and.accumulate(target >= 0, axis=1)
    target = np.where(listed, target, 0)[:, : int(np.max(listed.sum(axis=1), initial=0))]
    listed = listed[:, : target.shape[1]]
    _check_classes("multilabel_margin_loss", target, 0, count)
    samples = np.arange(len(target))[:, None]
    others = np.ones(input.shape, bool)
    others[np.broadcast_to(samples, target.shape)[listed], target[listed]] = False
    excess = relu(1 - input[samples, target][:, :, None] + input[:, None, :])
    factors = (listed[:, :, None] & others[:, None, :]) * np.asarray(1 / max(1, count), input.dtype)
    return reduced(np.sum(excess * factors, axis=(1, 2)), reduction)


class MultiLabelMarginLoss(Loss):
    """:func:`multilabel_margin_loss` as a module."""

    def forward(self, input: Any, target: Any) -> Any:
        return multilabel_margin_loss(input, target, self.reduction)


def multilabel_soft_margin_loss(input: Any, target: Any, weight: Any = None, reduction: str = "mean") -> Any:
    """The binary cross-entropy of the logits (…, C), averaged over the last axis.

    ``target`` is 1 for each class that a sample has and 0 for the others; ``weight`` broadcasts to the logits.
    Raises as :func:`binary_cross_entropy_with_logits` does, and ValueError for logits without an axis.
    """
    check_reduction(reduction)
    if np.ndim(bare(input)) == 0:
        raise ValueError("multilabel_soft_margin_loss() takes logits of shape (…, C); got a 0-d value")
    losses = binary_cross_entropy_with_logits(input, target, reduction="none")
    return reduced(np.mean(weighted("multilabel_soft_margin_loss", losses, weight), axis=-1), reduction)


class MultiLabelSoftMarginLoss(WeightedLoss):
    """:func:`multilabel_soft_margin_loss` as a module; ``weight`` is a buffer."""

    def forward(self, input: Any, target: Any) -> Any:
        return multilabel_soft_margin_loss(input, target, self.weight, self.reduction)


# ---------------------------------------------------------------------- of pairs


def margin_ranking_loss(input1: Any, input2: Any, target: Any, margin: float = 0.0, reduction: str = "mean") -> Any:
    """``max(0, −y (x₁ − x₂) + margin)``: y = 1 asks for the first score to be the larger, y = −1 for the second.

    ``target`` has the shape of the scores, or broadcasts to it with as many axes. Raises ValueError for shapes that
    do not fit and another ``reduction``.
    """
    input1, input2 = array(input1), array(input2)
    target = targets(target, input1)
    check_same("margin_ranking_loss", reduction, input1=input1, input2=input2)
    shape = input1.shape
    if target.ndim != len(shape) or any(m not in (1, n) for m, n in zip(target.shape, shape, strict=True)):
        raise ValueError(f"margin_ranking_loss() of scores {shape} takes a target of that shape; got {target.shape}")
    return reduced(relu(margin - target * (input1 - input2)), reduction)


class MarginRankingLoss(Loss):
    """:func:`margin_ranking_loss` as a module."""

    def __init__(self, margin: float = 0.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.margin = margin

    def forward(self, input1: Any, input2: Any, target: Any) -> Any:
        return margin_ranking_loss(input1, input2, target, self.margin, self.reduction)


def cosine_embedding_loss(input1: Any, input2: Any, target: Any, margin: float = 0.0, reduction: str = "mean") -> Any:
    """``1 − cos(x₁, x₂)`` where the label is 1 (alike), ``max(0, cos(x₁, x₂) − margin)`` where it is −1.

    The vectors have shape (D,) or (N, D), the labels () or (N,). 1e-12 is added to the squared lengths. Raises
    ValueError for shapes that do not fit, other labels, and another ``reduction``.
    """
    input1, input2, alike = array(input1), array(input2), np.asarray(bare(target))
    check_same("cosine_embedding_loss", reduction, input1=input1, input2=input2)
    if input1.ndim not in (1, 2) or alike.shape != input1.shape[:-1]:
        raise ValueError(
            "cosine_embedding_loss() takes vectors (D,) with a label of shape (), or (N, D) with (N,); "
            f"got {input1.shape} with {alike.shape}"
        )
    check_signs("cosine_embedding_loss", alike)
    lengths = (np.sum(x * x, axis=-1) + 1e-12 for x in (input1, input2))
    cosine = np.sum(input1 * input2, axis=-1) / np.sqrt(next(lengths) * next(lengths))
    return reduced(np.where(alike > 0, 1 - cosine, relu(cosine - margin)), reduction)


class CosineEmbeddingLoss(Loss):
    """:func:`cosine_embedding_loss` as a module."""

    def __init__(self, margin: float = 0.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.margin = margin

    def forward(self, input1: Any, input2: Any, target: Any) -> Any:
        return cosine_embedding_loss(input1, input2, target, self.margin, self.reduction)


# ---------------------------------------------------------------------- of triplets


def triplet_margin_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> Any:
    """``max(0, ‖a − b‖_p − ‖a − c‖_p + margin)`` of anchors a, positives b and negatives c, of shape (…, D).

    ``eps`` is added to each difference, which keeps the slope finite between equal vectors. With ``swap`` the
    distance between positive and negative stands in for the last one where it is smaller (Balntas et al. 2016).
    Raises ValueError for shapes that differ, ``p ≤ 0``, and another ``reduction``.
    """
    if not p > 0:
        raise ValueError(f"triplet_margin_loss() takes p > 0; got {p}")
    return _triplet(
        "triplet_margin_loss",
        anchor,
        positive,
        negative,
        lambda a, b: pairwise_distance(a, b, p, eps),
        margin,
        swap,
        reduction,
    )


def triplet_margin_with_distance_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    *,
    distance_function: Callable[[Any, Any], Any] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Any:
    """:func:`triplet_margin_loss` with a distance of one's own, by default the Euclidean one.

    Raises ValueError for shapes that differ and another ``reduction``.
    """
    distance = pairwise_distance if distance_function is None else distance_function
    name = "triplet_margin_with_distance_loss"
    return _triplet(name, anchor, positive, negative, distance, margin, swap, reduction)


def _triplet(
    name: str, anchor: Any, positive: Any, negative: Any, distance: Any, margin: float, swap: bool, reduction: str
) -> Any:
    anchor, positive, negative = array(anchor), array(positive), array(negative)
    check_same(name, reduction, anchor=anchor, positive=positive, negative=negative)
    if anchor.ndim == 0:
        raise ValueError(f"{name}() takes vectors of shape (…, D); got 0-d values")
    far = distance(anchor, negative)
    if swap:
        far = np.minimum(far, distance(positive, negative))
    return reduced(relu(distance(anchor, positive) - far + margin), reduction)


class TripletMarginLoss(Loss):
    """:func:`triplet_margin_loss` as a module."""

    def __init__(
        self, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6, swap: bool = False, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction)
        if not margin > 0:
            raise ValueError(f"TripletMarginLoss takes margin > 0; got {margin}")
        self.margin = margin
        self.p = p
        self.eps = eps
        self.swap = swap

    def forward(self, anchor: Any, positive: Any, negative: Any) -> Any:
        return triplet_margin_loss(anchor, positive, negative, self.margin, self.p, self.eps, self.swap, self.reduction)


class TripletMarginWithDistanceLoss(Loss):
    """:func:`triplet_margin_with_distance_loss` as a module. A module as distance is registered as a child."""

    def __init__(
        self,
        *,
        distance_function: Callable[[Any, Any], Any] | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction)
        if not margin > 0:
            raise ValueError(f"TripletMarginWithDistanceLoss takes margin > 0; got {margin}")
        self.distance_function = PairwiseDistance() if distance_function is None else distance_function
        self.margin = margin
        self.swap = swap

    def forward(self, anchor: Any, positive: Any, negative: Any) -> Any:
        return triplet_margin_with_distance_loss(
            anchor,
            positive,
            negative,
            distance_function=self.distance_function,
            margin=self.margin,
            swap=self.swap,
            reduction=self.reduction,
        )
