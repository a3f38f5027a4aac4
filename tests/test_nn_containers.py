"""Lists and dicts of modules and parameters."""

from __future__ import annotations

import numpy as np
import pytest

import nn


def test_a_module_list_is_a_list_that_registers():
    layers = [nn.Linear(2, 2) for _ in range(3)]
    modules = nn.ModuleList(layers)
    assert list(modules) == layers
    assert len(modules) == 3
    assert (modules[0], modules[-1]) == (layers[0], layers[2])
    assert isinstance(modules[1:], nn.ModuleList)
    assert list(modules[1:]) == layers[1:]
    assert [name for name, _ in modules.named_parameters()][:2] == ["0.weight", "0.bias"]
    extra = nn.ReLU()
    assert list(modules + nn.ModuleList([extra])) == [*layers, extra]
    modules.append(extra).extend([nn.Tanh()])
    modules.insert(1, nn.Sigmoid())
    assert [type(m).__name__ for m in modules] == ["Linear", "Sigmoid", "Linear", "Linear", "ReLU", "Tanh"]
    del modules[1]
    assert modules.pop(0) is layers[0]
    assert [name for name, _ in modules.named_children()] == ["0", "1", "2", "3"]
    modules[0] = extra
    assert modules[0] is extra
    del modules[:2]
    assert len(modules) == 2
    with pytest.raises(IndexError, match="index 2 of a ModuleList of 2"):
        modules[2]
    with pytest.raises(TypeError, match="Module or None"):
        modules.append(np.tanh)
    with pytest.raises(NotImplementedError, match=r"ModuleList defines no forward\(\)"):
        modules(1.0)


def test_the_same_module_may_stand_in_a_list_twice():
    layer = nn.Linear(2, 2)
    modules = nn.ModuleList([layer, layer])
    assert len(modules) == 2
    assert len(list(modules.parameters())) == 2
    assert set(modules.state_dict()) == {"0.weight", "0.bias", "1.weight", "1.bias"}


def test_a_module_dict_is_a_dict_that_registers():
    modules = nn.ModuleDict({"a": nn.ReLU(), "b": nn.Linear(2, 1)})
    assert list(modules) == list(modules.keys()) == ["a", "b"]
    assert [type(m).__name__ for m in modules.values()] == ["ReLU", "Linear"]
    assert dict(modules.items())["b"] is modules["b"]
    assert "a" in modules
    assert "c" not in modules
    modules.update([("c", nn.Tanh())])
    modules["a"] = nn.Sigmoid()
    assert [(k, type(m).__name__) for k, m in modules.items()] == [("a", "Sigmoid"), ("b", "Linear"), ("c", "Tanh")]
    assert type(modules.pop("c")).__name__ == "Tanh"
    del modules["a"]
    assert list(modules.state_dict()) == ["b.weight", "b.bias"]
    with pytest.raises(KeyError):
        modules["a"]
    with pytest.raises(KeyError):
        del modules["a"]
    with pytest.raises(KeyError, match="has an attribute 'keys' already"):
        modules["keys"] = nn.ReLU()
    modules.clear()
    assert len(modules) == 0


def test_parameter_containers():
    values = nn.ParameterList([np.ones(2), nn.Parameter(np.zeros(3, np.float32))])
    assert [p.dtype.name for p in values] == ["float64", "float32"]
    assert all(isinstance(p, nn.Parameter) for p in values)
    values[0] = np.full(2, 5.0)
    assert [(name, p.shape) for name, p in values.named_parameters()] == [("0", (2,)), ("1", (3,))]
    assert values[0].tolist() == [5.0, 5.0]
    assert "(1): Parameter of shape (3,), float32" in repr(values)
    named = nn.ParameterDict({"w": np.ones(2)})
    named["v"] = np.zeros(1)
    assert list(named.state_dict()) == ["w", "v"]
    assert "(w): Parameter of shape (2,), float64" in repr(named)
    with pytest.raises(TypeError, match="int64"):
        values.append(np.ones(2, int))
