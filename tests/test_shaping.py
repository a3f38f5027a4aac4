"""Shaping, joining, padding, diagonals, creation: values and memory as NumPy's, gradients as transposes."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pytest

import autograd.numpy as anp
from autograd import Tensor, grad, hessian, jvp, no_grad
from autograd.numpy import diagonals, joining, padding, shaping

A = np.arange(24.0).reshape(2, 3, 4)
M = np.arange(12.0).reshape(3, 4)
V = np.arange(1.0, 5.0)
Z = np.array(2.5)


def parts_of(result: Any) -> list[Any]:
    return list(result) if isinstance(result, (list, tuple)) else [result]


def inner(g: Any, x: Any) -> float:
    return float(np.sum(np.conj(g) * x).real)


def check(f: Any, *inputs: Any) -> None:
    """A linear function on tensors: NumPy's values, ``⟨g, f(v)⟩ = ⟨fᵀ(g), v⟩``, and tangents ``f(v)``."""
    rng = np.random.default_rng(3)
    expected = parts_of(f(*inputs))
    tensors = [Tensor(x, requires_grad=True) for x in inputs]
    result = f(*tensors)
    assert type(result) is type(f(*inputs)) or isinstance(result, Tensor)
    outs = parts_of(result)
    assert len(outs) == len(expected)
    v = [np.empty_like(x) for x in inputs]  # in the same layout, which orders "A" and "K" go by
    for u in v:
        u[...] = rng.normal(size=u.shape)
    pushed = parts_of(f(*v))
    total = 0.0
    for out, value, tangent in zip(outs, expected, pushed, strict=True):
        assert isinstance(out, Tensor)
        assert out.shape == np.shape(value)
        assert out.dtype == value.dtype
        np.testing.assert_array_equal(out.numpy(), value)
        g = rng.normal(size=out.shape).astype(out.dtype)
        if out.dtype.kind == "c":
            g = g + 1j * rng.normal(size=out.shape)
        out.backward(g, retain_graph=True)
        total += inner(g, tangent)
    pulled = sum(inner(x.grad.numpy(), u) for x, u in zip(tensors, v, strict=True))
    np.testing.assert_allclose(pulled, total, rtol=1e-5 if inputs[0].dtype == np.float32 else 1e-12, atol=1e-12)
    for x in tensors:
        assert x.grad.dtype == x.dtype
    _, forward = jvp(lambda *xs: f(*xs), inputs, tuple(v))
    for got, tangent in zip(parts_of(forward), pushed, strict=True):
        np.testing.assert_allclose(got, tangent)


