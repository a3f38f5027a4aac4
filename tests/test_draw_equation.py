"""Equations made from derivative rules: every primitive has one, and it says what the rule computes."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator
from typing import Any
from xml.dom.minidom import parseString

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

import autograd
import nn
from autograd import Function, Tensor, elementwise, registry
from autograd.cases import CASES as OF_AUTOGRAD
from autograd.cases import Case
from autograd.draw.algebra import evaluate
from autograd.draw.equation import Equation, equation
from autograd.draw.replay import replay
from autograd.elementwise import Elementwise
from autograd.graph import Node, unbroadcast
from nn.cases import CASES as OF_NN

CASES = {**OF_AUTOGRAD, **OF_NN}

BUILT_IN = sorted(registry)
LONG = {  # rules of many lines, which are named instead
    "glu", "swiglu", "attention", "ctc_step", "standardize", "rnn", "lstm", "gru", "split_heads",
}  # fmt: skip


def equations(out: Any, of: str | None = None) -> Iterator[tuple[Node, Equation]]:
    """The equations of the operations behind ``out``, with the numbers of a pass with cotangents 0.7."""
    listed = out if isinstance(out, (tuple, list)) else [out]
    seeds = [(o._node, np.full(o.shape, 0.7, o.dtype)) for o in listed if isinstance(o, Tensor) and o._node is not None]
    for step in replay(seeds):
        if step.node.parents and (of is None or step.node.primitive.name == of):
            for term in step.terms:
                yield step.node, equation(step.node, term.position, step.cotangent, term.value)


def cases(name: str, count: int) -> list[Case]:
    found: list[Case] = []

    @settings(
        max_examples=count,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        deadline=None,
    )
    @seed(0)
    @given(CASES[name])
    def collect(case: Case) -> None:
        found.append(case)

    collect()
    return found


def recorded(name: str, count: int = 12) -> Iterator[tuple[Node, Equation]]:
    for case in cases(name, count):
        inputs = [Tensor(x, requires_grad=True) for x in case.inputs]
        with np.errstate(all="ignore"):
            out = case.function(*inputs)
        yield from equations(out, name)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def evaluated(made: Equation) -> Any:
    with np.errstate(all="ignore"):
        return evaluate(made.formula, made.values)


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_primitive_has_an_equation(name):
    made = [e for _, e in recorded(name)]
    if name == "input":  # recorded inside module hooks alone
        made = [e for _, e in equations(registry[name](Tensor(1.0, requires_grad=True)))]
    assert made
    for each in made:
        assert each.text.startswith("∂L/∂")
        assert "∂L/∂" in each.text.partition(" = ")[2] or each.right("text") == "0"
        parseString(f"<math>{each.mathml}{each.numbers('mathml')}</math>")
        assert each.latex.count("{") == each.latex.count("}")
    assert any(each.formula is not None for each in made) == (name not in LONG)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_nearly_all_read_without_helpers_of_ours():
    full = {name for name in BUILT_IN if name != "input" and any(e.reads_in_full for _, e in recorded(name, 6))}
    assert len(full) >= 0.85 * len(BUILT_IN)


ENTRYWISE = [name for name in BUILT_IN if isinstance(registry[name].primitive, Elementwise)]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", ENTRYWISE)
def test_an_entrywise_equation_is_what_the_engine_computes(name):
    seen = 0
    for node, made in recorded(name, 25):
        position = _position(node, made)
        inner = made.formula
        if isinstance(inner, ast.Call) and inner.func.id == "sum":
            made.formula = inner.args[0]
        value = np.broadcast_to(evaluated(made), node.shape)
        np.testing.assert_allclose(unbroadcast(value, node.parents[position].shape), made.term, rtol=1e-12)
        seen += made.term.size
    assert seen


def _position(node: Node, made: Equation) -> int:
    return [node.primitive.names[i] for i in node.primitive.slots].index(made.argument)


# ---------------------------------------------------------------------- numbers

WORDS = {name: getattr(np, name) for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh", "exp")}
WORDS |= {"ln": np.log, "sqrt": np.sqrt, "σ": lambda x: 1 / (1 + np.exp(-x)), "pi": math.pi, "ln2": math.log(2)}


def computed(text: str) -> float:
    """What a printed formula of numbers comes to."""
    powers = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
    text = re.sub(r"·10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)", lambda m: f"e{m[1].translate(powers)}", text)
    text = re.sub(r"([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)", lambda m: f"**({m[1].translate(powers)})", text)
    text = re.sub(r"\|([^|]*)\|", r"abs(\1)", text)
    for old, new in (
        ("−", "-"),
        ("·", "*"),
        ("^", "**"),
        ("√", "sqrt"),
        ("π", "pi"),
        ("ln 2", "ln2"),
        ("ln 10", "ln(10)"),
    ):
        text = text.replace(old, new)
    return float(eval(re.sub(r"sqrt(\d)", r"sqrt(\1)", text), {"abs": abs, **WORDS}))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", ENTRYWISE)
def test_printed_numbers_multiply_out(name):
    primitive = registry[name].primitive
    point = {"x": 0.4, "y": 0.3, "z": 0.2, "a": 0.4, "a_min": -1.0, "a_max": 1.0, "target": 0.25, "gamma": 2.0}
    special = {"arccosh": {"x": 1.7}, "ldexp": {"y": 2}, "remainder": {"x": 2.0}, "fmod": {"x": 2.0}}
    values = [
        {**point, **special.get(name, {})}.get(n, 0.6 if i in primitive.slots else primitive.defaults[i])
        for i, n in enumerate(primitive.names)
    ]
    values = [v if isinstance(v, (int, float, bool, str)) or v is None else 0.5 for v in values]
    arguments = [Tensor(v, requires_grad=True) if i in primitive.slots else v for i, v in enumerate(values)]
    found = list(equations(primitive(*arguments)))
    if not found:  # an integer result
        pytest.skip("records nothing at a scalar")
    for _, made in found:
        printed = made.numbers(digits=17).rpartition(" = ")
        assert made.numbers()
        assert computed(printed[2]) == pytest.approx(made.term.item(), rel=1e-15)
        if printed[0]:
            assert computed(printed[0]) == pytest.approx(made.term.item(), rel=1e-12)


def rule(out: Tensor, position: int = 0, **options: Any) -> Equation:
    g = np.full(out.shape, 0.45, out.dtype)
    terms = next(iter(replay([(out._node, g)]))).terms
    term = next(t for t in terms if t.position == position)
    return equation(out._node, position, g, term.value, **options)


def scalar(value: Any = 0.5, **options: Any) -> Tensor:
    return Tensor(value, requires_grad=True, **options)


def test_the_rule_of_tanh():
    made = rule(np.tanh(scalar()))
    assert str(made) == "∂L/∂x = ∂L/∂y · (1 − y²)"
    assert made.numbers() == "0.45 · (1 − 0.4621²) = 0.3539"
    assert made.latex == (r"\frac{\partial L}{\partial x} = \frac{\partial L}{\partial y} \cdot \left(1 - y^{2}\right)")
    assert made.mathml.startswith(
        "<mfrac><mrow><mo>∂</mo><mi>L</mi></mrow><mrow><mo>∂</mo><mi>x</mi></mrow></mfrac><mo>="
    )


@pytest.mark.parametrize(
    ("out", "position", "text"),
    [
        (lambda: scalar() * scalar(), 0, "∂L/∂x = ∂L/∂z · y"),
        (lambda: scalar() / scalar(), 1, "∂L/∂y = −∂L/∂z · z / y"),
        (lambda: scalar() ** 2, 0, "∂L/∂x = ∂L/∂z · 2 · x"),
        (lambda: scalar() ** 3, 0, "∂L/∂x = ∂L/∂z · y · x^(y − 1)"),
        (lambda: scalar().sigmoid(), 0, "∂L/∂x = ∂L/∂y · y · (1 − y)"),
        (lambda: np.maximum(scalar(), scalar()), 0, "∂L/∂x = ∂L/∂z · {0.5 if x = y, else [z = x]}"),
        (lambda: nn.functional.relu(scalar()), 0, "∂L/∂x = ∂L/∂y · [y > 0]"),
        (lambda: scalar(np.ones((2, 3))).reshape(3, 2), 0, "∂L/∂a = reshape(∂L/∂y, (2, 3))"),
        (lambda: scalar(np.ones((2, 3))) @ scalar(np.ones((3, 2))), 0, "∂L/∂x = ∂L/∂z @ yᵀ"),
        (lambda: scalar(np.ones((2, 3))) @ scalar(np.ones((3, 2))), 1, "∂L/∂y = xᵀ @ ∂L/∂z"),
        (lambda: scalar(np.ones((2, 3))) * scalar(np.ones((2, 3))), 0, "∂L/∂x = ∂L/∂z ⊙ y"),
        (lambda: scalar(np.ones((2, 3))) + scalar(np.ones(3)), 1, "∂L/∂y = sum(∂L/∂z)"),
        (lambda: nn.functional.softmax(scalar(np.ones(3)), 0), 0, "∂L/∂input = ∂L/∂y ⊙ y − y ⊙ sum(∂L/∂y ⊙ y, axis=0)"),
    ],
)
def test_rules_as_they_read(out, position, text):
    assert rule(out(), position).text == text


def test_numbers_of_a_power_keep_its_exponent():
    made = rule(scalar(1.5) ** 3)
    assert made.numbers() == "0.45 · 3 · 1.5² = 3.038"


def test_complex_rules_conjugate():
    made = rule(np.tanh(scalar(0.5 + 0.2j)))
    assert made.text == "∂L/∂x = ∂L/∂y · conj(1 − y²)"
    assert evaluated(made) == pytest.approx(made.term.item())


def test_labels_take_the_place_of_names():
    w, x = scalar(1.2), scalar(0.5)
    assert rule(w * x, 0, labels={"x": "w", "y": "x", "out": "z"}).text == "∂L/∂w = ∂L/∂z · x"
    clash = rule(w * x, 0, labels={"y": "x"})  # the unlabelled argument is called x itself
    assert clash.text == "∂L/∂x = ∂L/∂z · y"
    hostile = rule(w * x, 0, labels={"x": '<b>"&</script>', "y": "x_1$%", "out": "z"})
    parseString(f"<math>{hostile.mathml}</math>")
    assert "<b>" not in hostile.mathml
    assert r"x\_1\$\%" in hostile.latex


@pytest.mark.usefixtures("own_primitives")
def test_an_operation_of_ones_own():
    cube = elementwise(lambda u: u**3, lambda u: 3 * u * u, name="cube_of_this_test")
    made = rule(cube(scalar(2.0)))
    assert made.text == "∂L/∂u = ∂L/∂y · 3 · u²"
    assert made.numbers() == "0.45 · 3 · 2² = 5.4"


@pytest.mark.usefixtures("own_primitives")
def test_a_rule_whose_source_is_not_there():
    namespace: dict[str, Any] = {}
    exec("rule = lambda x: 2 * x", namespace)
    made = elementwise(lambda x: x * x, namespace["rule"], name="typed_of_this_test")
    shown = rule(made(scalar(2.0)))
    assert shown.text == "∂L/∂x = typed_of_this_test_vjp(∂L/∂y, x)"
    assert shown.numbers() == ""


def test_a_function_with_a_backward_of_its_own():
    class Twice(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    assert rule(Twice.apply(scalar())).text == "∂L/∂x = Twice_vjp(∂L/∂y)"


def test_a_released_rule_still_reads():
    out = scalar() * scalar()
    out.backward()
    assert equation(out._node, 0).text == "∂L/∂x = ∂L/∂z · y"
    assert equation(out._node, 0).numbers() == ""
    assert autograd.registry["multiply"].primitive is out._node.primitive


def test_writing_to_all_of_a_single_number_has_an_equation():
    y, v = Tensor(1.0, requires_grad=True) * 2, Tensor(3.0, requires_grad=True) * 1.0
    y[...,] = v
    made = [e for _, e in equations(y, "set_item")]
    assert made
    assert all(isinstance(e.numbers(), str) for e in made)
