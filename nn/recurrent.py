"""Recurrent layers: simple, long short-term memory, and gated; stacked, in both directions, of any lengths."""

from __future__ import annotations

import warnings
from math import sqrt
from typing import Any

import numpy as np

from autograd.dispatch import Differentiable
from autograd.precision import in_half
from nn import init
from nn.dropout import dropout
from nn.linear import linear
from nn.module import Module
from nn.parameter import unset
from nn.scan import given_states, gru_scan, lstm_scan, rnn_scan
from nn.utils.rnn import PackedSequence, padded_by_time

__all__ = ["GRU", "LSTM", "RNN"]


class _Recurrent(Module):
    """What the three share: parameters, the stack of layers and directions, and the layout of batches."""

    parts: int  # gates

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        *,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        if input_size < 0 or hidden_size < 1 or num_layers < 1:
            raise ValueError(
                f"{name}({input_size}, {hidden_size}, num_layers={num_layers}): H and num_layers are 1 or more"
            )
        if not 0 <= proj_size < hidden_size:
            raise ValueError(f"{name}: proj_size is below hidden_size, {hidden_size}; got {proj_size}")
        if not 0 <= dropout <= 1:
            raise ValueError(f"{name}: dropout is a share between 0 and 1; got {dropout}")
        if dropout and num_layers == 1:
            warnings.warn(f"{name}: dropout acts between layers, and there is only one", stacklevel=3)
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        out, rows = proj_size or hidden_size, self.parts * hidden_size
        for layer in range(num_layers):
            width = input_size if layer == 0 else out * len(self._directions)
            for suffix in self._directions:
                at = f"_l{layer}{suffix}"
                self.register_parameter(f"weight_ih{at}", unset(rows, width, dtype=dtype))
                self.register_parameter(f"weight_hh{at}", unset(rows, out, dtype=dtype))
                if bias:
                    self.register_parameter(f"bias_ih{at}", unset(rows, dtype=dtype))
                    self.register_parameter(f"bias_hh{at}", unset(rows, dtype=dtype))
                if proj_size:
                    self.register_parameter(f"weight_hr{at}", unset(proj_size, hidden_size, dtype=dtype))
        self.reset_parameters()

    @property
    def _directions(self) -> tuple[str, ...]:
        return ("", "_reverse") if self.bidirectional else ("",)

    @property
    def _state_sizes(self) -> tuple[int, ...]:
        """Widths of the states."""
        return (self.proj_size or self.hidden_size,)

    def reset_parameters(self) -> None:
        """Draw all parameters anew from ``U(−1/√H, 1/√H)``, as in PyTorch."""
        bound = 1 / sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def _scan(
        self, x: Any, states: list[Any], at: str, sizes: tuple[int, ...] | None, reverse: bool
    ) -> tuple[Any, ...]:
        """States (T + 1, N, ·) of one layer in one direction, in the order of the steps."""
        raise NotImplementedError(f"{type(self).__name__} defines no _scan()")

    def _biases(self, at: str) -> Any:
        """Both biases as one."""
        return getattr(self, f"bias_ih{at}") + getattr(self, f"bias_hh{at}") if self.bias else None

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:
        """Outputs of the last layer at every time, and every layer's last states.

        Parameters
        ----------
        input : (T, N, input_size), (N, T, input_size) if ``batch_first``, (T, input_size), or PackedSequence
        hx : states (layers · directions, N, H), for the LSTM a pair, optional
            What to start from; zeros by default. Without N for a single sequence.

        Returns
        -------
        output (T, N, directions · H), in the layout of the input, and states as ``hx``.

        Raises
        ------
        ValueError
            For shapes that do not fit and sequences of length 0.
        """
        packed = input if isinstance(input, PackedSequence) else None
        x = padded_by_time(packed) if packed else input if isinstance(input, Differentiable) else np.asarray(input)
        single = packed is None and len(x.shape) == 2
        self._check(x, packed is not None)
        if single:
            x = x[:, None]
        elif self.batch_first and packed is None:
            x = np.swapaxes(x, 0, 1)
        x, _ = in_half(x, next(self.parameters()))
        starts = self._starts(hx, x, single, packed)
        sizes = None if packed is None else tuple(packed.batch_sizes.tolist())
        output, ends = self._run(x, starts, sizes)
        if packed is not None:
            present = np.arange(x.shape[1]) < np.asarray(sizes)[:, None]
            if packed.unsorted_indices is not None:
                ends = [s[:, packed.unsorted_indices] for s in ends]
            output = packed._replace(data=output[present])
        elif single:
            output, ends = output[:, 0], [s[:, 0] for s in ends]
        elif self.batch_first:
            output = np.swapaxes(output, 0, 1)
        return output, tuple(ends) if len(ends) > 1 else ends[0]

    def _check(self, x: Any, packed: bool) -> None:
        name, shape = type(self).__name__, x.shape
        layout = "(N, T, {0})" if self.batch_first else "(T, N, {0})"
        if len(shape) not in (2, 3) or shape[-1] != self.input_size or (packed and len(shape) == 2):
            expected = layout.format(self.input_size)
            raise ValueError(f"this {name} takes inputs {expected} or (T, {self.input_size}); got shape {shape}")
        if x.dtype.kind != "f":
            raise TypeError(f"{name} of dtype {x.dtype}; convert the input to floats first")
        if shape[1 if self.batch_first and len(shape) == 3 and not packed else 0] == 0:
            raise ValueError(f"{name} takes sequences of length 1 or more; got shape {shape}")

    def _starts(self, hx: Any, x: Any, single: bool, packed: PackedSequence | None) -> list[Any]:
        """The first states (layers · directions, N, ·)."""
        rows, count = self.num_layers * len(self._directions), x.shape[1]
        shapes = [(rows, count, size) for size in self._state_sizes]
        if hx is None:
            return [np.zeros(shape, np.result_type(x.dtype, next(self.parameters()).dtype)) for shape in shapes]
        given = given_states(type(self).__name__, hx, len(shapes))
        wanted = [(rows, size) for _, _, size in shapes] if single else shapes
        if [np.shape(s) for s in given] != wanted:
            got = " and ".join(str(np.shape(s)) for s in given)
            raise ValueError(
                f"this {type(self).__name__} starts from states {' and '.join(map(str, wanted))}; got {got}"
            )
        if packed is not None and packed.sorted_indices is not None:
            return [s[:, packed.sorted_indices] for s in given]
        return [s[:, None] for s in given] if single else given

    def _run(self, x: Any, starts: list[Any], sizes: tuple[int, ...] | None) -> tuple[Any, list[Any]]:
        ends: list[list[Any]] = [[] for _ in starts]
        for layer in range(self.num_layers):
            outputs = []
            for suffix in self._directions:
                first, reverse = [s[len(ends[0])] for s in starts], bool(suffix)
                states = self._scan(x, first, f"_l{layer}{suffix}", sizes, reverse)
                outputs.append(states[0][:0:-1] if reverse else states[0][1:])
                for column, history in zip(ends, states, strict=True):
                    column.append(history[-1])
            x = outputs[0] if len(outputs) == 1 else np.concatenate(outputs, axis=-1)
            if layer < self.num_layers - 1:
                x = dropout(x, self.dropout, self.training)
        return x, [np.stack(column) for column in ends]

    def extra_repr(self) -> str:
        options = {
            "proj_size": 0,
            "num_layers": 1,
            "bias": True,
            "batch_first": False,
            "dropout": 0.0,
            "bidirectional": False,
        }
        given = ((name, getattr(self, name), default) for name, default in options.items())
        text = "".join(f", {name}={value}" for name, value, default in given if value != default)
        return f"{self.input_size}, {self.hidden_size}{text}"


