"""Normalisation: the equations written out, running moments, extremes and refusals."""

from __future__ import annotations

import numpy as np
import pytest

import nn
import nn.functional as F
from autograd import Tensor

RNG = np.random.default_rng(0)


def test_batch_normalisation_and_its_gradients_written_out():
    x, g = RNG.normal(size=(6, 3)), RNG.normal(size=(6, 3))
    layer = nn.BatchNorm1d(3).double()
    gamma, beta = RNG.normal(size=3), RNG.normal(size=3)
    layer.weight.data[...], layer.bias.data[...] = gamma, beta
    leaf = Tensor(x, requires_grad=True)
    out = layer(leaf)
    out.backward(g)

    mu, var = x.mean(axis=0), x.var(axis=0)
    hat = (x - mu) / np.sqrt(var + 1e-5)
    h = g * gamma
    to_x = (h - h.mean(axis=0) - hat * (h * hat).mean(axis=0)) / np.sqrt(var + 1e-5)
    np.testing.assert_allclose(out.numpy(), gamma * hat + beta, rtol=1e-12)
    np.testing.assert_allclose(leaf.grad, to_x, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(layer.weight.grad, (g * hat).sum(axis=0), rtol=1e-12)
    np.testing.assert_allclose(layer.bias.grad, g.sum(axis=0), rtol=1e-12)
    np.testing.assert_allclose(layer.running_mean.numpy(), 0.1 * mu, rtol=1e-12)
    np.testing.assert_allclose(layer.running_var.numpy(), 0.9 + 0.1 * x.var(axis=0, ddof=1), rtol=1e-12)
    assert layer.num_batches_tracked.item() == 1


def test_evaluation_uses_the_running_moments_and_leaves_them():
    layer = nn.BatchNorm1d(2).double()
    layer.running_mean.data[...], layer.running_var.data[...] = [1.0, 2.0], [4.0, 9.0]
    before = {name: value.numpy().copy() for name, value in layer.state_dict().items()}
    layer.eval()
    out = layer(np.array([[3.0, 5.0]]))
    np.testing.assert_allclose(out.numpy(), [[2 / np.sqrt(4 + 1e-5), 3 / np.sqrt(9 + 1e-5)]], rtol=1e-14)
    for name, value in layer.state_dict().items():
        assert np.array_equal(value.numpy(), before[name])


def test_without_momentum_the_running_mean_is_that_of_all_batches():
    layer = nn.BatchNorm1d(2, momentum=None).double()
    batches = RNG.normal(size=(3, 5, 2))
    for batch in batches:
        layer(batch)
    np.testing.assert_allclose(layer.running_mean.numpy(), batches.mean(axis=(0, 1)), rtol=1e-12)


@pytest.mark.parametrize("layer", [nn.LayerNorm(8), nn.GroupNorm(2, 8), nn.RMSNorm(8)])
def test_samples_do_not_see_each_other(layer):
    x = RNG.normal(size=(4, 8)).astype(np.float32)
    together = layer(x).numpy()
    alone = np.concatenate([layer(x[i : i + 1]).numpy() for i in range(4)])
    np.testing.assert_allclose(together, alone, rtol=1e-6)
    assert together.dtype == np.float32


def test_layer_normalisation_written_out():
    x = RNG.normal(size=(2, 3, 4))
    hat = (x - x.mean(axis=(1, 2), keepdims=True)) / np.sqrt(x.var(axis=(1, 2), keepdims=True) + 1e-5)
    np.testing.assert_allclose(F.layer_norm(x, (3, 4)), hat, rtol=1e-12)


def test_half_precision_does_its_sums_in_single():
    x = (RNG.normal(size=(2, 5000)) * 100).astype(np.float16)  # squares pass the largest float16
    for function in (lambda v: F.layer_norm(v, 5000), lambda v: F.rms_norm(v, 5000)):
        leaf = Tensor(x, requires_grad=True)
        out = function(leaf)
        out.sum().backward()
        exact = function(x.astype(np.float64))
        assert out.dtype == leaf.grad.dtype == np.float16
        np.testing.assert_allclose(out.numpy(), exact, rtol=2e-3, atol=2e-3)


def test_a_large_offset_does_not_spoil_the_variance():
    x = RNG.normal(size=(64, 1)).astype(np.float32) + np.float32(4096)
    out = F.batch_norm(x, None, None, training=True)
    np.testing.assert_allclose(out.std(), 1, rtol=1e-3)


def test_empty_batches_pass():
    layer = nn.BatchNorm1d(3)
    assert layer(np.zeros((0, 3), np.float32)).shape == (0, 3)
    assert layer.running_mean.tolist() == [0, 0, 0]
    assert nn.LayerNorm(3)(np.zeros((0, 3), np.float32)).shape == (0, 3)
    assert nn.GroupNorm(1, 3)(np.zeros((0, 3, 2), np.float32)).shape == (0, 3, 2)


def test_constant_inputs_give_the_bias():
    out = nn.LayerNorm(4)(np.full((2, 4), 7.0, np.float32))
    assert np.array_equal(out.numpy(), np.zeros((2, 4)))


def test_graphs_of_two_batches_stand_side_by_side():
    layer = nn.BatchNorm1d(2).double()
    first = layer(Tensor(RNG.normal(size=(4, 2)), requires_grad=True))
    second = layer(Tensor(RNG.normal(size=(4, 2)), requires_grad=True))
    (first.sum() + second.sum()).backward()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.BatchNorm1d(3)(np.zeros((1, 3), np.float32)), ValueError, r"one value per channel.*model\.eval"),
        (
            lambda: nn.BatchNorm1d(3)(np.zeros((2, 4), np.float32)),
            ValueError,
            r"\(N, 3, …\); got \(2, 4",
        ),
        (lambda: nn.BatchNorm2d(3)(np.zeros((2, 3), np.float32)), ValueError, r"4 axes; got shape \(2, 3\)"),
        (lambda: nn.BatchNorm1d(3)(np.zeros((2, 3), int)), TypeError, "int64"),
        (lambda: nn.InstanceNorm1d(3)(np.zeros((2, 3, 1), np.float32)), ValueError, "one value per channel"),
        (lambda: nn.GroupNorm(2, 3), ValueError, "2 groups do not divide 3"),
        (lambda: F.group_norm(np.zeros((2, 3)), 2), ValueError, "2 groups divide"),
        (lambda: F.group_norm(np.zeros((2, 2)), 2), ValueError, "one value per group"),
        (lambda: F.layer_norm(np.zeros((2, 3)), 4), ValueError, r"over \(4,\).*got \(2, 3\)"),
        (lambda: F.layer_norm(np.zeros((2, 3)), 3, np.ones(2)), ValueError, r"weight of shape \(3,\); got \(2,\)"),
        (lambda: F.batch_norm(np.zeros((2, 3)), None, None), ValueError, "running_mean"),
        (lambda: F.local_response_norm(np.zeros((2, 3)), 3), ValueError, r"\(N, C, L, …\)"),
        (lambda: F.local_response_norm(np.zeros((2, 3, 4)), 0), ValueError, "1 or more"),
        (lambda: F.normalize(np.zeros((2, 3)), p=0), ValueError, "p above 0"),
    ],
)
def test_bad_input_is_explained(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_vectors_of_length_one():
    x = np.array([[3.0, 4.0], [0.0, 0.0]])
    leaf = Tensor(x, requires_grad=True)
    out = F.normalize(leaf)
    assert out.tolist() == [[0.6, 0.8], [0.0, 0.0]]
    out[0, 0].backward()
    assert np.isfinite(leaf.grad.numpy()).all()
