"""Attention, the transformer and positions: closed forms, generation, extremes and refusals."""

from __future__ import annotations

import numpy as np
import pytest

import nn
from autograd import Tensor, manual_seed, no_grad
from nn.attention import attend, attention_weights, scaled_dot_product_attention
from nn.multihead import KeyValueCache, MultiheadAttention
from nn.position import RotaryPositions, SinusoidalPositions, rotary_embedding, sinusoidal_positions
from nn.transformer import (
    Transformer,
    TransformerDecoder,
    TransformerDecoderLayer,
    TransformerEncoder,
    TransformerEncoderLayer,
)

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _the_same_numbers_whatever_else_runs():
    RNG.bit_generator.state = np.random.default_rng(1).bit_generator.state


def x(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape)


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


# ---------------------------------------------------------------------- the function


def test_attention_and_its_gradients_written_out():
    q, k, v, g = x(2, 4, 3), x(2, 5, 3), x(2, 5, 6), x(2, 4, 6)
    leaves = [Tensor(a, requires_grad=True) for a in (q, k, v)]
    out = scaled_dot_product_attention(*leaves)
    out.backward(g)

    p = softmax(q @ k.mT / np.sqrt(3))
    to_p = g @ v.mT
    to_s = p * (to_p - (p * to_p).sum(axis=-1, keepdims=True)) / np.sqrt(3)
    got = [out.numpy(), *(leaf.grad for leaf in leaves)]
    for one, wanted in zip(got, [p @ v, to_s @ k, to_s.mT @ q, p.mT @ g], strict=True):
        np.testing.assert_allclose(one, wanted, rtol=1e-12, atol=1e-14)


def test_masks_are_one_thing_in_three_forms():
    q, k, v = x(2, 4, 3), x(2, 4, 3), x(2, 4, 3)
    seen = np.tri(4, dtype=bool)
    causal = scaled_dot_product_attention(q, k, v, is_causal=True)
    assert np.array_equal(causal, scaled_dot_product_attention(q, k, v, seen))
    assert np.array_equal(causal, scaled_dot_product_attention(q, k, v, np.where(seen, 0.0, -np.inf)))
    np.testing.assert_allclose(causal[:, 0], v[:, 0], rtol=1e-15)
    np.testing.assert_allclose(causal[:, 1], scaled_dot_product_attention(q, k[:, :2], v[:, :2])[:, 1], rtol=1e-12)


def test_leading_axes_broadcast():
    q, k, v = x(2, 1, 4, 3), x(5, 6, 3), x(6, 2)
    out = scaled_dot_product_attention(q, k, v)
    assert out.shape == (2, 5, 4, 2)
    np.testing.assert_allclose(out[1, 3], scaled_dot_product_attention(q[1, 0], k[3], v), rtol=1e-12)


@pytest.mark.parametrize("size", [1e4, 1e30])
def test_scores_of_any_size(size):
    q = np.full((2, 2), np.float32(size)) * np.array([[1], [-1]], np.float32)
    k, v = np.eye(2, dtype=np.float32), np.array([[1.0], [3.0]], np.float32)
    np.testing.assert_allclose(scaled_dot_product_attention(q, k, v), [[2], [2]])
    np.testing.assert_allclose(scaled_dot_product_attention(q, k * [[1], [-1]], v.astype(float)), [[1], [3]])


def test_queries_that_see_nothing_get_zeros_and_pass_no_gradient():
    q, k, v = (Tensor(x(3, 2), requires_grad=True) for _ in range(3))
    seen = np.array([[True] * 3, [False] * 3, [True] * 3])
    out = scaled_dot_product_attention(q, k, v, seen)
    out.sum().backward()
    assert np.array_equal(out.numpy()[1], [0, 0])
    assert np.array_equal(q.grad[1], [0, 0])
    assert np.isfinite(k.grad).all()
    assert np.isfinite(v.grad).all()
    assert np.array_equal(scaled_dot_product_attention(x(2, 3), x(0, 3), x(0, 4)), np.zeros((2, 4)))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtypes_stay(dtype):
    q, k, v = (Tensor(x(2, 3, 4).astype(dtype), requires_grad=True) for _ in range(3))
    out = scaled_dot_product_attention(q, k, v, x(3, 3))
    out.sum().backward()
    assert out.dtype == q.grad.dtype == dtype
    exact = scaled_dot_product_attention(*(a.numpy().astype(float) for a in (q, k, v)), is_causal=True)
    low = scaled_dot_product_attention(q, k, v, is_causal=True).numpy()
    np.testing.assert_allclose(low, exact, atol=16 * np.finfo(dtype).eps)


