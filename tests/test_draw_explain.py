"""``explain``: the factors of the chain rule by name, products that multiply out, paths that add up."""

from __future__ import annotations

import re

import numpy as np
import pytest

import nn
import nn.functional as F
from autograd import Tensor
from autograd.draw.explain import explain


def scalar(value: float, name: str | None = None) -> Tensor:
    return Tensor(value, requires_grad=True, name=name)


def product(path) -> float:
    return float(np.prod([factor.value for factor in path.factors]))


def test_one_sigmoid_neuron():
    w, b = scalar(1.2, "w"), scalar(-0.8, "b")
    z = w * 0.5 + b
    prediction = F.sigmoid(z)
    loss = 0.5 * (0.0 - prediction) ** 2
    made = explain(loss, w, {"z": z, "ŷ": prediction})
    assert made.text.splitlines() == [
        "∂L/∂w = ∂L/∂ŷ · ∂ŷ/∂z · ∂z/∂w",
        "      = 0.4502 · 0.2475 · 0.5",
        "      = 0.05571",
        "",
        "where",
        "  ∂L/∂ŷ = 0.4502    (multiply, power, subtract)",
        "  ∂ŷ/∂z = ŷ · (1 − ŷ) = 0.4502 · (1 − 0.4502) = 0.2475    (sigmoid)",
        "  ∂z/∂w = 0.5    (add, multiply)",
    ]
    assert str(made) == repr(made) == made.text
    values = [factor.value.item() for factor in made.factors]
    assert values == pytest.approx([0.450, 0.248, 0.5], abs=5e-4)
    assert product(made.paths[0]) == pytest.approx(made.gradient.item(), rel=1e-15)
    loss.backward(retain_graph=True)
    assert made.gradient.item() == w.grad.item()
    assert explain(loss, b, {"z": z, "ŷ": prediction}).gradient.item() == b.grad.item()


def test_it_shows_as_mathematics():
    w = scalar(1.2, "w")
    made = explain((w * 0.5).tanh(), w, {})
    assert made._repr_latex_() == f"$${made.latex}$$"
    assert made.latex.startswith(
        r"\begin{aligned}\frac{\partial L}{\partial w} &= \frac{\partial L}{\partial z_{1}} \cdot "
        r"\frac{\partial z_{1}}{\partial w} \\ &= 0.7116 \cdot 0.5 \\ &= 0.3558"
    )
    assert made.latex.count("{") == made.latex.count("}")


def test_two_layers_factor_by_factor():
    x, y = 0.5, 1.0
    w1, b1, w2, b2 = scalar(0.8, "w1"), scalar(0.1), scalar(-1.1), scalar(0.4)
    z1 = w1 * x + b1
    a1 = F.sigmoid(z1)
    z2 = w2 * a1 + b2
    a2 = F.sigmoid(z2)
    loss = 0.5 * (y - a2) ** 2
    made = explain(loss, w1, {"z1": z1, "a1": a1, "z2": z2, "a2": a2})
    slope = lambda a: a.item() * (1 - a.item())
    expected = {
        "∂L/∂a2": a2.item() - y,
        "∂a2/∂z2": slope(a2),
        "∂z2/∂a1": w2.item(),
        "∂a1/∂z1": slope(a1),
        "∂z1/∂w1": x,
    }
    assert {f.symbol.text: f.value.item() for f in made.factors} == pytest.approx(expected, rel=1e-14)
    loss.backward()
    assert product(made.paths[0]) == pytest.approx(w1.grad.item(), rel=1e-14)


