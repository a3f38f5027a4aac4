"""Borders around an array."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.declare import primitive
from autograd.dispatch import Differentiable, functions

__all__ = ["pad"]


def _inner(pad_width: Any, shape: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(slice(before, before + n) for (before, _), n in zip(pad_width, shape, strict=True))


def _pad(array: Any, pad_width: Any, constant_values: Any = 0) -> Any:
    if not isinstance(constant_values, int) or constant_values != 0:
        return np.pad(array, pad_width or 0, constant_values=constant_values)
    sides = [before + n + after for (before, after), n in zip(pad_width, np.shape(array), strict=True)]
    out = np.zeros(sides, array.dtype)
    out[_inner(pad_width, np.shape(array))] = array
    return out


_padded: Any = primitive(
    _pad,
    vjp={"array": lambda g, pad_width, array_shape: g[_inner(pad_width, array_shape)]},
    jvp={"array": lambda t, pad_width: _padded(t, pad_width)},
)


def _widths(pad_width: Any, ndim: int) -> tuple[tuple[int, int], ...]:
    """``pad_width`` in any of NumPy's forms as (before, after) for each axis."""
    if isinstance(pad_width, dict):
        table = [(0, 0)] * ndim
        for axis, width in pad_width.items():
            table[axis] = width if isinstance(width, tuple) else (width, width)
        pad_width = table
    given = np.asarray(pad_width)
    if given.dtype.kind not in "iu":
        raise TypeError(f"pad() takes integers as pad_width; got {pad_width!r}")
    if given.size and given.min() < 0:
        raise ValueError(f"pad() cannot take anything away: pad_width {pad_width!r}")
    return tuple((int(before), int(after)) for before, after in np.broadcast_to(given, (ndim, 2)))


def pad(array: Any, pad_width: Any, mode: Any = "constant", **options: Any) -> Any:
    """``array`` with borders of the widths ``pad_width`` (NumPy's forms).

    ``mode`` "constant" (with ``constant_values``), "edge", "reflect", "symmetric" or "wrap". Raises
    ValueError for NumPy's other modes and for ``reflect_type="odd"``, and TypeError for other options.
    """
    if not isinstance(array, Differentiable):
        return np.pad(array, pad_width, mode, **options)
    widths = _widths(pad_width, len(array.shape))
    if mode == "constant":
        values = options.pop("constant_values", 0)
        _refuse_options(mode, options)
        return _padded(array, widths, values)
    if mode not in ("edge", "reflect", "symmetric", "wrap"):
        raise ValueError(
            f"pad() of a Tensor has no mode {mode!r}; it has 'constant', 'edge', 'reflect', 'symmetric' and 'wrap'"
        )
    if mode in ("reflect", "symmetric") and options.pop("reflect_type", "even") != "even":
        raise ValueError(f"pad() of a Tensor has mode {mode!r} with reflect_type='even' only")
    _refuse_options(mode, options)
    for axis, width in enumerate(widths):
        if width != (0, 0):
            array = np.take(array, np.pad(np.arange(array.shape[axis]), width, mode), axis)
    return array


def _refuse_options(mode: str, options: dict[str, Any]) -> None:
    if options:
        raise TypeError(f"pad() of a Tensor in mode {mode!r} does not take {', '.join(options)}")


functions[np.pad] = pad
