"""Products: values and dtypes as NumPy's, gradients against closed forms and central differences."""

from __future__ import annotations

import re
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autograd.numpy.products as products
from autograd import Tensor, grad, hvp, jvp, vjp
from autograd.cases.products import CASES


def differences(f: Any, inputs: tuple[np.ndarray, ...], g: np.ndarray, i: int) -> np.ndarray:
    """``∂ Re Σ conj(g) f / ∂ inputs[i]``; the functions are polynomials of low degree, so a large step will do."""
    x = inputs[i]
    result = np.zeros_like(x)
    h = 1e-3
    for index in np.ndindex(x.shape):
        for unit in (1, 1j) if x.dtype.kind == "c" else (1,):
            ends = []
            for sign in (1, -1):
                moved = x.copy()
                moved[index] += sign * unit * h
                value = f(*inputs[:i], moved, *inputs[i + 1 :])
                ends.append(np.sum(np.conj(g) * value).real)
            result[index] += unit * (ends[0] - ends[1]) / (2 * h)
    return result


def check(f: Any, *inputs: np.ndarray) -> None:
    """Value, reverse and forward mode of ``f`` against NumPy's value and its central differences."""
    rng = np.random.default_rng(0)
    expected = f(*inputs)
    tensors = [Tensor(x, requires_grad=True) for x in inputs]
    out = f(*tensors)
    assert out.shape == np.shape(expected)
    assert out.dtype == expected.dtype
    np.testing.assert_allclose(out.numpy(), expected, rtol=1e-12, atol=1e-12)
    g = rng.normal(size=out.shape).astype(out.dtype)
    if out.dtype.kind == "c":
        g = g + 1j * rng.normal(size=out.shape)
    out.backward(g)
    v = [rng.normal(size=x.shape).astype(x.dtype) for x in inputs]
    pushed = 0.0
    for i, t in enumerate(tensors):
        assert t.grad.shape == t.shape
        assert t.grad.dtype == t.dtype
        np.testing.assert_allclose(t.grad.numpy(), differences(f, inputs, g, i), rtol=1e-6, atol=1e-6)
        pushed += np.sum(np.conj(t.grad.numpy()) * v[i]).real
    np.testing.assert_allclose(np.sum(np.conj(g) * jvp(f, inputs, tuple(v))[1]).real, pushed, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", CASES)
@given(data=st.data())
def test_generated(name, data):
    case = data.draw(CASES[name])
    check(case.function, *case.inputs)


def normal(rng, *shape):
    return np.asarray(rng.normal(size=shape))


def complex_normal(rng, *shape):
    return np.asarray(rng.normal(size=shape) + 1j * rng.normal(size=shape))


# ---------------------------------------------------------------------- matmul


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((3,), (3,)), ((3,), (3, 2)), ((2, 3), (3,)), ((2, 3), (3, 4)), ((3,), (5, 3, 2)), ((5, 2, 3), (3,)),
        ((5, 2, 3), (3, 4)), ((2, 3), (5, 3, 4)), ((5, 2, 3), (5, 3, 4)), ((1, 2, 3), (5, 3, 4)),
        ((6, 1, 2, 3), (5, 3, 4)), ((5, 2, 3), (6, 1, 3, 4)), ((6, 5, 2, 3), (3, 4)), ((3,), (6, 5, 3, 2)),
        ((0, 3), (3, 2)), ((2, 0), (0, 3)), ((4, 2, 0), (0, 3)), ((0,), (0,)), ((4, 0, 2), (2,)), ((0, 2, 3), (3, 4)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("make", [normal, complex_normal])
def test_matmul_in_all_ranks(left, right, make, rng):
    check(lambda x, y: x @ y, make(rng, *left), make(rng, *right))


def test_matmul_closed_form_and_second_order(rng):
    x, y, g = normal(rng, 4, 3), normal(rng, 3, 2), normal(rng, 4, 2)
    pull = vjp(np.matmul, x, y)[1]
    np.testing.assert_allclose(pull(g)[0], g @ y.T)
    np.testing.assert_allclose(pull(g)[1], x.T @ g)
    a, v = normal(rng, 3, 3), normal(rng, 3)
    np.testing.assert_allclose(hvp(lambda x: x @ a @ x)(normal(rng, 3), v), (a + a.T) @ v)


@pytest.mark.parametrize(("left", "right"), list(product([(3,), (2, 3), (5, 2, 3)], [(3,), (3, 4), (5, 3, 4)])))
def test_matmul_gradients_are_differentiable(left, right, rng):
    x, y = normal(rng, *left), normal(rng, *right)
    for i, point in enumerate((x, y)):
        v = normal(rng, *point.shape)
        f = lambda z, i=i: np.sum((z @ y if i == 0 else x @ z) ** 3)
        h = 1e-5
        expected = (grad(f)(point + h * v) - grad(f)(point - h * v)) / (2 * h)
        np.testing.assert_allclose(hvp(f)(point, v), expected, rtol=1e-5, atol=1e-6)


def test_operators_with_arrays_lists_and_foreigners(rng):
    a = normal(rng, 3, 3)
    t = Tensor(a, requires_grad=True)
    for made in (t @ a, a @ t, t @ a.tolist(), a.tolist() @ t):
        assert isinstance(made, Tensor)
        np.testing.assert_allclose(made.numpy(), a @ a)
    for foreign in ("text", None, object(), {}):
        with pytest.raises(TypeError, match="unsupported operand"):
            t @ foreign
        with pytest.raises(TypeError, match="unsupported operand"):
            foreign @ t

    class Peer:
        def __rmatmul__(self, other):
            return "asked"

    assert t @ Peer() == "asked"


def test_shapes_that_do_not_fit_name_the_operation(rng):
    with pytest.raises(ValueError, match="mismatch") as error:
        Tensor(normal(rng, 2, 3), requires_grad=True) @ normal(rng, 2, 3)
    assert "'matmul'" in str(error.value.__notes__)
    with pytest.raises(ValueError, match="dimensions"):
        Tensor(normal(rng, 2, 3), requires_grad=True) @ 2.0


# ---------------------------------------------------------------------- dtypes and plain arrays

PAIRS = {
    "matmul": ((2, 3), (3, 4)),
    "dot": ((2, 3), (5, 3, 4)),
    "inner": ((2, 3), (4, 3)),
    "vdot": ((2, 3), (3, 2)),
    "vecdot": ((2, 3), (3,)),
    "matvec": ((2, 3), (3,)),
    "vecmat": ((3,), (3, 2)),
    "outer": ((2,), (2, 2)),
    "kron": ((2, 3), (2,)),
    "cross": ((2, 3), (3,)),
    "tensordot": ((2, 3, 2), (3, 2, 4)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_float32_stays_and_mixed_dtypes_promote(name, rng):
    f = getattr(products, name)
    a, b = (normal(rng, *shape) for shape in PAIRS[name])
    x, y = (Tensor(v.astype(np.float32), requires_grad=True) for v in (a, b))
    out = f(x, y)
    assert out.dtype == np.float32
    out.sum().backward()
    assert x.grad.dtype == y.grad.dtype == np.float32
    x.grad = y.grad = None
    mixed = f(x, b)
    assert mixed.dtype == np.float64
    mixed.sum().backward()
    assert x.grad.dtype == np.float32
    ints = f(Tensor(np.ones(a.shape, int)), np.ones(b.shape, int))
    assert ints.dtype == np.dtype(int)


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("make", [normal, complex_normal])
def test_plain_arrays_and_numpys_own_names(name, make, rng):
    a, b = (make(rng, *shape) for shape in PAIRS[name])
    f, ours = getattr(np, name, None), getattr(products, name)
    if f is None:
        pytest.skip(f"this NumPy has no {name}")
    made = ours(a, b)
    assert not isinstance(made, Tensor)
    assert type(made) is type(f(a, b))
    np.testing.assert_allclose(made, f(a, b))
    check(f, a, b)


def test_complex_factors_beside_real_ones(rng):
    check(np.matmul, normal(rng, 2, 3), complex_normal(rng, 3, 2))
    check(np.vecdot, complex_normal(rng, 2, 3), normal(rng, 3))
    check(lambda x, y: np.einsum("ij,jj->i", x, y), normal(rng, 2, 3), complex_normal(rng, 3, 3))


@pytest.mark.parametrize("name", ["matmul", "outer", "vecdot", "cross", "tensordot", "multi_dot"])
def test_linalg_namespace(name, rng):
    if name == "multi_dot":
        check(lambda *x: np.linalg.multi_dot(x), normal(rng, 3), normal(rng, 3, 4), normal(rng, 4, 2))
        return
    shapes = {**PAIRS, "outer": ((2,), (3,))}[name]
    check(getattr(np.linalg, name), *(normal(rng, *shape) for shape in shapes))


def test_multi_dot_takes_the_cheap_order():
    assert products._cheapest((10, 100, 5, 50)) == (7500, 2)
    with pytest.raises(ValueError, match="two or more"):
        products.multi_dot([np.ones((2, 2))])
    with pytest.raises(ValueError, match="1-d"):
        products.multi_dot([np.ones((2, 2)), np.ones(2), np.ones((2, 2))])


def test_methods_and_scalars(rng):
    a, b = normal(rng, 2, 3), normal(rng, 3, 2)
    t = Tensor(a, requires_grad=True)
    t.dot(b).sum().backward()
    np.testing.assert_allclose(t.grad.numpy(), np.ones((2, 2)) @ b.T)
    check(lambda x, y: np.dot(x, y), np.array(2.0), a)
    check(lambda x, y: np.inner(x, y), a, np.array(2.0))
    check(lambda x: np.tensordot(x, 2.0, axes=0), a)


def test_refusals(rng):
    t = Tensor(normal(rng, 2, 2), requires_grad=True)
    out = np.zeros((2, 2))
    with pytest.raises(TypeError, match="out"):
        np.dot(t, t, out=out)
    with pytest.raises(TypeError, match="out"):
        np.outer(t, t, out=out)
    with pytest.raises(TypeError, match="out"):
        np.einsum("ij,jk", t, t, out=out)
    with pytest.raises(TypeError, match="dtype"):
        np.einsum("ij,jk", t, t, dtype=float)
    with pytest.raises(ValueError, match="3 components"):
        np.cross(t, t)
    with pytest.raises(ValueError, match="1-d"):
        np.linalg.outer(t, t)


# ---------------------------------------------------------------------- einsum

SUBSCRIPTS = {
    "ii": ((3, 3),),
    "ii->i": ((3, 3),),
    "iij->ij": ((3, 3, 2),),
    "iii->": ((3, 3, 3),),
    "iijj->ij": ((2, 2, 3, 3),),
    "ijij->": ((2, 3, 2, 3),),
    "iji->i": ((2, 3, 2),),
    "ijk->ki": ((2, 3, 4),),
    "ij->": ((2, 3),),
    "ba": ((2, 3),),
    "...ii->...": ((4, 3, 3),),
    "...ij->ji...": ((2, 4, 3),),
    "ij,jk": ((2, 3), (3, 4)),
    " i j , j k -> k i ": ((2, 3), (3, 4)),
    "i,i": ((3,), (3,)),
    "i,j": ((3,), (2,)),
    "ij,ij->ij": ((1, 3), (2, 3)),
    "ij,jk->ik": ((2, 1), (3, 4)),
    "ij,kj->k": ((2, 1), (2, 3)),
    "ij,k->k": ((2, 3), (4,)),
    "ii,ij->j": ((3, 3), (3, 2)),
    "ii,i->i": ((1, 1), (3,)),
    "iij,ik->jk": ((3, 3, 2), (3, 2)),
    ",ij->ji": ((), (2, 3)),
    "...i,...i->...": ((2, 1, 3), (4, 3)),
    "...ij,...jk->...ik": ((5, 2, 3), (3, 4)),
    "i...,i->...": ((3, 2, 2), (3,)),
    "...,...": ((2, 1), (3,)),
    "...i,i...->i...": ((2, 3), (3, 2)),
    "ij,jk,kl->il": ((2, 3), (3, 4), (4, 2)),
    "ij,jk,ki": ((2, 3), (3, 4), (4, 2)),
    "i,i,i->i": ((3,), (3,), (1,)),
    "i,j,ii->": ((3,), (2,), (3, 3)),
    "bhqd,bhkd->bhqk": ((2, 1, 3, 2), (2, 2, 4, 2)),
    "...a,a,b...,b->...": ((2, 3), (3,), (4, 2), (4,)),
}


@pytest.mark.parametrize("subscripts", SUBSCRIPTS)
@pytest.mark.parametrize("make", [normal, complex_normal])
def test_einsum(subscripts, make, rng):
    inputs = [make(rng, *shape) for shape in SUBSCRIPTS[subscripts]]
    check(lambda *x: np.einsum(subscripts, *x), *inputs)
    check(lambda *x: np.einsum(subscripts, *x, optimize=True), *inputs)


@pytest.mark.parametrize("subscripts", ["iij->ij", "iii->", "iij,ik->jk", "ij,k->k", "...i,...i->...", "ij,jk,ki"])
def test_einsum_twice(subscripts, rng):
    inputs = [normal(rng, *shape) for shape in SUBSCRIPTS[subscripts]]
    f = lambda x: np.sum(np.einsum(subscripts, x, *inputs[1:]) ** 3)
    v, h = normal(rng, *inputs[0].shape), 1e-5
    expected = (grad(f)(inputs[0] + h * v) - grad(f)(inputs[0] - h * v)) / (2 * h)
    np.testing.assert_allclose(hvp(f)(inputs[0], v), expected, rtol=1e-5, atol=1e-6)


def test_einsum_with_labels_as_numbers(rng):
    a, b = normal(rng, 2, 3), normal(rng, 3, 4)
    check(lambda a, b: np.einsum(a, [0, 1], b, [1, 2], [0, 2]), a, b)
    check(lambda a, b: np.einsum(a, [0, 1], b, [1, 2]), a, b)
    check(lambda a, b: np.einsum(a, [26, 1], b, [1, 0]), a, b)
    check(lambda a, b: np.einsum(a, [Ellipsis, 1], b, [1, 51], [51, Ellipsis]), a, b)
    with pytest.raises(ValueError, match="0 to 51"):
        np.einsum(Tensor(a), [0, 52])


def test_einsum_with_a_given_path(rng):
    inputs = [normal(rng, *shape) for shape in ((2, 3), (3, 4), (4, 2))]
    for path in (["einsum_path", (1, 2), (0, 1)], ["einsum_path", (0, 1, 2)], "optimal", "greedy"):
        check(lambda *x, path=path: np.einsum("ij,jk,kl->il", *x, optimize=path), *inputs)
    with pytest.raises(KeyError, match="unheard"):
        np.einsum("ij,jk,kl", *map(Tensor, inputs), optimize="unheard")


def test_einsum_places_nothing_off_the_diagonal(rng):
    x = Tensor(normal(rng, 2, 2), requires_grad=True)
    (np.einsum("ii", x) * np.inf).backward()
    assert x.grad.numpy().tolist() == [[np.inf, 0], [0, np.inf]]


def test_einsum_keeps_float32_and_lets_one_operand_go(rng):
    x = Tensor(normal(rng, 3, 3).astype(np.float32), requires_grad=True)
    for subscripts, count in (("ii", 1), ("ij,jk", 2), ("ij,jk,kl->", 3)):
        x.grad = None
        out = np.einsum(subscripts, *[x] * count)
        assert out.dtype == np.float32
        out.sum().backward()
        assert x.grad.dtype == np.float32
    assert not any(isinstance(v, np.ndarray) for v in np.einsum("ij->ji", x)._node.saved)


@pytest.mark.parametrize("bad", ["ij,jk", "ijk", "ij->ik", "ij->ii", "i.j", "i;j", "ij->i->j", "i...j...", "...->"])
def test_malformed_subscripts_get_numpys_error(bad, rng):
    a = normal(rng, 2, 2)
    with pytest.raises(ValueError, match=r"einstein|subscript|operand") as expected:
        np.einsum(bad, a)
    with pytest.raises(ValueError, match=re.escape(str(expected.value))):
        np.einsum(bad, Tensor(a, requires_grad=True))


def test_einsum_of_sizes_that_do_not_fit(rng):
    with pytest.raises(ValueError, match="broadcast"):
        np.einsum("ij,jk", Tensor(normal(rng, 2, 3), requires_grad=True), normal(rng, 2, 3))
    with pytest.raises(ValueError, match="collapsing"):
        np.einsum("ii", Tensor(normal(rng, 2, 3), requires_grad=True))
    with pytest.raises(ValueError, match="at least one operand"):
        products.einsum("i")
