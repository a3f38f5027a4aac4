"""The compiled kernels beside their twins in NumPy, and beside the same in higher precision."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import nn
import nn.functional as F
from autograd import Tensor
from autograd import numpy as anp
from autograd.kernels import in_rows, native, row_kernel
from nn.attention import attention_weights

pytestmark = pytest.mark.skipif(native.compiled is None, reason="the kernels are not compiled")

SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-40, -87.5, -103.5, 88.5, 1e30, -1e30]


def twin(monkeypatch: pytest.MonkeyPatch, compute: Any) -> Any:
    """What NumPy alone gives."""
    with monkeypatch.context() as patch, np.errstate(all="ignore"):
        patch.setattr(native, "compiled", None)
        return compute()


def sampled(rng: Any, shape: tuple[int, ...], dtype: Any, scale: float = 3.0) -> Any:
    return (scale * rng.normal(size=shape)).astype(dtype)


def slope(function: Any, x: Any) -> Any:
    """The derivative of each entry's function, or the cotangent for fixed random ones."""
    t = Tensor(x, requires_grad=True)
    out = function(t)
    g = np.random.default_rng(1).normal(size=out.shape).astype(x.dtype)
    out.backward(g)
    return t.grad.numpy()


FUNCTIONS = {
    "sigmoid": anp.sigmoid,
    "silu": F.silu,
    "gelu": F.gelu,
    "softmax": lambda x: F.softmax(x, -1),
    "standardized": lambda x: F.layer_norm(x, x.shape[-2:]),
    "instance norm": lambda x: F.instance_norm(x, weight=np.linspace(0.5, 2, x.shape[1], dtype=x.dtype)),
    "group norm": lambda x: F.group_norm(x, 1, np.linspace(0.5, 2, x.shape[1], dtype=x.dtype)),
    "layer norm": lambda x: F.layer_norm(x, x.shape[-1:], np.linspace(0.5, 2, x.shape[-1], dtype=x.dtype)),
}


@pytest.mark.parametrize("shape", [(1, 1, 2), (2, 7, 3), (3, 6, 6), (1, 2, 500), (5, 4, 64)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_kernels_and_twins_agree(name, dtype, shape, rng, monkeypatch):
    function, x = FUNCTIONS[name], sampled(rng, shape, dtype)
    tolerance = {"rtol": 100 * np.finfo(dtype).eps, "atol": 100 * np.finfo(dtype).eps}
    found, gradient = function(x), slope(function, x)
    assert found.dtype == gradient.dtype == dtype
    np.testing.assert_allclose(found, twin(monkeypatch, lambda: function(x)), **tolerance)
    np.testing.assert_allclose(gradient, twin(monkeypatch, lambda: slope(function, x)), **tolerance)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("gelu", np.float32), *((name, dtype) for name in ("sigmoid", "silu") for dtype in (np.float32, np.float64))],
)
def test_every_float_has_its_value(name, dtype, rng, monkeypatch):
    """Beside NumPy in twice the precision, from the smallest float to infinity."""
    function, wide = FUNCTIONS[name], {np.float32: np.float64, np.float64: np.longdouble}[dtype]
    x = np.concatenate([SPECIAL, rng.normal(size=2000), 30 * rng.normal(size=2000), 1e-3 * rng.normal(size=500)])
    with np.errstate(all="ignore"):
        x = x[~np.isinf(x)].astype(dtype) if name == "gelu" else x.astype(dtype)
        found = function(x)
        exact = {
            "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
            "silu": lambda z: z / (1 + np.exp(-z)),
            "gelu": lambda z: twin(monkeypatch, lambda: F.gelu(z)),
        }[name](x.astype(wide))
    least = 100 * np.finfo(dtype).tiny
    finite = np.isfinite(exact) & (np.abs(exact) > least) & (np.abs(exact) < np.finfo(dtype).max)
    error = np.abs(found[finite] - exact[finite]) / np.spacing(np.abs(exact[finite]).astype(dtype)).astype(wide)
    assert error.max() < (400 if name == "gelu" else 4)  # of the tail e^(−x²/2), x² times its own rounding
    assert np.array_equal(np.isnan(found), np.isnan(exact))
    assert (np.abs(found[np.abs(exact) <= least]) <= 2 * least).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_of_any_logits(dtype, monkeypatch):
    most = np.finfo(dtype).max
    rows = [[most, -most, 0], [-np.inf, 0, 1], [-np.inf] * 3, [np.inf, 0, 1], [np.nan, 0, 1], [-most] * 3, [-1e4, 0, 3]]
    x = np.array(rows, dtype)
    np.testing.assert_allclose(F.softmax(x, 1), twin(monkeypatch, lambda: F.softmax(x, 1)), rtol=1e-6)


