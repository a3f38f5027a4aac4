"""Hooks around a module's forward and backward pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
from autograd import Tensor, grad
from autograd.graph import Scope


def small() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()


X = np.random.default_rng(0).normal(size=(5, 3))


def test_forward_hooks_see_and_replace():
    layer, seen = nn.Linear(3, 2).double(), []
    plain = layer(X).numpy()
    layer.register_forward_pre_hook(lambda module, args: seen.append((module, args)))
    layer.register_forward_pre_hook(lambda module, args: args[0] * 2)
    layer.register_forward_hook(lambda module, args, output: seen.append((module, args[0] is X, output.shape)))
    layer.register_forward_hook(lambda module, args, output: output - layer.bias)
    out = layer(X)
    assert seen == [(layer, (X,)), (layer, False, (5, 2))]
    np.testing.assert_allclose(out.numpy(), 2 * (plain - layer.bias.numpy()), rtol=1e-12)


def test_hooks_with_keywords():
    class Scaled(nn.Module):
        def forward(self, x: Any, scale: float = 1.0) -> Any:
            return x * scale

    module, seen = Scaled(), []
    module.register_forward_pre_hook(lambda m, args, kwargs: (args, {"scale": kwargs["scale"] + 1}), with_kwargs=True)
    module.register_forward_hook(lambda m, args, kwargs, output: seen.append(kwargs), with_kwargs=True)
    assert module(2.0, scale=3.0) == 8.0
    assert seen == [{"scale": 4.0}]
    module.register_forward_pre_hook(lambda m, args, kwargs: args, with_kwargs=True)
    with pytest.raises(TypeError, match="pair"):
        module(2.0, scale=3.0)


def test_order_prepending_and_removal():
    layer, calls = nn.Identity(), []
    first = layer.register_forward_hook(lambda *a: calls.append(1))
    layer.register_forward_hook(lambda *a: calls.append(2))
    with layer.register_forward_hook(lambda *a: calls.append(0), prepend=True):
        layer(X)
    first.remove()
    first.remove()
    layer(X)
    assert calls == [0, 1, 2, 2]


def test_backward_hooks_get_the_gradients_of_inputs_and_outputs():
    model, seen = small(), {}
    for name, module in model.named_children():
        module.register_full_backward_hook(lambda m, gi, go, name=name: seen.update({name: (gi, go)}))
    model(Tensor(X)).sum().backward()
    with_hooks = [p.grad.numpy() for p in model.parameters()]
    w0, b0, w2, _ = (p.numpy() for p in model.parameters())
    hidden = np.tanh(X @ w0.T + b0)
    ones = np.ones((5, 2))
    assert list(seen) == ["2", "1", "0"]
    assert seen["0"][0] == (None,)
    np.testing.assert_array_equal(seen["2"][1][0].numpy(), ones)
    np.testing.assert_allclose(seen["2"][0][0].numpy(), ones @ w2, rtol=1e-14)
    np.testing.assert_allclose(seen["0"][1][0].numpy(), ones @ w2 * (1 - hidden**2), rtol=1e-13)
    plain = small()
    plain.load_state_dict(model.state_dict())
    plain(Tensor(X)).sum().backward()
    for p, g in zip(plain.parameters(), with_hooks, strict=True):
        np.testing.assert_array_equal(p.grad.numpy(), g)


def test_backward_hooks_replace_gradients():
    layer = nn.Linear(3, 2).double()
    layer.register_full_backward_pre_hook(lambda module, grad_output: (grad_output[0] * 0 + 1,))
    layer.register_full_backward_hook(lambda module, grad_input, grad_output: (grad_input[0] * 10,))
    x = Tensor(X, requires_grad=True)
    (7 * layer(x)).sum().backward()
    np.testing.assert_allclose(x.grad, 10 * np.ones((5, 2)) @ layer.weight.numpy(), rtol=1e-14)
    np.testing.assert_allclose(layer.weight.grad, np.ones((2, 5)) @ X, rtol=1e-14)


def test_backward_hooks_on_several_inputs_and_nested_outputs():
    class Two(nn.Module):
        def forward(self, a: Any, b: Any, factor: float) -> Any:
            return {"sum": a + b, "products": (a * b, factor)}

    module, seen = Two(), []
    module.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go)))
    a, b = Tensor(2.0, requires_grad=True), Tensor(3.0)
    out = module(a, b, 4.0)
    assert out["products"][1] == 4.0
    out["products"][0].backward()
    ((grad_input, grad_output),) = seen
    assert [g if g is None else g.item() for g in grad_input] == [3.0, None, None]
    assert [g.item() for g in grad_output] == [0.0, 1.0]


def test_second_derivatives_pass_through_hooks():
    def second(hooked: bool) -> Any:
        module = nn.Tanh()
        if hooked:
            module.register_full_backward_hook(lambda *a: None)
        return grad(lambda x: grad(lambda y: module(y))(x))(0.3)

    assert second(True) == pytest.approx(second(False), rel=1e-14)


def test_wrong_numbers_of_gradients_are_refused():
    layer = nn.Linear(3, 2).double()
    layer.register_full_backward_hook(lambda *a: (None, None))
    with pytest.raises(ValueError, match="returned 2 gradients for a grad_input of 1"):
        layer(Tensor(X, requires_grad=True)).sum().backward()


def test_a_module_that_is_not_called_by_itself_calls_no_hook():
    layer = nn.Linear(3, 2).double()
    layer.register_forward_hook(lambda *a: pytest.fail("called"))
    layer.forward(X)


def test_a_graph_knows_the_calls_of_modules_that_recorded_it():
    model = small()
    hidden = model[1](model[0](X))
    out = model[2](hidden)
    whole = model(X)
    for module, y in ((model[1], hidden), (model[2], out)):
        (scope,) = Scope.of(y._node)
        assert scope.owner is module
        assert scope.ended < y._node.order < scope.began
    outer, inner = Scope.of(whole._node)
    assert [outer.owner, inner.owner] == [model, model[2]]
    assert outer.ended < inner.ended < whole._node.order < inner.began < outer.began
    assert not list(Scope.of(nn.Identity()(whole * 1)._node))  # the caller recorded it, not the module
    states = nn.LSTM(3, 4).double()(X[None])
    assert len({scope.began for y in (states[0], *states[1]) for scope in Scope.of(y._node)}) == 1
