"""The derivative of an analytic function along a direction, from one complex step and without cancellation.

``Im f(x + i h d) / h = f'(x) d + O(h²)`` (Squire & Trapp, *SIAM Review* 40, 1998). It is exact to rounding for
functions that are analytic as they are computed; one that takes moduli or real parts on its way is not, and its
result must not be trusted alone. So a complex step can confirm a derivative here, and never contradict one by
itself.
"""

from __future__ import annotations

import warnings
from itertools import islice

import numpy as np

from autograd.dispatch import bare
from autograd.gradcheck.differences import slopes
from autograd.gradcheck.point import Point
from autograd.gradcheck.report import Finding
from autograd.gradcheck.vectors import Array, dtype_of
from autograd.tensor import Tensor

__all__ = ["complex_step", "sharpened"]

STEP = 1e-20
REFUSALS = (TypeError, ValueError, NotImplementedError, RuntimeError, ArithmeticError, AttributeError)
SHARP = 2e-9  # what is allowed between an exact derivative and a gradient in double precision


def complex_step(point: Point, d: Array) -> Array | None:
    """``J d``; None for a function that does not take complex arguments, or takes them for something else."""
    map = point.map
    if map.work != np.float64 or not map.upcast or any(a.dtype.kind == "c" for a in point.arrays):
        return None
    z = map.x + 1j * STEP * d
    shaped = [Tensor(z[part].reshape(shape)) for part, shape in zip(map.slices, map.shapes, strict=True)]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", np.exceptions.ComplexWarning)  # an imaginary part thrown away
            outputs = point.function(shaped)
        if any(dtype_of(y) != np.complex128 for y in outputs):
            return None
        values = np.concatenate([np.asarray(bare(y)).reshape(-1) for y in outputs])
    except (*REFUSALS, np.exceptions.ComplexWarning):
        return None
    if values.shape != map.y.shape or not np.allclose(values.real, map.y, rtol=1e-8, atol=1e-300):
        return None
    return values.imag / STEP


def sharpened(point: Point) -> list[Finding]:
    """Gradients that agree with differences, but not to double precision: a dtype lost on the way.

    Two witnesses are wanted against a gradient: the complex step, and differences so clear that they
    tell the two apart.
    """
    if not point.strict or point.same > SHARP or point.problem.outputs is not None:
        return []
    found = []
    for i, part in enumerate(point.map.slices):
        d = np.zeros_like(point.map.x)
        d[part] = point.rng.standard_normal(part.stop - part.start) * point.scales[part]
        exact = complex_step(point, d) if d.any() else None
        if exact is None:
            continue
        measured = list(islice(slopes(point.map, point.map.x, d, point.step, point.map.noise), 2))
        for o, span in enumerate(point.outputs):
            probes, rows = point.cotangents[o], point.pulled[o]
            a, c = rows @ d, probes.times(exact[span])
            size = np.maximum(np.sqrt(rows**2 @ d**2), probes.norms(exact[span]))
            away = np.abs(a - c) > SHARP * (size + np.max(size, initial=0.0))
            for value, error, floor in measured:
                n = probes.times(value[span])
                doubt = 8 * probes.norms(floor[span]) + 8 * np.max(probes.norms(error[span]), initial=0.0)
                away &= (np.abs(c - n) <= doubt) & (np.abs(a - n) > 4 * doubt)
            if away.any():
                row = int(np.argmax(np.where(away, np.abs(a - c), 0.0)))
                error_at = float(np.abs(a - c)[row] / size[row])
                numbers = float(a[row]), float(c[row]), error_at
                why = "right to single precision only: a dtype lost in a rule"
                found.append(Finding(point.subject(i, o), "precision", "a random direction", *numbers, why))
    return found
