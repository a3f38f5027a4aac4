"""Modules in pictures: frames with paths, opened to a depth, and repeated blocks as one."""

from __future__ import annotations

import re

import numpy as np
import pytest

import nn
from autograd import Tensor, draw
from autograd.draw.snapshot import Snapshot

X = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)


def titles(source: str) -> list[str]:
    """What stands on the frames, in order."""
    return re.findall(r'bgcolor="#\w+" color=.* label="([^"]*)" labeljust', source)


def names(graph: Snapshot) -> list[str]:
    return [": ".join(filter(None, (box.label, box.operation))) for box in graph.boxes]


def encoder(layers: int = 12) -> nn.Module:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    return nn.TransformerEncoder(layer, layers)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(4, 5)
        self.head = nn.Linear(5, 1)

    def forward(self, x):
        state = (np.zeros((2, 5), np.float32), np.zeros((2, 5), np.float32))
        for t in range(len(x)):
            state = self.cell(x[t], state)
        return self.head(state[0])


def recurrent(steps: int = 20) -> Tensor:
    return (Recurrent()(np.ones((steps, 2, 4), np.float32)) ** 2).mean()


def test_a_network_in_frames_as_text():
    model = nn.Sequential(nn.Linear(4, 2), nn.Tanh())
    picture = draw(model(X).sum(), values="none")
    assert picture.text == (
        "┌ Sequential  → (3, 2)  10 parameters\n"
        "│ ┌ 0: Linear  → (3, 2)  10 parameters\n"
        "│ │ n0  0.weight                       (2, 4) float32\n"
        "│ │ n1  0.bias                         (2,) float32\n"
        "│ │ n2  constant                       (3, 4) float32\n"
        "│ │ n3  linear ← n2, 0.weight, 0.bias  (3, 2) float32\n"
        "│ n4  tanh ← n3                        1: Tanh  (3, 2) float32\n"
        "n5  sum ← n4                           float32\n"
    )


def test_the_same_network_gives_the_same_text():
    model = encoder(3)
    x = np.ones((2, 3, 8), np.float32)
    for depth in (0, 1, 2, None):
        first, second = (draw(model.eval()(x).sum(), depth=depth, rollup=True) for _ in range(2))
        assert (first.source, first.mermaid, first.text) == (second.source, second.mermaid, second.text)


def test_a_deep_transformer_fits_a_screen_and_opens_to_any_depth():
    loss = encoder()(np.ones((2, 3, 8), np.float32)).sum()
    closed, layers, parts, whole = (draw(loss, depth=depth, rollup=True) for depth in (0, 1, 2, None))
    assert names(closed.graph) == ["TransformerEncoder", "sum"]
    assert names(layers.graph) == ["layers.0…11: TransformerEncoderLayer", "sum"]
    assert [box.times for box in layers.graph.boxes] == [12, 1]
    assert titles(layers.source) == ["TransformerEncoder  → (2, 3, 8)  7,200 parameters"]
    assert "layers.0…11: TransformerEncoderLayer × 12" in layers.source
    assert "600 parameters each" in layers.source
    assert titles(parts.source)[1] == "layers.0…11: TransformerEncoderLayer × 12  → (2, 3, 8)  600 parameters each"
    assert "layers.0…11.norm1: LayerNorm" in names(parts.graph)
    assert "norm1: LayerNorm" in parts.source
    assert "layers.0…11.self_attn.out_proj.weight" in [box.label for box in whole.graph.boxes]
    assert draw(loss).source == whole.source  # rolled up, all of it fits
    assert len(draw(loss, rollup=False).graph.boxes) < 60
    unrolled = draw(loss, rollup=False, depth=None)
    assert [c.path for c in unrolled.graph.calls.values() if c.kind == "TransformerEncoderLayer"] == [
        f"layers.{i}" for i in range(12)
    ]


def test_what_flows_from_one_block_to_the_next_is_a_dashed_arrow():
    model = nn.Sequential(*[nn.Linear(4, 4) for _ in range(5)])
    picture = draw(model(X).sum(), rollup=True)
    assert names(picture.graph) == ["0…4.weight", "0…4.bias", "", "linear", "sum"]
    (loop,) = [edge for edge in picture.graph.edges if edge.loop]
    assert f"{loop.source} -> {loop.target} [constraint=false style=dashed]" in picture.source
    assert f"{loop.source} -.-> {loop.target}" in picture.mermaid


def test_steps_of_a_recurrent_cell_are_one():
    loss = recurrent()
    picture = draw(loss, depth=1)
    assert names(picture.graph) == ["cell: LSTMCell", "head: Linear", "", "power", "mean"]
    assert picture.graph.boxes[0].times == 20
    opened = draw(loss)
    assert "cell: LSTMCell × 20  → 2 × (2, 5)  220 parameters" in titles(opened.source)
    (weight,) = [box for box in opened.graph.boxes if box.label == "cell.weight_ih"]
    assert opened.graph.calls[weight.scope[-1]].path == "cell"