@pytest.mark.parametrize("empty", [0.0, np.nan])
def test_attention_weights_of_rows_without_keys(empty, rng, monkeypatch):
    query, key = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 5, 4))
    bias = np.where(rng.random((3, 5)) < 0.4, -np.inf, 0.0)
    bias[1] = -np.inf
    weights = lambda: attention_weights(query, key, bias, 0.5, empty)
    np.testing.assert_allclose(weights(), twin(monkeypatch, weights), rtol=1e-13)
    assert np.array_equal(weights()[:, 1], np.full((2, 5), empty), equal_nan=True)


@pytest.mark.parametrize("order", [lambda x: x.T.copy().T, lambda x: np.repeat(x, 2, 1)[:, ::2], np.asfortranarray])
def test_layouts_do_not_matter(order, rng):
    x = sampled(rng, (4, 6), np.float32)
    assert np.array_equal(F.softmax(order(x), -1), F.softmax(x, -1))
    assert np.array_equal(slope(FUNCTIONS["layer norm"], order(x)), slope(FUNCTIONS["layer norm"], x))


@pytest.mark.parametrize(
    ("x", "options"),
    [
        (np.ones((2, 3), np.float16), {}),
        (np.ones((2, 3), np.longdouble), {}),
        (np.ones((2, 3), ">f4"), {}),
        (np.ones((2, 3), complex), {}),
        (np.ones((2, 3), int), {}),
        (np.ones((0, 3)), {}),
        (np.ones((2, 3)), {"dim": 0}),
        (np.ones((2, 3)), {"out": np.ones((3, 2)).T}),
        (Tensor(np.ones((2, 3))), {}),
        (2.0, {}),
    ],
)
def test_there_is_no_kernel_for_these(x, options):
    assert in_rows("softmax", x, **{"dim": -1, **options}) is None


@pytest.mark.parametrize("function", [anp.sigmoid, F.silu, F.gelu, lambda x: F.softmax(x, -1)])
def test_unaligned_arrays_are_taken(function):
    x = np.linspace(-2, 2, 6, dtype=np.float32).reshape(2, 3)
    unaligned = np.frombuffer(b"?" + x.tobytes(), np.float32, offset=1).reshape(2, 3)
    assert np.array_equal(function(unaligned), function(x))


def test_functions_of_entries_keep_the_order_in_memory(rng):
    x = sampled(rng, (4, 6), np.float32)
    found = F.silu(np.asfortranarray(x))
    assert found.flags.f_contiguous
    assert np.array_equal(found, F.silu(x))


@pytest.mark.parametrize("dim", [np.int64(1), np.int64(-1), 1, -1])
def test_any_integer_is_an_axis(dim, rng, monkeypatch):
    x = rng.normal(size=(3, 4))
    np.testing.assert_allclose(F.softmax(x, dim), twin(monkeypatch, lambda: F.softmax(x, dim)), rtol=1e-14)
    with pytest.raises(np.exceptions.AxisError):
        F.softmax(x, dim * 5)


def test_long_rows_keep_their_digits():
    x = np.random.default_rng(0).normal(1, 0.01, (1, 4_000_000)).astype(np.float32)
    mean, variance = in_rows("moments", x, dim=-1)
    exact = x.astype(float)
    np.testing.assert_allclose(variance, exact.var(), rtol=1e-5)
    np.testing.assert_allclose(mean, exact.mean(), rtol=1e-6)
    assert abs(F.softmax(x, -1).sum(dtype=float) - 1) < 1e-6


def test_a_projection_of_another_dtype_decides_the_dtype(rng):
    model = nn.LSTM(3, 4, proj_size=2)
    model.weight_hr_l0._data = model.weight_hr_l0._data.astype(float)
    out, _ = model(sampled(rng, (5, 2, 3), np.float32))
    out.sum().backward()
    assert out.dtype == float
    assert model.weight_ih_l0.grad.dtype == np.float32


def test_operands_of_other_shapes_or_dtypes_go_to_numpy(rng):
    x, s = rng.normal(size=(2, 3)), rng.normal(size=(2, 3))
    assert in_rows("softmax_slope", x, s, dim=-1) is not None
    assert in_rows("softmax_slope", x, s[:1], dim=-1) is None
    assert in_rows("softmax_slope", x, s.astype(np.float32), dim=-1) is None


