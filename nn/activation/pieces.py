"""Activations of straight pieces: the functions and their modules.

Where a derivative does not exist its value is PyTorch's.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import elementwise
from autograd.dispatch import Differentiable, bare
from autograd.numpy.elementwise import relu
from autograd.operands import check_real
from autograd.random import default_generator
from nn import init
from nn.inplace import InplaceModule
from nn.module import Module
from nn.parameter import unset

__all__ = [
    "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU", "PReLU", "RReLU", "ReLU", "ReLU6",
    "Softshrink", "Threshold", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "prelu", "relu",
    "relu6", "rrelu", "softshrink", "threshold",
]  # fmt: skip


# ---------------------------------------------------------------------- two slopes


def _leaky_relu(input: Any, negative_slope: float = 0.01) -> Any:
    """``z`` for ``z > 0``, else ``αz`` with α the ``negative_slope``, which is the derivative at 0 too.

    Source: Maas, Hannun & Ng 2013.
    """
    check_real("leaky_relu", input)
    if 0 < negative_slope <= 1:
        return np.maximum(input, negative_slope * input)
    return np.where(input > 0, input, negative_slope * input)


leaky_relu = elementwise(
    _leaky_relu, lambda g, input, negative_slope: np.where(bare(input) > 0, g, g * negative_slope), name="leaky_relu"
)


def _prelu(input: Any, weight: Any) -> Any:
    check_real("prelu", input)
    return np.where(input > 0, input, weight * input)


_with_slopes = elementwise(
    _prelu,
    lambda g, input, weight: np.where(bare(input) > 0, g, g * weight),
    lambda input: np.minimum(input, 0),
    name="prelu",
)


def prelu(input: Any, weight: Any) -> Any:
    """:func:`leaky_relu` with learned slopes: one, or one for each channel (axis 1) of inputs (N, C, …).

    Source: He et al. 2015. Raises ValueError for a weight of another shape than (), (1,) or (C,).
    """
    shape, slopes = np.shape(input), np.shape(weight)
    if slopes in ((), (1,)):
        return _with_slopes(input, np.reshape(weight, ()))
    if len(shape) < 2 or slopes != shape[1:2]:
        raise ValueError(f"prelu() of shape {shape} takes one slope, or one for each entry of axis 1; got {slopes}")
    return _with_slopes(input, np.reshape(weight, (-1, *(1,) * (len(shape) - 2))))


def rrelu(input: Any, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False) -> Any:
    """:func:`leaky_relu` with a slope drawn from ``U(lower, upper)`` for each entry in training, else their mean.

    Drawn from the library's generator (``autograd.manual_seed``). Source: Xu et al. 2015. Raises ValueError
    unless ``lower ≤ upper``.
    """
    if not lower <= upper:
        raise ValueError(f"rrelu() takes lower ≤ upper; got {lower} and {upper}")
    if not training:
        return leaky_relu(input, (lower + upper) / 2)
    input = input if isinstance(input, Differentiable) else np.asarray(input)
    slopes = default_generator().uniform(lower, upper, input.shape)
    return _with_slopes(input, slopes.astype(np.result_type(input.dtype, np.float16)))


# ---------------------------------------------------------------------- of straight pieces


def _hardtanh(input: Any, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    """``z`` kept within [min_val, max_val], with derivative 0 at both. Raises ValueError if they are exchanged."""
    if not min_val <= max_val:
        raise ValueError(f"hardtanh() takes min_val ≤ max_val; got {min_val} and {max_val}")
    check_real("hardtanh", input)
    return np.clip(input, min_val, max_val)


hardtanh = elementwise(
    _hardtanh,
    lambda input, min_val, max_val: (bare(input) > min_val) & (bare(input) < max_val),
    name="hardtanh",
)


def relu6(input: Any) -> Any:
    """``min(max(0, z), 6)``."""
    return hardtanh(input, 0.0, 6.0)


def _hardsigmoid(input: Any) -> Any:
    """``z/6 + ½`` kept within [0, 1]."""
    check_real("hardsigmoid", input)
    return np.clip(input, -3, 3) / 6 + 0.5


hardsigmoid = elementwise(
    _hardsigmoid, lambda g, input: np.where(np.abs(bare(input)) < 3, g, 0) / 6, name="hardsigmoid"
)


def _hardswish(input: Any) -> Any:
    """``z`` times :func:`hardsigmoid` of it (Howard et al. 2019)."""
    check_real("hardswish", input)
    return input * (np.clip(input + 3, 0, 6) / 6)


hardswish = elementwise(
    _hardswish,
    lambda g, input: np.where(bare(input) >= 3, g, np.where(bare(input) > -3, g * (input / 3 + 0.5), 0)),
    name="hardswish",
)


def _threshold(input: Any, threshold: float, value: float) -> Any:
    """``z`` where it exceeds the threshold, else ``value``; NaN stays."""
    check_real("threshold", input)
    return np.where(input <= threshold, value, input)


threshold = elementwise(_threshold, lambda input, threshold: ~(bare(input) <= threshold), name="threshold")


def _hardshrink(input: Any, lambd: float = 0.5) -> Any:
    """``z`` where ``|z| > λ``, else 0."""
    check_real("hardshrink", input)
    return np.where(np.abs(input) <= lambd, 0, input)


hardshrink = elementwise(_hardshrink, lambda input, lambd: np.abs(bare(input)) > lambd, name="hardshrink")


def _softshrink(input: Any, lambd: float = 0.5) -> Any:
    """``z`` moved by λ towards 0, and 0 where ``|z| ≤ λ``. Raises ValueError for a negative λ."""
    if not lambd >= 0:
        raise ValueError(f"softshrink() takes lambd ≥ 0; got {lambd}")
    check_real("softshrink", input)
    return input - np.clip(input, -lambd, lambd)


softshrink = elementwise(_softshrink, lambda input, lambd: np.abs(bare(input)) > lambd, name="softshrink")


# ---------------------------------------------------------------------- modules


class ReLU(InplaceModule):
    """``max(0, z)``, with derivative 0 at 0."""

    def compute(self, input: Any) -> Any:
        return relu(input)


class ReLU6(InplaceModule):
    """:func:`relu6` as a module."""

    def compute(self, input: Any) -> Any:
        return relu6(input)


class LeakyReLU(InplaceModule):
    """:func:`leaky_relu` as a module."""

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.negative_slope = negative_slope

    def compute(self, input: Any) -> Any:
        return leaky_relu(input, self.negative_slope)

    def options(self) -> str:
        return f"negative_slope={self.negative_slope}"


class PReLU(Module):
    """:func:`prelu` with a ``weight`` of shape (num_parameters,), which starts at ``init``."""

    def __init__(self, num_parameters: int = 1, init: float = 0.25, *, dtype: Any = None) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.init = init
        self.weight = unset(num_parameters, dtype=dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the slopes to their first values."""
        init.constant_(self.weight, self.init)

    def forward(self, input: Any) -> Any:
        return prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class RReLU(InplaceModule):
    """:func:`rrelu` as a module, random in training mode."""

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.lower = lower
        self.upper = upper

    def compute(self, input: Any) -> Any:
        return rrelu(input, self.lower, self.upper, self.training)

    def options(self) -> str:
        return f"lower={self.lower}, upper={self.upper}"


