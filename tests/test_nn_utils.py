"""Clipping gradients, and parameters as one vector."""

from __future__ import annotations

import numpy as np
import pytest

import nn
from autograd import Tensor, grad
from nn import utils


def parameters(gradients: list[np.ndarray]) -> list[Tensor]:
    made = [Tensor(np.ones_like(g), requires_grad=True) for g in gradients]
    for p, g in zip(made, gradients, strict=True):
        p.grad = g.copy()
    return made


GRADIENTS = [np.array([3.0, -4.0]), np.array(12.0), np.zeros((0, 2))]


@pytest.mark.parametrize("norm_type", [0.5, 1, 2, 3.5, np.inf])
@pytest.mark.parametrize("max_norm", [0.0, 1.0, 100.0])
def test_clipping_by_norm(norm_type, max_norm):
    flat = np.concatenate([g.ravel() for g in GRADIENTS])
    expected = np.abs(flat).max() if norm_type == np.inf else np.sum(np.abs(flat) ** norm_type) ** (1 / norm_type)
    ps = [*parameters(GRADIENTS), Tensor(1.0, requires_grad=True)]
    arrays = [p.grad.numpy() for p in ps[:3]]
    total = utils.clip_grad_norm_(iter(ps), max_norm, norm_type)
    assert total == pytest.approx(expected, rel=1e-14)
    factor = min(1.0, max_norm / (expected + 1e-6))
    for p, g, array in zip(ps, GRADIENTS, arrays, strict=False):
        assert p.grad.numpy() is array
        np.testing.assert_allclose(array, g * factor, rtol=1e-14)
    assert ps[3].grad is None


@pytest.mark.parametrize(("dtype", "value"), [(np.float32, 1e30), (np.float32, 1e-30), (np.float16, 6e4)])
def test_norms_do_not_overflow_on_the_way(dtype, value):
    total = utils.get_total_norm([Tensor(np.full(4, value, dtype))])
    assert total == pytest.approx(2 * value, rel=1e-3)
    assert total.dtype == np.float32


def test_norms_of_complex_and_no_gradients():
    assert utils.get_total_norm([np.array([3 + 4j, 0])]) == 5.0
    assert utils.get_total_norm([]) == 0.0
    assert utils.clip_grad_norm_([Tensor(1.0, requires_grad=True)], 1.0) == 0.0


def test_a_shared_gradient_is_scaled_once():
    p, q = parameters([np.array([2.0]), np.array([2.0])])
    q.grad = p.grad
    utils.clip_grad_norm_([p, q], 1.0)
    assert p.grad.item() == pytest.approx(1.0, rel=1e-5)


def test_non_finite_norms_are_named():
    ps = parameters([np.array([1.0, np.nan])])
    with pytest.raises(RuntimeError, match="norm of the gradients is nan"):
        utils.clip_grad_norm_(ps, 1.0, error_if_nonfinite=True)
    assert ps[0].grad.tolist()[0] == 1.0


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("clip", [utils.clip_grad_norm_, utils.clip_grad_value_])
def test_the_gradient_of_a_single_number_is_clipped(clip, create_graph):
    w = Tensor(np.array(3.0), requires_grad=True)
    for _ in range(2):  # the first gradient, and a sum of two
        (w * w).backward(create_graph=create_graph)
        clip(w, 0.5)
        assert w.grad.item() == pytest.approx(0.5, abs=1e-6)
    w.grad = np.float64(2.0)
    clip(w, 0.5)
    assert w.grad.item() == pytest.approx(0.5, abs=1e-6)


def test_clipping_by_value():
    ps = parameters(GRADIENTS)
    utils.clip_grad_value_(ps, 3.5)
    assert [p.grad.tolist() for p in ps[:2]] == [[3.0, -3.5], 3.5]
    utils.clip_grad_value_(ps[1], 1.0)
    assert ps[1].grad.item() == 1.0


def test_bad_arguments_change_nothing():
    ps = parameters(GRADIENTS)
    for call, message in (
        (lambda: utils.clip_grad_norm_(ps, -1.0), "max_norm"),
        (lambda: utils.clip_grad_norm_(ps, np.nan), "max_norm"),
        (lambda: utils.clip_grad_norm_(ps, 1.0, 0), "norm_type"),
        (lambda: utils.clip_grad_value_(ps, -1.0), "clip_value"),
        (lambda: utils.parameters_to_vector([]), "no parameters"),
        (lambda: utils.vector_to_parameters(np.ones(2), ps), "3 entries"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    mixed = [*ps, *parameters([np.array([1j])])]
    with pytest.raises(TypeError, match="complex"):
        utils.clip_grad_value_(mixed, 1.0)
    assert [p.grad.tolist() for p in ps] == [g.tolist() for g in GRADIENTS]


def test_parameters_as_one_vector():
    ps = parameters(GRADIENTS)
    vector = utils.parameters_to_vector(ps)
    (vector * np.array([1.0, 2.0, 3.0])).sum().backward()
    assert ps[0].grad.tolist() == [3.0 + 1, -4.0 + 2]
    kept = ps[0].numpy()
    utils.vector_to_parameters(np.arange(3.0), ps)
    assert kept.tolist() == [0.0, 1.0]
    assert ps[1].item() == 2.0
    assert utils.parameters_to_vector(ps).tolist() == [0.0, 1.0, 2.0]


def test_the_vector_is_differentiable():
    gradient = grad(lambda w, b: (utils.parameters_to_vector([w, b]) ** 2).sum(), argnum=(0, 1))
    gw, gb = gradient(np.ones((2, 2)), np.array([3.0]))
    assert gw.tolist() == [[2.0, 2.0], [2.0, 2.0]]
    assert gb.tolist() == [6.0]


def test_a_module_as_a_function_of_its_parameters():
    model = nn.Sequential(nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 1)).double()
    x = np.random.default_rng(0).normal(size=(4, 3))
    names, values = zip(*((name, p.numpy().copy()) for name, p in model.named_parameters()), strict=True)
    loss = grad(lambda *ps: utils.functional_call(model, dict(zip(names, ps, strict=True)), (x,)).sum(), (0, 1, 2, 3))
    model(Tensor(x)).sum().backward()
    for gradient, p in zip(loss(*values), model.parameters(), strict=True):
        np.testing.assert_allclose(gradient, p.grad.numpy(), rtol=1e-14)
    before = dict(model.named_parameters())
    with pytest.raises(AttributeError, match=r"'2\.weights' is no parameter"):
        utils.functional_call(model, {"0.weight": np.zeros((2, 3)), "2.weights": 1.0}, x)
    assert dict(model.named_parameters()) == before


@pytest.mark.parametrize("clip", [utils.clip_grad_norm_, utils.clip_grad_value_])
def test_gradients_in_read_only_memory_are_refused_before_any_is_clipped(clip):
    p, q = (Tensor(np.ones(2), requires_grad=True) for _ in range(2))
    p.grad, q.grad = np.ones(2), np.broadcast_to(1.0, (2,))
    with pytest.raises(ValueError, match="read-only memory"):
        clip([p, q], 0.1)
    assert p.grad.tolist() == [1, 1]
