"""Sample inputs of reading and writing entries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from autograd.cases.base import Case, an_axis, arrays, distinct, seeds, shapes
from autograd.numpy import indexing

with_axes = st.lists(st.sampled_from([1, 2, 3]), min_size=1, max_size=3).map(tuple)


@st.composite
def a_slice(draw: Any, n: int) -> slice:
    end = st.one_of(st.none(), st.integers(-n - 1, n + 1))
    return slice(draw(end), draw(end), draw(st.sampled_from([None, 1, 2, -1, -2])))


@st.composite
def basic_index(draw: Any, shape: tuple[int, ...]) -> Any:
    """Integers, slices, new axes and an ellipsis."""
    parts: list[Any] = []
    for n in shape[: draw(st.integers(0, len(shape)))]:
        parts.append(draw(st.one_of(a_slice(n), st.integers(-n, n - 1) if n else st.just(slice(None)))))
    if draw(st.booleans()):
        parts.insert(draw(st.integers(0, len(parts))), None)
    if len(parts) < 4 and draw(st.booleans()):
        parts.append(...)
    return parts[0] if len(parts) == 1 and draw(st.booleans()) else tuple(parts)


@st.composite
def advanced_index(draw: Any, shape: tuple[int, ...], repeats: bool = True) -> Any:
    """Integer arrays (with repeats), lists and masks, mixed with integers and slices; no side may be 0."""
    rng = np.random.default_rng(draw(seeds))
    kind = draw(st.sampled_from(["mask", "row mask", "integers"]))
    if kind == "mask" or not shape:
        return rng.random(shape) < 0.5
    if kind == "row mask":
        return (rng.random(shape[0]) < 0.5, *([slice(None, None, -1)] if len(shape) > 1 else []))
    length = draw(st.integers(0, 4)) if repeats else 1
    parts: list[Any] = []
    for n in shape[: draw(st.integers(1, len(shape)))]:
        form = draw(st.sampled_from(["array", "list", "table", "integer", "slice"]))
        if form in ("array", "list", "table"):
            values = rng.integers(-n, n, length)
            parts.append(values if form == "array" else values.tolist() if form == "list" else values[None])
        else:
            parts.append(int(rng.integers(-n, n)) if form == "integer" else slice(None))
    return parts[0] if len(parts) == 1 and draw(st.booleans()) else tuple(parts)


@st.composite
def read(draw: Any) -> Case:
    if draw(st.booleans()):
        x = draw(arrays())
        index = draw(basic_index(x.shape))
    else:
        x = draw(arrays(shape=with_axes))
        index = draw(advanced_index(x.shape))
    return Case(lambda a: a[index], (x,))


@st.composite
def gathered(draw: Any) -> Case:
    """What is made of reading: take, take_along_axis, compress, delete, sort, padding by repetition."""
    x = draw(distinct(shape=with_axes))
    axis = draw(an_axis(x.ndim))
    n = x.shape[axis]
    rng = np.random.default_rng(draw(seeds))
    places = rng.integers(-n, n, draw(st.sampled_from([(), (0,), (3,), (2, 2)])))
    along = np.argsort(rng.random(x.shape), axis)
    far = rng.integers(-9, 9, 4)
    forms: list[Callable[..., Any]] = [
        lambda a: np.take(a, places, axis),
        lambda a: np.take(a, places % n),
        lambda a: np.take(a, far, axis, mode="wrap"),
        lambda a: np.take(a, far, axis, mode="clip"),
        lambda a: np.take_along_axis(a, along, axis),
        lambda a: np.take_along_axis(a, np.argsort(np.ravel(along)), None),
        lambda a: np.compress(along.ravel()[:n] > 0, a, axis),
        lambda a: np.extract(along > 0, a),
        lambda a: np.delete(a, 0, axis),
        lambda a: np.sort(a, axis),
        lambda a: np.sort(a, None),
    ]
    return Case(draw(st.sampled_from(forms)), (x,))


@st.composite
def scattered(draw: Any) -> Case:
    shape = draw(with_axes)
    index = indexing.settled(draw(st.one_of(basic_index(shape), advanced_index(shape))))
    x = draw(arrays(shape=np.zeros(shape)[index].shape))
    return Case(lambda a: indexing.scatter(a, index, shape), (x,))


@st.composite
def written(draw: Any) -> Case:
    shape = draw(with_axes if draw(st.booleans()) else shapes)
    index = draw(basic_index(shape) if 0 in shape else st.one_of(basic_index(shape), advanced_index(shape)))
    index = indexing.settled(index)
    region = np.zeros(shape)[index].shape
    sides = tuple(1 if draw(st.booleans()) else n for n in region)
    parts = index if isinstance(index, tuple) else (index,)
    masked = any(getattr(part, "dtype", None) == np.bool_ for part in parts)
    sides = draw(st.sampled_from([sides, sides[1:], ()] + [(1, *region)] * (len(region) > 0 and not masked)))
    x, value = draw(arrays(shape=shape)), draw(arrays(shape=sides))
    forms: list[Callable[..., Any]] = [
        lambda a, v: indexing.set_item(a, index, v),
        lambda a, v: indexing.set_item(a, index, 1.5) + np.sum(v),
        lambda a, v: indexing.set_item(np.zeros(shape), index, v) * np.sum(a),
    ]
    return Case(draw(st.sampled_from(forms)), (x, value))


CASES: dict[str, st.SearchStrategy[Case]] = {
    "getitem": st.one_of(read(), gathered()),
    "scatter": scattered(),
    "set_item": written(),
}
