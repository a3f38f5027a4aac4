"""Parametrised weights: values, training, states, copies, and taking them away again."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import nn
import optim
from autograd import Tensor, manual_seed
from nn.utils.parametrizations import spectral_norm, weight_norm
from nn.utils.parametrize import is_parametrized, register_parametrization, remove_parametrizations

X = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)


class Symmetric(nn.Module):
    def forward(self, x):
        return np.triu(x) + np.triu(x, 1).T


class Exponential(nn.Module):
    def forward(self, x):
        return np.exp(x)

    def right_inverse(self, y):
        return np.log(y)


def test_a_parametrised_weight_is_computed_anew():
    layer = register_parametrization(nn.Linear(4, 4), "weight", Symmetric())
    weight = layer.weight.numpy()
    np.testing.assert_array_equal(weight, weight.T)
    optimizer = optim.SGD(layer.parameters(), lr=0.1)
    layer(Tensor(X)).sum().backward()
    optimizer.step()
    after = layer.weight.numpy()
    assert not np.array_equal(after, weight)
    np.testing.assert_array_equal(after, after.T)
    assert [name for name, _ in layer.named_parameters()] == ["bias", "parametrizations.weight.original"]


def test_values_are_set_through_the_inverse():
    layer = nn.Linear(2, 2)
    layer.weight = nn.Parameter(np.array([[1.0, 2.0], [3.0, 4.0]], np.float32))
    register_parametrization(layer, "weight", Exponential())
    np.testing.assert_allclose(layer.weight.numpy(), [[1, 2], [3, 4]], rtol=1e-6)
    layer.weight = np.full((2, 2), 5.0)
    np.testing.assert_allclose(layer.parametrizations.weight.original.numpy(), np.log(np.full((2, 2), 5.0)), rtol=1e-6)
    register_parametrization(layer, "weight", Symmetric())
    assert np.array_equal(layer.weight.numpy(), layer.weight.numpy().T)
    with pytest.raises(RuntimeError, match="Symmetric has no right_inverse"):
        layer.weight = np.ones((2, 2))


def test_weight_norm_separates_length_and_direction():
    manual_seed(0)
    layer = nn.Linear(4, 3)
    weight = layer.weight.numpy().copy()
    weight_norm(layer)
    np.testing.assert_allclose(layer.weight.numpy(), weight, rtol=1e-6)
    length = layer.parametrizations.weight.original0
    assert length.shape == (3, 1)
    length.data[...] = 2.0
    np.testing.assert_allclose(np.linalg.norm(layer.weight.numpy(), axis=1), 2.0, rtol=1e-6)
    assert weight_norm(nn.Linear(4, 3), dim=None).parametrizations.weight.original0.shape == ()


@pytest.mark.parametrize(
    "make", [lambda: nn.Linear(6, 4), lambda: nn.Conv2d(2, 5, 3), lambda: nn.ConvTranspose1d(3, 4, 2)]
)
def test_spectral_norm_bounds_the_largest_singular_value(make):
    manual_seed(1)  # before the layer: how fast the iterations converge depends on its weights
    layer = spectral_norm(make(), n_power_iterations=50)
    rows = layer.parametrizations.weight[0].dim
    matrix = np.moveaxis(layer.weight.numpy(), rows, 0)
    values = np.linalg.svd(matrix.reshape(len(matrix), -1), compute_uv=False)
    assert values[0] == pytest.approx(1, rel=1e-3)
    before = layer.parametrizations.weight[0]._u.numpy().copy()
    layer.eval()
    np.testing.assert_array_equal(layer.weight.numpy(), layer.weight.numpy())
    np.testing.assert_array_equal(layer.parametrizations.weight[0]._u.numpy(), before)


@pytest.mark.parametrize("make", [weight_norm, spectral_norm])
def test_copies_states_and_pickles(make):
    layer = make(nn.Linear(4, 3)).eval()
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        np.testing.assert_array_equal(other.weight.numpy(), layer.weight.numpy())
        assert other.parametrizations.weight is not layer.parametrizations.weight
        other.bias.data[...] = 0
    assert layer.bias.numpy().any()
    fresh = make(nn.Linear(4, 3)).eval()
    fresh.load_state_dict(layer.state_dict())
    np.testing.assert_array_equal(fresh(X).numpy(), layer(X).numpy())


def test_taking_a_parametrisation_away():
    layer = weight_norm(nn.Linear(4, 3))
    expected = layer(X).numpy()
    assert is_parametrized(layer)
    assert is_parametrized(layer, "weight")
    assert not is_parametrized(layer, "bias")
    remove_parametrizations(layer, "weight")
    assert type(layer) is nn.Linear
    assert not is_parametrized(layer)
    assert set(dict(layer.named_parameters())) == {"bias", "weight"}
    np.testing.assert_allclose(layer(X).numpy(), expected, rtol=1e-6)
    other = register_parametrization(nn.Linear(2, 2), "weight", Symmetric())
    original = other.parametrizations.weight.original.numpy().copy()
    remove_parametrizations(other, "weight", leave_parametrized=False)
    np.testing.assert_array_equal(other.weight.numpy(), original)


class Narrow(nn.Module):
    def forward(self, x):
        return x[:1]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: register_parametrization(nn.Linear(2, 2), "weights", Symmetric()), ValueError, "'weights'"),
        (lambda: register_parametrization(nn.Linear(2, 2), "weight", Narrow()), ValueError, r"one of \(1, 2\)"),
        (lambda: remove_parametrizations(nn.Linear(2, 2), "weight"), ValueError, "not parametrized"),
        (
            lambda: remove_parametrizations(weight_norm(nn.Linear(2, 2)), "weight", leave_parametrized=False),
            ValueError,
            "comes from 2 tensors",
        ),
        (lambda: weight_norm(nn.Linear(2, 2), dim=2), np.exceptions.AxisError, "out of bounds"),
        (lambda: spectral_norm(nn.Linear(2, 2), n_power_iterations=0), ValueError, "1 or more"),
        (lambda: spectral_norm(nn.ReLU()), ValueError, "ReLU has no parameter or buffer 'weight'"),
        (lambda: weight_norm(nn.Linear(2, 2)).wieght, AttributeError, "no attribute 'wieght'"),
    ],
)
def test_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
