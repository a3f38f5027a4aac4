"""The gradient check itself: it must catch every injected bug, and raise no false alarm."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import autograd.numpy as anp
from autograd import Tensor, elementwise, linear, primitive, registry
from autograd.dispatch import bare
from autograd.gradcheck import GradcheckError, gradcheck, gradgradcheck

SEEDS = range(4)  # how many fresh seeds each statement below is tried with

Setup = Callable[[np.random.Generator], tuple[Callable[..., Any], Any]]
BUGS: dict[str, tuple[Setup, str, str]] = {}  # name → (function and inputs, verdict, part of the likely cause)
CORRECT: dict[str, Setup] = {}


@pytest.fixture(autouse=True)
def _own_primitives() -> Iterator[None]:
    """Take the primitives declared here out of the library's table again."""
    before = dict(registry)
    yield
    registry.clear()
    registry.update(before)


def bug(verdict: str = "wrong", cause: str = "") -> Callable[[Setup], Setup]:
    def enter(setup: Setup) -> Setup:
        BUGS[setup.__name__] = (setup, verdict, cause)
        return setup

    return enter


def correct(setup: Setup) -> Setup:
    CORRECT[setup.__name__] = setup
    return setup


def sine(x: Any) -> Any:
    return np.sin(x)


# ---------------------------------------------------------------------- bugs in values


@bug(cause="opposite sign")
def flipped_sign(rng):
    return elementwise(sine, lambda x: -np.cos(x)), rng.standard_normal((3, 4))


@bug(cause="opposite sign")
def flipped_sign_of_a_tiny_gradient(rng):
    return elementwise(lambda x: 1e-9 * np.sin(x), lambda x: -1e-9 * np.cos(x)), rng.standard_normal(5)


@bug()
def flipped_sign_of_a_tiny_gradient_beside_a_constant(rng):
    return elementwise(lambda x: 1 + 1e-9 * x**3, lambda x: -3e-9 * x**2), rng.uniform(1, 2, 5)


@bug(cause="x2")
def twice_too_large(rng):
    return elementwise(sine, lambda x: 2 * np.cos(x)), rng.standard_normal((2, 3))


@bug(cause="x1.0005")
def off_by_a_twentieth_of_a_percent(rng):
    return elementwise(sine, lambda x: 1.0005 * np.cos(x)), rng.standard_normal((2, 3))


@bug(cause="x1.0005")
def off_by_a_twentieth_of_a_percent_in_many(rng):
    return elementwise(sine, lambda x: 1.0005 * np.cos(x)), rng.standard_normal(5000)


@bug(cause="1 of 2000")
def one_wrong_of_2000_in_a_sum(rng):
    factor = np.ones(2000)
    factor[rng.integers(2000)] = 1.01
    f = elementwise(sine, lambda x: factor * np.cos(x))
    return lambda x: np.sum(f(x)), rng.uniform(-1, 1, 2000)


@bug()
def one_wrong_of_2000(rng):
    factor = np.ones(2000)
    factor[rng.integers(2000)] = 1.01
    return elementwise(sine, lambda x: factor * np.cos(x)), rng.uniform(-1, 1, 2000)


@bug(cause="some terms missing")
def one_entry_left_out(rng):
    kept = np.ones((3, 3))
    kept[1, 2] = 0
    return elementwise(sine, lambda x: kept * np.cos(x)), rng.standard_normal((3, 3))


@bug(cause="in some entries")
def sign_lost(rng):
    return elementwise(lambda x: np.abs(x), 1.0, name="abs"), np.array([-1.5, 0.5, -2.0, 1.0])


@bug(cause="zero")
def detached(rng):
    return lambda x: np.asarray(x.detach().numpy()) ** 2, rng.standard_normal(3)


@bug(cause="x0.5")
def half_detached(rng):
    return lambda x: x * x.detach(), rng.standard_normal(3)


@bug(cause="should be zero")
def gradient_where_there_is_none(rng):
    return elementwise(lambda x: np.floor(x), lambda x: np.ones_like(x), name="floor"), np.array([0.3, 1.7])


@bug(cause="not finite")
def not_a_number(rng):
    return elementwise(sine, lambda x: np.cos(x) * np.where(x > 0, np.nan, 1.0)), np.array([-1.0, 1.0])


@bug(cause="conj")
def unconjugated(rng):
    f = linear(lambda x: (1 + 2j) * x, x=lambda g: (1 + 2j) * g)
    return f, rng.standard_normal(3) + 1j * rng.standard_normal(3)


# ---------------------------------------------------------------------- bugs in places


