"""A Jacobian from both sides: ``vᵀ J d`` by reverse mode, and by differences.

Directions ``d`` are scaled by the inputs' own size, and every tolerance is relative to the derivatives
compared, so gradients of 1e-9 are checked as strictly as gradients of 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from autograd.gradcheck.differences import has_kink, one_sided, slope, slopes
from autograd.gradcheck.report import Finding, cause
from autograd.gradcheck.vectors import Array, Function, Map, Run, count, slices_of, width
from autograd.graph import no_grad

__all__ = ["Check", "index_of"]

WHOLE = 4096  # entries up to which a Jacobian is compared whole
RANDOM, SINGLE = 6, 6  # random vectors and single coordinates for each array of a larger one
TINY = np.finfo(np.float64).tiny


class Tolerance(NamedTuple):
    """Relative to the entry, and relative to the largest entry of its block."""

    entry: float
    block: float


TOLERANCES = {8: Tolerance(1e-6, 1e-12), 4: Tolerance(2e-3, 1e-4), 2: Tolerance(5e-2, 2e-2)}
LINEAR = {8: 1e-9, 4: 1e-3, 2: 5e-2}  # between ways of computing the same thing


class Probes(NamedTuple):
    """Rows to multiply a Jacobian with; None for the identity."""

    rows: Array | None

    def times(self, matrix: Array) -> Array:
        return matrix if self.rows is None else self.rows @ matrix

    def norms(self, matrix: Array) -> Array:
        """Standard deviation of ``times`` for terms of random sign."""
        return np.abs(matrix) if self.rows is None else np.sqrt(self.rows**2 @ matrix**2)


@dataclass(frozen=True)
class Directions:
    """Directions within one input, scaled by its components; made one at a time."""

    probes: Probes
    part: slice
    scales: Array

    def __getitem__(self, k: int) -> Array:
        d = np.zeros_like(self.scales)
        if self.probes.rows is None:
            d[self.part.start + k] = self.scales[self.part.start + k]
        else:
            d[self.part] = self.probes.rows[k] * self.scales[self.part]
        return d


def make_probes(size: int, whole: bool, rng: np.random.Generator) -> Probes:
    if whole:
        return Probes(None)
    single = min(SINGLE, size)
    rows = np.zeros((RANDOM + single, size))
    rows[:RANDOM] = rng.standard_normal((RANDOM, size))
    rows[np.arange(RANDOM, RANDOM + single), rng.choice(size, single, replace=False)] = 1.0
    return Probes(rows)


class Check:
    """One function at one point: what is computed once, and the comparisons made of it.

    ``hidden`` is the size of the terms that may have cancelled in each value, where that is known.
    """

    def __init__(
        self,
        function: Function,
        arrays: Sequence[Array],
        rng: np.random.Generator,
        hidden: Array | None,
        eps: float | None,
        rtol: float | None,
        atol: float | None,
        allow_kinks: bool,
    ) -> None:
        self.function, self.arrays, self.rng, self.allow_kinks = function, arrays, rng, allow_kinks
        self.before = [a.copy() for a in arrays]
        self.run = Run(function, arrays)
        with no_grad():
            self.map = Map(function, arrays)
        if hidden is not None:
            self.map.noise = np.maximum(self.map.noise, self.map.eps * hidden)
        self.step = self.map.step if eps is None else eps
        widths = [width(a.dtype) for a in (*arrays, *self.run.values)]
        widths.append(width(self.map.precision))
        tolerance = TOLERANCES[min(widths)]
        self.rtol = tolerance.entry if rtol is None else rtol
        self.block = tolerance.block
        self.atol = 0.0 if atol is None else atol
        self.same = LINEAR[min(widths)]
        self.outputs = slices_of(self.run.values)
        if self.map.y.size != self.outputs[-1].stop:
            raise ValueError(
                f"the function returned {self.outputs[-1].stop} numbers where a gradient is recorded, "
                f"and {self.map.y.size} where none is"
            )
        self.whole = self.map.x.size * self.map.y.size <= WHOLE
        with no_grad():
            self.scales = self.map.scales(self.step)
        self.pulled: list[tuple[Probes, Array]] = []  # for each output: cotangents, and what they give

    def rounding(self) -> float:
        """What is left of a derivative along a scaled direction where larger terms cancel in it."""
        return 100 * float(np.linalg.norm(self.map.noise))

    def pull_all(self) -> None:
        for o, value in enumerate(self.run.values):
            probes = make_probes(count(value), self.whole, self.rng)
            rows = np.eye(count(value)) if probes.rows is None else probes.rows
            given = [self.run.pull_vector(o, v) for v in rows]
            pulled = np.array(given, self.map.work).reshape(len(given), self.map.x.size)
            self.pulled.append((probes, pulled))

    def compare(self, i: int) -> list[Finding]:
        """Findings about input ``i``, one for each output."""
        part = self.map.slices[i]
        probes = make_probes(part.stop - part.start, self.whole, self.rng)
        columns = part.stop - part.start if probes.rows is None else len(probes.rows)
        directions = Directions(probes, part, self.scales)
        numerical, floor = np.empty((2, self.map.y.size, columns), self.map.work)
        for k in range(columns):
            numerical[:, k], floor[:, k] = slope(self.map, self.map.x, directions[k], self.step, self.map.noise)
        return [self._block(i, o, directions, numerical[span], floor[span]) for o, span in enumerate(self.outputs)]

    def _block(self, i: int, o: int, directions: Directions, numerical: Array, floor: Array) -> Finding:
        probes, pulled = self.pulled[o]
        rows = pulled[:, self.map.slices[i]] * self.scales[self.map.slices[i]]
        a, n = directions.probes.times(rows.T).T, probes.times(numerical)
        if not a.size:
            return Finding(self._subject(i, o), "ok")
        sizes = np.maximum(directions.probes.norms(rows.T).T, probes.norms(numerical))
        finite = np.abs(n[np.isfinite(n)])
        largest = float(finite.max()) if finite.size else 0.0
        tolerance = self.rtol * sizes + self.block * largest + self.atol + 4 * probes.norms(floor)
        difference = np.abs(a - n)
        error = difference / np.where(sizes > 0, sizes, 1.0)
        error[np.isnan(error)] = np.inf
        suspect = np.where(difference <= tolerance, -1.0, error).max(axis=0)
        for column in np.argsort(-suspect).tolist():
            if suspect[column] < 0:
                break
            verdict, better = self._judge(a[:, column], directions[column], probes, self.outputs[o], largest)
            n[:, column] = np.where(np.isfinite(better), better, n[:, column])
            error[:, column] = np.abs(a[:, column] - n[:, column]) / np.where(sizes > 0, sizes, 1.0)[:, column]
            error[np.isnan(error)] = np.inf
            if verdict != "ok":
                return self._finding(i, o, verdict, a, n, error, column)
        return self._finding(i, o, "ok", a, n, error, int(np.argmax(error.max(axis=0))))

    def _finding(self, i: int, o: int, verdict: str, a: Array, n: Array, error: Array, column: int) -> Finding:
        """The report's line on a block, at the worst row of ``column``."""
        unit = self.scales[self.map.slices[i]] if self.whole else np.ones(a.shape[1])
        a, n = a / unit, n / unit
        row = int(np.argmax(error[:, column]))
        why = ""
        if verdict in ("wrong", "uncertain"):
            like = self.arrays[i]
            pairs = like.dtype.kind == "c"
            shape = like.shape + ((2,) if pairs else ())
            lengths = {m for array in (*self.arrays, *self.run.values) for m in (*array.shape, array.size)}
            why = cause(a, n, shape, lengths, whole=self.whole, pairs=pairs)
        analytic, numerical, worst = (float(x[row, column]) for x in (a, n, error))
        return Finding(self._subject(i, o), verdict, self._place(i, o, row, column), analytic, numerical, worst, why)

    def _judge(self, a: Array, d: Array, probes: Probes, span: slice, largest: float) -> tuple[str, Array]:
        """The verdict on one direction, and its slopes, after trying smaller and larger steps.

        Each entry is judged by the measurement of it that is least uncertain.
        """
        least, best = np.full((2, *a.shape), np.inf)
        near, clear = np.zeros((2, *a.shape), bool)
        for value, error, floor in slopes(self.map, self.map.x, d, self.step, self.map.noise):
            n, e, f = probes.times(value[span]), probes.norms(error[span]), probes.norms(floor[span])
            size = probes.norms(value[span])
            doubt = 4 * f + 3 * e
            # Relative, since steps across a pole give wrong values that are small, and so is their error.
            relative = np.nan_to_num(doubt / (size + 1e-9 * largest + TINY), nan=np.inf)
            fine = doubt <= max(1e-4, self.rtol / 10) * size + max(1e-9, self.block) * largest
            scale = np.maximum(np.abs(a), size)
            close = np.abs(a - n) <= self.rtol * scale + self.block * largest + self.atol + doubt
            better = relative < least
            least = np.where(better, relative, least)
            best = np.where(better, n, best)
            near = np.where(better, close, near)
            clear = np.where(better, fine | (e <= 10 * f), clear)
            if (close & fine).all():
                return "ok", n
        passed = near & clear
        if passed.all():
            return "ok", best
        kinked, subgradient = self._kinks(a, d, probes, span)
        if (np.isfinite(least) & ~near & ~kinked).any():
            return "wrong", best
        if (kinked & ~passed).any():
            return ("ok" if self.allow_kinks and (subgradient | passed).all() else "kink"), best
        return "uncertain", best

    def _kinks(self, a: Array, d: Array, probes: Probes, span: slice) -> tuple[Array, Array]:
        """Which entries may be blamed on a kink, and which of them are between the slopes of its two sides."""
        projected = lambda x: probes.times(self.map(x)[span])
        h = self.step / 256
        left, right = one_sided(projected, self.map.x, d, h)
        slack = 1e-2 * np.maximum(np.abs(left), np.abs(right))
        between = (a >= np.minimum(left, right) - slack) & (a <= np.maximum(left, right) + slack)
        kinked = has_kink(projected, self.map.x, d, h, probes.norms(self.map.noise[span]))
        edge = ~np.isfinite(left) | ~np.isfinite(right)
        return kinked & (between | edge), kinked & between

    def _subject(self, i: int, o: int) -> str:
        x = self.arrays[i]
        output = f", output {o}" if len(self.outputs) > 1 else ""
        return f"input {i} {x.shape} {x.dtype}{output}"

    def _place(self, i: int, o: int, row: int, column: int) -> str:
        if not self.whole:
            return f"direction {column}, cotangent {row}"
        return f"d out{index_of(row, self.run.values[o])} / d in{index_of(column, self.arrays[i])}"


def index_of(flat: int, array: Array) -> str:
    if array.dtype.kind != "c":
        return str([int(k) for k in np.unravel_index(flat, array.shape)])
    place = [int(k) for k in np.unravel_index(flat // 2, array.shape)]
    return f"{place}.{'imag' if flat % 2 else 'real'}"