def test_mixed_dtypes_promote():
    a = x(2, 3)
    half, single = a.astype(np.float16), a.astype(np.float32)
    assert scaled_dot_product_attention(half, half, single).dtype == np.float32
    assert scaled_dot_product_attention(single, half, half, x(2, 2)).dtype == np.float32
    assert scaled_dot_product_attention(single, single, a).dtype == np.float64


def test_half_precision_is_computed_in_single():
    q = np.full((1, 4), 300, np.float16)  # the score 180000 is beyond float16
    out = scaled_dot_product_attention(q, np.stack([q[0], -q[0]]), np.array([[1], [2]], np.float16))
    assert np.array_equal(out, [[1]])


def test_dropout_keeps_the_expectation_and_its_gradient_the_mask():
    manual_seed(0)
    q, k = np.zeros((2000, 1)), np.zeros((4, 1))
    v = Tensor(np.arange(4.0)[:, None], requires_grad=True)
    out = scaled_dot_product_attention(q, k, v, dropout_p=0.5)
    assert abs(out.numpy().mean() - 1.5) < 0.06
    assert out.numpy().std() > 0.3
    out.sum().backward()
    np.testing.assert_allclose(np.sum(v.grad * v.numpy()), out.numpy().sum(), rtol=1e-12)


@pytest.mark.parametrize(
    ("args", "options", "message"),
    [
        ((x(3), x(2, 3), x(2, 3)), {}, r"queries \(…, L, E\)"),
        ((x(2, 3), x(2, 4), x(2, 4)), {}, "equally many features"),
        ((x(2, 3), x(2, 3), x(3, 3)), {}, "one value for each key"),
        ((x(2, 2, 3), x(3, 2, 3), x(2, 3)), {}, "do not broadcast"),
        ((x(2, 3), x(4, 3), x(4, 3), x(2, 3)), {}, r"broadcast to the scores' shape \(2, 4\); got \(2, 3\)"),
        ((x(2, 3), x(4, 3), x(4, 3), x(5, 2, 4)), {}, r"got \(5, 2, 4\)"),
        ((x(2, 3), x(2, 3), x(2, 3), x(2, 2)), {"is_causal": True}, "not both"),
        ((x(2, 3), x(2, 3), x(2, 3)), {"dropout_p": 1.5}, "between 0 and 1"),
        ((x(3, 2, 3), x(2, 2, 3), x(2, 2, 3)), {"enable_gqa": True}, "got 3 query, 2 key and 2 value heads"),
        ((x(2, 3), x(2, 3), x(2, 3)), {"enable_gqa": True}, "axis of heads"),
    ],
)
def test_misfits_of_the_function(args, options, message):
    with pytest.raises(ValueError, match=message):
        scaled_dot_product_attention(*args, **options)


def test_dtypes_that_are_refused():
    q = x(2, 3)
    with pytest.raises(TypeError, match="boolean or float; got dtype int64"):
        scaled_dot_product_attention(q, q, q, np.ones((2, 2), np.int64))
    with pytest.raises(TypeError, match="takes floats; got int64"):
        scaled_dot_product_attention(q.astype(np.int64), q, q)
    with pytest.raises(TypeError, match="takes floats; got complex128"):
        MultiheadAttention(4, 2)(*[np.ones((3, 4), complex)] * 3)
    with pytest.raises(TypeError, match="takes floats; got int64"):
        rotary_embedding(np.ones((3, 4), int))


