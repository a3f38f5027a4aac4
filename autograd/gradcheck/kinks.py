"""Kinks at the point itself, where a gradient midway between the slopes of the two sides agrees with differences."""

from __future__ import annotations

import numpy as np

from autograd.gradcheck.differences import has_kink
from autograd.gradcheck.locate import only
from autograd.gradcheck.point import Point
from autograd.gradcheck.report import Finding
from autograd.gradcheck.vectors import Array

__all__ = ["kinks"]

CLOSE = (2.0**-18, 2.0**-22, 2.0**-26)  # of the first step: a kink further away is none here, and an oscillation ends
CLEAR = 0.1  # of the slopes, between those of the two sides


def kinks(point: Point) -> list[Finding]:
    """A finding for each input along which the function has no derivative."""
    x = point.map.x
    d = point.rng.standard_normal(x.size) * np.where(x != 0, np.abs(x), point.scales)
    if not _has_kink(point, d):
        return []
    point.look_for_noise()
    parts = [only(d, np.arange(part.start, part.stop)) for part in point.map.slices]
    return [Finding(point.name(i), "kink") for i, part in enumerate(parts) if _has_kink(point, part)]


def _has_kink(point: Point, d: Array) -> bool:
    """Whether the slopes of the two sides differ, in a value that is finite on both, at all of several steps."""
    f, x, h = point.map, point.map.x, point.step
    noise = np.full_like(
        f.y, np.max(f.noise, initial=0.0)
    )  # of all: a value that cancels to zero shows none of its own
    kinked = np.isfinite(f(x + h * CLOSE[0] * d)) & np.isfinite(f(x - h * CLOSE[0] * d))
    for part in CLOSE:
        if kinked.any():
            kinked &= has_kink(f, x, d, h * part, noise, CLEAR)
    return bool(kinked.any())