@bug(cause="transposed")
def transposed(rng):
    f = linear(lambda x: x * np.arange(9.0).reshape(3, 3), x=lambda g: (g * np.arange(9.0).reshape(3, 3)).T)
    return f, rng.standard_normal((3, 3))


@bug(cause="rolled along axis 1")
def rolled(rng):
    return linear(lambda x: 2 * x, x=lambda g: np.roll(2 * g, 1, 1)), rng.standard_normal((2, 4))


@bug(cause="reversed along axis 0")
def turned_round(rng):
    return linear(lambda x: x[::-1], x=lambda g: g), rng.standard_normal(4)


@bug(cause="another order")
def unsorted(rng):
    return linear(lambda x: x[[2, 0, 1, 3]], x=lambda g: g[[2, 0, 1, 3]]), rng.standard_normal(4)


@bug()
def permutation_of_8000(rng):
    order = rng.permutation(8000)
    return linear(lambda x: x[order], x=lambda g: g[order]), rng.standard_normal(8000)


@bug()
def two_of_8000_exchanged(rng):
    swapped = np.arange(8000)
    swapped[[17, 4711]] = 4711, 17
    return linear(lambda x: x * 2, x=lambda g: 2 * g[swapped]), rng.standard_normal(8000)


@bug(cause="some terms missing")
def broadcast_not_summed(rng):
    add = linear(lambda x, y: x + y, x=lambda g: g, y=lambda g: g[0])
    return lambda x, y: add(np.sin(x), y), (rng.standard_normal((3, 4)), rng.standard_normal(4))


@bug(cause="an axis length")
def mean_for_sum(rng):
    return linear(lambda x: np.mean(x), x=lambda g, x_shape: np.broadcast_to(g, x_shape)), rng.standard_normal(7)


@bug()
def wrong_axis(rng):
    f = linear(lambda x: np.sum(x, 0), x=lambda g, x_shape: np.broadcast_to(g[:, None], x_shape))
    return f, rng.standard_normal((3, 3))


@bug()
def arguments_exchanged(rng):
    f = elementwise(lambda x, y: x * y, lambda x: x, lambda y: y)
    return f, (rng.standard_normal(3), rng.standard_normal(3))


@bug()
def one_of_two_outputs_forgotten(rng):
    f = primitive(lambda x: (np.sin(x), np.cos(x)), vjp={"x": lambda g, x: g[0] * np.cos(x)}, name="sine_and_cosine")
    return f, rng.standard_normal(3)


# ---------------------------------------------------------------------- bugs in habits


@bug("random")
def random_output(rng):
    return elementwise(lambda x: x + rng.random(x.shape), 1.0, name="noisy"), rng.standard_normal(3)


@bug("random")
def random_gradient(rng):
    return elementwise(sine, lambda x: np.cos(x) * rng.normal(1, 1e-3)), rng.standard_normal(3)


@bug("mutated")
def mutated_input(rng):
    def f(x):
        x.detach().numpy()[0] = 0.5
        return np.sin(x)

    return f, rng.standard_normal(3)


def _doubled_in_place(g):
    g *= 2
    return g


@bug("mutated")
def mutated_cotangent(rng):
    return linear(lambda x: 2 * x, x=_doubled_in_place), rng.standard_normal(3)


@bug("layout")
def only_for_contiguous_inputs(rng):
    f = primitive(lambda x: x * 3, vjp={"x": lambda g, x: g * (3 if x.flags.c_contiguous else 2)})
    return f, rng.standard_normal((2, 3))


@bug("zero cotangent")
def constant_added(rng):
    return linear(lambda x: x * 2, x=lambda g: g * 2 + 1e-3), rng.standard_normal(3)


@bug("not linear")
def cotangent_squared(rng):
    return linear(lambda x: x * 2, x=lambda g: 2 * g * np.abs(g)), rng.standard_normal(3)


@bug("precision")
def coarse_in_single_precision(rng):
    coarse = lambda g, x: g * np.cos(np.round(x, 1) if x.dtype == "f4" else x)
    return primitive(sine, vjp={"x": coarse}), rng.uniform(1.12, 1.18, 6).astype("f4")


# ---------------------------------------------------------------------- functions without a bug


@correct
def products_with_broadcasting(rng):
    return np.multiply, (rng.standard_normal((3, 1, 4)), rng.standard_normal((2, 1)))


@correct
def a_large_sum(rng):
    return lambda x: np.sum(np.exp(x)), rng.standard_normal(1000)


@correct
def many_entries(rng):
    return np.tanh, rng.standard_normal((100, 80))


@correct
def tiny_gradients(rng):
    return lambda x: 1e-9 * np.sin(x), rng.standard_normal((2, 3))


@correct
def huge_inputs(rng):
    return np.log, rng.uniform(1e8, 1e9, 4)