# ---------------------------------------------------------------------- several heads


def test_multihead_attention_written_out():
    layer = MultiheadAttention(6, 2, batch_first=True, dtype=np.float64)
    layer.in_proj_bias.data[...] = x(18)
    a = x(3, 4, 6)
    out, weights = layer(a, a, a)
    projected = a @ layer.in_proj_weight.numpy().T + layer.in_proj_bias.numpy()
    q, k, v = projected[..., :6], projected[..., 6:12], projected[..., 12:]
    heads, shares = [], []
    for columns in (slice(0, 3), slice(3, 6)):
        shares.append(softmax(q[..., columns] @ k[..., columns].mT / np.sqrt(3)))
        heads.append(shares[-1] @ v[..., columns])
    wanted = np.concatenate(heads, axis=-1) @ layer.out_proj.weight.numpy().T + layer.out_proj.bias.numpy()
    np.testing.assert_allclose(out.numpy(), wanted, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(weights.numpy(), (shares[0] + shares[1]) / 2, rtol=1e-12)


def test_the_fused_way_equals_the_one_with_weights_in_every_option():
    manual_seed(0)
    layer = MultiheadAttention(6, 2, add_bias_kv=True, add_zero_attn=True, kdim=3, vdim=4, dtype=np.float64)
    inputs = x(4, 3, 6), x(5, 3, 3), x(5, 3, 4)
    masks = {"key_padding_mask": x(3, 5), "attn_mask": x(6, 4, 5), "is_causal": True}
    grads = []
    for need_weights in (True, False):
        layer.zero_grad()
        out = layer(*inputs, need_weights=need_weights, **masks)[0]
        (out * out).sum().backward()
        grads.append([out.numpy(), *(p.grad for p in layer.parameters())])
    for one, other in zip(*grads, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def test_causal_needs_no_mask():
    layer, a = MultiheadAttention(4, 2, dtype=np.float64), x(5, 2, 4)
    later = np.triu(np.ones((5, 5), bool), 1)
    np.testing.assert_allclose(
        layer(a, a, a, is_causal=True)[0].numpy(), layer(a, a, a, attn_mask=later)[0].numpy(), rtol=1e-14
    )


@pytest.mark.parametrize("need_weights", [True, False])
def test_dropout_of_weights_in_training_alone(need_weights):
    manual_seed(0)
    layer, a = MultiheadAttention(4, 2, dropout=0.5, dtype=np.float64), x(5, 2, 4)
    first, second = (layer(a, a, a, need_weights=need_weights)[0].numpy() for _ in range(2))
    assert not np.allclose(first, second)
    layer.eval()
    assert np.array_equal(layer(a, a, a)[0].numpy(), layer(a, a, a)[0].numpy())


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("options", [{}, {"add_bias_kv": True, "add_zero_attn": True}])
def test_generation_piece_by_piece_equals_the_whole(batch_first, options):
    layer = MultiheadAttention(6, 3, batch_first=batch_first, dtype=np.float64, **options)
    a = x(2, 7, 6)
    axis = 1 if batch_first else 0
    a = a if batch_first else a.swapaxes(0, 1)
    padding = np.zeros((2, 7))
    padding[0, 2] = -1.0
    whole = layer(a, a, a, key_padding_mask=padding, is_causal=True)[0].numpy()
    cache, pieces = KeyValueCache(), []
    with no_grad():
        for start, stop in ((0, 3), (3, 4), (4, 7)):
            piece = np.take(a, range(start, stop), axis)
            made = layer(piece, piece, piece, padding[:, :stop], False, is_causal=True, cache=cache)[0]
            pieces.append(made.numpy())
    np.testing.assert_allclose(np.concatenate(pieces, axis), whole, rtol=1e-12, atol=1e-14)
    assert len(cache) == 7
    other = a[:1] if batch_first else a[:, :1]
    with pytest.raises(ValueError, match="only the time may differ"):
        layer(other, other, other, cache=cache)
    cache.clear()
    assert len(cache) == 0


@pytest.mark.parametrize(
    ("shapes", "masks", "message"),
    [
        (((2, 3, 4), (2, 3, 4), (2, 4)), {}, r"takes three inputs \(T, N, features\)"),
        (((2, 3, 5), (2, 3, 4), (2, 3, 4)), {}, r"takes \(4, 4, 4\) features"),
        (((2, 3, 4), (2, 3, 4), (5, 3, 4)), {}, "one value for each key"),
        (((2, 3, 4), (2, 2, 4), (2, 2, 4)), {}, "equally many samples"),
        (
            ((2, 3, 4), (5, 3, 4), (5, 3, 4)),
            {"attn_mask": x(5, 2)},
            r"shape \(2, 5\) or \(6, 2, 5\) here; got \(5, 2\)",
        ),
        (((2, 3, 4), (5, 3, 4), (5, 3, 4)), {"key_padding_mask": x(5, 3)}, r"shape \(3, 5\) here; got \(5, 3\)"),
    ],
)
def test_misfits_of_the_module(shapes, masks, message):
    with pytest.raises(ValueError, match=message):
        MultiheadAttention(4, 2, dtype=np.float64)(*(x(*shape) for shape in shapes), **masks)


def test_constructors_refuse():
    with pytest.raises(ValueError, match="the heads divide the features"):
        MultiheadAttention(5, 2)
    with pytest.raises(ValueError, match=r"between 0 and 1; got 1\.5"):
        MultiheadAttention(4, 2, dropout=1.5)
    with pytest.raises(ValueError, match="'relu', 'gelu' or a callable; got 'swish'"):
        TransformerEncoderLayer(4, 2, activation="swish")


# ---------------------------------------------------------------------- transformer


def test_an_encoder_without_positions_is_equivariant_to_permutations():
    manual_seed(0)
    encoder = TransformerEncoder(TransformerEncoderLayer(6, 2, 8, batch_first=True, dtype=np.float64), 2).eval()
    a, order = x(2, 5, 6), RNG.permutation(5)
    np.testing.assert_allclose(encoder(a[:, order]).numpy(), encoder(a).numpy()[:, order], rtol=1e-10, atol=1e-12)


def test_later_targets_and_padded_sources_do_not_matter():
    manual_seed(0)
    net = Transformer(6, 2, 1, 1, 8, batch_first=True, dtype=np.float64).eval()
    src, tgt = x(2, 4, 6), x(2, 5, 6)
    padding = np.zeros((2, 4), bool)
    padding[:, 3] = True
    options = {"src_key_padding_mask": padding, "memory_key_padding_mask": padding, "tgt_is_causal": True}
    before = net(src, tgt, **options).numpy()
    src[:, 3], tgt[:, 3:] = 9.0, -9.0
    after = net(src, tgt, **options).numpy()
    np.testing.assert_allclose(after[:, :3], before[:, :3], rtol=1e-12, atol=1e-14)
    assert not np.allclose(after[:, 3:], before[:, 3:])


def test_stacks_are_copies_with_parameters_of_their_own():
    layer = TransformerDecoderLayer(4, 2, 5)
    stack = TransformerDecoder(layer, 3, nn.LayerNorm(4))
    weights = [each.linear1.weight for each in stack.layers]
    assert len({id(w) for w in (*weights, layer.linear1.weight)}) == 4
    assert all(np.array_equal(w.numpy(), layer.linear1.weight.numpy()) for w in weights)


def test_the_transformer_refuses_inputs_that_do_not_fit():
    net = Transformer(4, 2, 1, 1, 5, dtype=np.float64)
    with pytest.raises(ValueError, match="2 or 3 axes and 4 features"):
        net(x(3, 2, 4), x(3, 2, 5))
    with pytest.raises(ValueError, match=r"equally many samples \(axis 1\)"):
        net(x(3, 2, 4), x(3, 1, 4))


# ---------------------------------------------------------------------- positions


def test_sines_written_out_and_shifted_by_a_rotation():
    table = sinusoidal_positions(20, 6, dtype=np.float64)
    for p, i in ((3, 0), (7, 2)):
        angle = p / 10000 ** (2 * i / 6)
        np.testing.assert_allclose(table[p, 2 * i : 2 * i + 2], [np.sin(angle), np.cos(angle)], rtol=1e-14)
    inner = table @ table.T
    np.testing.assert_allclose(inner[2, 7], inner[12, 17], rtol=1e-12)  # depends on the distance alone
    assert sinusoidal_positions(3, 5).shape == (3, 5)


@pytest.mark.parametrize("batch_first", [True, False])
def test_sinusoidal_positions_are_added_along_time(batch_first):
    layer = SinusoidalPositions(4, 10, batch_first=batch_first)
    table = sinusoidal_positions(10, 4)
    zeros = np.zeros((2, 3, 4) if batch_first else (3, 2, 4), np.float32)
    out = layer(zeros, offset=5)
    rows = out if batch_first else out.swapaxes(0, 1)
    assert np.array_equal(rows, np.stack([table[5:8]] * 2))
    assert layer(np.zeros((3, 4), np.float16)).dtype == np.float16
    assert not layer.state_dict()
    with pytest.raises(ValueError, match="positions 0 to 9; got 3 steps from 8: raise max_len"):
        layer(zeros, offset=8)
    with pytest.raises(ValueError, match=r"takes inputs .* got \(3, 5\)"):
        layer(np.zeros((3, 5)))


@pytest.mark.parametrize("interleaved", [True, False])
def test_rotations_written_out_and_relative(interleaved):
    a, b = x(6), x(6)
    p, i = 5, 1
    angle = p / 10000 ** (2 * i / 6)
    first, second = (2 * i, 2 * i + 1) if interleaved else (i, i + 3)
    turned = rotary_embedding(a[None], [p], interleaved=interleaved)[0]
    complex_ = (a[first] + 1j * a[second]) * np.exp(1j * angle)
    np.testing.assert_allclose(turned[[first, second]], [complex_.real, complex_.imag], rtol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(turned), np.linalg.norm(a), rtol=1e-12)

    def score(m, n):
        q, k = (rotary_embedding(v[None], [at], interleaved=interleaved)[0] for v, at in ((a, m), (b, n)))
        return q @ k

    np.testing.assert_allclose(score(2, 9), score(102, 109), rtol=1e-10)
    assert not np.isclose(score(2, 9), score(2, 10))


@pytest.mark.parametrize("interleaved", [True, False])
def test_rotary_module_equals_the_function_and_rotates_gradients_back(interleaved):
    layer = RotaryPositions(4, 10, interleaved=interleaved, dtype=np.float64)
    a, g = Tensor(x(2, 3, 4), requires_grad=True), x(2, 3, 4)
    out = layer(a, offset=2)
    out.backward(g)
    np.testing.assert_allclose(out.numpy(), rotary_embedding(a.numpy(), [2, 3, 4], interleaved=interleaved), rtol=1e-14)
    np.testing.assert_allclose(a.grad, rotary_embedding(g, [-2, -3, -4], interleaved=interleaved), rtol=1e-12)
    assert not layer.state_dict()


def test_rotations_refuse():
    with pytest.raises(ValueError, match="their number is even; got 3"):
        rotary_embedding(x(2, 3))
    with pytest.raises(ValueError, match=r"broadcast to \(2,\); got \(3,\)"):
        rotary_embedding(x(2, 4), [1, 2, 3])
    with pytest.raises(ValueError, match=r"takes inputs \(…, T, 4\); got \(2, 6\)"):
        RotaryPositions(4)(x(2, 6))
    with pytest.raises(ValueError, match="base of the wavelengths is positive"):
        rotary_embedding(x(2, 4), base=0)


def test_the_fused_operations_refuse_complex_numbers():
    q = np.ones((2, 3)) * 1j
    with pytest.raises(TypeError, match="attention of dtype complex128"):
        attention_weights(q, q)
    with pytest.raises(TypeError, match="attention of dtype complex128"):
        attend(q, q, q, None, 1.0)
