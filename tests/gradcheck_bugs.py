"""Mistakes in derivative rules, one a function, for gradient checkers to find.

Nothing here names a library: ``lib`` says how one declares an operation with rules of its own, so the
same mistakes are put before this library's checker (tests/test_gradcheck_bugs.py) and before others
(benchmarks/gradcheck). Each function takes ``lib`` and a NumPy generator and returns what to check: a
function and its inputs. Rules name what they need: ``g``, the inputs, and ``t`` for a tangent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy

__all__ = ["BUGS", "Bug", "NotExpressibleError"]


class NotExpressibleError(Exception):
    """A library has no way to make this mistake."""


class Bug(NamedTuple):
    """A mistake, and what this library's report is to say of it."""

    setup: Callable[..., Any]  # (lib, rng) ↦ function and inputs
    verdict: str
    cause: str  # part of the likely cause
    order: int
    mode: str


BUGS: dict[str, Bug] = {}


def bug(verdict: str = "wrong", cause: str = "", order: int = 1, mode: str = "reverse") -> Any:
    def enter(setup: Any) -> Any:
        BUGS[setup.__name__] = Bug(setup, verdict, cause, order, mode)
        return setup

    return enter


# ---------------------------------------------------------------------- factors


@bug(cause="opposite sign")
def sign(lib, rng):
    np = lib.np
    return lib.operation(lambda x: np.sin(x), lambda g, x: -g * np.cos(x)), [rng.standard_normal((3, 4))]


@bug(cause="opposite sign")
def sign_of_a_gradient_of_1e_9(lib, rng):
    np = lib.np
    return lib.operation(lambda x: 1e-9 * np.sin(x), lambda g, x: -1e-9 * g * np.cos(x)), [rng.standard_normal(5)]


@bug()
def sign_of_a_gradient_of_1e_9_beside_a_constant(lib, rng):
    return lib.operation(lambda x: 1 + 1e-9 * x * x * x, lambda g, x: -3e-9 * g * x * x), [rng.uniform(1, 2, 5)]


@bug()
def sign_of_a_gradient_of_1e_12_beside_a_constant(lib, rng):
    return lib.operation(lambda x: 1 + 1e-12 * x * x, lambda g, x: -2e-12 * g * x), [rng.uniform(1, 2, 5)]


@bug(cause="in some entries")
def sign_lost(lib, rng):
    x = rng.uniform(0.5, 2, 6) * numpy.array([-1, 1, -1, 1, 1, -1])
    return lib.operation(lambda x: lib.np.abs(x), lambda g: g), [x]


@bug(cause="x2")
def factor_of_2(lib, rng):
    np = lib.np
    return lib.operation(lambda x: np.sin(x), lambda g, x: 2 * g * np.cos(x)), [rng.standard_normal((2, 3))]


@bug(cause="x1.0005")
def scale_off_by_a_twentieth_of_a_percent(lib, rng):
    np = lib.np
    return lib.operation(lambda x: np.sin(x), lambda g, x: 1.0005 * g * np.cos(x)), [rng.standard_normal((2, 3))]


@bug(cause="x1.0005")
def scale_off_by_a_twentieth_of_a_percent_in_5000(lib, rng):
    np = lib.np
    f = lib.operation(lambda x: np.sin(x), lambda g, x: 1.0005 * g * np.cos(x))
    return lambda x: np.sum(f(x)), [rng.standard_normal(5000)]


@bug()
def scale_off_by_5_millionths(lib, rng):
    np = lib.np
    return lib.operation(lambda x: np.exp(x), lambda g, x: 1.000005 * g * np.exp(x)), [rng.standard_normal(4)]


@bug(cause="an axis length")
def mean_for_a_sum(lib, rng):
    f = lib.operation(lambda x: lib.np.mean(x), lambda g, x: g + lib.np.zeros_like(x))
    return f, [rng.standard_normal(7)]


@bug(cause="opposite sign in some")
def complex_conjugate_forgotten(lib, rng):
    z = rng.standard_normal(3) + 1j * rng.standard_normal(3)
    return lib.operation(lambda x: (1 + 2j) * x, lambda g: lib.cotangent(1 + 2j) * g), [z]


# ---------------------------------------------------------------------- single entries


@bug(cause="1 of 2000")
def one_of_2000_by_a_percent_in_a_sum(lib, rng):
    np, factor = lib.np, numpy.ones(2000)
    factor[rng.integers(2000)] = 1.01
    factor = lib.array(factor)
    f = lib.operation(lambda x: np.sin(x), lambda g, x: factor * g * np.cos(x))
    return lambda x: np.sum(f(x)), [rng.uniform(-1, 1, 2000)]


@bug()
def one_of_2000_by_a_percent(lib, rng):
    np, factor = lib.np, numpy.ones(2000)
    factor[rng.integers(2000)] = 1.01
    factor = lib.array(factor)
    return lib.operation(lambda x: np.sin(x), lambda g, x: factor * g * np.cos(x)), [rng.uniform(-1, 1, 2000)]


