"""Convolution and its transpose over one, two and three axes: the functions and their arguments."""

from __future__ import annotations

from functools import lru_cache
from operator import index
from typing import Any

import numpy as np

from autograd.dispatch import Differentiable
from autograd.precision import in_half
from nn._windows import Pairs, Sides, convolve, convolve_transpose

__all__ = ["conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"]


# ---------------------------------------------------------------------- arguments


def sides_of(name: str, what: str, value: Any, ndim: int, least: int) -> Sides:
    """One integer for each axis, of an integer for all of them or a sequence."""
    try:
        values = tuple(map(index, value)) if isinstance(value, (tuple, list)) else (index(value),)
    except TypeError:
        raise TypeError(f"{name}(): {what} is an integer or {ndim} of them; got {value!r}") from None
    if len(values) != ndim:
        if len(values) != 1:
            raise ValueError(f"{name}(): {what} is one integer or {ndim}; got {value!r}")
        values *= ndim
    if min(values) < least:
        raise ValueError(f"{name}(): {what} is at least {least}; got {value!r}")
    return values


def padding_of(name: str, padding: Any, ndim: int, stride: Sides) -> str | Sides:
    """Either "valid" or "same", or one integer for each axis."""
    if not isinstance(padding, str):
        return sides_of(name, "padding", padding, ndim, 0)
    if padding not in ("valid", "same"):
        raise ValueError(f"{name}(): padding is 'valid', 'same' or integers; got {padding!r}")
    if padding == "same" and set(stride) != {1}:
        raise ValueError(f"{name}(): padding='same' takes stride 1; got stride {stride}")
    return padding


