"""Activations: formulas, values at the ends of the number line, dtypes, writing in place, refusals."""

from __future__ import annotations

from math import erf

import numpy as np
import pytest

import nn
import nn.functional as F
from autograd import Tensor, gradcheck, gradgradcheck, manual_seed

X = np.linspace(-4, 4, 33)

FORMULAS = {
    "leaky_relu": (F.leaky_relu, lambda x: np.where(x > 0, x, 0.01 * x)),
    "elu": (F.elu, lambda x: np.where(x > 0, x, np.exp(x) - 1)),
    "celu": (lambda x: F.celu(x, 2.0), lambda x: np.where(x > 0, x, 2 * (np.exp(x / 2) - 1))),
    "gelu": (F.gelu, lambda x: x * 0.5 * (1 + np.vectorize(erf)(x / np.sqrt(2)))),
    "gelu by tanh": (
        lambda x: F.gelu(x, "tanh"),
        lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    ),
    "silu": (F.silu, lambda x: x / (1 + np.exp(-x))),
    "mish": (F.mish, lambda x: x * np.tanh(np.log(1 + np.exp(x)))),
    "softplus": (F.softplus, lambda x: np.log(1 + np.exp(x))),
    "logsigmoid": (F.logsigmoid, lambda x: -np.log(1 + np.exp(-x))),
    "softsign": (F.softsign, lambda x: x / (1 + np.abs(x))),
    "hardswish": (F.hardswish, lambda x: x * np.clip(x + 3, 0, 6) / 6),
    "tanhshrink": (F.tanhshrink, lambda x: x - np.tanh(x)),
    "softshrink": (F.softshrink, lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0)),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_formula(name):
    function, formula = FORMULAS[name]
    np.testing.assert_allclose(function(X), formula(X), rtol=1e-12, atol=1e-15)


