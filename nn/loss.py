"""Losses: the functions and their modules."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import Tensor, primitive
from autograd.dispatch import Differentiable, bare
from nn.activation import log_softmax, shift, softmax
from nn.module import Module

__all__ = ["CrossEntropyLoss", "HalfMSELoss", "MSELoss", "cross_entropy", "half_mse_loss", "mse_loss"]


def _reduced(losses: Any, reduction: str) -> Any:
    if reduction == "mean":
        return np.mean(losses)
    return np.sum(losses) if reduction == "sum" else losses


def _check_reduction(reduction: str) -> None:
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"reduction is 'none', 'mean' or 'sum'; got {reduction!r}")


# ---------------------------------------------------------------------- squared error


def _check_pair(name: str, input: Any, target: Any, reduction: str) -> None:
    _check_reduction(reduction)
    if np.shape(input) != np.shape(target):
        raise ValueError(f"{name}() of input {np.shape(input)} and target {np.shape(target)}: the shapes differ")


def mse_loss(input: Any, target: Any, reduction: str = "mean") -> Any:
    """``(ŷ − y)²``, averaged over all elements (PyTorch's convention).

    "sum" adds the elements, "none" gives them all. For ``½‖ŷ − y‖²`` averaged over the batch see
    :func:`half_mse_loss`. Raises ValueError for shapes that differ and for another ``reduction``.
    """
    _check_pair("mse_loss", input, target, reduction)
    return _reduced(np.square(input - target), reduction)


def half_mse_loss(input: Any, target: Any, reduction: str = "mean") -> Any:
    """``½‖ŷ − y‖²`` of each sample, averaged over the batch: the textbook's convention, gradient ``(ŷ − y)/N``.

    The first axis is the batch; a 0-d input is one sample. "sum" adds the samples, "none" gives one value
    for each. For PyTorch's mean over all elements see :func:`mse_loss`. Raises as that does.
    """
    _check_pair("half_mse_loss", input, target, reduction)
    squares = np.square(input - target)
    return _reduced(0.5 * np.sum(squares, axis=tuple(range(1, np.ndim(squares)))), reduction)


class MSELoss(Module):
    """:func:`mse_loss` as a module."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        _check_reduction(reduction)
        self.reduction = reduction

    def forward(self, input: Any, target: Any) -> Any:
        return mse_loss(input, target, self.reduction)


class HalfMSELoss(Module):
    """:func:`half_mse_loss` as a module."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        _check_reduction(reduction)
        self.reduction = reduction

    def forward(self, input: Any, target: Any) -> Any:
        return half_mse_loss(input, target, self.reduction)


# ---------------------------------------------------------------------- cross-entropy
# Both kinds of target come down to weights y ≥ 0 of shape (N, C, …), and to these two expressions.


def _losses(logits: Any, y: Any) -> Any:
    """``−Σ_c y_c log softmax(z)_c`` over axis 1, where ``0 · ∞`` counts as 0."""
    with np.errstate(invalid="ignore"):
        return -np.sum(np.where(y == 0, 0, y * log_softmax(logits, 1)), axis=1)


def _slope(logits: Any, y: Any) -> Any:
    """``softmax(z) Σ_c y_c − y``: for weights that sum to 1, ``ŷ − y``."""
    return softmax(logits, 1) * np.sum(y, axis=1, keepdims=True) - y


_of_probabilities = primitive(
    _losses,
    vjp={
        "logits": lambda g, logits, y: np.expand_dims(g, 1) * _slope(logits, y),
        "y": lambda g, logits: -np.expand_dims(g, 1) * log_softmax(logits, 1),
    },
    jvp={
        "logits": lambda t, logits, y: np.sum(_slope(logits, y) * t, axis=1),
        "y": lambda t, logits: -np.sum(log_softmax(logits, 1) * t, axis=1),
    },
    name="cross_entropy",
)


def _one_hot(logits: Any, classes: Any, values: Any = 1) -> Any:
    """Zeros of the shape (N, C, …) of the logits, but ``values`` at each sample's class."""
    shape = logits.shape
    y = np.zeros((shape[0], *shape[2:], shape[1]), logits.dtype)
    y.reshape(-1, shape[1])[np.arange(classes.size), classes.reshape(-1)] = np.ravel(values)
    return y if len(shape) == 2 else np.moveaxis(y, -1, 1)


def _losses_of_classes(logits: Any, classes: Any, hard: Any, soft: Any, summed: bool) -> Any:
    """Losses for the weights ``hard`` of the samples at their classes plus ``soft`` at all classes.

    The weights (N, C, …) are written out only while they are needed.
    """
    if soft is not None:
        losses = _losses(logits, _one_hot(logits, classes, hard) + soft)
    else:
        shifted = shift(logits, 1)
        log_total = np.log(np.add.reduce(np.exp(shifted), axis=1))
        if shifted.ndim == 2:
            chosen = shifted[np.arange(classes.size), classes]
        else:
            chosen = np.take_along_axis(shifted, np.expand_dims(classes, 1), axis=1).squeeze(1)
        losses = np.multiply(log_total - chosen, hard, where=hard != 0, out=np.zeros_like(log_total))
    return np.add.reduce(losses, axis=None) if summed else losses


def _slope_of_classes(g: Any, logits: Any, classes: Any, hard: Any, soft: Any) -> Any:
    """The slope times ``g``: one number per sample, or one for their sum."""
    if soft is None:
        return np.expand_dims(g * hard, 1) * (softmax(logits, 1) - _one_hot(logits, classes))
    slope = _slope(logits, _one_hot(logits, classes, hard) + soft)
    return g * slope if np.ndim(g) == 0 else np.expand_dims(g, 1) * slope


_of_classes = primitive(
    _losses_of_classes,
    vjp={"logits": lambda g, logits, classes, hard, soft: _slope_of_classes(g, logits, classes, hard, soft)},
    jvp={
        "logits": lambda t, logits, classes, hard, soft, summed: np.sum(
            t * _slope_of_classes(1, logits, classes, hard, soft), axis=None if summed else 1
        )
    },
    name="cross_entropy_of_classes",
)


def cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """Cross-entropy of ``softmax(input)``, fused and stable for logits of any size.

    Parameters
    ----------
    input : (C,) or (N, C, …)
        Logits; the classes are axis 1, or axis 0 of a single sample.
    target : integers () or (N, …), or floats of ``input``'s shape
        Class indices, or one weight per class, such as probabilities; these are differentiable.
    weight : (C,), optional
        Of each class. "mean" divides by the weights of the samples' classes if ``target`` holds indices.
    ignore_index : int
        Samples with this class index count for nothing.
    reduction : {"mean", "sum", "none"}
        Over the N, … samples. The mean of no samples is NaN.
    label_smoothing : float in [0, 1]
        ε: the target becomes ``(1 − ε) y + ε/C`` (Szegedy et al. 2016).

    Raises
    ------
    ValueError
        For shapes that do not fit, another reduction, and smoothing outside [0, 1].
    IndexError
        For a class index out of range.
    TypeError
        For a target that is neither integers nor of ``input``'s shape.

    Notes
    -----
    ``L = −Σ_c y_c log ŷ_c``, with gradient ``ŷ − y`` with respect to the logits (Bishop 2006, section 4.3.4).
    """
    _check_reduction(reduction)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing lies in [0, 1]; got {label_smoothing}")
    input, target = _array(input), _array(target)
    if input.ndim == 0:
        raise ValueError("cross_entropy() takes logits of shape (C,) or (N, C, …); got a 0-d value")
    if input.ndim == 1:
        loss = cross_entropy(input[None], target[None], weight, ignore_index, reduction, label_smoothing)
        return loss[0] if reduction == "none" else loss
    if weight is not None:
        weight = np.asarray(bare(weight), input.dtype)
        if weight.shape != (input.shape[1],):
            raise ValueError(f"cross_entropy() takes one weight per class, ({input.shape[1]},); got {weight.shape}")
    if target.dtype.kind in "iu":
        return _cross_entropy_of_classes(input, bare(target), weight, ignore_index, reduction, label_smoothing)
    if target.shape != input.shape:
        raise TypeError(
            f"cross_entropy() of logits {input.shape} takes integers, or floats of the same shape; "
            f"got {target.dtype} of shape {target.shape}"
        )
    return _cross_entropy_of_probabilities(input, target, weight, reduction, label_smoothing)


def _array(value: Any) -> Any:
    return value if isinstance(value, Differentiable) else np.asarray(value)


def _cross_entropy_of_classes(
    logits: Any, target: Any, weight: Any, ignore_index: int, reduction: str, smoothing: float
) -> Any:
    count, shape = logits.shape[1], (logits.shape[0], *logits.shape[2:])
    if target.shape != shape:
        raise ValueError(f"logits of shape {logits.shape} take class indices of shape {shape}; got {target.shape}")
    kept = target != ignore_index
    classes = target if kept.all() else np.where(kept, target, 0)
    if classes.size and (classes.min() < 0 or classes.max() >= count):
        wrong = classes.min() if classes.min() < 0 else classes.max()
        raise IndexError(f"cross_entropy(): class index {wrong} among {count} classes")
    samples = kept if weight is None else kept * weight[classes]
    scale = 1.0 if reduction != "mean" else 1 / total if (total := float(samples.sum())) else np.nan
    soft = None
    if smoothing:
        each = 1 if weight is None else weight.reshape((-1,) + (1,) * (logits.ndim - 2))
        soft = (np.expand_dims(kept, 1) * each * (smoothing / count * scale)).astype(logits.dtype)
    hard = (samples * ((1 - smoothing) * scale)).astype(logits.dtype)
    loss = _of_classes(logits, classes, hard, soft, reduction != "none")
    return loss if classes.size or reduction != "mean" else loss + logits.dtype.type(scale)


def _cross_entropy_of_probabilities(logits: Any, target: Any, weight: Any, reduction: str, smoothing: float) -> Any:
    if smoothing:
        target = (1 - smoothing) * target + smoothing / logits.shape[1]
    if weight is not None:
        target = target * weight.reshape((-1,) + (1,) * (logits.ndim - 2))
    return _reduced(_of_probabilities(logits, target), reduction)


class CrossEntropyLoss(Module):
    """:func:`cross_entropy` as a module; ``weight`` is a buffer."""

    weight: Tensor | None

    def __init__(
        self,
        weight: Any = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        _check_reduction(reduction)
        self.register_buffer("weight", None if weight is None else np.asarray(bare(weight)))
        self.ignore_index = ignore_index
        self.reduction = reduction
        self.label_smoothing = label_smoothing

    def forward(self, input: Any, target: Any) -> Any:
        return cross_entropy(input, target, self.weight, self.ignore_index, self.reduction, self.label_smoothing)
