"""Modules: registration, iteration, state, conversion and text, as users of PyTorch know them."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import nn
from autograd import Tensor, manual_seed


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.act = nn.Tanh()
        self.second = nn.Linear(4, 2, bias=False)
        self.scale = nn.Parameter(np.ones(2, np.float32))
        self.register_buffer("steps", np.array(0))
        self.register_buffer("scratch", np.zeros(2), persistent=False)
        self.width = 4

    def forward(self, x: Any) -> Any:
        return self.second(self.act(self.first(x))) * self.scale


# ---------------------------------------------------------------------- parameters


def test_a_parameter_is_a_leaf_around_the_array_given():
    array = np.ones(3, np.float32)
    p = nn.Parameter(array)
    assert p.requires_grad
    assert p.is_leaf
    assert p.numpy() is array
    assert not nn.Parameter(array, requires_grad=False).requires_grad
    computed = Tensor(np.ones(2), requires_grad=True) * 2
    assert nn.Parameter(computed).is_leaf
    assert repr(p) == "Parameter containing:\nParameter([1., 1., 1.], dtype=float32, requires_grad=True)"
    assert type(p * 2) is Tensor


def test_integers_are_no_parameters():
    with pytest.raises(TypeError, match="float or complex; got dtype int64"):
        nn.Parameter(np.ones(2, int))


# ---------------------------------------------------------------------- attributes


def test_what_is_assigned_is_registered_by_its_kind():
    net = Net()
    assert [n for n, _ in net.named_parameters()] == ["first.weight", "first.bias", "second.weight", "scale"] or [
        n for n, _ in net.named_parameters()
    ] == ["scale", "first.weight", "first.bias", "second.weight"]
    assert [n for n, _ in net.named_buffers()] == ["steps", "scratch"]
    assert [n for n, _ in net.named_children()] == ["first", "act", "second"]
    assert [n for n, _ in net.named_modules()] == ["", "first", "act", "second"]
    assert len(list(net.parameters(recurse=False))) == 1
    assert len(list(net.modules())) == 4


def test_attributes_change_kind_when_something_else_is_assigned():
    net = Net()
    net.width = nn.Linear(1, 1)
    assert "width" in dict(net.named_children())
    net.act = nn.Parameter(np.ones(1))
    assert "act" in dict(net.named_parameters())
    assert "act" not in dict(net.named_children())
    net.scale = None
    assert net.scale is None
    assert "scale" not in dict(net.named_parameters())
    net.scale = nn.Parameter(np.ones(2))
    assert "scale" in dict(net.named_parameters())
    del net.second
    assert not hasattr(net, "second")
    assert "second.weight" not in net.state_dict()
    net.steps = np.array(5)
    assert isinstance(net.steps, Tensor)
    assert net.state_dict()["steps"].item() == 5


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("scale", np.ones(2), "'scale' is a parameter: a Parameter or None, not a ndarray"),
        ("scale", Tensor(np.ones(2)), "not a Tensor"),
        ("first", 3, "'first' is a module: a Module or None, not a int"),
        ("steps", "five", "'steps' is a buffer: a Tensor or None, not a str"),
    ],
)
def test_registered_names_keep_their_kind(name, value, message):
    net = Net()
    with pytest.raises(TypeError, match=message):
        setattr(net, name, value)


def test_registering_is_checked():
    net = Net()
    for call, error, message in (
        (lambda: net.register_buffer("a.b", np.ones(1)), KeyError, "without '.'"),
        (lambda: net.register_buffer("", np.ones(1)), KeyError, "not empty"),
        (lambda: net.register_parameter("width", nn.Parameter(np.ones(1))), KeyError, "attribute 'width' already"),
        (lambda: net.register_parameter("p", np.ones(1)), TypeError, "'p' is a parameter"),
        (lambda: net.add_module("m", 3), TypeError, "'m' is a module"),
        (lambda: net.register_module("forward", nn.ReLU()), KeyError, "attribute 'forward' already"),
    ):
        with pytest.raises(error, match=message):
            call()

    class Hasty(nn.Module):
        def __init__(self) -> None:
            self.layer = nn.ReLU()

    with pytest.raises(AttributeError, match=r"call super\(\).__init__\(\) before assigning 'layer'"):
        Hasty()
    with pytest.raises(AttributeError, match="no attribute 'missing'"):
        _ = net.missing
    with pytest.raises(AttributeError):
        del net.missing


def test_paths_lead_to_modules_parameters_and_buffers():
    net = nn.Sequential(Net())
    assert net.get_submodule("") is net
    assert net.get_submodule("0.first") is net[0].first
    assert net.get_parameter("0.first.weight") is net[0].first.weight
    assert net.get_buffer("0.scratch") is net[0].scratch
    for call in (
        lambda: net.get_submodule("0.scale"),
        lambda: net.get_parameter("0.steps"),
        lambda: net.get_buffer("0.scale"),
        lambda: net.get_parameter("0.nothing"),
    ):
        with pytest.raises(AttributeError):
            call()


def test_a_shared_parameter_is_listed_once_and_saved_under_both_names():
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    net[1].weight = net[0].weight
    assert [n for n, _ in net.named_parameters()] == ["0.weight", "0.bias", "1.bias"]
    assert [n for n, _ in net.named_parameters(remove_duplicate=False)] == ["0.weight", "0.bias", "1.weight", "1.bias"]
    assert list(net.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    twice = nn.Sequential(net[0], net[0])
    assert len(list(twice.modules())) == 2
    assert [n for n, _ in twice.named_modules(remove_duplicate=False)] == ["", "0", "1"]


# ---------------------------------------------------------------------- everything at once


def test_modes_and_switches():
    net = Net()
    assert net.eval() is net
    assert not net.first.training
    assert net.train() is net
    assert net.second.training
    with pytest.raises(ValueError, match="True or False"):
        net.train("yes")
    net.requires_grad_(False)
    assert not any(p.requires_grad for p in net.parameters())
    seen: list[nn.Module] = []
    assert net.apply(seen.append) is net
    assert seen == [net.first, net.act, net.second, net]


def test_gradients_are_cleared():
    net = Net()
    net(np.ones((2, 3), np.float32)).sum().backward()
    net.zero_grad(set_to_none=False)
    assert all(p.grad.numpy().max() == 0 for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_conversion_keeps_the_parameters_and_converts_their_gradients():
    net = Net()
    net(np.ones((2, 3), np.float32)).sum().backward()
    before = list(net.parameters())
    assert net.double() is net
    assert all(p is q for p, q in zip(net.parameters(), before, strict=True))
    assert {p.dtype.name for p in net.parameters()} == {p.grad.dtype.name for p in net.parameters()} == {"float64"}
    assert net.steps.dtype == np.int64
    assert net.scratch.dtype == np.float64
    assert net(np.ones((2, 3))).dtype == np.float64
    assert {p.dtype.name for p in net.half().parameters()} == {"float16"}
    assert {p.dtype.name for p in net.float().parameters()} == {"float32"}
    with pytest.raises(TypeError, match="float or complex dtype; got int32"):
        net.to(np.int32)


# ---------------------------------------------------------------------- state


def test_state_shares_memory_and_leaves_out_what_is_transient():
    net = Net()
    state = net.state_dict()
    assert set(state) == {"first.weight", "first.bias", "second.weight", "scale", "steps"}
    assert np.shares_memory(state["scale"].numpy(), net.scale.numpy())
    assert not state["scale"].requires_grad
    assert list(net.first.state_dict(prefix="a.")) == ["a.weight", "a.bias"]


def test_a_state_loads_in_place_and_is_cast():
    net, other = Net(), Net()
    held = net.first.weight.numpy()
    state = {name: value.numpy().astype(np.float64) for name, value in other.state_dict().items()}
    state["steps"] = np.array(7)
    assert net.load_state_dict(state) == ([], [])
    assert net.first.weight.numpy() is held
    assert np.array_equal(held, other.first.weight.numpy())
    assert held.dtype == np.float32
    assert net.steps.item() == 7


def test_all_that_does_not_fit_is_reported_and_nothing_is_loaded():
    net = Net()
    before = {name: value.numpy().copy() for name, value in net.state_dict().items()}
    state: dict[str, Any] = {name: np.full(value.shape, 5.0) for name, value in net.state_dict().items()}
    del state["scale"], state["steps"]
    state["first.bias"] = np.ones(9)
    state["second.weight"] = np.ones((2, 4), complex)
    state["extra"] = np.ones(1)
    with pytest.raises(RuntimeError) as caught:
        net.load_state_dict(state)
    for text in (
        "does not fit Net", "missing: ", "scale", "steps", "unexpected: extra", "first.bias of shape (9,), not (4,)",
        "second.weight of dtype complex128, not float32",
    ):  # fmt: skip
        assert text in str(caught.value)
    for name, value in net.state_dict().items():
        assert np.array_equal(value.numpy(), before[name])
    del state["first.bias"], state["second.weight"]
    found = net.load_state_dict(state, strict=False)
    assert set(found.missing_keys) == {"first.bias", "second.weight", "scale", "steps"}
    assert found.unexpected_keys == ["extra"]
    assert net.first.weight.numpy().min() == 5


def test_loading_under_a_recorded_graph_is_noticed():
    layer = nn.Linear(2, 2)
    y = layer(Tensor(np.ones((1, 2), np.float32), requires_grad=True)).sum()
    layer.load_state_dict(nn.Linear(2, 2).state_dict())
    with pytest.raises(RuntimeError, match="changed it in place"):
        y.backward()


def test_copies_are_independent_and_whole():
    net = Net()
    net(np.ones((2, 3), np.float32)).sum().backward()
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert list(twin.state_dict()) == list(net.state_dict())
        assert np.array_equal(twin.first.weight.numpy(), net.first.weight.numpy())
        twin.first.weight.data[...] = 0
        assert net.first.weight.numpy().any()
        x = np.ones((1, 3), np.float32)
        twin(x).sum().backward()
    shared = nn.Sequential(net.first, net.first)
    twin = copy.deepcopy(shared)
    assert twin[0] is twin[1]


# ---------------------------------------------------------------------- text


def test_repr():
    assert repr(Net()) == (
        "Net(\n"
        "  (first): Linear(in_features=3, out_features=4, bias=True)\n"
        "  (act): Tanh()\n"
        "  (second): Linear(in_features=4, out_features=2, bias=False)\n"
        ")"
    )
    assert repr(nn.Sequential(nn.Sequential(nn.ReLU()))) == ("Sequential(\n  (0): Sequential(\n    (0): ReLU()\n  )\n)")
    assert repr(nn.Softmax(1)) == "Softmax(dim=1)"


# ---------------------------------------------------------------------- sequences and linear layers


def test_a_sequence_calls_its_modules_in_turn():
    layers = [nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)]
    net = nn.Sequential(*layers)
    x = np.ones((5, 3), np.float32)
    expected = layers[2](layers[1](layers[0](x))).numpy()
    assert np.array_equal(net(x).numpy(), expected)
    assert nn.Sequential()(x) is x
    named = nn.Sequential({"in": layers[0], "out": layers[2]})
    assert named[1] is layers[2]
    assert list(named[:1].state_dict()) == ["in.weight", "in.bias"]
    assert net[-1] is layers[2]
    assert [type(m).__name__ for m in net[::2]] == ["Linear", "Linear"]
    net[1] = nn.Tanh()
    net.insert(0, nn.Identity()).append(nn.Sigmoid())
    assert [type(m).__name__ for m in net] == ["Identity", "Linear", "Tanh", "Linear", "Sigmoid"]
    assert type(net.pop()).__name__ == "Sigmoid"
    del net[0]
    assert len(net + [nn.ReLU()]) == 4  # noqa: RUF005
    with pytest.raises(IndexError, match="index 5 of a Sequential of 3"):
        net[5]
    with pytest.raises(TypeError, match="is a module"):
        nn.Sequential(np.tanh)


@pytest.mark.parametrize("shape", [(3,), (5, 3), (2, 5, 3), (0, 3), (2, 0, 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_linear_layers(shape, bias):
    layer = nn.Linear(3, 2, bias, dtype=np.float64)
    x = np.random.default_rng(0).normal(size=shape)
    out = layer(Tensor(x))
    expected = x @ layer.weight.numpy().T + (layer.bias.numpy() if bias else 0)
    np.testing.assert_allclose(out.numpy(), expected, rtol=1e-14)
    out.sum().backward()
    assert layer.weight.grad.shape == (2, 3)


def test_linear_layers_start_in_float32_from_the_seed():
    manual_seed(5)
    first = nn.Linear(100, 30)
    manual_seed(5)
    second = nn.Linear(100, 30)
    assert first.weight.dtype == np.float32
    assert np.array_equal(first.weight.numpy(), second.weight.numpy())
    assert 0.095 < np.abs(first.weight.numpy()).max() <= 0.1
    assert not np.array_equal(first.weight.numpy(), nn.Linear(100, 30).weight.numpy())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.Linear(-1, 2), "sizes cannot be negative"),
        (lambda: nn.Linear(3, 2)(np.ones((5, 4))), r"weights \(2, 3\) takes inputs of shape \(…, 3\); got \(5, 4\)"),
        (lambda: nn.functional.linear(np.ones(3), np.ones(3)), r"\(n_out, n_in\); got \(3,\)"),
        (lambda: nn.functional.linear(np.ones(3), np.ones((2, 3)), np.ones(3)), r"biases of shape \(2,\); got \(3,\)"),
        (lambda: nn.functional.linear(np.array(1.0), np.ones((2, 3))), r"got \(\)"),
    ],
)
def test_misfits_are_explained(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---------------------------------------------------------------------- files


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "int64", "uint8", "bool"])
def test_files_give_back_what_was_saved(tmp_path, dtype):
    rng = np.random.default_rng(0)
    state = {
        "turned": Tensor((rng.normal(size=(3, 4)) * 9).astype(dtype).T),
        "scalar": np.array(1, dtype),
        "empty": np.zeros((0, 2), dtype),
    }
    nn.save(state, tmp_path / "x.safetensors", metadata={"note": "é"})
    loaded = nn.load(tmp_path / "x.safetensors")
    assert set(loaded) == set(state)
    for name, value in state.items():
        expected = value.numpy() if isinstance(value, Tensor) else value
        assert loaded[name].dtype == expected.dtype
        assert np.array_equal(loaded[name].numpy(), expected)
        assert loaded[name].shape == expected.shape


def test_a_saved_file_is_as_readable_as_any_other(tmp_path):
    nn.save({"a": np.ones(2)}, tmp_path / "x.safetensors")
    (tmp_path / "plain").write_text("")
    assert (tmp_path / "x.safetensors").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "x.safetensors"
    nn.save({"a": np.ones(2)}, path)
    for wrong, error in (({"a": np.ones(2, complex)}, ValueError), ({"a": 3}, TypeError), ([np.ones(2)], TypeError)):
        with pytest.raises(error):
            nn.save(wrong, path)
    assert nn.load(path)["a"].tolist() == [1, 1]
    assert [p.name for p in tmp_path.iterdir()] == ["x.safetensors"]


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"not tensors")
    with pytest.raises(ValueError, match="is no safetensors file"):
        nn.load(path)
    with pytest.raises(FileNotFoundError):
        nn.load(tmp_path / "nothing")


def test_the_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "safetensors", None)
    monkeypatch.setitem(__import__("sys").modules, "safetensors.numpy", None)
    with pytest.raises(ImportError, match=r'pip install "chainrule\[files\]"'):
        nn.save({"a": np.ones(2)}, tmp_path / "x")
