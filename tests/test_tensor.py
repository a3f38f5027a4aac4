"""What a Tensor is: an array's dtype and memory, conversions, printing, copies."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from autograd import Tensor


def test_holds_what_asarray_holds_without_a_copy():
    a = np.arange(3, dtype=np.float32)
    t = Tensor(a)
    assert t.numpy() is a
    assert t.dtype == np.float32
    assert Tensor([1, 2]).dtype == np.asarray([1, 2]).dtype
    assert Tensor(2.0).shape == ()
    assert Tensor(t).numpy() is a
    assert Tensor([1, 2], dtype=np.float32).dtype == np.float32


def test_refuses_what_is_no_number():
    for bad in ("abc", None, object(), [None], np.array(["a"]), {}):
        with pytest.raises(TypeError, match="numbers"):
            Tensor(bad)


def test_does_not_drop_a_graph_in_silence():
    x = Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(TypeError, match=r"\.numpy\(\) or t\.detach"):
        np.asarray(x)
    with pytest.raises(TypeError, match="drop the graph"):
        Tensor(x)
    assert np.asarray(x.detach()).tolist() == [1, 2]
    assert x.numpy().tolist() == [1, 2]
    assert np.asarray(Tensor([1.0]), dtype=np.float32).dtype == np.float32


def test_python_scalars_are_weak_and_arrays_are_not():
    x = Tensor(np.float32([1, 2]), requires_grad=True)
    for y in (x * 2.0, 2.0 * x, x + 1, 1 - x, x / 3, 2 / x, x**2, 2**x, x**0.5, -x, abs(x), x % 1.5, x // 0.5):
        assert y.dtype == np.float32, y
    assert (x * np.float64(2)).dtype == np.float64
    assert (x * np.ones(2)).dtype == np.float64
    assert (np.ones(2) * x).dtype == np.float64
    assert (np.float64(2) * x).dtype == np.float64
    assert (Tensor(np.float16([1])) * 2.0).dtype == np.float16


def test_shape_and_conversions():
    t = Tensor(np.arange(6.0).reshape(2, 3))
    assert (t.shape, t.ndim, t.size, t.itemsize, t.nbytes, len(t)) == ((2, 3), 2, 6, 8, 48, 2)
    assert t.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert t.item(4) == 4.0
    assert [row.tolist() for row in t] == t.tolist()
    assert 5.0 in t
    assert 7 not in t
    s = Tensor(2.5)
    assert (float(s), int(s), complex(s), bool(s)) == (2.5, 2, 2.5 + 0j, True)
    assert [10, 20][Tensor(1)] == 20
    assert f"{s:.2f}" == "2.50"
    with pytest.raises(TypeError, match="0-d"):
        len(s)
    with pytest.raises(TypeError, match="0-d"):
        iter(s)
    with pytest.raises(ValueError, match="ambiguous"):
        bool(t)


def test_repr_tells_what_matters():
    assert repr(Tensor([1.0, 2.0])) == "Tensor([1., 2.])"
    assert repr(Tensor(np.float32([1]), requires_grad=True)) == "Tensor([1.], dtype=float32, requires_grad=True)"
    x = Tensor(0.5, requires_grad=True, name="x")
    assert repr(x) == "Tensor(0.5, name='x', requires_grad=True)"
    assert repr(x * 2) == "Tensor(1., made by multiply)"
    assert repr(Tensor(np.zeros((0, 3)))) == "Tensor([], shape=(0, 3))"


def test_comparisons_give_plain_arrays_and_hashing_is_by_identity():
    x = Tensor([1.0, 2.0], requires_grad=True)
    assert type(x > 1) is np.ndarray
    assert (x == Tensor([1.0, 3.0])).tolist() == [True, False]
    assert (x > 1.5).tolist() == [False, True]
    assert (~(x > 1) | (x != 2.0)).tolist() == [True, False]
    assert len({x, x, Tensor([1.0, 2.0])}) == 2


def test_detach_shares_memory():
    x = Tensor([1.0, 2.0], requires_grad=True)
    d = x.detach()
    assert not d.requires_grad
    assert np.shares_memory(d.numpy(), x.numpy())
    assert np.shares_memory(x.data.numpy(), x.numpy())


def test_requires_grad_can_be_turned_on_and_off_for_leaves():
    t = Tensor([1.0])
    assert t.requires_grad_() is t
    assert t.is_leaf
    y = t * 2
    assert y.requires_grad
    assert not y.is_leaf
    with pytest.raises(RuntimeError, match="detach"):
        y.requires_grad = False
    t.requires_grad_(False)
    assert not (t * 2).requires_grad


def test_grad_can_be_set_and_is_checked():
    x = Tensor(np.float32([1, 2]), requires_grad=True)
    x.grad = np.float32([3, 4])
    assert isinstance(x.grad, Tensor)
    for bad in (np.float32([1]), np.ones(2)):
        with pytest.raises(ValueError, match="for a tensor of shape"):
            x.grad = bad
    assert x.grad.tolist() == [3, 4]
    del x.grad
    assert x.grad is None


def test_data_can_be_replaced():
    x = Tensor([1.0, 2.0], requires_grad=True)
    x.data = np.array([5.0, 6.0])
    assert x.tolist() == [5, 6]
    assert x.requires_grad
    with pytest.raises(ValueError, match="shape"):
        x.data = np.ones(3)
    with pytest.raises(RuntimeError, match="leaf"):
        (x * 2).data = np.ones(2)


def test_leaves_copy_and_pickle():
    x = Tensor(np.float32([1, 2]), requires_grad=True, name="x")
    (x * 3).sum().backward()
    for twin in (copy.deepcopy(x), pickle.loads(pickle.dumps(x)), copy.copy(x)):
        assert twin.tolist() == [1, 2]
        assert twin.dtype == np.float32
        assert twin.requires_grad
        assert twin.name == "x"
    deep = copy.deepcopy(x)
    assert deep.grad.tolist() == [3, 3]
    assert not np.shares_memory(deep.numpy(), x.numpy())
    for refuse in (copy.deepcopy, pickle.dumps):
        with pytest.raises(RuntimeError, match="leaf"):
            refuse(x * 2)


def test_foreign_operands_are_left_to_python():
    class Reflects:
        def __radd__(self, other):
            return "reflected"

    x = Tensor([1.0], requires_grad=True)
    assert x + Reflects() == "reflected"
    for bad in ("a", None, object(), {}):
        with pytest.raises(TypeError, match="unsupported operand"):
            x + bad
        with pytest.raises(TypeError, match="unsupported operand"):
            bad - x
    with pytest.raises(TypeError, match="'add' does not take a str"):
        np.add(x, "a")


def test_shape_mismatch_names_operation_and_shapes():
    with pytest.raises(ValueError, match="broadcast") as caught:
        Tensor(np.ones(3)) * np.ones(2)
    assert "in the operation 'multiply' on float64 of shape (3,), float64 of shape (2,)" in caught.value.__notes__[0]


def test_unknown_array_methods_are_named():
    with pytest.raises(AttributeError, match="no differentiable 'partition'"):
        Tensor([1.0]).partition(0)
    with pytest.raises(AttributeError, match="nonsense"):
        Tensor([1.0]).nonsense  # noqa: B018
