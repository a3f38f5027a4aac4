"""Maxima and sums over windows of the last axes, and their transposes.

A window is a box, so maxima and sums are taken along one axis after the other: K + K operations on strided slices
instead of K · K. No border is ever made: each tap of the kernel meets only the windows in which it lies inside.

A maximum is linear once it is known where it lies. ``picked`` takes entries from there, ``placed`` puts them back;
they are each other's transposes. So are ``pool_sums`` and ``pool_spread``.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from itertools import product
from math import prod
from typing import Any

import numpy as np

from autograd import primitive
from autograd.declare import linear
from autograd.dispatch import bare

__all__ = ["Grid", "grid_of", "max_pool", "pool_spread", "pool_sums", "winners"]

Sides = tuple[int, ...]
Slices = tuple[slice, slice]


class Line:
    """The windows along one axis: for each tap the windows in which it lies inside, and the entries it meets."""

    def __init__(self, side: int, kernel: int, stride: int, padding: int, dilation: int, count: int) -> None:
        self.count = count
        self.taps = tuple(_tap(side, stride, k * dilation - padding, count) for k in range(kernel))
        self.full = all(windows == slice(0, count) for windows, _ in self.taps)
        self.trivial = self.full and kernel == 1 and count == side
        self.disjoint = stride >= dilation * (kernel - 1) + 1
        self.tiles = self.full and self.disjoint and kernel * count == side


def _tap(side: int, stride: int, offset: int, count: int) -> Slices:
    first = max(0, -(offset // stride))
    last = max(first, min(count, (side - 1 - offset) // stride + 1))
    start = first * stride + offset
    return slice(first, last), slice(start, start + max(0, (last - first - 1) * stride + (last > first)), stride)


class Grid:
    """The windows of one geometry over samples with the given sides.

    Attributes
    ----------
    counts : windows along each axis
    volume : taps of the kernel
    disjoint, tiles : whether windows do not overlap, and also leave out nothing
    """

    def __init__(
        self, sides: Sides, kernel: Sides, stride: Sides, padding: Sides, dilation: Sides, counts: Sides
    ) -> None:
        self.sides = sides
        self.kernel = kernel
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.counts = counts
        self.volume = prod(kernel)
        self.lines = tuple(Line(*each) for each in zip(sides, kernel, stride, padding, dilation, counts, strict=True))
        self.disjoint = all(line.disjoint for line in self.lines)
        self.tiles = all(line.tiles for line in self.lines)
        self.small = np.min_scalar_type(self.volume)
        # for each axis that is not left as it is: (line, axis, indices of each tap)
        self.along = tuple(self._along(i) for i, line in enumerate(self.lines) if not line.trivial)

    def _along(self, axis: int) -> tuple[Line, int, tuple[tuple[Any, Any], ...]]:
        rest = (slice(None),) * (len(self.lines) - 1 - axis)
        line = self.lines[axis]
        return line, axis - len(self.lines), tuple(((..., w, *rest), (..., e, *rest)) for w, e in line.taps)

    @cached_property
    def taps(self) -> list[tuple[Any, Any]]:
        """For each tap in the order of memory the indices of its windows and of the entries it meets."""
        return [
            ((..., *(w for w, _ in each)), (..., *(e for _, e in each)))
            for each in product(*(line.taps for line in self.lines))
        ]

    def entries(self, tap: Any) -> Any:
        """Flat positions among the entries of a sample, from the numbers of taps in each window (…, *counts)."""
        flat: Any = 0
        for i, numbers in enumerate(np.unravel_index(tap, self.kernel)):
            after = (1,) * (len(self.counts) - 1 - i)
            starts = (np.arange(self.counts[i]) * self.stride[i] - self.padding[i]).reshape(-1, *after)
            flat = flat * self.sides[i] + starts + numbers * self.dilation[i]
        return flat


grid_of = lru_cache(maxsize=512)(Grid)


def _reduced(x: Any, grid: Grid, combine: Any, empty: Any) -> Any:
    """``combine`` over windows, along one axis after the other; ``empty`` where a window has nothing inside."""
    if grid.tiles and grid.volume > 1 and set(grid.counts) == {1}:
        lead = x.shape[: x.ndim - len(grid.sides)]
        return combine.reduce(x.reshape(*lead, grid.volume), axis=-1).reshape(*lead, *grid.counts)
    given = x
    for line, axis, taps in grid.along:
        if line.full and len(taps) > 1:
            out = combine(x[taps[0][1]], x[taps[1][1]])
            for _, entries in taps[2:]:
                combine(out, x[entries], out=out)
        else:
            out = np.full((*x.shape[:axis], line.count, *x.shape[x.ndim + axis + 1 :]), empty, x.dtype)
            for windows, entries in taps:
                part = out[windows]
                combine(part, x[entries], out=part)
        x = out
    return x.copy() if x is given else x


# ---------------------------------------------------------------------- maxima


def _max_pool(input: Any, grid: Grid) -> Any:
    """The maximum of each window: (…, *sides) to (…, *counts); NaN where there is one."""
    empty = np.iinfo(input.dtype).min if input.dtype.kind in "iu" else -np.inf
    return _reduced(input, grid, np.maximum, empty)


def winners(input: Any, output: Any, grid: Grid) -> Any:
    """Which tap has the maximum: (…, *counts) of small integers, ``volume − tap``, 0 where nothing is inside.

    Counted down, so that the largest is the first of equal entries. Of several NaN it is the last, as in PyTorch.
    """
    found = np.zeros(output.shape, grid.small)
    for left, (windows, entries) in zip(range(grid.volume, 0, -1), grid.taps, strict=True):
        equal = np.equal(input[entries], output[windows])
        score = np.multiply(equal.view(np.uint8), grid.small.type(left))
        part = found[windows]
        np.maximum(part, score, out=part)
    if output.dtype.kind == "f" and not found.all():
        for left, (windows, entries) in zip(range(grid.volume, 0, -1), grid.taps, strict=True):
            np.copyto(found[windows], grid.small.type(left), where=np.isnan(input[entries]))
    return found


def _picked(input: Any, found: Any, grid: Grid) -> Any:
    """The entries at the winning taps: (…, *sides) to (…, *counts)."""
    out = np.zeros((*input.shape[: input.ndim - len(grid.sides)], *grid.counts), input.dtype)
    for left, (windows, entries) in zip(range(grid.volume, 0, -1), grid.taps, strict=True):
        np.copyto(out[windows], input[entries], where=found[windows] == left)
    return out


def _placed(output: Any, found: Any, grid: Grid) -> Any:
    """The transpose of ``_picked``: sums of what windows have at the taps where they won."""
    make = np.empty if grid.tiles else np.zeros
    x = make((*output.shape[: output.ndim - len(grid.sides)], *grid.sides), output.dtype)
    zero = output.dtype.type(0)
    for left, (windows, entries) in zip(range(grid.volume, 0, -1), grid.taps, strict=True):
        won = np.where(found[windows] == left, output[windows], zero)
        if grid.disjoint:
            x[entries] = won
        else:
            x[entries] += won
    return x


picked: Any = linear(_picked, name="max_picked", input=lambda g, found, grid: placed(g, found, grid))
placed: Any = linear(_placed, name="max_placed", output=lambda g, found, grid: picked(g, found, grid))
max_pool: Any = primitive(
    _max_pool,
    vjp={"input": lambda g, input, out, grid: placed(g, winners(bare(input), bare(out), grid), grid)},
    jvp={"input": lambda t, input, out, grid: picked(t, winners(bare(input), bare(out), grid), grid)},
)


# ---------------------------------------------------------------------- sums


def _summing(dtype: Any) -> Any:
    return np.dtype(np.float32) if dtype == np.float16 else dtype


def _pool_sums(input: Any, grid: Grid, divisor: Any) -> Any:
    """The sum of each window over ``divisor``, a number or an array (*counts): (…, *sides) to (…, *counts)."""
    total = _reduced(input.astype(_summing(input.dtype), copy=False), grid, np.add, 0)
    if divisor is not None:
        np.divide(total, divisor, out=total, casting="same_kind")
    return total.astype(input.dtype, copy=False)


def _pool_spread(output: Any, grid: Grid, divisor: Any) -> Any:
    """The transpose of ``_pool_sums``: every entry is the sum over the windows it lies in."""
    dtype = _summing(output.dtype)
    x = output.astype(dtype, copy=False)
    if divisor is not None:
        x = np.divide(x, divisor, dtype=dtype, casting="same_kind")
    for line, axis, taps in reversed(grid.along):
        shape = (*x.shape[:axis], grid.sides[axis], *x.shape[x.ndim + axis + 1 :])
        total = np.empty(shape, dtype) if line.tiles else np.zeros(shape, dtype)
        for windows, entries in taps:
            if line.disjoint:
                total[entries] = x[windows]
            else:
                total[entries] += x[windows]
        x = total
    return x.copy() if x is output else x.astype(output.dtype, copy=False)


pool_sums: Any = linear(_pool_sums, input=lambda g, grid, divisor: pool_spread(g, grid, divisor))
pool_spread: Any = linear(_pool_spread, output=lambda g, grid, divisor: pool_sums(g, grid, divisor))