@bug(cause="some terms missing")
def one_entry_left_out(lib, rng):
    np, kept = lib.np, numpy.ones((3, 3))
    kept[rng.integers(3), rng.integers(3)] = 0
    kept = lib.array(kept)
    return lib.operation(lambda x: np.sin(x), lambda g, x: kept * g * np.cos(x)), [rng.standard_normal((3, 3))]


@bug(cause="not finite")
def nan_at_one_point(lib, rng):
    np, x = lib.np, rng.uniform(-1, 1, 6)
    worst = x.max()
    f = lib.operation(lambda x: np.sin(x), lambda g, x: g * np.where(x == worst, float("nan"), np.cos(x)))
    return f, [x]


@bug()
def wrong_in_the_tail_only(lib, rng):
    np = lib.np
    f = lib.operation(lambda x: np.exp(-x * x), lambda g, x: np.where(np.abs(x) > 3, 0.0, -2 * x) * g * np.exp(-x * x))
    return f, [numpy.concatenate([rng.standard_normal(3), rng.uniform(3.1, 4, 1)])]


# ---------------------------------------------------------------------- places


@bug(cause="transposed")
def transposed(lib, rng):
    weights = lib.array(rng.uniform(1, 2, (3, 3)))
    return lib.operation(lambda x: x * weights, lambda g: (g * weights).T), [rng.standard_normal((3, 3))]


@bug(cause="rolled along axis 1")
def rolled(lib, rng):
    weights, before = lib.array(rng.uniform(1, 2, (2, 4))), numpy.array([3, 0, 1, 2])
    return lib.operation(lambda x: x * weights, lambda g: (g * weights)[:, before]), [rng.standard_normal((2, 4))]


@bug(cause="reversed along axis 0")
def turned_round(lib, rng):
    order = numpy.array([3, 2, 1, 0])
    return lib.operation(lambda x: x[order], lambda g: g + 0), [rng.standard_normal(4)]


@bug(cause="another order")
def permutation_not_inverted(lib, rng):
    order = numpy.array([2, 0, 1, 3])
    return lib.operation(lambda x: x[order], lambda g: g[order]), [rng.standard_normal(4)]


@bug()
def permutation_of_8000(lib, rng):
    order = rng.permutation(8000)
    return lib.operation(lambda x: x[order], lambda g: g[order]), [rng.standard_normal(8000)]


@bug()
def two_of_8000_exchanged(lib, rng):
    swapped = numpy.arange(8000)
    a, b = rng.choice(8000, 2, replace=False)
    swapped[[a, b]] = b, a
    return lib.operation(lambda x: x * 2, lambda g: 2 * g[swapped]), [rng.standard_normal(8000)]


@bug(cause="some terms missing")
def broadcast_not_summed(lib, rng):
    np = lib.np
    add = lib.operation(lambda x, y: x + y, lambda g: g + 0, lambda g: g[0])
    return lambda x, y: add(np.sin(x), y), [rng.standard_normal((3, 4)), rng.standard_normal(4)]


@bug()
def wrong_axis(lib, rng):
    f = lib.operation(lambda x: x.sum(0), lambda g, x: g[:, None] + lib.np.zeros_like(x))
    return f, [rng.standard_normal((3, 3))]


@bug()
def wrong_for_an_axis_of_length_1_only(lib, rng):
    def rule(g, x):
        return lib.np.zeros_like(x) + (2 * g if x.shape[0] == 1 else g)

    return lib.operation(lambda x: x.sum(0), rule), [rng.standard_normal((1, 4))]


@bug()
def arguments_exchanged(lib, rng):
    f = lib.operation(lambda x, y: x * y, lambda g, x: g * x, lambda g, y: g * y)
    return f, [rng.standard_normal(3), rng.standard_normal(3)]


@bug()
def matrix_product_without_a_transpose(lib, rng):
    f = lib.operation(lambda x, y: x @ y, lambda g, y: g @ y, lambda g, x: x.T @ g)
    return f, [rng.standard_normal((3, 3)), rng.standard_normal((3, 3))]


# ---------------------------------------------------------------------- what is kept


@bug(cause="zero")
def returns_zeros(lib, rng):
    return lib.operation(lambda x: x * x, lambda g: 0 * g), [rng.standard_normal(3)]


@bug(cause="x0.5")
def one_of_two_paths_detached(lib, rng):
    return lambda x: x * lib.detach(x), [rng.standard_normal(3)]


@bug()
def constant_that_depends_on_the_input(lib, rng):
    np = lib.np
    return lambda x: x / np.sqrt(np.sum(lib.detach(x) ** 2)), [rng.standard_normal(4)]


@bug(cause="should be zero")
def gradient_where_there_is_none(lib, rng):
    return lib.operation(lambda x: lib.np.floor(x), lambda g: g + 0), [
        rng.integers(-3, 3, 4) + rng.uniform(0.2, 0.8, 4)
    ]


@bug()
def stale_saved_value(lib, rng):
    np, kept = lib.np, []
    lib.need("state")

    def rule(g, x):
        kept.append(lib.detach(x))
        return g * np.cos(kept[0] + 0 * x)

    f = lib.operation(lambda x: np.sin(x), rule)
    return lambda x: f(f(x) + x), [rng.standard_normal(3)]