class Hardtanh(InplaceModule):
    """:func:`hardtanh` as a module."""

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.min_val = min_val
        self.max_val = max_val

    def compute(self, input: Any) -> Any:
        return hardtanh(input, self.min_val, self.max_val)

    def options(self) -> str:
        return f"min_val={self.min_val}, max_val={self.max_val}"


class Hardsigmoid(InplaceModule):
    """:func:`hardsigmoid` as a module."""

    def compute(self, input: Any) -> Any:
        return hardsigmoid(input)


class Hardswish(InplaceModule):
    """:func:`hardswish` as a module."""

    def compute(self, input: Any) -> Any:
        return hardswish(input)


class Threshold(InplaceModule):
    """:func:`threshold` as a module."""

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.threshold = threshold
        self.value = value

    def compute(self, input: Any) -> Any:
        return threshold(input, self.threshold, self.value)

    def options(self) -> str:
        return f"threshold={self.threshold}, value={self.value}"


class _Shrink(Module):
    """A function with the half width ``lambd`` of the interval that becomes 0."""

    _function: Any = None

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Any) -> Any:
        return type(self)._function(input, self.lambd)

    def extra_repr(self) -> str:
        return f"{self.lambd}"


class Hardshrink(_Shrink):
    """:func:`hardshrink` as a module."""

    _function = staticmethod(hardshrink)


class Softshrink(_Shrink):
    """:func:`softshrink` as a module."""

    _function = staticmethod(softshrink)
