"""The columns of the sweep: what must hold of a primitive at a sample call.

Each takes a function of arrays, its inputs, and a seed; it raises AssertionError where the gradient is
wrong, and ``Undefined`` where the column says nothing about this call.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.exceptions import ComplexWarning

from autograd.gradcheck import GradcheckError, GradcheckResult, gradcheck
from autograd.gradcheck.vectors import Array
from autograd.tensor import Tensor
from autograd.tree import flatten

__all__ = ["COLUMNS", "Undefined", "gradients_of", "outputs_of", "single"]

Function = Callable[..., Any]
Column = Callable[[Function, Sequence[Array], int], None]

POINTS = 5  # complex points to try where the function has no derivative or value at the first


class Undefined(Exception):  # noqa: N818  # no error: the cell is left out
    """The column does not apply to this call, for the reason given."""


def _check(
    function: Function, inputs: Sequence[Array], seed: int, order: int, modes: Sequence[str] = ("reverse", "forward")
) -> GradcheckResult:
    return gradcheck(function, tuple(inputs), seed=seed, order=order, modes=modes, raise_exception=False)


def _demand(result: GradcheckResult) -> None:
    if not result:
        raise GradcheckError(result)


# ---------------------------------------------------------------------- in double precision


def reverse(function: Function, inputs: Sequence[Array], seed: int) -> None:
    """The gradient agrees with differences."""
    _demand(_check(function, inputs, seed, 1, ["reverse"]))


def forward(function: Function, inputs: Sequence[Array], seed: int) -> None:
    """Tangents agree with the gradient, by the dot-product test; what else is wrong is in the other columns."""
    result = _check(function, inputs, seed, 1)
    _demand(replace(result, findings=tuple(f for f in result.findings if "forward" in f.verdict)))


def second_order(function: Function, inputs: Sequence[Array], seed: int) -> None:
    """The gradient of the gradient agrees with differences, in both modes."""
    _demand(_check(function, inputs, seed, 2))


# ---------------------------------------------------------------------- in single precision


def outputs_of(function: Function, values: Sequence[Any]) -> list[Any]:
    return flatten(function(*values))[0]


def gradients_of(function: Function, arrays: Sequence[Array], seed: int = 0) -> list[Array]:
    """Gradients for cotangents that depend on the outputs' shapes alone."""
    leaves = [Tensor(x, requires_grad=True) for x in arrays]
    rng = np.random.default_rng(seed)
    for y in outputs_of(function, leaves):
        v = rng.standard_normal(np.shape(y))
        if isinstance(y, Tensor) and y.requires_grad:
            y.backward(v.astype(y.dtype), retain_graph=True)
    return [np.zeros(x.shape, x.dtype) if x.grad is None else x.grad.numpy() for x in leaves]


def single(inputs: Sequence[Array]) -> list[Array]:
    return [np.asarray(x, np.float32) for x in inputs]


def float32(function: Function, inputs: Sequence[Array], seed: int) -> None:
    """The gradient of float32 inputs is float32, and near that in double precision."""
    low = single(inputs)
    if any(np.asarray(y).dtype == np.float64 for y in outputs_of(function, low)):
        raise Undefined("the function itself computes in float64")
    wide = [x.astype(np.float64) for x in low]
    exact = gradients_of(function, wide, seed)
    # What a relative change of the inputs by float32's rounding does to the gradient is not the rules' doing.
    nudged = [x * (1 + 1e-7 * np.cos(np.arange(x.size)).reshape(x.shape)) for x in wide]
    near = gradients_of(function, nudged, seed)
    for i, (g, expected, moved) in enumerate(zip(gradients_of(function, low, seed), exact, near, strict=True)):
        if g.dtype != np.float32:
            raise AssertionError(f"the gradient of input {i}, which is float32, is {g.dtype}")
        largest = np.max(np.abs(expected), initial=0.0)
        condition = float(np.max(np.abs(moved - expected), initial=0.0))
        message = f"gradient of input {i} in float32, and in double precision"
        np.testing.assert_allclose(g, expected, rtol=1e-4, atol=1e-4 * largest + 100 * condition, err_msg=message)


# ---------------------------------------------------------------------- complex


def complex_(function: Function, inputs: Sequence[Array], seed: int) -> None:
    """The gradient and its gradient at complex inputs, in both modes, where the plain function takes them."""
    result = None
    for attempt in range(POINTS):
        points = _complex_points(inputs, np.random.default_rng([seed, attempt]))
        with _quiet():
            if not _finite_at(function, points):
                continue
            result = _check(function, points, seed, 1)
            result = result and _check(function, points, seed, 2)
        if not {"kink", "not finite"} & set(result.verdicts):  # else a branch cut or pole may be near
            break
    if result is None:
        raise Undefined("the function is not finite at complex inputs")
    _demand(result)


def _complex_points(inputs: Sequence[Array], rng: np.random.Generator) -> list[Array]:
    """The inputs with imaginary parts of moderate size and either sign."""
    return [np.asarray(x + 1j * rng.uniform(0.1, 0.6, x.shape) * rng.choice([-1, 1], x.shape)) for x in inputs]


@contextmanager
def _quiet() -> Iterator[None]:
    with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
        yield


def _finite_at(function: Function, points: Sequence[Array]) -> bool:
    """Whether the function has values at these points. Raises Undefined where it does not take complex arrays."""
    try:
        with warnings.catch_warnings(action="error", category=ComplexWarning):
            values = outputs_of(function, points)
        outputs_of(function, [Tensor(x) for x in points])
    except (TypeError, ComplexWarning) as error:
        raise Undefined(f"the function takes no complex arrays: {error}") from None
    arrays = [y for y in map(np.asarray, values) if y.dtype.kind in "fc"]
    if not arrays:
        raise Undefined("the function has no float or complex values")
    return all(np.isfinite(y).all() for y in arrays)


COLUMNS: dict[str, Column] = {
    "reverse": reverse,
    "forward": forward,
    "second order": second_order,
    "float32": float32,
    "complex": complex_,
}
