"""Axes joined and split."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from nn.module import Module

__all__ = ["Flatten", "Unflatten"]


class Flatten(Module):
    """Axes ``start_dim`` to ``end_dim`` as one; by default all but the batch. Raises ValueError for axes not there."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Any) -> Any:
        shape = np.shape(input)
        ndim = max(1, len(shape))
        first, last = (d + ndim if d < 0 else d for d in (self.start_dim, self.end_dim))
        if not 0 <= first <= last < ndim:
            raise ValueError(f"Flatten({self.start_dim}, {self.end_dim}) of an input of shape {shape}")
        return np.reshape(input, (*shape[:first], prod(shape[first : last + 1]), *shape[last + 1 :]))

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Axis ``dim`` as several of the lengths ``unflattened_size``, one of which may be -1.

    Raises ValueError where the lengths do not make up the axis, or it is not there.
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        super().__init__()
        self.dim = dim
        self.unflattened_size = tuple(unflattened_size)

    def forward(self, input: Any) -> Any:
        shape, sizes = np.shape(input), self.unflattened_size
        axis = self.dim + len(shape) if self.dim < 0 else self.dim
        if not 0 <= axis < len(shape):
            raise ValueError(f"Unflatten(dim={self.dim}) of an input of shape {shape}")
        if sizes.count(-1) == 1:
            others = prod(n for n in sizes if n != -1)
            sizes = tuple(shape[axis] // max(1, others) if n == -1 else n for n in sizes)
        if prod(sizes) != shape[axis]:
            raise ValueError(f"an axis of length {shape[axis]} cannot become {self.unflattened_size}")
        return np.reshape(input, (*shape[:axis], *sizes, *shape[axis + 1 :]))

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