class RNN(_Recurrent):
    """``h_t = σ(W_ih x_t + b_ih + W_hh h_{t−1} + b_hh)`` with tanh or ReLU (Elman 1990).

    Parameters
    ----------
    input_size, hidden_size : int
        Features of inputs, and H of states.
    num_layers : int
        How many are stacked, each on the outputs of the one before.
    nonlinearity : {"tanh", "relu"}
        σ.
    bias : bool
        Whether there are biases.
    batch_first : bool
        Inputs and outputs (N, T, ·) instead of (T, N, ·); states stay (layers · directions, N, H).
    dropout : float
        Share dropped of the outputs of every layer but the last, in training.
    bidirectional : bool
        A second recurrence from the end, its outputs beside those of the first.
    dtype : optional
        Of the parameters; float32 by default.

    Raises
    ------
    ValueError
        For sizes out of range and another nonlinearity.

    Notes
    -----
    Parameters are ``weight_ih_l0`` (H, input_size), ``weight_hh_l0`` (H, H), ``bias_ih_l0``, ``bias_hh_l0`` (H,), then
    those with ``_reverse`` and of further layers; all start from ``U(−1/√H, 1/√H)``, as in PyTorch.
    """

    parts = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        dtype: Any = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"nonlinearity is 'tanh' or 'relu'; got {nonlinearity!r}")
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype=dtype)
        self.nonlinearity = nonlinearity

    def _scan(
        self, x: Any, states: list[Any], at: str, sizes: tuple[int, ...] | None, reverse: bool
    ) -> tuple[Any, ...]:
        gates = linear(x, getattr(self, f"weight_ih{at}"), self._biases(at))
        return (rnn_scan(gates, states[0], getattr(self, f"weight_hh{at}"), self.nonlinearity, sizes, reverse),)


