"""Indexing: reading entries, writing entries, gathers along an axis, sorting; what gives indices.

Reading is linear, and its transpose adds into zeros: ``scatter``. Each is the other's transpose, so
every order of derivative is made of the two.
"""

from __future__ import annotations

from collections.abc import Callable
from types import EllipsisType, NoneType
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from autograd.declare import linear, primitive
from autograd.dispatch import Differentiable, bare, functions, give, without_derivative
from autograd.dual import Dual
from autograd.memory import touch
from autograd.numpy.creation import array
from autograd.numpy.shaping import ravel
from autograd.tensor import Tensor

__all__ = ["compress", "delete", "extract", "scatter", "set_item", "sort", "take", "take_along_axis"]

_SETTLED = frozenset({int, slice, NoneType, EllipsisType, np.ndarray})


def settled(index: Any) -> Any:
    """An index that stays what it is: tensors made plain, lists made arrays."""
    if type(index) is tuple:
        return tuple([part if type(part) in _SETTLED else _settled(part) for part in index])
    return index if type(index) in _SETTLED else _settled(index)


def _settled(part: Any) -> Any:
    part = bare(part)
    if type(part) is list:
        return np.asarray(part) if part else np.zeros(0, np.intp)
    return part


def may_repeat(index: Any) -> bool:
    """Whether an entry may be named twice: by integer arrays alone, not by slices, integers or masks."""
    parts = index if type(index) is tuple else (index,)
    return any(isinstance(part, np.ndarray) and part.dtype.kind in "iu" and part.size > 1 for part in parts)


# ---------------------------------------------------------------------- reading


def _getitem(a: Any, index: Any) -> Any:
    return a[index]


_get = linear(_getitem, a=lambda g, index, a_shape: scatter(g, index, a_shape))


def getitem(a: Any, index: Any) -> Any:
    """``a[index]`` with any index that NumPy has."""
    kind = type(index)
    return _get(a, index if kind is int or kind is slice else settled(index))


