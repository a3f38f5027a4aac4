"""Pictures of graphs: what they show, that they change nothing, and that they need no drawing program."""

from __future__ import annotations

import gc
import importlib.util
import re
import shutil
import sys

import numpy as np
import pytest

from autograd import Function, Tensor, draw


def neuron(**options: bool) -> tuple[Tensor, dict[str, Tensor]]:
    x, w, b = Tensor(0.5), Tensor(1.2, requires_grad=True, name="w"), Tensor(-0.8, requires_grad=True, name="b")
    loss = 0.5 * (w * x + b).sigmoid() ** 2
    loss.backward(**options)
    return loss, {"x": x, "w": w, "b": b}


def boxes(source: str) -> dict[str, list[str]]:
    """The lines of text in every box."""
    found = re.findall(r"\t(n\d+) \[label=<(.*)> style", source)
    return {name: re.sub(r"<br/>|</td></tr>", "\n", text).replace("&#x27;", "'").split("\n") for name, text in found}


def plain(source: str) -> list[str]:
    """The boxes' texts without markup, in order."""
    return [" | ".join(filter(None, (re.sub("<[^>]*>", "", t) for t in lines))) for lines in boxes(source).values()]


def arrows(source: str) -> list[tuple[str, str]]:
    return re.findall(r"\t(n\d+) -> (n\d+)\n", source)


def test_one_neuron():
    loss, tensors = neuron(retain_graph=True)
    source = draw(loss, names={"x": tensors["x"]}).source
    assert plain(source) == [
        "w | float64 | 1.2 | grad 0.05571",
        "x | 0.5",
        "multiply | float64",
        "b | float64 | -0.8 | grad 0.1114",
        "add | float64",
        "sigmoid | float64 | 0.4502",
        "2",
        "power | float64",
        "0.5",
        "multiply | float64 | 0.1013",
    ]
    assert arrows(source) == [
        ("n0", "n2"), ("n1", "n2"), ("n2", "n4"), ("n3", "n4"), ("n4", "n5"), ("n5", "n7"), ("n6", "n7"),
        ("n8", "n9"), ("n7", "n9"),
    ]  # fmt: skip
    assert "rankdir=LR" in source


def test_the_same_graph_gives_the_same_text():
    first, second = (draw(neuron(retain_graph=True)[0]).source for _ in range(2))
    assert first == second


def test_drawing_changes_nothing():
    loss, tensors = neuron(retain_graph=True)
    picture = draw(loss, names=tensors)
    del picture
    tensors["w"].grad = None
    loss.backward()
    assert tensors["w"].grad.item() == pytest.approx(0.0557118, rel=1e-5)
    assert tensors["x"].name is None


def test_a_released_graph_shows_its_structure_and_says_so():
    loss, _ = neuron()
    source = draw(loss).source
    assert "values released by backward(retain_graph=False)" in source
    assert [text.split(" | ")[0] for text in plain(source)] == [
        "w",
        "multiply",
        "b",
        "add",
        "sigmoid",
        "power",
        "multiply",
    ]
    assert "released" not in draw(neuron(retain_graph=True)[0]).source


def test_a_shared_node_is_drawn_once():
    x = Tensor(np.ones(3), requires_grad=True, name="x")
    y = x * x
    source = draw(y + y).source
    assert [text.split(" | ")[0] for text in plain(source)] == ["x", "multiply", "add"]
    assert arrows(source) == [("n0", "n1"), ("n0", "n1"), ("n1", "n2"), ("n1", "n2")]


def test_names_label_steps_and_show_their_gradients():
    w = Tensor(2.0, requires_grad=True)
    z = w * 3.0
    z.retain_grad()
    y = z * z
    y.backward(retain_graph=True)
    assert plain(draw(y, names={"z": z, "weight": w, "y": y}).source) == [
        "weight | float64 | 2 | grad 36",
        "3",
        "z = multiply | float64 | 6 | grad 12",
        "y = multiply | float64 | 36",
    ]


def test_small_values_are_written_out_and_large_ones_described():
    x = Tensor(np.arange(6.0).reshape(2, 3), requires_grad=True, name="x")
    assert plain(draw(x).source) == ["x | (2, 3) float64 | [[0, 1, 2], |  [3, 4, 5]]"]
    assert plain(draw(x, max_size=5).source) == ["x | (2, 3) float64"]
    c = Tensor(np.array([1 + 2j], np.complex64), requires_grad=True)
    assert plain(draw(c).source) == ["leaf | (1,) complex64 | [1+2j]"]


