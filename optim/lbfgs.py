"""L-BFGS: quasi-Newton steps from the last gradients, with a line search by the strong Wolfe conditions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import sqrt
from typing import Any, NamedTuple

import numpy as np

from autograd import enable_grad
from autograd.dispatch import bare
from autograd.memory import touch
from optim.optimizer import Optimizer, check_not_negative

__all__ = ["LBFGS"]


class Point(NamedTuple):
    """A place along the direction of the search: the step, the loss, the gradient and its slope along it."""

    t: float
    f: float
    g: Any
    slope: float


class LBFGS(Optimizer):
    """Limited-memory BFGS, for whole batches: every step calls the closure several times.

    Parameters
    ----------
    params : iterable of Tensor
        One group.
    lr : float
        The step that is tried first; with a line search 1 is best.
    max_iter : int
        Iterations for each ``step``.
    max_eval : int, optional
        Calls of the closure for each ``step``; ``max_iter · 5/4`` by default.
    tolerance_grad : float
        The search ends where no entry of the gradient is larger.
    tolerance_change : float
        And where neither a weight nor the loss changes by more.
    history_size : int
        How many gradients are remembered.
    line_search_fn : {None, "strong_wolfe"}
        Whether the length of the step is searched for.

    Raises
    ------
    TypeError, ValueError
        As :class:`Optimizer` does; ValueError for more than one group, from ``step`` without a closure too.

    Notes
    -----
    The direction is ``−H g`` with H the inverse Hessian from the last pairs of steps s and changes of the gradient y,
    by two loops over them; pairs with ``yᵀs ≤ 1e-10`` are not kept (Nocedal & Wright 2006, algorithms 7.4, 3.5, 3.6).
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1.0,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "max_iter": max_iter,
                "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
                "tolerance_grad": tolerance_grad,
                "tolerance_change": tolerance_change,
                "history_size": history_size,
                "line_search_fn": line_search_fn,
            },
        )
        self._pairs: list[tuple[Any, Any]] = []  # (s, y)
        self._before: tuple[Any, Any] | None = None  # the last step and the gradient it started from

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        if self.param_groups:
            raise ValueError("LBFGS takes one group of parameters")
        super().add_param_group(param_group)

    def check(self, options: Mapping[str, Any]) -> None:
        check_not_negative(options, "lr", "tolerance_grad", "tolerance_change")
        if options["line_search_fn"] not in (None, "strong_wolfe"):
            raise ValueError(f"line_search_fn is None or 'strong_wolfe'; got {options['line_search_fn']!r}")

    # ------------------------------------------------------------------ the weights as one vector

    def _gradient(self) -> Any:
        params = self.param_groups[0]["params"]
        return np.concatenate(
            [np.zeros(p.size, p.dtype) if p.grad is None else p.grad.numpy().reshape(-1) for p in params]
        )

    def _weights(self) -> Any:
        return np.concatenate([p.numpy().reshape(-1) for p in self.param_groups[0]["params"]])

    def _set(self, vector: Any) -> None:
        end = 0
        for p in self.param_groups[0]["params"]:
            start, end = end, end + p.size
            p._data[...] = vector[start:end].reshape(p.shape)
            touch(p._data, operation="LBFGS.step")

    def _evaluate(self, closure: Callable[[], Any]) -> tuple[float, Any]:
        with enable_grad():
            loss = float(bare(closure()))
        return loss, self._gradient()

    # ------------------------------------------------------------------ steps

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Up to ``max_iter`` iterations; returns the loss before them.

        ``closure`` clears the gradients, computes the loss, calls ``backward()`` and returns the loss.
        """
        if closure is None:
            raise ValueError("LBFGS.step() needs a closure that computes the loss anew")
        options = self.param_groups[0]
        with enable_grad():
            first = closure()
        loss, g = float(bare(first)), self._gradient()
        evaluations = 1
        small = float(options["tolerance_change"])
        for iteration in range(1, int(options["max_iter"]) + 1):
            if _largest(g) <= float(options["tolerance_grad"]):
                break
            start = self._before is None
            d = self._direction(g)
            t = float(options["lr"]) * (min(1.0, 1 / float(np.sum(np.abs(g)))) if start else 1.0)
            slope, previous = float(g @ d), (g, loss)
            if slope > -small:
                break
            origin = self._weights()
            last = iteration == int(options["max_iter"])
            if options["line_search_fn"] is not None:
                point, calls = self._searched(closure, origin, d, Point(0.0, loss, g, slope), t)
                t, loss, g = point.t, point.f, point.g
                self._set(origin + t * d)
                evaluations += calls
            else:
                self._set(origin + t * d)
                if not last:
                    loss, g = self._evaluate(closure)
                    evaluations += 1
            self._before = (t * d, previous[0])
            if last or evaluations >= int(options["max_eval"]):
                break
            if _largest(t * d) <= small or abs(loss - previous[1]) < small:
                break
        return first

    def _direction(self, g: Any) -> Any:
        """``−H g``, after the last pair has been taken in; ``−g`` at the very beginning."""
        if self._before is None:
            return -g
        s, y = self._before[0], g - self._before[1]
        if float(y @ s) > 1e-10:
            self._pairs = [*self._pairs, (s, y)][-int(self.param_groups[0]["history_size"]) :]
        q = -g
        shares = []
        for s, y in reversed(self._pairs):
            share = float(s @ q) / float(y @ s)
            shares.append(share)
            q = q - share * y
        if self._pairs:
            s, y = self._pairs[-1]
            q = q * (float(y @ s) / float(y @ y))
        for (s, y), share in zip(self._pairs, reversed(shares), strict=True):
            q = q + s * (share - float(y @ q) / float(y @ s))
        return q

    # ------------------------------------------------------------------ line search

    def _searched(self, closure: Callable[[], Any], origin: Any, d: Any, start: Point, t: float) -> tuple[Point, int]:
        """A point that meets the strong Wolfe conditions, or the best one found, and the calls that it took."""

        def at(t: float) -> Point:
            self._set(origin + t * d)
            f, g = self._evaluate(closure)
            return Point(t, f, g, float(g @ d))

        bracket, calls, done = _bracketed(at, start, t)
        if done:
            return bracket[0], calls
        return _zoomed(at, start, bracket, calls, _largest(d), float(self.param_groups[0]["tolerance_change"]))

    # ------------------------------------------------------------------ state

    def state_dict(self) -> dict[str, Any]:
        """As of every optimiser, and the remembered pairs under "history"."""
        return {**super().state_dict(), "history": {"pairs": list(self._pairs), "before": self._before}}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        super().load_state_dict(state_dict)
        history = state_dict["history"]
        self._pairs, self._before = list(history["pairs"]), history["before"]


MOST = 25  # points of one search
DECREASE, CURVATURE = 1e-4, 0.9  # c₁ and c₂ of the Wolfe conditions


def _largest(x: Any) -> float:
    return float(np.max(np.abs(x), initial=0.0))


def _too_high(point: Point, start: Point) -> bool:
    return point.f > start.f + DECREASE * point.t * start.slope


def _flat_enough(point: Point, start: Point) -> bool:
    return abs(point.slope) <= -CURVATURE * start.slope


def _bracketed(at: Callable[[float], Point], start: Point, t: float) -> tuple[list[Point], int, bool]:
    """Two points around an acceptable one, or such a point itself; and the number of points tried."""
    before, now = start, at(t)
    for tried in range(1, MOST + 1):
        if _too_high(now, start) or (tried > 2 and now.f >= before.f):
            return [before, now], tried, False
        if _flat_enough(now, start):
            return [now], tried, True
        if now.slope >= 0:
            return [before, now], tried, False
        following = _cubic_minimum(before, now, now.t + 0.01 * (now.t - before.t), 10 * now.t)
        before, now = now, at(following)
    return [start, now], MOST + 1, False


def _zoomed(
    at: Callable[[float], Point], start: Point, bracket: list[Point], calls: int, size: float, small: float
) -> tuple[Point, int]:
    """The bracket made smaller until its lower end is acceptable."""
    low = 0 if bracket[0].f <= bracket[1].f else 1
    stalled = False
    while calls <= MOST and abs(bracket[1].t - bracket[0].t) * size >= small:
        least, most = sorted((bracket[0].t, bracket[1].t))
        t = _cubic_minimum(bracket[0], bracket[1], least, most)
        margin = 0.1 * (most - least)
        near = min(most - t, t - least) < margin  # too near to an end to gain much
        if near and (stalled or not least < t < most):
            t = most - margin if abs(t - most) < abs(t - least) else least + margin
            near = False
        stalled = near
        now = at(t)
        calls += 1
        if _too_high(now, start) or now.f >= bracket[low].f:
            bracket[1 - low] = now
            low = 0 if bracket[0].f <= bracket[1].f else 1
            continue
        done = _flat_enough(now, start)
        if not done and now.slope * (bracket[1 - low].t - bracket[low].t) >= 0:
            bracket[1 - low] = bracket[low]
        bracket[low] = now
        if done:
            break
    return bracket[low], calls


def _cubic_minimum(a: Point, b: Point, least: float, most: float) -> float:
    """Where the cubic through two points with their slopes has its minimum, kept within bounds."""
    first, second = (a, b) if a.t <= b.t else (b, a)
    sum_ = a.slope + b.slope - 3 * (a.f - b.f) / (a.t - b.t)
    square = sum_ * sum_ - a.slope * b.slope
    if square < 0:
        return (least + most) / 2
    root = sqrt(square)
    t = second.t - (second.t - first.t) * ((second.slope + root - sum_) / (second.slope - first.slope + 2 * root))
    return min(max(t, least), most)
