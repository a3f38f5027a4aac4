"""Half precision: products computed in single, autocast, and the scaling of losses."""

from __future__ import annotations

import pickle
import threading
import tracemalloc

import numpy as np
import pytest

import nn
import optim
from autograd import (
    Tensor,
    autocast,
    grad,
    gradcheck,
    hessian,
    is_autocast_enabled,
    jvp,
    linear,
    manual_seed,
    no_grad,
    primitive,
    record_lines,
)
from autograd import numpy as anp
from nn.attention import attention_weights

F16, F32, F64 = map(np.dtype, (np.float16, np.float32, np.float64))
RNG = np.random.default_rng(0)


def leaf(*shape: int, dtype: np.dtype = F32) -> Tensor:
    return Tensor(RNG.standard_normal(shape).astype(dtype), requires_grad=True)


# ---------------------------------------------------------------------- float16 computed in float32


LARGE = np.full((1, 2048), 8.0, np.float16)  # a running sum of 2048 · 64 overflows float16; so does a rounded one
PRODUCTS = {
    "matmul": lambda x, y: x @ y,
    "matvec": lambda x, y: np.matvec(x, y[:, 0]),
    "dot": lambda x, y: np.dot(x, y),
    "inner": lambda x, y: np.inner(x, y.T),
    "tensordot": lambda x, y: np.tensordot(x, y, 1),
    "einsum": lambda x, y: np.einsum("ij,jk->ik", x, y),
    "vecdot": lambda x, y: np.vecdot(x, y.T),
    "linear": lambda x, y: nn.functional.linear(x, y.T),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_of_half_precision_are_rounded_once(name):
    x, y = (RNG.standard_normal(shape).astype(F16) for shape in [(5, 700), (700, 5)])
    f = PRODUCTS[name]
    exact = f(x.astype(F64), y.astype(F64))
    a, b = Tensor(x, requires_grad=True), Tensor(y, requires_grad=True)
    out = f(a, b)
    assert out.dtype == F16
    np.testing.assert_array_equal(out.numpy(), np.float32(exact).astype(F16))
    out.backward(np.ones(out.shape, F16))
    p, q = Tensor(x.astype(F64), requires_grad=True), Tensor(y.astype(F64), requires_grad=True)
    f(p, q).backward(np.ones(out.shape))
    for low, high in ((a, p), (b, q)):
        assert low.grad.dtype == F16
        np.testing.assert_allclose(low.grad.numpy(), high.grad.numpy(), rtol=2e-3, atol=2e-3)


def test_cosines_of_half_precision_are_computed_in_single():
    x = Tensor(np.array([[300, 400], [0, 0], [1e-3, 0]], F16), requires_grad=True)
    out = nn.functional.cosine_similarity(x, x)
    assert out.dtype == F16
    np.testing.assert_allclose(out.numpy(), [1, 0, 1], rtol=1e-3)
    out.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 0, atol=1e-3)


def test_a_mixture_is_as_wide_as_numpy_says():
    half, single, double = leaf(3, 3, dtype=F16), leaf(3, 3), leaf(3, 3, dtype=F64)
    assert (half @ single).dtype == (single @ half).dtype == F32
    assert (half @ double).dtype == F64
    for out in (half @ single, single @ half):
        out.sum().backward()
    assert half.grad.dtype == F16
    assert single.grad.dtype == F32


@pytest.mark.parametrize("dtype", [np.bool_, np.int8, np.int16, np.int32, np.int64])
def test_half_precision_beside_integers_is_as_wide_as_numpy_says(dtype):
    half, integers = leaf(2, 2, dtype=F16), np.ones((2, 2), dtype)
    expected = np.matmul(half.numpy(), integers)
    assert (half @ integers).dtype == (integers @ half).dtype == expected.dtype
    (half @ integers).sum().backward()
    assert half.grad.dtype == F16


def test_options_do_not_widen_half_precision():
    x = leaf(2, 2, dtype=F16)
    assert np.tensordot(x, x, (np.array([1]), np.array([0]))).dtype == F16


