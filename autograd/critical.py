"""What kind of critical point a function has somewhere: minimum, maximum or saddle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograd.dispatch import bare
from autograd.transforms import grad, hessian

__all__ = ["classify_critical_point"]


def classify_critical_point(f: Callable[..., Any], x: Any, tolerance: float = 1e-6) -> str:
    """Tell minima, maxima and saddle points apart by the eigenvalues of the Hessian.

    Parameters
    ----------
    f : callable
        Of one array, with a real scalar value.
    x : array of floats, any shape
        A critical point: one where the gradient is 0.
    tolerance : float
        Eigenvalues no larger than this share of the largest (at least of 1) count as 0; so does a gradient.

    Returns
    -------
    str
        "minimum" (all eigenvalues above 0), "maximum" (all below), "saddle" (both kinds), or "degenerate": no two
        signs but some zeros, where the second order does not decide.

    Raises
    ------
    ValueError
        Where the gradient is not 0, and for an x without entries.
    """
    x = np.asarray(bare(x))
    if not x.size:
        raise ValueError("classify_critical_point() of a point without coordinates")
    slope = float(np.max(np.abs(bare(grad(f)(x)))))
    values = np.linalg.eigvalsh(np.reshape(bare(hessian(f)(x)), (x.size, x.size)))
    scale = max(1.0, float(np.max(np.abs(values))))
    if not slope <= tolerance * scale:
        raise ValueError(f"the gradient is not 0 here: its largest entry is {slope:.3g}")
    positive, negative = values > tolerance * scale, values < -tolerance * scale
    if positive.any() and negative.any():
        return "saddle"
    if positive.all():
        return "minimum"
    return "maximum" if negative.all() else "degenerate"
