"""One array's shape and order: reshape, transpose, broadcast, flip, roll, repeat, copies.

All are linear maps that move or repeat entries; each transpose moves them back and sums what was
repeated. Views stay views.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from autograd.declare import linear
from autograd.dispatch import Differentiable, bare, functions, give

__all__ = [
    "astype", "atleast_1d", "atleast_2d", "atleast_3d", "broadcast_arrays", "broadcast_to", "copy", "expand_dims",
    "flip", "fliplr", "flipud", "matrix_transpose", "meshgrid", "moveaxis", "permute_dims", "ravel", "repeat",
    "reshape", "roll", "rollaxis", "rot90", "squeeze", "swapaxes", "tile", "transpose",
]  # fmt: skip


# ---------------------------------------------------------------------- reshape


def _reshape(a: Any, shape: Any, order: Any = "C") -> Any:
    return a.reshape(shape, order=order)


_reshaped = linear(_reshape, a=lambda g, a_shape, order: g.reshape(a_shape, order=order))


def reshape(a: Any, shape: Any, order: Any = "C", *, copy: bool | None = None) -> Any:
    """The entries of ``a`` in another shape, a view where NumPy gives one.

    ``shape`` is an int or a tuple, one side may be -1; ``order`` is "C", "F" or "A". ``copy=True`` always
    copies, ``copy=False`` raises ValueError where a copy is needed.
    """
    if not isinstance(a, Differentiable):
        return np.reshape(a, shape, order=order) if copy is None else np.reshape(a, shape, order=order, copy=copy)
    out = _reshaped(a, shape, _settled_order(a, order))
    if copy is None or not out.size:
        return out
    shared = np.may_share_memory(bare(out), bare(a))
    if not copy and not shared:
        raise ValueError(
            f"reshape() from {a.shape} to {out.shape} needs a copy of this array, and copy=False forbids it"
        )
    return _copied(out) if copy and shared else out


def _settled_order(a: Any, order: Any) -> Any:
    """Order "A" made "C" or "F", since the transpose must not ask the cotangent's own layout."""
    if order != "A":
        return order
    flags = bare(a).flags
    return "F" if flags.f_contiguous and not flags.c_contiguous else "C"


def ravel(a: Any, order: Any = "C") -> Any:
    """The entries in one axis, a view where NumPy gives one; ``order`` is "C", "F", "A" or "K"."""
    if not isinstance(a, Differentiable):
        return np.ravel(a, order=order)
    if order == "K":  # as they lie in memory: the axis with the largest stride first
        strides = np.asarray(bare(a)).strides
        a, order = transpose(a, sorted(range(len(strides)), key=lambda i: -abs(strides[i]))), "C"
    return reshape(a, -1, order)


def flatten(a: Any, order: Any = "C", end_dim: int = -1, *, start_dim: int = 0) -> Any:
    """A copy in one axis, as ndarray's ``flatten(order)``.

    Or, as PyTorch's ``flatten(start_dim, end_dim)``, with those axes merged; a view where possible.
    """
    merging = not isinstance(order, str)
    if not merging and start_dim == 0 and end_dim == -1:
        out = ravel(a, order)
        return _copied(out) if np.may_share_memory(bare(out), bare(a)) else out
    first, last = order if merging else start_dim, end_dim
    ndim = max(len(a.shape), 1)
    first, last = normalize_axis_index(first, ndim), normalize_axis_index(last, ndim)
    if first > last:
        raise ValueError(f"flatten() from axis {first} to axis {last}: the first comes after the last")
    merged = np.prod(a.shape[first : last + 1], dtype=int)
    return reshape(a, (*a.shape[:first], int(merged), *a.shape[last + 1 :]))


def expand_dims(a: Any, axis: Any) -> Any:
    """``a`` with new axes of size 1 at ``axis`` (an int or a tuple) of the result; a view."""
    return _in_shape_of(a, np.expand_dims(bare(a), axis))


def squeeze(a: Any, axis: Any = None) -> Any:
    """``a`` without its axes of size 1, or without those in ``axis``; a view.

    Raises ValueError for an axis of another size.
    """
    return _in_shape_of(a, np.squeeze(bare(a), axis))


