"""From two matrices of derivatives that differ to the likely mistake in a rule."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["cause"]

Matrix = np.ndarray[Any, Any]


def cause(
    analytic: Matrix, numerical: Matrix, shape: tuple[int, ...], lengths: set[int], *, whole: bool, pairs: bool
) -> str:
    """The likely reason why two matrices of derivatives differ.

    ``shape`` is the input's; ``lengths`` are the axis lengths that a sum over a broadcast axis may
    have run over. ``whole`` says that the matrices are Jacobians, not samples of them; ``pairs`` that
    their columns are real and imaginary parts.
    """
    if not np.isfinite(analytic).all():
        return "the gradient is not finite"
    largest = np.max(np.abs(numerical))
    if not analytic.any():
        return "zero: detached, or a rule that returns zeros"
    if not np.isfinite(largest):
        return ""
    if largest <= 1e-9 * np.max(np.abs(analytic)):
        return "should be zero"
    return (
        _constant_factor(analytic, numerical, lengths)
        or (_terms(analytic, numerical, pairs) or _order(analytic, numerical, shape) if whole else "")
        or _count(analytic, numerical, whole)
    )


def _close(a: Matrix, b: Matrix) -> Any:
    return np.abs(a - b) <= 1e-5 * np.maximum(np.abs(a), np.abs(b)) + 1e-9 * np.max(np.abs(b))


def _constant_factor(a: Matrix, n: Matrix, lengths: set[int]) -> str:
    factor = float(np.sum(a * n) / np.sum(n * n))
    if factor == 0 or not _close(a, factor * n).all():
        return ""
    if abs(factor + 1) < 1e-6:
        return "opposite sign"
    if abs(factor - 1) < 1e-6:
        return "right to six digits only"
    size = factor if abs(factor) >= 1 else 1 / factor
    whole = round(size)
    if abs(size - whole) < 1e-6 and whole in lengths and whole > 2:
        return f"x{factor:.6g}, an axis length: a sum or mean over an axis missing or doubled"
    return f"x{factor:.6g}" + (", and opposite sign" if factor < 0 else "")


def _terms(a: Matrix, n: Matrix, pairs: bool) -> str:
    missing = (a == 0) & ~_close(a, n)
    if missing.any() and _close(a, n)[~missing].all():
        return "some terms missing: a sum over a broadcast axis, or a detached path"
    if _close(np.abs(a), np.abs(n)).all():
        return "opposite sign in some entries" + (": a factor that is not conjugated" if pairs else "")
    return ""


def _order(a: Matrix, n: Matrix, shape: tuple[int, ...]) -> str:
    """Whether the right values stand in the wrong places."""
    stacked = n.reshape(len(n), *shape)
    if len(shape) >= 2 and _close(a, np.swapaxes(stacked, -1, -2).reshape(a.shape)).all():
        return "transposed"
    for axis in range(1, stacked.ndim):
        for shift in (1, -1):
            if _close(a, np.roll(stacked, shift, axis).reshape(a.shape)).all():
                return f"rolled along axis {axis - 1}"
        if _close(a, np.flip(stacked, axis).reshape(a.shape)).all():
            return f"reversed along axis {axis - 1}"
    if _close(np.sort(a, axis=1), np.sort(n, axis=1)).all():
        return "the right values in another order"
    return ""


def _count(a: Matrix, n: Matrix, whole: bool) -> str:
    wrong = int(np.sum(~_close(a, n)))
    return f"{wrong} of {a.size} entries differ" if whole and wrong else ""
