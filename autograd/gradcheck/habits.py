"""What must hold of a gradient besides its values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autograd.dispatch import bare
from autograd.gradcheck.comparison import Check, index_of
from autograd.gradcheck.report import Finding
from autograd.gradcheck.vectors import Array, Run, normal, reals, shaped_as
from autograd.transforms import jvp

__all__ = ["forward_mode", "habits", "precision"]


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


def habits(check: Check) -> list[Finding]:
    """Repeatability, foreign arrays left alone, shapes, layouts, and linearity in the cotangent."""
    run, arrays = check.run, check.arrays
    weights = [check.rng.standard_normal(len(pulled)) for _, pulled in check.pulled]
    cotangents = [
        shaped_as(w if probes.rows is None else w @ probes.rows, y)
        for w, (probes, _), y in zip(weights, check.pulled, run.values, strict=True)
    ]
    given = [v.copy() for v in cotangents]
    gradients = run.pull(cotangents)
    again = Run(check.function, arrays)
    owners = {
        "inputs": _same(check.before, arrays, 0.0),
        "outputs": _same(run.values, [np.asarray(bare(y)) for y in run.outputs], 0.0),
        "cotangents": _same(given, cotangents, 0.0),
    }
    changed = [Finding(name, "mutated") for name, unchanged in owners.items() if not unchanged]
    return changed or [
        *_repeats(check, again, cotangents, gradients),
        *(
            Finding(f"input {i} {x.shape} {x.dtype}", "dtype", cause=f"got {g.shape} {g.dtype}")
            for i, (g, x) in enumerate(zip(gradients, arrays, strict=True))
            if g.shape != x.shape or g.dtype != x.dtype
        ),
        *_linear(check, weights, cotangents, gradients),
    ]


def _repeats(check: Check, again: Run, cotangents: list[Array], gradients: list[Array]) -> list[Finding]:
    """Whether the same comes out a second time, and from inputs in another memory layout."""
    run, close = check.run, check.same / 10
    if not _same(run.values, again.values, close):
        return [Finding("output", "random")]
    if not _same(gradients, run.pull(cotangents), close) or not _same(gradients, again.pull(cotangents), close):
        return [Finding("gradient", "random")]
    strided = Run(check.function, [_strided(a) for a in check.arrays])
    pairs = [(run.values, strided.values, 100 * check.map.noise)]
    pairs.append((gradients, strided.pull(cotangents), check.rounding() / check.scales))
    for expected, got, rounding in pairs:
        a, b = (np.concatenate([reals(x) for x in arrays]) for arrays in (expected, got))
        largest = np.max(np.abs(a[np.isfinite(a)]), initial=0.0)
        if not (np.isclose(a, b, check.same, check.same * largest, equal_nan=True) | (np.abs(a - b) <= rounding)).all():
            return [Finding("non-contiguous inputs", "layout")]
    return []


def _linear(check: Check, weights: list[Array], cotangents: list[Array], gradients: list[Array]) -> list[Finding]:
    """Whether zero gives zero, and a sum of cotangents the sum of what they give."""
    joint = np.concatenate([reals(g) for g in gradients])
    if not np.isfinite(joint).all():
        return []  # the comparison says where
    if any(g.any() for g in check.run.pull([np.zeros_like(v) for v in cotangents])):
        return [Finding("gradient of zero", "zero cotangent")]
    pairs = [(w, pulled) for w, (_, pulled) in zip(weights, check.pulled, strict=True)]
    parts = np.sum([w @ pulled for w, pulled in pairs], axis=0)
    size = np.sqrt(np.sum([w**2 @ pulled**2 for w, pulled in pairs], axis=0))
    allowed = check.same * (size + np.max(size, initial=0.0)) + check.rounding() / check.scales
    return [] if (np.abs(joint - parts) <= allowed).all() else [Finding("sum of cotangents", "not linear")]


def forward_mode(check: Check) -> list[Finding]:
    """The dot-product test ``⟨v, J u⟩ = ⟨Jᵀ v, u⟩``, which no differencing error blurs."""
    found = []
    us = [normal(check.rng, a) for a in check.arrays]
    vs = [normal(check.rng, y) for y in check.run.values]
    _, tangents = jvp(lambda *xs: check.function(xs), check.arrays, us)
    for o, (v, y, t) in enumerate(zip(vs, check.run.values, tangents, strict=True)):
        t = np.asarray(bare(t))
        if t.shape != y.shape or t.dtype != y.dtype:
            met = f"tangent {t.shape} {t.dtype} for {y.shape} {y.dtype}"
            found.append(Finding(f"output {o}", "forward", cause=met))
            continue
        pulled = check.run.pull([v if k == o else None for k in range(len(vs))])
        left = reals(v) * reals(t)
        right = np.concatenate([reals(g) * reals(u) for g, u in zip(pulled, us, strict=True)])
        size = max(float(np.linalg.norm(left)), float(np.linalg.norm(right)))
        a, b = float(np.sum(right)), float(np.sum(left))
        rounding = check.rounding() * np.linalg.norm(np.concatenate([reals(u) for u in us]) / check.scales)
        if not abs(a - b) <= check.same / 10 * size + rounding:
            found.append(Finding(f"output {o}", "forward", "dot product", a, b, abs(a - b) / size))
    return found


def precision(check: Check, upcast: Check) -> list[Finding]:
    """The gradient in the inputs' own low precision, against that in double precision."""
    vs = [normal(check.rng, y) for y in check.run.values]
    wide = upcast.run.pull([v.astype(y.dtype) for v, y in zip(vs, upcast.run.values, strict=True)])
    found = []
    for i, (low, high) in enumerate(zip(check.run.pull(vs), wide, strict=True)):
        a, n = reals(low).astype(upcast.map.work), reals(high).astype(upcast.map.work)
        error = np.abs(a - n) / max(float(np.max(np.abs(n), initial=0.0)), np.finfo(float).tiny)
        if not (error <= check.same * 5).all():
            k = int(np.argmax(error))
            subject = f"input {i} {low.shape} {low.dtype}"
            found.append(Finding(subject, "precision", index_of(k, low), float(a[k]), float(n[k]), float(error[k])))
    return found
