"""What slopes over shorter and longer steps say together about derivatives in one direction.

Each slope is an interval. A derivative is settled by a slope that contains it and is sharp, unless a sharper one
before speaks against it; but steps across a kink or an oscillation only seem sharp, and are refuted by an interval
that lies apart. Else the slope that is least uncertain decides.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from autograd.gradcheck.vectors import Array

__all__ = ["TINY", "Evidence", "Interval"]

TINY = np.finfo(np.float64).tiny


class Interval(NamedTuple):
    """Slopes over the steps of one rung, their extrapolation's error, their rounding error and their terms' size."""

    rung: int
    value: Array
    error: Array
    floor: Array
    size: Array

    @property
    def doubt(self) -> Array:
        return 4 * self.floor + 3 * self.error

    @property
    def is_flat(self) -> Array:
        """Where the function does not move at all."""
        return (self.size == 0) & (self.error == 0)

    def contradicts(self, value: Array, doubt: Array) -> Array:
        """Where another slope lies apart, by more than both doubts."""
        return np.abs(self.value - value) - self.doubt - doubt > 0  # False where there is none yet, at infinity


class Evidence:
    """The slopes seen so far beside the derivatives ``a``, and the best of them for each.

    Parameters
    ----------
    a : array
        Derivatives under suspicion.
    allowed : callable
        How far they may lie from slopes whose terms have a given size.
    largest, overall : array, float
        Sizes of all derivatives of the same output entry, and of the whole output.
    rtol, block : float
        Tolerances relative to a derivative, and to the largest.
    """

    def __init__(
        self, a: Array, allowed: Callable[[Array], Array], largest: Array, overall: float, rtol: float, block: float
    ) -> None:
        self.a, self.allowed, self.largest, self.overall = a, allowed, largest, overall
        self.rtol, self.block = rtol, block
        self.least, self.best, self.doubts = np.full((3, *a.shape), np.inf)
        self.rungs = np.zeros(a.shape, int)
        self.near, self.exact, self.clear, self.settled, self.still = np.zeros((5, *a.shape), bool)
        self.agreeing: list[tuple[Array, Array]] = []

    def add(self, slope: Interval) -> None:
        """Weigh one more slope, which takes the best one's place where it is sharper or settles the matter."""
        self.still |= slope.is_flat & (slope.rung < 2)  # many values are too coarse for the shortest steps of all
        relative, fine = self._relative(slope), self._is_fine(slope)
        better, apart = relative < self.least, slope.contradicts(self.best, self.doubts)
        refuted = apart & (slope.doubt <= 1e-4 * np.abs(slope.value - self.best))
        close = np.abs(self.a - slope.value) <= self.allowed(slope.size) + slope.doubt
        sharp = close & (fine | refuted) & (self.near | better | apart) & ~self.settled
        self.settled |= sharp
        replaced = sharp | (better & ~self.settled)
        self.least = np.where(replaced, np.minimum(relative, self.least), self.least)
        self.best = np.where(replaced, slope.value, self.best)
        self.doubts = np.where(replaced, slope.doubt, self.doubts)
        self.rungs = np.where(replaced, slope.rung, self.rungs)
        self.near = np.where(replaced, close, self.near)
        self.exact = np.where(replaced, fine, self.exact)
        self.clear = np.where(replaced, fine | (slope.error <= 10 * slope.floor), self.clear)
        self.agreeing.append((slope.value, np.where(close, slope.doubt, np.inf)))

    def _relative(self, slope: Interval) -> Array:
        """The doubt, relative since steps across a pole give wrong values that are small, and so is their error.

        To the derivative's own size where the function does not move around the point.
        """
        scale = np.where(slope.is_flat & self.still, np.abs(self.a), slope.size)
        return np.nan_to_num(slope.doubt / (scale + 1e-9 * self.largest + TINY), nan=np.inf)

    def _is_fine(self, slope: Interval) -> Array:
        """Where the doubt is small beside what would be wrong."""
        share = np.where(slope.is_flat, 1e-6, max(1e-9, self.block))
        return slope.doubt <= max(1e-4, self.rtol / 10) * slope.size + share * self.overall

    @property
    def passed(self) -> Array:
        """Which derivatives are right, as far as can be seen."""
        return self.settled | (self.near & self.clear)

    @property
    def failed(self) -> Array:
        """Which are not near the best slope, where no sharper slope speaks for them and none against the best one."""
        failed = np.isfinite(self.least) & ~self.near & ~self.settled
        for value, doubt in self.agreeing:
            distance = np.abs(value - self.best)
            contradicted = (distance > doubt + self.doubts) & (doubt < 0.1 * np.abs(value))
            failed &= (self.exact | (self.doubts < doubt)) & ~contradicted
        return failed