def pairs_of(padding: str | Sides, kernel: Sides, dilation: Sides) -> Pairs:
    """(before, after) for each axis; what is odd of "same" goes after."""
    if padding == "same":
        totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        return tuple((total // 2, total - total // 2) for total in totals)
    return tuple((p, p) for p in ((0,) * len(kernel) if isinstance(padding, str) else padding))


def _array(value: Any) -> Any:
    return value if isinstance(value, Differentiable) else np.asarray(value)


def _check(name: str, shape: Sides, weight: Sides, bias: Sides | None, groups: int, transposed: bool) -> None:
    """Shapes of the batch, the weights and the biases."""
    layout = "(n_in, n_out/groups, *kernel)" if transposed else "(n_out, n_in/groups, *kernel)"
    if groups < 1 or weight[0] % groups:
        raise ValueError(f"{name}(): {groups} groups do not divide the {weight[0]} channels of weights {weight}")
    n_in, n_out = (weight[0], weight[1] * groups) if transposed else (weight[1] * groups, weight[0])
    if shape[1] != n_in:
        raise ValueError(
            f"{name}() with weights {weight} = {layout} and {groups} groups takes inputs of {n_in} channels; "
            f"got {shape[1]}"
        )
    if bias is not None and bias != (n_out,):
        raise ValueError(f"{name}() with weights {weight} takes biases of shape ({n_out},); got {bias}")


def _check_axes(name: str, ndim: int, input: Any, weight: Any) -> None:
    if len(weight.shape) != ndim + 2 or 0 in weight.shape[2:]:
        raise ValueError(f"{name}() takes weights with two axes of channels and {ndim} of taps; got {weight.shape}")
    if len(input.shape) not in (ndim + 1, ndim + 2):
        raise ValueError(
            f"{name}() takes inputs with {ndim + 2} axes (samples, channels and {ndim} more), or {ndim + 1} for a "
            f"single sample; got shape {input.shape}"
        )
    for what, array in (("inputs", input), ("weights", weight)):
        if array.dtype.kind not in "iufc":
            raise TypeError(f"{name}() takes {what} that are numbers; got {array.dtype}")


# ---------------------------------------------------------------------- functions


@lru_cache(maxsize=512)
def _fitted(name: str, shape: Sides, kernel: Sides, stride: Sides, padding: str | Sides, dilation: Sides) -> Pairs:
    """The padding less what remains of the sides after the last window."""
    pairs = []
    spaces = zip(shape, kernel, stride, pairs_of(padding, kernel, dilation), dilation, strict=True)
    for n, k, s, (before, after), d in spaces:
        rest = n + before + after - d * (k - 1) - 1
        if rest < 0:
            raise ValueError(
                f"{name}(): the kernel spans {d * (k - 1) + 1} and the padded input has {n + before + after}: "
                f"⌊(W + P − D·(K − 1) − 1)/S⌋ + 1 = ⌊({n} + {before + after} − {d}·({k} − 1) − 1)/{s}⌋ + 1 windows"
            )
        pairs.append((before, after - rest % s))
    return tuple(pairs)


def convolution(
    ndim: int, input: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> Any:
    """``conv1d``, ``conv2d`` and ``conv3d``."""
    name = f"conv{ndim}d"
    input, weight, bias = _array(input), _array(weight), None if bias is None else _array(bias)
    _check_axes(name, ndim, input, weight)
    if len(input.shape) == ndim + 1:
        return convolution(ndim, input[None], weight, bias, stride, padding, dilation, groups)[0]
    _check(name, input.shape, weight.shape, None if bias is None else bias.shape, groups, False)
    stride = sides_of(name, "stride", stride, ndim, 1)
    dilation = sides_of(name, "dilation", dilation, ndim, 1)
    padding = padding_of(name, padding, ndim, stride)
    pairs = _fitted(name, input.shape[2:], weight.shape[2:], stride, padding, dilation)
    return convolve(input, weight, stride, pairs, dilation, groups, bias)


def transposed(
    ndim: int,
    input: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: int,
    dilation: Any,
) -> Any:
    """``conv_transpose1d``, ``conv_transpose2d`` and ``conv_transpose3d``."""
    name = f"conv_transpose{ndim}d"
    input, weight, bias = _array(input), _array(weight), None if bias is None else _array(bias)
    _check_axes(name, ndim, input, weight)
    if len(input.shape) == ndim + 1:
        return transposed(ndim, input[None], weight, bias, stride, padding, output_padding, groups, dilation)[0]
    _check(name, input.shape, weight.shape, None if bias is None else bias.shape, groups, True)
    stride = sides_of(name, "stride", stride, ndim, 1)
    dilation = sides_of(name, "dilation", dilation, ndim, 1)
    padding = sides_of(name, "padding", padding, ndim, 0)
    extra = sides_of(name, "output_padding", output_padding, ndim, 0)
    if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
        raise ValueError(
            f"{name}(): output_padding is less than the stride or the dilation; got {extra} with stride {stride} "
            f"and dilation {dilation}"
        )
    sides = least_sides(input.shape[2:], weight.shape[2:], stride, padding, dilation)
    if any(n + e < 1 for n, e in zip(sides, extra, strict=True)) or 0 in input.shape[2:]:
        raise ValueError(
            f"{name}(): (W − 1)·S − 2·P + D·(K − 1) + 1 + output_padding for inputs {input.shape}, weights "
            f"{weight.shape}, stride {stride}, padding {padding}, dilation {dilation} and output_padding {extra} "
            "leaves no output"
        )
    pairs = tuple((p, p - e) for p, e in zip(padding, extra, strict=True))
    out = convolve_transpose(input, weight, stride, pairs, dilation, groups)
    _, bias = in_half(out, bias)
    return out if bias is None else out + np.reshape(bias, (-1, *(1,) * ndim))


def least_sides(shape: Sides, kernel: Sides, stride: Sides, padding: Sides, dilation: Sides) -> Sides:
    """Sides of a transposed convolution's output without output padding."""
    return tuple(
        (n - 1) * s - 2 * p + d * (k - 1) + 1
        for n, k, s, p, d in zip(shape, kernel, stride, padding, dilation, strict=True)
    )


def conv1d(
    input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Any:
    """Convolution over the last axis; see :func:`conv2d`."""
    return convolution(1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(
    input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Any:
    """Convolution over the last two axes (cross-correlation, as in all deep learning; LeCun et al. 1989).

    ``y[n, o, i, j] = b[o] + Σ_c Σ_k Σ_l w[o, c, k, l] · x[n, c, i·S + k·D − P, j·S + l·D − P]``, with x = 0 outside.
    The gradient with respect to x is the full correlation of ȳ with the kernel turned by 180°, that with respect
    to w the correlation of x with ȳ (Goodfellow, Bengio & Courville 2016, section 9.5).

    Parameters
    ----------
    input : (N, C_in, H, W) or (C_in, H, W)
    weight : (C_out, C_in/groups, K_h, K_w)
    bias : (C_out,), optional
    stride, padding, dilation : int or one for each axis
        S, P and D. ``padding="valid"`` is none; ``"same"`` keeps H and W, for stride 1; of an odd number of zeros
        it puts one more after than before.
    groups : int
        Channels are split into so many groups, which do not see each other.

    Returns
    -------
    (N, C_out, H', W') or (C_out, H', W'), with ``H' = ⌊(H + 2P − D·(K − 1) − 1)/S⌋ + 1``

    Raises
    ------
    ValueError
        For shapes that do not fit, and kernels larger than the padded input.
    TypeError
        For booleans and objects.
    """
    return convolution(2, input, weight, bias, stride, padding, dilation, groups)


def conv3d(
    input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Any:
    """Convolution over the last three axes; see :func:`conv2d`."""
    return convolution(3, input, weight, bias, stride, padding, dilation, groups)


def conv_transpose1d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Any:
    """Transposed convolution over the last axis; see :func:`conv_transpose2d`."""
    return transposed(1, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Any:
    """The transpose of :func:`conv2d` as a linear map (Zeiler et al. 2010), plus a bias.

    Parameters
    ----------
    input : (N, C_in, H, W) or (C_in, H, W)
    weight : (C_in, C_out/groups, K_h, K_w)
    bias : (C_out,), optional
    stride, padding, dilation, groups
        Those of the convolution whose transpose this is.
    output_padding : int or one for each axis
        Rows and columns more at the end, since several sizes may have the same convolution.

    Returns
    -------
    (N, C_out, H', W') or (C_out, H', W'), with ``H' = (H − 1)·S − 2P + D·(K − 1) + 1 + output_padding``

    Raises
    ------
    ValueError
        For shapes that do not fit, an empty output, and output padding not less than the stride or the dilation.
    TypeError
        For booleans and objects.
    """
    return transposed(2, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose3d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Any:
    """Transposed convolution over the last three axes; see :func:`conv_transpose2d`."""
    return transposed(3, input, weight, bias, stride, padding, output_padding, groups, dilation)
