"""Convolution over any number of axes, and its two transposes.

The geometry is exact: along each axis ``side + before + after = (windows − 1)·stride + (taps − 1)·dilation + 1``,
where ``(before, after)`` is the padding and negative padding takes entries away. So any two of the three sides
give the third, and the three operations, each linear in both of its arguments, are each other's derivatives.

Each is a matrix product with the columns of the input, one column for each window (im2col; Chellapilla, Puri &
Simard 2006). Columns are made for a few samples or rows at a time, in a buffer that stays in the cache, and made
again in the reverse pass rather than kept. Sums of products are exact up to the rounding of their dtype;
float16 is summed in float32.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from autograd import primitive
from autograd.declare import linear
from autograd.elementwise import conjugated

__all__ = ["convolve", "convolve_transpose", "convolve_weight", "windows"]

COLUMN_BYTES = 1 << 21  # of columns at once: enough for fast products, and they stay in the cache
WASTE = 1.5  # how many times the products may grow for columns that are copied in long runs
SMALL = 10**6  # multiplications in a product that OpenBLAS computes without repacking: for few channels twice as fast
STRIP = 1024  # positions that such a product has to have to be worth a call

Sides = tuple[int, ...]
Pairs = tuple[tuple[int, int], ...]


class Windows:
    """The places of a kernel over samples of one shape, and how they lie in memory.

    Attributes
    ----------
    counts : windows along each axis
    padded : sides of a padded sample
    positions : the axes of a sample's columns. With stride 1, if ``runs`` are wanted, that is one axis which runs
        through the padded sample without a break, also over places where the kernel would wrap around a side:
        copies of long runs are fast, and what the extra columns give is left out. Otherwise it is ``counts``.
    """

    def __init__(
        self, sides: Sides, kernel: Sides, stride: Sides, padding: Pairs, dilation: Sides, runs: bool = True
    ) -> None:
        self.kernel = kernel
        self.pads = any(pair != (0, 0) for pair in padding)
        self.padded = tuple(n + a + b for n, (a, b) in zip(sides, padding, strict=True))
        ends = list(zip(sides, self.padded, padding, strict=True))
        self._inner = (..., *(slice(max(a, 0), p - max(b, 0)) for _, p, (a, b) in ends))
        self._kept = (..., *(slice(max(-a, 0), n - max(-b, 0)) for n, _, (a, b) in ends))
        spans = (d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
        self.counts = tuple((p - n) // s + 1 for p, n, s in zip(self.padded, spans, stride, strict=True))
        steps = _steps(self.padded)
        self.tap_steps = tuple(d * step for d, step in zip(dilation, steps, strict=True))
        run = sum((m - 1) * step for m, step in zip(self.counts, steps, strict=True)) + 1
        if runs and set(stride) == {1} and run <= WASTE * prod(self.counts):
            self.positions: Sides = (run,)
            self.position_steps: Sides = (1,)
            self.count_steps = steps
        else:
            self.positions = self.counts
            self.position_steps = tuple(s * step for s, step in zip(stride, steps, strict=True))
            self.count_steps = _steps(self.counts)

    def blocks(self, samples: int, column_bytes: int) -> tuple[int, int]:
        """How many samples, and how many entries of the first position axis, to make columns of at once."""
        at_once = min(samples, COLUMN_BYTES // (column_bytes * prod(self.positions)))
        if at_once:
            return at_once, self.positions[0]
        return 1, max(1, COLUMN_BYTES // (column_bytes * prod(self.positions[1:])))

    def taps(self, padded: Any) -> Any:
        """A view (channels, *kernel, samples, *positions) of padded samples (samples, channels, *padded)."""
        sample, channel = prod(padded.shape[1:]), prod(padded.shape[2:])
        steps = (channel, *self.tap_steps, sample, *self.position_steps)
        shape = (padded.shape[1], *self.kernel, padded.shape[0], *self.positions)
        return _view(padded, shape, steps)

    def counted(self, array: Any) -> Any:
        """A view (samples, channels, *counts) of values (channels, samples, *positions)."""
        channels, samples = array.shape[:2]
        each = prod(self.positions)
        return _view(array, (samples, channels, *self.counts), (each, samples * each, *self.count_steps))

    def inner(self, padded: Any) -> Any:
        """What of padded samples comes from the samples."""
        return padded[self._inner]

    def kept(self, x: Any) -> Any:
        """What of samples remains where the padding is negative."""
        return x[self._kept]

    def columns(self, x: Any, groups: int, dtype: Any) -> Iterator[tuple[slice, Iterator[tuple[slice, Any]]]]:
        """For some samples after others their slice, and parts of their columns.

        Parts are (slice of all positions, matrices (groups, channels per group · taps, positions of the part)).
        """
        channels = x.shape[1]
        height = channels * prod(self.kernel)
        at_once, rows = self.blocks(len(x), height * dtype.itemsize)
        padded = None
        if self.pads:
            padded = np.zeros((at_once, channels, *self.padded), dtype)
            x = self.kept(x)
        buffer = np.empty(height * at_once * rows * prod(self.positions[1:]), dtype)
        for first in range(0, len(x), at_once):
            some = slice(first, first + at_once)
            part = x[some]
            if padded is None:
                taps = self.taps(np.ascontiguousarray(part, dtype))
            else:
                self.inner(padded[: len(part)])[...] = part
                taps = self.taps(padded[: len(part)])
            yield some, self._parts(taps, rows, buffer, groups)

    def _parts(self, taps: Any, rows: int, buffer: Any, groups: int) -> Iterator[tuple[slice, Any]]:
        for at, part in self.rows(taps, rows):
            columns = buffer[: part.size].reshape(part.shape)
            np.copyto(columns, part)
            yield at, columns.reshape(groups, -1, at.stop - at.start)

    def rows(self, taps: Any, rows: int) -> Iterator[tuple[slice, Any]]:
        """Parts of the view ``taps``, and where their positions are among all positions of all samples."""
        rest = (slice(None),) * (len(self.positions) - 1)
        each = taps.shape[-len(self.positions) - 1] * prod(self.positions[1:])
        for first in range(0, self.positions[0], rows):
            last = min(first + rows, self.positions[0])
            yield slice(first * each, last * each), taps[(..., slice(first, last), *rest)]

    def add(self, taps: Any, columns: Any) -> None:
        """Add columns to the view ``taps``, in which windows overlap: one tap after the other."""
        for tap in np.ndindex(*self.kernel):
            taps[:, *tap] += columns[:, *tap]

    def spread(self, values: Any, groups: int, dtype: Any) -> Any:
        """Values (samples, channels, *counts) as matrices (groups, channels per group, positions), 0 in between."""
        samples, channels = values.shape[:2]
        array = np.zeros((channels, samples, *self.positions), dtype)
        self.counted(array)[...] = values
        return array.reshape(groups, channels // groups, -1)


windows = lru_cache(maxsize=512)(Windows)


def _steps(sides: Sides) -> Sides:
    """By how many entries each axis of an array with these sides steps on."""
    return tuple(prod(sides[i + 1 :]) for i in range(len(sides)))


def _view(array: Any, shape: Sides, steps: Sides) -> Any:
    """A view of a contiguous array; raises ValueError should it leave the array's memory."""
    return np.ndarray(shape, array.dtype, array, 0, tuple(step * array.itemsize for step in steps))