def test_a_block_of_several_modules_and_operations_is_rolled_up():
    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x):
            for _ in range(6):
                x = np.tanh(self.first(x)) + self.second(x)
            return x

    picture = draw(Loop()(Tensor(X, requires_grad=True, name="x")).sum(), rollup=True)
    assert titles(picture.source)[:2] == ["Loop  → (3, 4)  40 parameters", "× 6"]
    assert [box.operation for box in picture.graph.boxes if box.operation] == ["linear", "tanh", "linear", "add", "sum"]
    closed = draw(Loop()(X).sum(), rollup=True, depth=1)
    assert names(closed.graph) == ["", "first: Linear", "tanh", "second: Linear", "add", "sum"]


def test_branches_that_run_beside_one_another_are_one_without_a_dashed_arrow():
    class Heads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.heads = nn.ModuleList([nn.Linear(4, 2) for _ in range(8)])

        def forward(self, x):
            return np.concatenate([head(x) for head in self.heads], axis=1)

    picture = draw(Heads()(X).sum(), rollup=True)
    assert "heads.0…7: Linear × 8" in picture.source
    assert [edge.loop for edge in picture.graph.edges] == [False] * 5


def test_blocks_that_differ_are_not_rolled_up():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4, bias=False), nn.Linear(4, 6), nn.Linear(6, 4))
    picture = draw(model(X).sum(), rollup=True)
    assert "×" not in picture.text


def test_a_result_inside_a_closed_module_is_the_module():
    picture = draw(encoder(2)(np.ones((2, 3, 8), np.float32)), depth=1, rollup=True)
    (box,) = picture.graph.boxes
    assert picture.graph.roots == [box.id]
    assert "#dcfce7" in picture.source
    assert np.shape(box.value) == (2, 3, 8)


def test_a_module_called_twice_has_two_frames_and_one_set_of_parameters():
    layer = nn.Linear(4, 4)

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x):
            return np.sin(self.layer(np.tanh(self.layer(x))))

    graph = draw(Twice()(X).sum()).graph
    assert names(graph) == ["layer.weight", "layer.bias", "", "linear", "tanh", "linear", "sin", "sum"]
    assert [call.path for call in graph.calls.values()] == ["", "layer", "layer"]
    assert [graph.calls[key].path for key in graph.boxes[0].scope] == [""]


def test_modules_in_lists_in_modules_have_their_paths():
    class Wrapped(nn.Module):
        def __init__(self, module: nn.Module) -> None:
            super().__init__()
            self.module = module

        def forward(self, x):
            return self.module(x)

    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.branches = nn.ModuleList([nn.Sequential(nn.Linear(4, 2)), nn.Sequential(nn.Linear(4, 3))])

        def forward(self, x):
            return np.concatenate([branch(x) for branch in self.branches], axis=1)

    graph = draw(Wrapped(Branches())(X).sum()).graph
    assert [box.label for box in graph.boxes if box.label] == [
        "module.branches.0.0.weight",
        "module.branches.0.0.bias",
        "module.branches.1.0.weight",
        "module.branches.1.0.bias",
    ]
    assert {call.path: call.kind for call in graph.calls.values()} == {
        "": "Wrapped",
        "module": "Branches",
        "module.branches.0": "Sequential",
        "module.branches.0.0": "Linear",
        "module.branches.1": "Sequential",
        "module.branches.1.0": "Linear",
    }


def test_modules_that_are_called_on_their_own_are_told_apart():
    first, second, third = nn.Linear(4, 4), nn.Linear(4, 2), nn.Bilinear(2, 2, 1)
    y = second(first(X))
    y = third(y, y).sum()
    labels = [box.label for box in draw(y).graph.boxes if box.kind == "leaf"]
    assert labels == [
        "Linear.weight",
        "Linear.bias",
        "Linear#2.weight",
        "Linear#2.bias",
        "Bilinear.weight",
        "Bilinear.bias",
    ]
    labels = [box.label for box in draw(y, {"inner": first, "b": second.bias}).graph.boxes if box.kind == "leaf"]
    assert labels[:4] == ["inner.weight", "inner.bias", "Linear.weight", "b"]


def test_several_outputs_of_a_recurrent_layer():
    out, (h, c) = nn.LSTM(4, 5, num_layers=2)(np.ones((3, 2, 4), np.float32))
    picture = draw([out, h, c])
    assert len(picture.graph.roots) == 3
    (call,) = picture.graph.calls.values()
    assert sorted(call.output_shapes) == [(2, 2, 5), (2, 2, 5), (3, 2, 5)]
    assert len(draw([out, h, c], depth=0).graph.boxes) == 1
    for form in (picture.source, picture.mermaid, picture.text):
        assert "output 0" in form


