"""Derivatives computed in one mode beside differences: ``vᵀ J d`` from both, and a verdict on each block.

Directions ``d`` are scaled by the inputs' own size, and every tolerance is relative to the derivatives
compared, so gradients of 1e-9 are checked as strictly as gradients of 1.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from autograd.gradcheck.causes import cause
from autograd.gradcheck.complex_step import complex_step
from autograd.gradcheck.differences import RUNGS, Slope, extrapolated, has_kink, one_sided, slope, slopes
from autograd.gradcheck.evidence import TINY, Evidence, Interval
from autograd.gradcheck.locate import worst_entry
from autograd.gradcheck.point import Point
from autograd.gradcheck.probes import Directions
from autograd.gradcheck.report import Finding, Grid
from autograd.gradcheck.sides import Side
from autograd.gradcheck.vectors import Array

__all__ = ["compare", "explained"]

NEARBY = (0.59, 0.73, 0.91)
LONG = (2**6, 2**7)  # multiples of the first step
MASKED = 4  # directions to look at again where rounding alone would excuse the difference


def compare(point: Point, side: Side, i: int) -> list[Finding]:
    """Findings about input ``i``, one for each output."""
    directions = point.directions(i)
    numerical, floor = np.empty((2, point.map.y.size, len(directions)), point.map.work)
    for k in range(len(directions)):
        numerical[:, k], floor[:, k] = slope(point.map, point.map.x, directions[k], point.step, point.map.noise)
    return [
        Block(point, side, i, o, directions, numerical[span], floor[span]).finding()
        for o, span in enumerate(point.outputs)
    ]


class Block:
    """The derivatives of one output with respect to one input: ``a`` analytic, ``n`` numerical."""

    def __init__(
        self, point: Point, side: Side, i: int, o: int, directions: Directions, numerical: Array, floor: Array
    ) -> None:
        self.point, self.side, self.i, self.o = point, side, i, o
        self.directions, self.probes, self.span = directions, point.cotangents[o], point.outputs[o]
        self.a, sizes = side.block(i, o, directions)
        self.n = self.probes.times(numerical)
        self.sizes = np.maximum(sizes, self.probes.norms(numerical))
        finite = np.where(np.isfinite(self.n), np.abs(self.n), 0.0)
        rows = np.max(finite, axis=1, initial=0.0)  # outputs may differ by orders of magnitude
        self.overall = float(np.max(rows, initial=0.0))
        self.largest = np.where(rows > 0, rows, self.overall)
        self.floor = 4 * self.probes.norms(floor)

    def finding(self) -> Finding:
        """The verdict, from the most suspicious direction on."""
        point = self.point
        if not self.a.size:
            return Finding(point.subject(self.i, self.o), "ok")
        strict = point.rtol * self.sizes + point.block * self.largest[:, None] + point.atol
        difference = np.abs(self.a - self.n)
        error = np.nan_to_num(difference / np.where(self.sizes > 0, self.sizes, 1.0), nan=np.inf)
        suspect = np.where(difference <= strict + self.floor, -1.0, error).max(axis=0)
        for column in np.argsort(-suspect).tolist():
            if suspect[column] < 0:
                break
            verdict = self._judged(column)
            if verdict != "ok":
                return self._finding(verdict, column)
        masked = np.where(difference <= strict, -1.0, error).max(axis=0)
        masked[suspect >= 0] = -1.0
        for column in np.argsort(-masked)[:MASKED].tolist():
            if masked[column] > 0 and self._is_contradicted(column):
                return self._finding("wrong", column)
        return self._finding("ok", int(np.argmax(self._error().max(axis=0))))

    def _error(self) -> Array:
        """The error relative to the derivative, or to one that rounding could hide where that is larger."""
        sizes = np.maximum(self.sizes, self.floor / max(self.point.rtol, TINY))
        error = np.abs(self.a - self.n) / np.where(sizes > 0, sizes, 1.0)
        error[np.isnan(error)] = np.inf
        return error

    def _judged(self, column: int) -> str:
        """The verdict on one direction; the measurement that decided takes the first one's place."""
        verdict, better, doubt = self._judge(self.a[:, column], self.directions[column])
        known = np.isfinite(better)
        self.n[:, column] = np.where(known, better, self.n[:, column])
        self.floor[:, column] = np.where(known, doubt, self.floor[:, column]) if verdict == "ok" else 0.0
        return verdict

    def _is_contradicted(self, column: int) -> bool:
        """Whether much longer steps, which rounding troubles less, agree with each other and not with the gradient."""
        point, a, d = self.point, self.a[:, column], self.directions[column]
        clear = np.ones(a.shape, bool)
        values = []
        for rung in LONG:
            value, error, floor = extrapolated(point.map, point.map.x, d, point.step * rung, point.map.noise)
            values.append(self.probes.times(value[self.span]))
            doubt = np.maximum(self.probes.norms(floor[self.span]), self.probes.norms(error[self.span]))
            clear &= np.abs(values[-1]) > 5 * doubt
        near, far = values
        clear &= np.abs(self.n[:, column] - far) <= self.floor[:, column]  # else the first steps contradict in turn
        clear &= (np.abs(near - far) < 0.2 * np.abs(far)) & (np.abs(a - far) > 0.5 * np.abs(far))
        self.n[:, column] = np.where(clear, far, self.n[:, column])
        self.floor[:, column] = np.where(clear, 0.0, self.floor[:, column])
        return bool(clear.any())

    def _judge(self, a: Array, d: Array) -> tuple[str, Array, Array]:
        """The verdict on one direction, its slopes and their doubt, after trying smaller and larger steps."""
        point = self.point
        point.look_for_noise()
        allowed = partial(self._allowed, a)
        evidence = Evidence(a, allowed, self.largest, self.overall, point.rtol, point.block)
        for rung, found in enumerate(slopes(point.map, point.map.x, d, point.step, point.map.noise)):
            evidence.add(self._seen(rung, found))
            if evidence.settled.all():
                break
        passed, best, doubts = evidence.passed, evidence.best, evidence.doubts
        if passed.all():
            return "ok", best, doubts
        kinked, subgradient = self._kinks(a, d)
        wrong = evidence.failed & ~kinked
        if wrong.any():
            unsteady = np.abs(a - best) <= 2 * self._spread(d, best, evidence.rungs, wrong)
            if (wrong & ~unsteady).any():
                return "wrong", best, doubts
        if (kinked & ~passed).any():
            return ("ok" if point.allow_kinks and (subgradient | passed).all() else "kink"), best, doubts
        stepped = complex_step(point, d)
        if stepped is not None:
            n = self.probes.times(stepped[self.span])
            if (passed | (np.abs(a - n) <= allowed(self.probes.norms(stepped[self.span])))).all():
                return "ok", n, np.zeros_like(a)
        return "uncertain", best, doubts

    def _seen(self, rung: int, found: Slope) -> Interval:
        """Slopes of all outputs as this block's probes see them."""
        value, error, floor = (x[self.span] for x in found)
        norms = self.probes.norms
        return Interval(rung, self.probes.times(value), norms(error), norms(floor), norms(value))

    def _spread(self, d: Array, best: Array, chosen: Array, wrong: Array) -> Array:
        """How far the slopes move when the steps that were chosen change a little.

        Values that are coarse without showing it, after a large constant was added and taken off again,
        give slopes that agree with their own error estimate and not with each other.
        """
        point, spread = self.point, np.zeros_like(best)
        for k in np.unique(chosen[wrong]):
            low, high = best, best
            for part in NEARBY:
                value = extrapolated(point.map, point.map.x, d, point.step * RUNGS[k] * part, point.map.noise).value
                n = self.probes.times(value[self.span])
                low, high = np.minimum(low, n), np.maximum(high, n)
            spread = np.where(chosen == k, np.nan_to_num(high - low, nan=0.0), spread)
        return spread

    def _allowed(self, a: Array, size: Array) -> Array:
        point = self.point
        # Values that do not move at all may only be too coarse: then to the size of all outputs' derivatives.
        largest = np.where(size > 0, self.largest, self.overall)
        allowed: Array = point.rtol * np.maximum(np.abs(a), size) + point.block * largest + point.atol
        return allowed

    def _kinks(self, a: Array, d: Array) -> tuple[Array, Array]:
        """Which entries may be blamed on a kink, and which of them are between the slopes of its two sides."""
        point, probes = self.point, self.probes
        projected = lambda x: probes.times(point.map(x)[self.span])
        h = point.step / 256
        left, right = one_sided(projected, point.map.x, d, h)
        slack = 1e-2 * np.maximum(np.abs(left), np.abs(right))
        between = (a >= np.minimum(left, right) - slack) & (a <= np.maximum(left, right) + slack)
        kinked = has_kink(projected, point.map.x, d, h, probes.norms(point.map.noise[self.span]))
        edge = ~np.isfinite(left) | ~np.isfinite(right)
        return kinked & (between | edge), kinked & between

    def _finding(self, verdict: str, column: int) -> Finding:
        """The report's line, at the worst row of ``column``."""
        point, i, o = self.point, self.i, self.o
        row = int(np.argmax(self._error()[:, column]))
        columnwise, rowwise = self.directions.probes.rows is None, self.probes.rows is None
        part = point.map.slices[i]
        unit = point.scales[part] if columnwise else np.ones(self.a.shape[1])
        a, n = self.a / unit, self.n / unit
        whole = columnwise and rowwise
        why = explained(point, i, a, n, whole=whole) if verdict in ("wrong", "uncertain") else ""
        error = self._error()
        if whole:
            place = point.place(i, o, row, column)
            numbers = float(a[row, column]), float(n[row, column]), float(error[row, column])
            grid = Grid.of(a, n, error, point.arrays[i])
            return Finding(point.subject(i, o), verdict, place, *numbers, why, grid)
        if verdict == "wrong":
            v = np.eye(self.a.shape[0])[row] if rowwise else self.probes.rows[row]  # type: ignore[index]
            found = worst_entry(point, self.side, i, o, v, self.directions[column])
            if found is not None:
                return Finding(point.subject(i, o), verdict, *found, why)
        place = f"direction {column}, cotangent {row}"
        numbers = float(a[row, column]), float(n[row, column]), float(error[row, column])
        return Finding(point.subject(i, o), verdict, place, *numbers, why)


def explained(point: Point, i: int, a: Array, n: Array, *, whole: bool) -> str:
    """The likely cause of a difference in the derivatives by input ``i``."""
    like = point.arrays[i]
    pairs = like.dtype.kind == "c"
    shape = like.shape + ((2,) if pairs else ())
    lengths = {m for array in (*point.arrays, *point.run.values) for m in (*array.shape, array.size)}
    return cause(a, n, shape, lengths, whole=whole, pairs=pairs)
