"""The backward pass played without touching the graph: the engine's numbers, and nothing changed."""

from __future__ import annotations

import numpy as np
import pytest

import nn
from autograd import Tensor
from autograd.draw.replay import replay
from autograd.graph import Leaf


def played(out: Tensor) -> dict[Leaf, np.ndarray]:
    seed = np.ones(out.shape, out.dtype)
    return {step.node: step.cotangent for step in replay([(out._node, seed)]) if isinstance(step.node, Leaf)}


def lstm() -> tuple[Tensor, list[Tensor]]:
    model = nn.LSTM(3, 4, num_layers=2)
    out, _ = model(Tensor(np.random.default_rng(0).normal(size=(5, 2, 3)).astype(np.float32)))
    return (out * out).sum(), list(model.parameters())


def encoder() -> tuple[Tensor, list[Tensor]]:
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1), 2)
    return model(Tensor(np.ones((3, 2, 8), np.float32))).std(), list(model.parameters())


def convolutions() -> tuple[Tensor, list[Tensor]]:
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 3)
    )
    images = np.random.default_rng(0).normal(size=(4, 1, 6, 6)).astype(np.float32)
    return nn.functional.cross_entropy(model(Tensor(images)), np.array([0, 1, 2, 0])), list(model.parameters())


def splits() -> tuple[Tensor, list[Tensor]]:
    x = Tensor(np.arange(6.0), requires_grad=True)
    first, second = np.split(x * 2.0, 2)
    return (first * second + first + np.concatenate([second, first])[:3]).sum(), [x]


@pytest.mark.parametrize("made", [lstm, encoder, convolutions, splits])
def test_gradients_are_the_engines(made):
    loss, parameters = made()
    arrived = played(loss)
    again = played(loss)
    loss.backward()
    for parameter in parameters:
        np.testing.assert_array_equal(arrived[parameter._node], again[parameter._node])
        np.testing.assert_allclose(arrived[parameter._node], parameter.grad.numpy(), rtol=1e-5, atol=1e-7)


def test_every_step_once_and_after_all_that_it_needs():
    loss, _ = splits()
    steps = list(replay([(loss._node, np.ones(()))]))
    order = {step.node: i for i, step in enumerate(steps)}
    assert len(order) == len(steps)
    for step in steps:
        assert all(order[parent] > order[step.node] for parent in step.node.parents if parent is not None)


def test_terms_add_up_to_what_arrives():
    x = Tensor(3.0, requires_grad=True)
    *_, last = replay([((x * x + 5.0 * x)._node, np.ones(()))])
    terms = [t for s in replay([((x * x + 5.0 * x)._node, np.ones(()))]) for t in s.terms if t.parent is x._node]
    assert sum(t.value for t in terms) == terms[-1].total == last.cotangent == 11.0
    assert np.cumsum([t.value for t in terms]).tolist() == [t.total for t in terms]


def test_hooks_do_not_run_and_grad_stays():
    x = Tensor(2.0, requires_grad=True)
    y = x * 3.0
    calls = []
    y.register_hook(lambda g: calls.append(g) or g * 100)
    x.register_hook(calls.append)
    y.retain_grad()
    assert played(np.exp(y))[x._node] == pytest.approx(3 * np.exp(6))
    assert calls == []
    assert x.grad is None
    assert y.grad is None


def test_stops_and_bounds():
    x = Tensor(2.0, requires_grad=True)
    y = x * 3.0
    z = np.exp(y) + x
    visited = [step.node for step in replay([(z._node, np.ones(()))], stops=(y._node,))]
    assert visited[-1] is x._node
    assert not any(step.terms for step in replay([(z._node, np.ones(()))], stops=(y._node,)) if step.node is y._node)
    within = [step.node for step in replay([(z._node, np.ones(()))], within={y._node})]
    assert x._node not in within


def test_a_released_graph_is_refused():
    x = Tensor(2.0, requires_grad=True)
    y = np.exp(x) * x
    y.backward()
    with pytest.raises(RuntimeError, match=r"'multiply' had saved was released.*retain_graph=True"):
        played(y)


def test_arrays_changed_in_place_are_refused():
    x = Tensor(np.ones(2), requires_grad=True)
    scale = Tensor(np.ones(2))
    y = (x * scale).sum()
    scale += 1.0
    with pytest.raises(RuntimeError, match="changed it in place"):
        played(y)


def test_a_deep_graph_needs_no_stack():
    y = x = Tensor(1.0, requires_grad=True)
    for _ in range(20_000):
        y = y + 1.0
    assert played(y)[x._node] == 1.0
