"""Declaring operations: the tool users have is the tool the library uses."""

from __future__ import annotations

import numpy as np
import pytest

import autograd
import autograd.numpy as anp
from autograd import Function, Tensor, elementwise, grad, gradcheck, jvp, linear, primitive

pytestmark = pytest.mark.usefixtures("own_primitives")


def test_elementwise_by_partial_derivatives():
    softplus = elementwise(lambda x: np.log1p(np.exp(x)), lambda x: 1 / (1 + np.exp(-x)), name="softplus")
    assert autograd.registry["softplus"] is softplus
    assert softplus(0.0) == np.log(2)
    x = 0.3
    s = 1 / (1 + np.exp(-x))
    assert np.isclose(grad(softplus)(x), s)
    assert np.isclose(grad(grad(softplus))(x), s * (1 - s))
    assert np.isclose(jvp(softplus, (x,), (2.0,))[1], 2 * s)
    t = Tensor(np.float32([0.3, 0.1]), requires_grad=True)
    assert softplus(t).dtype == np.float32


def test_constants_none_and_outputs_in_rules():
    scaled = elementwise(
        lambda x, y, flag: np.where(flag, 3 * x - y, 0 * x), lambda flag: 3.0 * flag, lambda flag: -1.0 * flag, None
    )
    x, y = Tensor([1.0, 2.0], requires_grad=True), Tensor(1.0, requires_grad=True)
    scaled(x, y, np.array([True, False])).sum().backward()
    assert x.grad.tolist() == [3, 0]
    assert y.grad.item() == -1


def test_linear_needs_only_the_transpose():
    shift = linear(lambda x, by=1: np.roll(x, by), x=lambda g, by: np.roll(g, -by), name="shift")
    x = np.array([1.0, 2.0, 3.0])
    w = np.array([1.0, 10.0, 100.0])
    assert grad(lambda x: np.sum(w * shift(x, by=2)))(x).tolist() == [100, 1, 10]
    assert jvp(lambda x: shift(x), (x,), (w,))[1].tolist() == [100, 1, 10]


def test_general_primitive_saves_only_what_rules_name():
    scale = primitive(
        lambda x, y, power=1: x * y**power,
        vjp={"x": lambda g, y, power: g * y**power, "y": lambda g, x, y, power: g * power * x * y ** (power - 1)},
        name="scale",
    )
    x, y = Tensor([2.0], requires_grad=True), Tensor([3.0])
    z = scale(x, y, power=2)
    assert z._node.saved[0] is None, "x is not needed when only x wants a gradient"
    assert z._node.saved[1] is y.numpy()
    z.backward()
    assert x.grad.tolist() == [9]


def test_a_tangent_comes_by_transposition_where_there_is_no_rule():
    cube = primitive(lambda x: x**3, vjp={"x": lambda g, x: g * 3 * x**2}, name="cube")
    assert np.isclose(jvp(cube, (2.0,), (1.0,))[1], 12)
    assert np.isclose(grad(lambda x: jvp(cube, (x,), (1.0,))[1])(2.0), 12)
    assert np.isclose(jvp(grad(cube), (2.0,), (1.0,))[1], 12)


def test_joint_rules_and_needs():
    seen = []

    def rule(g, needs, x, w):
        seen.append(needs)
        return (g * w if needs[0] else None, g * x if needs[1] else None)

    product = primitive(
        lambda x, w, b=None: x * w + (0 if b is None else b), vjp=rule, differentiable=("x", "w"), name="p"
    )
    x, w = Tensor([2.0], requires_grad=True), Tensor([3.0])
    product(x, w).backward()
    assert seen == [(True, False)]
    assert x.grad.tolist() == [3]


def test_variadic_operands():
    total = primitive(
        lambda *operands, scale=1.0: scale * sum(operands),
        vjp=lambda g, operands_shape, scale: [g * scale for _ in operands_shape],
        name="total",
    )
    x, y = Tensor([1.0], requires_grad=True), Tensor([2.0], requires_grad=True)
    out = total(x, [5.0], y, scale=3.0)
    assert out.tolist() == [24]
    out.backward()
    assert (x.grad.item(), y.grad.item()) == (3, 3)