@bug()
def offset_of_a_thousandth(lib, rng):
    np = lib.np
    return lib.operation(lambda x: np.exp(x), lambda g, x: g * (np.exp(x) + 1e-3)), [rng.standard_normal(3)]


# ---------------------------------------------------------------------- habits


@bug("random")
def random_output(lib, rng):
    noisy = lambda x: x + lib.array(rng.random(3))
    return lib.operation(noisy, lambda g: g + 0), [rng.standard_normal(3)]


@bug("random")
def random_gradient(lib, rng):
    np = lib.np
    return lib.operation(lambda x: np.sin(x), lambda g, x: g * np.cos(x) * rng.normal(1, 1e-4)), [
        rng.standard_normal(3)
    ]


@bug("mutated")
def mutated_input(lib, rng):
    def f(x):
        y = lib.np.sin(x)
        lib.memory(x)[0] = 0.5
        return y

    return f, [rng.standard_normal(3)]


@bug("mutated")
def mutated_cotangent(lib, rng):
    def rule(g):
        g = lib.memory(g)
        g *= 2
        return g

    return lib.operation(lambda x: 2 * x, rule), [rng.standard_normal(3)]


@bug("layout")
def wrong_for_non_contiguous_inputs_only(lib, rng):
    factor = lambda x: 3 if lib.is_contiguous(x) else 2
    return lib.operation(lambda x: 3 * x, lambda g, x: g * factor(x)), [rng.standard_normal((2, 3))]


@bug("aliased")
def wrong_for_an_input_given_twice_only(lib, rng):
    lib.need("identity")
    f = lib.operation(lambda x, y: x * y, lambda g, x, y: g * y * (2 if x is y else 1), lambda g, x: g * x)
    return f, [rng.standard_normal(3), rng.standard_normal(3)]


@bug("zero cotangent")
def constant_added(lib, rng):
    return lib.operation(lambda x: 2 * x, lambda g: 2 * g + 1e-4), [rng.standard_normal(3)]


@bug("not linear")
def cotangent_squared(lib, rng):
    return lib.operation(lambda x: 2 * x, lambda g: 2 * g * lib.np.abs(g)), [rng.standard_normal(3)]


@bug("not linear", cause="narrower dtype")
def cotangent_rounded_to_single_precision(lib, rng):
    np = lib.np
    return lib.operation(lambda x: np.sin(x), lambda g, x: lib.single(g * np.cos(x))), [rng.standard_normal(3)]


@bug("precision", cause="dtype lost")
def partial_derivative_in_single_precision(lib, rng):
    np = lib.np
    return lib.operation(lambda x: np.sin(x), lambda g, x: g * np.cos(lib.single(x))), [rng.uniform(1, 1.5, 4)]


@bug("precision")
def wrong_in_float32_only(lib, rng):
    np = lib.np
    factor = lambda x: 1.05 if "float32" in str(x.dtype) else 1.0
    f = lib.operation(lambda x: np.sin(x), lambda g, x: g * np.cos(x) * factor(x))
    return f, [rng.uniform(-1, 1, 6).astype("float32")]


@bug()
def output_without_a_cotangent(lib, rng):
    np = lib.np
    f = lib.pair(lambda x: (np.sin(x), np.exp(x)), lambda g, h, x: g * np.cos(x))
    return lambda x: f(x)[0] * f(x)[1], [rng.standard_normal(3)]


# ---------------------------------------------------------------------- order and mode


@bug(cause="zero", order=2)
def second_order_only(lib, rng):
    np = lib.np
    return lib.operation(lambda x: np.sin(x), lambda g, x: g * np.cos(lib.detach(x))), [rng.standard_normal(3)]


@bug(order=2)
def second_order_sign_only(lib, rng):
    np = lib.np
    cosine = lib.operation(lambda x: np.cos(x), lambda g, x: g * np.sin(x))
    return lib.operation(lambda x: np.sin(x), lambda g, x: g * cosine(x)), [rng.standard_normal(3)]


@bug(order=2)
def second_order_through_the_cotangent_only(lib, rng):
    np = lib.np
    return lib.operation(lambda x: np.sin(x), lambda g, x: lib.detach(g) * np.cos(x)), [rng.standard_normal(3)]


@bug("forward", mode="forward")
def forward_mode_sign_only(lib, rng):
    np = lib.np
    f = lib.operation(lambda x: np.sin(x), lambda g, x: g * np.cos(x), jvp=lambda t, x: -t * np.cos(x))
    return f, [rng.standard_normal(3)]


@bug("forward", mode="forward")
def forward_mode_one_of_500_by_a_percent(lib, rng):
    np, factor = lib.np, numpy.ones(500)
    factor[rng.integers(500)] = 1.01
    factor = lib.array(factor)
    f = lib.operation(lambda x: np.sin(x), lambda g, x: g * np.cos(x), jvp=lambda t, x: factor * t * np.cos(x))
    return f, [rng.uniform(-1, 1, 500)]
