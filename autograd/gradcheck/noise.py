"""The noise in a function's values, which may be far above the rounding that their own size explains.

Where a large constant was added and taken off again, or the argument of a sine was huge, neighbouring values
scatter. Differences of a smooth function at close points vanish with rising order, and what stays is noise: of
independent values with deviation 1, differences of order ``k`` have the variance ``comb(2 k, k)`` (Hamming's table;
Moré & Wild, *SIAM Journal on Scientific Computing* 33, 2011).
"""

from __future__ import annotations

from collections.abc import Callable
from math import comb
from typing import Any

import numpy as np

__all__ = ["noise_of"]

Vector = np.ndarray[Any, Any]

POINTS = 10
SPACINGS = (2.0**-40, 2.0**-32, 2.0**-24, 2.0**-16, 2.0**-12)  # the first at which a value moves counts
BOUND = 4.0  # times the standard deviation


def noise_of(f: Callable[[Vector], Vector], x: Vector, d: Vector) -> Vector:
    """A bound on the noise of each value of ``f`` along ``d``; zero where none is seen."""
    noise: Any = np.nan
    for spacing in SPACINGS:
        values = np.stack([f(x + k * spacing * d) for k in range(POINTS)])  # on one side of a kink at x
        moves = np.count_nonzero(np.diff(values, axis=0), axis=0) > POINTS / 2
        noise = np.where(np.isnan(noise) & moves, BOUND * _deviation(values), noise)
        if not np.isnan(noise).any():
            break
    return np.nan_to_num(noise, nan=0.0)


def _deviation(values: Vector) -> Vector:
    """Of values about a smooth curve, by their third differences; zero where these do not change sign.

    The median passes over the few differences in which a kink or a jump takes part; 0.67 is that of normal values.
    """
    third = np.diff(values, n=3, axis=0)
    scatters = (third.min(axis=0) < 0) & (third.max(axis=0) > 0)
    return np.where(scatters, np.median(np.abs(third), axis=0) / 0.67 / comb(6, 3) ** 0.5, 0.0)