# ---------------------------------------------------------------------- one array


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (lambda a: np.reshape(a, (4, -1)), A),
        (lambda a: np.reshape(a, 24, order="F"), A),
        (lambda a: np.reshape(a, (4, 3), "A"), np.asfortranarray(M)),
        (lambda a: a.reshape(6, -1), A),
        (lambda a: a.reshape((6, 4), order="F"), A),
        (lambda a: a.reshape(-1), Z),
        (lambda a: a.reshape(()), np.ones((1, 1))),
        (lambda a: a.reshape(0, 3), np.ones((3, 0))),
        (lambda a: np.ravel(a, "K"), A.transpose(1, 2, 0)),
        (lambda a: np.ravel(a, "K"), A[:, ::-1, ::2]),
        (lambda a: np.ravel(a, "A"), np.asfortranarray(M)),
        (lambda a: a.ravel(), M.T),
        (lambda a: a.flatten(), M),
        (lambda a: a.flatten("F"), M),
        (lambda a: a.flatten(order="K"), M.T),
        (lambda a: np.expand_dims(a, (0, 2)), M),
        (lambda a: np.squeeze(a), np.ones((1, 3, 1))),
        (lambda a: a.squeeze(axis=(0, -1)), np.ones((1, 3, 1))),
        (np.atleast_1d, Z),
        (np.atleast_2d, V),
        (np.atleast_3d, M),
        (lambda a: np.atleast_2d(a, a), Z),
        (lambda a: a.T, A),
        (lambda a: a.mT, A),
        (np.matrix_transpose, A),
        (np.linalg.matrix_transpose, A),
        (lambda a: np.transpose(a, [1, -1, 0]), A),
        (lambda a: a.transpose(2, 0, 1), A),
        (lambda a: a.transpose((2, 0, 1)), A),
        (lambda a: a.transpose(), A),
        (lambda a: a.transpose(None), A),
        (lambda a: a.transpose(0), V),
        (lambda a: a.T, Z),
        (lambda a: a.swapaxes(0, -1), A),
        (lambda a: np.moveaxis(a, (0, -1), (-1, 0)), A),
        (lambda a: np.moveaxis(a, 2, -3), A),
        (lambda a: np.rollaxis(a, 2, 1), A),
        (lambda a: np.rollaxis(a, 0, 3), A),
        (lambda a: np.rollaxis(a, -2, -3), A),
        (lambda a: np.broadcast_to(a, (2, 3, 4)), V),
        (lambda a: np.broadcast_to(a, (3, 0)), np.ones((3, 1))),
        (lambda a: np.broadcast_to(a, 3), Z),
        (lambda a: np.broadcast_arrays(a, a[:, None]), V),
        (lambda a: np.meshgrid(a, a[:2]), V),
        (lambda a: np.meshgrid(a, a[:2], a[1:], indexing="ij", sparse=True), V),
        (lambda a: np.meshgrid(a), V),
        (lambda a: np.flip(a, (0, -1)), A),
        (np.flipud, V),
        (np.fliplr, M),
        (lambda a: np.rot90(a, 3, (1, 2)), A),
        (lambda a: np.roll(a, (1, -2), (0, 2)), A),
        (lambda a: np.roll(a, 2, (0, 1)), A),
        (lambda a: np.roll(a, -7), M),
        (lambda a: np.tile(a, (2, 1, 3)), M),
        (lambda a: np.tile(a, 2), Z),
        (lambda a: np.tile(a, ()), M),
        (lambda a: np.tile(a, np.array([0, 2])), V),
        (lambda a: np.repeat(a, 2), M),
        (lambda a: a.repeat([0, 1, 3], axis=0), M),
        (lambda a: np.repeat(a, [2], axis=-1), M),
        (lambda a: np.repeat(a, 3), Z),
        (lambda a: np.pad(a, 1), M),
        (lambda a: np.pad(a, ((0, 2), (1, 0))), M),
        (lambda a: np.pad(a, (2, 1), "edge"), M),
        (lambda a: np.pad(a, 5, "reflect"), M),
        (lambda a: np.pad(a, 5, "symmetric"), M),
        (lambda a: np.pad(a, ((4, 0), (0, 9)), mode="wrap"), M),
        (lambda a: np.pad(a, 1), Z),
        (lambda a: np.diagonal(a, 1, -1, 0), A),
        (lambda a: a.diagonal(), M),
        (lambda a: np.trace(a, -1), M),
        (lambda a: a.trace(axis1=1, axis2=2), A),
        (lambda a: np.diag(a, -2), V),
        (lambda a: np.diag(a, 1), M),
        (lambda a: np.diagflat(a, 1), M),
        (lambda a: np.tril(a, -1), A),
        (lambda a: np.triu(a, 1), M),
        (np.triu, V),
        (np.copy, M),
        (lambda a: a.copy(), M.T),
        (lambda a: np.unstack(a, axis=1) if hasattr(np, "unstack") else joining.unstack(a, axis=1), A),
        (lambda a: np.split(a, 2, axis=-1), A),
        (lambda a: np.split(a, [1, 3], axis=1), M),
        (lambda a: np.split(a, [2, 1, -1], axis=1), M),
        (lambda a: np.array_split(a, 3, axis=1), M),
        (lambda a: np.array_split(a, 6), V),
        (lambda a: np.hsplit(a, 2), V),
        (lambda a: np.hsplit(a, [1]), M),
        (lambda a: np.vsplit(a, 3), M),
        (lambda a: np.dsplit(a, 2), A),
    ],
)  # fmt: skip
def test_one_array(f, x):
    check(f, x)
    check(f, x.astype(np.float32))
    check(f, x + 1j * x[..., ::-1] if x.ndim else x + 1j)


# ---------------------------------------------------------------------- several arrays


