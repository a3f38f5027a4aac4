"""Numerical derivatives along a direction, each with an estimate of its error.

Central differences at falling steps, extrapolated to step zero: Richardson, *Phil. Trans. A* 210
(1911); the error estimate compares neighbours in the table, as in Ridders, *Adv. Eng. Software* 4
(1982). Everything here is about functions from a real vector to a real vector.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

__all__ = ["RUNGS", "Slope", "extrapolated", "has_kink", "one_sided", "slope", "slopes"]

Vector = np.ndarray[Any, Any]
Map = Callable[[Vector], Vector]

EPS = float(np.finfo(np.float64).eps)

# Multiples of the first step: smaller ones for kinks and edges nearby, larger ones against noise.
RUNGS = (1.0, 2**-4, 2**-8, 2**-12, 2**4, 2**7, 2**-20, 2**-30, 2**-40)


class Slope(NamedTuple):
    """A derivative along a direction, the error that its own table shows, and the floor of rounding."""

    value: Vector
    error: Vector
    floor: Vector


def _central(f: Map, x: Vector, d: Vector, h: float) -> tuple[Vector, Vector]:
    """The central difference at step ``h``, and the size of the values it came from."""
    up, down = f(x + h * d), f(x - h * d)
    return (up - down) / (2 * h), np.maximum(np.abs(up), np.abs(down))


def slope(f: Map, x: Vector, d: Vector, h: float, noise: Vector) -> tuple[Vector, Vector]:
    """``(4 D(h/4) - D(h/2)) / 3``, correct to fourth order, and its floor of rounding.

    ``noise`` is the rounding error of each value of ``f``, where more is known than its own size says.
    """
    coarse, size = _central(f, x, d, h / 2)
    fine, _ = _central(f, x, d, h / 4)
    return (4 * fine - coarse) / 3, _floor(fine, np.maximum(noise, EPS * size), x, d, h)


def slopes(f: Map, x: Vector, d: Vector, h: float, noise: Vector) -> Iterator[Slope]:
    """The derivative at one step after another around ``h``."""
    return (extrapolated(f, x, d, h * rung, noise) for rung in RUNGS)


def extrapolated(f: Map, x: Vector, d: Vector, h: float, noise: Vector) -> Slope:
    """The derivative by sixth-order extrapolation from steps ``h``, ``h/2`` and ``h/4``."""
    (d1, size), (d2, _), (d4, _) = (_central(f, x, d, h / n) for n in (1, 2, 4))
    r1, r2 = (4 * d2 - d1) / 3, (4 * d4 - d2) / 3
    # The whole disagreement of r1 and r2, not the 1/15 of it that truncation alone would explain:
    # where values are noisy, the noise enters the result undiminished.
    return Slope((16 * r2 - r1) / 15, np.abs(r2 - r1), _floor(d4, np.maximum(noise, EPS * size), x, d, h))


def _floor(difference: Vector, noise: Vector, x: Vector, d: Vector, h: float) -> Vector:
    """What rounding leaves uncertain in a slope: that of the values, and that of ``x + h d``, so of the step itself."""
    step = EPS * np.linalg.norm(x[d != 0]) / (np.linalg.norm(d) or 1.0)
    floor: Vector = (16 * noise + step * np.abs(difference)) / h
    return floor


def one_sided(f: Map, x: Vector, d: Vector, h: float) -> tuple[Vector, Vector]:
    """The slopes of the chords to ``x - h d`` and to ``x + h d``."""
    here = f(x)
    return (here - f(x - h * d)) / h, (f(x + h * d) - here) / h


def has_kink(f: Map, x: Vector, d: Vector, h: float, noise: Vector, least: float = 1e-3) -> Vector:
    """Which outputs have different slopes on the two sides of ``x``, at ever smaller steps.

    A smooth function's sides differ by ``h f''``, which halves with the step; at a kink the
    difference stays, and is ``least`` of the slopes or more. True as well where a side is not finite.
    """
    left, right = one_sided(f, x, d, h)
    nearer_left, nearer_right = one_sided(f, x, d, h / 2)
    gap, nearer = np.abs(right - left), np.abs(nearer_right - nearer_left)
    size = np.maximum(np.abs(nearer_left), np.abs(nearer_right))
    kept = (nearer > 0.75 * gap) & (nearer > least * size) & (nearer > 100 * noise / h)
    return np.asarray(kept | ~np.isfinite(gap))
