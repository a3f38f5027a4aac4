"""Sample calls of attention, of cutting and merging heads, and of rotary positions."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from autograd import manual_seed
from autograd.cases.base import Case, arrays, sides
from nn.attention import attend, attention_weights, causal_bias, scaled_dot_product_attention
from nn.multihead import merge_heads, split_heads
from nn.position import rotary_embedding

few = st.sampled_from([1, 2, 3])


@st.composite
def operands(draw: Any) -> Any:
    """Queries, keys, values and a bias, some of them broadcasting along the leading axes."""
    lead = draw(st.lists(sides, max_size=2).map(tuple))
    queries, keys, features, out = draw(few), draw(sides), draw(few), draw(sides)
    shared = tuple(1 if draw(st.booleans()) else n for n in lead)
    query = draw(arrays((*lead, queries, features)))
    key, value = draw(arrays((*shared, keys, features))), draw(arrays((*shared, keys, out)))
    bias = draw(arrays(draw(st.sampled_from([(queries, keys), (*lead, 1, keys)]))))
    return query, key, value, bias


def _with_the_same_dropout(query: Any, key: Any, value: Any, bias: Any) -> Any:
    manual_seed(0)
    return attend(query, key, value, bias, 0.7, dropout_p=0.4)


@st.composite
def attention_cases(draw: Any) -> Case:
    query, key, value, bias = draw(operands())
    form = draw(st.sampled_from(["plain", "causal", "biased", "masked", "dropped"]))
    if form == "plain":
        return Case(lambda q, k, v: attend(q, k, v, None, 0.7), (query, key, value))
    if form == "dropped":
        return Case(_with_the_same_dropout, (query, key, value, bias))
    if form == "biased":
        return Case(lambda q, k, v, b: attend(q, k, v, b, 0.7), (query, key, value, bias))
    if form == "causal":
        return Case(lambda q, k, v: scaled_dot_product_attention(q, k, v, is_causal=True), (query, key, value))
    mask = bias > 0
    return Case(lambda q, k, v: scaled_dot_product_attention(q, k, v, mask), (query, key, value))


@st.composite
def weights_cases(draw: Any) -> Case:
    query, key, _, bias = draw(operands())
    if draw(st.booleans()):
        return Case(lambda q, k, b: attention_weights(q, k, b, 0.7), (query, key, bias))
    hidden = causal_bias(query.shape[-2], key.shape[-2], np.float64)
    return Case(lambda q, k: attention_weights(q, k, hidden, 0.7), (query, key))


@st.composite
def split_cases(draw: Any) -> Case:
    parts, heads, size, batch_first = draw(few), draw(few), draw(few), draw(st.booleans())
    x = draw(arrays((draw(sides), draw(sides), parts * heads * size)))
    return Case(lambda x: split_heads(x, parts, heads, batch_first), (x,))


@st.composite
def merge_cases(draw: Any) -> Case:
    shape, batch_first = (draw(sides), draw(few), draw(sides), draw(few)), draw(st.booleans())
    pieces = tuple(draw(arrays(shape)) for _ in range(draw(few)))
    return Case(lambda *pieces: merge_heads(*pieces, batch_first=batch_first), pieces)


@st.composite
def rotary_cases(draw: Any) -> Case:
    shape = (*draw(st.lists(sides, max_size=2)), draw(sides), 2 * draw(sides))
    interleaved = draw(st.booleans())
    return Case(lambda x: rotary_embedding(x, interleaved=interleaved), (draw(arrays(shape)),))


CASES = {
    "attention": attention_cases(),
    "attention_weights": weights_cases(),
    "split_heads": split_cases(),
    "merge_heads": merge_cases(),
    "rotary_embedding": rotary_cases(),
}
