"""The text forms of pictures, and input that is made to break them."""

from __future__ import annotations

import gc
import importlib.util
import re
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

import nn
from autograd import Function, Tensor, draw, no_grad
from autograd.draw import Picture
from autograd.draw.dot import FILL_AND_BORDER

ROOT = Path(__file__).resolve().parent.parent
DRAWS = shutil.which("dot") or importlib.util.find_spec("pygraphviz")
EVIL = [
    'a"b',
    "<b>bold</b>",
    "</script><script>alert(1)</script>",
    "two\nlines\tand\ra\x00tab",
    "back\\slash \\N \\G \\n \\",
    "ünïcödé ∂L/∂w 梯度 🎉",
    "\u202eright to left\u200b",
    "--> ]--> [(x)] {y} |z| ; end %% subgraph",
    "#quot; &amp; &#60; `code` $x$ 1. item",
    "style a:#b; classDef c:#d;",
    " ",
    "x" * 300,
]


def neuron() -> tuple[Tensor, dict[str, Tensor]]:
    x, w, b = Tensor(0.5), Tensor(1.2, requires_grad=True, name="w"), Tensor(-0.8, requires_grad=True, name="b")
    loss = 0.5 * (w * x + b).sigmoid() ** 2
    loss.backward(retain_graph=True)
    return loss, {"x": x, "w": w, "b": b}


# ---------------------------------------------------------------------- snapshots


def test_a_neuron_as_text():
    loss, _leaves = neuron()
    picture = draw(loss, derivatives=True)
    assert str(picture) == picture.text
    assert picture.text == (
        "n0  w                        float64  1.2  grad 0.05571\n"
        "n1  constant                 0.5\n"
        "n2  multiply ← w [0.5], n1   float64\n"
        "n3  b                        float64  -0.8  grad 0.1114\n"
        "n4  add ← n2 [1], b [1]      float64\n"
        "n5  sigmoid ← n4 [0.2475]    float64  0.4502\n"
        "n6  constant                 2\n"
        "n7  power ← n5 [0.9003], n6  float64\n"
        "n8  constant                 0.5\n"
        "n9  multiply ← n8, n7 [0.5]  float64  0.1013\n"
    )


def test_a_small_network_as_mermaid():
    model = nn.Sequential(nn.Linear(4, 2))
    assert draw(model(np.ones((3, 4), np.float32)).sum(), values="none", shapes=False).mermaid == (
        "flowchart TB\n"
        '  subgraph c0["Sequential  → (3, 2)  10 parameters"]\n'
        '    subgraph c1["0: Linear  → (3, 2)  10 parameters"]\n'
        '      n0["<b>0.weight</b>"]:::leaf\n'
        '      n1["<b>0.bias</b>"]:::leaf\n'
        '      n2[" "]:::constant\n'
        '      n3("<b>linear</b>"):::operation\n'
        "    end\n"
        "  end\n"
        '  n4("<b>sum</b>"):::result\n'
        "  n2 --> n3\n"
        "  n0 --> n3\n"
        "  n1 --> n3\n"
        "  n3 --> n4\n"
        "  classDef leaf fill:#dbeafe,stroke:#2563eb,color:#0f172a\n"
        "  classDef constant fill:#f1f5f9,stroke:#94a3b8,color:#0f172a\n"
        "  classDef operation fill:#ffffff,stroke:#64748b,color:#0f172a\n"
        "  classDef result fill:#dcfce7,stroke:#16a34a,color:#0f172a\n"
        "  classDef fold fill:#fef3c7,stroke:#d97706,color:#0f172a\n"
        "  classDef frame0 fill:#f8fafc,stroke:#cbd5e1,color:#334155\n"
        "  class c0 frame0\n"
        "  classDef frame1 fill:#f1f5f9,stroke:#cbd5e1,color:#334155\n"
        "  class c1 frame1\n"
    )


def test_a_small_network_as_dot():
    model = nn.Sequential(nn.Linear(4, 2))
    source = draw(model(np.ones((3, 4), np.float32)).sum(), values="none", shapes=False).source
    body = [line.strip() for line in source.splitlines() if "subgraph" in line or "->" in line or line.strip() == "}"]
    assert body == [
        "subgraph cluster_0 {", "subgraph cluster_1 {", "}", "}",
        "n2 -> n3", "n0 -> n3", "n1 -> n3", "n3 -> n4", "}",
    ]  # fmt: skip