def test_several_outputs():
    both = primitive(
        lambda x: (np.sin(x), np.cos(x)),
        vjp={"x": lambda g, out: g[0] * out[1] - g[1] * out[0]},
        jvp=lambda t, out: (t[0] * out[1], -t[0] * out[0]),
        name="sincos",
    )
    s, c = both(0.5)
    assert (s, c) == (np.sin(0.5), np.cos(0.5))
    assert np.isclose(grad(lambda x: both(x)[0])(0.5), np.cos(0.5))
    assert np.isclose(grad(lambda x: both(x)[0] * both(x)[1])(0.5), np.cos(1.0))
    assert np.isclose(grad(grad(lambda x: both(x)[0] + 2 * both(x)[1]))(0.5), -np.sin(0.5) - 2 * np.cos(0.5))
    _out, slope = jvp(both, (0.5,), (1.0,))
    assert np.allclose(slope, (np.cos(0.5), -np.sin(0.5)))


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (lambda g: np.ones(3), r"'bad' returned shape \(3,\) for an input of shape \(2,\)"),
        (lambda g: np.ones((4, 2)), r"'bad' returned shape \(4, 2\) for an input of shape \(2,\)"),
        (lambda g: None, "'bad' returned None"),
        (lambda g: np.array(["a", "b"]), "'bad' returned dtype <U1"),
    ],
)
def test_wrong_rules_are_named(rule, message):
    bad = primitive(lambda x: x * 2, vjp={"x": rule}, name="bad")
    x = Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(RuntimeError, match=message):
        bad(x).sum().backward()
    assert x.grad is None


def test_a_rule_that_loses_the_dtype_is_cast_back():
    wide = primitive(lambda x: x * 2, vjp={"x": lambda g: g.astype(np.float64) * 2}, name="wide")
    x = Tensor(np.float32([1]), requires_grad=True)
    wide(x).backward()
    assert x.grad.dtype == np.float32


def test_declarations_are_checked():
    with pytest.raises(TypeError, match="asks for z; a rule can name x, out, x_shape, needs, g, t"):
        primitive(lambda x: x, vjp={"x": lambda g, z: g}, name="typo")
    with pytest.raises(TypeError, match="needs differentiable"):
        primitive(lambda x: x, vjp=lambda g: (g,), name="joint")
    with pytest.raises(TypeError, match="one rule for all"):
        linear(lambda *xs: sum(xs), xs=lambda g: g, name="variadic")
    with pytest.raises(TypeError, match="2 partial derivatives"):
        elementwise(np.sin, 1, 1)


def test_names_that_rules_use_are_no_names_of_arguments():
    with pytest.raises(TypeError, match="'f' has a parameter 'g', which means something else in rules"):
        linear(lambda g: g, g=lambda g: g, name="f")
    with pytest.raises(TypeError, match="parameters' names do not start with '_'"):
        linear(lambda _x: _x, _x=lambda g: g, name="f")


@pytest.mark.parametrize(
    "name", ["mode", "node", "result", "tensors", "name", "fun", "type", "isinstance", "new", "x_", "to_x", "default_x"]
)
def test_arguments_may_have_any_other_name(name):
    scope: dict = {"linear": linear}
    source = f"f = linear(lambda x, {name}=3.0: x * {name}, x=lambda g, {name}: g * {name}, name='f')"
    exec(source, scope)
    x = Tensor(2.0, requires_grad=True)
    scope["f"](x, 5.0).backward()
    scope["f"](x).backward()
    assert x.grad.item() == 8.0


def test_calls_are_bound_as_python_binds_them():
    f = linear(lambda x, axis=0: np.flip(x, axis), x=lambda g, axis: np.flip(g, axis), name="f")
    x = Tensor([1.0, 2.0], requires_grad=True)
    assert f(x=x, axis=-1).tolist() == [2, 1]
    for call, message in (
        (lambda: f(), "missing 1 required positional argument: 'x'"),
        (lambda: f(x, 0, 1), "takes from 1 to 2 positional arguments"),
        (lambda: f(x, nope=1), "unexpected keyword argument 'nope'"),
        (lambda: f(x, axis=Tensor(0.0, requires_grad=True)), "'axis' carries no gradient"),
        (lambda: f(x, x=x), "multiple values for argument 'x'"),
    ):
        with pytest.raises(TypeError, match=message):
            call()


