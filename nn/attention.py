"""Scaled dot-product attention: the function, fused forward and backward, and masks."""

from __future__ import annotations

from functools import lru_cache
from math import sqrt
from typing import Any

import numpy as np

from autograd import primitive
from autograd.dispatch import Differentiable, bare
from autograd.kernels import in_rows
from autograd.precision import in_half
from nn.dropout import dropout

__all__ = ["attend", "attention_weights", "causal_bias", "mask_bias", "scaled_dot_product_attention"]


# ---------------------------------------------------------------------- fused operations


def _attention_weights(query: Any, key: Any, bias: Any = None, scale: float = 1.0, empty: float = 0.0) -> Any:
    """``softmax(s Q Kᵀ + B)`` over the keys, in one buffer; rows whose scores are all −∞ hold ``empty``.

    Raises TypeError unless the scores are floats.
    """
    scores = np.matmul(query, np.swapaxes(key, -1, -2))
    if scores.dtype.kind != "f":
        raise TypeError(f"attention of dtype {scores.dtype}; convert queries and keys to floats first")
    scores *= scale
    with np.errstate(over="ignore"):  # of a bias far below the scores
        if bias is not None:
            if np.broadcast_shapes(scores.shape, bias.shape) == scores.shape:
                scores += bias
            else:
                scores = np.add(scores, bias, dtype=scores.dtype)
        if in_rows("softmax", scores, dim=-1, parameter=empty, out=scores) is not None:
            return scores
        # Not −∞ for the row without a key: its scores less their maximum would be NaN.
        scores -= np.maximum.reduce(scores, axis=-1, keepdims=True, initial=np.finfo(scores.dtype).min)
    np.exp(scores, out=scores)
    total = np.add.reduce(scores, axis=-1, keepdims=True)
    if bias is not None or not scores.shape[-1]:
        total[total == 0] = 1 if empty == 0 else np.nan
    return np.divide(scores, total, out=scores)


def _inner(a: Any, b: Any) -> Any:
    """``Σ ab`` over the last axis, which stays with length 1."""
    return np.vecdot(a, b)[..., None]


def _to_arguments(slope: Any, query: Any, key: Any, scale: Any, needs: Any) -> tuple[Any, Any, Any]:
    """From the cotangent of the scores to those of queries, keys and bias."""
    to_query = scale * np.matmul(slope, key) if needs[0] else None
    to_key = scale * np.matmul(np.swapaxes(slope, -1, -2), query) if needs[1] else None
    return to_query, to_key, slope if needs[-1] else None


def _score_tangent(t: Any, query: Any, key: Any, scale: Any) -> Any:
    """The tangent of the scores; None where nothing they depend on has one."""
    to_query, to_key, to_bias = t
    terms = [] if to_query is None else [scale * np.matmul(to_query, np.swapaxes(key, -1, -2))]
    terms += [] if to_key is None else [scale * np.matmul(query, np.swapaxes(to_key, -1, -2))]
    terms += [] if to_bias is None else [to_bias]
    return sum(terms[1:], start=terms[0]) if terms else None


def _weights_vjp(g: Any, out: Any, query: Any, key: Any, scale: Any, needs: Any) -> tuple[Any, Any, Any]:
    return _to_arguments(out * (g - _inner(g, out)), query, key, scale, needs)


def _weights_jvp(t: Any, out: Any, query: Any, key: Any, scale: Any) -> Any:
    weighted = out * _score_tangent(t, query, key, scale)
    return weighted - out * np.sum(weighted, axis=-1, keepdims=True)


attention_weights = primitive(
    _attention_weights,
    vjp=_weights_vjp,
    jvp=_weights_jvp,
    differentiable=("query", "key", "bias"),
    name="attention_weights",
    broadcasts=True,
    widen=True,
)

_evaluate_weights = attention_weights.primitive.evaluate


def _attention(
    query: Any, key: Any, value: Any, bias: Any = None, weights: Any = None, kept: Any = None, scale: float = 1.0
) -> Any:
    """``P V`` for ``P = softmax(s Q Kᵀ + B)``, given as ``weights``, times the dropout factors ``kept``."""
    weights = weights if kept is None else weights * kept
    if query.shape[:-2] != weights.shape[:-2] or query.shape[:-2] != value.shape[:-2] or weights.dtype != value.dtype:
        return np.matmul(weights, value)
    # In the layout of the queries: then heads that are columns of one matrix are merged without a copy.
    out = np.empty_like(query, weights.dtype, shape=(*weights.shape[:-1], value.shape[-1]), subok=False)
    return np.matmul(weights, value, out=out)


def _recorded(query: Any, key: Any, bias: Any, weights: Any, scale: Any) -> Any:
    """The weights; as a function of what they come from where that is itself differentiated."""
    if any(isinstance(each, Differentiable) for each in (query, key, bias)):
        return attention_weights(query, key, bias, scale)
    return weights