def test_outputs_that_their_operation_has_saved_have_their_values():
    out, _ = nn.LSTM(4, 5, num_layers=2)(np.ones((3, 2, 4), np.float32))
    graph = draw(out.sum()).graph
    picks = [box for box in graph.boxes if box.operation == "output 0"]
    assert len(picks) == 2
    assert all(box.value.shape == box.shape for box in picks)
    assert all(not isinstance(box.value, tuple) for box in graph.boxes)


def test_hooks_are_seen_but_not_called():
    model = nn.Sequential(nn.Linear(4, 2), nn.Linear(2, 2))
    called = []
    model[1].register_full_backward_hook(lambda *a: called.append(a))
    loss = model(X).sum()
    operations = [box.operation for box in draw(loss, derivatives=True, saved=True).graph.boxes]
    assert operations.count("Gate") == 2
    assert not called
    loss.backward()
    assert len(called) == 1


def test_a_released_network_keeps_its_frames():
    loss = nn.Sequential(nn.Linear(4, 2), nn.ReLU())(X).sum()
    loss.backward()
    picture = draw(loss, saved=True)
    assert "values released by backward(retain_graph=False)" in picture.text
    assert "saved: released" in picture.text
    assert titles(picture.source)[1].startswith("0: Linear")
    assert "grad" in picture.text


def test_the_recorded_backward_pass_has_a_frame_and_names_its_gradients():
    w = Tensor(2.0, requires_grad=True, name="w")
    (np.sin(w) * w).backward(create_graph=True)
    picture = draw(w.grad, derivatives=True)
    assert titles(picture.source) == ["backward pass"]
    assert "gradient of w = add" in picture.source
    outside = [box.operation or box.label for box in picture.graph.boxes if not box.scope]
    assert outside == ["w", "sin"]
    assert names(draw(w.grad, depth=0).graph)[-1].endswith("backward pass")


def test_parameters_stay_with_their_module_whatever_else_uses_them():
    model = nn.Sequential(nn.Linear(4, 2), nn.Tanh(), nn.Linear(2, 1))
    loss = (model(X) ** 2).sum() + 0.1 * (model[2].weight ** 2).sum()
    loss.backward(create_graph=True)
    penalty = sum((p.grad**2).sum() for p in model.parameters())
    for root in (loss, penalty):
        graph = draw(root).graph
        (weight,) = [box for box in graph.boxes if box.label == "2.weight"]
        assert [graph.calls[key].path for key in weight.scope] == ["", "2"]


def test_data_that_is_named_lies_outside_the_modules():
    for x in (X, Tensor(X), Tensor(X, requires_grad=True)):
        graph = draw(nn.Sequential(nn.Linear(4, 2))(x).sum(), {"batch": x}).graph
        (box,) = [box for box in graph.boxes if box.label == "batch"]
        assert box.scope == ()
    unnamed = draw(nn.Sequential(nn.Linear(4, 2))(X).sum()).graph
    assert [len(box.scope) for box in unnamed.boxes if box.kind == "constant"] == [2]


def test_buffers_are_labelled_and_lie_in_their_module():
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(np.ones(4, np.float32))
            self.register_buffer("scale", Tensor(np.full(4, 2.0, np.float32)))

        def forward(self, x):
            return self.weight * self.scale + x

    graph = draw(nn.Sequential(Scaled())(X).sum()).graph
    (box,) = [box for box in graph.boxes if box.kind == "constant"]
    assert (box.label, len(box.scope)) == ("0.scale", 2)


def test_tied_parameters_lie_between_their_owners():
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.head = nn.Embedding(5, 3), nn.Linear(3, 5, bias=False)
            self.head.weight = self.embed.weight

        def forward(self, x):
            return self.head(self.embed(x))

    graph = draw(Tied()(np.array([1, 2])).sum()).graph
    (weight,) = [box for box in graph.boxes if box.kind == "leaf"]
    assert weight.label == "embed.weight"
    assert [graph.calls[key].kind for key in weight.scope] == ["Tied"]


def test_drawing_a_network_changes_nothing():
    model = encoder(2).eval()
    x = np.ones((2, 3, 8), np.float32)
    model(x).sum().backward()
    expected = {name: p.grad.numpy().copy() for name, p in model.named_parameters()}
    model.zero_grad()
    loss = model(x).sum()
    for options in ({}, {"depth": 1, "rollup": True}, {"saved": True, "derivatives": True, "memory": True}):
        assert draw(loss, **options).source
    loss.backward()
    for name, p in model.named_parameters():
        assert np.array_equal(p.grad.numpy(), expected[name]), name


@pytest.mark.parametrize("depth", [0, 1, None])
def test_ten_thousand_modules(depth):
    model = nn.Sequential(*[nn.Sequential(nn.Linear(2, 2, bias=False)) for _ in range(2000)])
    picture = draw(model(np.ones((1, 2), np.float32)).sum(), depth=depth)
    assert len(picture.source) < 5000
    assert len(picture.graph.boxes) <= 4