def _strips(at: slice, multiplications: int) -> Iterator[tuple[slice, slice]]:
    """The positions ``at`` in parts for small products: slices of all positions and of those of ``at``."""
    count = at.stop - at.start
    width = SMALL // max(1, multiplications)
    if width < STRIP:
        width = count
    for first in range(0, count, width):
        last = min(first + width, count)
        yield slice(at.start + first, at.start + last), slice(first, last)


def _summing(*arrays: Any) -> tuple[Any, Any]:
    """The dtype of a result, and the one to sum in."""
    dtype = np.result_type(*arrays)
    return dtype, np.dtype(np.float32) if dtype == np.float16 else dtype


# ---------------------------------------------------------------------- the three operations


def _convolve(
    input: Any, weight: Any, stride: Sides, padding: Pairs, dilation: Sides, groups: int, bias: Any = None
) -> Any:
    """``out[n, o, m] = b[o] + Σ_c Σ_k w[o, c, k] · x[n, c, m·stride + k·dilation − before]``.

    Of inputs (N, C_in, *sides), weights (C_out, C_in/groups, *taps) and biases (C_out,) or None: windows
    (N, C_out, *counts).
    """
    dtype, summing = _summing(input, weight) if bias is None else _summing(input, weight, bias)
    grid = windows(input.shape[2:], weight.shape[2:], stride, padding, dilation)
    channels = len(weight)
    out = np.empty((len(input), channels, *grid.counts), dtype)
    kernels = np.ascontiguousarray(weight, summing).reshape(groups, channels // groups, prod(weight.shape[1:]))
    shift = 0 if bias is None else bias.reshape(-1, *(1,) * len(grid.counts))
    if not (input.size and weight.size and out.size):
        out[...] = shift
        return out
    for some, parts in grid.columns(input, groups, summing):
        target = out[some]
        result = np.empty((*kernels.shape[:2], len(target) * prod(grid.positions)), summing)
        for at, columns in parts:
            for there, here in _strips(at, kernels[0].size):
                np.matmul(kernels, columns[..., here], out=result[..., there])
        values = grid.counted(result.reshape(channels, len(target), *grid.positions))
        np.add(values, shift, out=target)
    return out


def _convolve_weight(input: Any, output: Any, stride: Sides, padding: Pairs, dilation: Sides, groups: int) -> Any:
    """``w[o, c, k] = Σ_n Σ_m y[n, o, m] · x[n, c, m·stride + k·dilation − before]``: input correlated with output."""
    dtype, summing = _summing(input, output)
    kernel = tuple(
        (n + a + b - 1 - (m - 1) * s) // d + 1
        for n, (a, b), m, s, d in zip(input.shape[2:], padding, output.shape[2:], stride, dilation, strict=True)
    )
    grid = windows(input.shape[2:], kernel, stride, padding, dilation)
    channels = output.shape[1]
    total = np.zeros((groups, input.shape[1] // groups * prod(kernel), channels // groups), summing)
    if input.size and output.size:
        for some, parts in grid.columns(input, groups, summing):
            values = grid.spread(output[some], groups, summing).swapaxes(1, 2)
            for at, columns in parts:
                for there, here in _strips(at, total[0].size):
                    total += np.matmul(columns[..., here], values[:, there])
    return total.swapaxes(1, 2).reshape(channels, input.shape[1] // groups, *kernel).astype(dtype, copy=False)


def _convolve_transpose(output: Any, weight: Any, stride: Sides, padding: Pairs, dilation: Sides, groups: int) -> Any:
    """``x[n, c, i] = Σ_o Σ_k w[o, c, k] · y[n, o, m]`` over all m, k with ``i = m·stride + k·dilation − before``.

    Of outputs (N, C_out, *counts) and weights (C_out, C_in/groups, *taps): inputs (N, C_in, *sides). With stride
    1 that is the full correlation with the kernel turned by 180°, and computed so where it takes no more columns;
    otherwise columns are summed into place.
    """
    spans = tuple(d * (k - 1) for k, d in zip(weight.shape[2:], dilation, strict=True))
    sides = tuple(
        (m - 1) * s - a - b + n + 1 for m, s, (a, b), n in zip(output.shape[2:], stride, padding, spans, strict=True)
    )
    columns_of_output = len(weight) * prod(sides)
    columns_of_input = weight.shape[1] * groups * prod(output.shape[2:])
    if set(stride) == {1} and columns_of_output <= WASTE * columns_of_input:
        around = tuple((n - a, n - b) for n, (a, b) in zip(spans, padding, strict=True))
        return _convolve(output, _turned(weight, groups), stride, around, dilation, groups)
    return _scatter(output, weight, windows(sides, weight.shape[2:], stride, padding, dilation), sides, groups)


def _turned(weight: Any, groups: int) -> Any:
    """Kernels turned by 180° with inputs and outputs exchanged, group by group."""
    channels, per_group, *kernel = weight.shape
    turned = weight[(..., *(slice(None, None, -1),) * len(kernel))]
    turned = turned.reshape(groups, channels // groups, per_group, *kernel).swapaxes(1, 2)
    return turned.reshape(groups * per_group, channels // groups, *kernel)


def _scatter(output: Any, weight: Any, grid: Windows, sides: Sides, groups: int) -> Any:
    dtype, summing = _summing(output, weight)
    channels = weight.shape[1] * groups
    x = np.zeros((len(output), channels, *sides), dtype)
    if not (output.size and weight.size and x.size):
        return x
    height = channels * prod(grid.kernel)
    kernels = weight.astype(summing, copy=False).reshape(groups, len(weight) // groups, -1).swapaxes(1, 2)
    at_once, rows = grid.blocks(len(output), height * summing.itemsize)
    for first in range(0, len(output), at_once):
        some = slice(first, first + at_once)
        values = grid.spread(output[some], groups, summing)
        padded = np.zeros((values.shape[2] // prod(grid.positions), channels, *grid.padded), summing)
        for at, taps in grid.rows(grid.taps(padded), rows):
            grid.add(taps, np.matmul(kernels, values[..., at]).reshape(taps.shape))
        grid.kept(x[some])[...] = grid.inner(padded)
    return x


def _tangent(
    t: Any, input: Any, weight: Any, out: Any, stride: Sides, padding: Pairs, dilation: Sides, groups: int
) -> Any:
    to_input, to_weight, to_bias = t
    terms = []
    if to_input is not None:
        terms.append(convolve(to_input, weight, stride, padding, dilation, groups))
    if to_weight is not None:
        terms.append(convolve(input, to_weight, stride, padding, dilation, groups))
    if to_bias is not None:
        terms.append(np.broadcast_to(np.reshape(to_bias, (-1, *(1,) * (len(out.shape) - 2))), out.shape))
    return sum(terms[1:], terms[0])


def _over_windows(g: Any) -> Any:
    """Sums over samples and windows, one for each channel; the engine rounds those of float16."""
    rows = np.reshape(g, (*g.shape[:2], prod(g.shape[2:])))
    return np.sum(np.sum(rows, axis=2, dtype=_summing(g)[1]), axis=0)


convolve: Any = primitive(
    _convolve,
    vjp={
        "input": lambda g, weight, stride, padding, dilation, groups: convolve_transpose(
            g, conjugated(weight), stride, padding, dilation, groups
        ),
        "weight": lambda g, input, stride, padding, dilation, groups: convolve_weight(
            conjugated(input), g, stride, padding, dilation, groups
        ),
        "bias": _over_windows,
    },
    jvp=_tangent,
    autocast="half",
)

convolve_weight: Any = linear(
    _convolve_weight,
    input=lambda g, output, stride, padding, dilation, groups: convolve_transpose(
        conjugated(output), g, stride, padding, dilation, groups
    ),
    output=lambda g, input, stride, padding, dilation, groups: convolve(
        conjugated(input), g, stride, padding, dilation, groups
    ),
)

convolve_transpose: Any = linear(
    _convolve_transpose,
    output=lambda g, weight, stride, padding, dilation, groups: convolve(
        g, conjugated(weight), stride, padding, dilation, groups
    ),
    weight=lambda g, output, stride, padding, dilation, groups: convolve_weight(
        g, conjugated(output), stride, padding, dilation, groups
    ),
    autocast="half",
)