def test_constants_are_shown_where_a_rule_saved_them():
    a, x = np.arange(3.0), Tensor(np.ones(3), requires_grad=True)
    source = draw((x * a).sum() + (x * a).max(), names={"a": a}).source
    assert plain(source).count("a | (3,) float64 | [0, 1, 2]") == 1
    assert draw(x + a).source.count("->") == 1


def test_several_outputs_and_several_roots():
    x = Tensor(np.ones(4), requires_grad=True)
    first, second = np.split(x, 2)
    titles = [text.split(" | ")[0] for text in plain(draw([first * 2.0, second]).source)]
    assert titles == ["leaf", "split", "output 0", "2", "multiply", "output 1"]
    assert draw({"a": first, "b": second}).source.count("#dcfce7") == 2


def test_functions_and_variadic_operations():
    class Twice(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    x = Tensor(np.ones(2), requires_grad=True)
    source = draw(np.concatenate([Twice.apply(x), np.zeros(2), x]), {"x": x}).source
    assert [text.split(" | ")[0] for text in plain(source)] == ["x", "Twice", "concatenate"]
    assert arrows(source) == [("n0", "n1"), ("n1", "n2"), ("n0", "n2")]


def test_a_tensor_without_graph_is_one_box():
    assert plain(draw(Tensor([1.0, 2.0])).source) == ["(2,) float64 | [1, 2]"]


def test_a_leaf_that_nobody_holds_any_more_is_drawn():
    y = Tensor(2.0, requires_grad=True, name="gone") * 3.0
    gc.collect()
    assert [text.split(" | ")[0] for text in plain(draw(y).source)] == ["leaf", "3", "multiply"]


def test_labels_are_escaped():
    name = 'a"<b>&\n\\N</script>é'
    source = draw(Tensor(1.0, requires_grad=True, name=name)).source
    assert "a&quot;&lt;b&gt;&amp;\\\\n\\\\N&lt;/script&gt;é" in source


def test_a_hundred_thousand_operations():
    x = y = Tensor(1.0, requires_grad=True)
    for _ in range(100_000):
        y = y + 1.0
    source = draw(y, max_nodes=None).source
    assert source.count("->") == 100_000
    assert "rankdir=TB" in source
    assert "rankdir=BT" in draw(x, rankdir="BT").source
    capped = draw(y)
    assert len(capped.graph.boxes) == 500
    assert "99,502 left out" in capped.source
    assert "the oldest 99,502 of 100,001 boxes left out; max_nodes=500" in capped.source


@pytest.mark.skipif(
    not shutil.which("dot") and not importlib.util.find_spec("pygraphviz"), reason="nothing installed that draws"
)
@pytest.mark.parametrize(("suffix", "mark"), [(".svg", b"<svg"), (".png", b"\x89PNG"), (".pdf", b"%PDF")])
def test_pictures_are_written(tmp_path, suffix, mark):
    path = tmp_path / f"neuron{suffix}"
    assert draw(neuron(retain_graph=True)[0]).save(path) == str(path)
    assert mark in path.read_bytes()[:1000]


def test_the_text_is_written_without_any_program(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    picture = draw(neuron(retain_graph=True)[0])
    for suffix in (".gv", ".dot"):
        path = tmp_path / f"neuron{suffix}"
        picture.save(path)
        assert path.read_text(encoding="utf-8") == picture.source
    with pytest.raises(RuntimeError, match=r'install its .dot. program.*pip install "chainrule\[draw\]"'):
        picture.save(tmp_path / "neuron.svg")
    assert picture._repr_mimebundle_() == {"text/plain": picture.text}
    with pytest.raises(ValueError, match="by the suffix"):
        picture.save(tmp_path / "neuron")


def test_the_library_in_pygraphviz_draws_without_a_program(tmp_path, monkeypatch):
    pytest.importorskip("pygraphviz")
    monkeypatch.setenv("PATH", str(tmp_path))
    shown = draw(neuron(retain_graph=True)[0])._repr_mimebundle_()
    assert "<svg" in shown["image/svg+xml"]


@pytest.mark.parametrize("wrong", [1.0, np.ones(2), [], [1.0], None])
def test_what_is_no_tensor_is_refused(wrong):
    with pytest.raises(TypeError, match="takes the Tensor whose graph you want to see"):
        draw(wrong)


def test_names_of_what_is_no_array_are_refused():
    with pytest.raises(TypeError, match="'n' is a str"):
        draw(Tensor(1.0, requires_grad=True), {"n": "text"})
