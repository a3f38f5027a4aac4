"""Windows of a batch of images as columns, and columns summed back into images."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from autograd.declare import linear
from autograd.dispatch import Differentiable
from nn._windows import Pairs, Sides, windows
from nn.convolution import sides_of
from nn.module import Module

__all__ = ["Fold", "Unfold", "fold", "unfold"]


def _window_columns(input: Any, kernel: Sides, stride: Sides, padding: Pairs, dilation: Sides) -> Any:
    """Columns (N, C · taps, windows) of images (N, C, *sides)."""
    grid = windows(input.shape[2:], kernel, stride, padding, dilation, False)
    samples, channels = input.shape[:2]
    columns = np.empty((samples, channels, *kernel, *grid.counts), input.dtype)
    if columns.size:
        padded = np.zeros((samples, channels, *grid.padded), input.dtype)
        grid.inner(padded)[...] = input
        columns[...] = np.moveaxis(grid.taps(padded), 1 + len(kernel), 0)
    return columns.reshape(samples, channels * prod(kernel), prod(grid.counts))


def _window_sums(columns: Any, sides: Sides, kernel: Sides, stride: Sides, padding: Pairs, dilation: Sides) -> Any:
    """The transpose of ``_window_columns``: every entry is the sum of what the columns have in its place."""
    grid = windows(sides, kernel, stride, padding, dilation, False)
    samples, channels = len(columns), columns.shape[1] // prod(kernel)
    padded = np.zeros((samples, channels, *grid.padded), columns.dtype)
    if columns.size:
        separate = columns.reshape(samples, channels, *kernel, *grid.counts)
        grid.add(grid.taps(padded), np.moveaxis(separate, 0, 1 + len(kernel)))
    return np.ascontiguousarray(grid.inner(padded))


window_columns: Any = linear(
    _window_columns,
    input=lambda g, kernel, stride, padding, dilation, input_shape: window_sums(
        g, input_shape[2:], kernel, stride, padding, dilation
    ),
)
window_sums: Any = linear(
    _window_sums,
    columns=lambda g, kernel, stride, padding, dilation: window_columns(g, kernel, stride, padding, dilation),
)


def _arguments(name: str, kernel: Any, dilation: Any, padding: Any, stride: Any) -> tuple[Sides, Sides, Sides, Sides]:
    return (
        sides_of(name, "kernel_size", kernel, 2, 1),
        sides_of(name, "dilation", dilation, 2, 1),
        sides_of(name, "padding", padding, 2, 0),
        sides_of(name, "stride", stride, 2, 1),
    )


def _counts(name: str, sides: Sides, kernel: Sides, dilation: Sides, padding: Sides, stride: Sides) -> Sides:
    counts = tuple(
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, d, p, s in zip(sides, kernel, dilation, padding, stride, strict=True)
    )
    if min(counts) < 1:
        raise ValueError(
            f"{name}(): ⌊(W + 2P − D·(K − 1) − 1)/S⌋ + 1 gives {counts} windows for sides {sides}, kernel {kernel}, "
            f"dilation {dilation}, padding {padding} and stride {stride}"
        )
    return counts


def unfold(input: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """The windows that a convolution sees, as columns.

    Images (N, C, H, W) or (C, H, W) give columns (N, C·K_h·K_w, L) or (C·K_h·K_w, L): entry (c, k, l) of window
    (i, j) is ``x[c, i·S + k·D − P, j·S + l·D − P]``, with zeros outside. Raises ValueError for other shapes and
    kernels larger than the padded image.
    """
    input = input if isinstance(input, Differentiable) else np.asarray(input)
    if len(input.shape) not in (3, 4):
        raise ValueError(f"unfold() takes images (N, C, H, W) or (C, H, W); got shape {input.shape}")
    if len(input.shape) == 3:
        return unfold(input[None], kernel_size, dilation, padding, stride)[0]
    kernel, dilation, padding, stride = _arguments("unfold", kernel_size, dilation, padding, stride)
    _counts("unfold", input.shape[2:], kernel, dilation, padding, stride)
    return window_columns(input, kernel, stride, tuple((p, p) for p in padding), dilation)


def fold(input: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """Columns as :func:`unfold` makes them, summed in their places: its transpose, not its inverse.

    Columns (N, C·K_h·K_w, L) or (C·K_h·K_w, L) give images (N, C, H, W) or (C, H, W) of ``output_size`` (H, W).
    Raises ValueError for shapes that do not fit.
    """
    input = input if isinstance(input, Differentiable) else np.asarray(input)
    if len(input.shape) not in (2, 3):
        raise ValueError(f"fold() takes columns (N, C·K_h·K_w, L) or (C·K_h·K_w, L); got shape {input.shape}")
    if len(input.shape) == 2:
        return fold(input[None], output_size, kernel_size, dilation, padding, stride)[0]
    sides = sides_of("fold", "output_size", output_size, 2, 1)
    kernel, dilation, padding, stride = _arguments("fold", kernel_size, dilation, padding, stride)
    counts = _counts("fold", sides, kernel, dilation, padding, stride)
    if input.shape[1] % prod(kernel) or input.shape[2] != prod(counts):
        raise ValueError(
            f"fold() into {sides} with kernel {kernel} takes columns of a multiple of {prod(kernel)} entries for "
            f"{counts[0]} · {counts[1]} = {prod(counts)} windows; got shape {input.shape}"
        )
    return window_sums(input, sides, kernel, stride, tuple((p, p) for p in padding), dilation)


class Unfold(Module):
    """:func:`unfold` as a module."""

    def __init__(self, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Any) -> Any:
        return unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, stride={self.stride}"


class Fold(Module):
    """:func:`fold` as a module."""

    def __init__(
        self, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
    ) -> None:
        super().__init__()
        self.output_size = output_size
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input: Any) -> Any:
        return fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return (
            f"output_size={self.output_size}, kernel_size={self.kernel_size}, dilation={self.dilation}, "
            f"padding={self.padding}, stride={self.stride}"
        )