def _in_shape_of(a: Any, plain: Any) -> Any:
    """``a`` in the shape that NumPy has given to its array by adding or taking away axes of size 1."""
    return _reshaped(a, plain.shape) if isinstance(a, Differentiable) else plain


def _at_least(function: Callable[..., Any], count: int) -> Callable[..., Any]:
    def at_least(*arys: Any) -> Any:
        made = tuple(_in_shape_of(a, function(bare(a))) for a in arys)
        return made[0] if len(made) == 1 else made

    at_least.__name__ = at_least.__qualname__ = function.__name__
    at_least.__doc__ = f"Each array with at least {count} axes, as views; a tuple where several are given."
    return at_least


atleast_1d = _at_least(np.atleast_1d, 1)
atleast_2d = _at_least(np.atleast_2d, 2)
atleast_3d = _at_least(np.atleast_3d, 3)


# ---------------------------------------------------------------------- order of the axes


def _inverse(axes: Any) -> Any:
    return None if axes is None else sorted(range(len(axes)), key=[i % len(axes) for i in axes].__getitem__)


def _transpose(a: Any, axes: Any = None) -> Any:
    return np.transpose(a, axes)


_transposed = linear(_transpose, a=lambda g, axes: np.transpose(g, _inverse(axes)))


def transpose(a: Any, axes: Any = None) -> Any:
    """The axes of ``a`` in the order ``axes``, reversed by default; a view.

    Raises ValueError unless ``axes`` names each axis once.
    """
    return _transposed(a, axes if axes is None or type(axes) is tuple else tuple(axes))


permute_dims = transpose


def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    """``a`` with two axes exchanged; a view. Raises AxisError (a ValueError) for an axis out of range."""
    order = list(range(np.ndim(a)))
    i, j = normalize_axis_index(axis1, len(order)), normalize_axis_index(axis2, len(order))
    order[i], order[j] = j, i
    return transpose(a, tuple(order))


def matrix_transpose(x: Any, /) -> Any:
    """``x`` with its last two axes exchanged; a view. Raises ValueError for fewer than two axes."""
    if np.ndim(x) < 2:
        raise ValueError(f"a matrix transpose needs at least two axes; this array has shape {np.shape(x)}")
    return swapaxes(x, -1, -2)


def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    """``a`` with the axes ``source`` (int or tuple) moved to ``destination``, the others in order; a view.

    Raises ValueError for repeated axes, or for as many sources as there are not destinations.
    """
    ndim = np.ndim(a)
    source = normalize_axis_tuple(source, ndim, "source")
    destination = normalize_axis_tuple(destination, ndim, "destination")
    if len(source) != len(destination):
        raise ValueError(f"moveaxis() of {len(source)} axes to {len(destination)} places")
    order = [i for i in range(ndim) if i not in source]
    for place, axis in sorted(zip(destination, source, strict=True)):
        order.insert(place, axis)
    return transpose(a, tuple(order))


def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    """``a`` with ``axis`` moved back until it lies before the place ``start``; a view.

    Raises AxisError (a ValueError) for an axis or place out of range.
    """
    ndim = np.ndim(a)
    axis, start = (
        normalize_axis_index(axis, ndim),
        normalize_axis_index(start, ndim + 1) if start >= 0 else start + ndim,
    )
    if start < 0:
        raise np.exceptions.AxisError(start - ndim, ndim, "start")
    return moveaxis(a, axis, start - 1 if axis < start else start)


# ---------------------------------------------------------------------- broadcasting


def _broadcast_to(array: Any, shape: Any) -> Any:
    return np.broadcast_to(array, shape)


_spread = linear(_broadcast_to, array=lambda g: g, broadcasts=True)


def broadcast_to(array: Any, shape: Any, subok: bool = False) -> Any:
    """``array`` repeated to ``shape`` by NumPy's rules, as a read-only view; ``subok`` means nothing here.

    Raises ValueError where it does not broadcast to ``shape``.
    """
    return _spread(array, shape)


def broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Any, ...]:
    """All arrays broadcast against each other, as views. Raises ValueError where they do not broadcast."""
    shape = np.broadcast_shapes(*map(np.shape, args))
    return tuple(x if isinstance(x, Differentiable) and x.shape == shape else _spread(x, shape) for x in args)


