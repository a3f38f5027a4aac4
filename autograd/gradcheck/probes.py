"""Vectors to multiply a Jacobian with: all unit vectors where it is small, else a sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from autograd.gradcheck.vectors import Array

__all__ = ["Directions", "Probes", "make_probes"]

RANDOM, SINGLE = 6, 6  # random vectors and single coordinates of a sample


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

    def __len__(self) -> int:
        return self.part.stop - self.part.start if self.probes.rows is None else len(self.probes.rows)

    def __getitem__(self, k: int) -> Array:
        d = np.zeros_like(self.scales)
        if self.probes.rows is None:
            d[self.part.start + k] = self.scales[self.part.start + k]
        else:
            d[self.part] = self.probes.rows[k] * self.scales[self.part]
        return d


def make_probes(size: int, whole: bool, rng: np.random.Generator) -> Probes:
    if whole or size <= RANDOM + SINGLE:
        return Probes(None)
    rows = np.zeros((RANDOM + SINGLE, size))
    rows[:RANDOM] = rng.standard_normal((RANDOM, size))
    rows[np.arange(RANDOM, RANDOM + SINGLE), rng.choice(size, SINGLE, replace=False)] = 1.0
    return Probes(rows)
