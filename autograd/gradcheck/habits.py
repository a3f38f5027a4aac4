"""What must hold of a gradient besides its values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autograd.dispatch import bare
from autograd.gradcheck.point import Point
from autograd.gradcheck.report import Finding
from autograd.gradcheck.vectors import Array, Run, normal, reals, shaped_as, size_of

__all__ = ["habits", "precision", "values_repeat"]


def _same(a: Sequence[Array], b: Sequence[Array], tolerance: float) -> bool:
    for x, y in zip(a, b, strict=True):
        if x.shape != y.shape:
            return False
        if x.tobytes() != y.tobytes():
            size = np.max(np.abs(x[np.isfinite(x)]), initial=0.0)
            if not np.allclose(x, y, rtol=tolerance, atol=tolerance * float(size), equal_nan=True):
                return False
    return True


def _strided(array: Array) -> Array:
    """The same values in reversed axis order, running backwards, with gaps."""
    memory = np.zeros((*array.shape[::-1], 2), array.dtype)[..., 0]
    backwards: Any = (..., *[slice(None, None, -1)] * array.ndim)
    view: Array = memory[backwards].T
    view[...] = array
    return view


def _column_major(array: Array) -> Array:
    return np.array(array, order="F")


def _broadcast(array: Array) -> Array:
    """The same values, without memory of their own along the axes on which they repeat."""
    view = array.copy()
    for axis, length in enumerate(array.shape):
        first = view[(slice(None),) * axis + (slice(0, 1),)]
        if length > 1 and np.array_equal(view, np.broadcast_to(first, view.shape)):
            view = first
    strides = [0 if n == 1 else s for n, s in zip(view.shape, view.strides, strict=True)]
    return np.lib.stride_tricks.as_strided(view, array.shape, strides)  # writable, unlike np.broadcast_to


def habits(point: Point) -> list[Finding]:
    """Repeatability, foreign arrays left alone, shapes, layouts, and linearity in the cotangent."""
    run, arrays = point.run, point.arrays
    weights = [point.rng.standard_normal(len(pulled)) for pulled in point.pulled]
    cotangents = [
        shaped_as(w if probes.rows is None else w @ probes.rows, y)
        for w, probes, y in zip(weights, point.cotangents, run.values, strict=True)
    ]
    given = [v.copy() for v in cotangents]
    gradients = run.pull(cotangents)
    mutated = _mutated(point) + ([] if _same(given, cotangents, 0.0) else [Finding("cotangents", "mutated")])
    return mutated or [
        *(values_repeat(point) or _gradients_repeat(point, cotangents, gradients)),
        *(
            Finding(point.subject(i), "dtype", cause=f"got {g.shape} {g.dtype}")
            for i, (g, x) in enumerate(zip(gradients, arrays, strict=True))
            if g.shape != x.shape or g.dtype != x.dtype
        ),
        *_linear(point, weights, cotangents, gradients),
    ]


def _mutated(point: Point) -> list[Finding]:
    """Whether the function, or a rule, changed the inputs or the outputs that it had returned."""
    owners = {
        "inputs": _same(point.before, point.arrays, 0.0),
        "outputs": _same(point.run.values, [np.asarray(bare(y)) for y in point.run.outputs], 0.0),
    }
    return [Finding(name, "mutated") for name, unchanged in owners.items() if not unchanged]


def values_repeat(point: Point) -> list[Finding]:
    """Whether the function returns the same a second time, and leaves its inputs alone."""
    again = Run(point.function, point.arrays)
    if not _same(point.run.values, again.values, point.same / 10):
        return [Finding("output", "random")]
    return _mutated(point)


def _gradients_repeat(point: Point, cotangents: list[Array], gradients: list[Array]) -> list[Finding]:
    """Whether the same gradient comes out a second time, from other memory layouts, and of one tensor given twice."""
    close = point.same / 10
    again = Run(point.function, point.arrays)
    if not _same(gradients, point.run.pull(cotangents), close) or not _same(gradients, again.pull(cotangents), close):
        return [Finding("gradient", "random")]
    layouts = (_strided, "non-contiguous"), (_column_major, "column-major"), (_broadcast, "broadcast")
    for layout, name in layouts:
        arrays = [layout(a) for a in point.arrays]
        if all(a.strides == b.strides for a, b in zip(arrays, point.arrays, strict=True)):
            continue
        other = Run(point.function, arrays)
        if not _agree(point, (point.run.values, gradients), (other.values, other.pull(cotangents))):
            return [Finding(f"{name} inputs", "layout")]
    return _aliased(point, cotangents, gradients)


def _agree(point: Point, a: tuple[list[Array], list[Array]], b: tuple[list[Array], list[Array]]) -> bool:
    """Whether values and gradients are the same but for rounding."""
    for x, y, rounding in zip(a, b, (100 * point.map.noise, point.rounding() / point.scales), strict=True):
        p, q = (np.concatenate([reals(array) for array in arrays]) for arrays in (x, y))
        largest = np.max(np.abs(p[np.isfinite(p)]), initial=0.0)
        close = np.isclose(p, q, point.same, point.same * largest, equal_nan=True) | (np.abs(p - q) <= rounding)
        if not close.all():
            return False
    return True


def _aliased(point: Point, cotangents: list[Array], gradients: list[Array]) -> list[Finding]:
    """Whether one tensor given as several inputs gets the sum of what equal tensors get."""
    first: dict[Any, int] = {}
    group = [
        first.setdefault((a.shape, a.dtype), i) if i < point.problem.given else i for i, a in enumerate(point.arrays)
    ]
    if group == list(range(len(group))):
        return []
    try:
        apart = Run(point.function, [point.arrays[k].copy() for k in group])
        if any(a.shape != b.shape or not np.isfinite(a).all() for a, b in zip(apart.values, cotangents, strict=True)):
            return []
        leaves = Run(lambda values: [], point.arrays).leaves
        together = Run(point.function, [leaves[k] for k in group])
    except (ArithmeticError, ValueError, np.linalg.LinAlgError):  # equal values outside the function's domain
        return []
    sums = [np.zeros(a.shape, a.dtype) for a in point.arrays]
    for k, g in zip(group, apart.pull(cotangents), strict=True):
        sums[k] = sums[k] + g
    shared = together.pull(cotangents)
    for i, k in enumerate(group):
        if not np.isfinite(sums[k]).all():
            continue
        # Sums of equal tensors may cancel, which leaves the rounding of terms as large as elsewhere.
        size = max(np.max(np.abs(g), initial=0.0) for g in (sums[k], gradients[k]))
        rounding = point.rounding() / float(np.min(point.scales[point.map.slices[k]], initial=np.inf))
        if np.max(np.abs(shared[i] - sums[k]), initial=0.0) > 10 * point.same * size + rounding:
            names = " and ".join(point.problem.names[j] for j, other in enumerate(group) if other == k)
            return [Finding(names, "aliased")]
    return []


def _linear(point: Point, weights: list[Array], cotangents: list[Array], gradients: list[Array]) -> list[Finding]:
    """Whether zero gives zero, and cotangents of all outputs together the sum of what each gives alone."""
    joint = np.concatenate([reals(g) for g in gradients])
    if not np.isfinite(joint).all():
        return []  # the comparison says where
    if any(g.any() for g in point.run.pull([np.zeros_like(v) for v in cotangents])):
        return [Finding("gradient of zero", "zero cotangent")]
    pairs = list(zip(weights, point.pulled, strict=True))
    parts = np.sum([w @ pulled for w, pulled in pairs], axis=0)
    size = np.sqrt(np.sum([w**2 @ pulled**2 for w, pulled in pairs], axis=0))
    allowed = point.same * (size + np.max(size, initial=0.0)) + point.rounding() / point.scales
    difference = np.abs(joint - parts)
    if (difference <= allowed).all():
        return []
    share = float(np.max(difference) / np.max(size))
    why = f"by {share:.0e} of its size: a rule that rounds to a narrower dtype" if share < 1e-5 else ""
    return [Finding("sum of cotangents", "not linear", cause=why)]


def precision(point: Point, upcast: Point) -> list[Finding]:
    """The gradient in the inputs' own low precision, against that in double precision."""
    vs = [normal(point.rng, y) for y in point.run.values]
    dtypes = [x.dtype for x in (*point.arrays, *point.run.values)]
    wide = upcast.run.pull([v.astype(y.dtype) for v, y in zip(vs, upcast.run.values, strict=True)])
    terms = max(size_of(reals(v) * reals(y).astype(np.float64)) for v, y in zip(vs, point.run.values, strict=True))
    terms = max(terms, 0.0 if point.hidden is None else float(np.linalg.norm(point.hidden)))
    found = []
    for i, (low, high) in enumerate(zip(point.run.pull(vs), wide, strict=True)):
        a, n = reals(low).astype(upcast.map.work), reals(high).astype(upcast.map.work)
        largest = max(float(np.max(np.abs(n), initial=0.0)), np.finfo(float).tiny)
        rounding = 10 * max(float(np.finfo(t).eps) for t in dtypes) * terms / point.scales[point.map.slices[i]]
        error = np.maximum(np.abs(a - n) - rounding, 0) / largest
        if not (error <= point.same * 5).all():
            k = int(np.argmax(error))
            numbers = float(a[k]), float(n[k]), float(error[k])
            found.append(Finding(point.subject(i), "precision", point.index(i, k), *numbers))
    return found
