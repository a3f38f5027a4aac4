"""Sample inputs of the primitives that move, repeat, join and part entries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from autograd.cases.base import Case, an_axis, arrays, shapes, some_axes
from autograd.numpy import diagonals, joining

with_axes = st.lists(st.sampled_from([0, 1, 2, 3]), min_size=1, max_size=3).map(tuple)
matrices = st.lists(st.sampled_from([0, 1, 2, 3]), min_size=2, max_size=3).map(tuple)


def one(function: Callable[..., Any], x: np.ndarray) -> Case:
    return Case(function, (x,))


# ---------------------------------------------------------------------- shape and order of the axes


@st.composite
def reshaped(draw: Any) -> Case:
    x = draw(arrays())
    order = draw(st.sampled_from(["C", "F"]))
    sides = draw(st.permutations(x.shape))
    target = (*sides[:1], 1, *sides[1:])
    free = tuple(-1 if i == 0 and x.size else n for i, n in enumerate(target))
    forms: list[Callable[..., Any]] = [
        lambda a: np.reshape(a, target, order),
        lambda a: a.reshape(*free, order=order),
        lambda a: np.ravel(a, order),
        lambda a: a.flatten(order),
        lambda a: np.expand_dims(a, (0, -1)),
        lambda a: np.squeeze(np.expand_dims(a, -1), -1),
        lambda a: a.squeeze(),
        np.atleast_1d,
        np.atleast_2d,
        np.atleast_3d,
    ]
    return one(draw(st.sampled_from(forms)), x)


@st.composite
def transposed(draw: Any) -> Case:
    x = draw(arrays())
    n = x.ndim
    axes = tuple(a - n if draw(st.booleans()) else a for a in draw(st.permutations(range(n))))
    forms: list[Callable[..., Any]] = [np.transpose, lambda a: a.T, lambda a: np.transpose(a, axes)]
    if n:
        i, j = draw(an_axis(n)), draw(an_axis(n))
        start = draw(st.integers(-n, n))
        forms += [
            lambda a: a.transpose(*axes),
            lambda a: np.swapaxes(a, i, j),
            lambda a: np.moveaxis(a, i, j),
            lambda a: np.rollaxis(a, i, start),
            lambda a: np.moveaxis(a, axes, tuple(range(n))),
        ]
    if n > 1:
        forms += [np.matrix_transpose, lambda a: a.mT]
    return one(draw(st.sampled_from(forms)), x)


@st.composite
def broadcast(draw: Any) -> Case:
    shape = draw(shapes)
    sides = tuple(1 if draw(st.booleans()) else n for n in shape)
    x = draw(arrays(shape=sides[draw(st.integers(0, len(sides))) :]))
    if draw(st.booleans()):
        return one(lambda a: np.broadcast_to(a, shape), x)
    other = draw(arrays(shape=shape))
    return Case(lambda a, b: np.broadcast_arrays(a, b), (x, other))


# ---------------------------------------------------------------------- order and number of the entries


@st.composite
def flipped(draw: Any) -> Case:
    x = draw(arrays())
    axis = draw(some_axes(x.ndim))
    forms: list[Callable[..., Any]] = [lambda a: np.flip(a, axis)]
    forms += [np.flipud] * (x.ndim > 0) + [np.fliplr] * (x.ndim > 1)
    return one(draw(st.sampled_from(forms)), x)


@st.composite
def turned(draw: Any) -> Case:
    x = draw(arrays(shape=matrices))
    i, j = draw(st.permutations(range(x.ndim)))[:2]
    k = draw(st.integers(-5, 5))
    return one(lambda a: np.rot90(a, k, (i, j - x.ndim)), x)


@st.composite
def rolled(draw: Any) -> Case:
    x = draw(arrays())
    shift = draw(st.integers(-5, 5))
    if x.ndim == 0 or draw(st.booleans()):
        return one(lambda a: np.roll(a, shift), x)
    axes = draw(st.lists(an_axis(x.ndim), min_size=1, max_size=3).map(tuple))
    shifts = tuple(draw(st.integers(-5, 5)) for _ in axes)
    return one(lambda a: np.roll(a, shifts, axes), x)


@st.composite
def tiled(draw: Any) -> Case:
    x = draw(arrays(shape=st.lists(st.sampled_from([0, 1, 2, 3]), max_size=2).map(tuple)))
    few = st.integers(0, 3)
    reps = draw(st.one_of(few, st.lists(few, max_size=3).map(tuple)))
    return one(lambda a: np.tile(a, reps), x)


@st.composite
def repeated(draw: Any) -> Case:
    x = draw(arrays())
    axis = draw(an_axis(x.ndim)) if x.ndim and draw(st.booleans()) else None
    if draw(st.booleans()):
        times: Any = draw(st.integers(0, 3))
    else:
        n = x.size if axis is None else x.shape[axis]
        times = [draw(st.integers(0, 2)) for _ in range(n)] or 1
    return one(lambda a: np.repeat(a, times, axis), x)


@st.composite
def padded(draw: Any) -> Case:
    mode = draw(st.sampled_from(["constant", "edge", "reflect", "symmetric", "wrap"]))
    sides = st.sampled_from([0, 1, 2, 3] if mode == "constant" else [1, 2, 3])
    x = draw(arrays(shape=st.lists(sides, max_size=2).map(tuple)))
    few = st.integers(0, 4)
    widths = draw(st.one_of(few, st.tuples(few, few), st.tuples(*[st.tuples(few, few)] * x.ndim)))
    if x.ndim == 0:
        widths = draw(few)
    options = draw(st.sampled_from([{}, {"constant_values": 0.5}])) if mode == "constant" else {}
    return one(lambda a: np.pad(a, widths, mode, **options), x)


def copied() -> st.SearchStrategy[Case]:
    forms: list[Callable[..., Any]] = [np.copy, lambda a: a.copy(), lambda a: np.copy(a, order="F")]
    return st.builds(one, st.sampled_from(forms), arrays())


def cast() -> st.SearchStrategy[Case]:
    forms: list[Callable[..., Any]] = [
        lambda a: np.astype(a, np.float64),
        lambda a: a.astype(np.complex128),
        lambda a: a.astype(np.float64, copy=False),
    ]
    return st.builds(one, st.sampled_from(forms), arrays())


# ---------------------------------------------------------------------- diagonals and triangles


def triangular(function: Callable[..., Any]) -> st.SearchStrategy[Case]:
    return st.builds(lambda k, x: one(lambda a: function(a, k), x), st.integers(-3, 3), arrays(shape=with_axes))


@st.composite
def diagonal(draw: Any) -> Case:
    x = draw(arrays(shape=matrices))
    i, j = draw(st.permutations(range(x.ndim)))[:2]
    offset = draw(st.integers(-3, 3))
    forms: list[Callable[..., Any]] = [
        lambda a: np.diagonal(a, offset, i, j - x.ndim),
        lambda a: np.trace(a, offset, i, j),
        lambda a: a.diagonal(),
    ]
    if x.ndim == 2:
        forms.append(lambda a: np.diag(a, offset))
    return one(draw(st.sampled_from(forms)), x)


@st.composite
def on_diagonal(draw: Any) -> Case:
    k = draw(st.integers(-2, 2))
    if draw(st.booleans()):
        x = draw(arrays(shape=st.tuples(st.integers(0, 3))))
        return one(draw(st.sampled_from([lambda a: np.diag(a, k), lambda a: np.diagflat(a, k)])), x)
    place = draw(arrays(shape=matrices))
    i, j = draw(st.permutations(range(place.ndim)))[:2]
    x = draw(arrays(shape=np.diagonal(place, k, i, j).shape))
    return one(lambda a: diagonals.on_diagonal(a, place.shape, k, i, j), x)


# ---------------------------------------------------------------------- joining and parting


@st.composite
def concatenated(draw: Any) -> Case:
    if draw(st.booleans()):
        parts = tuple(draw(arrays()) for _ in range(draw(st.integers(1, 3))))
        return Case(lambda *xs: np.concatenate(xs, axis=None), parts)
    shape = draw(with_axes)
    axis = draw(an_axis(len(shape)))
    place = axis % len(shape)
    sides = [draw(st.integers(0, 3)) for _ in range(draw(st.integers(1, 3)))]
    parts = tuple(draw(arrays(shape=(*shape[:place], n, *shape[place + 1 :]))) for n in sides)
    constant = np.ones(shape)
    forms: list[Callable[..., Any]] = [
        lambda *xs: np.concatenate(xs, axis),
        lambda *xs: np.concatenate([constant, *xs, constant.tolist()] if constant.size else xs, axis=axis),
        lambda x, *_: np.concatenate((x, x), axis, dtype=np.float64),
        lambda x, *_: np.append(x, x, axis),
        lambda x, *_: np.vstack((x, x)),
        lambda x, *_: np.hstack((x, x)),
        lambda x, *_: np.dstack((x, x)),
        lambda x, *_: np.column_stack((x, x)),
        lambda x, *_: np.block([[x, x], [x, x]]),
    ]
    return Case(draw(st.sampled_from(forms)), parts)


@st.composite
def stacked(draw: Any) -> Case:
    shape = draw(shapes)
    parts = tuple(draw(arrays(shape=shape)) for _ in range(draw(st.integers(1, 3))))
    axis = draw(an_axis(len(shape) + 1))
    constant = np.ones(shape)
    if draw(st.booleans()):
        return Case(lambda *xs: np.stack(xs, axis), parts)
    return Case(lambda *xs: np.stack([constant, *xs], axis=axis), parts)


@st.composite
def parted(draw: Any) -> Case:
    x = draw(arrays(shape=with_axes))
    axis = draw(an_axis(x.ndim))
    n = x.shape[axis]
    points = draw(st.lists(st.integers(-n - 1, n + 1), max_size=3))
    count = draw(st.integers(1, 4))
    forms: list[Callable[..., Any]] = [
        lambda a: np.split(a, points, axis),
        lambda a: np.array_split(a, count, axis),
        lambda a: np.split(a, 1, axis),
        lambda a: np.hsplit(a, points),
    ]
    forms += [lambda a: np.vsplit(a, points)] * (x.ndim > 1) + [lambda a: np.dsplit(a, points)] * (x.ndim > 2)
    return one(draw(st.sampled_from(forms)), x)


@st.composite
def unstacked(draw: Any) -> Case:
    x = draw(arrays(shape=st.lists(st.sampled_from([1, 2, 3]), min_size=1, max_size=3).map(tuple)))
    axis = draw(an_axis(x.ndim))
    return one(lambda a: joining.unstack(a, axis=axis), x)


CASES: dict[str, st.SearchStrategy[Case]] = {
    "reshape": reshaped(),
    "transpose": transposed(),
    "broadcast_to": broadcast(),
    "flip": flipped(),
    "rot90": turned(),
    "roll": rolled(),
    "tile": tiled(),
    "repeat": repeated(),
    "pad": padded(),
    "copy": copied(),
    "astype": cast(),
    "tril": triangular(np.tril),
    "triu": triangular(np.triu),
    "diagonal": diagonal(),
    "on_diagonal": on_diagonal(),
    "concatenate": concatenated(),
    "stack": stacked(),
    "split": parted(),
    "unstack": unstacked(),
}
