"""Attention and the transformer beside PyTorch's: values, gradients, every form of mask.

Run where PyTorch is installed:  python -m pytest tests/parity
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
from autograd import Tensor, manual_seed
from nn import multihead, transformer
from nn.activation import silu
from nn.attention import scaled_dot_product_attention
from tests.parity.modules import TOLERANCES, compare_modules, leaf, torch

RNG = np.random.default_rng(0)
pytestmark = pytest.mark.filterwarnings("ignore:enable_nested_tensor")

DTYPES = [np.float64, np.float32]


@pytest.fixture(autouse=True)
def _the_same_numbers_whatever_else_runs():
    RNG.bit_generator.state = np.random.default_rng(1).bit_generator.state


def x(*shape: int) -> Any:
    return RNG.normal(size=shape)


def hidden(*shape: int) -> Any:
    """A boolean mask that hides a third, but never the first key."""
    mask = RNG.uniform(size=shape) < 1 / 3
    mask[..., 0] = False
    return mask


def later(n: int) -> Any:
    return np.triu(np.ones((n, n), bool), 1)


# ---------------------------------------------------------------------- the function

FUNCTION: list[tuple[tuple[Any, ...], Any, dict[str, Any]]] = [
    ((x(4, 3), x(5, 3), x(5, 2)), None, {}),
    ((x(2, 3, 4, 5), x(2, 3, 6, 5), x(2, 3, 6, 5)), None, {"scale": 0.3}),
    ((x(2, 3, 4, 5), x(2, 3, 4, 5), x(2, 3, 4, 5)), None, {"is_causal": True}),
    ((x(2, 3, 5), x(2, 6, 5), x(2, 6, 4)), None, {"is_causal": True}),
    ((x(2, 3, 4, 5), x(2, 3, 6, 5), x(2, 3, 6, 5)), ~hidden(4, 6), {}),
    ((x(2, 3, 4, 5), x(2, 3, 6, 5), x(2, 3, 6, 5)), ~hidden(2, 1, 1, 6), {}),
    ((x(2, 3, 4, 5), x(2, 3, 6, 5), x(2, 3, 6, 5)), x(4, 6), {}),
    ((x(2, 3, 4, 5), x(2, 3, 6, 5), x(2, 3, 6, 5)), x(3, 4, 6), {"scale": 2.0}),
    ((x(2, 6, 4, 5), x(2, 2, 7, 5), x(2, 2, 7, 5)), None, {"enable_gqa": True}),
    ((x(2, 6, 4, 5), x(2, 2, 7, 5), x(2, 2, 7, 5)), x(2, 6, 4, 7), {"enable_gqa": True}),
    ((x(2, 6, 4, 5), x(2, 2, 4, 5), x(2, 2, 4, 5)), ~later(4), {"enable_gqa": True}),
    ((x(2, 3, 4), x(2, 3, 4), x(2, 3, 4)), np.array([[True] * 3, [False] * 3, [True, False, True]]), {}),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", FUNCTION, ids=range(len(FUNCTION)))
def test_function(case, dtype):
    operands, mask, options = case
    arrays = [*operands] if mask is None else [*operands, mask]
    pairs = [leaf(a.astype(dtype) if a.dtype.kind == "f" else a) for a in arrays]
    y = scaled_dot_product_attention(*(a for a, _ in pairs), **options)
    z = torch.nn.functional.scaled_dot_product_attention(*(b for _, b in pairs), **options)
    rtol, atol = TOLERANCES[dtype]
    np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=rtol, atol=atol)
    g = x(*z.shape).astype(dtype)
    y.backward(g)
    z.backward(torch.tensor(g))
    for a, b in pairs:
        if b.grad is not None:
            np.testing.assert_allclose(a.grad, b.grad.numpy(), rtol=rtol, atol=atol)


# ---------------------------------------------------------------------- modules


def calling(base: Any) -> Any:
    """A module of either library that calls another with its inputs under names; "a=b" stands for both."""

    class Call(base):
        def __init__(self, module: Any, names: str) -> None:
            super().__init__()
            self.module = module
            self.names = names.split()

        def forward(self, *inputs: Any, **options: Any) -> Any:
            named = {name: v for names, v in zip(self.names, inputs, strict=True) for name in names.split("=")}
            return self.module(**named, **options)

    return Call


def compare(ours: Any, theirs: Any, names: str, inputs: Any, dtype: Any, options: Any = None, **rest: Any) -> None:
    rng = np.random.default_rng(1)
    for tensor in ours.parameters():
        tensor.data[...] = rng.uniform(-1, 1, tensor.shape)
    mine, other = calling(nn.Module)(ours, names), calling(torch.nn.Module)(theirs, names)
    compare_modules(mine, other, inputs, dtype=dtype, keywords=options, **rest)


SELF, CROSS, PAIR = "query=key=value", "query key value", "query key=value"

MULTIHEAD: list[tuple[tuple[Any, ...], dict[str, Any], str, tuple[Any, ...], dict[str, Any]]] = [
    ((6, 2), {}, SELF, (x(4, 3, 6),), {}),
    ((6, 3), {"batch_first": True}, SELF, (x(3, 4, 6),), {"need_weights": False}),
    ((6, 2), {"bias": False}, SELF, (x(4, 6),), {"average_attn_weights": False}),
    ((6, 6), {}, CROSS, (x(4, 3, 6), x(5, 3, 6), x(5, 3, 6)), {}),
    ((6, 1), {"batch_first": True}, PAIR, (x(3, 4, 6), x(3, 5, 6)), {"need_weights": False}),
    ((6, 2), {"batch_first": True}, CROSS, (x(4, 6), x(5, 6), x(5, 6)), {}),
    ((6, 2), {"kdim": 3, "vdim": 4}, CROSS, (x(4, 3, 6), x(5, 3, 3), x(5, 3, 4)), {}),
    ((6, 2), {"kdim": 3, "bias": False}, CROSS, (x(4, 6), x(5, 3), x(5, 6)), {"need_weights": False}),
    ((6, 2), {"add_bias_kv": True}, SELF, (x(4, 3, 6),), {}),
    ((6, 2), {"add_zero_attn": True, "batch_first": True}, SELF, (x(3, 4, 6),), {"need_weights": False}),
    ((6, 2), {"add_bias_kv": True, "add_zero_attn": True}, SELF + " attn_mask", (x(4, 3, 6), hidden(4, 4)), {}),
    ((6, 2), {}, SELF + " attn_mask", (x(4, 3, 6), later(4)), {"is_causal": True, "need_weights": False}),
    ((6, 2), {}, SELF + " attn_mask", (x(4, 3, 6), x(4, 4)), {"average_attn_weights": False}),
    ((6, 2), {"batch_first": True}, SELF + " attn_mask", (x(3, 4, 6), hidden(6, 4, 4)), {"need_weights": False}),
    ((6, 2), {}, SELF + " key_padding_mask", (x(4, 3, 6), hidden(3, 4)), {"need_weights": False}),
    ((6, 2), {}, SELF + " key_padding_mask", (x(4, 6), hidden(4)), {}),
    ((6, 2), {}, SELF + " key_padding_mask", (x(4, 3, 6), x(3, 4)), {}),
    ((6, 2), {}, SELF + " key_padding_mask attn_mask", (x(4, 3, 6), hidden(3, 4), hidden(4, 4)), {}),
    (
        (6, 2),
        {"add_bias_kv": True},
        SELF + " key_padding_mask attn_mask",
        (x(4, 3, 6), x(3, 4), x(6, 4, 4)),
        {"need_weights": False},
    ),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", MULTIHEAD, ids=range(len(MULTIHEAD)))
def test_multihead(case, dtype):
    args, constructor, names, inputs, options = case
    ours = multihead.MultiheadAttention(*args, **constructor)
    theirs = torch.nn.MultiheadAttention(*args, **constructor)
    compare(ours, theirs, names, inputs, dtype, options)


@pytest.mark.parametrize("need_weights", [True, False])
def test_a_query_without_keys(need_weights):
    ours, theirs = multihead.MultiheadAttention(4, 2), torch.nn.MultiheadAttention(4, 2)
    theirs.load_state_dict({k: torch.tensor(v.numpy()) for k, v in ours.state_dict().items()})
    a, mask = x(3, 2, 4).astype(np.float32), np.zeros((3, 3), bool)
    mask[1] = True
    y, w = ours(a, a, a, attn_mask=mask, need_weights=need_weights)
    b = torch.tensor(a)
    z, v = theirs(b, b, b, attn_mask=torch.tensor(mask), need_weights=need_weights)
    np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=1e-4, atol=1e-5)
    assert np.isnan(y.numpy()).any() == need_weights
    if need_weights:
        np.testing.assert_allclose(w.numpy(), v.detach().numpy(), rtol=1e-4)


def test_starting_values_have_the_ranges_of_torch():
    manual_seed(0)
    for options in ({}, {"kdim": 16, "add_bias_kv": True}):
        ours, theirs = multihead.MultiheadAttention(64, 4, **options), torch.nn.MultiheadAttention(64, 4, **options)
        for (name, a), (_, b) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
            assert np.isclose(a.numpy().std(), b.detach().numpy().std(), rtol=0.3), name
    ours, theirs = transformer.Transformer(32, 4, 1, 1, 48), torch.nn.Transformer(32, 4, 1, 1, 48)
    for (name, a), (_, b) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert np.isclose(a.numpy().std(), b.detach().numpy().std(), rtol=0.5, atol=1e-6), name


LAYER_OPTIONS: list[dict[str, Any]] = [
    {},
    {"norm_first": True, "activation": "gelu"},
    {"batch_first": True, "bias": False, "layer_norm_eps": 1e-2},
    {"batch_first": True, "norm_first": True, "activation": "silu"},
]


def both(name: str, *args: Any, **options: Any) -> tuple[Any, Any]:
    """A module of each library, without dropout."""
    made = []
    for library, functions in ((transformer, {"silu": silu}), (torch.nn, {"silu": torch.nn.functional.silu})):
        activation = options.get("activation", "relu")
        chosen = {**options, "activation": functions.get(activation, activation), "dropout": 0.0}
        made.append(getattr(library, name)(*args, **chosen))
    return made[0], made[1]


def sequences(batch_first: bool, *steps: int) -> list[Any]:
    return [x(3, n, 6) if batch_first else x(n, 3, 6) for n in steps]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("options", LAYER_OPTIONS, ids=str)
def test_layers(options, train, dtype):
    first = options.get("batch_first", False)
    ours, theirs = both("TransformerEncoderLayer", 6, 2, 8, **options)
    names = "src src_mask src_key_padding_mask"
    compare(ours, theirs, names, [*sequences(first, 4), hidden(4, 4), hidden(3, 4)], dtype, train=train)
    compare(ours, theirs, "src", [x(4, 6)], dtype, train=train)
    ours, theirs = both("TransformerDecoderLayer", 6, 2, 8, **options)
    names = "tgt memory tgt_mask memory_mask tgt_key_padding_mask memory_key_padding_mask"
    masks = [x(4, 4), hidden(4, 5), x(3, 4), hidden(3, 5)]
    compare(ours, theirs, names, [*sequences(first, 4, 5), *masks], dtype, train=train)


@pytest.mark.parametrize("options", LAYER_OPTIONS, ids=str)
def test_stacks_and_the_whole(options):
    first = options.get("batch_first", False)
    for stack in ("TransformerEncoder", "TransformerDecoder"):
        ours, theirs = both(f"{stack}Layer", 6, 3, 5, **options)
        more = {"enable_nested_tensor": False} if stack.endswith("Encoder") else {}
        ours = getattr(transformer, stack)(ours, 2, nn.LayerNorm(6))
        theirs = getattr(torch.nn, stack)(theirs, 2, torch.nn.LayerNorm(6), **more)
        names, inputs = ("src mask", sequences(first, 4)) if more else ("tgt memory tgt_mask", sequences(first, 4, 5))
        compare(ours, theirs, names, [*inputs, later(4)], np.float64)
    ours, theirs = both("Transformer", 6, 2, 1, 2, 7, **options)
    names = "src tgt src_mask tgt_mask src_key_padding_mask memory_key_padding_mask"
    padding = hidden(3, 5)
    compare(ours, theirs, names, [*sequences(first, 5, 4), hidden(5, 5), later(4), padding, padding], np.float64)


def test_texts():
    pairs = [both("TransformerEncoderLayer", 6, 2, activation="gelu"), both("Transformer", 4, 2, 1, 1, 5, bias=False)]
    for ours, theirs in pairs:
        expected = repr(theirs).replace("NonDynamicallyQuantizableLinear", "Linear")
        assert repr(ours) == expected


def test_the_mask_of_later_positions():
    ours, theirs = (m.Transformer.generate_square_subsequent_mask(5) for m in (transformer, torch.nn))
    assert ours.dtype == np.float32
    assert np.array_equal(ours, theirs.numpy())
    assert Tensor(ours).shape == (5, 5)