@pytest.mark.parametrize(
    ("f", "xs"),
    [
        (lambda a, b: np.concatenate([a, b], axis=-2), (M, M[:1])),
        (lambda a, b: np.concatenate((a, b), axis=None), (M, Z)),
        (lambda a, b: np.concatenate((a, b)), (np.ones(0), V)),
        (lambda a, b: np.stack([a, b], axis=-1), (M, M + 1)),
        (lambda a, b: np.stack([a, b]), (Z, Z)),
        (lambda a, b: np.vstack((a, b)), (V, M)),
        (lambda a, b: np.hstack((a, b)), (V, V)),
        (lambda a, b: np.hstack((a, b)), (M, M)),
        (lambda a, b: np.dstack((a, b)), (M, M)),
        (lambda a, b: np.column_stack((a, b)), (V[:3], M)),
        (lambda a, b: np.append(a, b), (M, V)),
        (lambda a, b: np.append(a, b, axis=0), (M, M)),
        (lambda a, b: np.block([[a, b], [b, a]]), (np.eye(2), np.ones((2, 2)))),
        (lambda a, b: np.block([a, b]), (V, Z)),
        (lambda a, b: np.block([[a, a], [b]]), (M[:, :2], V)),
        (lambda a, b: np.block([[[a], [b]]]), (M, M)),
    ],
)
def test_several_arrays(f, xs):
    check(f, *xs)
    check(f, *(x.astype(np.float32) for x in xs))


def test_mixed_operands_and_dtypes():
    x = Tensor(np.ones(2, np.float32), requires_grad=True)
    out = np.concatenate([x, [1.0, 2.0], np.arange(2), Tensor([5])])
    assert out.dtype == np.float64
    assert out.tolist() == [1, 1, 1, 2, 0, 1, 5]
    (out * np.arange(7)).sum().backward()
    assert x.grad.tolist() == [0, 1]
    assert x.grad.dtype == np.float32
    assert np.concatenate([x, x], dtype=np.float64).dtype == np.float64
    assert np.concatenate([x, np.ones(1, np.float32)]).dtype == np.float32
    assert np.stack([x.sum(), 2.0]).tolist() == [2, 2]
    w = Tensor(np.ones(2) + 1j, requires_grad=True)
    np.concatenate([x, w]).sum().backward(np.array(1 + 2j))
    assert x.grad.tolist() == [1, 2]  # the real part
    assert w.grad.tolist() == [1 + 2j, 1 + 2j]


def test_operands_without_a_gradient_get_none():
    x, c = Tensor(V, requires_grad=True), Tensor(V)
    (np.stack([c, x, x]) * np.array([[1.0], [2.0], [3.0]])).sum().backward()
    assert x.grad.tolist() == [5, 5, 5, 5]
    assert c.grad is None


def test_parts_of_a_split_may_be_left_unused():
    x = Tensor(M, requires_grad=True)
    _, middle, _ = np.split(x, [1, 2], axis=1)
    (middle * 3).sum().backward()
    assert np.array_equal(x.grad.numpy(), np.where(np.arange(4) == 1, 3.0, 0) * np.ones((3, 1)))


def test_constant_padding_takes_values():
    check_value = np.pad(M, ((1, 0), (0, 2)), constant_values=((1, 2), (3, 4)))
    x = Tensor(M, requires_grad=True)
    out = np.pad(x, ((1, 0), (0, 2)), constant_values=((1, 2), (3, 4)))
    assert np.array_equal(out.numpy(), check_value)
    out.sum().backward()
    assert np.array_equal(x.grad.numpy(), np.ones((3, 4)))
    value, tangent = jvp(lambda a: np.pad(a, 1, constant_values=7.0), (V,), (np.ones(4),))
    assert value.tolist() == [7, 1, 2, 3, 4, 7]
    assert tangent.tolist() == [0, 1, 1, 1, 1, 0]
    assert np.array_equal(np.pad(x, {0: 1, -1: (2, 0)}).numpy(), np.pad(M, ((1, 1), (2, 0))))


def test_torch_names():
    x = Tensor(A, requires_grad=True)
    assert x.unsqueeze(-1).shape == (2, 3, 4, 1)
    assert x.permute(2, 0, 1).shape == x.permute((2, 0, 1)).shape == (4, 2, 3)
    assert x[0, :1].expand(5, 3, -1).shape == (5, 3, 4)
    assert x.flatten(1).shape == (2, 12)
    assert x.flatten(start_dim=0, end_dim=1).shape == (6, 4)
    assert x.flatten(-2, -1).shape == (2, 12)
    assert [p.shape for p in x.unbind(1)] == [(2, 4)] * 3
    assert x.tile(2, 1, 1).shape == (4, 3, 4)
    assert x.clone().requires_grad
    assert x.float().dtype == np.float32
    assert x.half().dtype == np.float16
    assert x.float().double().dtype == np.float64
    assert x.double().requires_grad
    with pytest.raises(ValueError, match="comes after"):
        x.flatten(2, 1)
    with pytest.raises(ValueError, match="out of bounds"):
        x.flatten(3)


