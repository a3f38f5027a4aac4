"""The gradient check as its users meet it: what it takes, what it finds, and what it leaves alone."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograd.numpy as anp
from autograd import Tensor, elementwise, primitive
from autograd.dispatch import bare
from autograd.gradcheck import GradcheckError, assert_gradients, gradcheck, gradgradcheck

pytestmark = pytest.mark.usefixtures("own_primitives")


def sine(x: Any) -> Any:
    return np.sin(x)


# ---------------------------------------------------------------------- orders


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


def test_several_orders_in_one_report():
    result = gradcheck(wrong_in_second_order, np.array([0.3, -1.1]), order=(1, 2), raise_exception=False)
    verdicts = {finding.subject: finding.verdict for finding in result.findings}
    assert verdicts["order 1: input 0 (2,) float64"] == "ok"
    assert verdicts["order 2: input 0 (2,) float64"] == "wrong"
    assert "order=(1, 2)" in result.call


@pytest.mark.parametrize("order", [0, (), (1, 0), 1.5, "2"])
def test_orders_are_1_or_higher(order):
    with pytest.raises(ValueError, match="order 1 or higher"):
        gradcheck(np.sin, 1.0, order=order)


# ---------------------------------------------------------------------- modes


def with_rules(vjp, jvp):
    return primitive(sine, vjp={"x": vjp}, jvp={"x": jvp})


def test_forward_mode_is_held_against_reverse_mode():
    f = with_rules(lambda g, x: g * np.cos(x), lambda t, x: -t * np.cos(x))
    assert gradcheck(f, np.array([0.5, 1.0]), modes="reverse")
    result = gradcheck(f, np.array([0.5, 1.0]), raise_exception=False)
    assert result.verdicts == ("forward",)
    assert "opposite sign" in str(result)


def test_forward_mode_alone_is_held_against_differences():
    x = np.array([0.5, 1.0])
    right_forwards = with_rules(lambda g, x: -g * np.cos(x), lambda t, x: t * np.cos(x))
    assert gradcheck(right_forwards, x, modes="forward")
    wrong_forwards = with_rules(lambda g, x: g * np.cos(x), lambda t, x: 2 * t * np.cos(x))
    assert gradcheck(wrong_forwards, x, modes=("forward",), raise_exception=False).verdicts == ("wrong",)


def test_a_tangent_of_another_dtype_is_found():
    f = with_rules(lambda g, x: g * np.cos(x), lambda t, x: (t * np.cos(x))[:1])
    with pytest.raises(GradcheckError, match="forward"):
        gradcheck(f, np.array([0.5, 1.0]))


def both(x):
    """Two outputs and no forward rule, which the reverse rule cannot stand in for."""
    rule = lambda g, x: g[0] * np.cos(x) - g[1] * np.sin(x)
    return primitive(lambda x: (np.sin(x), np.cos(x)), vjp={"x": rule}, name="both")(x)


def test_missing_forward_mode_is_noted_by_default_and_fails_where_it_was_asked_for():
    x = np.array([0.5, 1.0])
    result = gradcheck(both, x)
    assert any("forward mode was not checked" in note and "'both'" in note for note in result.notes)
    for modes in ("forward", ("reverse", "forward")):
        asked = gradcheck(both, x, modes=modes, raise_exception=False)
        assert asked.verdicts == ("no forward mode",)
    assert not gradcheck(both, x, modes="reverse").notes


def test_unknown_modes_are_refused():
    for modes in ("backward", (), ("reverse", "sideways")):
        with pytest.raises(ValueError, match="modes are"):
            gradcheck(np.sin, 1.0, modes=modes)


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


def test_a_wrong_gradient_that_first_steps_cannot_tell_from_rounding_is_found_by_longer_ones():
    x = np.array([0.3, 0.7])
    f = elementwise(lambda x: 1 + 1e-12 * np.sin(x), lambda x: -1e-12 * np.cos(x), name="f")
    assert gradcheck(f, x, raise_exception=False).verdicts == ("wrong",)
    assert gradcheck(lambda x: 1 + 1e-12 * np.sin(x), x)


def test_a_complex_step_settles_what_differences_cannot_and_nothing_else():
    x = np.random.default_rng(0).uniform(0.5, 2, 3)
    coarse = lambda x: (x + 1e11) - 1e11  # values in steps of 1.5e-5
    assert gradcheck(coarse, x, seed=0)
    not_analytic = lambda x: (np.absolute(x) + 1e11) - 1e11
    assert gradcheck(not_analytic, x, seed=0, raise_exception=False).verdicts == ("uncertain",)
    flipped = elementwise(coarse, lambda x: -np.ones_like(x), name="flipped")
    assert gradcheck(flipped, x, seed=0, raise_exception=False).verdicts == ("wrong",)
    # A complex step sees |x| as a constant, as the detached path does: their agreement must not count.
    assert not gradcheck(lambda x: x * np.absolute(bare(x)), x, raise_exception=False)


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_functions(dtype, rng):
    z = (rng.standard_normal(3) + 1j * rng.standard_normal(3)).astype(dtype)
    w = rng.standard_normal(3).astype(z.real.dtype)
    assert_gradients(lambda z, w: (np.exp(z) * w, np.absolute(z) ** 2), z, w)
    assert_gradients(lambda p: np.sum(p["z"] * np.conjugate(p["z"])).real, {"z": z})


# ---------------------------------------------------------------------- scales and noise


@pytest.mark.parametrize("seed", range(5))
def test_outputs_of_other_orders_of_magnitude_hide_no_mistake(seed):
    x = np.random.default_rng(seed).standard_normal(4)
    sizes, signs = np.array([1e6, 1.0, 1e-6, 1e-9]), np.array([1.0, 1.0, 1.0, -1.0])
    f = elementwise(lambda x: sizes * np.sin(x), lambda x: signs * sizes * np.cos(x), name="f")
    result = gradcheck(f, x, raise_exception=False)
    assert result.verdicts == ("wrong",)
    assert result.findings[0].place == "d out[3] / d in[3]"


@pytest.mark.parametrize("seed", range(5))
def test_a_coarser_measurement_excuses_nothing_that_a_sharper_one_denies(seed):
    x = np.array([1.0, 2.0, 3.0, 1e-6]) * np.random.default_rng(seed).uniform(1, 2, 4)
    factor = np.array([1.0, 1.0, 1.0, 1.01])
    square = elementwise(lambda x: x * x, lambda x: 2 * factor * x, name="square")
    assert gradcheck(lambda x: np.sum(square(x)), x, raise_exception=False).verdicts == ("wrong",)


def test_noise_in_the_values_is_said_and_excuses_no_gross_mistake():
    x = np.array([0.7, 1.1, 1.9])
    noisy = lambda x: (np.sin(x) + 1e9) - 1e9
    result = gradcheck(lambda x: noisy(x) * 1.0, x, seed=0)
    assert result
    twice = elementwise(noisy, lambda x: 2 * np.cos(x), name="twice")
    result = gradcheck(twice, x, raise_exception=False)
    assert "wrong" in result.verdicts
    assert "scatter" in str(result)


def test_a_wrong_rule_in_half_precision_is_found_where_squares_overflow():
    factor = lambda x: x.dtype.type(1.3 if x.dtype == np.float16 else 1)
    f = primitive(lambda x: x * x, vjp={"x": lambda g, x: g * 2 * x * factor(x)}, name="f")
    for seed in range(30):
        result = gradcheck(f, np.array([150.0, 190.0], np.float16), seed=seed, raise_exception=False)
        assert result.verdicts == ("precision",)


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (lambda x: np.maximum(x, 0), [0.0, 1.0]),
        (np.absolute, [0.0, 1.0]),
        (lambda x: x.max(), [0.5, 0.5, 0.1]),
        (lambda x: x.min(axis=0), [[0.5, 2.0], [0.5, 1.0]]),
    ],
)
def test_a_subgradient_midway_is_a_kink_too(f, x):
    result = gradcheck(f, np.array(x), raise_exception=False)
    assert result.verdicts == ("kink",)
    assert gradcheck(f, np.array(x), allow_kinks=True)


def test_rules_that_are_wrong_for_column_major_inputs_are_found():
    def rule(g, x):
        return (g.ravel() * np.cos(x.ravel(order="A"))).reshape(x.shape)

    f = primitive(lambda x: np.sin(x), vjp={"x": rule}, name="f")
    assert gradcheck(f, np.arange(6.0).reshape(2, 3), modes="reverse", raise_exception=False).verdicts == ("layout",)


# ---------------------------------------------------------------------- what the check does not touch


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


@pytest.mark.parametrize("options", [{"eps": 0}, {"eps": -1e-3}, {"eps": np.nan}, {"rtol": -1}, {"atol": np.inf}])
def test_steps_and_tolerances_that_are_none_are_refused(options):
    with pytest.raises(ValueError, match=f"finite {next(iter(options))}"):
        gradcheck(np.sin, 0.5, **options)


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


def test_seeds_are_fresh_and_repeat():
    x = np.linspace(-1, 1, 5000)
    first, second = gradcheck(np.sin, x), gradcheck(np.sin, x)
    assert first.seed != second.seed
    assert str(gradcheck(np.sin, x, seed=first.seed)) == str(first)


# ---------------------------------------------------------------------- in a test


def test_assert_gradients_checks_both_orders_and_modes():
    x = np.array([0.3, -1.1])
    assert_gradients(lambda x, y: np.sin(x) * y, x, 2.0)
    with pytest.raises(AssertionError, match="order 2: input 0"):
        assert_gradients(wrong_in_second_order, x)
    assert_gradients(wrong_in_second_order, x, order=1)
    with pytest.raises(GradcheckError, match="forward"):
        assert_gradients(with_rules(lambda g, x: g * np.cos(x), lambda t, x: -t * np.cos(x)), x, order=1)


def test_the_documentation_runs_as_pasted(capsys):
    text = (Path(__file__).resolve().parent.parent / "docs" / "gradcheck.md").read_text(encoding="utf-8")
    snippets, outputs = (re.findall(rf"```{kind}\n(.*?)```", text, flags=re.DOTALL) for kind in ("python", "text"))
    for snippet, output in zip(snippets, outputs, strict=True):
        exec(compile(snippet, "gradcheck.md", "exec"), {})
        assert output in capsys.readouterr().out


EXAMPLE = """
import numpy as np
from autograd import assert_gradients, elementwise

def test_cube():
    cube = elementwise(lambda x: x**3, lambda x: 2 * x**2, name="cube_of_mine")
    assert_gradients(cube, np.array([0.5, -1.0]))
"""


def test_pytest_shows_the_report_and_not_the_checker(tmp_path):
    (tmp_path / "test_example.py").write_text(EXAMPLE)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(tmp_path)]
    output = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120).stdout
    assert "x0.666667" in output
    assert "again: gradcheck(" in output
    assert "gradcheck/check.py" not in output


def test_a_part_of_a_complex_value_that_is_rounding_alone_is_accepted():
    z = np.array([1.2544482530485257 - 1.08217838898024j, 0.7769020178860887 + 0.8670173581146392j])
    for seed in range(30):
        assert gradcheck(lambda z: z * np.conj(z), z, seed=seed)
