"""Recurrent layers: the equations written out step by step, lengths, states, extremes, refusals."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import nn
from autograd import Tensor, gradcheck, gradgradcheck, manual_seed
from nn.scan import gru_scan, lstm_scan, rnn_scan
from nn.utils import rnn

RNG = np.random.default_rng(0)
X = RNG.normal(size=(5, 2, 3))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def weights(layer, at="_l0"):
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return [layer.get_parameter(name + at).numpy() for name in names]


# ---------------------------------------------------------------------- equations


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_simple_recurrence(nonlinearity):
    layer = nn.RNN(3, 4, nonlinearity=nonlinearity).double()
    w_x, w_h, b_x, b_h = weights(layer)
    h, expected = np.zeros((2, 4)), []
    for x in X:
        z = x @ w_x.T + b_x + h @ w_h.T + b_h
        h = np.tanh(z) if nonlinearity == "tanh" else np.maximum(z, 0)
        expected.append(h)
    output, last = layer(X)
    np.testing.assert_allclose(output.numpy(), expected, rtol=1e-13)
    np.testing.assert_allclose(last.numpy(), [h], rtol=1e-13)


def test_long_short_term_memory():
    layer = nn.LSTM(3, 4).double()
    w_x, w_h, b_x, b_h = weights(layer)
    h, c, expected = np.zeros((2, 4)), np.zeros((2, 4)), []
    for x in X:
        i, f, g, o = np.split(x @ w_x.T + b_x + h @ w_h.T + b_h, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        expected.append(h)
    output, (hidden, cell) = layer(X)
    np.testing.assert_allclose(output.numpy(), expected, rtol=1e-12)
    np.testing.assert_allclose(hidden.numpy(), [h], rtol=1e-12)
    np.testing.assert_allclose(cell.numpy(), [c], rtol=1e-12)


@pytest.mark.parametrize("reset_after", [False, True])
def test_gated_recurrent_unit_in_both_forms(reset_after):
    layer = nn.GRU(3, 4, reset_after=reset_after).double()
    (w_r, w_z, w_n), (u_r, u_z, u_n), (b_r, b_z, b_n), (d_r, d_z, d_n) = (np.split(w, 3) for w in weights(layer))
    h, expected = np.zeros((2, 4)), []
    for x in X:
        r = sigmoid(x @ w_r.T + b_r + h @ u_r.T + d_r)
        z = sigmoid(x @ w_z.T + b_z + h @ u_z.T + d_z)
        if reset_after:
            n = np.tanh(x @ w_n.T + b_n + r * (h @ u_n.T + d_n))
            h = (1 - z) * n + z * h
        else:
            n = np.tanh(x @ w_n.T + b_n + (r * h) @ u_n.T + d_n)
            h = (1 - z) * h + z * n
        expected.append(h)
    np.testing.assert_allclose(layer(X)[0].numpy(), expected, rtol=1e-12)


LAYERS = {
    "RNN": nn.RNN,
    "LSTM": nn.LSTM,
    "LSTM with projection": lambda *args, **options: nn.LSTM(*args, proj_size=2, **options),
    "GRU": nn.GRU,
    "GRU, reset after": lambda *args, **options: nn.GRU(*args, reset_after=True, **options),
}
layers = pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)


@pytest.mark.parametrize(
    ("layer", "cell"),
    [
        (nn.RNN(3, 4), nn.RNNCell(3, 4)),
        (nn.LSTM(3, 4), nn.LSTMCell(3, 4)),
        (nn.GRU(3, 4), nn.GRUCell(3, 4)),
        (nn.GRU(3, 4, reset_after=True), nn.GRUCell(3, 4, reset_after=True)),
    ],
    ids=repr,
)
def test_a_cell_is_a_step_of_the_layer(layer, cell):
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    layer.double()
    cell.double()
    state = None
    for t, x in enumerate(X):
        state = cell(x, state)
        hidden = state[0] if isinstance(state, tuple) else state
        np.testing.assert_allclose(hidden.numpy(), layer(X)[0].numpy()[t], rtol=1e-12)


@layers
def test_gradients_of_a_whole_layer(make):
    manual_seed(0)
    layer = make(2, 3, num_layers=2, bidirectional=True).double()
    names = [name for name, _ in layer.named_parameters()]
    values = [p.numpy().copy() for p in layer.parameters()]
    x = RNG.normal(size=(3, 2, 2))

    def output(x, *parameters):
        return nn.utils.functional_call(layer, dict(zip(names, parameters, strict=True)), (x,))[0]

    assert gradcheck(output, (x, *values), seed=0)
    assert gradgradcheck(lambda x, w: output(x, w, *values[1:]), (x, values[0]), seed=0)


# ---------------------------------------------------------------------- lengths


@layers
def test_packed_sequences_are_those_run_alone(make):
    manual_seed(1)
    layer = make(3, 4, num_layers=2, bidirectional=True).double()
    sequences = [Tensor(RNG.normal(size=(n, 3)), requires_grad=True) for n in (2, 5, 1)]
    output, states = layer(rnn.pack_sequence(sequences, enforce_sorted=False))
    together = rnn.unpack_sequence(output)
    sum((y * y).sum() for y in together).backward()
    gradients = [x.grad.numpy().copy() for x in sequences]
    for i, x in enumerate(sequences):
        x.grad = None
        alone, ends = layer(x)
        np.testing.assert_allclose(together[i].numpy(), alone.numpy(), rtol=1e-12)
        for a, b in zip(*((s if isinstance(s, tuple) else (s,)) for s in (states, ends)), strict=True):
            np.testing.assert_allclose(a.numpy()[:, i], b.numpy(), rtol=1e-12)
        (alone * alone).sum().backward()
        np.testing.assert_allclose(gradients[i], x.grad.numpy(), rtol=1e-10, atol=1e-13)


@layers
def test_sequences_of_length_1_and_5000(make):
    layer = make(2, 3)
    assert layer(np.ones((1, 2, 2), np.float32))[0].shape[:2] == (1, 2)
    x = Tensor(RNG.normal(size=(5000, 1, 2)).astype(np.float32), requires_grad=True)
    output, _ = layer(x)
    output.sum().backward()
    assert np.isfinite(x.grad.numpy()).all()
    assert layer(np.ones((4, 0, 2), np.float32))[0].shape[:2] == (4, 0)


def test_a_state_carries_over():
    layer = nn.LSTM(3, 4, num_layers=2).double()
    whole, last = layer(X)
    first, state = layer(X[:2])
    second, state = layer(X[2:], state)
    np.testing.assert_allclose(np.concatenate([first.numpy(), second.numpy()]), whole.numpy(), rtol=1e-12)
    np.testing.assert_allclose(state[1].numpy(), last[1].numpy(), rtol=1e-12)


# ---------------------------------------------------------------------- layouts, dtypes, options


@layers
def test_batch_first_and_dtypes(make):
    layer = make(3, 4)
    first = copy.deepcopy(layer)
    first.batch_first = True
    x = X.astype(np.float32)
    np.testing.assert_array_equal(layer(x)[0].numpy(), first(x.swapaxes(0, 1))[0].numpy().swapaxes(0, 1))
    assert layer(x)[0].dtype == np.float32
    half = copy.deepcopy(layer).half()
    y = half(x.astype(np.float16))[0]
    assert y.dtype == np.float16
    np.testing.assert_allclose(y.numpy(), layer(x)[0].numpy(), atol=3e-3)


def test_dropout_acts_between_layers_in_training():
    manual_seed(0)
    layer = nn.GRU(3, 4, num_layers=2, dropout=0.5)
    x = X.astype(np.float32)
    assert not np.array_equal(layer(x)[0].numpy(), layer(x)[0].numpy())
    layer.eval()
    np.testing.assert_array_equal(layer(x)[0].numpy(), layer(x)[0].numpy())
    with pytest.warns(UserWarning, match="dropout acts between layers, and there is only one"):
        nn.GRU(3, 4, dropout=0.5)


def test_large_inputs_saturate():
    for make in (nn.RNN, nn.LSTM, nn.GRU):
        x = Tensor(np.full((3, 1, 2), 1e30, np.float32), requires_grad=True)
        output, _ = make(2, 3)(x)
        output.sum().backward()
        assert np.isfinite(output.numpy()).all()
        assert np.isfinite(x.grad.numpy()).all()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.RNN(3, 4)(np.ones((5, 2, 2))), ValueError, r"inputs \(T, N, 3\) or \(T, 3\); got"),
        (lambda: nn.RNN(3, 4)(np.ones((0, 2, 3))), ValueError, "length 1 or more"),
        (lambda: nn.GRU(3, 4, batch_first=True)(np.ones((2, 0, 3))), ValueError, "length 1 or more"),
        (lambda: nn.RNN(3, 4)(np.ones((5, 2, 3), int)), TypeError, "convert the input to floats"),
        (lambda: nn.LSTM(3, 4)(X, (np.ones((1, 2, 4)),)), TypeError, r"a pair \(h, c\); got 1 values"),
        (lambda: nn.LSTM(3, 4)(X, np.ones((2, 1, 2, 4))), TypeError, r"a pair \(h, c\); got one array"),
        (lambda: nn.LSTM(3, 4)(X, [np.ones((1, 2, 4), int)] * 2), TypeError, "are floats; got int64"),
        (lambda: nn.GRUCell(3, 4)(np.ones((2, 3)), (np.ones((2, 4)),)), TypeError, "one array; got 1 values"),
        (lambda: nn.GRU(3, 4)(X, np.ones((2, 2, 4))), ValueError, r"got \(2, 2, 4\)"),
        (lambda: nn.RNN(3, 0), ValueError, "1 or more"),
        (lambda: nn.LSTM(3, 4, proj_size=4), ValueError, "proj_size is below hidden_size, 4; got 4"),
        (lambda: nn.LSTM(3, 4, 2, dropout=2.0), ValueError, "between 0 and 1"),
        (lambda: nn.RNN(3, 4, nonlinearity="sigmoid"), ValueError, "'tanh' or 'relu'"),
        (lambda: nn.RNNCell(3, 4, nonlinearity="sigmoid"), ValueError, "'tanh' or 'relu'"),
        (lambda: nn.GRUCell(3, 4)(np.ones((2, 4))), ValueError, r"takes inputs \(N, 3\) or \(3,\)"),
        (lambda: nn.GRUCell(3, 4)(np.ones((2, 3)), np.ones((2, 3))), ValueError, r"states of shape \(2, 4\)"),
        (lambda: rnn.pack_padded_sequence(X, [1, 2]), ValueError, "the lengths increase"),
        (lambda: rnn.pack_padded_sequence(X, [6, 2]), ValueError, "between 1 and 5"),
        (lambda: rnn.pack_padded_sequence(X, [2.0, 1.0]), ValueError, "an integer length each"),
        (lambda: rnn.pad_sequence([]), ValueError, "takes sequences"),
        (lambda: rnn.pad_sequence([np.ones((2, 3)), np.ones((2, 4))]), ValueError, "alike but for"),
        (lambda: rnn.pad_sequence([X], padding_side="top"), ValueError, "'right' or 'left'"),
        (
            lambda: rnn.pad_packed_sequence(rnn.pack_padded_sequence(X, [5, 5]), total_length=4),
            ValueError,
            "at least the longest length, 5",
        ),
    ],
)  # fmt: skip
def test_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_recurrences_of_complex_numbers_are_refused():
    z, h = np.ones((3, 2, 2)) * 1j, np.zeros((2, 2))
    with pytest.raises(TypeError, match="rnn computes with floats; got complex128"):
        rnn_scan(z, h, h)
    with pytest.raises(TypeError, match="lstm computes with floats; got complex128"):
        lstm_scan(np.tile(z, 4), h, h, np.tile(h, (4, 1)))
    with pytest.raises(TypeError, match="gru computes with floats; got complex128"):
        gru_scan(np.tile(z, 3), h, np.tile(h, (3, 1)))