# ---------------------------------------------------------------------- dtypes


def test_astype():
    x = Tensor(V, requires_grad=True)
    y = x.astype(np.float32)
    (y * np.float32(2)).sum().backward()
    assert y.dtype == np.float32
    assert x.grad.dtype == np.float64
    assert x.grad.tolist() == [2] * 4
    assert type(x.astype(int)) is np.ndarray
    assert isinstance(Tensor(V).astype(int), Tensor)
    assert np.astype(x, complex).requires_grad
    same = x.astype(float, copy=False)
    assert np.shares_memory(same, x)
    with pytest.raises(TypeError, match="Cannot cast"):
        x.astype(int, casting="safe")
    with pytest.raises(ValueError, match="device"):
        np.astype(x, float, device="gpu")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
        z = Tensor(V + 1j, requires_grad=True)
        z.astype(float).sum().backward()
    assert z.grad.tolist() == [1, 1, 1, 1]


# ---------------------------------------------------------------------- memory


@pytest.mark.parametrize(
    "view",
    [
        lambda t: t.reshape(4, 6), lambda t: t.ravel(), lambda t: t.T, lambda t: t.transpose(1, 0, 2),
        lambda t: np.swapaxes(t, 0, 2), lambda t: np.moveaxis(t, 0, -1), lambda t: np.expand_dims(t, 1),
        lambda t: np.squeeze(np.expand_dims(t, 1)), lambda t: np.atleast_3d(t), lambda t: np.flip(t),
        lambda t: np.rot90(t), lambda t: np.broadcast_to(t, (2, 2, 3, 4)), lambda t: np.diagonal(t),
        lambda t: np.split(t, 2, axis=2)[1], lambda t: joining.unstack(t)[1], lambda t: t[1:], lambda t: t[..., None],
        lambda t: t.flatten(1), lambda t: t.unsqueeze(0), lambda t: t.detach(), lambda t: t.T.squeeze(),
    ],
)  # fmt: skip
def test_views_stay_views_and_are_known(view):
    x = Tensor(A.copy(), requires_grad=True)
    h = x * 1
    v = view(h)
    assert np.shares_memory(v, h)
    with pytest.raises(RuntimeError, match="share this tensor's memory"):
        h += 1
    plain = h.detach()
    plain[...] = 5.0
    assert np.all(v.numpy() == 5)


@pytest.mark.parametrize(
    "make",
    [
        lambda t: t.copy(), lambda t: t.clone(), lambda t: t.flatten(), lambda t: np.copy(t), lambda t: np.roll(t, 1),
        lambda t: t.reshape(4, 6, copy=True), lambda t: t.astype(float), lambda t: np.concatenate([t]),
        lambda t: np.tril(t), lambda t: t.T.ravel(), lambda t: anp.array(t), lambda t: t.T.reshape(-1, copy=True),
    ],
)  # fmt: skip
def test_copies_are_copies(make):
    h = Tensor(A.copy(), requires_grad=True) * 1
    made = make(h)
    assert not np.shares_memory(made, h)
    h += 1
    assert made.requires_grad


def test_reshape_copy_argument():
    x = Tensor(M, requires_grad=True)
    assert np.shares_memory(np.reshape(x, (4, 3), copy=False), x)
    with pytest.raises(ValueError, match=r"needs a copy.*copy=False"):
        x.T.reshape(-1, copy=False)


def test_in_place_on_a_copy_leaves_the_source_alone():
    x = Tensor(V.copy(), requires_grad=True)
    y = x.copy()
    y *= 3
    y.sum().backward()
    assert x.tolist() == V.tolist()
    assert x.grad.tolist() == [3] * 4


def test_changed_pieces_of_a_split_are_refused_or_noticed():
    h = Tensor(V.copy(), requires_grad=True) * 1
    first, _ = np.split(h, 2)
    with pytest.raises(RuntimeError, match="share this tensor's memory"):
        first += 1
    y = (h * h).sum()
    with no_grad():
        first += 1
    with pytest.raises(RuntimeError, match="changed it in place"):
        y.backward()


# ---------------------------------------------------------------------- second order


