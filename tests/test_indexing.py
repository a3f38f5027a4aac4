"""Indexing: values and memory as NumPy's, gradients through repeats and masks, assignment right or refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograd.numpy as anp
from autograd import Dual, Tensor, grad, hessian, jacobian, jvp, no_grad
from autograd.numpy import indexing

A = np.arange(24.0).reshape(2, 3, 4)
M = np.arange(12.0).reshape(3, 4)
V = np.array([3.0, -1.0, 2.0, 0.5])

INDICES: list[Any] = [
    0, -1, np.int64(1), slice(None), slice(None, None, -1), slice(-2, None), ..., None, (), (0, 1), (0, -1, 2),
    (slice(None), 1), (..., 0), (None, 0, ..., None), (slice(0, 0),), (slice(None), slice(None, None, 2), slice(1, 3)),
    [0, 1, 1], [], [True, False], ([0, 1, 0], [2, 2, 2]), ([0, 1], slice(None), [3, 0]), (0, slice(None), [1, 1]),
    (slice(None), [[0, 2], [2, 2]]), (..., [0, 0, -1]), (None, [1, 1], 0), np.array([[0, 1], [1, 1]]),
    (np.array([0, 1, 1]), np.array([[0], [2]])), A > 7, A[..., 0] > 3, (0, M > 5), (slice(None), [True, False, True]),
    ([True, False], [1, 1]), (A[..., 0] > 3, [0, 1, 2, 2, 0]), True, False, np.array(1),
    (np.array(0), np.array([1, 1])), np.zeros((0, 2), int), Tensor([1, 1, 0]), (Tensor(1), Tensor([0, 2])),
    [Tensor(0), 1, 1], slice(Tensor(1), None),
]  # fmt: skip


def plain(index: Any) -> Any:
    if isinstance(index, slice):
        return slice(*(None if e is None else int(e) for e in (index.start, index.stop, index.step)))
    return indexing.settled(index)


def naive_transpose(g: np.ndarray, index: Any, shape: tuple[int, ...]) -> np.ndarray:
    out = np.zeros(shape)
    np.add.at(out, index, g)
    return out


@pytest.mark.parametrize("index", INDICES, ids=lambda index: repr(index)[:40])
def test_reading(index):
    rng = np.random.default_rng(1)
    x = Tensor(A, requires_grad=True)
    y = x[index]
    expected = A[plain(index)]
    assert np.array_equal(y.numpy(), expected)
    assert y.shape == expected.shape
    g = rng.normal(size=y.shape)
    y.backward(g)
    np.testing.assert_allclose(x.grad.numpy(), naive_transpose(g, plain(index), A.shape))
    v = rng.normal(size=A.shape)
    np.testing.assert_allclose(jvp(lambda a: a[index], (A,), (v,))[1], v[plain(index)])


@pytest.mark.parametrize("index", INDICES, ids=lambda index: repr(index)[:40])
def test_writing(index):
    rng = np.random.default_rng(2)
    place = plain(index)
    region = A[place].shape
    value, g, v, u = rng.normal(size=region), *rng.normal(size=(2, *A.shape)), rng.normal(size=region)

    def numpy_way(a, b):
        out = a.copy()
        out[place] = b
        return out

    x, y = Tensor(A, requires_grad=True), Tensor(value, requires_grad=True)
    h = x.copy()
    h[index] = y
    assert np.array_equal(h.numpy(), numpy_way(A, value))
    h.backward(g)
    # The map is linear in both arguments together: ⟨g, f(v, u)⟩ = ⟨fᵀ(g), (v, u)⟩.
    pushed = numpy_way(v, u)
    pulled = np.sum(x.grad.numpy() * v) + (0 if y.grad is None else np.sum(y.grad.numpy() * u))
    np.testing.assert_allclose(pulled, np.sum(g * pushed))
    buffer = A.copy()
    plain_tensor = Tensor(buffer)
    plain_tensor[index] = value
    assert np.array_equal(buffer, numpy_way(A, value))

    def forward(a, b):
        a = a.copy()
        a[index] = b
        return a

    np.testing.assert_allclose(jvp(forward, (A, value), (v, u))[1], pushed)
    filled = jvp(lambda b: forward(np.full_like(b, 1.0, shape=A.shape), b), (value,), (u,))[1]
    np.testing.assert_allclose(filled, numpy_way(np.zeros(A.shape), u))


def test_other_dtypes():
    x = Tensor(V.astype(np.float32), requires_grad=True)
    y = x[[0, 0, 2]]
    y.backward(np.ones(3, np.float32))
    assert y.dtype == x.grad.dtype == np.float32
    assert x.grad.tolist() == [2, 0, 1, 0]
    z = Tensor(M + 1j * M, requires_grad=True)
    z[:, [1, 1]].backward(np.full((3, 2), 1 + 2j))
    assert z.grad.tolist() == [[0, 2 + 4j, 0, 0]] * 3
    assert isinstance(Tensor(np.arange(4))[1:], Tensor)
    assert isinstance(Tensor([True, False])[0], Tensor)


def test_many_repeats_in_large_tables():
    rng = np.random.default_rng(0)
    table, rows = rng.normal(size=(50, 7)), rng.integers(-50, 50, (30, 11))
    x = Tensor(table, requires_grad=True)
    g = rng.normal(size=(30, 11, 7))
    x[rows].backward(g)
    np.testing.assert_allclose(x.grad.numpy(), naive_transpose(g, rows, table.shape))


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint64])
def test_narrow_index_dtypes(dtype):
    rows = np.array([100, 100, 3], dtype)
    x = Tensor(np.ones((300, 40)), requires_grad=True)
    (x[rows].sum() + np.take(x, rows, axis=0, mode="wrap").sum() + np.take(x, rows, mode="clip").sum()).backward()
    expected = np.zeros((300, 40))
    expected[100], expected[3] = 4, 2
    expected[2, 20] += 2
    expected[0, 3] += 1
    assert np.array_equal(x.grad.numpy(), expected)


def test_second_order_through_repeats():
    def f(x):
        return np.sum(x[[0, 1, 1]] ** 3) + np.sum(x[x > 0] ** 2) * x[-1]

    h = hessian(f)(V)
    step = 1e-6
    numeric = np.stack([(grad(f)(V + step * e) - grad(f)(V - step * e)) / (2 * step) for e in np.eye(4)])
    np.testing.assert_allclose(h, numeric, rtol=1e-7, atol=1e-7)


def test_a_list_that_changes_later_does_not_change_the_gradient():
    x, index = Tensor(V, requires_grad=True), [0, 1]
    y = x[index]
    index[0] = 3
    y.sum().backward()
    assert x.grad.tolist() == [1, 1, 0, 0]


def test_views_and_copies():
    x = Tensor(M.copy())
    assert np.shares_memory(x[1:], x)
    assert not np.shares_memory(x[[0, 1]], x)
    assert not np.shares_memory(x[x > 2], x)
    x[1:][0, 0] = 50
    assert x[1, 0].item() == 50


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (7, "out of bounds"),
        ((0, 0, 0, 0), "too many indices"),
        (1.5, "only integers"),
        ([0, 9], "out of bounds"),
        (np.ones(3, bool), "boolean index did not match"),
        ("a", "only integers"),
        (Tensor([0.0, 1.0], requires_grad=True), "integer"),
        ([Tensor(1.0, requires_grad=True)], "integer"),
    ],
)
def test_wrong_indices(index, message):
    x = Tensor(A, requires_grad=True)
    with pytest.raises(IndexError, match=message):
        x[index]
    with pytest.raises(IndexError):
        x.copy()[index] = x[0, 0, 0]
    with pytest.raises(IndexError):
        x.detach()[index] = 1.0


# ---------------------------------------------------------------------- writing


def test_repeated_indices_the_last_one_wins():
    value = Tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    buffer = Tensor(np.zeros(3))
    buffer[[1, 0, 1, 1]] = value
    assert buffer.tolist() == [2, 4, 0]
    (buffer * np.array([10.0, 20.0, 30.0])).sum().backward()
    assert value.grad.tolist() == [0, 10, 0, 20]


def test_a_value_that_broadcasts_gets_the_sum():
    x = Tensor(M, requires_grad=True)
    for shape, expected in (((), 6), ((1,), [6]), ((2, 1), [[3], [3]]), ((3,), [2, 2, 2]), ((1, 1, 3), [[[2, 2, 2]]])):
        value = Tensor(np.ones(shape), requires_grad=True)
        h = x * 1
        h[:2, 1:] = value
        h.sum().backward()
        assert np.array_equal(value.grad.numpy(), expected)
        assert x.grad.tolist() == [[1, 0, 0, 0], [1, 0, 0, 0], [1, 1, 1, 1]]
        x.grad = None


def test_values_of_every_kind():
    h = Tensor(np.zeros(4), requires_grad=True) * 1
    s = Tensor(2.0, requires_grad=True)
    h[0] = 5
    h[1:3] = [1.0, s]
    h[3] = np.float32(7)
    assert h.tolist() == [5, 1, 2, 7]
    h.sum().backward()
    assert s.grad.item() == 1
    buffer = Tensor(np.zeros(2))
    buffer[:] = (s, 3.0)
    assert buffer.requires_grad
    whole = Tensor(np.arange(3))
    whole[0] = 2.7  # as NumPy: integers are cut off
    whole[1:] = [True, False]
    assert whole.tolist() == [2, 1, 0]
    nought = Tensor(np.float64(3.0))
    nought[...] = 4
    assert nought.item() == 4


def test_what_was_read_before_stays_right():
    x = Tensor(V, requires_grad=True)
    h = x * 2
    squares = h * h
    h[0] = 100.0
    (squares.sum() + h.sum()).backward()
    assert np.allclose(x.grad.numpy(), 8 * V + 2 * (np.arange(4) > 0))


def test_dtypes_that_do_not_fit_are_refused_and_nothing_changes():
    x = Tensor(V, requires_grad=True)
    h = x * 1
    for value in (1j, np.array([1j]), Tensor(1j, requires_grad=True)):
        with pytest.raises(TypeError, match="complex"):
            h[0] = value
    t = Tensor(np.zeros(2))
    with pytest.raises(TypeError, match="complex"):
        t[0] = 1j
    with pytest.raises(TypeError, match="dtype float64 into an array of dtype int64"):
        Tensor(np.zeros(2, int))[0] = x[0]
    with pytest.raises(ValueError, match="broadcast"):
        h[:2] = np.ones(3)
    with pytest.raises(ValueError, match="broadcast"):
        t[:] = np.ones(3)
    assert h.tolist() == V.tolist()
    assert t.tolist() == [0, 0]
    low = Tensor(np.zeros(2, np.float32))
    low[0] = x[0]
    assert low.dtype == np.float32
    low.sum().backward()
    assert x.grad.tolist() == [1, 0, 0, 0]
    assert x.grad.dtype == np.float64


def test_leaves_and_views_are_refused():
    x = Tensor(V.copy(), requires_grad=True)
    with pytest.raises(RuntimeError, match="leaf tensor"):
        x[0] = 1
    h = x * 1
    view = h[1:]
    for target in (h, view):
        with pytest.raises(RuntimeError, match="share this tensor's memory"):
            target[0] = 1.0
    assert h.tolist() == V.tolist()
    del view, target
    h[0] = 1.0
    assert h.tolist() == [1, -1, 2, 0.5]


def test_unrecorded_writes_are_noticed():
    x = Tensor(V.copy(), requires_grad=True)
    y = (x * x).sum()
    with no_grad():
        x[1] = 9.0
    with pytest.raises(RuntimeError, match=r"'x\[\.\.\.\] = y' changed it in place at .*test_indexing\.py:\d+"):
        y.backward()


def test_forward_mode_writes():
    def f(x):
        out = np.zeros_like(x)
        out[1:] = x[:-1] ** 2
        out[0] = 5.0
        out[[1, 1]] = [x[3], x[2]]
        return out

    value, tangent = jvp(f, (V,), (np.ones(4),))
    assert value.tolist() == [5, 2, 1, 4]
    assert tangent.tolist() == [0, 1, -2, 4]
    assert np.allclose(jacobian(f)(V) @ np.ones(4), tangent)


def test_forward_mode_does_not_write_into_views():
    def f(x):
        out = np.zeros_like(x)
        part = out[1:]
        part[0] = x[0]
        return out

    with pytest.raises(RuntimeError, match="is a view of"):
        jvp(f, (V,), (V,))


def test_forward_mode_does_not_mix_levels():
    outer, inner = Dual(V.copy(), np.ones(4), 1), Dual(np.float64(1.0), np.float64(1.0), 2)
    with pytest.raises(TypeError, match="inner derivative into an array of an outer one"):
        outer[0] = inner
    inner_array = Dual(V.copy(), np.ones(4), 2)
    inner_array[0] = outer[1]
    assert inner_array.level == 2
    assert inner_array.primal.tangent.tolist() == [1, 0, 0, 0]
    assert inner_array.tangent.tolist() == [0, 1, 1, 1]


# ---------------------------------------------------------------------- gathers


@pytest.mark.parametrize(
    "f",
    [
        lambda a: np.take(a, 1),
        lambda a: np.take(a, [0, 5, 5, -1]),
        lambda a: np.take(a, [[0, 1], [1, 1]], axis=1),
        lambda a: np.take(a, 2, axis=-1),
        lambda a: np.take(a, [], axis=0),
        lambda a: np.take(a, [True, False, True], axis=1),
        lambda a: np.take(a, [-9, 9], axis=1, mode="wrap"),
        lambda a: np.take(a, [-9, 9], axis=1, mode="clip"),
        lambda a: np.take(a, Tensor([0, 2]), axis=1) if isinstance(a, (Tensor, Dual)) else np.take(a, [0, 2], axis=1),
        lambda a: a.take([0, 1], 2),
        lambda a: np.take_along_axis(a, np.array([[[0], [2], [2]]]), 2),
        lambda a: np.take_along_axis(a, np.array([[[2, 1, 1, 0], [0, 0, 0, 0]]] * 2), -2),
        lambda a: np.take_along_axis(a, np.array([3, 3, 23]), None),
        lambda a: np.compress([True, False, True], a, axis=1),
        lambda a: np.compress([False, True, True], a),
        lambda a: a.compress([False, True], 0),
        lambda a: np.extract(A > 5, a),
        lambda a: np.delete(a, [0, 2], axis=1),
        lambda a: np.delete(a, slice(1, None, 2)),
        lambda a: np.delete(a, -1, 0),
        lambda a: np.sort(a, 1),
        lambda a: np.sort(a, None),
        lambda a: np.sort(np.flip(a), stable=True),
    ],
)
def test_gathers(f):
    rng = np.random.default_rng(4)
    x = Tensor(A, requires_grad=True)
    y = f(x)
    assert np.array_equal(y.numpy(), f(A))
    assert y.shape == f(A).shape
    g = rng.normal(size=y.shape)
    y.backward(g)
    shift = 1e-3 * rng.normal(size=A.shape)  # too small to change an order
    np.testing.assert_allclose(np.sum(x.grad.numpy() * shift), np.sum(g * (f(A + shift) - f(A))), atol=1e-12)
    np.testing.assert_allclose(jvp(f, (A,), (shift,))[1], f(A + shift) - f(A), atol=1e-12)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda t: np.take(t, 50), IndexError, "out of bounds"),
        (lambda t: np.take(t, 1.5), IndexError, "integer"),
        (lambda t: np.take(t, 0, mode="spin"), ValueError, "mode 'raise', 'wrap' or 'clip'"),
        (lambda t: np.take(t, 0, out=np.zeros(())), TypeError, "out="),
        (lambda t: np.take(t, 0, axis=5), ValueError, "out of bounds"),
        (lambda t: np.take_along_axis(t, np.zeros((3, 4)), 0), IndexError, "integer indices; got dtype float64"),
        (lambda t: np.take_along_axis(t, np.array([0]), 0), ValueError, r"as many axes; got \(1,\)"),
        (lambda t: np.compress(M > 3, t, 0), ValueError, "1-d"),
        (lambda t: np.sort(t, order="f"), TypeError, "fields"),
        (lambda t: np.put_along_axis(t, np.zeros((3, 1), int), 0, 1), TypeError, "np.put_along_axis is not diff"),
        (lambda t: np.put(t, 0, 1), TypeError, "np.put is not differentiable"),
        (lambda t: np.copyto(np.zeros((3, 4)), t), TypeError, "np.copyto is not differentiable"),
        (lambda t: t.sort(), AttributeError, "no differentiable 'sort'"),
        (lambda t: t.put(0, 1), AttributeError, "no differentiable 'put'"),
    ],
)
def test_errors_of_gathers(call, error, message):
    with pytest.raises(error, match=message):
        call(Tensor(M, requires_grad=True))


def test_sort_keeps_equal_entries_in_order():
    x = Tensor([2.0, 1.0, 2.0, 1.0], requires_grad=True)
    np.sort(x).backward(np.array([1.0, 2, 3, 4]))
    assert x.grad.tolist() == [3, 1, 4, 2]


def test_indices_and_truth_values_are_plain():
    x = Tensor(M % 5, requires_grad=True)
    a = x.numpy()
    for name, args in (
        ("argmax", ()), ("argmax", (1,)), ("argmin", ()), ("argsort", (0,)), ("nonzero", ()), ("any", ()),
        ("all", (1,)), ("argpartition", (1,)),
    ):  # fmt: skip
        got, ours, expected = getattr(x, name)(*args), getattr(np, name)(x, *args), getattr(np, name)(a, *args)
        for each in (got, ours):
            assert not isinstance(each, Tensor)
            assert np.array_equal(each, expected)
    assert x[0].searchsorted(2.5) == 3
    assert np.searchsorted(np.arange(5.0), x[0]).tolist() == [0, 1, 2, 3]
    assert np.count_nonzero(x) == np.count_nonzero(a)
    assert np.argwhere(x).shape == (np.count_nonzero(a), 2)
    assert np.flatnonzero(x).tolist() == np.flatnonzero(a).tolist()
    assert np.allclose(x, a)
    assert np.isclose(x, a).all()
    assert np.array_equal(x, a)
    assert np.unravel_index(np.argmax(x), x.shape) == (1, 0)
    assert np.lexsort(x).tolist() == np.lexsort(a).tolist()
    assert np.digitize(x[0], [1.5]).tolist() == [0, 0, 1, 1]
    assert not np.isposinf(x).any()
    assert np.isin(x, [1.0]).sum() == np.isin(a, [1.0]).sum()


def test_plain_arrays_stay_plain():
    for name, args in (
        ("take", (V, [0, 1])), ("take_along_axis", (V, np.array([1]), 0)), ("sort", (V,)), ("delete", (V, 0)),
        ("compress", ([True], V)), ("extract", (V > 0, V)),
    ):  # fmt: skip
        got, expected = getattr(anp, name)(*args), getattr(np, name)(*args)
        assert type(got) is np.ndarray
        assert np.array_equal(got, expected)
    assert type(indexing.set_item(V, 0, 1.0)) is np.ndarray
    assert indexing.scatter(np.ones(2), np.array([1, 1]), (3,)).tolist() == [0, 2, 0]
