"""A table of a network's layers: output shapes, parameters, memory of activations, multiply–adds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from autograd import no_grad
from autograd.dispatch import bare
from autograd.table import table
from autograd.tree import flatten
from nn.cells import GRUCell, LSTMCell, RNNCell
from nn.conv import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from nn.linear import Bilinear, Linear
from nn.module import Module
from nn.multihead import MultiheadAttention
from nn.recurrent import GRU, LSTM, RNN

__all__ = ["Summary", "summary"]


@dataclass
class Row:
    """One call of a module; numbers of parameters are given at its first call.

    Attributes
    ----------
    name, kind : path within the network, and class
    depth : how many calls this one lies within
    output_shapes : shapes of the arrays that it returns
    parameters : numbers of all parameters in it
    activation_bytes : memory of what it and the modules within return, views of their inputs left out
    multiply_adds : of the matrix products and convolutions in it; None where they are not known
    own : those of them that are not in the modules that it calls
    called : the rows of those
    """

    name: str
    kind: str
    depth: int
    parameters: int | None
    output_shapes: list[tuple[int, ...]] = field(default_factory=list)
    activation_bytes: int = 0
    multiply_adds: int | None = 0
    own: int | None = 0
    called: list[Row] = field(default_factory=list)

    def cells(self) -> tuple[str, ...]:
        head = "  " * self.depth + (f"{self.name.rpartition('.')[2]}: " if self.name else "") + self.kind
        shapes = ", ".join(map(str, self.output_shapes))
        parameters = "(again)" if self.parameters is None else f"{self.parameters:,}"
        adds = "?" if self.multiply_adds is None else f"{self.multiply_adds:,}"
        return head, shapes, parameters, _bytes(self.activation_bytes), adds


@dataclass(frozen=True)
class Summary:
    """What :func:`summary` found; prints as a table.

    Attributes
    ----------
    rows : one for each call of a module, in the order of the calls
    parameters, trainable : how many numbers are in the parameters, and in those that require gradients
    parameter_bytes, activation_bytes : memory
    multiply_adds : of all known matrix products and convolutions
    """

    rows: tuple[Row, ...]
    parameters: int
    trainable: int
    parameter_bytes: int
    activation_bytes: int
    multiply_adds: int

    def __str__(self) -> str:
        head = ("layer", "output shape", "parameters", "activations", "multiply-adds")
        lines = table([head, *(row.cells() for row in self.rows)], right=(2, 3, 4))
        total = f"{self.parameters:,} parameters ({_bytes(self.parameter_bytes)}), {self.trainable:,} of them trained; "
        lines.append(f"{total}{_bytes(self.activation_bytes)} of activations; {self.multiply_adds:,} multiply-adds")
        if unknown := sorted({row.kind for row in self.rows if row.own is None}):
            lines.append(f"multiply-adds not known of {', '.join(unknown)}")
        return "\n".join(lines)

    __repr__ = __str__


def _bytes(count: float) -> str:
    for unit in ("B", "KB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


# ---------------------------------------------------------------------- multiply–adds


def _size(value: Any) -> int:
    return prod(np.shape(value))


def _attention(layer: Any, inputs: tuple[Any, ...], out: Any) -> int:
    """Projections of queries, keys and values, scores, and weighted sums; the last projection is a layer within."""
    query, key, value = inputs[:3]
    width = layer.embed_dim
    samples = _size(query) // (width * np.shape(query)[-2 if layer.batch_first or np.ndim(query) == 2 else 0])
    pairs = (_size(query) // width) * (_size(key) // layer.kdim) // max(1, samples)
    return (_size(query) + _size(key) + _size(value)) * width + 2 * pairs * width


def _recurrence(layer: Any, inputs: tuple[Any, ...], out: Any) -> int:
    """Every weight meets every entry of every sequence once."""
    data = inputs[0][0] if isinstance(inputs[0], tuple) else inputs[0]  # of a packed batch
    return _size(data) // layer.input_size * sum(p.size for p in layer.parameters() if p.ndim == 2)


_PRODUCTS: dict[type, Callable[[Any, tuple[Any, ...], Any], int]] = {
    Linear: lambda layer, inputs, out: _size(out) * layer.in_features,
    Bilinear: lambda layer, inputs, out: _size(out) * (layer.in1_features + 1) * layer.in2_features,
    **dict.fromkeys((Conv1d, Conv2d, Conv3d), lambda layer, inputs, out: _size(out) * _size(layer.weight[0])),
    **dict.fromkeys(
        (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d),
        lambda layer, inputs, out: _size(inputs[0]) * _size(layer.weight[0]),
    ),
    MultiheadAttention: _attention,
    **dict.fromkeys((RNN, LSTM, GRU, RNNCell, LSTMCell, GRUCell), _recurrence),
}


def _own_multiply_adds(module: Module, inputs: tuple[Any, ...], out: Any) -> int | None:
    """Those outside the modules within: None for weights of two or more axes in a module that is not in the list."""
    for kind in type(module).__mro__:
        if kind in _PRODUCTS:
            return _PRODUCTS[kind](module, inputs, out)
    known = type(module).__module__.partition(".")[0] == "nn"
    return 0 if known or all(p.ndim < 2 for p in module.parameters(recurse=False)) else None


# ---------------------------------------------------------------------- the run


class _Recorder:
    """Rows of the calls of a network's modules, filled by hooks."""

    def __init__(self, model: Module) -> None:
        self.names = {module: name for name, module in model.named_modules()}
        self.rows: list[Row] = []
        self.open: list[Row] = []
        self.seen: set[Module] = set()

    def enter(self, module: Module, args: Any) -> None:
        again = module in self.seen
        self.seen.add(module)
        count = None if again else sum(p.size for p in module.parameters())
        row = Row(self.names[module], type(module).__name__, len(self.open), count)
        if self.open:
            self.open[-1].called.append(row)
        self.rows.append(row)
        self.open.append(row)

    def leave(self, module: Module, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        row = self.open.pop()
        arrays = [bare(y) for y in flatten(out)[0] if hasattr(y, "shape")]
        row.output_shapes = [y.shape for y in arrays]
        row.own = _own_multiply_adds(module, (*args, *kwargs.values()), out)
        adds = [row.own, *(inner.multiply_adds for inner in row.called)]
        row.multiply_adds = None if None in adds else sum(n for n in adds if n is not None)
        if row.called:
            row.activation_bytes = sum(inner.activation_bytes for inner in row.called)
            return
        inputs = [bare(x) for x in flatten((args, kwargs))[0] if hasattr(x, "shape")]
        new = [y for y in arrays if not any(np.may_share_memory(x, y) for x in inputs)]
        row.activation_bytes = sum(y.nbytes for y in new)


@contextmanager
def _evaluating(model: Module) -> Iterator[None]:
    """Evaluation mode, in which nothing of the model changes; its modes come back afterwards."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def summary(model: Module, *inputs: Any, **kwargs: Any) -> Summary:
    """A table of the modules that ``model(*inputs, **kwargs)`` calls.

    The model runs once, in evaluation mode and without recording, and is left as it was. Multiply–adds are those
    of matrix products and convolutions, one for each product of two numbers that is added up. Raises TypeError
    for what is no module, and whatever the model raises.
    """
    if not isinstance(model, Module):
        raise TypeError(f"summary() takes a Module; got {type(model).__name__}")
    recorder = _Recorder(model)
    handles = []
    try:
        for module in recorder.names:
            handles.append(module.register_forward_pre_hook(recorder.enter, prepend=True))
            handles.append(module.register_forward_hook(recorder.leave, with_kwargs=True))
        with _evaluating(model), no_grad():
            model(*inputs, **kwargs)
    finally:
        for handle in handles:
            handle.remove()
    parameters = list(model.parameters())
    leaves = [row for row in recorder.rows if not row.called]
    return Summary(
        tuple(recorder.rows),
        sum(p.size for p in parameters),
        sum(p.size for p in parameters if p.requires_grad),
        sum(p.nbytes for p in parameters),
        sum(row.activation_bytes for row in leaves),
        sum(row.own or 0 for row in recorder.rows),
    )