def test_second_derivatives_pass_through():
    def f(x):
        y = np.concatenate([np.tile(x, 2), np.pad(x, 1, "reflect"), np.repeat(x, 2)])
        left, right = np.split(np.roll(y, 2), 2)
        return np.sum(np.trace(np.outer(left, right)) + np.sum(np.stack([left, np.flip(right)]) ** 3))

    x = np.array([0.3, -0.7, 1.1, 0.4])
    h = hessian(f)(x)
    step = 1e-6
    numeric = np.stack([(grad(f)(x + step * e) - grad(f)(x - step * e)) / (2 * step) for e in np.eye(4)])
    np.testing.assert_allclose(h, numeric, rtol=1e-6, atol=1e-6)


# ---------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda t: t.reshape(5, 5), ValueError, r"cannot reshape.*\n?.*'reshape' on float64 of shape \(3, 4\)"),
        (lambda t: t.transpose(0, 0), ValueError, "repeated axis"),
        (lambda t: np.swapaxes(t, 0, 2), ValueError, "out of bounds"),
        (lambda t: np.moveaxis(t, (0, 1), 0), ValueError, "2 axes to 1 places"),
        (lambda t: np.rollaxis(t, 0, 4), ValueError, "out of bounds"),
        (lambda t: np.rollaxis(t, 0, -3), ValueError, "out of bounds"),
        (lambda t: t[0].mT, ValueError, "at least two axes"),
        (lambda t: np.squeeze(t, 0), ValueError, "size not equal to one"),
        (lambda t: np.broadcast_to(t, (3, 5)), ValueError, "broadcast"),
        (lambda t: np.broadcast_arrays(t, np.ones(3)), ValueError, "broadcast"),
        (lambda t: np.fliplr(t[0]), ValueError, "two axes"),
        (lambda t: np.flipud(t[0, 0]), ValueError, "one axis"),
        (lambda t: np.repeat(t, [1, 2], axis=0), ValueError, "broadcast"),
        (lambda t: np.pad(t, 1, "mean"), ValueError, "no mode 'mean'"),
        (lambda t: np.pad(t, 1, "reflect", reflect_type="odd"), ValueError, "reflect_type='even' only"),
        (lambda t: np.pad(t, 1, stat_length=3), TypeError, "does not take stat_length"),
        (lambda t: np.pad(t, -1), ValueError, "take anything away"),
        (lambda t: np.pad(t, 1.5), TypeError, "integers"),
        (lambda t: np.pad(t, 1, constant_values=t[0, 0]), TypeError, "'constant_values' carries no gradient"),
        (lambda t: np.diag(t.reshape(2, 2, 3)), ValueError, "vector or a matrix"),
        (lambda t: np.trace(t, out=np.zeros(())), TypeError, "out="),
        (lambda t: np.concatenate([t, t], out=np.zeros((6, 4))), TypeError, "out="),
        (lambda t: np.stack([t, t], out=np.zeros((2, 3, 4))), TypeError, "out="),
        (lambda t: np.concatenate([t, t[0]]), ValueError, "same number of dimensions"),
        (lambda t: np.stack([t, t[0]]), ValueError, "same shape"),
        (lambda t: np.block([[t], t]), ValueError, "different depths"),
        (lambda t: np.block([[t], []]), ValueError, "empty list"),
        (lambda t: np.split(t, 5), ValueError, "3 entries into 5 equal"),
        (lambda t: np.array_split(t, 0), ValueError, "0 sections"),
        (lambda t: np.dsplit(t, 2), ValueError, "at least 3 axes"),
        (lambda t: joining.unstack(t[0, 0]), ValueError, "0-d"),
        (lambda t: np.meshgrid(t[0], indexing="yx"), ValueError, "indexing='xy' or 'ij'"),
        (lambda t: np.resize(t, (2, 2)), TypeError, "np.resize is not differentiable"),
        (lambda t: np.insert(t, 0, 1.0), TypeError, "np.insert is not differentiable"),
        (lambda t: np.fill_diagonal(t, 0), TypeError, "np.fill_diagonal is not differentiable"),
    ],
)
def test_errors_say_what_is_wrong(call, error, message):
    with pytest.raises(error) as caught:
        call(Tensor(M, requires_grad=True))
    text = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])
    assert re.search(message, text), text


# ---------------------------------------------------------------------- creation


