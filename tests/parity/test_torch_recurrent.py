"""Recurrent layers, cells and packed sequences beside PyTorch's.

Run where PyTorch is installed:  python -m pytest tests/parity
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
from autograd import Tensor
from nn.utils import rnn
from tests.parity.modules import compare_modules, torch

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections")  # PyTorch's note on its own speed

RNG = np.random.default_rng(0)
dtypes = pytest.mark.parametrize("dtype", [np.float64, np.float32])
LAYERS: list[tuple[str, dict[str, Any]]] = [
    ("RNN", {}),
    ("RNN", {"nonlinearity": "relu"}),
    ("LSTM", {}),
    ("LSTM", {"proj_size": 2}),
    ("GRU", {}),
]
SHAPES: list[dict[str, Any]] = [
    {},
    {"bias": False, "batch_first": True},
    {"num_layers": 3},
    {"bidirectional": True},
    {"num_layers": 2, "bidirectional": True, "batch_first": True},
]


def pair(name: str, args: tuple[Any, ...], options: dict[str, Any]) -> tuple[Any, Any]:
    own = {"reset_after": True} if name.startswith("GRU") else {}
    ours, theirs = getattr(nn, name)(*args, **options, **own), getattr(torch.nn, name)(*args, **options)
    assert repr(ours).replace(", reset_after=True", "") == repr(theirs)
    return ours, theirs


@dtypes
@pytest.mark.parametrize("options", SHAPES, ids=str)
@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_layers(layer, options, dtype):
    ours, theirs = pair(layer[0], (3, 4), {**layer[1], **options})
    for shape in ((5, 2, 3), (1, 1, 3), (6, 3)):
        compare_modules(ours, theirs, [RNG.normal(size=shape)], dtype=dtype)


class WithStates(nn.Module):
    """Takes the states of an LSTM as separate inputs."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x, *states):
        return self.layer(x, states if len(states) > 1 else states[0])


class TheirsWithStates(torch.nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x, *states):
        return self.layer(x, states if len(states) > 1 else states[0])


@dtypes
@pytest.mark.parametrize("layer", LAYERS, ids=str)
@pytest.mark.parametrize("batch", [(), (2,)])
def test_first_states(layer, batch, dtype):
    name, options = layer
    ours, theirs = pair(name, (3, 4), {**options, "num_layers": 2, "bidirectional": True})
    sizes = (options.get("proj_size", 4), 4)[: 2 if name == "LSTM" else 1]
    states = [RNG.normal(size=(4, *batch, size)) for size in sizes]
    compare_modules(WithStates(ours), TheirsWithStates(theirs), [RNG.normal(size=(5, *batch, 3)), *states], dtype=dtype)


@dtypes
@pytest.mark.parametrize(
    ("name", "options"),
    [("RNNCell", {}), ("RNNCell", {"nonlinearity": "relu"}), ("LSTMCell", {}), ("GRUCell", {"bias": False})],
)
@pytest.mark.parametrize("batch", [(), (2,)])
def test_cells(name, options, batch, dtype):
    ours, theirs = pair(name, (3, 4), options)
    compare_modules(ours, theirs, [RNG.normal(size=(*batch, 3))], dtype=dtype)
    states = [RNG.normal(size=(*batch, 4)) for _ in range(2 if name == "LSTMCell" else 1)]
    compare_modules(WithStates(ours), TheirsWithStates(theirs), [RNG.normal(size=(*batch, 3)), *states], dtype=dtype)


class Packing(nn.Module):
    """Pads, packs, runs, unpacks."""

    def __init__(self, layer, lengths):
        super().__init__()
        self.layer = layer
        self.lengths = lengths

    def forward(self, x):
        packed = rnn.pack_padded_sequence(x, self.lengths, enforce_sorted=False)
        output, states = self.layer(packed)
        return rnn.pad_packed_sequence(output, padding_value=7.0)[0], states


class TheirPacking(torch.nn.Module):
    def __init__(self, layer, lengths):
        super().__init__()
        self.layer = layer
        self.lengths = torch.tensor(lengths)

    def forward(self, x):
        packed = torch.nn.utils.rnn.pack_padded_sequence(x, self.lengths, enforce_sorted=False)
        output, states = self.layer(packed)
        return torch.nn.utils.rnn.pad_packed_sequence(output, padding_value=7.0)[0], states


@dtypes
@pytest.mark.parametrize("layer", LAYERS, ids=str)
@pytest.mark.parametrize("lengths", [[3, 1, 5, 5], [2, 2, 2, 2]])
def test_packed_sequences(layer, lengths, dtype):
    ours, theirs = pair(layer[0], (3, 4), {**layer[1], "num_layers": 2, "bidirectional": True})
    x = RNG.normal(size=(5, 4, 3))
    compare_modules(Packing(ours, lengths), TheirPacking(theirs, lengths), [x], dtype=dtype)


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("ordered", [False, True])
def test_packing(first, ordered):
    theirs = torch.nn.utils.rnn
    lengths = np.array([5, 3, 3, 1]) if ordered else np.array([3, 5, 1, 3])
    x = RNG.normal(size=(4, 5, 2) if first else (5, 4, 2))
    a = rnn.pack_padded_sequence(Tensor(x), lengths, first, enforce_sorted=ordered)
    b = theirs.pack_padded_sequence(torch.tensor(x), torch.tensor(lengths), first, enforce_sorted=ordered)
    np.testing.assert_array_equal(a.data.numpy(), b.data.numpy())
    np.testing.assert_array_equal(a.batch_sizes, b.batch_sizes.numpy())
    y, n = rnn.pad_packed_sequence(a, first, -1.0, 6)
    z, m = theirs.pad_packed_sequence(b, first, -1.0, 6)
    np.testing.assert_array_equal(y.numpy(), z.numpy())
    np.testing.assert_array_equal(n, m.numpy())
    parts, others = rnn.unpack_sequence(a), theirs.unpack_sequence(b)
    for p, q in zip(parts, others, strict=True):
        np.testing.assert_array_equal(p.numpy(), q.numpy())
    for side in ("left", "right"):
        together = rnn.pad_sequence(parts, first, 2.0, side)
        np.testing.assert_array_equal(together.numpy(), theirs.pad_sequence(others, first, 2.0, side).numpy())
