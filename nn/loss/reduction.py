"""What losses share: the reduction, the checks of shapes and weights, and the modules' common constructor."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import Tensor
from autograd.dispatch import Differentiable, bare
from autograd.precision import in_single
from nn.module import Module

__all__ = [
    "Loss", "WeightedLoss", "array", "check_reduction", "check_same", "check_signs", "floats", "reduced", "targets",
    "weighted",
]  # fmt: skip


def check_reduction(reduction: str) -> None:
    """Raise ValueError unless this is one of the three reductions."""
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"reduction is 'none', 'mean' or 'sum'; got {reduction!r}")


def reduced(losses: Any, reduction: str) -> Any:
    """The mean or the sum of the losses, or ("none") the losses. The mean of none is NaN, without NumPy's warning."""
    if reduction == "mean":
        return np.mean(losses) if np.size(losses) else np.sum(losses) * np.nan
    return np.sum(losses) if reduction == "sum" else losses


def array(value: Any) -> Any:
    """Lists and numbers as arrays; inside ``autocast`` float16 as float32."""
    return in_single(value if isinstance(value, Differentiable) else np.asarray(value))[0]


def floats(name: str, value: Any, what: str = "input") -> Any:
    """``array(value)``; raises TypeError unless it holds floats."""
    value = array(value)
    if value.dtype.kind != "f":
        raise TypeError(f"{name}() takes {what} of floats; got {value.dtype}, so convert it with astype")
    return value


def targets(value: Any, input: Any) -> Any:
    """``array(value)``, where integers and booleans take the dtype of float input: float32 losses stay float32."""
    value = array(value)
    return bare(value).astype(input.dtype) if value.dtype.kind in "iub" and input.dtype.kind == "f" else value


def check_same(name: str, reduction: str, **values: Any) -> None:
    """Raise ValueError for another reduction, or where the shapes of the named values differ."""
    check_reduction(reduction)
    shapes = [np.shape(value) for value in values.values()]
    if shapes.count(shapes[0]) != len(shapes):
        given = [f"{key} {shape}" for key, shape in zip(values, shapes, strict=True)]
        raise ValueError(f"{name}() of {', '.join(given[:-1])} and {given[-1]}: the shapes differ")


def check_signs(name: str, target: Any) -> None:
    """Raise ValueError unless every target is 1 or −1."""
    target = np.asarray(bare(target))
    if not (np.abs(target) == 1).all():
        wrong = target[np.abs(target) != 1].flat[0]
        raise ValueError(f"{name}() takes targets that are 1 or -1; got {wrong}")


def weighted(name: str, losses: Any, weight: Any) -> Any:
    """``losses · weight`` for a weight, if there is one, that broadcasts to the losses' shape."""
    if weight is None:
        return losses
    weight, shape = array(weight), losses.shape
    fits = len(weight.shape) <= len(shape) and all(
        m in (1, n) for m, n in zip(weight.shape[::-1], shape[::-1], strict=False)
    )
    if not fits:
        raise ValueError(f"{name}(): a weight of shape {weight.shape} does not broadcast to the losses' {shape}")
    return losses * weight


class Loss(Module):
    """A loss with the option ``reduction``: "mean", "sum" or "none". Raises ValueError for another."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        check_reduction(reduction)
        self.reduction = reduction


class WeightedLoss(Loss):
    """A loss with a weight, held as a buffer, or None."""

    weight: Tensor | None

    def __init__(self, weight: Any = None, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", as_buffer(weight))


def as_buffer(weight: Any) -> Any:
    """A weight as a buffer takes it: an array or None."""
    return None if weight is None else np.asarray(bare(weight))
