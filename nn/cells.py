"""Recurrent cells: one step of the recurrent layers."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np

from autograd.dispatch import Differentiable
from nn import init
from nn.linear import linear
from nn.module import Module
from nn.parameter import Parameter, unset
from nn.scan import given_states, gru_step, lstm_step, rnn_step

__all__ = ["GRUCell", "LSTMCell", "RNNCell"]


class _Cell(Module):
    """What the three share: parameters, checks, and the layout of a batch or a single sample."""

    parts: int  # gates
    states: int = 1
    bias_ih: Parameter | None
    bias_hh: Parameter | None

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, *, dtype: Any = None) -> None:
        super().__init__()
        if input_size < 0 or hidden_size < 1:
            raise ValueError(f"{type(self).__name__}({input_size}, {hidden_size}): hidden_size is 1 or more")
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows = self.parts * hidden_size
        self.weight_ih = unset(rows, input_size, dtype=dtype)
        self.weight_hh = unset(rows, hidden_size, dtype=dtype)
        self.register_parameter("bias_ih", unset(rows, dtype=dtype) if bias else None)
        self.register_parameter("bias_hh", unset(rows, dtype=dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters anew from ``U(−1/√H, 1/√H)``, as in PyTorch."""
        bound = 1 / sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def _prepared(self, input: Any, hx: Any) -> tuple[Any, list[Any]]:
        """Input and states, checked; states are zeros where none are given."""
        name = type(self).__name__
        x = input if isinstance(input, Differentiable) else np.asarray(input)
        if len(x.shape) not in (1, 2) or x.shape[-1] != self.input_size:
            raise ValueError(
                f"this {name} takes inputs (N, {self.input_size}) or ({self.input_size},); got shape {x.shape}"
            )
        if x.dtype.kind != "f":
            raise TypeError(f"{name} of dtype {x.dtype}; convert the input to floats first")
        shape = (*x.shape[:-1], self.hidden_size)
        if hx is None:
            return x, [np.zeros(shape, x.dtype)] * self.states
        given = given_states(name, hx, self.states)
        if [np.shape(s) for s in given] != [shape] * self.states:
            got = " and ".join(str(np.shape(s)) for s in given)
            raise ValueError(f"this {name} takes states of shape {shape} for this input; got {got}")
        return x, given

    def _gates(self, x: Any) -> Any:
        """The input's part in the gates, with both biases."""
        bias = None if self.bias_ih is None or self.bias_hh is None else self.bias_ih + self.bias_hh
        return linear(x, self.weight_ih, bias)

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")


class RNNCell(_Cell):
    """One step of :class:`nn.RNN`: ``h' = σ(W_ih x + b_ih + W_hh h + b_hh)``.

    Inputs (N, input_size) or (input_size,), states and outputs (N, H) or (H,). Parameters are ``weight_ih`` (H,
    input_size), ``weight_hh`` (H, H), ``bias_ih`` and ``bias_hh`` (H,). Raises ValueError for sizes out of range,
    another nonlinearity than "tanh" and "relu", and shapes that do not fit.
    """

    parts = 1

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh", *, dtype: Any = None
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"nonlinearity is 'tanh' or 'relu'; got {nonlinearity!r}")
        super().__init__(input_size, hidden_size, bias, dtype=dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Any, hx: Any = None) -> Any:
        x, (hidden,) = self._prepared(input, hx)
        return rnn_step(self._gates(x), hidden, self.weight_hh, self.nonlinearity)

    def extra_repr(self) -> str:
        return super().extra_repr() + ("" if self.nonlinearity == "tanh" else f", nonlinearity={self.nonlinearity}")


class LSTMCell(_Cell):
    """One step of :class:`nn.LSTM`; states and outputs are pairs (h, c). Parameters and errors as its own."""

    parts = 4
    states = 2

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:
        x, (hidden, cell) = self._prepared(input, hx)
        return lstm_step(self._gates(x), hidden, cell, self.weight_hh)


class GRUCell(_Cell):
    """One step of :class:`nn.GRU`, in either of its forms. Parameters and errors as its own."""

    parts = 3

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, *, reset_after: bool = False, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, dtype=dtype)
        self.reset_after = reset_after

    def forward(self, input: Any, hx: Any = None) -> Any:
        x, (hidden,) = self._prepared(input, hx)
        if not self.reset_after:
            return gru_step(self._gates(x), hidden, self.weight_hh, None, False)
        return gru_step(linear(x, self.weight_ih, self.bias_ih), hidden, self.weight_hh, self.bias_hh, True)

    def extra_repr(self) -> str:
        return super().extra_repr() + (", reset_after=True" if self.reset_after else "")