def test_files_of_every_text_form(tmp_path):
    picture = draw(neuron()[0])
    for suffix, text in (
        (".gv", picture.source),
        (".dot", picture.source),
        (".mmd", picture.mermaid),
        (".TXT", picture.text),
    ):
        path = tmp_path / f"neuron{suffix}"
        assert picture.save(path) == str(path)
        assert path.read_text(encoding="utf-8") == text


@pytest.mark.skipif(not DRAWS, reason="nothing installed that draws")
def test_a_format_that_nothing_writes_leaves_the_file(tmp_path):
    path = tmp_path / "neuron.docx"
    path.write_text("mine")
    with pytest.raises(ValueError, match=r"no picture is written as \.docx"):
        draw(neuron()[0]).save(path)
    assert path.read_text() == "mine"


def test_the_document_runs_as_pasted(tmp_path, monkeypatch, capsys):
    text = (ROOT / "docs" / "drawing.md").read_text(encoding="utf-8")
    for picture in re.findall(r"!\[[^]]*\]\((.*?)\)", text):
        assert (ROOT / "docs" / picture).stat().st_size < 100_000
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Picture, "pipe", lambda self, *_, encoding=None: "<svg/>" if encoding else self.source.encode())
    names: dict = {}
    for snippet in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL):
        exec(compile(snippet, "drawing.md", "exec"), names)
    assert {path.name for path in tmp_path.iterdir()} >= {
        *("neuron.svg", "transformer.svg", "second.svg", "neuron.html")
    }
    (shown,) = re.findall(r"```\n(n0 .*?)```", text, flags=re.DOTALL)
    loss = neuron()
    assert shown == draw(loss[0], {"x": loss[1]["x"]}, derivatives=True).text
    (explained,) = re.findall(r"```\n(∂L.*?)\n```", text, flags=re.DOTALL)
    assert capsys.readouterr().out == explained + "\n"


# ---------------------------------------------------------------------- names


def drawn(picture) -> ElementTree.Element:
    return ElementTree.fromstring(picture.pipe("svg"))


@pytest.mark.skipif(not DRAWS, reason="nothing installed that draws")
@pytest.mark.parametrize("name", EVIL, ids=range(len(EVIL)))
def test_names_are_drawn_as_they_are(name):
    x = Tensor(1.5, requires_grad=True, name=name)
    picture = draw(np.sin(x), names={f"{name} y": np.sin(x)})
    shown = ["".join(text.itertext()) for text in drawn(picture).iter("{http://www.w3.org/2000/svg}text")]
    visible = "".join(c if c.isprintable() else repr(c)[1:-1] for c in name)
    assert visible.split() == (shown[0].split() if name.strip() else [])


@pytest.mark.skipif(not DRAWS, reason="nothing installed that draws")
@pytest.mark.parametrize("name", EVIL, ids=range(len(EVIL)))
def test_names_of_modules_are_drawn_as_they_are(name):
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_module(name.replace(".", ""), nn.Linear(2, 2))

        def forward(self, x):
            return next(self.children())(x)

    picture = draw(Named()(np.ones((1, 2), np.float32)).sum())
    shown = "".join("".join(text.itertext()) for text in drawn(picture).iter("{http://www.w3.org/2000/svg}text"))
    visible = "".join(c if c.isprintable() else repr(c)[1:-1] for c in name.replace(".", ""))
    assert "".join(visible.split()) in "".join(shown.split())


@pytest.mark.parametrize("name", EVIL, ids=range(len(EVIL)))
def test_nothing_in_a_name_means_something_to_mermaid(name):
    x = Tensor(1.5, requires_grad=True, name=name)
    lines = draw(np.sin(x)).mermaid.splitlines()
    assert len(lines) == 9
    label = re.fullmatch(r'  n0\["(.*)"\]:::leaf', lines[1]).group(1)
    assert not set(re.sub(r"</?b>|<br/>|#\d+;", "", label)) & set('"<>#&;:`\\{}[]|$\n')


