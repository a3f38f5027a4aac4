"""Textbook examples of backpropagation, to the printed digits, and the closed forms on random networks."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import nn
from autograd import Tensor, grad

F = nn.functional


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def sigmoid_slope(z: Any) -> Any:
    return sigmoid(z) * (1 - sigmoid(z))


ACTIVATIONS: dict[str, tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]] = {
    "sigmoid": (F.sigmoid, sigmoid, sigmoid_slope),
    "tanh": (F.tanh, np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "relu": (F.relu, lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(float)),
}


def test_one_linear_neuron():
    x, y = 1.5, 2.0
    w, b = Tensor(0.7, requires_grad=True), Tensor(-0.3, requires_grad=True)
    prediction = w * x + b
    (0.5 * (y - prediction) ** 2).backward()
    assert w.grad.item() == pytest.approx((prediction.item() - y) * x, rel=1e-15)
    assert b.grad.item() == pytest.approx(prediction.item() - y, rel=1e-15)


def test_one_sigmoid_neuron_to_the_printed_digits():
    w, b = Tensor(1.2, requires_grad=True), Tensor(-0.8, requires_grad=True)
    z = w * 0.5 + b
    prediction = F.sigmoid(z)
    loss = 0.5 * (0.0 - prediction) ** 2
    z.retain_grad()
    prediction.retain_grad()
    loss.backward()
    slope = z.grad.item() / prediction.grad.item()
    figures = z.item(), prediction.item(), loss.item(), prediction.grad.item(), slope, w.grad.item(), b.grad.item()
    assert figures == pytest.approx((-0.2, 0.450, 0.101, 0.450, 0.248, 0.056, 0.111), abs=5e-4)
    assert z.item() == pytest.approx(-0.2, abs=1e-15)
    assert round(0.450 * 0.248, 3) == 0.112  # what rounding the factors first gives for the bias


def test_two_layers_factor_by_factor():
    x, y, w1, b1, w2, b2 = 0.5, 1.0, 0.8, 0.1, -1.1, 0.4
    leaves = [Tensor(v, requires_grad=True) for v in (w1, b1, w2, b2)]
    hidden = F.sigmoid(leaves[0] * x + leaves[1])
    prediction = F.sigmoid(leaves[2] * hidden + leaves[3])
    (0.5 * (y - prediction) ** 2).backward()

    a1 = sigmoid(w1 * x + b1)
    z2 = w2 * a1 + b2
    dl_da2, da2_dz2 = sigmoid(z2) - y, sigmoid_slope(z2)
    dz2_dw2, dz2_db2, dz2_da1 = a1, 1.0, w2
    da1_dz1, dz1_dw1, dz1_db1 = sigmoid_slope(w1 * x + b1), x, 1.0
    delta2 = dl_da2 * da2_dz2
    delta1 = delta2 * dz2_da1 * da1_dz1
    expected = delta1 * dz1_dw1, delta1 * dz1_db1, delta2 * dz2_dw2, delta2 * dz2_db2
    assert [leaf.grad.item() for leaf in leaves] == pytest.approx(expected, rel=1e-14)


def test_sigmoid_hidden_layer_and_linear_output():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=2), rng.normal(size=2)
    model = nn.Sequential(nn.Linear(2, 3), nn.Sigmoid(), nn.Linear(3, 2)).double()
    w2, b2, w3, b3 = (p.numpy() for p in model.parameters())
    (0.5 * ((model(Tensor(x)) - y) ** 2).sum()).backward()

    z2 = w2 @ x + b2
    a2 = sigmoid(z2)
    delta3 = w3 @ a2 + b3 - y
    delta2 = np.diag(sigmoid_slope(z2)) @ w3.T @ delta3
    expected = np.outer(delta2, x), delta2, np.outer(delta3, a2), delta3
    for parameter, gradient in zip(model.parameters(), expected, strict=True):
        np.testing.assert_allclose(parameter.grad, gradient, rtol=1e-13, atol=1e-15)


# ---------------------------------------------------------------------- random networks


def closed_form(weights: list[Any], biases: list[Any], a: Any, y: Any, value: Any, slope: Any) -> list[Any]:
    """Gradients of ``‖Y − A‖² / 2N`` for every weight and bias by the recursion of the error signals."""
    inputs, zs = [], []
    for w, b in zip(weights, biases, strict=True):
        inputs.append(a)
        zs.append(a @ w.T + b)
        a = value(zs[-1])
    gradients: list[Any] = []
    delta = (a - y) * slope(zs[-1])
    for layer in reversed(range(len(weights))):
        gradients[:0] = [delta.T @ inputs[layer] / len(y), delta.mean(axis=0)]
        if layer:
            delta = (delta @ weights[layer]) * slope(zs[layer - 1])
    return gradients


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("seed", range(8))
def test_random_networks_match_the_closed_forms(seed, activation):
    ours, value, slope = ACTIVATIONS[activation]
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 7, size=rng.integers(2, 7)).tolist()
    batch = int(rng.integers(1, 6))
    weights = [rng.normal(size=(n_out, n_in)) for n_in, n_out in pairwise(sizes)]
    biases = [rng.normal(size=n_out) for n_out in sizes[1:]]
    x, y = rng.normal(size=(batch, sizes[0])), rng.normal(size=(batch, sizes[-1]))

    leaves = [Tensor(p, requires_grad=True) for pair in zip(weights, biases, strict=True) for p in pair]
    a = Tensor(x)
    for w, b in zip(leaves[::2], leaves[1::2], strict=True):
        a = ours(F.linear(a, w, b))
    F.half_mse_loss(a, y).backward()
    expected = closed_form(weights, biases, x, y, value, slope)
    for leaf, gradient in zip(leaves, expected, strict=True):
        np.testing.assert_allclose(leaf.grad, gradient, rtol=1e-11, atol=1e-13)


def test_a_batch_averages_the_gradients_of_its_samples():
    rng = np.random.default_rng(3)
    x, y, w = rng.normal(size=(5, 3)), rng.normal(size=(5, 2)), rng.normal(size=(2, 3))
    gradient = grad(lambda w, x, y: F.half_mse_loss(F.tanh(x @ w.T), y))
    each = [gradient(w, x[i : i + 1], y[i : i + 1]) for i in range(5)]
    np.testing.assert_allclose(gradient(w, x, y), np.mean(each, axis=0), rtol=1e-13)


def test_cross_entropy_with_softmax_has_the_gradient_prediction_minus_target():
    rng = np.random.default_rng(4)
    z, classes = rng.normal(size=(6, 4)), rng.integers(0, 4, 6)
    one_hot = np.eye(4)[classes]
    expected = (np.exp(z) / np.exp(z).sum(axis=1, keepdims=True) - one_hot) / 6
    for target in (classes, one_hot):
        gradient = grad(lambda z, target=target: F.cross_entropy(z, target))(z)
        np.testing.assert_allclose(gradient, expected, rtol=1e-13, atol=1e-16)
