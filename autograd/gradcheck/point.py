"""One function at one point: what every comparison needs, computed once."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np

from autograd.gradcheck.noise import noise_of
from autograd.gradcheck.probes import Directions, Probes, make_probes
from autograd.gradcheck.problem import Problem
from autograd.gradcheck.vectors import Array, Map, Run, count, slices_of, width
from autograd.graph import no_grad

__all__ = ["Options", "Point", "index_of"]

NOISY = 8  # times the rounding error
WHOLE = 4096  # entries up to which a Jacobian is compared whole


class Tolerance(NamedTuple):
    """Relative to the entry, and relative to the largest entry of its block."""

    entry: float
    block: float


TOLERANCES = {8: Tolerance(1e-6, 1e-12), 4: Tolerance(2e-3, 1e-4), 2: Tolerance(5e-2, 2e-2)}
LINEAR = {8: 1e-9, 4: 1e-3, 2: 5e-2}  # between ways of computing the same thing


class Options(NamedTuple):
    """What a user may set."""

    eps: float | None = None
    rtol: float | None = None
    atol: float | None = None
    allow_kinks: bool = False


class Point:
    """A problem's values and recorded graph, its scales and tolerances.

    ``hidden`` is the size of the terms that may have cancelled in each value, where that is known.
    """

    def __init__(self, problem: Problem, rng: np.random.Generator, hidden: Array | None, options: Options) -> None:
        self.problem, self.function, self.arrays = problem, problem.function, problem.arrays
        self.rng, self.hidden, self.allow_kinks = rng, hidden, options.allow_kinks
        self.before = [a.copy() for a in self.arrays]
        self.run = Run(self.function, self.arrays)
        with no_grad():
            self.map = Map(self.function, self.arrays, problem.known)
        if hidden is not None:
            self.map.noise = np.maximum(self.map.noise, self.map.eps * hidden)
        self.noisy: bool | None = None
        self.step = self.map.step if options.eps is None else options.eps
        met = [np.dtype(self.map.precision), *(a.dtype for a in (*self.arrays, *self.run.values))]
        narrowest = min(map(width, met))
        tolerance = TOLERANCES[narrowest]
        self.rtol = tolerance.entry if options.rtol is None else options.rtol
        self.block = tolerance.block
        self.atol = 0.0 if options.atol is None else options.atol
        self.strict = options.rtol is None and options.atol is None
        self.same = LINEAR[narrowest]
        self.outputs = slices_of(self.run.values)
        if self.map.y.size != self.outputs[-1].stop:
            raise ValueError(
                f"the function returned {self.outputs[-1].stop} numbers where a gradient is recorded, "
                f"and {self.map.y.size} where none is"
            )
        self.whole = self.map.x.size * self.map.y.size <= WHOLE
        with no_grad():
            self.scales = self.map.scales(self.step)
        self.cotangents = [make_probes(count(y), self.whole, rng) for y in self.run.values]

    def directions(self, i: int) -> Directions:
        """Directions within input ``i``."""
        part = self.map.slices[i]
        return Directions(make_probes(part.stop - part.start, self.whole, self.rng), part, self.scales)

    @cached_property
    def pulled(self) -> list[Array]:
        """For each output, what reverse mode makes of its cotangents."""
        return [self._pulled(o, probes) for o, probes in enumerate(self.cotangents)]

    def _pulled(self, o: int, probes: Probes) -> Array:
        rows = np.eye(count(self.run.values[o])) if probes.rows is None else probes.rows
        given = [self.run.pull_vector(o, v) for v in rows]
        return np.array(given, self.map.work).reshape(len(given), self.map.x.size)

    def look_for_noise(self) -> bool:
        """Whether the values scatter by much more than their rounding; ``map.noise`` says so from the first look on."""
        if self.noisy is None:
            d = self.rng.choice([-1.0, 1.0], self.map.x.size) * self.scales
            with no_grad():
                seen = noise_of(self.map, self.map.x, d)
            self.noisy = bool((seen > NOISY * self.map.noise).any())
            self.map.noise = np.maximum(self.map.noise, seen)
        return self.noisy

    def rounding(self) -> float:
        """What is left of a derivative along a scaled direction where larger terms cancel in it."""
        return 100 * float(np.linalg.norm(self.map.noise))

    # ------------------------------------------------------------------ names

    def subject(self, i: int, o: int = 0) -> str:
        """An input, and where there are several the output, as the report calls them."""
        return f"{self.name(i)}, {self.output(o)}" if len(self.outputs) > 1 else self.name(i)

    def name(self, i: int) -> str:
        return f"{self.problem.names[i]} {self.arrays[i].shape} {self.arrays[i].dtype}"

    def output(self, o: int) -> str:
        return f"output {o}" if self.problem.outputs is None else self.problem.outputs[o]

    def index(self, i: int, column: int) -> str:
        return index_of(column, self.arrays[i])

    def place(self, i: int, o: int, row: int, column: int) -> str:
        return f"d out{index_of(row, self.run.values[o])} / d in{index_of(column, self.arrays[i])}"


def index_of(flat: int, array: Array) -> str:
    if array.dtype.kind != "c":
        return str([int(k) for k in np.unravel_index(flat, array.shape)])
    place = [int(k) for k in np.unravel_index(flat // 2, array.shape)]
    return f"{place}.{'imag' if flat % 2 else 'real'}"
