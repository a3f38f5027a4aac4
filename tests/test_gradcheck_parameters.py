"""Gradients of what a function is closed over: parameters of modules, tensors in closures; and state put back."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import nn
from autograd import Tensor, elementwise, manual_seed, primitive
from autograd.dispatch import bare
from autograd.gradcheck import GradcheckError, gradcheck

pytestmark = pytest.mark.usefixtures("own_primitives")

GLOBAL = Tensor([1.0, -2.0], requires_grad=True)


def rows(result):
    return [finding.subject for finding in result.findings]


@pytest.fixture
def model():
    manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 2))


# ---------------------------------------------------------------------- what is found


def test_parameters_of_a_module_are_checked_by_name(model, rng):
    result = gradcheck(model, rng.standard_normal((5, 4)))
    assert rows(result) == [
        "input 0 (5, 4) float64",
        "parameter 0.weight (6, 4) float64",
        "parameter 0.bias (6,) float64",
        "parameter 1.weight (6,) float64",
        "parameter 1.bias (6,) float64",
        "parameter 3.weight (2, 6) float64",
        "parameter 3.bias (2,) float64",
    ]


def test_parameters_alone_are_enough_where_no_input_is_float():
    layer = nn.Embedding(5, 3)
    assert rows(gradcheck(lambda i: layer(i) ** 2, np.array([1, 1, 4]))) == ["parameter weight (5, 3) float64"]


def test_parameters_can_be_left_out(model, rng):
    assert rows(gradcheck(model, rng.standard_normal((5, 4)), parameters=False)) == ["input 0 (5, 4) float64"]
    with pytest.raises(TypeError, match="needs a float or complex input"):
        gradcheck(nn.Embedding(5, 3), np.array([1]), parameters=False)


def test_frozen_parameters_are_constants(model, rng):
    for p in model.parameters():
        p.requires_grad = False
    assert rows(gradcheck(model, rng.standard_normal((5, 4)))) == ["input 0 (5, 4) float64"]


class Scale:
    """A callable that is no module."""

    def __init__(self):
        self.factor = Tensor([3.0], requires_grad=True)
        self.layer = nn.Linear(2, 2)

    def __call__(self, x):
        return self.layer(self.factor * x)

    def twice(self, x):
        return 2 * self(x)


def test_tensors_are_found_wherever_a_function_keeps_them(rng):
    w = Tensor([1.0, 2.0], requires_grad=True)
    named = Tensor([1.0, 2.0], requires_grad=True, name="gain")
    several = {"a": Tensor(1.5, requires_grad=True)}
    layer = nn.Linear(2, 2)
    scale = Scale()
    x = rng.standard_normal((3, 2))
    for f, expected in [
        (lambda x: w * x, ["w (2,)"]),
        (lambda x: named * x, ["gain (2,)"]),
        (lambda x: several["a"] * x, ["several['a'] ()"]),
        (lambda x: GLOBAL * x, ["GLOBAL (2,)"]),
        (partial(lambda module, x: module(x), layer), ["weight (2, 2)", "bias (2,)"]),
        (layer.forward, ["weight (2, 2)", "bias (2,)"]),
        (scale.twice, ["weight (2, 2)", "bias (2,)", "factor (1,)"]),
        (scale, ["weight (2, 2)", "bias (2,)", "factor (1,)"]),
    ]:
        found = [row for row in rows(gradcheck(f, x)) if row.startswith("parameter")]
        assert found == [f"parameter {name} float64" for name in expected]


def test_forward_mode_reaches_parameters_and_says_which_it_does_not():
    twisted = primitive(
        lambda x, y: x * y,
        vjp={"x": lambda g, y: g * y, "y": lambda g, x: g * x},
        jvp={"x": lambda t, y: t * y, "y": lambda t, x: 2 * t * x},
        name="twisted",
    )
    layer = nn.Linear(2, 2)
    layer.extra = nn.Parameter(np.array([1.0, 2.0]))
    w = Tensor([1.0, 2.0], requires_grad=True)
    x = np.array([0.5, -0.5])
    for f in (lambda x: twisted(x, layer.extra), lambda x: twisted(x, w)):
        result = gradcheck(f, x, raise_exception=False)
        assert result.verdicts == ("forward",)
        assert any(row.startswith("parameter") for row in rows(result))
    hidden = (w,)  # nothing can stand in the place of an element of a tuple
    result = gradcheck(lambda x: twisted(x, hidden[0]), x)
    assert result.notes == ("forward mode was checked with these as constants: parameter number 0",)


def test_a_wrong_gradient_of_a_parameter_is_found(rng):
    def half_right(x, weight):
        return x @ weight.T

    product = primitive(
        half_right,
        vjp={"x": lambda g, weight: g @ weight, "weight": lambda g, x: 1.01 * (g.T @ x)},
        name="half_right",
    )
    layer = nn.Linear(4, 3, bias=False)
    layer.forward = lambda x: product(x, layer.weight)
    result = gradcheck(layer, rng.standard_normal((2, 4)), modes="reverse", raise_exception=False)
    wrong = [finding for finding in result.findings if finding.verdict == "wrong"]
    assert [finding.subject for finding in wrong] == ["parameter weight (3, 4) float64"]
    assert "x1.01" in wrong[0].cause


def test_second_derivatives_mix_inputs_and_parameters(model, rng):
    model.eval()
    assert gradcheck(model, rng.standard_normal((3, 4)), order=(1, 2))


# ---------------------------------------------------------------------- what is put back


def snapshot(module):
    tensors = [*module.named_parameters(), *module.named_buffers()]
    return {name: (id(t), id(t._data), t.dtype, t.numpy().tobytes(), t.requires_grad, t.grad) for name, t in tensors}


def test_parameters_and_buffers_come_back_as_they_were(model, rng):
    before = snapshot(model)
    result = gradcheck(model, rng.standard_normal((5, 4)))
    assert snapshot(model) == before
    assert "1.running_mean, 1.running_var, 1.num_batches_tracked" in result.notes[0]


def test_gradients_that_were_there_stay(rng):
    layer = nn.Linear(3, 2)
    layer(rng.standard_normal((4, 3))).sum().backward()
    kept = {name: p.grad.numpy().copy() for name, p in layer.named_parameters()}
    assert gradcheck(layer, rng.standard_normal((4, 3)))
    for name, p in layer.named_parameters():
        np.testing.assert_array_equal(p.grad.numpy(), kept[name])


def test_everything_comes_back_after_an_exception(model, rng):
    before, calls = snapshot(model), []

    def f(x):
        calls.append(x)
        y = model(x)
        if len(calls) == 6:
            raise ArithmeticError("the sixth call")
        return y

    with pytest.raises(ArithmeticError, match="sixth"):
        gradcheck(f, rng.standard_normal((5, 4)))
    assert snapshot(model) == before
    wrong = elementwise(lambda x: np.sin(x), lambda x: -np.cos(x), name="wrong")
    with pytest.raises(GradcheckError):
        gradcheck(lambda x: wrong(model(x)), rng.standard_normal((5, 4)))
    assert snapshot(model) == before


def test_a_function_may_drop_the_tensor_and_keep_only_its_values():
    w = Tensor([1.0, 2.0], requires_grad=True)
    result = gradcheck(lambda x: np.sum(w * x) + np.sum(bare(w) * x), np.array([0.5, -0.5]), raise_exception=False)
    wrong = [finding.subject for finding in result.findings if finding.verdict == "wrong"]
    assert wrong == ["parameter w (2,) float64"]  # a path to w that is detached
