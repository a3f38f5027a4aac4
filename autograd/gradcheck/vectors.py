"""A function of arrays as a map between real vectors; a complex number counts as two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from autograd.dispatch import bare
from autograd.graph import enable_grad, no_grad, propagate
from autograd.tensor import Tensor

__all__ = [
    "Array",
    "Function",
    "Map",
    "Run",
    "count",
    "dtype_of",
    "moduli",
    "normal",
    "reals",
    "shaped_as",
    "size_of",
    "slices_of",
    "width",
]

Array = np.ndarray[Any, Any]
Function = Callable[[Sequence[Any]], list[Any]]  # differentiable values ↦ differentiable outputs


def dtype_of(value: Any) -> np.dtype[Any]:
    dtype = value.dtype if hasattr(value, "dtype") else np.asarray(value).dtype
    return np.dtype(dtype)


def width(dtype: np.dtype[Any]) -> int:
    """Bytes of a real number of this dtype; 8 for anything longer."""
    return min(dtype.itemsize // (2 if dtype.kind == "c" else 1), 8)


def reals(array: Any) -> Array:
    """A flat view of the real and imaginary parts."""
    flat = np.ascontiguousarray(array).reshape(-1)
    return flat.view(flat.real.dtype) if flat.dtype.kind == "c" else flat


def moduli(array: Any) -> Array:
    """The absolute value behind each of ``reals``: rounding goes by that of the whole complex number."""
    flat = np.ascontiguousarray(array).reshape(-1)
    return np.abs(flat).repeat(2 if flat.dtype.kind == "c" else 1)


def size_of(array: Any) -> float:
    """The Euclidean norm, in double precision: squares overflow soon in narrower dtypes."""
    return float(np.linalg.norm(reals(array).astype(np.float64)))


def count(array: Any) -> int:
    return int(array.size) * (2 if array.dtype.kind == "c" else 1)


def slices_of(arrays: Sequence[Any]) -> list[slice]:
    ends = np.cumsum([0, *map(count, arrays)]).tolist()
    return [slice(a, b) for a, b in pairwise(ends)]


class Map:
    """A function of arrays as a map from a real vector to a real vector, for differences.

    ``known`` is a dtype that it is known to compute in.
    """

    def __init__(self, function: Function, arrays: Sequence[Array], known: Any = np.float64) -> None:
        self.function = function
        self.shapes = [a.shape for a in arrays]
        self.dtypes = [np.result_type(a.dtype, np.float64) for a in arrays]
        self.work = np.result_type(np.float64, *(a.real.dtype for a in arrays))
        self.slices = slices_of(arrays)
        self.x = np.concatenate([reals(a).astype(self.work) for a in arrays])
        self.upcast = True
        try:
            outputs = self._outputs(self.x)
        except (TypeError, ValueError):  # a function that insists on the inputs' own dtypes
            self.dtypes = [a.dtype for a in arrays]
            self.upcast = False
            outputs = self._outputs(self.x)
        self.y = self._joined(outputs)
        met = [np.dtype(known), self.work, *map(dtype_of, outputs), *([] if self.upcast else self.dtypes)]
        self.precision = max(met, key=lambda dtype: float(np.finfo(dtype).eps))  # what values can be had in
        self.eps = float(np.finfo(self.precision).eps)
        sizes = [moduli(bare(y)) for y in outputs]
        self.noise = self.eps * np.concatenate(sizes).astype(self.work)  # rounding error of the values
        self.step = min(1.6 * self.eps ** (1 / 6), 0.1)

    def _outputs(self, x: Array) -> list[Any]:
        parts = zip(self.slices, self.shapes, self.dtypes, strict=True)
        return self.function([Tensor(self._shaped(x[part], shape, dtype)) for part, shape, dtype in parts])

    def _shaped(self, part: Array, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        if dtype.kind == "c":
            part = part.view(np.result_type(part.dtype, np.complex64))
        return part.astype(dtype, copy=False).reshape(shape)

    def _joined(self, outputs: Sequence[Any]) -> Array:
        return np.concatenate([reals(bare(y)) for y in outputs]).astype(self.work)

    def __call__(self, x: Array) -> Array:
        y = self._joined(self._outputs(x))
        if y.shape != self.y.shape:
            raise ValueError(f"the function returned {y.size} numbers, and at nearby inputs {self.y.size}")
        return y

    def scales(self, step: float) -> Array:
        """The size of each component, for steps: its own, or a part of its array's where it is nearly zero."""
        scales = np.ones_like(self.x)
        for part, dtype in zip(self.slices, self.dtypes, strict=True):
            x = self.x[part]
            own = np.abs(x) if dtype.kind != "c" else np.repeat(np.hypot(x[::2], x[1::2]), 2)
            typical = np.sqrt(np.mean(x * x)) / 8 if x.size else 0.0
            if not typical:
                continue
            scales[part] = np.maximum(own, typical)
            if not self._finite_around(part, step * scales[part]):  # such steps leave the function's domain
                scales[part] = np.where(own > 0, own, typical)
        return scales

    def _finite_around(self, part: slice, distance: Array) -> bool:
        d = np.zeros_like(self.x)
        d[part] = distance
        return bool(np.isfinite(self(self.x + d)).all() and np.isfinite(self(self.x - d)).all())


class Run:
    """One recorded call, from which cotangents can be pulled back; of arrays, or of leaf tensors as they are."""

    def __init__(self, function: Function, arrays: Sequence[Any]) -> None:
        self.leaves = [a if isinstance(a, Tensor) else Tensor(a, requires_grad=True) for a in arrays]
        self._nodes: list[Any] = [x._node for x in self.leaves]
        self._targets = frozenset(self._nodes)
        with enable_grad():
            self.outputs = function(self.leaves)
        self.values = [np.array(bare(y)) for y in self.outputs]

    def pull(self, cotangents: Sequence[Array | None]) -> list[Array]:
        """``vᵀJ``, one array for each input; None stands for an output without a cotangent."""
        pairs = [
            (y._node, v)
            for y, v in zip(self.outputs, cotangents, strict=True)
            if v is not None and isinstance(y, Tensor) and y._node is not None
        ]
        with no_grad():
            arrived = propagate(pairs, self._targets, release=False)
        found = zip(self._nodes, self.leaves, strict=True)
        return [np.array(arrived[node]) if node in arrived else np.zeros(x.shape, x.dtype) for node, x in found]

    def pull_vector(self, output: int, v: Array) -> Array:
        """``vᵀJ`` as a real vector, for a real vector ``v`` on one output alone."""
        cotangents: list[Array | None] = [None] * len(self.values)
        cotangents[output] = shaped_as(v, self.values[output])
        return np.concatenate([reals(g) for g in self.pull(cotangents)])


def shaped_as(vector: Array, like: Array) -> Array:
    """A real vector in the shape and dtype of ``like``."""
    part = np.array(vector, like.real.dtype)
    return (part.view(like.dtype) if like.dtype.kind == "c" else part).reshape(like.shape)


def normal(rng: np.random.Generator, like: Array) -> Array:
    return shaped_as(rng.standard_normal(count(like)), like)
