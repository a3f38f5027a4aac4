"""Pooling: the maximum, the mean or the p-norm of each window, and maxima put back where they came from."""

from __future__ import annotations

from math import prod
from operator import index
from typing import Any

import numpy as np

from autograd.declare import linear
from autograd.dispatch import Differentiable, bare
from nn._pools import Grid, Sides, grid_of, max_pool, pool_sums, winners
from nn._taps import Taps, weighted
from nn.convolution import sides_of

__all__ = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d",
    "adaptive_max_pool2d", "adaptive_max_pool3d", "avg_pool1d", "avg_pool2d", "avg_pool3d", "lp_pool1d",
    "lp_pool2d", "lp_pool3d", "max_pool1d", "max_pool2d", "max_pool3d", "max_unpool1d", "max_unpool2d",
    "max_unpool3d",
]  # fmt: skip


# ---------------------------------------------------------------------- geometry


def _real(name: str, input: Any, ndim: int, kinds: str) -> Any:
    """``input`` as an array, a tensor or a dual number with ``ndim`` axes after one or two others."""
    input = input if isinstance(input, Differentiable) else np.asarray(input)
    if len(input.shape) - ndim not in (1, 2):
        raise ValueError(
            f"{name}() takes inputs with {ndim + 2} axes (N, C, …) or {ndim + 1} (C, …); got shape {input.shape}"
        )
    if input.dtype.kind not in kinds:
        raise TypeError(f"{name}() takes real {'' if 'i' in kinds else 'floating '}numbers; got {input.dtype}")
    return input