def test_a_hidden_layer_of_arrays():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=2), rng.normal(size=2)
    model = nn.Sequential(nn.Linear(2, 3), nn.Sigmoid(), nn.Linear(3, 2)).double()
    first, sigmoid, second = model
    z2 = first(Tensor(x))
    a2 = sigmoid(z2)
    a3 = second(a2)
    cost = 0.5 * ((a3 - y) ** 2).sum()
    made = explain(cost, first.weight, {"C": cost, "z2": z2, "a2": a2, "a3": a3, "W2": first.weight}, max_size=18)
    assert [f.symbol.text for f in made.factors] == ["∂C/∂a3", "∂a3/∂a2", "∂a2/∂z2", "∂z2/∂W2"]
    delta3, w3, slopes, inputs = (f.value for f in made.factors)
    np.testing.assert_allclose(delta3, a3.numpy() - y, rtol=1e-13)
    np.testing.assert_array_equal(w3, second.weight.numpy())
    np.testing.assert_allclose(slopes, np.diag(a2.numpy() * (1 - a2.numpy())), rtol=1e-13)
    np.testing.assert_array_equal(inputs, np.einsum("ij,k->ijk", np.eye(3), x))
    jacobians = np.einsum("a,ab,bc,cij->ij", delta3, w3, slopes, inputs)
    np.testing.assert_allclose(jacobians, made.gradient, rtol=1e-12)
    cost.backward()
    np.testing.assert_array_equal(made.gradient, first.weight.grad.numpy())
    np.testing.assert_array_equal(made.paths[0].contribution, first.weight.grad.numpy())
    assert "shapes (2,) · (2, 3) · (3, 3) · (3, 3, 2)" in made.text
    assert r"\begin{pmatrix}" in made.latex


def test_paths_add_up():
    w = scalar(1.2, "w")
    loss = w * w * w + np.sin(w)
    made = explain(loss, w)
    assert len(made.paths) == 3
    assert made.left_out == 0
    loss.backward()
    assert sum(product(path) for path in made.paths) == pytest.approx(w.grad.item(), rel=1e-14)
    assert "the sum over 3 paths" in made.text
    assert "∂L/∂w = 0.3624 + 2.88 + 1.44" in made.text


@pytest.mark.parametrize("shape", [(), (3,), (20, 30)])
def test_the_sum_is_the_engines_gradient(shape):
    rng = np.random.default_rng(1)
    w = Tensor(rng.uniform(0.5, 1, shape), requires_grad=True)
    h = np.tanh(w) * w
    loss = (h * np.exp(w) + h / (1 + w)).sum()
    made = explain(loss, w)
    loss.backward()
    np.testing.assert_allclose(sum(path.contribution for path in made.paths), w.grad.numpy(), rtol=1e-13)
    np.testing.assert_array_equal(made.gradient, w.grad.numpy())
    assert made.text
    assert made.latex


def test_left_out_paths_are_counted_and_summed():
    w = y = scalar(0.9, "w")
    for _ in range(40):
        y = y * y.tanh()
    made = explain(y, w, max_paths=3)
    assert made.left_out == 2**40 - 3
    assert made.rest + sum(path.contribution for path in made.paths) == pytest.approx(made.gradient, rel=1e-12)
    assert f"{2**40 - 3:,} more paths left out" in made.text
    assert r"\cdots" in made.latex


def test_a_long_chain():
    w = y = scalar(1.0, "w")
    for _ in range(3000):
        y = y * 1.0
    made = explain(y, w)
    assert len(made.paths[0].factors) == 3000
    assert "[2,990 more factors]" in made.text
    assert "and 2,990 more factors" in made.text.splitlines()[-1]
    assert len(made.text.splitlines()) < 20
    assert len(made.latex) < 2000
    assert len(made.text.splitlines()[0]) < 400


def test_every_step_between_named_ones():
    w = scalar(0.5, "w")
    z = w * 2.0
    loss = np.exp(np.sin(z))
    assert [f.symbol.text for f in explain(loss, w, {"z": z}).factors] == ["∂L/∂z", "∂z/∂w"]
    every = explain(loss, w, {"z": z}, every_step=True)
    assert [f.symbol.text for f in every.factors] == ["∂L/∂z₁", "∂z₁/∂z", "∂z/∂w"]
    assert [f.symbol.text for f in explain(loss, w, {"z": z}, every_step=False).factors] == ["∂L/∂z", "∂z/∂w"]