@correct
def tiny_inputs(rng):
    return np.log, rng.uniform(1e-9, 1e-8, 4)


@correct
def inputs_of_all_sizes(rng):
    return np.log, 10.0 ** np.arange(-9, 6)


@correct
def cancellation(rng):
    return lambda x: (x + 1e6) - 1e6, rng.standard_normal(4)


@correct
def a_gradient_that_cancels(rng):
    def f(x):
        e = np.exp(x - np.max(bare(x)))
        return np.sum(e / np.sum(e))

    return f, rng.standard_normal(5)


@correct
def near_the_edge_of_the_domain(rng):
    return np.sqrt, np.array([1e-12, 1e-3, 1.0])


@correct
def near_a_kink(rng):
    return np.absolute, np.array([1e-4, -1e-3, 2.0])


@correct
def strongly_curved(rng):
    return lambda x: np.sin(300 * x), rng.uniform(-1, 1, 5)


@correct
def nothing_but_zeros(rng):
    return lambda x: np.cos(x) * x, np.zeros((2, 2))


@correct
def scalars(rng):
    return lambda x, y: np.sin(x) * y, (0.7, np.float64(-1.2))


@correct
def empty(rng):
    return np.sin, np.zeros((0, 3))


@correct
def an_unused_input(rng):
    return lambda x, y: np.sin(x), (rng.standard_normal(3), rng.standard_normal(2))


@correct
def a_nested_structure(rng):
    f = lambda p, x: {"y": p["w"] * x, "parts": [np.sin(p["b"][0]), p["b"][1] + x]}
    return f, ({"w": rng.standard_normal(3), "b": (rng.standard_normal(2), 1.5)}, rng.standard_normal(3))


@correct
def integers_and_options(rng):
    return lambda x, n, scale: x**n * (1 if scale is None else scale), (rng.standard_normal(3), 3, None)


@correct
def the_same_tensor_twice(rng):
    x = Tensor(rng.standard_normal(3), requires_grad=True)
    return lambda x, y: x * np.sin(y), (x, x)


@correct
def non_contiguous(rng):
    return np.multiply, (rng.standard_normal((4, 3)).T, rng.standard_normal(8)[::-2])


@correct
def complex_numbers(rng):
    return lambda z, w: np.exp(z) * w, (rng.standard_normal(3) + 1j * rng.standard_normal(3), rng.standard_normal(3))


@correct
def complex_in_and_real_out(rng):
    return lambda z: np.absolute(z) ** 2, rng.standard_normal(3) + 1j * rng.standard_normal(3)


@correct
def single_precision(rng):
    return lambda x, y: np.sum(np.exp(x) * y), (rng.standard_normal(50).astype("f4"), rng.standard_normal(50))


@correct
def half_precision(rng):
    return lambda x: np.sin(x) * x, rng.standard_normal(20).astype("f2")


@correct
def computing_in_single_precision(rng):
    narrow = linear(lambda x: x.astype("f4"), x=lambda g: g)
    return lambda x: np.exp(narrow(x)), rng.standard_normal(3)


# ---------------------------------------------------------------------- the statements


@pytest.mark.parametrize("name", BUGS)
def test_catches(name):
    setup, verdict, cause = BUGS[name]
    for seed in SEEDS:
        f, inputs = setup(np.random.default_rng(seed))
        result = gradcheck(f, inputs, raise_exception=False)
        assert not result, result
        assert verdict in result.verdicts, result
        if seed == 0:
            assert any(cause in finding.cause for finding in result.findings), result


@pytest.mark.parametrize("name", CORRECT)
def test_raises_no_false_alarm(name):
    for seed in SEEDS:
        f, inputs = CORRECT[name](np.random.default_rng(seed))
        assert gradcheck(f, inputs)


@pytest.mark.parametrize("name", [name for name in CORRECT if name != "computing_in_single_precision"])
def test_raises_no_false_alarm_about_second_derivatives(name):
    for seed in SEEDS:
        f, inputs = CORRECT[name](np.random.default_rng(seed))
        assert gradgradcheck(f, inputs)


# ---------------------------------------------------------------------- second order


def wrong_in_second_order(x):
    """A rule whose value is right, and whose derivative is not."""
    return elementwise(sine, lambda x: np.cos(bare(x)))(x)


def test_a_bug_of_second_order_only_is_found_there():
    x = np.array([0.3, -1.1])
    assert gradcheck(wrong_in_second_order, x)
    result = gradgradcheck(wrong_in_second_order, x, raise_exception=False)
    assert result.verdicts == ("wrong",)
    assert "zero" in result.findings[0].cause


