"""The entry of a large Jacobian at which a sample went wrong, by bisection."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from autograd.gradcheck.differences import slope
from autograd.gradcheck.point import Point
from autograd.gradcheck.sides import Side
from autograd.gradcheck.vectors import Array

__all__ = ["bisected", "only", "worst_entry"]


def bisected(indices: Array, error: Callable[[Array], float]) -> int:
    """An index that accounts for the error: the half with more of it is kept, again and again."""
    while len(indices) > 1:
        halves = np.array_split(indices, 2)
        indices = max(halves, key=error)
    return int(indices[0])


def only(vector: Array, indices: Array) -> Array:
    """``vector`` with zeros everywhere but at ``indices``."""
    part = np.zeros_like(vector)
    part[indices] = vector[indices]
    return part


def worst_entry(point: Point, side: Side, i: int, o: int, v: Array, d: Array) -> tuple[str, float, float, float] | None:
    """Place, analytic and numerical value and relative error of a wrong entry, where ``vᵀ J d`` is wrong.

    None where the error cannot be pinned on one.
    """
    span, part = point.outputs[o], point.map.slices[i]

    def numerical(direction: Array) -> Array:
        return slope(point.map, point.map.x, direction, point.step, point.map.noise)[0][span]

    def along(indices: Array) -> float:
        direction = only(d, indices)
        return abs(side.entry(i, o, v, direction) - float(v @ numerical(direction)))

    def across(indices: Array) -> float:
        cotangent = only(v, indices)
        return abs(side.entry(i, o, cotangent, unit) - float(cotangent @ column))

    k = bisected(part.start + np.flatnonzero(d[part]), along)
    unit = np.zeros_like(d)
    unit[k] = point.scales[k]
    column = numerical(unit)
    row = bisected(np.flatnonzero(v), across)
    a, n = side.entry(i, o, np.eye(1, len(v), row)[0], unit), float(column[row])
    size = max(abs(a), abs(n))
    if not abs(a - n) > point.rtol * size + point.block * np.max(np.abs(column)) or not np.isfinite(size):
        return None
    scale = float(point.scales[k])
    return point.place(i, o, row, k - part.start), a / scale, n / scale, abs(a - n) / size