def _attention_vjp(
    g: Any, query: Any, key: Any, value: Any, bias: Any, weights: Any, kept: Any, scale: Any, needs: Any
) -> tuple[Any, Any, Any, Any]:
    """``V̄ = Pᵀ Ḡ``, ``P̄ = Ḡ Vᵀ``, ``S̄ = P ⊙ (P̄ − rowsum(P ⊙ P̄))``, ``Q̄ = s S̄ K``, ``K̄ = s S̄ᵀ Q``, ``B̄ = S̄``."""
    weights = _recorded(query, key, bias, weights, scale)
    to_value = None
    if needs[2]:
        to_value = np.matmul(np.swapaxes(weights if kept is None else weights * kept, -1, -2), g)
    if not (needs[0] or needs[1] or needs[3]):
        return None, None, to_value, None
    slope = np.matmul(g, np.swapaxes(value, -1, -2))
    slope = slope if kept is None else slope * kept
    found = in_rows("softmax_slope", slope, weights, dim=-1)
    slope = weights * (slope - _inner(slope, weights)) if found is None else found
    to_query, to_key, to_bias = _to_arguments(slope, query, key, scale, needs)
    return to_query, to_key, to_value, to_bias


def _attention_jvp(t: Any, query: Any, key: Any, value: Any, bias: Any, weights: Any, kept: Any, scale: Any) -> Any:
    """``Ṗ V + P V̇`` with ``Ṗ = P ⊙ (Ṡ − rowsum(P ⊙ Ṡ))``."""
    weights = _recorded(query, key, bias, weights, scale)
    to_query, to_key, to_value, to_bias = t
    slope = _score_tangent((to_query, to_key, to_bias), query, key, scale)
    terms = []
    if slope is not None:
        weighted = weights * slope
        change = weighted - weights * np.sum(weighted, axis=-1, keepdims=True)
        terms.append(np.matmul(change if kept is None else change * kept, value))
    if to_value is not None:
        terms.append(np.matmul(weights if kept is None else weights * kept, to_value))
    return sum(terms[1:], start=terms[0])


_attend = primitive(
    _attention,
    vjp=_attention_vjp,
    jvp=_attention_jvp,
    differentiable=("query", "key", "value", "bias"),
    name="attention",
    broadcasts=True,
    widen=True,
)


def attend(query: Any, key: Any, value: Any, bias: Any, scale: float, dropout_p: float = 0.0) -> Any:
    """``dropout(softmax(s Q Kᵀ + B)) V`` as one operation; float16 is computed in float32.

    The bias stays in its own precision, as −10⁹ is −∞ in float16.
    """
    query, key, value = in_half(query, key, value)
    dtype = np.result_type(query.dtype, key.dtype, value.dtype)
    weights = _evaluate_weights(bare(query), bare(key), bare(bias), scale).astype(dtype, copy=False)
    kept = dropout(np.ones(weights.shape, weights.dtype), dropout_p) if dropout_p else None
    out = _attend(query, key, value, bias, weights, kept, scale)
    return out if out.dtype == dtype else out.astype(dtype)


# ---------------------------------------------------------------------- masks


def _later(queries: int, keys: int, offset: int, dtype: Any) -> Any:
    hidden = np.arange(keys) > np.arange(queries)[:, None] + offset
    bias = np.where(hidden, np.asarray(-np.inf, dtype), np.asarray(0, dtype))
    bias.flags.writeable = False
    return bias


_later_cached = lru_cache(maxsize=32)(_later)


def causal_bias(queries: int, keys: int, dtype: Any, offset: int = 0) -> Any:
    """What hides from query ``i`` the keys after ``i + offset``: 0 where it may look and −∞ elsewhere.

    A read-only array (queries, keys) of a float dtype; small ones are kept for the next call.
    """
    make = _later_cached if queries * keys <= 1 << 18 else _later
    return make(queries, keys, offset, np.dtype(dtype))


def mask_bias(name: str, mask: Any, dtype: Any, hidden: bool) -> Any:
    """A mask as a bias on the scores: float ones as they are, boolean ones −∞ where they equal ``hidden``.

    Raises TypeError for other dtypes.
    """
    mask = mask if isinstance(mask, Differentiable) else np.asarray(mask)
    if mask.dtype.kind == "b":
        plain = bare(mask)
        return np.where(plain if hidden else ~plain, np.asarray(-np.inf, dtype), np.asarray(0, dtype))
    if mask.dtype.kind != "f":
        raise TypeError(f"{name} is boolean or float; got dtype {mask.dtype}")
    return mask if mask.dtype == dtype else mask.astype(dtype)


# ---------------------------------------------------------------------- the function


