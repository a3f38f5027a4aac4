"""The fused operation behind most normalisations: ``γ(x − μ)/√(σ² + ε) + β``."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from autograd import primitive
from autograd.dispatch import Differentiable, bare
from autograd.kernels import in_rows
from autograd.precision import widened

__all__ = ["as_array", "check_parameters", "per_channel", "standardize"]


def _moments(input: Any, axes: tuple[int, ...]) -> tuple[Any, Any]:
    """Mean and biased variance over ``axes``, which stay with length 1."""
    found = in_rows("moments", input, dim=axes)
    if found is not None:
        return tuple(found)
    count = max(1, prod(input.shape[axis] for axis in axes))
    mean = np.sum(input, axis=axes, keepdims=True) / count
    centred = input - mean
    return mean, _sum_of_products(centred, centred, axes) / count


def _sum_of_products(a: Any, b: Any, axes: tuple[int, ...]) -> Any:
    """``Σ ab`` over ``axes``, which stay with length 1; in one pass on arrays."""
    if isinstance(a, Differentiable) or isinstance(b, Differentiable):
        return np.sum(a * b, axis=axes, keepdims=True)
    every = list(range(a.ndim))
    left = [axis for axis in every if axis not in axes]
    return np.einsum(a, every, b, every, left).reshape([1 if i in axes else n for i, n in enumerate(a.shape)])


def _entrywise(weight: Any, spread: tuple[int, ...], axes: tuple[int, ...]) -> Any:
    """γ where it has a number for each entry along the axes, as kernels want it, else None."""
    return weight if weight is not None and weight.shape == tuple(spread[len(spread) - len(axes) :]) else None


def _standardized(
    input: Any,
    weight: Any = None,
    bias: Any = None,
    mean: Any = 0.0,
    variance: Any = 1.0,
    eps: float = 0.0,
    axes: Any = (),
    shape: Any = (),
    spread: Any = (),
) -> Any:
    """``γ(x − μ)/σ + β``; the parameters, of ``shape``, are reshaped to ``spread`` to broadcast."""
    entrywise = _entrywise(weight, spread, axes)
    found = in_rows("standardize", input, entrywise, bias, mean, variance, dim=axes, parameter=eps)
    if found is not None:
        return found
    out = input - mean
    out *= 1 / np.sqrt(variance + eps)
    if weight is not None:
        out *= weight.reshape(spread)
    if bias is not None:
        out += bias.reshape(spread)
    return out


def _standardized_vjp(
    g: Any,
    input: Any,
    weight: Any,
    mean: Any,
    variance: Any,
    eps: float,
    axes: Any,
    shape: Any,
    spread: Any,
    needs: Any,
) -> tuple[Any, Any, Any]:
    """``x̄ = (h − mean(h) − x̂ mean(h x̂))/σ`` for ``h = γg`` (Ioffe & Szegedy 2015), ``γ̄ = Σ g x̂``, ``β̄ = Σ g``."""
    input = widened(input)
    if isinstance(input, Differentiable):  # for higher orders the moments are functions of the input
        mean, variance = _moments(input, axes)
    entrywise = _entrywise(weight, spread, axes)
    found = in_rows("standardize_slope", g, input, entrywise, mean, variance, dim=axes, parameter=eps)
    if found is not None:
        return tuple(found)
    scale = 1 / np.sqrt(variance + eps)
    to_input = to_weight = to_bias = None
    shared = tuple(axis for axis, n in enumerate(spread) if n == 1)
    normal = (input - mean) * scale if needs[0] or needs[1] else None
    if needs[1]:
        to_weight = np.reshape(_sum_of_products(g, normal, shared), shape)
    if needs[2]:
        to_bias = np.reshape(np.sum(g, axis=shared), shape)
    if needs[0]:
        h, factor = g, scale
        if weight is not None:  # where γ is the same all along the axes it is a factor of the whole
            gamma = np.reshape(weight, spread)
            h, factor = (g, gamma * scale) if set(axes) <= set(shared) else (gamma * g, scale)
        count = max(1, prod(input.shape[axis] for axis in axes))
        if h is g and set(axes) == set(shared) and to_weight is not None and to_bias is not None:
            along, sums = np.reshape(to_weight, spread), np.reshape(to_bias, spread)
        else:
            along, sums = _sum_of_products(h, normal, axes), np.sum(h, axis=axes, keepdims=True)
        to_input = _centred(h, sums / count, normal, along / count, factor)
    return to_input, to_weight, to_bias


def _centred(h: Any, mean: Any, normal: Any, along: Any, factor: Any) -> Any:
    """``(h − mean − x̂ along) factor``, of arrays in the memory of ``normal``."""
    if any(isinstance(each, Differentiable) for each in (h, normal, factor)) or h.dtype != normal.dtype:
        return (h - mean - normal * along) * factor
    normal *= along
    np.subtract(h, normal, out=normal)
    normal -= mean
    normal *= factor
    return normal


def _standardized_jvp(
    t: Any, input: Any, weight: Any, mean: Any, variance: Any, eps: float, axes: Any, spread: Any, out: Any
) -> Any:
    """``γ(t − mean(t) − x̂ mean(x̂ t))/σ`` for the input's tangent, beside ``t x̂`` and ``t`` for those of γ and β."""
    to_input, to_weight, to_bias = map(widened, t)
    input = widened(input)
    if isinstance(input, Differentiable):
        mean, variance = _moments(input, axes)
    scale = 1 / np.sqrt(variance + eps)
    normal = (input - mean) * scale
    terms = []
    if to_input is not None:
        count = max(1, prod(input.shape[axis] for axis in axes))
        along = _sum_of_products(to_input, normal, axes) / count
        term = (to_input - np.sum(to_input, axis=axes, keepdims=True) / count - normal * along) * scale
        terms.append(term if weight is None else term * np.reshape(weight, spread))
    if to_weight is not None:
        terms.append(np.reshape(to_weight, spread) * normal)
    if to_bias is not None:
        terms.append(np.broadcast_to(np.reshape(to_bias, spread), out.shape))
    return sum(terms[1:], start=terms[0])


_standardize = primitive(
    _standardized,
    vjp=_standardized_vjp,
    jvp=_standardized_jvp,
    differentiable=("input", "weight", "bias"),
    name="standardize",
)


def standardize(
    input: Any, weight: Any, bias: Any, eps: float, axes: tuple[int, ...], shape: Any, spread: Any
) -> tuple[Any, Any, Any]:
    """The standardised input, and as plain arrays its mean and variance over ``axes``.

    float16 is computed in float32.
    """
    if input.dtype.kind != "f":
        raise TypeError(f"normalisation of dtype {input.dtype}; convert the input to floats first")
    mean, variance = _moments(widened(bare(input)), axes)
    out = _standardize(input, weight, bias, mean, variance, eps, axes, tuple(shape), tuple(spread))
    return out.astype(np.float16) if input.dtype == np.float16 else out, mean, variance


def as_array(value: Any) -> Any:
    return value if isinstance(value, Differentiable) else np.asarray(value)


def per_channel(input: Any) -> tuple[int, ...]:
    """The shape (1, C, 1, …) in which one number per channel broadcasts against the input."""
    return (1, input.shape[1], *(1,) * (input.ndim - 2))


def check_parameters(name: str, weight: Any, bias: Any, shape: tuple[int, ...]) -> None:
    for what, parameter in (("weight", weight), ("bias", bias)):
        if parameter is not None and np.shape(parameter) != shape:
            raise ValueError(f"{name}() takes a {what} of shape {shape}; got {np.shape(parameter)}")
