"""What may stand beside a tensor in an operation, and how it is described in errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autograd.dispatch import Differentiable, bare

__all__ = ["PLAIN", "check_real", "describe", "match", "plain"]

PLAIN = frozenset({float, int, bool, complex, np.ndarray, np.float64, np.float32})  # taken as they are


def plain(value: Any, name: str) -> Any:
    """An operand as NumPy understands it, or an error that names the operation."""
    if type(value) in PLAIN:
        return value
    if isinstance(value, Differentiable):
        raise TypeError(f"'{name}' cannot mix this {type(value).__name__} with tensors")
    if isinstance(value, (list, tuple)):
        value = np.asarray(value)
    if getattr(getattr(value, "dtype", None), "kind", "O") in "biufc":
        return value
    if isinstance(value, (int, float, complex)):
        return value
    raise TypeError(f"'{name}' does not take a {type(value).__name__} beside a Tensor: {value!r:.60}")


def check_real(name: str, operand: Any) -> None:
    """Raise TypeError for complex numbers, which a function of real ones would give a wrong gradient."""
    dtype = np.asarray(operand).dtype
    if dtype.kind == "c":
        raise TypeError(f"{name}() is a function of real numbers; got {dtype}, so take its real part or absolute value")


def describe(name: str, arrays: Sequence[Any]) -> str:
    """An operation and what it was given, for error notes."""
    given = ", ".join(f"{getattr(a, 'dtype', type(a).__name__)} of shape {np.shape(a)}" for a in arrays)
    return f"in the operation '{name}' on {given}"


def match(t: Any, out: Any) -> Any:
    """A tangent with the shape and dtype of its primal."""
    shape, dtype = np.shape(out), bare(out).dtype
    if np.shape(t) != shape:
        t = np.broadcast_to(t, shape)
    if not hasattr(t, "dtype"):
        return np.asarray(t, dtype)
    if t.dtype != dtype:
        if t.dtype.kind == "c" and dtype.kind != "c":
            t = np.real(t)
        t = t.astype(dtype)
    return t