def test_second_derivatives_of_half_precision():
    x = leaf(4, dtype=F16)
    h = hessian(lambda x: np.sum(np.dot(np.outer(x, x), x)))(x)
    wide = hessian(lambda x: np.sum(np.dot(np.outer(x, x), x)))(x.detach().astype(F64))
    assert h.dtype == F16
    np.testing.assert_allclose(h.numpy(), wide.numpy(), rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("layer", [nn.RNN, nn.LSTM, nn.GRU])
def test_recurrent_layers_in_half_precision(layer):
    manual_seed(0)
    model = layer(3, 4, num_layers=2, bidirectional=True)
    x = RNG.standard_normal((6, 2, 3)).astype(F32)
    expected = model(x)[0]
    expected.sum().backward()
    gradients = [p.grad.numpy() for p in model.parameters()]
    model.half().zero_grad()
    out, states = model(x.astype(F16))
    assert out.dtype == F16
    assert {s.dtype for s in (states if isinstance(states, tuple) else (states,))} == {F16}
    np.testing.assert_allclose(out.numpy(), expected.numpy(), rtol=1e-2, atol=5e-3)
    out.sum().backward()
    for p, g in zip(model.parameters(), gradients, strict=True):
        assert p.grad.dtype == F16
        np.testing.assert_allclose(p.grad.numpy(), g, rtol=3e-2, atol=3e-2 * np.abs(g).max())


def test_unpickled_half_precision_is_computed_in_single():
    x = pickle.loads(pickle.dumps(np.full((2, 4), 150, F16)))  # its dtype equals float16, and is another object
    out = nn.functional.scaled_dot_product_attention(Tensor(x, requires_grad=True), x, x, scale=1.0)
    weights = attention_weights(Tensor(x, requires_grad=True), x)
    assert (out.dtype, weights.dtype) == (F16, F16)
    np.testing.assert_array_equal(weights.numpy(), 0.5)


def test_tangents_of_half_precision_are_computed_in_single():
    query, key = np.full((2, 4), 120, F16), np.full((4, 4), 150, F16)  # whose products overflow float16
    value = RNG.standard_normal((4, 2)).astype(F16)
    attend = nn.functional.scaled_dot_product_attention
    _, t = jvp(attend, (query, key, value), (query, key, value))
    assert t.dtype == F16
    np.testing.assert_allclose(t, np.broadcast_to(value.mean(axis=0), t.shape), rtol=2e-3)


def test_a_widened_primitive_without_a_forward_rule():
    halved = primitive(lambda x: x * x / 2, vjp={"x": lambda g, x: g * x}, name="halved_square", widen=True)
    out, t = jvp(halved, (np.full(2, 300, F16),), (np.full(2, 2, F16),))
    assert out.dtype == t.dtype == F16
    np.testing.assert_array_equal(out, np.float16(45000))
    np.testing.assert_array_equal(t, np.float16(600))


ONES = np.ones((3000, 1), F16)
REPEATED = {  # 3000 terms of 1 for each entry: a running sum in float16 ends at 2048
    "broadcasting": lambda w: w + np.zeros((3000, 2), F16),
    "indexing": lambda w: w[np.zeros(3000, int)],
    "indexing a vector": lambda w: np.reshape(w, -1)[np.repeat([0, 1], 3000)],
    "embedding, few": lambda w: nn.functional.embedding(np.zeros(1000, int), w) * 3,
    "embedding": lambda w: nn.functional.embedding(np.zeros(3000, int), w),
    "linear": lambda w: nn.functional.linear(ONES, np.zeros((2, 1), F16), np.reshape(w, -1)),
    "convolution": lambda w: nn.functional.conv1d(ONES[..., None], np.zeros((2, 1, 1), F16), np.reshape(w, -1)),
    "many small uses": lambda w: sum((w for _ in range(2999)), start=w),
}


@pytest.mark.parametrize("name", REPEATED)
@pytest.mark.parametrize("create_graph", [False, True])
def test_gradients_of_half_precision_are_summed_in_single(name, create_graph):
    w = Tensor(np.zeros((1, 2), F16), requires_grad=True)
    out = REPEATED[name](w)
    out.backward(np.ones(out.shape, F16), create_graph=create_graph)
    assert w.grad.dtype == F16
    np.testing.assert_array_equal(w.grad.numpy(), [[3000, 3000]])


@pytest.mark.parametrize("shape", [(), (2,), (60, 60)])
@pytest.mark.parametrize("create_graph", [False, True])
def test_a_parameter_used_often_in_half_precision(shape, create_graph):
    w = Tensor(np.zeros(shape, F16), requires_grad=True)
    y = w * 1
    out = sum((y * 1 for _ in range(2500)), start=0)
    out.backward(np.ones(shape, F16), create_graph=create_graph)
    np.testing.assert_array_equal(w.grad.numpy(), np.full(shape, 2500))


# ---------------------------------------------------------------------- which operation runs in what


def test_products_run_in_half_and_sums_in_single():
    x = leaf(3, 3)
    with autocast():
        y = x @ x
        assert y.dtype == F16
        assert [np.tanh(y).dtype, (y + 1).dtype, (y * y).dtype, anp.relu(y).dtype] == [F16] * 4
        assert [np.sum(y).dtype, np.exp(y).dtype, (y**2).dtype, y.mean().dtype, np.log(y * y).dtype] == [F32] * 5
        assert (y + x).dtype == F32
    assert (x @ x).dtype == F32


def on_one(layer, count=1):
    """A layer that sees one input ``count`` times, and its first output."""

    def run(x):
        out = layer(*[x] * count)
        return out[0] if isinstance(out, tuple) else out

    return run


LAYERS = {
    "Linear": (nn.Linear(6, 6), (2, 6)),
    "Bilinear": (on_one(nn.Bilinear(6, 6, 2), 2), (2, 6)),
    "Conv1d": (nn.Conv1d(2, 3, 3), (2, 2, 6)),
    "Conv2d": (nn.Conv2d(2, 3, 3), (2, 2, 6, 6)),
    "ConvTranspose2d": (nn.ConvTranspose2d(2, 3, 3), (2, 2, 6, 6)),
    "LSTM": (on_one(nn.LSTM(6, 3)), (2, 2, 6)),
    "GRU": (on_one(nn.GRU(6, 3)), (2, 2, 6)),
    "RNN": (on_one(nn.RNN(6, 3)), (2, 2, 6)),
    "MultiheadAttention": (on_one(nn.MultiheadAttention(6, 2), 3), (2, 2, 6)),
    "attention": (on_one(nn.functional.scaled_dot_product_attention, 3), (2, 2, 6)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_heavy_layers_run_in_half_with_gradients_in_single(name):
    layer, shape = LAYERS[name]
    x = leaf(*shape)
    expected = layer(x)
    expected.backward(np.ones(expected.shape, F32))
    reference, x.grad = x.grad.numpy(), None
    with autocast():
        out = layer(x)
    assert out.dtype == F16
    np.testing.assert_allclose(out.numpy(), expected.numpy(), rtol=2e-2, atol=1e-2)
    out.backward(np.ones(out.shape, F16))
    assert x.grad.dtype == F32
    np.testing.assert_allclose(x.grad.numpy(), reference, rtol=5e-2, atol=2e-2 * max(1, np.abs(reference).max()))


MASK = np.full((3, 3), -1e9, F32)  # a query that sees no key looks at all alike, rather than at none
MASKED = {
    "attention": lambda x: nn.functional.scaled_dot_product_attention(x, x, x, MASK),
    "layer": lambda x: ATTENTION(x, x, x, attn_mask=MASK, need_weights=False)[0],
    "layer with weights": lambda x: ATTENTION(x, x, x, attn_mask=MASK)[0],
    "weights": lambda x: ATTENTION(x, x, x, attn_mask=MASK)[1],
}
ATTENTION = nn.MultiheadAttention(4, 2, batch_first=True)


@pytest.mark.parametrize("name", MASKED)
def test_masks_do_not_overflow_in_half(name):
    x = leaf(2, 3, 4)
    expected = MASKED[name](x)
    with autocast():
        out = MASKED[name](x)
    assert out.dtype == (F32 if name == "weights" else F16)  # their mean over the heads
    np.testing.assert_allclose(out.numpy(), expected.numpy(), rtol=1e-2, atol=1e-3)


LOSSES = {
    "mse": lambda y: nn.functional.mse_loss(y, np.zeros(y.shape, F32)),
    "cross_entropy": lambda y: nn.functional.cross_entropy(y, [0, 1, 2]),
    "bce": lambda y: nn.functional.binary_cross_entropy_with_logits(y, np.ones(y.shape, F32)),
    "huber": lambda y: nn.functional.huber_loss(y, np.zeros(y.shape, F32)),
    "nll": lambda y: nn.functional.nll_loss(nn.functional.log_softmax(y, 1), [0, 1, 2]),
    "kl": lambda y: nn.functional.kl_div(nn.functional.log_softmax(y, 1), np.full(y.shape, 0.2, F32)),
    "softmax": lambda y: nn.functional.softmax(y, 1),
    "cosine": lambda y: nn.functional.cosine_similarity(y, y),
    "distance": lambda y: nn.functional.pairwise_distance(y, -y),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses_run_in_single(name):
    y = Tensor(np.full((3, 5), 300, np.float16), requires_grad=True)  # its square overflows float16
    with autocast():
        loss = LOSSES[name](y)
    assert loss.dtype == F32
    assert np.isfinite(loss.numpy()).all()
    loss.sum().backward()
    assert y.grad.dtype == F16


def test_float64_and_integers_are_left_alone():
    x = leaf(3, 3, dtype=F64)
    with autocast():
        assert (x @ x).dtype == F64
        assert np.exp(x).dtype == F64
        assert (np.eye(3) @ x).dtype == F64
        assert anp.matmul(np.arange(4).reshape(2, 2), np.arange(4).reshape(2, 2)).dtype.kind == "i"


WIDE = {
    "matmul": lambda x, w: x @ w,
    "linear": nn.functional.linear,
    "bilinear": lambda x, w: nn.functional.bilinear(x, x, w[None]),
    "einsum": lambda x, w: np.einsum("ij,jk->ik", x, w),
    "attention": lambda x, w: nn.functional.scaled_dot_product_attention(x, w, w),
    "convolution": lambda x, w: nn.functional.conv1d(x[None], w[..., None]),
    "transposed": lambda x, w: nn.functional.conv_transpose1d(x[None], x[..., None], w[0]),
}


@pytest.mark.parametrize("dtype", [np.float64, np.complex64])
@pytest.mark.parametrize("name", WIDE)
def test_what_meets_a_wider_operand_is_not_rounded_to_half(name, dtype):
    if name == "attention":  # which is of real numbers
        dtype = np.float64
    x, w = RNG.standard_normal((3, 3)).astype(dtype), leaf(3, 3)
    expected = WIDE[name](x, w)
    expected.backward(np.ones(expected.shape, expected.dtype))
    reference, w.grad = w.grad.numpy(), None
    with autocast():
        out = WIDE[name](x, w)
    assert out.dtype == expected.dtype
    np.testing.assert_array_equal(out.numpy(), expected.numpy())
    out.backward(np.ones(out.shape, out.dtype))
    np.testing.assert_array_equal(w.grad.numpy(), reference)


@pytest.mark.parametrize("layer", [nn.RNN, nn.LSTM, nn.GRU])
def test_recurrent_layers_of_float64_are_left_alone(layer):
    model, x = layer(3, 4).double(), RNG.standard_normal((5, 2, 3)).astype(F32)
    with autocast():
        out = model(x)[0]
    np.testing.assert_array_equal(out.numpy(), model(x)[0].numpy())


def test_regions_nest_and_end():
    x = leaf(2, 2)
    assert not is_autocast_enabled()
    with autocast():
        assert is_autocast_enabled()
        with autocast(enabled=False):
            assert not is_autocast_enabled()
            assert (x @ x).dtype == F32
        assert (x @ x).dtype == F16
        with pytest.raises(ZeroDivisionError), autocast(enabled=False):
            raise ZeroDivisionError
        assert is_autocast_enabled()
    assert not is_autocast_enabled()

    @autocast()
    def product(x):
        return x @ x

    assert product(x).dtype == F16
    assert (x @ x).dtype == F32


def test_threads_have_their_own():
    x, found = leaf(2, 2), []
    with autocast():
        thread = threading.Thread(target=lambda: found.append((x @ x).dtype))
        thread.start()
        thread.join()
    assert found == [F32]


@pytest.mark.parametrize("dtype", [np.float32, "cuda", "cpu", int, None])
def test_other_half_precisions_are_refused(dtype):
    with pytest.raises(TypeError, match="takes the dtype float16"):
        autocast(dtype)


def test_the_backward_pass_runs_in_the_precision_of_the_forward_pass():
    x = leaf(4, 4)
    y = np.sum((x @ x) * np.exp(x))
    y.backward(retain_graph=True)
    outside, x.grad = x.grad.numpy(), None
    with autocast():
        y.backward(retain_graph=True)
    np.testing.assert_array_equal(x.grad.numpy(), outside)
    x.grad = None
    with autocast():
        y.backward(create_graph=True)
    np.testing.assert_array_equal(x.grad.numpy(), outside)


def test_forward_rules_run_in_the_precision_of_their_operation():
    third = np.full((2, 2), 1 / 3, F32)
    scaled = primitive(
        lambda x: x @ third,
        vjp={"x": lambda g: anp.matmul(g, third.T)},
        jvp={"x": lambda t: anp.matmul(t, third)},
        name="scaled",
    )
    x = RNG.standard_normal((2, 2)).astype(F32)
    outside = jvp(scaled, (x,), (x,))[1]
    with autocast():
        np.testing.assert_array_equal(jvp(scaled, (x,), (x,))[1], outside)


def test_other_ways_in():
    x = RNG.standard_normal((3, 3)).astype(F32)
    with autocast():
        g = grad(lambda x: np.sum(x @ x))(x)
        out, t = jvp(lambda x: x @ x, (x,), (np.ones_like(x),))
    assert g.dtype == F32
    np.testing.assert_allclose(g, grad(lambda x: np.sum(x @ x))(x), rtol=2e-2, atol=1e-2)
    assert out.dtype == t.dtype == F16
    with no_grad(), autocast():
        assert nn.Linear(3, 3)(x).dtype == F16


# ---------------------------------------------------------------------- parameters converted once


def converted(output: Tensor) -> np.ndarray:
    """What a product saved of its second factor."""
    assert output._node is not None
    return output._node.saved[1]


def test_a_parameter_is_converted_once():
    w, x = leaf(3, 3), Tensor(np.ones((3, 3), F16), requires_grad=True)
    with autocast():
        assert converted(x @ w) is converted(x @ w)
    with autocast(cache_enabled=False):
        assert converted(x @ w) is not converted(x @ w)
    with autocast():
        y = np.sum((x @ w) + (x @ w))
    y.backward()
    np.testing.assert_allclose(w.grad.numpy(), 6.0)


def test_a_parameter_that_was_frozen_in_between_is_converted_again():
    w, x, seen = leaf(2, 2), Tensor(np.eye(2, dtype=F16)), []
    with autocast():
        x @ w
        w.requires_grad = False
        w.requires_grad = True
        y = x @ w
    w.register_hook(seen.append)
    y.sum().backward()
    assert len(seen) == 1


def test_graphs_with_a_parameter_in_common_go_back_apart():
    w, x = leaf(2, 2), Tensor(np.eye(2, dtype=F16))
    with autocast():
        first, second = np.sum(x @ w), np.sum(x @ w)
    first.backward()
    second.backward()
    np.testing.assert_array_equal(w.grad.numpy(), np.full((2, 2), 2))


def test_a_changed_view_of_a_conversion_is_not_used():
    w, x = leaf(2, 2), Tensor(np.eye(2, dtype=F16))
    turned = linear(lambda x: x.T, x=lambda g: g.T, name="turned", autocast="half")
    with autocast():
        view = turned(w)
        with no_grad():
            view += 1
        np.testing.assert_array_equal((x @ w).numpy(), w.numpy().astype(F16))


def test_conversions_are_watched_each_time():
    w, x = leaf(2, 2), Tensor(np.eye(2, dtype=F16))
    with autocast(), record_lines():
        outputs = [x @ w, x @ w]
    assert all("test_precision" in y._node.parents[1].place for y in outputs)


def test_a_changed_parameter_is_converted_again():
    w, x = leaf(2, 2), Tensor(np.eye(2, dtype=F16))
    optimizer = optim.SGD([w], lr=1.0)
    with autocast():
        for _ in range(2):
            before = w.numpy().copy()
            y = x @ w
            np.testing.assert_array_equal(y.numpy(), before.astype(F16))
            optimizer.zero_grad()
            y.sum().backward()
            np.testing.assert_array_equal(w.grad.numpy(), np.ones((2, 2)))
            optimizer.step()
        w.data = np.zeros((2, 2), F32)
        assert not (x @ w).numpy().any()
        (x @ w).sum().backward()
        (x @ w).sum().backward()  # what the first pass released is not used again


# ---------------------------------------------------------------------- memory


def memory_held(model: nn.Module, x: np.ndarray) -> int:
    """Bytes that a forward pass leaves allocated for the backward pass."""
    tracemalloc.start()
    try:
        output = model(x)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert output.requires_grad
    return held


NETWORKS = {
    "fully connected": (lambda: [layer for _ in range(10) for layer in (nn.Linear(64, 64), nn.ReLU())], (4096, 64)),
    "convolutional": (
        lambda: [nn.Conv2d(3, 32, 3), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 8, 3), nn.ReLU()],
        (64, 3, 20, 20),
    ),
    "attention": (
        lambda: [nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, dropout=0), 2)],
        (4, 128, 32),
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_activations_take_half_the_memory(name):
    manual_seed(0)
    layers, shape = NETWORKS[name]
    model = nn.Sequential(*layers())
    x = RNG.standard_normal(shape).astype(F32)
    single = memory_held(model, x)
    with autocast():
        half = memory_held(model, x)
    assert half <= 0.58 * single


# ---------------------------------------------------------------------- scaled losses


def scaled_step(scaler: optim.GradScaler, factor: float = 1.0) -> tuple[Tensor, np.ndarray]:
    w = Tensor(np.array([1.0, 2.0], F32), requires_grad=True)
    optimizer = optim.SGD([w], lr=0.5)
    scaler.scale(np.sum(w * w) * factor).backward()
    scaler.step(optimizer)
    return w, w.grad.numpy()


def test_a_step_sees_unscaled_gradients():
    w, g = scaled_step(optim.GradScaler(init_scale=1024))
    np.testing.assert_array_equal(g, [2, 4])
    np.testing.assert_array_equal(w.numpy(), [0, 0])


def test_small_gradients_survive():
    def gradient(scaler):
        w = Tensor(np.full((4, 4), 1e-3, F32), requires_grad=True)
        with autocast():
            loss = np.sum(w @ np.full((4, 4), 1e-3, F32)) * 1e-6
        scaler.scale(loss).backward()
        scaler.unscale_(optim.SGD([w], lr=1.0))
        return w.grad.numpy()

    assert not gradient(optim.GradScaler(enabled=False)).any()
    np.testing.assert_allclose(gradient(optim.GradScaler()), 4e-9, rtol=1e-2)


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_a_step_that_overflows_is_left_out(bad):
    scaler = optim.GradScaler(init_scale=8.0)
    with np.errstate(all="ignore"):
        w, _ = scaled_step(scaler, bad)
    np.testing.assert_array_equal(w.numpy(), [1, 2])
    scaler.update()
    assert scaler.get_scale() == 4.0


def test_a_scaled_loss_overflows_without_a_warning():
    w = Tensor(np.full((8, 8), 2.0, F32), requires_grad=True)
    optimizer, scaler = optim.SGD([w], lr=1.0), optim.GradScaler(init_scale=2.0**24)
    with autocast():
        loss = np.mean(anp.relu(w @ w - 16) @ w)
    scaler.scale(loss).backward()  # warnings are errors here
    scaler.step(optimizer)
    scaler.update()
    assert not np.isfinite(w.grad.numpy()).all()
    assert scaler.get_scale() == 2.0**23
    assert (w.numpy() == 2).all()


def test_the_scale_grows_after_good_steps():
    scaler = optim.GradScaler(init_scale=4.0, growth_factor=3.0, growth_interval=2)
    scales = []
    for bad in (1, 1, 1, np.inf, 1, 1):
        with np.errstate(all="ignore"):
            scaled_step(scaler, bad)
        scaler.update()
        scales.append(scaler.get_scale())
    assert scales == [4, 12, 12, 6, 6, 18]
    scaler.update(new_scale=5)
    assert scaler.get_scale() == 5


def test_gradients_can_be_clipped_after_unscaling():
    w = Tensor(np.array([3.0, 4.0], F32), requires_grad=True)
    optimizer, scaler = optim.SGD([w], lr=1.0), optim.GradScaler(init_scale=2.0**14)
    scaler.scale(np.sum(w * w) / 2).backward()
    scaler.unscale_(optimizer)
    assert nn.utils.clip_grad_norm_([w], 1.0) == pytest.approx(5.0)
    scaler.step(optimizer)
    np.testing.assert_allclose(w.numpy(), [3 - 0.6, 4 - 0.8], rtol=1e-5)


def test_calls_in_the_wrong_order_are_refused():
    w = Tensor(np.ones(2, F32), requires_grad=True)
    optimizer, scaler = optim.SGD([w], lr=1.0), optim.GradScaler()
    with pytest.raises(RuntimeError, match="no gradients were looked at"):
        scaler.update()
    scaler.scale(w.sum()).backward()
    scaler.unscale_(optimizer)
    with pytest.raises(RuntimeError, match="unscale_\\(\\) after unscale_\\(\\)"):
        scaler.unscale_(optimizer)
    scaler.step(optimizer)
    with pytest.raises(RuntimeError, match="unscale_\\(\\) after step\\(\\)"):
        scaler.unscale_(optimizer)
    with pytest.raises(RuntimeError, match="was called before"):
        scaler.step(optimizer)
    scaler.update()
    with pytest.raises(RuntimeError, match="takes no closure"):
        scaler.step(optimizer, lambda: None)
    with pytest.raises(TypeError, match="takes tensors"):
        scaler.scale(3.0)


def test_half_precision_gradients_are_not_unscaled():
    w = leaf(2, dtype=F16)
    scaler = optim.GradScaler(init_scale=2.0)
    scaler.scale(w.sum()).backward()
    with pytest.raises(ValueError, match="keep the parameters in float32"):
        scaler.step(optim.SGD([w], lr=1.0))
    np.testing.assert_array_equal(w.grad.numpy(), [2, 2])


def test_a_gradient_is_unscaled_once():
    w, v = (Tensor(np.array([1.0, 2.0], F32), requires_grad=True) for _ in range(2))
    w.grad = v.grad = Tensor(np.array([8.0, np.inf], F32))
    scaler, optimizers = optim.GradScaler(init_scale=4.0), [optim.SGD([w, v], lr=1.0), optim.SGD([w], lr=1.0)]
    for optimizer in optimizers:
        scaler.step(optimizer)
    np.testing.assert_array_equal(w.grad.numpy(), [2, np.inf])
    np.testing.assert_array_equal(v.grad.numpy(), [2, np.inf])
    np.testing.assert_array_equal(w.numpy(), [1, 2])  # both steps were left out
    scaler.update()
    w.grad = v.grad = Tensor(np.array([8.0, 8.0], F32))
    scaler.unscale_(optimizers[1])
    np.testing.assert_array_equal(w.grad.numpy(), [4, 4])


@pytest.mark.parametrize("value", [np.float32(3), np.array(3, F32)])
def test_gradients_of_single_numbers_are_unscaled(value):
    w = Tensor(value, requires_grad=True)
    scaler, optimizer = optim.GradScaler(init_scale=4.0), optim.SGD([w], lr=0.5)
    scaler.scale(w * w).backward()
    scaler.step(optimizer)
    assert (w.grad.item(), w.item()) == (6, 0)


def test_the_optimizer_within_another_may_be_unscaled():
    w = Tensor(np.array([1.0], F32), requires_grad=True)
    within = optim.SGD([w], lr=0.5)
    scaler = optim.GradScaler(init_scale=4.0)
    scaler.scale(w.sum()).backward()
    scaler.unscale_(within)
    scaler.step(optim.Lookahead(within))
    np.testing.assert_array_equal(w.numpy(), [0.5])


def test_read_only_gradients_are_refused_whole():
    w, v = (Tensor(np.ones(2, F32), requires_grad=True) for _ in range(2))
    w.grad, v.grad = Tensor(np.full(2, 8, F32)), Tensor(np.broadcast_to(np.float32(8), 2))
    with pytest.raises(ValueError, match="read-only"):
        optim.GradScaler().step(optim.SGD([w, v], lr=1.0))
    np.testing.assert_array_equal(w.grad.numpy(), [8, 8])
    np.testing.assert_array_equal(w.numpy(), [1, 1])


def test_losses_of_half_precision_are_scaled_in_single():
    loss = optim.GradScaler().scale(leaf(dtype=F16))
    assert loss.dtype == F32
    assert np.isfinite(loss.item())


@pytest.mark.parametrize(
    "options",
    [
        {"init_scale": 0},
        {"init_scale": np.inf},
        {"growth_factor": 1.0},
        {"backoff_factor": 1.0},
        {"backoff_factor": 0},
        {"growth_interval": 0},
        {"growth_interval": 1.5},
    ],
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        optim.GradScaler(**options)


def test_several_outputs_are_scaled_alike():
    scaler = optim.GradScaler(init_scale=2.0)
    a, b = scaler.scale((Tensor(1.0), Tensor(3.0)))
    assert (a.item(), b.item()) == (2.0, 6.0)
    assert [t.item() for t in scaler.scale(Tensor(x) for x in (1.0, 2.0))] == [2.0, 4.0]


def test_a_scaler_that_is_off_does_nothing():
    scaler = optim.GradScaler(enabled=False)
    w, g = scaled_step(scaler)
    np.testing.assert_array_equal(g, [2, 4])
    np.testing.assert_array_equal(w.numpy(), [0, 0])
    scaler.update()
    assert (scaler.get_scale(), scaler.state_dict(), scaler.is_enabled()) == (1.0, {}, False)


def test_its_state_goes_into_a_checkpoint(tmp_path):
    scaler = optim.GradScaler(init_scale=4.0, growth_interval=3)
    scaled_step(scaler)
    scaler.update()
    optim.save_checkpoint(tmp_path / "c.safetensors", scaler=scaler)
    other = optim.GradScaler()
    optim.load_checkpoint(tmp_path / "c.safetensors", scaler=other)
    assert other.state_dict() == scaler.state_dict()
    for _ in range(2):
        scaled_step(other)
        other.update()
    assert other.get_scale() == 8.0
    with pytest.raises(RuntimeError, match="was not enabled"):
        other.load_state_dict({})


# ---------------------------------------------------------------------- learning


def test_digits_are_learned_as_well_as_in_single():
    from sklearn.datasets import load_digits

    scans, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(scans))
    scans, labels = (scans[order] / 16).astype(F32), labels[order]

    def accuracy(mixed: bool) -> float:
        manual_seed(0)
        model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
        optimizer, scaler = optim.Adam(model.parameters(), lr=5e-3), optim.GradScaler(enabled=mixed)
        rng = np.random.default_rng(0)
        for _ in range(12):
            for batch in np.array_split(rng.permutation(1437), 22):
                optimizer.zero_grad()
                with autocast(enabled=mixed):
                    loss = nn.functional.cross_entropy(model(Tensor(scans[batch])), labels[batch])
                scaler.scale(loss).backward()
                scaler.step(optimizer)
                scaler.update()
        with no_grad():
            return float(np.mean(np.argmax(model(Tensor(scans[1437:])).numpy(), axis=1) == labels[1437:]))

    single, mixed = accuracy(False), accuracy(True)
    assert single > 0.93
    assert mixed >= single - 0.01


def test_gradients_of_autocast_functions_pass_the_check():
    def f(x):
        with autocast():
            return np.sum(np.tanh(x @ x))

    assert gradcheck(f, RNG.standard_normal((3, 3)))  # in double precision autocast changes nothing