def test_generated_names_avoid_given_ones():
    z1, other = scalar(0.5, "z₁"), scalar(0.3, "w")
    made = explain(np.exp(np.sin(z1) * other), z1)
    names = {f.symbol.text for f in made.factors}
    assert len(names) == 3
    assert "∂z₂/∂z₁" in names


def test_a_loss_of_several_entries_takes_a_gradient():
    w = Tensor([1.0, 2.0], requires_grad=True, name="w")
    out = w * w
    with pytest.raises(RuntimeError, match=r"shape \(2,\) needs a gradient"):
        explain(out, w)
    with pytest.raises(ValueError, match=r"gradient of shape \(3,\)"):
        explain(out, w, gradient=np.ones(3))
    np.testing.assert_array_equal(explain(out, w, gradient=[1.0, 0.5]).gradient, [2.0, 2.0])


def test_complex_tensors_are_followed():
    w = Tensor(0.5 + 0.2j, requires_grad=True, name="w")
    loss = np.abs(np.exp(w)) ** 2
    made = explain(loss, w)
    loss.backward()
    assert made.gradient.item() == w.grad.item()
    assert made.text


def test_operations_of_several_outputs_lie_between():
    w = Tensor(np.arange(4.0), requires_grad=True, name="w")
    first, second = np.split(w, 2)
    made = explain((first * second).sum(), w)
    np.testing.assert_array_equal(made.gradient, [2, 3, 0, 1])
    np.testing.assert_array_equal(sum(path.contribution for path in made.paths), made.gradient)


def test_nothing_changes():
    w = scalar(1.2, "w")
    calls = []
    z = w * 2.0
    z.register_hook(lambda g: calls.append(g))
    loss = z.tanh()
    explain(loss, w)
    assert w.grad is None
    assert calls == []
    loss.backward()
    assert w.grad is not None
    assert len(calls) == 1


@pytest.mark.parametrize("name", ['a"<b>&', r"\frac{", "layers.0.weight", "x_1$%#^~", "\n\x00"])
def test_names_are_escaped(name):
    w = Tensor(1.0, requires_grad=True, name=name)
    made = explain(w * w, w)
    assert "\n\x00" not in made.text
    assert not re.search(r"(?<!\\)[$%#]", made.latex)


def test_what_cannot_be_explained():
    w, other = scalar(1.0, "w"), scalar(2.0)
    loss = w * 2.0
    with pytest.raises(ValueError, match="does not depend on wrt"):
        explain(loss, other)
    with pytest.raises(ValueError, match="the same tensor"):
        explain(loss, loss)
    with pytest.raises(ValueError, match="the loss does not require a gradient"):
        explain(Tensor(1.0), w)
    with pytest.raises(ValueError, match="set requires_grad=True"):
        explain(loss, Tensor(1.0))
    with pytest.raises(TypeError, match="two Tensors; got float"):
        explain(loss, 1.0)
    loss.backward()
    with pytest.raises(RuntimeError, match=r"released by a backward pass.*retain_graph=True"):
        explain(loss, w)


@pytest.mark.parametrize(
    ("switch", "value"),
    [("max_paths", 0), ("max_paths", 2.0), ("max_size", -1), ("max_size", "a"), ("every_step", "yes")],
)
def test_switches_have_no_other_values(switch, value):
    w = scalar(1.0, "w")
    with pytest.raises(ValueError, match=f"{switch} is "):
        explain(w * 2.0, w, **{switch: value})


def test_names_are_a_mapping():
    w = scalar(1.0, "w")
    for wrong in (3, [w], "w"):
        with pytest.raises(TypeError, match="names maps labels to tensors, arrays or modules"):
            explain(w * 2.0, w, wrong)
