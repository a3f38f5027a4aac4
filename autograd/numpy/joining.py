"""Arrays put together and taken apart: concatenate, stack, block, split, unstack and their kin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from autograd.declare import primitive
from autograd.dispatch import Differentiable, bare, functions, give
from autograd.numpy.shaping import atleast_1d, atleast_2d, atleast_3d, reshape

__all__ = [
    "append", "array_split", "block", "column_stack", "concat", "concatenate", "dsplit", "dstack", "hsplit", "hstack",
    "split", "stack", "unstack", "vsplit", "vstack",
]  # fmt: skip


# ---------------------------------------------------------------------- together


def _along(axis: int, start: int, stop: int) -> tuple[slice, ...]:
    return (slice(None),) * axis + (slice(start, stop),)


def _pieces(g: Any, axis: int | None, shapes: Sequence[tuple[int, ...]], needs: Sequence[bool]) -> list[Any]:
    """The transpose of joining: from ``g`` the part that each operand has filled."""
    flat = axis is None
    axis = 0 if axis is None else normalize_axis_index(axis, len(g.shape))
    pieces: list[Any] = []
    start = 0
    for shape, need in zip(shapes, needs, strict=True):
        stop = start + (int(np.prod(shape, dtype=int)) if flat else shape[axis])
        piece = g[_along(axis, start, stop)]
        pieces.append(None if not need else piece.reshape(shape) if flat else piece)
        start = stop
    return pieces


def _tangents(t: Sequence[Any], operands: Sequence[Any]) -> list[Any]:
    return [np.zeros_like(bare(x)) if u is None else u for u, x in zip(t, operands, strict=True)]


def _concatenate(*operands: Any, axis: int | None = 0, dtype: Any = None, casting: str = "same_kind") -> Any:
    return np.concatenate(operands, axis=axis, dtype=dtype, casting=casting)  # type: ignore[call-overload]


_joined: Any = primitive(
    _concatenate,
    vjp=lambda g, axis, operands_shape, needs: _pieces(g, axis, operands_shape, needs),
    jvp=lambda t, operands, axis, out, casting: _joined(
        *_tangents(t, operands), axis=axis, dtype=bare(out).dtype, casting=casting
    ),
)


def concatenate(
    arrays: Any, axis: int | None = 0, out: None = None, *, dtype: Any = None, casting: str = "same_kind"
) -> Any:
    """Arrays joined along ``axis``, or flattened and joined where it is None, with NumPy's arguments.

    Tensors, arrays and lists may be mixed; dtypes promote as NumPy's. Raises TypeError for ``out`` and
    ValueError for shapes that do not fit.
    """
    _refuse_out("concatenate", out)
    return _joined(*arrays, axis=axis, dtype=dtype, casting=casting)


concat = concatenate


def _stack(*operands: Any, axis: int = 0, dtype: Any = None, casting: str = "same_kind") -> Any:
    return np.stack(operands, axis=axis, dtype=dtype, casting=casting)  # type: ignore[call-overload]


_stacked: Any = primitive(
    _stack,
    vjp=lambda g, axis: unstack(g, axis=axis),
    jvp=lambda t, operands, axis, out, casting: _stacked(
        *_tangents(t, operands), axis=axis, dtype=bare(out).dtype, casting=casting
    ),
)


def stack(arrays: Any, axis: int = 0, out: None = None, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """Arrays of one shape joined along a new axis, with NumPy's arguments.

    Raises TypeError for ``out`` and ValueError for different shapes.
    """
    _refuse_out("stack", out)
    return _stacked(*arrays, axis=axis, dtype=dtype, casting=casting)


def _refuse_out(name: str, out: Any) -> None:
    if out is not None:
        raise TypeError(f"{name}() of a Tensor does not write into out=; use its result")


def vstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """Arrays joined as rows: along the first axis, vectors as rows of their own."""
    return concatenate([atleast_2d(x) for x in tup], 0, dtype=dtype, casting=casting)


def hstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """Arrays joined side by side: along the second axis, vectors along their only one."""
    made = [atleast_1d(x) for x in tup]
    return concatenate(made, 0 if made and np.ndim(made[0]) == 1 else 1, dtype=dtype, casting=casting)


def dstack(tup: Any) -> Any:
    """Arrays joined in depth, along the third axis."""
    return concatenate([atleast_3d(x) for x in tup], 2)


def column_stack(tup: Any) -> Any:
    """Vectors joined as the columns of a matrix; matrices joined side by side."""
    return concatenate([x if np.ndim(x) >= 2 else reshape(x, (-1, 1)) for x in tup], 1)


def append(arr: Any, values: Any, axis: int | None = None) -> Any:
    """``arr`` followed by ``values`` along ``axis``, both flattened where it is None."""
    return concatenate((arr, values), axis)


def block(arrays: Any) -> Any:
    """An array from nested lists of blocks: the innermost lists join along the last axis, and so outwards.

    Raises ValueError for lists nested to different depths and for shapes that do not fit.
    """
    depth, ndim = _depth(arrays)
    return _blocks(arrays, depth, max(depth, ndim))


def _depth(arrays: Any) -> tuple[int, int]:
    """How deep the lists are nested, and the largest number of axes among the blocks."""
    if not isinstance(arrays, list):
        return 0, np.ndim(arrays)
    if not arrays:
        raise ValueError("block() got an empty list")
    inner = [_depth(item) for item in arrays]
    if len({depth for depth, _ in inner}) > 1:
        raise ValueError("block() got lists nested to different depths")
    return inner[0][0] + 1, max(ndim for _, ndim in inner)


def _blocks(arrays: Any, depth: int, ndim: int) -> Any:
    if depth:
        return concatenate([_blocks(item, depth - 1, ndim) for item in arrays], -depth)
    shape = np.shape(arrays)
    return reshape(arrays, (1,) * (ndim - len(shape)) + shape)


# ---------------------------------------------------------------------- apart


def _split(ary: Any, points: tuple[int, ...], axis: int) -> tuple[Any, ...]:
    ends = zip((0, *points), (*points, ary.shape[axis]), strict=True)
    return tuple([ary[_along(axis, start, stop)] for start, stop in ends])


_parted: Any = primitive(
    _split,
    vjp={"ary": lambda g, axis: np.concatenate(g, axis)},
    jvp={"ary": lambda t, points, axis: _parted(t, points, axis)},
)


def _unstack(x: Any, axis: int = 0) -> tuple[Any, ...]:
    return tuple(np.moveaxis(x, axis, 0))


_unstacked = primitive(
    _unstack,
    vjp={"x": lambda g, axis: np.stack(g, axis)},
    jvp={"x": lambda t, axis: unstack(t, axis=axis)},
)


def unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    """The slices along ``axis``, each with one axis less, as views. Raises ValueError for a 0-d array."""
    if np.ndim(x) == 0:
        raise ValueError("unstack() of a 0-d array: it has no axis to take apart")
    return _unstacked(x, axis)


def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Views of the parts of ``ary`` along ``axis``: at given indices, or into nearly equal sections.

    Raises ValueError for less than one section.
    """
    if not isinstance(ary, Differentiable):
        return np.array_split(ary, indices_or_sections, axis)
    axis = normalize_axis_index(axis, len(ary.shape))
    n = ary.shape[axis]
    if np.ndim(indices_or_sections):
        raw = [int(p) for p in bare(indices_or_sections)]
        points = [min(max(p + n if p < 0 else p, 0), n) for p in raw]
    else:
        count = int(indices_or_sections)
        if count < 1:
            raise ValueError(f"array_split() into {count} sections")
        points = [i * (n // count) + min(i, n % count) for i in range(1, count)]
    if points != sorted(points):  # parts that overlap, or leave entries out
        return [ary[_along(axis, a, b)] for a, b in zip([0, *points], [*points, n], strict=True)]
    return list(_parted(ary, tuple(points), axis))


def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Views of the parts of ``ary`` along ``axis``: at given indices, or into equal sections.

    Raises ValueError where the sections would not be equal.
    """
    if not np.ndim(indices_or_sections):
        n, count = np.shape(ary)[axis], int(indices_or_sections)
        if count < 1 or n % count:
            raise ValueError(f"split() of {n} entries into {count} equal sections is not possible; see array_split()")
    return array_split(ary, indices_or_sections, axis)


def _splitting(name: str, least: int, which: str) -> Callable[..., Any]:
    def part(ary: Any, indices_or_sections: Any) -> list[Any]:
        ndim = np.ndim(ary)
        if ndim < least:
            raise ValueError(f"{name}() needs at least {least} axes; this array has shape {np.shape(ary)}")
        return split(ary, indices_or_sections, {"hsplit": min(ndim - 1, 1), "vsplit": 0, "dsplit": 2}[name])

    part.__name__ = part.__qualname__ = name
    part.__doc__ = f"``split`` along the {which} axis. Raises ValueError for fewer than {least} axes."
    return part


hsplit = _splitting("hsplit", 1, "second (of a vector: the only)")
vsplit = _splitting("vsplit", 2, "first")
dsplit = _splitting("dsplit", 3, "third")


functions.update(
    {
        np.append: append, np.array_split: array_split, np.block: block, np.column_stack: column_stack,
        np.concatenate: concatenate, np.dsplit: dsplit, np.dstack: dstack, np.hsplit: hsplit, np.hstack: hstack,
        np.split: split, np.stack: stack, np.vsplit: vsplit, np.vstack: vstack,
    }
)  # fmt: skip
if hasattr(np, "unstack"):  # from NumPy 2.1
    functions[np.unstack] = unstack
give(unbind=lambda x, dim=0: unstack(x, axis=dim))
