"""Multi-head attention: the module, the cutting of features into heads, and the cache of keys and values."""

from __future__ import annotations

from math import prod, sqrt
from typing import Any

import numpy as np

from autograd import primitive
from autograd.dispatch import Differentiable
from nn import init
from nn.attention import attend, attention_weights, causal_bias, mask_bias
from nn.dropout import dropout
from nn.linear import Linear, linear
from nn.module import Module
from nn.parameter import Parameter, unset

__all__ = ["KeyValueCache", "MultiheadAttention"]


# ---------------------------------------------------------------------- heads


def _split_heads(packed: Any, parts: int, heads: int, batch_first: bool) -> Any:
    """(N, T, parts·H·D), or (T, N, parts·H·D), as ``parts`` views (N, H, T, D)."""
    first, second, features = packed.shape
    cut = packed.reshape(first, second, parts, heads, features // (parts * heads))
    return tuple(cut.transpose((2, 0, 3, 1, 4) if batch_first else (2, 1, 3, 0, 4)))


def _merge_heads(*pieces: Any, batch_first: bool = True) -> Any:
    """The inverse of :func:`_split_heads`; a single piece in its layout is merged without a copy."""
    samples, heads, steps, size = pieces[0].shape
    lead = (samples, steps) if batch_first else (steps, samples)
    order = (0, 2, 1, 3) if batch_first else (2, 0, 1, 3)
    if len(pieces) == 1:
        return pieces[0].transpose(order).reshape(*lead, heads * size)
    packed = np.empty((*lead, len(pieces), heads, size), np.result_type(*pieces))
    for i, piece in enumerate(pieces):
        packed[:, :, i] = piece.transpose(order)
    return packed.reshape(*lead, len(pieces) * heads * size)


split_heads: Any = primitive(
    _split_heads,
    vjp={"packed": lambda g, batch_first: merge_heads(*g, batch_first=batch_first)},
    jvp={"packed": lambda t, parts, heads, batch_first: split_heads(t, parts, heads, batch_first)},
)


def _present(pieces: Any, tangents: Any) -> list[Any]:
    """Tangents of all pieces, zeros where one has none."""
    return [np.zeros(x.shape, x.dtype) if t is None else t for x, t in zip(pieces, tangents, strict=True)]


merge_heads: Any = primitive(
    _merge_heads,
    vjp=lambda g, pieces_shape, batch_first: split_heads(g, len(pieces_shape), pieces_shape[0][1], batch_first),
    jvp=lambda t, pieces, batch_first: merge_heads(*_present(pieces, t), batch_first=batch_first),
)


# ---------------------------------------------------------------------- generation


class KeyValueCache:
    """The keys and values that one layer has seen, for generating a sequence piece by piece.

    Passed as ``cache=`` to a :class:`MultiheadAttention` in self-attention, which appends what it is given; with
    ``is_causal`` the outputs for the pieces are those for the whole sequence. ``key`` and ``value`` have shape
    (N, H, T, D), or are None before the first piece; ``len()`` is T. Gradients flow through it, so generate within
    ``autograd.no_grad()``.
    """

    def __init__(self) -> None:
        self.key: Any = None
        self.value: Any = None

    def __len__(self) -> int:
        return 0 if self.key is None else self.key.shape[-2]

    def append(self, key: Any, value: Any) -> tuple[Any, Any]:
        """Add keys and values (N, H, t, D) along time and return all so far.

        Raises ValueError for other samples, heads or features than before.
        """
        if self.key is not None:
            for old, new in ((self.key, key), (self.value, value)):
                if (*old.shape[:2], old.shape[3]) != (*new.shape[:2], new.shape[3]):
                    raise ValueError(f"a cache of shape {old.shape} cannot take {new.shape}: only the time may differ")
            key = np.concatenate([self.key, key], axis=-2)
            value = np.concatenate([self.value, value], axis=-2)
        self.key, self.value = key, value
        return key, value

    def clear(self) -> None:
        """Forget everything."""
        self.key = self.value = None


# ---------------------------------------------------------------------- the module


class MultiheadAttention(Module):
    """``Concat(head_1, …, head_H) W_Oᵀ`` with ``head_h = softmax(Q_h K_hᵀ/√D) V_h`` (Vaswani et al. 2017).

    Parameters
    ----------
    embed_dim, num_heads : int
        E and H; a head has ``D = E/H`` features.
    dropout : float
        Share of attention weights dropped in training.
    bias : bool
        Whether the projections have biases.
    add_bias_kv, add_zero_attn : bool
        Append a learned key and value, or ones of zeros, that every query sees.
    kdim, vdim : int, optional
        Features of keys and values; E by default.
    batch_first : bool
        Inputs (N, T, E) instead of (T, N, E).
    dtype : optional
        Of the parameters; float32 by default.

    Raises
    ------
    ValueError
        For sizes below 1 and heads that do not divide E.

    Notes
    -----
    ``in_proj_weight`` (3E, E) holds the projections of queries, keys and values on top of each other; with ``kdim`` or
    ``vdim`` other than E there are ``q_proj_weight``, ``k_proj_weight`` and ``v_proj_weight`` instead. They start
    from Glorot's uniform values, biases from 0, as in PyTorch.
    """

    in_proj_weight: Parameter | None
    q_proj_weight: Parameter | None
    k_proj_weight: Parameter | None
    v_proj_weight: Parameter | None
    in_proj_bias: Parameter | None
    bias_k: Parameter | None
    bias_v: Parameter | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        *,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if embed_dim < 1 or num_heads < 1 or embed_dim % num_heads:
            raise ValueError(
                f"MultiheadAttention({embed_dim}, {num_heads}): both are positive and the heads divide the features"
            )
        if not 0 <= dropout <= 1:
            raise ValueError(f"MultiheadAttention takes a dropout between 0 and 1; got {dropout}")
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        self.add_zero_attn = add_zero_attn
        packed = self.kdim == self.vdim == embed_dim
        for name, size in (("q", embed_dim), ("k", self.kdim), ("v", self.vdim)):
            weight = None if packed else unset(embed_dim, size, dtype=dtype)
            self.register_parameter(f"{name}_proj_weight", weight)
        self.register_parameter("in_proj_weight", unset(3 * embed_dim, embed_dim, dtype=dtype) if packed else None)
        self.register_parameter("in_proj_bias", unset(3 * embed_dim, dtype=dtype) if bias else None)
        for name in ("bias_k", "bias_v"):
            self.register_parameter(name, unset(1, 1, embed_dim, dtype=dtype) if add_bias_kv else None)
        self.out_proj = Linear(embed_dim, embed_dim, bias=bias, dtype=dtype)
        self._start()

    def _start(self) -> None:
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None and self.out_proj.bias is not None:
            init.zeros_(self.in_proj_bias)
            init.zeros_(self.out_proj.bias)
        if self.bias_k is not None and self.bias_v is not None:
            init.xavier_normal_(self.bias_k)
            init.xavier_normal_(self.bias_v)

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        self.out_proj.reset_parameters()
        self._start()

    def forward(
        self,
        query: Any,
        key: Any,
        value: Any,
        key_padding_mask: Any = None,
        need_weights: bool = True,
        attn_mask: Any = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
        cache: KeyValueCache | None = None,
    ) -> tuple[Any, Any]:
        """Let every query look at the keys.

        Parameters
        ----------
        query, key, value : (L, N, E), (S, N, kdim), (S, N, vdim)
            Batch and time exchanged if ``batch_first``; or all without the axis of the batch.
        key_padding_mask : (N, S) or (S,), optional
            Boolean: True where the key is ignored. Float: added to the scores.
        need_weights, average_attn_weights : bool
            Whether the weights are returned, and as their mean over the heads.
        attn_mask : (L, S) or (N·H, L, S), optional
            Read as ``key_padding_mask``.
        is_causal : bool
            Hide later keys, whether or not ``attn_mask`` hides them too.
        cache : KeyValueCache, optional
            Keys and values are appended to it and all in it are looked at; S in the masks counts those too, and with
            ``is_causal`` the queries are the last L steps.

        Returns
        -------
        output of the queries' shape, and weights (N, L, S), (N, H, L, S) or None. A query that sees no key gives
        NaN where the weights are needed and the bias of the output projection where they are not, as in PyTorch.

        Raises
        ------
        ValueError
            For shapes that do not fit.
        TypeError
            For masks that are neither boolean nor float, and complex inputs or parameters.
        """
        batched = self._check(query, key, value)
        batch_first = self.batch_first or not batched
        q, k, v = self._projected(query, key, value, batched, batch_first)
        if q.dtype.kind != "f":
            raise TypeError(f"attention takes floats; got {q.dtype} from the projection of the queries")
        offset = 0
        if cache is not None:
            offset = len(cache)
            k, v = cache.append(k, v)
        steps = k.shape[-2]
        k, v = self._with_extras(k, v)
        compute = np.promote_types(q.dtype, np.float32)
        bias = self._bias(q, steps, k.shape[-2] - steps, key_padding_mask, attn_mask, is_causal, offset, compute)
        if need_weights:
            heads, weights = self._with_weights(q, k, v, bias, compute)
        else:
            heads = attend(q, k, v, bias, 1 / sqrt(self.head_dim), self.dropout if self.training else 0.0)
            weights = None
        output = self.out_proj(merge_heads(heads, batch_first=batch_first))
        if weights is not None and average_attn_weights:
            weights = np.mean(weights, axis=1)
        return output if batched else output[0], weights if weights is None or batched else weights[0]

    def _check(self, query: Any, key: Any, value: Any) -> bool:
        """Whether there is an axis of the batch; raises unless the inputs fit."""
        shapes = np.shape(query), np.shape(key), np.shape(value)
        got = f"got queries {shapes[0]}, keys {shapes[1]} and values {shapes[2]}"
        layout = "(N, T, features)" if self.batch_first else "(T, N, features)"
        if len(shapes[0]) not in (2, 3) or not len(shapes[0]) == len(shapes[1]) == len(shapes[2]):
            raise ValueError(f"MultiheadAttention takes three inputs {layout}, or three (T, features); {got}")
        sizes = (self.embed_dim, self.kdim, self.vdim)
        if tuple(shape[-1] for shape in shapes) != sizes:
            raise ValueError(f"this MultiheadAttention takes {sizes} features of queries, keys and values; {got}")
        if shapes[1][:-1] != shapes[2][:-1]:
            raise ValueError(f"there is one value for each key; {got}")
        batched = len(shapes[0]) == 3
        axis = 0 if self.batch_first else 1
        if batched and shapes[0][axis] != shapes[1][axis]:
            raise ValueError(f"queries and keys are of equally many samples, in the layout {layout}; {got}")
        return batched

    def _projected(self, query: Any, key: Any, value: Any, batched: bool, batch_first: bool) -> tuple[Any, Any, Any]:
        """Queries, keys and values (N, H, T, D); one product where they come from the same input."""
        same, shared = query is key and key is value, key is value
        if not batched:
            query, key, value = (np.reshape(x, (1, *np.shape(x))) for x in (query, key, value))
        query, key, value = (x if isinstance(x, Differentiable) else np.asarray(x) for x in (query, key, value))
        weight, bias, size = self.in_proj_weight, self.in_proj_bias, self.embed_dim

        def project(x: Any, matrix: Any, start: int, parts: int) -> Any:
            rows = slice(start * size, (start + parts) * size)
            matrix = matrix if matrix is not None else weight if parts == 3 else weight[rows]  # type: ignore[index]
            offsets = bias if bias is None or parts == 3 else bias[rows]
            return split_heads(linear(x, matrix, offsets), parts, self.num_heads, batch_first)

        if weight is not None and same:
            q, k, v = project(query, None, 0, 3)
            return q, k, v
        (q,) = project(query, self.q_proj_weight, 0, 1)
        if weight is not None and shared:
            k, v = project(key, None, 1, 2)
        else:
            (k,), (v,) = project(key, self.k_proj_weight, 1, 1), project(value, self.v_proj_weight, 2, 1)
        return q, k, v

    def _with_extras(self, key: Any, value: Any) -> tuple[Any, Any]:
        """Keys and values with the learned ones and those of zeros at the end."""
        samples, heads, _, size = key.shape
        if self.bias_k is not None and self.bias_v is not None:
            key, value = (
                np.concatenate([x, np.broadcast_to(np.reshape(b, (1, heads, 1, size)), (samples, heads, 1, size))], -2)
                for x, b in ((key, self.bias_k), (value, self.bias_v))
            )
        if self.add_zero_attn:
            zeros = np.zeros((samples, heads, 1, size), key.dtype)
            key, value = np.concatenate([key, zeros], -2), np.concatenate([value, zeros], -2)
        return key, value

    def _bias(
        self,
        query: Any,
        steps: int,
        extras: int,
        key_padding_mask: Any,
        attn_mask: Any,
        is_causal: bool,
        offset: int,
        dtype: Any,
    ) -> Any:
        """All masks as one bias that broadcasts to the scores; keys that were appended are seen by all."""
        samples, heads, queries, _ = query.shape
        terms = []
        if attn_mask is not None:
            shape = np.shape(attn_mask)
            if shape not in ((queries, steps), (samples * heads, queries, steps)):
                raise ValueError(
                    f"attn_mask has shape {(queries, steps)} or {(samples * heads, queries, steps)} here; got {shape}"
                )
            bias = mask_bias("attn_mask", attn_mask, dtype, hidden=True)
            terms.append(bias if len(shape) == 2 else np.reshape(bias, (samples, heads, queries, steps)))
        if key_padding_mask is not None:
            shape = np.shape(key_padding_mask)
            if len(shape) not in (1, 2) or prod(shape) != samples * steps or shape[-1] != steps:
                raise ValueError(f"key_padding_mask has shape {(samples, steps)} here; got {shape}")
            bias = mask_bias("key_padding_mask", key_padding_mask, dtype, hidden=True)
            terms.append(np.reshape(bias, (samples, 1, 1, steps)))
        if is_causal:
            terms.append(causal_bias(queries, steps, dtype, offset))
        if not terms:
            return None
        total = sum(terms[1:], start=terms[0])
        if not extras:
            return total
        return np.concatenate([total, np.zeros((*total.shape[:-1], extras), dtype)], axis=-1)

    def _with_weights(self, query: Any, key: Any, value: Any, bias: Any, dtype: Any) -> tuple[Any, Any]:
        """Outputs of the heads, and the weights after dropout."""
        narrow = query.dtype
        if narrow != dtype:
            query, key, value = (x.astype(dtype) for x in (query, key, value))
        weights = attention_weights(query, key, bias, 1 / sqrt(self.head_dim), np.nan)
        weights = dropout(weights, self.dropout, self.training)
        heads = np.matmul(weights, value)
        return (heads, weights) if narrow == dtype else (heads.astype(narrow), weights.astype(narrow))
