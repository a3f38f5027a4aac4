"""Forward mode beside reverse mode: the dot-product test ``⟨v, J u⟩ = ⟨Jᵀ v, u⟩``, which no differencing blurs."""

from __future__ import annotations

import numpy as np

from autograd.gradcheck.comparison import explained
from autograd.gradcheck.locate import bisected, only
from autograd.gradcheck.point import Point
from autograd.gradcheck.report import Finding, Grid
from autograd.gradcheck.sides import Forward, MisfitError, Reverse, push
from autograd.gradcheck.vectors import Array

__all__ = ["both_modes", "lacks_forward"]

LACKING = (
    NotImplementedError,
    TypeError,
    RuntimeError,
    AttributeError,
)  # how a function says that it has no forward mode


def lacks_forward(point: Point) -> str:
    """Why forward mode cannot be had; empty where it can."""
    try:
        push(point, np.zeros_like(point.map.x))
    except LACKING as error:
        return f"{type(error).__name__}: {error}"
    except MisfitError:
        return ""
    return ""


def both_modes(point: Point) -> list[Finding]:
    """Findings about the inputs whose tangents give something else in forward mode than in reverse mode."""
    free = [i for i in range(len(point.arrays)) if i not in point.problem.fixed]
    u = np.zeros_like(point.map.x)
    for i in free:
        part = point.map.slices[i]
        u[part] = point.rng.standard_normal(part.stop - part.start) * point.scales[part]
    try:
        pushed = push(point, u)
    except MisfitError as error:
        return [Finding("forward mode", "forward", cause=str(error))]
    found = []
    for o, span in enumerate(point.outputs):
        v = point.rng.standard_normal(span.stop - span.start)
        pulled = point.run.pull_vector(o, v)
        if not agree(point, v, pushed[span], pulled, u):
            found += [f for i in free for f in _one_input(point, i, o, v, u, pulled)] or [
                Finding(point.output(o), "forward", "dot product", float(v @ pushed[span]), float(pulled @ u), 1.0)
            ]
    return found


def agree(point: Point, v: Array, pushed: Array, pulled: Array, u: Array) -> bool:
    """Whether ``⟨v, J u⟩`` and ``⟨Jᵀ v, u⟩`` are the same but for rounding."""
    left, right = v * pushed, pulled * u
    if not (np.isfinite(left).all() and np.isfinite(right).all()):
        return np.array_equal(np.isfinite(left.sum()), np.isfinite(right.sum()))
    size = max(float(np.linalg.norm(left)), float(np.linalg.norm(right)))
    rounding = point.rounding() * float(np.linalg.norm(u / point.scales))
    return bool(abs(left.sum() - right.sum()) <= point.same / 10 * size + rounding)


def _one_input(point: Point, i: int, o: int, v: Array, u: Array, pulled: Array) -> list[Finding]:
    """Where the modes differ in the derivatives by input ``i``, if they do."""
    span, part = point.outputs[o], point.map.slices[i]
    u = only(u, np.arange(part.start, part.stop))
    if agree(point, v, push(point, u)[span], pulled, u):
        return []
    if point.whole:
        return [_whole(point, i, o)]

    def along(indices: Array) -> float:
        part_of_u = only(u, indices)
        return float(abs(v @ push(point, part_of_u)[span] - pulled @ part_of_u))

    k = bisected(np.arange(part.start, part.stop), along)
    column = push(point, np.eye(1, len(u), k)[0])[span]
    forward, reverse = float(v @ column), float(pulled[k])
    place = f"cotangent of {point.output(o)}, d in{point.index(i, k - part.start)}"
    error = abs(forward - reverse) / max(abs(forward), abs(reverse))
    return [Finding(point.subject(i, o), "forward", place, forward, reverse, error)]


def _whole(point: Point, i: int, o: int) -> Finding:
    directions = point.directions(i)
    (a, sizes), (n, _) = (side.block(i, o, directions) for side in (Forward(point), Reverse(point)))
    unit = point.scales[point.map.slices[i]]
    sizes = np.maximum(sizes, np.abs(n))
    error = np.abs(a - n) / np.where(sizes > 0, sizes, 1.0)
    row, column = (int(k) for k in np.unravel_index(np.argmax(error), error.shape))
    a, n = a / unit, n / unit
    numbers = float(a[row, column]), float(n[row, column]), float(error[row, column])
    why = explained(point, i, a, n, whole=True)
    grid = Grid.of(a, n, error, point.arrays[i])
    return Finding(point.subject(i, o), "forward", point.place(i, o, row, column), *numbers, why, grid)