def test_likeness():
    x = Tensor(np.ones((2, 3), np.float32), requires_grad=True)
    for like, value in ((np.zeros_like, 0), (np.ones_like, 1), (lambda *a, **k: np.full_like(a[0], 7, **k), 7)):
        made = like(x)
        assert isinstance(made, Tensor)
        assert not made.requires_grad
        assert made.dtype == np.float32
        assert np.all(made.numpy() == value)
        assert like(x, dtype=int).dtype == int
        assert like(x, shape=(4,)).shape == (4,)
        assert like(x, order="F").numpy().flags.f_contiguous
    assert np.empty_like(x).shape == (2, 3)
    assert type(anp.zeros_like(M)) is np.ndarray
    assert anp.full_like(M, 2).tolist() == np.full_like(M, 2).tolist()


def test_full_like_of_a_value_with_a_gradient():
    x, s = Tensor(np.ones((2, 3), np.float32), requires_grad=True), Tensor(2.0, requires_grad=True)
    filled = np.full_like(x, s)
    assert filled.dtype == np.float32
    filled += 1
    filled.sum().backward()
    assert s.grad.item() == 6
    assert x.grad is None
    assert anp.full_like(M, s).requires_grad
    with pytest.raises(TypeError, match="cut off the gradient"):
        np.full_like(x, s, dtype=int)


def test_buffers_work_in_forward_mode_too():
    def f(x):
        out = np.zeros_like(x)
        out[0] = x[1] ** 2
        out[1:] = x[:-1] * 3
        return out

    value, tangent = jvp(f, (V,), (np.ones(4),))
    assert value.tolist() == [4, 3, 6, 9]
    assert tangent.tolist() == [4, 3, 3, 3]
    assert np.allclose(hessian(lambda x: np.sum(f(x)))(V), np.diag([0, 2, 0, 0]))


def test_arrays_of_tensors():
    x = Tensor(V, requires_grad=True)
    built = anp.array([[x[0], 2.0], [x[1], x[0]]])
    assert built.tolist() == [[1, 2], [2, 1]]
    (built * np.array([[1.0, 2.0], [3.0, 4.0]])).sum().backward()
    assert x.grad.tolist() == [5, 3, 0, 0]
    assert anp.array([x, V], ndmin=3).shape == (1, 2, 4)
    assert anp.array(x, dtype=np.float32).dtype == np.float32
    assert anp.asarray(x) is x
    assert anp.asarray(x, np.float32).requires_grad
    assert type(anp.array([1, 2])) is np.ndarray
    assert anp.array(([1.0, 2.0], x[:2])).requires_grad
    assert np.array_equal(grad(lambda a: anp.array([a[0] * a[1], a[1]])[0])(V), [2, 1, 0, 0])
    with pytest.raises(ValueError, match="same shape"):
        anp.array([x, x[:2]])


def test_questions_of_shape_and_type_are_plain():
    x = Tensor(M, requires_grad=True)
    assert (np.shape(x), np.ndim(x), np.size(x)) == ((3, 4), 2, 12)
    assert np.may_share_memory(x, x.T)
    assert np.result_type(x, np.float32) == np.float64
    assert not np.iscomplexobj(x)
    assert np.isrealobj(x)
    assert np.array_repr(x).startswith("array(")
    assert np.array_str(x) == np.array_str(M)
    assert np.array2string(x) == np.array2string(M)


@pytest.mark.parametrize("room", [shaping, joining, padding, diagonals])
def test_plain_arrays_stay_plain(room):
    samples = {
        "moveaxis": (M, 0, 1), "reshape": (M, (4, 3)), "swapaxes": (M, 0, 1), "rollaxis": (M, 1), "tile": (M, 2),
        "repeat": (M, 2), "pad": (M, 1), "broadcast_to": (V, (2, 4)), "expand_dims": (M, 0), "astype": (M, np.float32),
        "on_diagonal": (V, (4, 4)), "append": (V, V), "split": (M, 3), "array_split": (M, 2), "hsplit": (M, 2),
        "vsplit": (M, 3), "dsplit": (A, 2), "roll": (M, 1),
    }  # fmt: skip
    several = ("concatenate", "concat", "stack", "vstack", "hstack", "dstack", "column_stack", "block")
    for name in room.__all__:
        arguments = ([M, M],) if name in several else samples.get(name, (M,))
        result = getattr(room, name)(*arguments)
        for part in parts_of(result):
            assert not isinstance(part, Tensor), name
        if hasattr(np, name):
            for part, expected in zip(parts_of(result), parts_of(getattr(np, name)(*arguments)), strict=True):
                np.testing.assert_array_equal(part, expected)