def _scatter(values: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """Zeros of ``shape`` with ``values`` added at ``index``: the transpose of ``a[index]``."""
    if not may_repeat(index):
        out = np.zeros(shape, values.dtype)
        out[index] = values
        return out
    out = np.zeros(shape, np.float32 if values.dtype == np.float16 else values.dtype)  # in which sums are exact longer
    if len(shape) == 1:
        np.add.at(out, index, values)
    else:  # adding into a flat array is several times faster
        np.add.at(out.reshape(-1), _positions(index, shape).reshape(-1), np.reshape(values, -1))
    return out.astype(values.dtype, copy=False)


def _positions(index: Any, shape: tuple[int, ...]) -> Any:
    """Where in the flattened array the entries of ``a[index]`` lie."""
    if not isinstance(index, np.ndarray):
        return np.arange(np.prod(shape, dtype=int)).reshape(shape)[index]
    width = int(np.prod(shape[1:], dtype=int))  # whole rows: no table of all positions is needed
    rows = index.astype(np.intp) % shape[0]
    return (rows * width)[..., None] + np.arange(width)


scatter: Any = linear(_scatter, values=lambda g, index: g[index])


# ---------------------------------------------------------------------- writing


def _set_item(a: Any, index: Any, value: Any) -> Any:
    """A copy of ``a`` in which ``a[index] = value`` was done.

    Raises TypeError for a value whose kind of dtype the array cannot hold.
    """
    kind = np.result_type(value)
    if not np.can_cast(kind, a.dtype, "same_kind"):
        raise TypeError(f"'x[...] = y' cannot put a value of dtype {kind} into an array of dtype {a.dtype}")
    out = np.array(a)
    out[index] = value
    return out


def _lasting(index: Any, shape: tuple[int, ...]) -> Any:
    """For each entry written, whether no later one has overwritten it."""
    written = np.zeros(shape, np.intp)
    count = written[index]
    order = np.arange(count.size).reshape(count.shape)
    written[index] = order
    return written[index] == order


def _written_gradient(g: Any, index: Any, value_shape: tuple[int, ...]) -> Any:
    region = g[index]
    if may_repeat(index):
        region = np.where(_lasting(index, g.shape), region, 0)
    extra = len(value_shape) - len(region.shape)  # leading axes of size 1 that assignment ignores
    return np.reshape(region, (1,) * extra + region.shape) if extra > 0 else region


set_item: Any = primitive(
    _set_item,
    vjp={
        "a": lambda g, index: set_item(g, index, 0),
        "value": lambda g, index, value_shape: _written_gradient(g, index, value_shape),
    },
    jvp={
        "a": lambda t, index: set_item(t, index, 0),
        "value": lambda t, index, out: set_item(np.zeros_like(bare(out)), index, t),
    },
    broadcasts=True,
)


def assign(tensor: Tensor, index: Any, value: Any) -> None:
    """``tensor[index] = value``: in memory, or recorded where a gradient asks for it."""
    index = settled(index)
    if type(value) in (list, tuple):
        value = array(value)
    if tensor._records(value):
        tensor._rebind("x[...] = y", set_item(tensor, index, value))
        return
    value = bare(value)
    if np.iscomplexobj(value) and tensor._data.dtype.kind != "c":
        raise TypeError(f"'x[...] = y' cannot put a complex value into a tensor of dtype {tensor._data.dtype}")
    if not isinstance(tensor._data, np.ndarray):  # a NumPy scalar, which has no memory to change
        tensor._data = np.array(tensor._data)
    tensor._data[index] = value
    touch(tensor._data, operation="x[...] = y")


def with_item(dual: Dual, index: Any, value: Any) -> Dual:
    """The dual number that ``dual[index] = value`` makes of ``dual``.

    Raises TypeError for a value of an inner derivative.
    """
    changed: Dual = set_item(dual, settled(index), array(value) if type(value) in (list, tuple) else value)
    if changed.level != dual.level:
        raise TypeError(
            "'x[...] = y' cannot put a value of an inner derivative into an array of an outer one; "
            "build the array from its parts with np.stack or np.concatenate"
        )
    return changed


# ---------------------------------------------------------------------- gathers along an axis


def take(a: Any, indices: Any, axis: int | None = None, out: None = None, mode: Any = "raise") -> Any:
    """The entries ``indices`` along ``axis``, or of the flattened array, with NumPy's arguments.

    Raises IndexError for an index out of range (``mode`` "wrap" and "clip" bring it back), and
    TypeError for ``out``.
    """
    if not isinstance(a, Differentiable):
        return np.take(a, bare(indices), axis, out, mode)
    if out is not None:
        raise TypeError("take() of a Tensor does not write into out=; use its result")
    if axis is None:
        a, axis = ravel(a), 0
    axis = normalize_axis_index(axis, len(a.shape))
    place = np.asarray(bare(indices))
    if place.dtype.kind in "biu" or not place.size:
        place = place.astype(np.intp)
    n = a.shape[axis]
    if mode == "clip":
        place = np.clip(place, 0, n - 1)
    elif mode == "wrap":
        place = place % n
    elif mode != "raise":
        raise ValueError(f"take() takes mode 'raise', 'wrap' or 'clip'; got {mode!r}")
    return _get(a, (slice(None),) * axis + (place,) if axis else place)


def take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    """For each vector along ``axis`` the entries that ``indices`` names for it (as ``argsort`` does).

    Raises IndexError for indices that are no integers or out of range, ValueError for another number of axes.
    """
    place = np.asarray(bare(indices))
    if not isinstance(arr, Differentiable):
        return np.take_along_axis(arr, place, axis)
    if axis is None:
        arr, axis = ravel(arr), 0
    axis = normalize_axis_index(axis, len(arr.shape))
    if place.dtype.kind not in "iu":
        raise IndexError(f"take_along_axis() takes integer indices; got dtype {place.dtype}")
    if place.ndim != len(arr.shape):
        raise ValueError(f"take_along_axis() on shape {arr.shape} takes indices with as many axes; got {place.shape}")
    grid = list(np.ogrid[tuple(map(slice, arr.shape))])
    grid[axis] = place
    return _get(arr, tuple(grid))


def compress(condition: Any, a: Any, axis: int | None = None, out: None = None) -> Any:
    """The slices along ``axis`` (entries, where it is None) at which ``condition`` holds.

    Raises ValueError for a condition with more than one axis, and TypeError for ``out``.
    """
    return take(a, np.compress(bare(condition), _places(a, axis)), axis, out)


def extract(condition: Any, arr: Any) -> Any:
    """The entries at which ``condition`` holds, in one axis."""
    return take(arr, np.extract(bare(condition), _places(arr, None)))


def delete(arr: Any, obj: Any, axis: int | None = None) -> Any:
    """``arr`` without the entries ``obj`` (an int, a slice, integers or a mask) along ``axis`` or flattened."""
    return take(arr, np.delete(_places(arr, axis), bare(obj)), axis)


def _places(a: Any, axis: int | None) -> Any:
    return np.arange(np.size(a) if axis is None else np.shape(a)[axis])


def sort(a: Any, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: bool | None = None) -> Any:
    """A sorted copy along ``axis``, or of the flattened array; gradients go back to where the entries came from.

    Equal entries keep their order, so each gets the gradient of one place. Raises TypeError for ``order``.
    """
    if not isinstance(a, Differentiable):
        return np.sort(a, axis, kind, order, stable=stable)
    if order is not None:
        raise TypeError("sort() of a Tensor does not take order=: it has no fields")
    if axis is None:
        a, axis = ravel(a), -1
    return take_along_axis(a, np.argsort(bare(a), axis, kind="stable"), axis)


# ---------------------------------------------------------------------- what gives indices or truth values

functions.update(
    {
        np.compress: compress, np.delete: delete, np.extract: extract, np.sort: sort, np.take: take,
        np.take_along_axis: take_along_axis,
    }
)  # fmt: skip
without_derivative.update(
    (
        np.all, np.allclose, np.any, np.argmax, np.argmin, np.argpartition, np.argsort, np.argwhere, np.array_equal,
        np.array_equiv, np.count_nonzero, np.digitize, np.flatnonzero, np.isclose, np.isin, np.isneginf, np.isposinf,
        np.lexsort, np.nanargmax, np.nanargmin, np.nonzero, np.ravel_multi_index, np.searchsorted, np.unravel_index,
    )
)  # fmt: skip


def _plain_method(function: Callable[..., Any]) -> Callable[..., Any]:
    def method(a: Any, *args: Any, **options: Any) -> Any:
        return function(bare(a), *bare(args), **bare(options))

    method.__name__ = method.__qualname__ = function.__name__
    method.__doc__ = f"``np.{function.__name__}`` of the array inside: a plain value, without a gradient."
    return method


give(
    __getitem__=getitem,
    compress=lambda a, condition, axis=None: compress(condition, a, axis),
    take=take,
    **{
        function.__name__: _plain_method(function)
        for function in (np.all, np.any, np.argmax, np.argmin, np.argpartition, np.argsort, np.nonzero, np.searchsorted)
    },
)
Tensor.__setitem__ = assign  # type: ignore[index]
Dual._with_item = with_item  # type: ignore[attr-defined]
