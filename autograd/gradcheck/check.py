"""``gradcheck``: derivatives of any order, in either mode, against numerical ones.

The function is seen as a map between real vectors (a complex number counts as two), and its Jacobian
``J`` is probed from both sides: reverse mode gives ``vᵀJ`` for cotangents ``v``, differences give
``J d`` for directions ``d``, and ``vᵀ J d`` must agree. A small Jacobian is compared whole, with unit
vectors for probes; a large one through random vectors and single coordinates, where the tolerance
follows the size of a random sum (√n).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from operator import index
from typing import Any

import numpy as np

from autograd.dispatch import bare
from autograd.gradcheck.comparison import compare
from autograd.gradcheck.complex_step import sharpened
from autograd.gradcheck.forward import both_modes, lacks_forward
from autograd.gradcheck.habits import habits, precision, values_repeat
from autograd.gradcheck.kinks import kinks
from autograd.gradcheck.point import Options, Point
from autograd.gradcheck.problem import Problem, opened
from autograd.gradcheck.report import Finding, GradcheckError, GradcheckResult
from autograd.gradcheck.sides import Forward, MisfitError, Reverse, Side
from autograd.gradcheck.vectors import Array, Run, count, normal, size_of, width
from autograd.graph import no_grad
from autograd.tree import flatten

__all__ = ["assert_gradients", "gradcheck", "gradgradcheck"]

MODES = ("reverse", "forward")


def gradcheck(
    f: Callable[..., Any],
    inputs: Any,
    *,
    order: int | Sequence[int] = 1,
    modes: str | Sequence[str] | None = None,
    parameters: bool = True,
    eps: float | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    seed: int | None = None,
    allow_kinks: bool = False,
    raise_exception: bool = True,
) -> GradcheckResult:
    """Compare the gradient of ``f`` with its numerical derivative, and check the habits of its rules.

    Parameters
    ----------
    f : callable
        Takes tensors; returns a tensor, array or number, or nested containers of them. A module too.
    inputs : array, Tensor, number, or tuple or list of arguments
        Arguments may be nested tuples, lists and dicts. Float and complex ones are checked; others
        are passed on. A Tensor in several places is one input.
    order : int or sequence of int
        1 for the gradient; 2 for the gradient of the gradient, weighted with random cotangents that
        are differentiated too (what ``gradgradcheck`` checks); and so on. ``(1, 2)`` checks both.
    modes : sequence of "reverse" and "forward", optional
        Modes to check. Reverse mode is held against differences, and forward mode against reverse mode
        with the dot-product test, or, alone, against differences. Derivatives below the order
        checked are taken in reverse mode. By default both, forward mode as far as every operation
        has it (the report says where it has not); forward mode that is asked for must be there.
    parameters : bool
        Check the gradients of the tensors too that require one and that ``f`` reaches without their
        being inputs, such as the parameters of a module. They get other values for the while.
    eps : float, optional
        First step, relative to the inputs' size; from the dtype by default.
    rtol, atol : float, optional
        Allowed error relative to a derivative, and in addition to what rounding explains. By default
        1e-6 in double precision and 0.
    seed : int, optional
        Of the random choices. Fresh by default; the report names it.
    allow_kinks : bool
        Accept any value between the slopes of the two sides where ``f`` has a kink.
    raise_exception : bool
        Raise instead of returning a false result.

    Returns
    -------
    GradcheckResult
        True or false; prints as a table.

    Raises
    ------
    GradcheckError
        If the check fails and ``raise_exception`` is true.
    TypeError
        If no input or parameter, or no output, is of float or complex dtype.
    ValueError
        For an order below 1, unknown modes, and steps and tolerances that are none.

    Notes
    -----
    ``vᵀ J d`` is computed in reverse mode and by central differences in double precision, with
    Richardson extrapolation; steps are changed where the differences' own error estimate asks for it.
    Inputs and parameters in lower precision are checked in double precision, and the two gradients
    compared. Where the function is analytic and takes complex arguments, a complex step is a
    second, exact witness.

    Buffers of modules that a call changes (running moments) are put back after each call.

    Examples
    --------
    >>> import numpy as np
    >>> from autograd.gradcheck import gradcheck
    >>> bool(gradcheck(np.tanh, np.array([0.5, -1.0])))
    True
    """
    __tracebackhide__ = True
    orders = _orders(order)
    for name, value in {"rtol": rtol, "atol": atol, "eps": eps}.items():
        if value is not None and not (0 < value < np.inf or (value == 0 and name != "eps")):
            raise ValueError(
                f"gradcheck() takes a finite {name} {'above' if name == 'eps' else 'of at least'} 0; got {value}"
            )
    asked = MODES if modes is None else (modes,) if isinstance(modes, str) else tuple(modes)
    if not asked or not set(asked) <= set(MODES):
        raise ValueError(f"modes are 'reverse' and 'forward'; got {modes!r}")
    seed = secrets.randbits(32) if seed is None else seed
    findings: list[Finding] = []
    notes: list[str] = []
    with np.errstate(all="ignore"):
        problem = opened(f, inputs, parameters=parameters)
        for each in orders:
            inspection = Inspection(problem, each, np.random.default_rng(seed), asked, forced=modes is not None)
            found = inspection.findings(Options(eps, rtol, atol, allow_kinks))
            label = f"order {each}: " if len(orders) > 1 else ""
            findings += [replace(finding, subject=label + finding.subject) for finding in found]
            notes += [label + note for note in dict.fromkeys(inspection.notes)]
    if problem.state is not None and problem.state.changed:
        names = ", ".join(problem.state.changed)
        notes.append(f"buffers that the function changes, put back after each call: {names}")
    options = {"order": order if order != 1 else None, "modes": modes, "eps": eps, "rtol": rtol, "atol": atol}
    options |= {"parameters": parameters, "allow_kinks": allow_kinks}
    result = GradcheckResult(tuple(findings), seed, _line(f, inputs, seed, options), tuple(notes))
    if raise_exception and not result:
        raise GradcheckError(result)
    return result


def _orders(order: int | Sequence[int]) -> tuple[int, ...]:
    try:
        orders = tuple(index(each) for each in (order if isinstance(order, Iterable) else (order,)))
    except TypeError:
        orders = ()
    if not orders or min(orders) < 1:
        raise ValueError(f"gradcheck() takes order 1 or higher, or a sequence of orders; got {order!r}")
    return orders


def gradgradcheck(f: Callable[..., Any], inputs: Any, **options: Any) -> GradcheckResult:
    """``gradcheck`` of order 2: the gradient of the gradient, and its dependence on the cotangent."""
    __tracebackhide__ = True
    return gradcheck(f, inputs, **{"order": 2, **options})


def assert_gradients(f: Callable[..., Any], *inputs: Any, **options: Any) -> None:
    """For tests: first and second derivatives of ``f`` at ``inputs`` are right, in both modes.

    Parameters
    ----------
    f : callable
    *inputs : arguments of ``f``
    **options : options of :func:`gradcheck`
        ``order`` is ``(1, 2)`` by default.

    Raises
    ------
    GradcheckError
        An AssertionError whose message is the report. Under pytest the checker's own frames are
        left out of the traceback.

    Examples
    --------
    >>> import numpy as np
    >>> from autograd.gradcheck import assert_gradients
    >>> assert_gradients(lambda x, y: np.sin(x) * y, np.array([0.5, -1.0]), 2.0)
    """
    __tracebackhide__ = True
    result = gradcheck(f, inputs, **{"order": (1, 2), **options, "raise_exception": False})
    if not result:
        raise GradcheckError(result)


class Inspection:
    """A check of one order: the findings, and notes on what was left out."""

    def __init__(
        self, problem: Problem, order: int, rng: np.random.Generator, modes: Sequence[str], *, forced: bool
    ) -> None:
        self.rng, self.modes, self.forced = rng, modes, forced
        self.notes: list[str] = []
        self.hidden: Array | None = None
        for _ in range(order - 1):
            values = Run(problem.function, problem.arrays).values
            cotangents = [normal(rng, y) for y in values]
            self.hidden = _terms(problem.arrays, values, cotangents)
            problem = problem.gradient(cotangents)
        self.problem = problem

    def findings(self, options: Options) -> list[Finding]:
        point = Point(self.problem, self.rng, self.hidden, options)
        if not all(np.isfinite(y).all() for y in point.run.values):
            return [Finding("output", "not finite")]
        found: list[Finding] = []
        if point.map.upcast and any(width(a.dtype) < 8 for a in point.arrays):
            low = point
            point = Point(self._upcast(point), self.rng, self.hidden, options)
            found = self._of_low_precision(low, point)
        if width(np.dtype(point.map.precision)) < 8:
            self.notes.append(f"the function computes in {point.map.precision}, which limits the check")
        if _is_moot(found):
            return found
        values = self._of(point, found)
        if not all(f.verdict == "ok" for f in values) and point.look_for_noise():
            self.notes.append("the function's values scatter by more than their rounding, which limits the check")
            values = self._of(point, found)
        return values

    def _upcast(self, point: Point) -> Problem:
        wide = [a.astype(t) for a, t in zip(point.arrays, point.map.dtypes, strict=True)]
        return replace(self.problem, arrays=wide)

    def _of_low_precision(self, low: Point, wide: Point) -> list[Finding]:
        if "reverse" not in self.modes:
            return values_repeat(low)
        return habits(low) or precision(low, wide)

    def _of(self, point: Point, found: list[Finding]) -> list[Finding]:
        """Habits, then values: reverse mode against differences, forward mode against reverse mode."""
        reverse = "reverse" in self.modes
        found = found or (habits(point) if reverse else values_repeat(point))
        if _is_moot(found):
            return found
        lacking = lacks_forward(point) if "forward" in self.modes else ""
        with no_grad():
            if reverse:
                found = [*found, *self._against_differences(point, Reverse(point))]
                found += sharpened(point) if all(f.verdict == "ok" for f in found) else []
                found += both_modes(point) if "forward" in self.modes and not lacking else []
            elif not lacking:
                found += self._against_differences(point, Forward(point))
            if not point.allow_kinks and all(f.verdict == "ok" for f in found):
                found += kinks(point)
        if lacking and self.forced:
            found.append(Finding("forward mode", "no forward mode", cause=lacking))
        elif lacking:
            self.notes.append(f"forward mode was not checked: {lacking}")
        elif "forward" in self.modes and self.problem.fixed:
            names = ", ".join(self.problem.names[i] for i in sorted(self.problem.fixed))
            self.notes.append(f"forward mode was checked with these as constants: {names}")
        return found

    def _against_differences(self, point: Point, side: Side) -> list[Finding]:
        fixed = self.problem.fixed if isinstance(side, Forward) else frozenset()
        try:
            free = [i for i in range(len(point.arrays)) if i not in fixed]
            return [f for i in free for f in _worst(point, i, compare(point, side, i))]
        except MisfitError as error:
            return [Finding("forward mode", "forward", cause=str(error))]


def _worst(point: Point, i: int, findings: list[Finding]) -> list[Finding]:
    """What is wrong with an input, for every output; one line for all of them where nothing is."""
    bad = [f for f in findings if f.verdict != "ok"]
    if bad or len(findings) == 1:
        return bad or findings
    o = max(range(len(findings)), key=lambda o: findings[o].error)
    worst = findings[o]
    place = f"{point.output(o)}: {worst.place}" if worst.place else ""
    return [replace(worst, subject=point.name(i), place=place)]


def _is_moot(findings: Sequence[Finding]) -> bool:
    """Whether what was found leaves values without a meaning."""
    return not {"random", "mutated"}.isdisjoint(finding.verdict for finding in findings)


def _terms(arrays: list[Array], values: list[Array], cotangents: list[Array]) -> Array:
    """The size of the terms of ``vᵀJ``, which may cancel: that of ``v · y / x``."""
    total = sum(size_of(v) * size_of(y) for v, y in zip(cotangents, values, strict=True))
    sizes = [float(np.max(np.abs(x), initial=0.0)) for x in arrays]
    return np.concatenate([np.full(count(x), total / (size or 1.0)) for x, size in zip(arrays, sizes, strict=True)])


# ---------------------------------------------------------------------- the line that repeats a check


class _Source:
    """Prints as source that makes the value."""

    def __init__(self, value: Any) -> None:
        data = bare(value)
        if not isinstance(data, np.ndarray):
            self.text = repr(data)
        elif data.size:
            numbers = re.sub(r"\b(nan|inf)", r"np.\1", str(data.tolist()))
            self.text = f"np.array({numbers}, dtype=np.{data.dtype})"
        else:
            self.text = f"np.zeros({data.shape}, dtype=np.{data.dtype})"

    def __repr__(self) -> str:
        return self.text


DEFAULTS = {"parameters": True, "allow_kinks": False}


def _line(f: Any, inputs: Any, seed: int, options: dict[str, Any]) -> str:
    leaves, rebuild = flatten(inputs)
    short = sum(np.size(bare(leaf)) for leaf in leaves) <= 12
    shown = repr(rebuild([_Source(leaf) for leaf in leaves])) if short else "inputs"
    name = getattr(f, "__name__", "f")
    extra = "".join(f", {key}={value!r}" for key, value in options.items() if value not in (None, DEFAULTS.get(key)))
    return f"gradcheck({name if name.isidentifier() else 'f'}, {shown}{extra}, seed={seed})"