def _checked(query: Any, key: Any, value: Any) -> tuple[Any, Any, Any]:
    query, key, value = (x if isinstance(x, Differentiable) else np.asarray(x) for x in (query, key, value))
    shapes = f"got queries {query.shape}, keys {key.shape} and values {value.shape}"
    if any(x.dtype.kind != "f" for x in (query, key, value)):
        raise TypeError(f"attention takes floats; got {query.dtype}, {key.dtype} and {value.dtype}")
    if min(query.ndim, key.ndim, value.ndim) < 2:
        raise ValueError(f"attention takes queries (…, L, E), keys (…, S, E) and values (…, S, E_v); {shapes}")
    if query.shape[-1] != key.shape[-1]:
        raise ValueError(f"queries and keys have to have equally many features, the last axis; {shapes}")
    if key.shape[-2] != value.shape[-2]:
        raise ValueError(f"there is one value for each key, along the axis before the last; {shapes}")
    return query, key, value


def _check_broadcast(mask: Any, query: Any, key: Any, value: Any) -> None:
    """Raise unless the leading axes broadcast, and the mask to the scores."""
    try:
        lead = np.broadcast_shapes(query.shape[:-2], key.shape[:-2], value.shape[:-2])
    except ValueError:
        raise ValueError(
            f"the leading axes do not broadcast: queries {query.shape}, keys {key.shape}, values {value.shape}"
        ) from None
    if mask is None:
        return
    scores = (*lead, query.shape[-2], key.shape[-2])
    try:
        fits = np.broadcast_shapes(mask.shape, scores) == scores
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"attn_mask has to broadcast to the scores' shape {scores}; got {mask.shape}")


def _grouped(query: Any, key: Any, value: Any, mask: Any) -> tuple[Any, Any, Any, Any]:
    """Queries as groups (…, H_kv, H/H_kv, L, E) that share a key and a value head (Ainslie et al. 2023)."""
    if min(query.ndim, key.ndim, value.ndim) < 3:
        raise ValueError("enable_gqa takes inputs with an axis of heads, the third from the end")
    heads, shared = query.shape[-3], key.shape[-3]
    if value.shape[-3] != shared or not shared or heads % shared:
        raise ValueError(
            f"enable_gqa takes as many key as value heads, a divisor of the query heads; got {heads} query, "
            f"{shared} key and {value.shape[-3]} value heads"
        )

    def split(x: Any, first: int, second: int) -> Any:
        return np.reshape(x, (*x.shape[:-3], first, second, *x.shape[-2:]))

    if mask is not None and len(mask.shape) > 2:
        mask = split(mask, 1, 1) if mask.shape[-3] == 1 else split(mask, shared, heads // shared)
    return split(query, shared, heads // shared), split(key, shared, 1), split(value, shared, 1), mask


def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """``softmax(Q Kᵀ/√E) V`` (Vaswani et al. 2017).

    Parameters
    ----------
    query, key, value : (…, L, E), (…, S, E), (…, S, E_v)
        Leading axes broadcast.
    attn_mask : optional
        Broadcasts to (…, L, S). Boolean: True where the key takes part. Float: added to the scaled scores.
    dropout_p : float
        Share of weights that is dropped, in training and evaluation alike.
    is_causal : bool
        Query ``i`` sees the keys up to ``i``; goes without ``attn_mask``.
    scale : float, optional
        In place of ``1/√E``.
    enable_gqa : bool
        Axis −3 of keys and values may have fewer heads than that of the queries: each serves a group of
        neighbouring query heads (Ainslie et al. 2023).

    Returns
    -------
    (…, L, E_v), in the dtype of the inputs; zeros for queries that see no key. float16 is computed in float32.

    Raises
    ------
    ValueError
        For shapes that do not fit, a share outside [0, 1], and ``is_causal`` beside a mask.
    TypeError
        For inputs that are not floats, and masks that are neither boolean nor float.
    """
    query, key, value = _checked(query, key, value)
    if is_causal and attn_mask is not None:
        raise ValueError("is_causal makes its own mask: pass is_causal or attn_mask, not both")
    compute = np.promote_types(np.result_type(query.dtype, key.dtype), np.float32)
    bias = None
    if attn_mask is not None:
        bias = mask_bias("attn_mask", attn_mask, compute, hidden=False)
    elif is_causal:
        bias = causal_bias(query.shape[-2], key.shape[-2], compute)
    shape = query.shape
    if enable_gqa:
        query, key, value, bias = _grouped(query, key, value, bias)
    _check_broadcast(bias, query, key, value)
    scale = 1 / sqrt(max(1, shape[-1])) if scale is None else float(scale)
    out = attend(query, key, value, bias, scale, dropout_p)
    return np.reshape(out, (*out.shape[:-4], shape[-3], *out.shape[-2:])) if enable_gqa else out
