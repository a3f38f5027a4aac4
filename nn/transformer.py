"""Transformer: layers of the encoder and the decoder, their stacks, and both together (Vaswani et al. 2017)."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np

from nn import init
from nn.activation import gelu, relu
from nn.attention import causal_bias
from nn.container import ModuleList
from nn.dropout import Dropout
from nn.linear import Linear
from nn.module import Module
from nn.multihead import MultiheadAttention
from nn.normalization import LayerNorm

__all__ = [
    "Transformer", "TransformerDecoder", "TransformerDecoderLayer", "TransformerEncoder", "TransformerEncoderLayer",
]  # fmt: skip

Activation = str | Callable[[Any], Any]


# ---------------------------------------------------------------------- layers


class _Layer(Module):
    """What both layers share: their parts, and blocks of attention and of the feed-forward network."""

    norm1: LayerNorm
    norm2: LayerNorm
    dropout1: Dropout
    dropout2: Dropout
    _attentions: tuple[str, ...] = ()

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        *,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        for name in self._attentions:
            attention = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, dtype=dtype)
            self.register_module(name, attention)
        self.linear1 = Linear(d_model, dim_feedforward, bias=bias, dtype=dtype)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias, dtype=dtype)
        self.norm_first = norm_first
        blocks = range(1, len(self._attentions) + 2)
        for i in blocks:
            self.register_module(f"norm{i}", LayerNorm(d_model, eps=layer_norm_eps, bias=bias, dtype=dtype))
        for i in blocks:
            self.register_module(f"dropout{i}", Dropout(dropout))
        self.activation = _activation(activation)

    def _attended(
        self, attention: Any, dropout: Any, x: Any, memory: Any, mask: Any, padding: Any, is_causal: bool
    ) -> Any:
        return dropout(attention(x, memory, memory, padding, False, mask, is_causal=is_causal)[0])

    def _fed_forward(self, dropout: Any, x: Any) -> Any:
        return dropout(self.linear2(self.dropout(self.activation(self.linear1(x)))))


def _activation(activation: Activation) -> Callable[[Any], Any]:
    if callable(activation):
        return activation
    if activation not in ("relu", "gelu"):
        raise ValueError(f"activation is 'relu', 'gelu' or a callable; got {activation!r}")
    return relu if activation == "relu" else gelu


class TransformerEncoderLayer(_Layer):
    """Self-attention and a feed-forward network, each beside a residual connection and with a layer norm.

    Parameters
    ----------
    d_model, nhead : int
        Features and heads.
    dim_feedforward : int
        Width of the feed-forward network.
    dropout : float
        Share dropped of the attention weights, inside the network, and of what each block adds.
    activation : "relu", "gelu" or callable
        Of the network.
    layer_norm_eps : float
        ε of the norms.
    batch_first : bool
        Inputs (N, T, d_model) instead of (T, N, d_model); (T, d_model) goes with both.
    norm_first : bool
        ``x + block(norm(x))`` (Xiong et al. 2020) in place of ``norm(x + block(x))``.
    bias : bool
        Whether linear layers and norms have biases.
    dtype : optional
        Of the parameters; float32 by default.

    Raises
    ------
    ValueError
        For another activation's name, and sizes that :class:`MultiheadAttention` refuses.
    """

    self_attn: MultiheadAttention
    _attentions = ("self_attn",)

    def forward(self, src: Any, src_mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool = False) -> Any:
        """The layer's output, of the shape of ``src``; masks as of :class:`MultiheadAttention`."""
        options = src_mask, src_key_padding_mask, is_causal
        if self.norm_first:
            x = self.norm1(src)
            src = src + self._attended(self.self_attn, self.dropout1, x, x, *options)
            return src + self._fed_forward(self.dropout2, self.norm2(src))
        src = self.norm1(src + self._attended(self.self_attn, self.dropout1, src, src, *options))
        return self.norm2(src + self._fed_forward(self.dropout2, src))