def _count(side: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> int:
    room = side + 2 * padding - dilation * (kernel - 1) - 1
    count = (room + (stride - 1 if ceil_mode else 0)) // stride + 1
    # A window that would start in the padding after the end is left out.
    return count - 1 if ceil_mode and (count - 1) * stride >= side + padding else count


def _grid(
    name: str, sides: Sides, ceil_mode: bool, kernel_size: Any, stride: Any, padding: Any, dilation: Any = 1
) -> Grid:
    ndim = len(sides)
    kernel = sides_of(name, "kernel_size", kernel_size, ndim, 1)
    steps = kernel if stride is None or stride == () else sides_of(name, "stride", stride, ndim, 1)
    around = sides_of(name, "padding", padding, ndim, 0)
    apart = sides_of(name, "dilation", dilation, ndim, 1)
    for k, p, d in zip(kernel, around, apart, strict=True):
        if p > (d * (k - 1) + 1) // 2:
            raise ValueError(
                f"{name}(): padding is at most half of the kernel's span D·(K − 1) + 1 = {d * (k - 1) + 1}; got {p}"
            )
    counts = []
    for n, k, s, p, d in zip(sides, kernel, steps, around, apart, strict=True):
        counts.append(_count(n, k, s, p, d, ceil_mode))
        if counts[-1] < 1:
            raise ValueError(
                f"{name}(): the kernel is larger than the padded input: ⌊(W + 2P − D(K−1) − 1)/S⌋ + 1 = "
                f"⌊({n} + 2·{p} − {d}·({k}−1) − 1)/{s}⌋ + 1 = {counts[-1]} windows along a side of {n}"
            )
    return grid_of(sides, kernel, steps, around, apart, tuple(counts))


def _positions(input: Any, out: Any, grid: Grid) -> Any:
    """Where in its sample each maximum lies, as a flat int64 position."""
    found = winners(bare(input), bare(out), grid)
    return grid.entries((grid.volume - found.astype(np.int64)) % grid.volume)


# ---------------------------------------------------------------------- maxima


def max_windows(name: str, ndim: int, input: Any, args: Any, ceil_mode: bool, return_indices: bool) -> Any:
    input = _real(name, input, ndim, "fiu")
    grid = _grid(name, input.shape[-ndim:], ceil_mode, *args)
    out = max_pool(input, grid)
    return (out, _positions(input, out, grid)) if return_indices else out


def max_pool1d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The maximum of each window of the last axis: ``out[m] = max_k x[m·S + k·D − P]`` over what lies inside.

    Inputs (N, C, W) or (C, W) give ⌊(W + 2P − D(K−1) − 1)/S⌋ + 1 windows; with ``ceil_mode`` ⌈…⌉, if the last one
    starts inside. ``stride`` None is ``kernel_size``. With ``return_indices`` also where the maxima lie. Of equal
    entries the first gets the gradient; NaN stays. Raises ValueError for a kernel larger than the padded input and
    for padding over half of the kernel, TypeError for booleans and complex numbers.
    """
    return max_windows("max_pool1d", 1, input, (kernel_size, stride, padding, dilation), ceil_mode, return_indices)


def max_pool2d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """:func:`max_pool1d` over the last two axes of (N, C, H, W) or (C, H, W)."""
    return max_windows("max_pool2d", 2, input, (kernel_size, stride, padding, dilation), ceil_mode, return_indices)


def max_pool3d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """:func:`max_pool1d` over the last three axes of (N, C, D, H, W) or (C, D, H, W)."""
    return max_windows("max_pool3d", 3, input, (kernel_size, stride, padding, dilation), ceil_mode, return_indices)


def _rows(array: Any, ndim: int) -> tuple[Any, Any]:
    """The samples of all channels as rows, and the numbers of the rows as a column."""
    rows = array.reshape(prod(array.shape[: array.ndim - ndim]), prod(array.shape[array.ndim - ndim :]))
    return rows, np.arange(len(rows))[:, None]


def _unpooled(input: Any, positions: Any, sides: Sides) -> Any:
    values, row = _rows(input, len(sides))
    out = np.zeros((len(values), prod(sides)), input.dtype)
    out[row, positions.reshape(values.shape)] = values
    return out.reshape(*input.shape[: input.ndim - len(sides)], *sides)


def _repooled(output: Any, positions: Any, sides: Sides) -> Any:
    """The transpose of ``_unpooled``: what was overwritten gets nothing."""
    values, row = _rows(output, len(sides))
    places = _rows(positions, len(sides))[0]
    last = np.zeros(values.shape, np.intp)
    order = np.arange(places.shape[1])
    last[row, places] = order
    kept = np.where(last[row, places] == order, values[row, places], output.dtype.type(0))
    return kept.reshape(positions.shape)


unpooled: Any = linear(_unpooled, input=lambda g, positions, sides: repooled(g, positions, sides))
repooled: Any = linear(_repooled, output=lambda g, positions, sides: unpooled(g, positions, sides))


def put_back(
    name: str, ndim: int, input: Any, indices: Any, kernel_size: Any, stride: Any, padding: Any, output_size: Any
) -> Any:
    input = _real(name, input, ndim, "fiu")
    positions = np.asarray(bare(indices))
    if positions.dtype.kind not in "iu" or positions.shape != input.shape:
        raise ValueError(
            f"{name}() takes integer indices of the input's shape {input.shape}; got {positions.dtype} of shape "
            f"{positions.shape}"
        )
    kernel = sides_of(name, "kernel_size", kernel_size, ndim, 1)
    steps = kernel if stride is None else sides_of(name, "stride", stride, ndim, 1)
    around = sides_of(name, "padding", padding, ndim, 0)
    counts = input.shape[-ndim:]
    sides = tuple((m - 1) * s + k - 2 * p for m, s, k, p in zip(counts, steps, kernel, around, strict=True))
    if output_size is not None:
        asked = tuple(map(index, output_size))
        asked = asked[2:] if len(asked) == ndim + 2 else asked
        if len(asked) != ndim or any(abs(a - n) >= s for a, n, s in zip(asked, sides, steps, strict=True)):
            raise ValueError(
                f"{name}(): output_size has {ndim} sides (or {ndim + 2}) that differ from {sides} by less than the "
                f"stride {steps}; got {tuple(output_size)}"
            )
        sides = asked
    if positions.size and not 0 <= positions.min() <= positions.max() < prod(sides):
        raise IndexError(
            f"{name}(): indices lie in 0 … {prod(sides) - 1} for outputs {sides}; got {positions.min()} … "
            f"{positions.max()}"
        )
    return unpooled(input, positions, sides)


def max_unpool1d(
    input: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Any:
    """Zeros with the entries of ``input`` at ``indices``, as :func:`max_pool1d` returned them.

    Inputs (N, C, m) or (C, m) give (m − 1)·S + K − 2P entries, or ``output_size``. Where indices repeat, the last
    entry remains and alone gets a gradient. Raises ValueError for shapes and sizes that do not fit, IndexError for
    indices outside.
    """
    return put_back("max_unpool1d", 1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    input: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Any:
    """:func:`max_unpool1d` over the last two axes of (N, C, H, W) or (C, H, W)."""
    return put_back("max_unpool2d", 2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(
    input: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Any:
    """:func:`max_unpool1d` over the last three axes of (N, C, D, H, W) or (C, D, H, W)."""
    return put_back("max_unpool3d", 3, input, indices, kernel_size, stride, padding, output_size)


# ---------------------------------------------------------------------- means and norms


def _widths(grid: Grid, include_pad: bool) -> Any:
    """How many entries each window has: a number where all have as many, else an array (*counts)."""
    total: Any = np.ones((), np.float64)
    for n, m, k, s, p in zip(grid.sides, grid.counts, grid.kernel, grid.stride, grid.padding, strict=True):
        starts = np.arange(m) * s - p
        stops = np.minimum(starts + k, n + p)
        each = stops - starts if include_pad else np.minimum(stops, n) - np.maximum(starts, 0)
        total = np.multiply.outer(total, each)
    return int(total.flat[0]) if (total == total.flat[0]).all() else total


def mean_windows(
    name: str,
    ndim: int,
    input: Any,
    args: Any,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor: int | None = None,
) -> Any:
    input = _real(name, input, ndim, "fc")
    grid = _grid(name, input.shape[-ndim:], ceil_mode, *args)
    if divisor == 0:
        raise ValueError(f"{name}(): divisor_override cannot be 0")
    if divisor is None:
        exact = not ceil_mode and (count_include_pad or not any(grid.padding))
        divisor = grid.volume if exact else _widths(grid, count_include_pad)
    return pool_sums(input, grid, divisor)


def avg_pool1d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Any:
    """The mean of each window of the last axis: ``out[m] = Σ_k x[m·S + k − P] / K``.

    Shapes and errors as of :func:`max_pool1d`. The zeros of the padding count as entries of the mean unless
    ``count_include_pad`` is False; what ``ceil_mode`` adds beyond them never does.
    """
    return mean_windows("avg_pool1d", 1, input, (kernel_size, stride, padding), ceil_mode, count_include_pad)


def avg_pool2d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Any:
    """:func:`avg_pool1d` over the last two axes of (N, C, H, W) or (C, H, W), or sums over ``divisor_override``."""
    args = (kernel_size, stride, padding)
    return mean_windows("avg_pool2d", 2, input, args, ceil_mode, count_include_pad, divisor_override)


def avg_pool3d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Any:
    """:func:`avg_pool2d` over the last three axes of (N, C, D, H, W) or (C, D, H, W)."""
    args = (kernel_size, stride, padding)
    return mean_windows("avg_pool3d", 3, input, args, ceil_mode, count_include_pad, divisor_override)


def norm_windows(
    name: str, ndim: int, input: Any, norm_type: float, kernel_size: Any, stride: Any, ceil_mode: bool
) -> Any:
    volume = prod(sides_of(name, "kernel_size", kernel_size, ndim, 1))
    means = mean_windows(name, ndim, input**norm_type, (kernel_size, stride, 0), ceil_mode, True)
    sums = means * volume
    zero = bare(sums) == 0
    if not zero.any():
        return sums ** (1.0 / norm_type)
    # The root has no derivative at 0: such windows, of zeros alone, get the subgradient 0.
    return np.where(zero, 0, np.where(zero, 1, sums) ** (1.0 / norm_type))


def lp_pool1d(input: Any, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Any:
    """``(Σ_k x[m·S + k]^p)^{1/p}`` of each window of the last axis, with p = ``norm_type``.

    As in PyTorch no absolute value is taken: odd powers keep their sign, and the root of a negative sum is NaN. Where a
    sum is 0 the gradient is 0 (there PyTorch has NaN).
    Shapes and errors as of :func:`max_pool1d`.
    """
    return norm_windows("lp_pool1d", 1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(input: Any, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Any:
    """:func:`lp_pool1d` over the last two axes of (N, C, H, W) or (C, H, W)."""
    return norm_windows("lp_pool2d", 2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(input: Any, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Any:
    """:func:`lp_pool1d` over the last three axes of (N, C, D, H, W) or (C, D, H, W)."""
    return norm_windows("lp_pool3d", 3, input, norm_type, kernel_size, stride, ceil_mode)


# ---------------------------------------------------------------------- a number of windows


def _asked(name: str, ndim: int, sides: Sides, output_size: Any) -> Sides:
    values = tuple(output_size) if isinstance(output_size, (tuple, list)) else (output_size,) * ndim
    if len(values) != ndim:
        raise ValueError(f"{name}(): output_size is one integer or None, or {ndim} of them; got {output_size!r}")
    counts = tuple(n if m is None else index(m) for m, n in zip(values, sides, strict=True))
    if min(counts) < 1 or min(sides) < 1:
        raise ValueError(f"{name}(): sides are at least 1; got output_size {output_size!r} for an input of {sides}")
    return counts


def _ends(side: int, count: int) -> tuple[Any, Any]:
    """First entries of ``count`` nearly equal windows of an axis, and their widths: ⌊i·n/m⌋ … ⌈(i + 1)·n/m⌉."""
    i = np.arange(count)
    firsts = i * side // count
    return firsts, -(-(i + 1) * side // count) - firsts


def _equal(sides: Sides, counts: Sides) -> Grid:
    kernel = tuple(n // m for n, m in zip(sides, counts, strict=True))
    return grid_of(sides, kernel, kernel, (0,) * len(sides), (1,) * len(sides), counts)


def adaptive_maxima(name: str, ndim: int, input: Any, output_size: Any, return_indices: bool) -> Any:
    input = _real(name, input, ndim, "fiu")
    sides = input.shape[-ndim:]
    counts = _asked(name, ndim, sides, output_size)
    sources = []
    for axis, (n, m) in enumerate(zip(sides, counts, strict=True), -ndim):
        entries = np.arange(n)
        if n % m:  # windows of equal width, in which the last entry is there twice where it is not enough
            firsts, widths = _ends(n, m)
            entries = (firsts[:, None] + np.minimum(np.arange(widths.max()), widths[:, None] - 1)).ravel()
            input = np.take(input, entries, axis)
        sources.append(entries)
    grid = _equal(input.shape[-ndim:], counts)
    out = max_pool(input, grid)
    if not return_indices:
        return out
    at = np.unravel_index(_positions(input, out, grid), grid.sides)
    flat: Any = 0
    for n, entries, each in zip(sides, sources, at, strict=True):
        flat = flat * n + entries[each]
    return out, flat


def adaptive_max_pool1d(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """The maxima of ``output_size`` windows, which cover the last axis: entries ⌊i·W/m⌋ … ⌈(i + 1)·W/m⌉ − 1.

    Inputs are (N, C, W) or (C, W); an ``output_size`` of None keeps the side. With ``return_indices`` also where
    the maxima lie. Raises ValueError for other shapes and sizes, TypeError for booleans and complex numbers.
    """
    return adaptive_maxima("adaptive_max_pool1d", 1, input, output_size, return_indices)


def adaptive_max_pool2d(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """:func:`adaptive_max_pool1d` over the last two axes of (N, C, H, W) or (C, H, W)."""
    return adaptive_maxima("adaptive_max_pool2d", 2, input, output_size, return_indices)


def adaptive_max_pool3d(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """:func:`adaptive_max_pool1d` over the last three axes of (N, C, D, H, W) or (C, D, H, W)."""
    return adaptive_maxima("adaptive_max_pool3d", 3, input, output_size, return_indices)


def _means(side: int, count: int) -> Taps:
    firsts, widths = _ends(side, count)
    k = np.arange(widths.max())
    inside = k < widths[:, None]
    return Taps(firsts[:, None] + np.where(inside, k, 0), np.where(inside, 1 / widths[:, None], 0.0), side)


def adaptive_means(name: str, ndim: int, input: Any, output_size: Any) -> Any:
    input = _real(name, input, ndim, "fc")
    sides = input.shape[-ndim:]
    counts = _asked(name, ndim, sides, output_size)
    if any(n % m for n, m in zip(sides, counts, strict=True)):
        return weighted(input, tuple(None if n == m else _means(n, m) for n, m in zip(sides, counts, strict=True)))
    grid = _equal(sides, counts)
    return pool_sums(input, grid, grid.volume)


def adaptive_avg_pool1d(input: Any, output_size: Any) -> Any:
    """The means of ``output_size`` windows, which cover the last axis as those of :func:`adaptive_max_pool1d`."""
    return adaptive_means("adaptive_avg_pool1d", 1, input, output_size)


def adaptive_avg_pool2d(input: Any, output_size: Any) -> Any:
    """:func:`adaptive_avg_pool1d` over the last two axes of (N, C, H, W) or (C, H, W)."""
    return adaptive_means("adaptive_avg_pool2d", 2, input, output_size)


def adaptive_avg_pool3d(input: Any, output_size: Any) -> Any:
    """:func:`adaptive_avg_pool1d` over the last three axes of (N, C, D, H, W) or (C, D, H, W)."""
    return adaptive_means("adaptive_avg_pool3d", 3, input, output_size)