@pytest.mark.parametrize("name", EVIL, ids=range(len(EVIL)))
def test_a_name_stays_on_its_line_of_text(name):
    x = Tensor(1.5, requires_grad=True, name=name)
    assert len(draw(np.sin(x)).text.splitlines()) == 2


# ---------------------------------------------------------------------- values


@pytest.mark.skipif(not DRAWS, reason="nothing installed that draws")
@pytest.mark.parametrize(
    "data",
    [
        1.0,
        [],
        np.zeros((0, 3)),
        np.zeros((2, 0, 3), np.float32),
        [np.nan, 1.0],
        [np.inf, -np.inf],
        np.full(100, np.nan),
        np.full(100, 1e308),
        np.full(100, 5e-324),
        np.r_[np.full(50, 1.7e308), np.full(50, -1.7e308)],
        np.r_[np.ones(50), np.full(50, np.nextafter(1, 2))],
        np.r_[np.zeros(50), np.full(50, 5e-324)],
        np.array([1 + 2j, complex(np.nan, 1)]),
        np.linspace(0, 1, 50) + 1j,
        np.zeros(10, np.float16),
        np.full(10, 65504, np.float16),
        np.zeros((1,) * 20),
    ],
)
def test_any_value_is_described(data):
    x = Tensor(data, requires_grad=True)
    with np.errstate(all="ignore"):
        y = (x * x).sum()
        y.backward(np.ones((), y.dtype), retain_graph=True)
    for detail in ("small", "all", "none"):
        picture = draw(y, values=detail, grads=detail, saved=True, memory=True, derivatives=True)
        assert drawn(picture) is not None
        assert picture.text
        assert picture.mermaid


def test_large_values_are_described_on_demand():
    x = Tensor(np.linspace(-1, 1, 1000), requires_grad=True, name="x")
    assert draw(x).text == "n0  x  (1000,) float64\n"
    assert draw(x, values="all").text == "n0  x  (1000,) float64  4.263e-17 ± 0.5779  -1 ████████ 1\n".replace(
        "4.263e-17", f"{np.linspace(-1, 1, 1000).mean():.4g}"
    )
    skewed = Tensor(np.r_[np.zeros(700), np.ones(300)], requires_grad=True)
    assert "0 █▁▁▁▁▁▁▄ 1" in draw(skewed, values="all").text


def test_a_histogram_shows_that_a_bar_is_not_empty():
    x = Tensor(np.r_[np.zeros(100_000), 0.5, np.ones(100_000)], requires_grad=True)
    assert "0 █▁▁▁▂▁▁█ 1" in draw(x, values="all").text


def test_what_is_not_finite_is_counted_in_red():
    data = np.zeros((10, 10))
    data[0, :3], data[1, 0] = np.nan, np.inf
    x = Tensor(data, requires_grad=True, name="x")
    x.grad = np.where(np.isnan(data), np.nan, 0.0)
    source = draw(x).source
    assert '<font color="#dc2626">3 NaN, 1 infinite of 100</font>' in source
    assert '<font color="#dc2626">grad 3 NaN of 100</font>' in source
    assert "NaN" not in draw(x, values="none", grads="none").source
    assert '<font color="#dc2626">nan</font>' in draw(Tensor(np.nan, requires_grad=True)).source


# ---------------------------------------------------------------------- graphs


def test_a_graph_that_is_freed_shows_what_is_left():
    x = Tensor(np.ones(3), requires_grad=True, name="x")
    loss = np.sin(x).sum()
    loss.backward()
    assert draw(loss, saved=True, derivatives=True, memory=True).text == (
        "n0  x                      (3,) float64  [1, 1, 1]  grad [0.5403, 0.5403, 0.5403]\n"
        "n1  sin ← x [∂(3,)/∂(3,)]  (3,) float64  saved: released\n"
        "n2  sum ← n1 [∂()/∂(3,)]   float64  2.524  saved: released\n"
        "(values released by backward(retain_graph=False))\n"
    )


def test_an_array_that_was_changed_in_place():
    x = Tensor(np.ones(3), requires_grad=True, name="x")
    y = x * x
    with no_grad():
        x += 1.0
    picture = draw(y, memory=True)
    assert "changed in place by 'x += y' at " in picture.text
    assert "a saved array was changed since: backward() will refuse" in picture.text
    with pytest.raises(RuntimeError, match="changed it in place"):
        y.sum().backward()
    assert "refuse" not in draw(x * x, memory=True).text