class TransformerDecoderLayer(_Layer):
    """Self-attention, attention to the encoder's output (the memory), and a feed-forward network.

    Parameters and errors as of :class:`TransformerEncoderLayer`.
    """

    self_attn: MultiheadAttention
    multihead_attn: MultiheadAttention
    norm3: LayerNorm
    dropout3: Dropout
    _attentions = ("self_attn", "multihead_attn")

    def forward(
        self,
        tgt: Any,
        memory: Any,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Any:
        """The layer's output, of the shape of ``tgt``; masks as of :class:`MultiheadAttention`."""
        own = tgt_mask, tgt_key_padding_mask, tgt_is_causal
        other = memory_mask, memory_key_padding_mask, memory_is_causal
        if self.norm_first:
            x = self.norm1(tgt)
            tgt = tgt + self._attended(self.self_attn, self.dropout1, x, x, *own)
            tgt = tgt + self._attended(self.multihead_attn, self.dropout2, self.norm2(tgt), memory, *other)
            return tgt + self._fed_forward(self.dropout3, self.norm3(tgt))
        tgt = self.norm1(tgt + self._attended(self.self_attn, self.dropout1, tgt, tgt, *own))
        tgt = self.norm2(tgt + self._attended(self.multihead_attn, self.dropout2, tgt, memory, *other))
        return self.norm3(tgt + self._fed_forward(self.dropout3, tgt))


# ---------------------------------------------------------------------- stacks


class TransformerEncoder(Module):
    """``num_layers`` deep copies of a layer, one after the other, and a ``norm`` at the end if there is one."""

    norm: Module | None

    def __init__(self, encoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers = ModuleList(deepcopy(encoder_layer) for _ in range(num_layers))
        self.num_layers = num_layers
        self.register_module("norm", norm)

    def forward(
        self, src: Any, mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool | None = None
    ) -> Any:
        """The last layer's output; all layers get the masks. ``is_causal`` hides later keys beside ``mask``."""
        for layer in self.layers:
            src = layer(src, src_mask=mask, src_key_padding_mask=src_key_padding_mask, is_causal=bool(is_causal))
        return src if self.norm is None else self.norm(src)


class TransformerDecoder(Module):
    """``num_layers`` deep copies of a layer, one after the other, and a ``norm`` at the end if there is one."""

    norm: Module | None

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers = ModuleList(deepcopy(decoder_layer) for _ in range(num_layers))
        self.num_layers = num_layers
        self.register_module("norm", norm)

    def forward(
        self,
        tgt: Any,
        memory: Any,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Any:
        """The last layer's output; all layers get the memory and the masks."""
        for layer in self.layers:
            tgt = layer(
                tgt,
                memory,
                tgt_mask=tgt_mask,
                memory_mask=memory_mask,
                tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask,
                tgt_is_causal=bool(tgt_is_causal),
                memory_is_causal=memory_is_causal,
            )
        return tgt if self.norm is None else self.norm(tgt)


# ---------------------------------------------------------------------- both together


class Transformer(Module):
    """An encoder of the source and a decoder of the target that looks at it (Vaswani et al. 2017).

    Parameters
    ----------
    d_model, nhead : int
        Features and heads.
    num_encoder_layers, num_decoder_layers : int
        Depths; each stack ends in a layer norm.
    custom_encoder, custom_decoder : Module, optional
        In place of the stacks.
    dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias, dtype
        As of :class:`TransformerEncoderLayer`.

    Notes
    -----
    All weights start from Glorot's uniform values, as in PyTorch.
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = relu,
        custom_encoder: Module | None = None,
        custom_decoder: Module | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        *,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        sizes = d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias

        def norm() -> LayerNorm:
            return LayerNorm(d_model, eps=layer_norm_eps, bias=bias, dtype=dtype)

        self.encoder = custom_encoder or TransformerEncoder(
            TransformerEncoderLayer(*sizes, dtype=dtype), num_encoder_layers, norm()
        )
        self.decoder = custom_decoder or TransformerDecoder(
            TransformerDecoderLayer(*sizes, dtype=dtype), num_decoder_layers, norm()
        )
        self.d_model = d_model
        self.nhead = nhead
        self.batch_first = batch_first
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all weights with more than one axis anew."""
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)

    def forward(
        self,
        src: Any,
        tgt: Any,
        src_mask: Any = None,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        src_key_padding_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Any:
        """The decoder's output, of the shape of ``tgt``; masks as of :class:`MultiheadAttention`.

        Raises ValueError unless source and target have ``d_model`` features and equally many samples.
        """
        self._check(np.shape(src), np.shape(tgt))
        memory = self.encoder(src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal)
        return self.decoder(
            tgt,
            memory,
            tgt_mask=tgt_mask,
            memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )

    def _check(self, src: tuple[int, ...], tgt: tuple[int, ...]) -> None:
        got = f"got a source {src} and a target {tgt}"
        if len(src) not in (2, 3) or len(src) != len(tgt) or (src[-1], tgt[-1]) != (self.d_model, self.d_model):
            raise ValueError(f"Transformer takes two inputs with 2 or 3 axes and {self.d_model} features; {got}")
        axis = 0 if self.batch_first else 1
        if len(src) == 3 and src[axis] != tgt[axis]:
            raise ValueError(f"source and target have equally many samples (axis {axis}); {got}")

    @staticmethod
    def generate_square_subsequent_mask(sz: int, dtype: Any = None) -> Any:
        """The array (sz, sz) that hides later positions: 0 up to the diagonal, −∞ above it; float32 by default."""
        return causal_bias(sz, sz, np.float32 if dtype is None else dtype).copy()