ENDS = {  # values at the smallest and the largest float
    F.relu: (0, 1), F.relu6: (0, 6 / np.inf), F.elu: (-1, 1), F.celu: (-1, 1), F.selu: (-1.7580993, 1.050701),
    F.gelu: (0, 1), F.silu: (0, 1), F.mish: (0, 1), F.softplus: (0, 1), F.logsigmoid: (None, 0), F.softsign: (-1, 0),
    F.hardswish: (0, 1), F.tanhshrink: (None, 1), F.sigmoid: (0, 0), F.tanh: (-1, 0),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("function", ENDS, ids=lambda f: f.__name__)
def test_the_ends_of_the_number_line(function, dtype):
    """Finite values without warnings; ``below`` is the limit (None: −x), ``slope`` the slope above."""
    below, slope = ENDS[function]
    large = np.finfo(dtype).max / 2
    x = Tensor(np.array([-large, large], dtype), requires_grad=True)
    y = function(x)
    y.sum().backward()
    assert y.dtype == x.grad.dtype == dtype
    assert y.numpy()[0] == pytest.approx(below if below is not None else -large)
    assert np.all(np.isfinite(y.numpy()))
    assert x.grad.numpy()[1] == pytest.approx(slope)


@pytest.mark.parametrize("function", [*ENDS, F.leaky_relu, F.hardsigmoid, F.hardtanh], ids=lambda f: f.__name__)
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_dtypes_stay(function, dtype):
    x = Tensor(X.astype(dtype), requires_grad=True)
    y = function(x)
    y.sum().backward()
    assert y.dtype == x.grad.dtype == dtype
    expected = function(X)
    np.testing.assert_allclose(y.numpy(), expected, rtol=4 * np.finfo(dtype).eps, atol=4 * np.finfo(dtype).eps)
    assert np.isnan(function(np.array([np.nan], dtype)))[0]


def test_softmax_of_extreme_logits():
    logits = np.array([[1e4, -1e4, 0], [1e38, -1e38, 1e38]], np.float32)
    assert np.array_equal(F.softmax(logits, 1), np.array([[1, 0, 0], [0.5, 0, 0.5]], np.float32))
    assert np.all(np.isfinite(F.log_softmax(logits[:1], 1)))
    assert F.softmax(np.array([1.0, 2.0], np.float16), 0).dtype == np.float16
    assert F.softmax(np.zeros((3, 0)), 0).shape == (3, 0)
    np.testing.assert_allclose(F.softmin(X, 0), F.softmax(-X, 0))


def test_gated_halves():
    a, b = X[:16], X[16:32]
    np.testing.assert_allclose(F.glu(np.concatenate([a, b])), a / (1 + np.exp(-b)))
    np.testing.assert_allclose(F.swiglu(np.concatenate([a, b])), a / (1 + np.exp(-a)) * b)


def test_gumbel_softmax_draws_from_the_distribution():
    manual_seed(0)
    logits = np.log(np.tile([0.5, 0.3, 0.2], (20000, 1)))
    hard = F.gumbel_softmax(Tensor(logits), tau=0.5, hard=True).numpy()
    assert set(np.unique(hard)) == {0.0, 1.0}
    np.testing.assert_allclose(hard.mean(0), [0.5, 0.3, 0.2], atol=0.02)


def test_hard_samples_have_the_soft_gradient():
    gradients = []
    for hard in (False, True):
        manual_seed(1)
        x = Tensor(np.array([0.1, 0.7, -0.3]), requires_grad=True)
        (F.gumbel_softmax(x, hard=hard) * np.array([1.0, 2.0, 3.0])).sum().backward()
        gradients.append(x.grad.numpy())
    np.testing.assert_allclose(*gradients)


@pytest.mark.parametrize("layer", [nn.ReLU, nn.SiLU, nn.ELU, nn.Hardtanh, nn.Dropout])
def test_in_place_writes_over_the_input(layer):
    x = np.array([-2.0, 0.5, 3.0])
    manual_seed(0)
    expected = layer()(x)
    gradients = []
    for inplace in (False, True):
        manual_seed(0)
        leaf = Tensor(x.copy(), requires_grad=True)
        hidden = leaf * 1.0
        y = layer(inplace=inplace)(hidden)
        y.backward(np.ones(3))
        gradients.append(leaf.grad.numpy())
        np.testing.assert_array_equal(y.numpy(), expected)
        assert (y is hidden) == inplace
    np.testing.assert_array_equal(*gradients)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: F.prelu(np.ones((2, 3)), np.ones(2)), r"one for each entry of axis 1; got \(2,\)"),
        (lambda: F.rrelu(X, 0.5, 0.1), "lower ≤ upper"),
        (lambda: F.celu(X, 0.0), "alpha > 0"),
        (lambda: F.hardtanh(X, 1.0, -1.0), "min_val ≤ max_val"),
        (lambda: F.softshrink(X, -1.0), "lambd ≥ 0"),
        (lambda: F.gelu(X, "sigmoid"), "approximate='none' or 'tanh'"),
        (lambda: F.glu(np.ones((2, 3))), r"has to be even; got shape \(2, 3\)"),
        (lambda: F.gumbel_softmax(X, tau=0.0), "tau > 0"),
        (lambda: nn.Softmax2d()(X), r"takes images \(N, C, H, W\)"),
    ],
)
def test_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_large_half_precision_and_infinite_values():
    x = np.array([5, 5.6, 6, 11, 20, 60000], np.float16)
    np.testing.assert_allclose(F.mish(x), x, rtol=2e-3)
    for form in ("none", "tanh"):
        large = np.finfo(np.float64).max
        assert F.gelu(np.array([-large]), form)[0] == 0
        assert F.gelu(np.array([-3e38], np.float32), form)[0] == 0
    assert list(F.gelu(np.array([np.inf, -np.inf], np.float32))) == [np.inf, 0]
    assert np.isnan(F.threshold(np.array([np.nan]), 0.5, 7.0))[0]


def test_softmax_needs_floats_and_an_axis():
    with pytest.raises(TypeError, match="softmax needs the axis dim"):
        nn.Softmax(None)(X)
    with pytest.raises(np.exceptions.AxisError):
        F.log_softmax(np.float64(1.0), 0)
    with pytest.raises(TypeError, match="convert the logits to floats"):
        F.softmax(np.arange(3), 0)
    with pytest.raises(np.exceptions.AxisError):
        F.softmax(X, 1)


@pytest.mark.parametrize(
    "function",
    [
        *(F.softplus, F.logsigmoid, F.softsign, F.softshrink, F.mish, F.relu, F.hardtanh, F.hardsigmoid, F.hardswish),
        *(F.elu, F.celu, F.selu, F.leaky_relu, F.hardshrink),
    ],
)
def test_functions_of_real_numbers_refuse_complex_ones(function):
    with pytest.raises(TypeError, match=f"{function.__name__}.. is a function of real numbers; got complex128"):
        function(Tensor([1j], requires_grad=True))


def test_slopes_and_thresholds_are_of_real_numbers_too():
    z = Tensor([1j], requires_grad=True)
    with pytest.raises(TypeError, match=r"prelu\(\) is a function of real numbers"):
        F.prelu(z, np.ones(1))
    with pytest.raises(TypeError, match=r"threshold\(\) is a function of real numbers"):
        F.threshold(z, 0.0, 1.0)


@pytest.mark.parametrize("gate", [F.glu, F.swiglu])
def test_gates_of_complex_numbers(gate):
    z = np.random.default_rng(0).normal(size=(2, 6)) + 0.3j
    assert gradcheck(gate, z)
    assert gradgradcheck(gate, z)
