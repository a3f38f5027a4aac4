"""Losses of classes and distributions: cross-entropy, negative log-likelihood, Kullback-Leibler divergence."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import elementwise, linear, primitive
from autograd.dispatch import bare
from nn.activation.softmax import log_softmax, shift, softmax
from nn.loss.reduction import Loss, WeightedLoss, array, check_reduction, check_same, floats, reduced, targets

__all__ = ["CrossEntropyLoss", "KLDivLoss", "NLLLoss", "cross_entropy", "kl_div", "nll_loss"]


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
    check_reduction(reduction)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing lies in [0, 1]; got {label_smoothing}")
    input, target = array(input), array(target)
    if input.ndim == 0:
        raise ValueError("cross_entropy() takes logits of shape (C,) or (N, C, …); got a 0-d value")
    if input.ndim == 1:
        loss = cross_entropy(input[None], target[None], weight, ignore_index, reduction, label_smoothing)
        return loss[0] if reduction == "none" else loss
    weight = _check_weight("cross_entropy", weight, input)
    if target.dtype.kind in "iu":
        return _cross_entropy_of_classes(input, bare(target), weight, ignore_index, reduction, label_smoothing)
    if target.shape != input.shape:
        raise TypeError(
            f"cross_entropy() of logits {input.shape} takes integers, or floats of the same shape; "
            f"got {target.dtype} of shape {target.shape}"
        )
    return _cross_entropy_of_probabilities(input, target, weight, reduction, label_smoothing)


def _check_weight(name: str, weight: Any, input: Any) -> Any:
    """One weight per class, in the input's dtype, or None."""
    if weight is None:
        return None
    weight = np.asarray(bare(weight), input.dtype)
    if weight.shape != (input.shape[1],):
        raise ValueError(f"{name}() takes one weight per class, ({input.shape[1]},); got {weight.shape}")
    return weight


def _samples(
    name: str, input: Any, target: Any, weight: Any, ignore_index: int, reduction: str
) -> tuple[Any, Any, float]:
    """Each sample's class, its weight (0 if it is ignored), and the factor that the reduction puts before the sum."""
    count, shape = input.shape[1], (input.shape[0], *input.shape[2:])
    if target.shape != shape:
        raise ValueError(
            f"{name}(): input of shape {input.shape} takes class indices of shape {shape}; got {target.shape}"
        )
    kept = target != ignore_index
    classes = target if kept.all() else np.where(kept, target, 0)
    if classes.size and (classes.min() < 0 or classes.max() >= count):
        wrong = classes.min() if classes.min() < 0 else classes.max()
        raise IndexError(f"{name}(): class index {wrong} among {count} classes")
    samples = kept if weight is None else kept * weight[classes]
    return classes, samples, 1.0 if reduction != "mean" else 1 / total if (total := float(samples.sum())) else np.nan


def _cross_entropy_of_classes(
    logits: Any, target: Any, weight: Any, ignore_index: int, reduction: str, smoothing: float
) -> Any:
    classes, samples, scale = _samples("cross_entropy", logits, target, weight, ignore_index, reduction)
    soft = None
    if smoothing:
        each = 1 if weight is None else weight.reshape((-1,) + (1,) * (logits.ndim - 2))
        kept = np.expand_dims(target != ignore_index, 1)
        soft = (kept * each * (smoothing / logits.shape[1] * scale)).astype(logits.dtype)
    hard = (samples * ((1 - smoothing) * scale)).astype(logits.dtype)
    loss = _of_classes(logits, classes, hard, soft, reduction != "none")
    return loss if classes.size or reduction != "mean" else loss + logits.dtype.type(scale)


def _cross_entropy_of_probabilities(logits: Any, target: Any, weight: Any, reduction: str, smoothing: float) -> Any:
    if smoothing:
        target = (1 - smoothing) * target + smoothing / logits.shape[1]
    if weight is not None:
        target = target * weight.reshape((-1,) + (1,) * (logits.ndim - 2))
    return reduced(_of_probabilities(logits, target), reduction)


class CrossEntropyLoss(WeightedLoss):
    """:func:`cross_entropy` as a module; ``weight`` is a buffer."""

    def __init__(
        self,
        weight: Any = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, reduction)
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, input: Any, target: Any) -> Any:
        return cross_entropy(input, target, self.weight, self.ignore_index, self.reduction, self.label_smoothing)


# ---------------------------------------------------------------------- of log-probabilities


def at_classes(classes: Any) -> tuple[Any, ...]:
    """The index of each sample's class in an array of the shape (N, C, …)."""
    if classes.ndim == 1:
        return np.arange(classes.size), classes
    grid = np.ogrid[tuple(slice(n) for n in classes.shape)]
    return (grid[0], classes, *grid[1:])


