"""The switches of ``draw``: what each shows or leaves out, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from autograd import Tensor, draw, elementwise, no_grad, record_lines, registry
from autograd.draw.snapshot import Snapshot


def chain(n: int) -> tuple[Tensor, Tensor]:
    x = y = Tensor(np.ones(4), requires_grad=True, name="x")
    for _ in range(n):
        y = np.sin(y)
    return x, y


def operations(graph: Snapshot) -> list[str]:
    return [box.operation for box in graph.boxes if box.operation]


def derivatives(y: Tensor) -> dict[str, str]:
    graph = draw(y, derivatives=True).graph
    known = {box.id: box.label or box.operation for box in graph.boxes}
    return {f"{known[e.source]} → {known[e.target]}": e.derivative for e in graph.edges if e.derivative}


# ---------------------------------------------------------------------- what is shown


def test_values_gradients_and_shapes():
    w = Tensor(2.0, requires_grad=True, name="w")
    y = w * w
    y.backward(retain_graph=True)
    assert draw(y).text == "n0  w                float64  2  grad 4\nn1  multiply ← w, w  float64  4\n"
    assert draw(y, values="none", shapes=False).text == "n0  w  grad 4\nn1  multiply ← w, w\n"
    assert draw(y, grads="none", shapes=False).text == "n0  w                2\nn1  multiply ← w, w  4\n"
    x = Tensor(np.arange(16.0), requires_grad=True)
    x.grad = np.zeros(16)
    assert draw(x).text == "n0  leaf  (16,) float64\n"
    assert draw(x, values="all").text == "n0  leaf  (16,) float64  7.5 ± 4.61  0 ████████ 15\n"
    assert draw(x, grads="all").text == "n0  leaf  (16,) float64  grad 0 ± 0  0 █ 0\n"
    assert "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]" in draw(x, max_size=16).text


def test_what_is_saved_and_its_bytes():
    x = Tensor(np.ones((100, 10)), requires_grad=True, name="x")
    text = draw(np.tanh(x).sum(axis=1), saved=True).text
    assert "saved: out 8 kB" in text
    assert "axis = 1" in text
    assert "saved" not in draw(np.tanh(x)).text


def test_the_lines_that_recorded():
    x, _ = chain(0)
    with record_lines():
        y = np.exp(x)
    assert "test_draw_switches.py:" in draw(y, places=True).text
    assert "test_draw_switches.py" not in draw(y).text
    assert "test_draw_switches.py" not in draw(np.exp(x), places=True).text


def test_local_derivatives():
    x, w = Tensor(3.0, requires_grad=True, name="x"), Tensor(2.0, requires_grad=True, name="w")
    assert derivatives(np.sin(x * w) + x) == {
        "x → multiply": "2",
        "w → multiply": "3",
        "multiply → sin": f"{np.cos(6):.4g}",
        "sin → add": "1",
        "x → add": "1",
    }


def test_local_derivatives_of_arrays():
    x = Tensor(np.array([1.0, 2.0, 3.0]), requires_grad=True, name="x")
    b = Tensor(1.0, requires_grad=True, name="b")
    assert derivatives((x * x + b).sum()) == {
        "x → multiply": "1 … 3",
        "multiply → add": "1",
        "b → add": "1",
        "add → sum": "∂()/∂(3,)",
    }
    assert derivatives(np.sqrt(x - 1.0))["subtract → sqrt"] == "1 infinite"
    z = Tensor(np.array([1j, 2.0]), requires_grad=True, name="z")
    assert derivatives(z * z) == {"z → multiply": "|∂| 1 … 2"}


def test_the_derivative_of_a_holomorphic_function_is_not_conjugated():
    z = Tensor(1 + 2j, requires_grad=True, name="z")
    assert derivatives(z * z * (1 - 1j))["multiply → multiply"] == "1-1j"


def test_no_derivatives_from_changed_arrays():
    x = Tensor(np.array([1.0, 2.0]), requires_grad=True, name="x")
    y = np.sin(x * x)
    with no_grad():
        x += 1.0
    assert list(derivatives(y)) == ["multiply → sin"]
    assert "no derivatives of operations whose saved arrays were changed" in draw(y, derivatives=True).text


def test_a_rule_that_fails_is_shown_where_it_is():
    def refuse(x):
        raise ZeroDivisionError("no derivative here")

    doubled = elementwise(lambda x: 2 * x, refuse, name="doubled")
    try:
        assert derivatives(doubled(Tensor(1.0, requires_grad=True, name="x"))) == {"x → doubled": "ZeroDivisionError"}
    finally:
        del registry["doubled"]


def test_derivatives_of_scalars_by_any_rule():
    x = Tensor(4.0, requires_grad=True, name="x")
    assert derivatives(np.sum(x))["x → sum"] == "1"
    assert derivatives(np.reshape(x, ()))["x → reshape"] == "1"


# ---------------------------------------------------------------------- what is left out


def test_constants_can_be_hidden():
    x, _ = chain(0)
    assert [box.kind for box in draw(x * 2.0, constants=False).graph.boxes] == ["leaf", "result"]
    assert draw(Tensor(1.0), constants=False).graph.boxes == []


def test_chains_of_elementwise_operations():
    x = Tensor(np.ones(4), requires_grad=True, name="x")
    y = np.exp(np.sin(x) * 2.0)
    assert operations(draw((y + x).sum(), collapse=True).graph) == ["sin → multiply → exp → add", "sum"]
    assert operations(draw((y + np.tanh(y)).sum(), collapse=True).graph) == [
        "sin → multiply → exp",
        "tanh → add",
        "sum",
    ]
    assert operations(draw(y, {"s": y}, collapse=True).graph) == ["sin → multiply → exp"]
    s = np.sin(x)
    assert operations(draw(np.exp(np.cos(s)), {"s": s}, collapse=True).graph) == ["sin", "cos → exp"]
    (box,) = [box for box in draw(chain(9)[1], collapse=True).graph.boxes if box.operation]
    assert (box.operation, box.count) == ("sin → sin → sin → 5 more → sin", 9)


def test_outputs_of_one_operation_are_collapsed_into_it():
    x = Tensor(np.ones(4), requires_grad=True, name="x")
    first, second = np.split(x, 2)
    graph = draw((first * second).sum(), collapse=True).graph
    assert operations(graph) == ["split", "multiply", "sum"]


def test_focus_on_the_surroundings_of_a_tensor():
    x, y = chain(4)
    z = np.cos(y)
    end = np.exp(np.tanh(z))
    assert operations(draw(end, focus=(z, 1)).graph) == ["sin", "cos", "tanh"]
    picture = draw(end, {"z": z}, focus=("z", 0))
    assert operations(picture.graph) == ["cos"]
    assert "7 boxes more than 0 steps away left out" in picture.text
    assert operations(draw(end, focus=("x", 2)).graph) == ["sin", "sin"]
    assert draw(end, focus=(x, 10**12)).graph.notes == []
    with pytest.raises(ValueError, match="nothing in the graph is called 'q'; there are x"):
        draw(end, focus=("q", 1))
    with pytest.raises(ValueError, match="not in the graph"):
        draw(y, focus=(z, 1))
    with pytest.raises(ValueError, match="does not require a gradient"):
        draw(y, focus=(Tensor(1.0), 1))


@pytest.mark.parametrize("limit", [2, 3, 10])
def test_the_number_of_boxes_has_a_cap(limit):
    picture = draw(chain(50)[1], max_nodes=limit)
    assert len(picture.graph.boxes) <= limit
    left_out = 51 - (limit - 1)
    assert f"{left_out} left out" in picture.text
    assert f"(the oldest {left_out} of 51 boxes left out; max_nodes={limit})" in picture.text
    assert "leaf × 1" in picture.text
    order = [box.id for box in picture.graph.boxes]
    assert all(order.index(edge.source) < order.index(edge.target) for edge in picture.graph.edges)
    assert len(draw(chain(50)[1], max_nodes=51).graph.boxes) == 51


def test_the_directions():
    assert "rankdir=LR" in draw(chain(3)[1]).source
    assert "flowchart LR" in draw(chain(3)[1]).mermaid
    assert "rankdir=TB" in draw(chain(50)[1]).source
    for direction in ("LR", "TB", "RL", "BT"):
        assert f"rankdir={direction}" in draw(chain(3)[1], rankdir=direction).source


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    "switches",
    [
        {"values": "big"},
        {"values": True},
        {"grads": None},
        {"depth": -1},
        {"depth": 1.5},
        {"depth": True},
        {"depth": "all"},
        {"rollup": "yes"},
        {"rollup": None},
        {"focus": 3},
        {"focus": ("x",)},
        {"focus": ("x", -1)},
        {"focus": (3, 1)},
        {"max_nodes": 1},
        {"max_nodes": "many"},
        {"max_size": -1},
        {"rankdir": "XY"},
        {"saved": "no"},
        {"memory": 1},
    ],
    ids=str,
)
def test_values_that_a_switch_does_not_have(switches):
    (switch,) = switches
    with pytest.raises(ValueError, match=switch):
        draw(chain(1)[1], **switches)


def test_unknown_switches():
    with pytest.raises(TypeError, match="colour"):
        draw(chain(1)[1], colour="red")
