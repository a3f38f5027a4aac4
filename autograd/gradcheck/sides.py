"""The two ways of computing derivatives that a comparison can put beside differences."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from autograd.dispatch import bare
from autograd.gradcheck.point import Point
from autograd.gradcheck.probes import Directions
from autograd.gradcheck.vectors import Array, reals, shaped_as
from autograd.transforms import jvp

__all__ = ["Forward", "MisfitError", "Reverse", "Side", "push"]


class Side(Protocol):
    """``V J D`` for cotangents ``V`` and directions ``D``, as computed in one mode."""

    def block(self, i: int, o: int, directions: Directions) -> tuple[Array, Array]:
        """The products, and their standard deviations if the Jacobian's entries had random signs."""

    def entry(self, i: int, o: int, v: Array, d: Array) -> float:
        """``vᵀ J d`` for one output and one input."""


class Reverse:
    """``Jᵀ v`` from the recorded graph."""

    def __init__(self, point: Point) -> None:
        self.point = point

    def block(self, i: int, o: int, directions: Directions) -> tuple[Array, Array]:
        part = self.point.map.slices[i]
        rows = self.point.pulled[o][:, part] * self.point.scales[part]
        return directions.probes.times(rows.T).T, directions.probes.norms(rows.T).T

    def entry(self, i: int, o: int, v: Array, d: Array) -> float:
        return float(self.point.run.pull_vector(o, v) @ d)


class Forward:
    """``J d`` by dual numbers."""

    def __init__(self, point: Point) -> None:
        self.point = point
        self._last: tuple[Directions | None, Array] = (None, np.empty(0))

    def block(self, i: int, o: int, directions: Directions) -> tuple[Array, Array]:
        if self._last[0] is not directions:  # the same for every output
            columns = [push(self.point, directions[k]) for k in range(len(directions))]
            self._last = directions, np.array(columns, self.point.map.work).reshape(len(columns), -1).T
        pushed = self._last[1][self.point.outputs[o]]
        probes = self.point.cotangents[o]
        return probes.times(pushed), probes.norms(pushed)

    def entry(self, i: int, o: int, v: Array, d: Array) -> float:
        return float(v @ push(self.point, d)[self.point.outputs[o]])


def push(point: Point, d: Array) -> Array:
    """``J d`` by forward mode, for a real direction; raises TypeError for tangents that do not fit the outputs."""
    free = [i for i in range(len(point.arrays)) if i not in point.problem.fixed]
    primals = [point.arrays[i] for i in free]
    tangents = [shaped_as(d[point.map.slices[i]], point.arrays[i]) for i in free]

    def restricted(*values: object) -> list[object]:
        full: list[object] = list(point.arrays)
        for i, value in zip(free, values, strict=True):
            full[i] = value
        return point.function(full)

    _, slopes = jvp(restricted, primals, tangents)
    for o, (y, t) in enumerate(zip(point.run.values, slopes, strict=True)):
        if np.shape(t) != y.shape or bare(t).dtype != y.dtype:
            raise MisfitError(f"tangent {np.shape(t)} {bare(t).dtype} for {point.output(o)} {y.shape} {y.dtype}")
    return np.concatenate([reals(bare(t)) for t in slopes])


class MisfitError(Exception):
    """A tangent of another shape or dtype than its output."""