def test_a_step_of_a_transformer_is_the_same(rng, monkeypatch):
    def gradients() -> list[Any]:
        model = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, activation="gelu", batch_first=True, dtype=np.float32)
        model.load_state_dict({name: start[name] for name in model.state_dict()})
        (model(x) ** 2).sum().backward()
        return [p.grad.numpy() for p in model.parameters()]

    x = sampled(rng, (3, 5, 8), np.float32, 1.0)
    start = nn.TransformerEncoderLayer(8, 2, 16, dtype=np.float32).state_dict()
    for found, expected in zip(gradients(), twin(monkeypatch, gradients), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_hyperbolic_tangent_of_every_float(dtype, rng):
    """Seen in an LSTM's cell whose gates i and f are 1 and 0."""
    z = np.concatenate([SPECIAL, rng.normal(size=2000), 1e-4 * rng.normal(size=500), 20 * rng.normal(size=500)])
    with np.errstate(over="ignore"):
        z = z.astype(dtype)[None]
    n, zero = z.shape[1], np.zeros_like(z)
    product = np.concatenate([zero + 100, zero - 800, z, zero], axis=1)
    gates, cell, output = np.zeros((1, 4 * n), dtype), np.empty((1, n), dtype), np.empty((1, n), dtype)
    row_kernel("lstm_step", np.dtype(dtype), n)((product, zero), (gates, cell, output))
    exact = np.tanh(z.astype(np.longdouble))
    known = np.isfinite(exact) & (np.abs(exact) > np.finfo(dtype).tiny)
    error = np.abs(cell - exact)[known] / np.spacing(np.abs(exact[known]).astype(dtype))
    assert error.max() < 4
    assert np.array_equal(np.isnan(cell), np.isnan(z))
    assert np.array_equal(np.sign(cell), np.sign(z), equal_nan=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("options", [{}, {"proj_size": 2}, {"bidirectional": True, "num_layers": 2}])
def test_recurrences_are_the_same(options, dtype, rng, monkeypatch):
    def states_and_gradients() -> list[Any]:
        model = nn.LSTM(3, 5, dtype=dtype, **options)
        model.load_state_dict(start)
        sequences = nn.utils.rnn.pack_padded_sequence(Tensor(x, requires_grad=True), [6, 4, 1])
        packed, (h, c) = model(sequences)
        ((packed.data**2).sum() + (h * 0.3).sum() + (c**2).sum()).backward()
        return [packed.data.detach().numpy(), c.detach().numpy(), *(p.grad.numpy() for p in model.parameters())]

    x, start = sampled(rng, (6, 3, 3), dtype), nn.LSTM(3, 5, dtype=dtype, **options).state_dict()
    tolerance = 1e-5 if dtype is np.float32 else 1e-13
    for found, expected in zip(states_and_gradients(), twin(monkeypatch, states_and_gradients), strict=True):
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


X, Y = np.ones((2, 3)), np.zeros((2, 3))


@pytest.mark.parametrize(
    "arguments",
    [
        (-1, (X,), (Y,), 3, 0.0),
        (1000, (X,), (Y,), 3, 0.0),
        (0, (X, X), (Y,), 3, 0.0),
        (0, (X,), (), 3, 0.0),
        (0, (X,), (Y,), 0, 0.0),
        (0, (X,), (Y,), -3, 0.0),
        (0, (X,), (Y.astype(np.float32),), 3, 0.0),
        (0, (X,), (Y[:1],), 3, 0.0),
        (0, (X.astype(complex),), (Y.astype(complex),), 3, 0.0),
        (0, (X.astype(int),), (Y,), 3, 0.0),
        (0, (X.T,), (Y,), 3, 0.0),
        (0, (X,), (bytes(48),), 3, 0.0),
        (0, ("text",), (Y,), 3, 0.0),
        (0, [X], (Y,), 3, 0.0),
        (0, (X,), (Y,), "3", 0.0),
        (0, (X,), (Y,), 3, "0"),
        (0, (X,), (Y,)),
        (native.compiled.kernels.index("gelu") if native.compiled else 0, (X,), (Y,), 3, 0.0),
    ],
)
def test_malformed_calls_are_refused(arguments):
    with pytest.raises((TypeError, ValueError, BufferError)):
        native.compiled.run_rows(*arguments)


def test_kernels_older_than_their_sources_are_left_alone(monkeypatch, tmp_path):
    source, built = tmp_path / "rows.c", tmp_path / "compiled.so"
    monkeypatch.setattr(native, "__file__", str(tmp_path / "native.py"))
    for path, time in ((source, 1000), (built, 2000)):
        path.write_text("")
        os.utime(path, (time, time))
    assert not native._is_older(str(built))
    os.utime(source, (3000, 3000))
    assert native._is_older(str(built))


def test_the_kernels_can_be_left_alone():
    code = "from autograd.kernels import native; assert native.compiled is None"
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"CHAINRULE_KERNELS": "numpy"})
