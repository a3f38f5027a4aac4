"""What a case is, and the generated inputs that cases are made of."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st


@dataclass(frozen=True)
class Case:
    """A function of float64 arrays alone, written in NumPy, and a point at which it is smooth."""

    function: Callable[..., Any]
    inputs: tuple[np.ndarray, ...]

    def __repr__(self) -> str:
        shapes = ", ".join(str(x.shape) for x in self.inputs)
        return f"Case({getattr(self.function, '__name__', self.function)}, shapes: {shapes})"


Cases = dict[str, st.SearchStrategy[Case]]  # by the primitive's name


def collected(package: str, path: Iterable[str]) -> Cases:
    """The ``CASES`` of all modules in a package but ``base``, as one table.

    Raises ValueError where two modules have cases of the same name.
    """
    cases: Cases = {}
    for module in pkgutil.iter_modules(path):
        if module.name == "base":
            continue
        part = importlib.import_module(f"{package}.{module.name}").CASES
        twice = cases.keys() & part.keys()
        if twice:
            raise ValueError(f"{package}.{module.name} repeats the cases of {', '.join(sorted(twice))}")
        cases.update(part)
    return cases


# Small sides, 1 and 0 among them; 0-d too.
sides = st.sampled_from([0, 1, 2, 3, 4])
shapes = st.lists(sides, max_size=3).map(tuple)
full_shapes = st.lists(st.sampled_from([1, 2, 3]), max_size=3).map(tuple)  # nothing empty
seeds = st.integers(0, 2**32 - 1)


@st.composite
def arrays(
    draw: Any,
    shape: Any = shapes,
    low: float = -2.0,
    high: float = 2.0,
    away_from: tuple[float, ...] = (),
    margin: float = 0.1,
) -> np.ndarray:
    """A float64 array with entries in [low, high], no nearer than ``margin`` to the points ``away_from``."""
    shape = draw(shape) if isinstance(shape, st.SearchStrategy) else shape
    rng = np.random.default_rng(draw(seeds))
    x = rng.uniform(low, high, shape)
    for point in away_from:
        near = np.abs(x - point) < margin
        x = np.where(near, point + margin * np.where(x < point, -1.0, 1.0) * (1 + np.abs(x - point)), x)
    return np.asarray(x)


@st.composite
def distinct(draw: Any, shape: Any = full_shapes, gap: float = 0.05) -> np.ndarray:
    """An array whose entries differ from each other by at least ``gap``: no ties, for sorting and maxima."""
    shape = draw(shape) if isinstance(shape, st.SearchStrategy) else shape
    rng = np.random.default_rng(draw(seeds))
    n = int(np.prod(shape))
    return (gap * 2 * (rng.permutation(n) - n / 2) + rng.uniform(0, gap, n)).reshape(shape)


@st.composite
def broadcastable(draw: Any, /, count: int = 2, **options: Any) -> tuple[np.ndarray, ...]:
    """``count`` arrays whose shapes broadcast together: sides of 1 and missing leading axes included."""
    full = draw(shapes)
    made = []
    for _ in range(count):
        shape = tuple(1 if draw(st.booleans()) else n for n in full)
        made.append(draw(arrays(shape[draw(st.integers(0, len(shape))) :], **options)))
    return tuple(made)


@st.composite
def an_axis(draw: Any, ndim: int) -> int:
    """One axis of an array with ``ndim`` axes, counted from either end."""
    return draw(st.integers(-ndim, ndim - 1))


@st.composite
def some_axes(draw: Any, ndim: int) -> int | tuple[int, ...] | None:
    """What ``axis=`` of a reduction takes: None, one axis, or several, negative ones too."""
    if ndim == 0 or draw(st.booleans()):
        return draw(st.sampled_from([None, ()])) if ndim == 0 else None
    axes = draw(st.sets(st.integers(0, ndim - 1), min_size=0, max_size=ndim))
    signed = tuple(a - ndim if draw(st.booleans()) else a for a in axes)
    return signed[0] if len(signed) == 1 and draw(st.booleans()) else signed