def expand(a: Any, *sizes: Any) -> Any:
    """PyTorch's ``expand``: ``broadcast_to`` where -1 keeps an axis as it is."""
    shape = _sizes(sizes)
    extra = len(shape) - len(a.shape)
    return _spread(a, tuple(a.shape[i - extra] if n == -1 and i >= extra else n for i, n in enumerate(shape)))


def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> tuple[Any, ...]:
    """Coordinate grids from one-dimensional coordinates, with NumPy's arguments.

    Raises ValueError for an ``indexing`` other than "xy" and "ij".
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid() takes indexing='xy' or 'ij'; got {indexing!r}")
    places = list(range(len(xi)))
    if indexing == "xy":
        places[:2] = places[:2][::-1]
    grids: Any = [reshape(x, (1,) * i + (-1,) + (1,) * (len(xi) - i - 1)) for x, i in zip(xi, places, strict=True)]
    if not sparse:
        grids = broadcast_arrays(*grids)
    return tuple(_copied(x) if copy else x for x in grids)


# ---------------------------------------------------------------------- order of the entries


def _flip(m: Any, axis: Any = None) -> Any:
    """The entries in reverse order along ``axis`` (all axes, an int or a tuple); a view."""
    return np.flip(m, axis)


flip = linear(_flip, m=lambda g, axis: np.flip(g, axis), implements=np.flip)


def flipud(m: Any) -> Any:
    """``m`` upside down: reversed along its first axis; a view. Raises ValueError for a 0-d array."""
    if np.ndim(m) < 1:
        raise ValueError("flipud() needs at least one axis")
    return flip(m, 0)


def fliplr(m: Any) -> Any:
    """``m`` with left and right exchanged: reversed along its second axis; a view.

    Raises ValueError for fewer than two axes.
    """
    if np.ndim(m) < 2:
        raise ValueError(f"fliplr() needs at least two axes; this array has shape {np.shape(m)}")
    return flip(m, 1)


def _rot90(m: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    """``m`` turned by ``k`` quarters in the plane of two axes, from the first to the second; a view."""
    return np.rot90(m, k, axes)


rot90 = linear(_rot90, m=lambda g, k, axes: np.rot90(g, -k, axes), implements=np.rot90)


def _roll(a: Any, shift: Any, axis: Any = None) -> Any:
    """Entries moved on by ``shift`` along ``axis`` (ints or tuples), the last coming first again."""
    return np.roll(a, shift, axis)


roll = linear(_roll, a=lambda g, shift, axis: np.roll(g, np.negative(shift), axis), implements=np.roll)


# ---------------------------------------------------------------------- repetition


def _tile(A: Any, reps: Any) -> Any:
    return np.tile(A, reps)


def _untile(g: Any, reps: tuple[int, ...], shape: tuple[int, ...]) -> Any:
    """The transpose of tiling: the sum over all tiles."""
    count = max(len(reps), len(shape))
    reps = (1,) * (count - len(reps)) + reps
    sides = (1,) * (count - len(shape)) + shape
    tiles = g.reshape(tuple(n for pair in zip(reps, sides, strict=True) for n in pair))
    return np.sum(tiles, axis=tuple(range(0, 2 * count, 2))).reshape(shape)


_tiled = linear(_tile, A=lambda g, reps, A_shape: _untile(g, reps, A_shape))


def tile(A: Any, reps: Any) -> Any:
    """``A`` laid out ``reps`` times (an int, or one number per axis, missing leading axes added)."""
    return _tiled(A, tuple(map(int, reps)) if isinstance(reps, Iterable) else (int(reps),))


def _repeat(a: Any, repeats: int, axis: int) -> Any:
    return np.repeat(a, repeats, axis)


_repeated = linear(
    _repeat,
    a=lambda g, repeats, axis, a_shape: np.sum(
        g.reshape((*a_shape[: axis + 1], repeats, *a_shape[axis + 1 :])), axis=axis + 1
    ),
)


def repeat(a: Any, repeats: Any, axis: int | None = None) -> Any:
    """Each entry, or each slice along ``axis``, ``repeats`` times in a row (one number, or one for each).

    Raises ValueError for as many ``repeats`` as there are not entries.
    """
    if not isinstance(a, Differentiable):
        return np.repeat(a, bare(repeats), axis)
    if axis is None:
        a, axis = ravel(a), 0
    axis = normalize_axis_index(axis, len(a.shape))
    counts = np.asarray(bare(repeats))
    if counts.size == 1 and counts.ndim < 2:
        return _repeated(a, int(counts.reshape(())), axis)
    return np.take(a, np.repeat(np.arange(a.shape[axis]), counts), axis)


# ---------------------------------------------------------------------- copies


def _copy(a: Any, order: Any = "K") -> Any:
    return np.array(a, order=order)


_copied = linear(_copy, a=lambda g: g)


def copy(a: Any, order: Any = "K", subok: bool = False) -> Any:
    """A copy in memory of its own, through which gradients flow; ``subok`` means nothing here."""
    return _copied(a, order)


def _astype(x: Any, dtype: Any, order: Any = "K", casting: str = "unsafe", copy: bool = True) -> Any:
    return x.astype(dtype, order=order, casting=casting, copy=copy)


_cast = linear(_astype, x=lambda g: g)  # the engine casts a cotangent to its parent's dtype


def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
    """``x`` converted to ``dtype``; the gradient comes back in the dtype of ``x``.

    To a dtype that is neither float nor complex, what requires a gradient becomes a plain array.
    ``device`` is None or "cpu"; raises ValueError otherwise.
    """
    if device not in (None, "cpu"):
        raise ValueError(f"astype() knows the device 'cpu' only; got {device!r}")
    return _cast(x, dtype, copy=copy)


# ---------------------------------------------------------------------- NumPy's functions and methods

functions.update(
    {
        np.astype: astype, np.atleast_1d: atleast_1d, np.atleast_2d: atleast_2d, np.atleast_3d: atleast_3d,
        np.broadcast_arrays: broadcast_arrays, np.broadcast_to: broadcast_to, np.copy: copy,
        np.expand_dims: expand_dims, np.fliplr: fliplr, np.flipud: flipud, np.matrix_transpose: matrix_transpose,
        np.linalg.matrix_transpose: matrix_transpose, np.meshgrid: meshgrid, np.moveaxis: moveaxis, np.ravel: ravel,
        np.repeat: repeat, np.reshape: reshape, np.rollaxis: rollaxis, np.squeeze: squeeze, np.swapaxes: swapaxes,
        np.tile: tile, np.transpose: transpose,
    }
)  # fmt: skip


def _sizes(given: tuple[Any, ...]) -> Any:
    """Sides or axes as a method takes them: one after another, or in one tuple."""
    return given[0] if len(given) == 1 and not isinstance(given[0], int) else given


def _reshape_method(a: Any, *shape: Any, order: Any = "C", copy: bool | None = None) -> Any:
    shape = shape[0] if len(shape) == 1 else shape
    return _reshaped(a, shape) if order == "C" and copy is None else reshape(a, shape, order, copy=copy)


def _transpose_method(a: Any, *axes: Any) -> Any:
    return transpose(a, _sizes(axes) if axes else None)


give(
    T=property(lambda a: _transposed(a)),
    mT=property(matrix_transpose),
    astype=lambda x, dtype, order="K", casting="unsafe", subok=True, copy=True: _cast(x, dtype, order, casting, copy),
    broadcast_to=broadcast_to,
    clone=lambda a: _copied(a),
    copy=lambda a, order="C": _copied(a, order),
    double=lambda x: _cast(x, np.float64, copy=False),
    expand=expand,
    flatten=flatten,
    flip=lambda m, axis=None: flip(m, axis),
    float=lambda x: _cast(x, np.float32, copy=False),
    half=lambda x: _cast(x, np.float16, copy=False),
    moveaxis=moveaxis,
    permute=lambda a, *dims: transpose(a, _sizes(dims)),
    ravel=ravel,
    repeat=repeat,
    reshape=_reshape_method,
    roll=lambda a, shift, axis=None: roll(a, shift, axis),
    squeeze=squeeze,
    swapaxes=swapaxes,
    tile=lambda A, *reps: tile(A, _sizes(reps)),
    transpose=_transpose_method,
    unsqueeze=lambda a, dim: expand_dims(a, dim),
)