def test_a_picture_shows_the_values_at_the_time_of_drawing():
    w = Tensor(np.ones(2), requires_grad=True, name="w")
    w.grad = np.zeros(2)
    first, second = draw(np.sin(w)), draw(np.sin(w))
    before = first.source, first.text
    with no_grad():
        w += 1.0
        w.grad += 1.0
    assert (second.source, second.text) == before
    assert draw(np.sin(w)).text != second.text


def test_views_say_whose_memory_they_look_at():
    x = Tensor(np.ones((2, 3)), requires_grad=True, name="x")
    view = x.reshape(3, 2)
    assert "same memory as n0" in draw(view, memory=True).text
    assert "same memory" not in draw(np.sin(x), memory=True).text


def test_the_user_s_backward_is_not_called():
    class Loud(Function):
        @staticmethod
        def forward(ctx, x, scale):
            ctx.save_for_backward(x)
            return x * scale

        @staticmethod
        def backward(ctx, g):
            raise AssertionError("called by drawing")

    x = Tensor(np.ones(2), requires_grad=True, name="x")
    picture = draw(Loud.apply(x, 3.0), saved=True, derivatives=True, memory=True)
    assert "Loud ← x" in picture.text
    assert "saved: input 0 16 B" in picture.text
    (edge,) = picture.graph.edges
    assert edge.argument == "x"


def test_tensors_that_died():
    y = np.sin(Tensor(np.ones(2), requires_grad=True, name="gone"))
    gc.collect()
    assert draw(y, memory=True, saved=True).text.startswith("n0  leaf  ")


@pytest.mark.skipif(not DRAWS, reason="nothing installed that draws")
def test_every_kind_of_box_is_drawn():
    loss, _ = neuron()
    assert drawn(draw(loss, max_nodes=5)) is not None
    kinds = {box.kind for box in draw(loss, max_nodes=5).graph.boxes} | {box.kind for box in draw(loss).graph.boxes}
    assert kinds == set(FILL_AND_BORDER)


def recurrence(steps: int, weight: Tensor, bias: Tensor) -> Tensor:
    """A loop written by hand, in which every step uses the same two parameters."""
    hidden = Tensor(np.ones((1, 2)))
    for _ in range(steps):
        hidden = np.tanh(hidden @ weight + bias)
    return hidden.sum()


def test_arrows_that_would_reach_across_a_long_loop_start_at_copies():
    # whole, Graphviz takes minutes over this one
    weight, bias = Tensor(np.eye(2), requires_grad=True, name="w"), Tensor([0.0, 1.0], requires_grad=True, name="b")
    picture = draw(recurrence(80, weight, bias))
    copies = re.findall(r'(n\d+)_(n\d+) \[label="(\w)" class=copy', picture.source)
    assert {(source, name) for source, _, name in copies} == {("n0", "w"), ("n3", "b")}
    drawn = set(re.findall(r"\t(n\d+)(?:_n\d+)? -> (n\d+)", picture.source))
    assert drawn == {(edge.source, edge.target) for edge in picture.graph.edges}
    assert all(f"\t{source}_{user} -> {user}" in picture.source for source, user, _ in copies)
    assert "class=copy" not in draw(recurrence(15, weight, bias)).source
    if shutil.which("dot"):
        assert picture.pipe("svg", encoding="utf-8").count('class="node copy"') == len(copies)


def test_copies_lie_in_the_frames_of_their_uses():
    layer, hidden = nn.Linear(2, 2), np.ones((1, 2))
    for _ in range(100):
        hidden = layer(hidden)
    source = draw(hidden.sum(), depth=None, rollup=False).source
    copy = source.index("\tn0_")
    user = re.match(r"\tn0_(n\d+) ", source[copy:])[1]
    assert "}" not in source[source.index(f"\t{user} [") : copy]


def test_a_frame_of_unknown_outputs_is_drawn():
    x = Tensor(0.5, requires_grad=True, name="x")
    y = np.sin(x) * np.exp(x)
    y.backward(create_graph=True)
    source = draw(x.grad, depth=0).source
    assert "></font>" not in source