def _chosen(input: Any, classes: Any, scale: Any, summed: bool) -> Any:
    """Each sample's entry at its class times its ``scale``, or their sum; ``0 · ∞`` counts as 0."""
    picked = input[at_classes(classes)]
    losses = np.multiply(picked, scale, where=scale != 0, out=np.zeros_like(picked))
    return np.add.reduce(losses, axis=None) if summed else losses


def _scattered(values: Any, classes: Any, scale: Any, shape: tuple[int, ...]) -> Any:
    """Zeros of the ``shape`` (N, C, …), but ``values · scale`` at each sample's class."""
    made = np.zeros(shape, np.result_type(values, scale))
    made[at_classes(classes)] = values * scale
    return made


def _gathered(g: Any, classes: Any, scale: Any, values_shape: tuple[int, ...]) -> Any:
    return chosen(g, classes, scale, not values_shape)


scattered = linear(_scattered, values=_gathered, name="scattered")
chosen = linear(
    _chosen, input=lambda g, classes, scale, input_shape: scattered(g, classes, scale, input_shape), name="chosen"
)


def nll_loss(input: Any, target: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean") -> Any:
    """``−w_c x_c`` of log-probabilities x at each sample's class c: the loss that goes with ``log_softmax``.

    ``input`` has shape (C,) or (N, C, …), ``target`` holds integers of shape () or (N, …). ``weight``,
    ``ignore_index`` and ``reduction`` as in :func:`cross_entropy`, which does both in one. Raises ValueError for
    shapes that do not fit and another reduction, IndexError for a class index out of range, TypeError for
    targets that are not integers and input that is not floats.
    """
    check_reduction(reduction)
    input, target = floats("nll_loss", input), bare(array(target))
    if target.dtype.kind not in "iu":
        raise TypeError(f"nll_loss() takes class indices as integers; got {target.dtype}")
    if input.ndim == 0:
        raise ValueError("nll_loss() takes input of shape (C,) or (N, C, …); got a 0-d value")
    if input.ndim == 1:
        loss = nll_loss(input[None], target[None], weight, ignore_index, reduction)
        return loss[0] if reduction == "none" else loss
    weight = _check_weight("nll_loss", weight, input)
    classes, samples, scale = _samples("nll_loss", input, target, weight, ignore_index, reduction)
    loss = chosen(input, classes, (samples * -scale).astype(input.dtype), reduction != "none")
    return loss if classes.size or reduction != "mean" else loss + input.dtype.type(scale)


class NLLLoss(WeightedLoss):
    """:func:`nll_loss` as a module; ``weight`` is a buffer."""

    def __init__(self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(weight, reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Any, target: Any) -> Any:
        return nll_loss(input, target, self.weight, self.ignore_index, self.reduction)


# ---------------------------------------------------------------------- between distributions


def _where_positive(y: Any) -> Any:
    """``y``, but 1 where it is 0: so that ``log`` is finite where ``y log y`` is 0."""
    return np.where(bare(y) == 0, 1, y)


_divergence = elementwise(
    lambda input, target: target * (np.log(_where_positive(target)) - input),
    lambda target: -target,
    lambda input, target: np.log(_where_positive(target)) + 1 - input,
    name="kl_div",
)
_divergence_of_logs = elementwise(
    lambda input, target: np.exp(target) * (target - input),
    lambda target: -np.exp(target),
    lambda input, target: np.exp(target) * (target - input + 1),
    name="kl_div_of_logs",
)


def _check_divergence(reduction: str) -> None:
    if reduction != "batchmean" and reduction not in ("none", "mean", "sum"):
        raise ValueError(f"reduction is 'none', 'batchmean', 'mean' or 'sum'; got {reduction!r}")


def kl_div(input: Any, target: Any, reduction: str = "mean", log_target: bool = False) -> Any:
    """``y (log y − x)`` entry by entry, for log-probabilities x and probabilities y (Kullback & Leibler 1951).

    Summed over the classes it is the divergence of ``eˣ`` from y: "batchmean" divides the sum by the first side, and
    so averages that; "mean" divides by the number of entries, as in PyTorch. With ``log_target`` the target is
    ``log y``. ``0 log 0`` counts as 0. Raises ValueError for shapes that differ and another reduction, TypeError
    for input that is not floats.
    """
    _check_divergence(reduction)
    input = floats("kl_div", input)
    target = targets(target, input)
    check_same("kl_div", "sum", input=input, target=target)
    losses = (_divergence_of_logs if log_target else _divergence)(input, target)
    if reduction != "batchmean":
        return reduced(losses, reduction)
    return np.sum(losses) / (input.shape[0] if input.ndim else 1)


class KLDivLoss(Loss):
    """:func:`kl_div` as a module. Raises ValueError for another reduction."""

    def __init__(self, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__()
        _check_divergence(reduction)
        self.reduction = reduction
        self.log_target = log_target

    def forward(self, input: Any, target: Any) -> Any:
        return kl_div(input, target, self.reduction, self.log_target)