class LSTM(_Recurrent):
    """Long short-term memory (Hochreiter & Schmidhuber 1997; with forget gates, Gers et al. 2000).

    ``i, f, o = σ(W x_t + b + U h_{t−1} + b')`` and ``g = tanh(…)``, each with rows of its own; ``c_t = f ⊙ c_{t−1} +
    i ⊙ g``, ``h_t = o ⊙ tanh c_t``.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype
        As of :class:`RNN`.
    proj_size : int
        If above 0, states and outputs are ``W_hr h_t`` with that many features (Sak et al. 2014).

    Raises
    ------
    ValueError
        For sizes out of range.

    Notes
    -----
    ``weight_ih_l0`` (4H, input_size) and ``weight_hh_l0`` (4H, H) hold the gates i, f, g, o on top of each other, as do
    the biases; ``weight_hr_l0`` is (proj_size, H). States are pairs (h, c).
    """

    parts = 4

    @property
    def _state_sizes(self) -> tuple[int, ...]:
        return (self.proj_size or self.hidden_size, self.hidden_size)

    def _scan(
        self, x: Any, states: list[Any], at: str, sizes: tuple[int, ...] | None, reverse: bool
    ) -> tuple[Any, ...]:
        gates = linear(x, getattr(self, f"weight_ih{at}"), self._biases(at))
        projection = getattr(self, f"weight_hr{at}") if self.proj_size else None
        hidden, cells, _ = lstm_scan(gates, *states, getattr(self, f"weight_hh{at}"), projection, sizes, reverse)
        return hidden, cells


class GRU(_Recurrent):
    """Gated recurrent unit, in the textbook's form or in PyTorch's (Cho et al. 2014).

    The textbook's, the default: ``r, z = σ(W x_t + U h_{t−1} + b)``, ``n = tanh(W_n x_t + U_n (r ⊙ h_{t−1}) + b_n)``,
    ``h_t = (1 − z) ⊙ h_{t−1} + z ⊙ n``. PyTorch's, with ``reset_after=True``:
    ``n = tanh(W_n x_t + b_in + r ⊙ (U_n h_{t−1} + b_hn))``, ``h_t = (1 − z) ⊙ n + z ⊙ h_{t−1}``. Weights of one do not
    serve the other.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype
        As of :class:`RNN`.
    reset_after : bool
        Which form.

    Raises
    ------
    ValueError
        For sizes out of range.

    Notes
    -----
    ``weight_ih_l0`` (3H, input_size) and ``weight_hh_l0`` (3H, H) hold the gates r, z, n on top of each other, as do
    the biases.
    """

    parts = 3

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        reset_after: bool = False,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype=dtype)
        self.reset_after = reset_after

    def _scan(
        self, x: Any, states: list[Any], at: str, sizes: tuple[int, ...] | None, reverse: bool
    ) -> tuple[Any, ...]:
        weight = getattr(self, f"weight_hh{at}")
        if self.reset_after:
            outer = getattr(self, f"bias_ih{at}") if self.bias else None
            inner = getattr(self, f"bias_hh{at}") if self.bias else None
        else:
            outer, inner = self._biases(at), None
        gates = linear(x, getattr(self, f"weight_ih{at}"), outer)
        return (gru_scan(gates, states[0], weight, inner, self.reset_after, sizes, reverse)[0],)

    def extra_repr(self) -> str:
        return super().extra_repr() + (", reset_after=True" if self.reset_after else "")
