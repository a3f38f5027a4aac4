"""Derivatives of functions: values, structure, nesting, closures."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import autograd.numpy as anp
from autograd import Tensor, grad, hessian, hvp, jacobian, jvp, no_grad, value_and_grad, vjp


def f(x):
    return np.sin(x) * x**3


def slope(x):
    return np.cos(x) * x**3 + 3 * x**2 * np.sin(x)


def curvature(x):
    return -np.sin(x) * x**3 + 6 * x**2 * np.cos(x) + 6 * x * np.sin(x)


def test_scalar_derivatives_of_any_order_in_any_mode():
    x = 0.7
    forward = lambda g: lambda x: jvp(g, (x,), (1.0,))[1]
    assert np.isclose(grad(f)(x), slope(x), rtol=1e-14)
    assert np.isclose(forward(f)(x), slope(x), rtol=1e-14)
    for outer in (grad, forward):
        for inner in (grad, forward):
            assert np.isclose(outer(inner(f))(x), curvature(x), rtol=1e-13)
    third = {np.round(a(b(c(f)))(x), 10) for a in (grad, forward) for b in (grad, forward) for c in (grad, forward)}
    assert len(third) == 1


def test_perturbations_are_not_confused():
    forward = lambda g: lambda x: jvp(g, (x,), (1.0,))[1]
    for outer in (grad, forward):
        for inner in (grad, forward):
            assert outer(lambda x, inner=inner: x * inner(lambda y: x + y)(1.0))(1.0) == 1.0
            assert outer(lambda w, inner=inner: inner(lambda z: w * w * z * z)(3.0))(2.0) == 24.0


def test_structures_in_structures_out():
    parameters = {"w": np.ones((2, 3), np.float32), "b": [np.zeros(3), (1.5,)]}

    def loss(p, x):
        return np.sum((x @ p["w"] + p["b"][0]) ** 2) * p["b"][1][0]

    value, gradient = value_and_grad(loss)(parameters, np.ones((4, 2)))
    assert value == 4 * 3 * 4 * 1.5
    assert gradient["w"].dtype == np.float32
    assert gradient["w"].shape == (2, 3)
    assert isinstance(gradient["b"][1], tuple)
    assert gradient["b"][1][0] == 48
    assert type(gradient["b"][0]) is np.ndarray
    both = grad(lambda a, b: a * a * b, argnum=(0, -1))(2.0, 3.0)
    assert tuple(both) == (12, 4)


def test_arrays_for_arrays_and_tensors_for_tensors():
    x = np.array([1.0, 2.0])
    assert type(grad(lambda x: np.sum(x**2))(x)) is np.ndarray
    t = Tensor(x, requires_grad=True)
    g = grad(lambda x: np.sum(x**2))(t)
    assert isinstance(g, Tensor)
    g.sum().backward()  # a gradient of tensors stays differentiable
    assert t.grad.tolist() == [2, 2]
    assert isinstance(jvp(np.sin, (t,), (x,))[1], Tensor)
    out, pull = vjp(np.sin, x)
    assert type(out) is np.ndarray
    assert type(pull(x)[0]) is np.ndarray


def test_jacobian_in_both_modes_and_its_shape(rng):
    A = rng.normal(size=(3, 4))
    x = rng.normal(size=4)
    for mode in ("reverse", "forward", None):
        assert np.allclose(jacobian(lambda x: A @ x, mode=mode)(x), A)
        assert np.allclose(jacobian(np.tanh, mode=mode)(x), np.diag(1 - np.tanh(x) ** 2))
    M = rng.normal(size=(2, 3))
    assert jacobian(lambda m: m @ A)(M).shape == (2, 4, 2, 3)
    assert np.allclose(jacobian(lambda m: np.sum(m**2))(M), 2 * M)
    assert jacobian(lambda x: x[:0])(x).shape == (0, 4)
    assert jacobian(lambda x: np.sum(x), mode="forward")(x[:0]).shape == (0,)
    with pytest.raises(ValueError, match="mode"):
        jacobian(np.sin, mode="sideways")
    with pytest.raises(TypeError, match="one array"):
        jacobian(lambda x: (x, x))(x)


def test_chain_rule_as_matrices_on_random_networks(rng):
    for _ in range(10):
        widths = rng.integers(1, 6, size=rng.integers(2, 6))
        weights = [rng.normal(size=(n, m)) for m, n in itertools.pairwise(widths)]
        layers = [lambda x, W=W: np.tanh(W @ x) for W in weights]
        x = rng.normal(size=widths[0])

        def network(x, layers=layers):
            for layer in layers:
                x = layer(x)
            return x

        product, at = np.eye(widths[0]), x
        for layer in layers:
            product = jacobian(layer)(at) @ product
            at = layer(at)
        assert np.allclose(jacobian(network)(x), product)
        gradient_of_square = grad(lambda x, network=network: np.sum(network(x) ** 2))(x)
        assert np.allclose(gradient_of_square, product.T @ (2 * at))
        v = rng.normal(size=widths[0])
        assert np.allclose(jvp(network, (x,), (v,))[1], product @ v)


def test_hessians(rng):
    A = rng.normal(size=(3, 3))
    x, v = rng.normal(size=3), rng.normal(size=3)

    def quadratic(x):
        return x @ A @ x + np.sum(np.exp(x))

    expected = A + A.T + np.diag(np.exp(x))
    assert np.allclose(hessian(quadratic)(x), expected)
    assert np.allclose(jacobian(grad(quadratic))(x), expected)
    assert np.allclose(hvp(quadratic)(x, v), expected @ v)
    tree = {"a": x, "b": np.array(2.0)}
    product = hvp(lambda p: np.sum(p["a"] ** 2) * p["b"])(tree, {"a": v, "b": np.array(1.0)})
    assert np.allclose(product["a"], 4 * v + 2 * x)
    assert np.allclose(product["b"], 2 * x @ v)


def test_critical_points_by_the_eigenvalues_of_the_hessian():
    def saddle(p):
        return p[0] ** 2 - p[1] ** 2 + p[0] * p[1] ** 2

    assert np.allclose(grad(saddle)(np.zeros(2)), 0)
    assert np.linalg.eigvalsh(hessian(saddle)(np.zeros(2))).tolist() == [-2, 2]


def test_missing_dependence_gives_zeros():
    x = np.array([1.0, 2.0])
    assert grad(lambda x: 3.0)(x).tolist() == [0, 0]
    assert grad(lambda x, y: np.sum(y), argnum=(0, 1))(x, x)[0].tolist() == [0, 0]
    assert jvp(lambda x: np.ones(2), (x,), (x,))[1].tolist() == [0, 0]
    assert grad(lambda x: np.sum(x * 0))(x[:0]).shape == (0,)


def test_transforms_work_under_no_grad_and_in_closures():
    w = Tensor([3.0], requires_grad=True)
    with no_grad():
        assert grad(lambda x: np.sum(w * x * x))(np.array([2.0])).tolist() == [12]
    assert w.grad is None, "a transform fills no .grad"


def test_vjp_functions_can_be_called_again():
    x = np.array([1.0, 2.0])
    _out, pull = vjp(lambda x, y: {"s": x * y, "t": np.sum(x)}, x, x + 1)
    gx, gy = pull({"s": np.ones(2), "t": 1.0})
    assert gx.tolist() == [3, 4]
    assert gy.tolist() == [1, 2]
    assert pull({"s": np.zeros(2), "t": 1.0})[0].tolist() == [1, 1]
    with pytest.raises(ValueError, match="1 cotangents for 2 outputs"):
        pull({"s": np.ones(2)})
    with pytest.raises(ValueError, match=r"shape \(3,\) for an output of shape \(2,\)"):
        pull({"s": np.ones(3), "t": 1.0})


def test_bad_input_is_explained():
    for transform in (grad(f), lambda x: jvp(f, (x,), (x,)), jacobian(f), lambda x: vjp(f, x)):
        with pytest.raises(TypeError, match=r"write 3\.0 instead of 3"):
            transform(3)
    with pytest.raises(TypeError, match=r"real scalar output.*shape \(2,\)"):
        grad(np.sin)(np.ones(2))
    with pytest.raises(TypeError, match="returned a tuple"):
        grad(lambda x: (x, x))(1.0)
    with pytest.raises(TypeError, match="real scalar"):
        grad(lambda x: x * 1j)(1.0)
    with pytest.raises(ValueError, match="argnum=2"):
        grad(f, argnum=2)(1.0)
    with pytest.raises(ValueError, match=r"a tangent of shape \(3,\)"):
        jvp(np.sin, (np.ones(2),), (np.ones(3),))
    with pytest.raises(ValueError, match="2 tangents for 1 primals"):
        jvp(np.sin, (np.ones(2),), (np.ones(2), 1.0))
    with pytest.raises(TypeError, match="forward-mode"):
        jvp(lambda x: np.asarray(x), (1.0,), (1.0,))


def test_dual_numbers_behave_like_arrays():
    def g(x):
        assert (x.shape, x.ndim, x.size, len(x)) == ((2,), 1, 2, 2)
        y = anp.zeros_like(x)
        x = x * 1.0
        x[0] = x[1] * 2
        return x.sum() + y.sum()

    assert jvp(g, (np.array([1.0, 2.0]),), (np.array([1.0, 10.0]),)) == (6.0, 30.0)
    assert jvp(lambda x: x if x > 0 else -x, (-3.0,), (1.0,)) == (3.0, -1.0)


def test_writes_that_a_view_would_miss_are_refused_in_forward_mode_too():
    x, t = np.array([1.0, 2.0]), np.array([1.0, 0.0])

    def stale(x):
        b = np.zeros_like(x)
        v = b[1:]
        b[1] = x[0]
        return v.sum()

    def through_a_view(x):
        b = np.zeros_like(x)
        part = np.split(b, 2)[0]
        part[0] = x[0]
        return b.sum()

    for f in (stale, through_a_view):
        with pytest.raises(RuntimeError, match="views of x"):
            jvp(f, (x,), (t,))

    def fine(x):
        b = np.zeros_like(x)
        b[0] = b[1:].sum() + x[0]
        b[1] = b[0] * x[1]
        return b.sum()

    assert jvp(fine, (x,), (t,)) == (3.0, 3.0)
    assert grad(fine)(x).tolist() == [3.0, 1.0]