def test_third_order():
    assert gradcheck(lambda x, y: np.sin(x) * y**3, (np.array([0.4, 1.0]), 0.9), order=3)
    with pytest.raises(ValueError, match="order 1 or higher"):
        gradcheck(np.sin, 1.0, order=0)


def test_forward_mode_is_held_against_reverse_mode():
    f = primitive(sine, vjp={"x": lambda g, x: g * np.cos(x)}, jvp={"x": lambda t, x: -t * np.cos(x)})
    assert gradcheck(f, np.array([0.5, 1.0]), modes="reverse")
    result = gradcheck(f, np.array([0.5, 1.0]), raise_exception=False)
    assert result.verdicts == ("forward",)


# ---------------------------------------------------------------------- kinks and edges


@pytest.mark.parametrize(("f", "x"), [(anp.relu, 0.0), (np.sqrt, 0.0), (np.floor, 2.0), (lambda x: x**0.5, 0.0)])
def test_points_without_a_derivative_do_not_pass(f, x):
    result = gradcheck(f, np.array([x, 1.3]), raise_exception=False)
    assert not result
    assert set(result.verdicts) <= {"kink", "wrong"}


def test_a_kink_is_an_outcome_of_its_own():
    x = np.array([0.0, 1.0, -1.0])
    result = gradcheck(anp.relu, x, raise_exception=False)
    assert result.verdicts == ("kink",)
    assert "move the inputs" in str(result)
    assert gradcheck(anp.relu, x, allow_kinks=True)
    beyond = elementwise(anp.relu.primitive.fun, lambda x: np.where(x > 0, 1.0, np.where(x == 0, 2.0, 0.0)), name="r")
    assert gradcheck(beyond, x, allow_kinks=True, raise_exception=False).verdicts == ("wrong",)


def test_the_report_shows_the_measurement_that_decided_beside_a_kink():
    result = gradcheck(anp.relu, np.array([1e-5, 1.0]), eps=1e-3)  # the first steps cross the kink at 0
    assert result
    assert max(finding.error for finding in result.findings) < 1e-8


def test_a_value_that_is_not_finite_is_an_outcome_of_its_own():
    assert gradcheck(np.log, np.array([0.0, 1.0]), raise_exception=False).verdicts == ("not finite",)


# ---------------------------------------------------------------------- what it takes and gives


def test_the_report_names_the_place_the_cause_and_how_to_repeat():
    wrong = elementwise(sine, lambda x: np.where(x > 0, 2.0, 1.0) * np.cos(x), name="wrong")
    with pytest.raises(GradcheckError) as caught:
        gradcheck(wrong, np.array([-1.0, 0.5]), seed=12)
    text = str(caught.value)
    assert "d out[1] / d in[1]" in text
    assert "1 of 4 entries differ" in text
    assert "gradcheck(wrong, np.array([-1.0, 0.5], dtype=np.float64), seed=12)" in text
    assert caught.value.result.seed == 12
    assert isinstance(caught.value, AssertionError)


def test_seeds_are_fresh_and_repeat():
    x = np.linspace(-1, 1, 5000)
    first, second = gradcheck(np.sin, x), gradcheck(np.sin, x)
    assert first.seed != second.seed
    assert str(gradcheck(np.sin, x, seed=first.seed)) == str(first)


def test_parameters_that_the_function_is_closed_over_are_left_alone():
    w = Tensor([1.0, 2.0], requires_grad=True)
    assert gradcheck(lambda x: np.sum(w * x), np.array([0.5, -0.5]))
    assert w.grad is None


def test_inputs_are_left_alone():
    x = Tensor([1.0, 2.0], requires_grad=True)
    assert gradcheck(np.sin, x)
    assert x.grad is None
    assert x.tolist() == [1.0, 2.0]


def test_tolerances_can_be_set():
    f = elementwise(sine, lambda x: 1.0005 * np.cos(x))
    assert gradcheck(f, 0.5, rtol=1e-3)
    assert gradcheck(f, 0.5, atol=1e-3)
    assert gradcheck(np.sin, 0.5, eps=1e-2)


def test_what_cannot_be_checked_is_refused():
    with pytest.raises(TypeError, match="needs a float or complex input"):
        gradcheck(np.sin, np.arange(3))
    with pytest.raises(TypeError, match="float or complex outputs"):
        gradcheck(lambda x: np.argmax(bare(x)), np.arange(3.0))


def test_a_function_that_insists_on_its_dtype_is_checked_in_it():
    def f(x):
        if x.dtype != np.float32:
            raise TypeError("float32 only")
        return np.sin(x)

    result = gradcheck(f, np.array([0.5, 1.0], np.float32))
    assert "computes in float32" in str(result)
