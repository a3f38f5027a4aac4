"""Checking gradients against numerical derivatives, of any order and in either mode.

The function is seen as a map between real vectors (a complex number counts as two), and its Jacobian
``J`` is probed from both sides: reverse mode gives ``vᵀJ`` for cotangents ``v``, differences give
``J d`` for directions ``d``, and ``vᵀ J d`` must agree. A small Jacobian is compared whole, with unit
vectors for probes; a large one through random vectors and single coordinates, where the tolerance
follows the size of a random sum (√n).

Directions are scaled by the inputs' own size, and every tolerance is relative to the derivatives
compared, so gradients of 1e-9 are checked as strictly as gradients of 1.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import numpy as np

from autograd.dispatch import bare
from autograd.gradcheck.comparison import Check
from autograd.gradcheck.habits import forward_mode, habits, precision
from autograd.gradcheck.report import Finding, GradcheckError, GradcheckResult
from autograd.gradcheck.vectors import Array, Function, Run, count, gradient_of, normal, opened, width
from autograd.graph import no_grad
from autograd.tree import flatten

__all__ = ["GradcheckError", "GradcheckResult", "gradcheck", "gradgradcheck"]


def _terms(arrays: list[Array], values: list[Array], cotangents: list[Array]) -> Array:
    """The size of the terms of ``vᵀJ``, which may cancel: that of ``v · y / x``."""
    total = sum(float(np.linalg.norm(v)) * float(np.linalg.norm(y)) for v, y in zip(cotangents, values, strict=True))
    sizes = [np.max(np.abs(x), initial=0.0) for x in arrays]
    return np.concatenate([np.full(count(x), total / (size or 1.0)) for x, size in zip(arrays, sizes, strict=True)])


class _Source:
    """Prints as source that makes the value."""

    def __init__(self, value: Any) -> None:
        data = bare(value)
        array = isinstance(data, np.ndarray)
        self.text = f"np.array({data.tolist()}, dtype=np.{data.dtype})" if array else repr(data)

    def __repr__(self) -> str:
        return self.text


def _call(f: Any, inputs: Any, seed: int, options: dict[str, Any]) -> str:
    leaves, rebuild = flatten(inputs)
    short = sum(np.size(bare(leaf)) for leaf in leaves) <= 12
    shown = repr(rebuild([_Source(leaf) for leaf in leaves])) if short else "inputs"
    name = getattr(f, "__name__", "f")
    extra = "".join(f", {key}={value}" for key, value in options.items() if value)
    return f"gradcheck({name if name.isidentifier() else 'f'}, {shown}{extra}, seed={seed})"


def gradcheck(
    f: Callable[..., Any],
    inputs: Any,
    *,
    order: int = 1,
    eps: float | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    seed: int | None = None,
    forward: bool = False,
    allow_kinks: bool = False,
    raise_exception: bool = True,
) -> GradcheckResult:
    """Compare the gradient of ``f`` with its numerical derivative, and check the habits of its rules.

    Parameters
    ----------
    f : callable
        Takes tensors; returns a tensor, array or number, or nested containers of them. What it is
        closed over is not checked.
    inputs : array, Tensor, number, or tuple or list of arguments
        Arguments may be nested tuples, lists and dicts. Float and complex ones are checked; others
        are passed on. A Tensor in several places is one input.
    order : int
        1 for the gradient; 2 for the gradient of the gradient, weighted with random cotangents that
        are differentiated too; and so on.
    eps : float, optional
        First step, relative to the inputs' size; from the dtype by default.
    rtol, atol : float, optional
        Allowed error relative to a derivative, and in addition to what rounding explains. By default
        1e-6 in double precision and 0.
    seed : int, optional
        Of the random choices. Fresh by default; the report names it.
    forward : bool
        Check forward mode against reverse mode too, with the dot-product test.
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
        If no input, or no output, is of float or complex dtype.

    Notes
    -----
    ``vᵀ J d`` is computed in reverse mode and by central differences in double precision, with
    Richardson extrapolation; steps are changed where the differences' own error estimate asks for it.
    Inputs in lower precision are checked in double precision, and the two gradients compared.

    Examples
    --------
    >>> import numpy as np
    >>> from autograd.gradcheck import gradcheck
    >>> bool(gradcheck(np.tanh, np.array([0.5, -1.0])))
    True
    """
    if order < 1:
        raise ValueError(f"gradcheck() takes order 1 or higher; got {order}")
    seed = secrets.randbits(32) if seed is None else seed
    rng = np.random.default_rng(seed)
    function, arrays = opened(f, inputs)
    hidden = None
    for _ in range(order - 1):
        values = Run(function, arrays).values
        cotangents = [normal(rng, y) for y in values]
        hidden = _terms(arrays, values, cotangents)
        function, arrays = gradient_of(function, len(arrays)), [*arrays, *cotangents]
    with np.errstate(all="ignore"):
        findings, note = _findings(function, arrays, rng, (hidden, eps, rtol, atol, allow_kinks), forward)
    options = {"eps": eps, "rtol": rtol, "atol": atol, "forward": forward, "allow_kinks": allow_kinks}
    call = _call(f, inputs, seed, {"order": order if order > 1 else None, **options})
    result = GradcheckResult(tuple(findings), seed, call, note)
    if raise_exception and not result:
        raise GradcheckError(result)
    return result


def gradgradcheck(f: Callable[..., Any], inputs: Any, **options: Any) -> GradcheckResult:
    """``gradcheck`` of order 2: the gradient of the gradient, and its dependence on the cotangent."""
    return gradcheck(f, inputs, **{"order": 2, **options})


def _findings(
    function: Function, arrays: list[Array], rng: np.random.Generator, options: tuple[Any, ...], forward: bool
) -> tuple[list[Finding], str]:
    """What was found, and what limited the check."""
    check = Check(function, arrays, rng, *options)
    if not all(np.isfinite(y).all() for y in check.run.values):
        return [Finding("output", "not finite")], ""
    found: list[Finding] = []
    if check.map.upcast and any(width(a.dtype) < 8 for a in arrays):
        low, wide = check, [a.astype(t) for a, t in zip(arrays, check.map.dtypes, strict=True)]
        check = Check(function, wide, rng, *options)
        low.pull_all()
        found = habits(low) or precision(low, check)
    check.pull_all()
    found = found or habits(check)
    if not {"random", "mutated"} & {finding.verdict for finding in found}:  # else values mean nothing
        with no_grad():
            found = [*found, *(finding for i in range(len(arrays)) for finding in check.compare(i))]
        found += forward_mode(check) if forward else []
    limited = width(np.dtype(check.map.precision)) < 8
    return found, f"the function computes in {check.map.precision}, which limits the check" if limited else ""
