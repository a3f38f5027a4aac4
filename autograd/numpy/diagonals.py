"""Diagonals and triangles of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.declare import linear
from autograd.dispatch import Differentiable, functions, give
from autograd.numpy.shaping import ravel

__all__ = ["diag", "diagflat", "diagonal", "on_diagonal", "trace", "tril", "triu"]


def _tril(m: Any, k: int = 0) -> Any:
    """The lower triangle of the last two axes, up to diagonal ``k``; zeros elsewhere."""
    return np.tril(m, k)


def _triu(m: Any, k: int = 0) -> Any:
    """The upper triangle of the last two axes, from diagonal ``k``; zeros elsewhere."""
    return np.triu(m, k)


# NumPy takes a vector for every row of a square, hence `broadcasts`.
tril = linear(_tril, m=lambda g, k: np.tril(g, k), implements=np.tril, broadcasts=True)
triu = linear(_triu, m=lambda g, k: np.triu(g, k), implements=np.triu, broadcasts=True)


def _diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The ``offset``-th diagonal of the planes of two axes, as the last axis of a read-only view."""
    return np.diagonal(a, offset, axis1, axis2)


def _on_diagonal(values: Any, shape: tuple[int, ...], offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The transpose of ``diagonal``: zeros of ``shape`` with ``values`` on the diagonal."""
    out = np.zeros(shape, values.dtype)
    steps = np.arange(np.shape(values)[-1])
    np.moveaxis(out, (axis1, axis2), (-2, -1))[..., steps + max(-offset, 0), steps + max(offset, 0)] = values
    return out


on_diagonal: Any = linear(
    _on_diagonal, values=lambda g, offset, axis1, axis2: np.diagonal(g, offset, axis1, axis2), name="on_diagonal"
)
diagonal = linear(
    _diagonal,
    a=lambda g, offset, axis1, axis2, a_shape: on_diagonal(g, a_shape, offset, axis1, axis2),
    implements=np.diagonal,
)


def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: None = None) -> Any:
    """The sum along a diagonal, with NumPy's arguments. Raises TypeError for ``out``."""
    if out is not None:
        raise TypeError("trace() of a Tensor does not write into out=; use its result")
    return np.sum(diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype)


def diag(v: Any, k: int = 0) -> Any:
    """The ``k``-th diagonal of a matrix, or the matrix with ``v`` on its ``k``-th diagonal.

    Raises ValueError for an array with neither one axis nor two.
    """
    if not isinstance(v, Differentiable):
        return np.diag(v, k)
    if len(v.shape) == 2:
        return diagonal(v, k)
    if len(v.shape) != 1:
        raise ValueError(f"diag() takes a vector or a matrix; this array has shape {v.shape}")
    side = v.shape[0] + abs(k)
    return on_diagonal(v, (side, side), k)


def diagflat(v: Any, k: int = 0) -> Any:
    """The matrix with the entries of ``v``, of any shape, on its ``k``-th diagonal."""
    return diag(ravel(v), k)


functions.update({np.diag: diag, np.diagflat: diagflat, np.trace: trace})
give(
    diagonal=lambda a, offset=0, axis1=0, axis2=1: diagonal(a, offset, axis1, axis2),
    trace=trace,
    tril=lambda m, k=0: tril(m, k),
    triu=lambda m, k=0: triu(m, k),
)
