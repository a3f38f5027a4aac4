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


@pytest.fixture(autouse=True)
def _own_primitives() -> Iterator[None]:
    """Take the primitives declared here out of the library's table again."""
    before = dict(registry)
    yield
    registry.clear()
    registry.update(before)


def sine(x: Any) -> Any:
    return np.sin(x)


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
