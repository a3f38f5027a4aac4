"""Normalisation of each sample by itself: over its features, over groups of channels, and by size alone."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from nn import init
from nn.module import Module
from nn.normalization.standardize import as_array, check_parameters, standardize
from nn.parameter import Parameter, unset

__all__ = ["GroupNorm", "LayerNorm", "RMSNorm", "group_norm", "layer_norm", "rms_norm"]


def _normalized_axes(name: str, input: Any, normalized_shape: int | Sequence[int]) -> tuple[Any, Any, Any]:
    """The axes of the normalised shape, that shape, and the shape in which parameters of it broadcast."""
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if not shape or input.shape[-len(shape) :] != shape:
        raise ValueError(f"{name}() over {shape} takes inputs of shape (…, {str(shape)[1:]}; got {input.shape}")
    before = input.ndim - len(shape)
    return tuple(range(before, input.ndim)), shape, (1,) * before + shape


def layer_norm(
    input: Any, normalized_shape: int | Sequence[int], weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Any:
    """Standardise each sample over its last axes, those of ``normalized_shape`` (Ba, Kiros & Hinton 2016).

    ``weight`` and ``bias`` are of that shape. Raises ValueError for shapes that do not fit.
    """
    input = as_array(input)
    axes, shape, spread = _normalized_axes("layer_norm", input, normalized_shape)
    check_parameters("layer_norm", weight, bias, shape)
    return standardize(input, weight, bias, eps, axes, shape, spread)[0]


class LayerNorm(Module):
    """:func:`layer_norm` with parameters.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        Lengths of the last axes, which are standardised together.
    eps : float
        ε, added to the variance.
    elementwise_affine, bias : bool
        Whether there are ``weight`` (γ, from 1) and, beside it, ``bias`` (β, from 0).
    dtype : optional
        Of the parameters; float32 by default.
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        *,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        shape = self.normalized_shape
        self.register_parameter("weight", unset(*shape, dtype=dtype) if elementwise_affine else None)
        self.register_parameter("bias", unset(*shape, dtype=dtype) if elementwise_affine and bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set γ to 1 and β to 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Any) -> Any:
        return layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


def group_norm(input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """Standardise each group of neighbouring channels of each sample (Wu & He 2018).

    Inputs (N, C, …), ``weight`` and ``bias`` (C,). Raises ValueError for groups that do not divide C, shapes that do
    not fit, and a single value per group.
    """
    input = as_array(input)
    if input.ndim < 2 or num_groups < 1 or input.shape[1] % num_groups:
        raise ValueError(
            f"group_norm() takes inputs of shape (N, C, …) whose C the {num_groups} groups divide; got {input.shape}"
        )
    samples, channels, *rest = input.shape
    check_parameters("group_norm", weight, bias, (channels,))
    grouped = np.reshape(input, (samples, num_groups, channels // num_groups, *rest))
    if prod(grouped.shape[2:]) == 1 and samples:
        raise ValueError(f"group_norm() got one value per group (input {input.shape}): its variance is 0")
    spread = (1, num_groups, channels // num_groups, *(1,) * len(rest))
    axes = tuple(range(2, grouped.ndim))
    return np.reshape(standardize(grouped, weight, bias, eps, axes, (channels,), spread)[0], input.shape)


class GroupNorm(Module):
    """:func:`group_norm` with parameters.

    Parameters
    ----------
    num_groups, num_channels : int
        The groups have to divide the channels.
    eps : float
        ε, added to the variance.
    affine, bias : bool
        Whether there are ``weight`` (γ, from 1) and, beside it, ``bias`` (β, from 0), one number per channel.
    dtype : optional
        Of the parameters; float32 by default.

    Raises
    ------
    ValueError
        For groups that do not divide the channels.
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        *,
        bias: bool = True,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if num_groups < 1 or num_channels % num_groups:
            raise ValueError(f"GroupNorm: {num_groups} groups do not divide {num_channels} channels")
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        self.register_parameter("weight", unset(num_channels, dtype=dtype) if affine else None)
        self.register_parameter("bias", unset(num_channels, dtype=dtype) if affine and bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set γ to 1 and β to 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Any) -> Any:
        return group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


def rms_norm(input: Any, normalized_shape: int | Sequence[int], weight: Any = None, eps: float | None = None) -> Any:
    """``x / √(mean(x²) + ε) · γ`` over the last axes, those of ``normalized_shape`` (Zhang & Sennrich 2019).

    ``weight`` (γ) is of that shape; ``eps`` None is the spacing of floats at 1 in the input's dtype. Raises
    ValueError for shapes that do not fit.
    """
    input = as_array(input)
    axes, shape, _ = _normalized_axes("rms_norm", input, normalized_shape)
    check_parameters("rms_norm", weight, None, shape)
    eps = float(np.finfo(input.dtype).eps) if eps is None else eps
    x = input.astype(np.float32) if input.dtype == np.float16 else input
    out = x / np.sqrt(np.mean(np.square(x), axis=axes, keepdims=True) + eps)
    out = out if weight is None else out * weight
    return out.astype(np.float16) if input.dtype == np.float16 else out


class RMSNorm(Module):
    """:func:`rms_norm` with a parameter.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        Lengths of the last axes, over which the mean square is taken.
    eps : float or None
        ε; None is the spacing of floats at 1 in the input's dtype.
    elementwise_affine : bool
        Whether there is a ``weight`` (γ, from 1).
    dtype : optional
        Of the parameter; float32 by default.
    """

    weight: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        *,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self.register_parameter("weight", unset(*self.normalized_shape, dtype=dtype) if elementwise_affine else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set γ to 1."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, input: Any) -> Any:
        return rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