def test_complex_gradients_point_uphill():
    z = np.array([0.3 + 0.7j, -1.2 + 0.1j])

    def loss(z):
        w = np.exp(z * (2 - 1j)) + z**3 / (1 + z)
        return np.sum(np.abs(w) ** 2 + np.real(w) * np.imag(z))

    g = grad(loss)(z)
    h = 1e-6
    for k in range(2):
        unit = np.eye(2)[k]
        real = (loss(z + h * unit) - loss(z - h * unit)) / (2 * h)
        imaginary = (loss(z + 1j * h * unit) - loss(z - 1j * h * unit)) / (2 * h)
        assert np.isclose(g[k], real + 1j * imaginary, rtol=1e-6)
    t = np.array([0.5 - 0.2j, 1j])
    slope = (loss(z + h * t) - loss(z - h * t)) / (2 * h)
    assert np.isclose(jvp(loss, (z,), (t,))[1], slope, rtol=1e-6)
    assert np.isclose(np.real(np.vdot(g, t)), slope, rtol=1e-6)


def test_log_sums_of_complex_terms():
    rng = np.random.default_rng(0)
    z, b = (rng.normal(size=(2, 3)) + 0.4j * rng.normal(size=(2, 3)) for _ in range(2))
    for f in (lambda z, b: anp.logsumexp(z, 1), lambda z, b: anp.logsumexp(z, 0, 2 + b)):
        assert gradcheck(f, (z, b))
        assert gradcheck(f, (z, b), order=2)


def test_a_primitive_belongs_to_the_module_that_declares_it():
    assert autograd.registry["tanh"].__module__ == "autograd.numpy.elementwise"
    assert autograd.registry["matmul"].__module__ == "autograd.numpy.products"
    for declared in (
        elementwise(np.tanh, lambda out: 1 - out * out),
        linear(lambda x: 2 * x, x=lambda g: 2 * g, name="twice"),
        primitive(lambda x: 2 * x, vjp={"x": lambda g: 2 * g}, name="twice"),
        primitive(lambda *xs: sum(xs), vjp=lambda g, needs: [g] * len(needs), name="total"),
    ):
        assert declared.__module__ == __name__


# ---------------------------------------------------------------------- Function


class Scaled(Function):
    """x² k, with its pieces saved the way PyTorch code does."""

    @staticmethod
    def forward(ctx, x, k):
        ctx.k = k
        ctx.save_for_backward(x)
        assert not x.requires_grad
        return x * x * k

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 2 * x * ctx.k, None

    @staticmethod
    def jvp(ctx, t, _):
        (x,) = ctx.saved_tensors
        return t * 2 * x * ctx.k


def test_function_forward_backward_and_higher():
    x = Tensor([3.0], requires_grad=True)
    y = Scaled.apply(x, 2.0)
    assert repr(y) == "Tensor([18.], made by Scaled)"
    y.backward(create_graph=True)
    first = x.grad
    assert first.tolist() == [12]
    x.grad = None
    first.backward()
    assert x.grad.tolist() == [4]
    assert jvp(lambda x: Scaled.apply(x, 2.0), (np.array([3.0]),), (np.array([1.0]),))[1].tolist() == [12]


def test_function_with_several_outputs_and_missing_cotangents():
    class Both(Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.save_for_backward(x, y)
            label = np.argmax(x.numpy())
            return x * y, x + y, np.array(label)

        @staticmethod
        def backward(ctx, g, h, _):
            x, y = ctx.saved_tensors
            return g * y + h, g * x + h if ctx.needs_input_grad[1] else None

    x, y = Tensor([2.0, 1.0], requires_grad=True), Tensor([5.0, 7.0])
    product, total, label = Both.apply(x, y)
    assert label.item() == 0
    assert not label.requires_grad
    product.sum().backward()
    assert x.grad.tolist() == [5, 7]
    with pytest.raises(RuntimeError, match=r"'Both' a second time|'output' a second time"):
        total.sum().backward()


def test_function_misuse_is_explained():
    class Wrong(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            return g, g

    x = Tensor([1.0], requires_grad=True)
    with pytest.raises(TypeError, match="returned 2 gradients for the 1 arguments"):
        Wrong.apply(x).backward()
    with pytest.raises(TypeError, match="no forward mode"):
        jvp(Wrong.apply, (np.array([1.0]),), (np.array([1.0]),))

    class Nothing(Function):
        @staticmethod
        def forward(ctx, x):
            return "text"

    with pytest.raises(TypeError, match="returned a str"):
        Nothing.apply(x)
    with pytest.raises(NotImplementedError, match="forward"):
        Function.apply(x)


def test_function_notices_stale_saved_tensors():
    x = Tensor([1.0], requires_grad=True)
    h = x * 2
    y = Scaled.apply(h, 1.0)
    d = h.detach()
    d += 1
    with pytest.raises(RuntimeError, match="'Scaled' saved an array"):
        y.backward()
