"""Recurrences over whole sequences, each one operation: forward in a loop of few NumPy calls a step, and back.

Sequences are time-major: ``gates`` (T, N, parts·H) is what the inputs contribute to the gates, biases included.
Outputs hold the states in the order of the steps, (T + 1, N, H), the first at index 0. Sequences may have
different lengths: ``sizes[t]`` of them, the first ones, are still there at time t, and the states of the others
stay what they are. With ``reverse`` the steps go from the end of time to its beginning.

Where derivatives are themselves differentiated the recurrence is taken step by step, as ``autograd`` records it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograd import jvp, primitive, vjp
from autograd.dispatch import Differentiable
from autograd.kernels import row_kernel
from autograd.numpy.elementwise import relu, sigmoid, tanh

__all__ = ["given_states", "gru_scan", "gru_step", "lstm_scan", "lstm_step", "rnn_scan", "rnn_step"]

Sizes = tuple[int, ...] | None


def given_states(name: str, hx: Any, count: int) -> list[Any]:
    """The states that a layer is called with; raises TypeError unless they are ``count`` arrays of floats."""
    several = isinstance(hx, (tuple, list))
    states = list(hx) if several else [hx]
    if len(states) != count or several != (count > 1):
        wanted = "a pair (h, c)" if count == 2 else "one array"
        raise TypeError(f"the states of {name} are {wanted}; got {f'{len(states)} values' if several else 'one array'}")
    states = [s if isinstance(s, Differentiable) else np.asarray(s) for s in states]
    for state in states:
        if state.dtype.kind != "f":
            raise TypeError(f"the states of {name} are floats; got {state.dtype}")
    return states


# ---------------------------------------------------------------------- one step
# On any values; the equations, as the cells use them.


def rnn_step(gates: Any, hidden: Any, weight: Any, nonlinearity: str) -> Any:
    """``h' = σ(x + W h)`` with tanh or ReLU (Elman 1990)."""
    z = gates + hidden @ weight.T
    return tanh(z) if nonlinearity == "tanh" else relu(z)


def lstm_step(gates: Any, hidden: Any, cell: Any, weight: Any, projection: Any = None) -> tuple[Any, Any]:
    """``c' = f ⊙ c + i ⊙ g``, ``h' = o ⊙ tanh c'`` (Hochreiter & Schmidhuber 1997), times the projection if any."""
    i, f, g, o = np.split(gates + hidden @ weight.T, 4, axis=-1)
    cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
    hidden = sigmoid(o) * np.tanh(cell)
    return (hidden if projection is None else hidden @ projection.T), cell


def gru_step(gates: Any, hidden: Any, weight: Any, bias: Any, reset_after: bool) -> Any:
    """One step of either form of the gated recurrent unit; see :class:`nn.GRU`.

    ``bias`` is what belongs to ``weight``; in the textbook's form it may as well be in ``gates``.
    """
    width = hidden.shape[-1]
    x_r, x_z, x_n = np.split(gates, 3, axis=-1)
    if reset_after:
        inner = hidden @ weight.T
        inner = inner if bias is None else inner + bias
        h_r, h_z, h_n = np.split(inner, 3, axis=-1)
        r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
        n = np.tanh(x_n + r * h_n)
        return (1 - z) * n + z * hidden
    inner = hidden @ weight[: 2 * width].T
    h_r, h_z = np.split(inner if bias is None else inner + bias[: 2 * width], 2, axis=-1)
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    candidate = x_n + (r * hidden) @ weight[2 * width :].T
    n = np.tanh(candidate if bias is None else candidate + bias[2 * width :])
    return (1 - z) * hidden + z * n


# ---------------------------------------------------------------------- dtype, order of the steps


def _dtype(name: str, *operands: Any) -> np.dtype[Any]:
    """What the operands (or None) promote to; raises TypeError unless that is a float dtype."""
    dtype = np.result_type(*(x for x in operands if x is not None))
    if dtype.kind != "f":
        raise TypeError(f"{name} computes with floats; got {dtype}")
    return dtype


def _order(steps: int, count: int, sizes: Sizes, reverse: bool) -> list[tuple[int, int]]:
    """For each step its time, and how many sequences take part."""
    times = range(steps - 1, -1, -1) if reverse else range(steps)
    return [(t, count if sizes is None else sizes[t]) for t in times]


def _unrolled(step: Callable[..., tuple[Any, ...]], gates: Any, states: tuple[Any, ...], order: Any) -> tuple[Any, ...]:
    """All states, step by step, by operations that are recorded one by one."""
    history = [states]
    for t, active in order:
        new = step(gates[t, :active], *(s[:active] for s in states))
        if active < len(states[0]):
            new = tuple(np.concatenate([a, s[active:]]) for a, s in zip(new, states, strict=True))
        states = new
        history.append(states)
    return tuple(np.stack(column) for column in zip(*history, strict=True))


def _any_differentiable(*values: Any) -> bool:
    return any(isinstance(value, Differentiable) for value in values)


def _pulled(run: Callable[..., Any], operands: tuple[Any, ...], cotangents: Any) -> tuple[Any, ...]:
    """Cotangents of the operands of ``run``, of which the last may be None."""
    present = operands if operands[-1] is not None else operands[:-1]
    found = vjp(run, *present)[1](cotangents)
    return (*found, None)[: len(operands)]


def _pushed(run: Callable[..., Any], operands: tuple[Any, ...], tangents: Any) -> Any:
    """The tangent of what ``run`` returns; tangents that are None are zeros."""
    present = [(x, t) for x, t in zip(operands, tangents, strict=True) if x is not None]
    filled = [np.zeros(x.shape, x.dtype) if t is None else t for x, t in present]
    return jvp(run, tuple(x for x, _ in present), tuple(filled))[1]


def _in_order(array: Any, reverse: bool) -> Any:
    """An array of one entry per time in the order of the steps, or back."""
    return array[::-1] if reverse else array


def _rows(array: Any) -> Any:
    """(T, N, H) as (T·N, H)."""
    return array.reshape(array.shape[0] * array.shape[1], array.shape[2])


def _weight_gradient(slopes: Any, states: Any, reverse: bool) -> Any:
    """``Σ_t z̄_tᵀ h_{t−1}`` as one product; sequences that take no part have zeros in ``slopes``."""
    return _rows(slopes).T @ _rows(_in_order(states[:-1], reverse))


# ---------------------------------------------------------------------- simple recurrence


def _rnn(
    gates: Any, hidden: Any, weight: Any, nonlinearity: str = "tanh", sizes: Sizes = None, reverse: bool = False
) -> Any:
    """States (T + 1, N, H) of the simple recurrence ``h_t = σ(x_t + W h_{t−1})``."""
    steps, count, width = gates.shape
    states = np.empty((steps + 1, count, width), _dtype("rnn", gates, hidden, weight))
    states[0] = hidden
    transposed = weight.T
    for k, (t, active) in enumerate(_order(steps, count, sizes, reverse)):
        new = states[k + 1, :active]
        np.matmul(states[k, :active], transposed, out=new)
        new += gates[t, :active]
        if nonlinearity == "tanh":
            np.tanh(new, out=new)
        else:
            np.maximum(new, 0, out=new)
        states[k + 1, active:] = states[k, active:]
    return states


def _rnn_recorded(gates: Any, nonlinearity: str, sizes: Sizes, reverse: bool) -> Callable[..., Any]:
    order = _order(gates.shape[0], gates.shape[1], sizes, reverse)
    return lambda x, h, w: _unrolled(lambda x, h: (rnn_step(x, h, w, nonlinearity),), x, (h,), order)[0]


def _rnn_vjp(
    g: Any, gates: Any, hidden: Any, weight: Any, out: Any, nonlinearity: str, sizes: Sizes, reverse: bool
) -> Any:
    if _any_differentiable(g, gates, hidden, weight):
        return _pulled(_rnn_recorded(gates, nonlinearity, sizes, reverse), (gates, hidden, weight), g)
    slopes = np.zeros(gates.shape, out.dtype)
    to_hidden = g[-1].copy()
    for k, (t, active) in reversed(list(enumerate(_order(gates.shape[0], gates.shape[1], sizes, reverse)))):
        new = out[k + 1, :active]
        slope = slopes[t, :active]
        np.multiply(to_hidden[:active], 1 - new * new if nonlinearity == "tanh" else new > 0, out=slope)
        np.matmul(slope, weight, out=to_hidden[:active])
        to_hidden += g[k]
    return slopes, to_hidden, _weight_gradient(slopes, out, reverse)


def _rnn_jvp(t: Any, gates: Any, hidden: Any, weight: Any, nonlinearity: str, sizes: Sizes, reverse: bool) -> Any:
    return _pushed(_rnn_recorded(gates, nonlinearity, sizes, reverse), (gates, hidden, weight), t)


rnn_scan: Any = primitive(
    _rnn,
    vjp=_rnn_vjp,
    jvp=_rnn_jvp,
    differentiable=("gates", "hidden", "weight"),
    name="rnn",
    autocast="half",
    widen=True,
)


# ---------------------------------------------------------------------- long short-term memory


def _lstm(
    gates: Any,
    hidden: Any,
    cell: Any,
    weight: Any,
    projection: Any = None,
    sizes: Sizes = None,
    reverse: bool = False,
) -> tuple[Any, Any, Any]:
    """States and cells (T + 1, N, ·), and the gates i, f, g, o after their nonlinearities, (T, N, 4, H)."""
    steps, count = gates.shape[:2]
    width = cell.shape[-1]
    dtype = _dtype("lstm", gates, hidden, cell, weight, projection)
    step = row_kernel("lstm_step", dtype, width) or _lstm_gates(width, dtype)
    acts = np.array(gates, dtype, order="C")
    transposed = np.ascontiguousarray(weight.T, dtype)
    states, cells = np.empty((steps + 1, *hidden.shape), dtype), np.empty((steps + 1, *cell.shape), dtype)
    states[0], cells[0] = hidden, cell
    products, outputs = np.empty((count, 4 * width), dtype), np.empty((count, width), dtype)
    for k, (t, active) in enumerate(_order(steps, count, sizes, reverse)):
        product = np.matmul(states[k, :active], transposed, out=products[:active])
        output = states[k + 1, :active] if projection is None else outputs[:active]
        step((product, cells[k, :active]), (acts[t, :active], cells[k + 1, :active], output))
        if projection is not None:
            np.matmul(output, projection.T, out=states[k + 1, :active])
        states[k + 1, active:], cells[k + 1, active:] = states[k, active:], cells[k, active:]
    return states, cells, acts.reshape(steps, count, 4, width)


def _lstm_gates(width: int, dtype: Any) -> Callable[..., None]:
    """The twin of the kernel ``lstm_step``.

    ``σ(x) = ½ tanh(x/2) + ½``, so that one call serves all four gates.
    """
    half = np.repeat(np.array([0.5, 0.5, 1, 0.5], dtype), width)
    shift = np.repeat(np.array([0.5, 0.5, 0, 0.5], dtype), width)

    def step(inputs: Any, outputs: Any) -> None:
        product, cell = inputs
        act, new, output = outputs
        act += product
        act *= half
        np.tanh(act, out=act)
        act *= half
        act += shift
        i, f, g, o = (act[:, n * width : (n + 1) * width] for n in range(4))
        np.multiply(f, cell, out=new)
        new += i * g
        np.multiply(o, np.tanh(new), out=output)

    return step


def _lstm_vjp(
    g: Any,
    gates: Any,
    hidden: Any,
    cell: Any,
    weight: Any,
    projection: Any,
    out: Any,
    sizes: Sizes,
    reverse: bool,
    needs: Any,
) -> Any:
    order = _order(gates.shape[0], gates.shape[1], sizes, reverse)
    if _any_differentiable(*g, gates, hidden, cell, weight, projection):
        return _pulled(_lstm_recorded(order), (gates, hidden, cell, weight, projection), (g[0], g[1]))
    states, cells, acts = out
    step_back = _lstm_slopes(cells, acts, reverse)
    slopes = np.zeros(acts.shape, acts.dtype)
    pulled = np.zeros(states[1:].shape, acts.dtype) if projection is not None else None
    to_hidden, to_cell = g[0][-1].copy(), g[1][-1].copy()
    flat = slopes.reshape(gates.shape)
    for k, (t, active) in reversed(list(enumerate(order))):
        here, memory = to_hidden[:active], to_cell[:active]
        if pulled is not None:
            pulled[t, :active] = here
            here = here @ projection
        step_back(k, t, here, memory, slopes[t, :active])
        np.matmul(flat[t, :active], weight, out=to_hidden[:active])
        to_hidden += g[0][k]
        to_cell += g[1][k]
    to_projection = None
    if pulled is not None and needs[4]:
        to_projection = _rows(pulled).T @ _rows(acts[:, :, 3] * np.tanh(_in_order(cells[1:], reverse)))
    return flat, to_hidden, to_cell, _weight_gradient(flat, states, reverse), to_projection


def _lstm_slopes(cells: Any, acts: Any, reverse: bool) -> Callable[..., None]:
    """One step back, ``step(k, t, here, memory, slope)``.

    From the cotangents of the raw output, ``here``, and of the cell, ``memory``, which becomes that of the cell
    before, to those of the gates' arguments, ``slope``.
    """
    kernel = row_kernel("lstm_step_slope", acts.dtype, cells.shape[-1])
    if kernel is not None:

        def compiled_step(k: int, t: int, here: Any, memory: Any, slope: Any) -> None:
            active = len(here)
            kernel((here, acts[t, :active], cells[k, :active], cells[k + 1, :active]), (memory, slope))

        return compiled_step
    factors, to_cell_of_hidden = _lstm_factors(cells, acts, reverse)

    def step(k: int, t: int, here: Any, memory: Any, slope: Any) -> None:
        active = len(here)
        memory += here * to_cell_of_hidden[t, :active]
        np.multiply(memory[:, None], factors[t, :active, :3], out=slope[:, :3])
        np.multiply(here, factors[t, :active, 3], out=slope[:, 3])
        memory *= acts[t, :active, 1]

    return step


def _lstm_factors(cells: Any, acts: Any, reverse: bool) -> tuple[Any, Any]:
    """What cotangents are multiplied with, for all times at once.

    From cell to the arguments of i, f and g and from raw output to that of o, (T, N, 4, H); and from raw output to
    cell, ``o (1 − tanh² c)``.
    """
    i, g, o = (acts[:, :, n] for n in (0, 2, 3))
    before, after = _in_order(cells[:-1], reverse), _in_order(cells[1:], reverse)
    tanh_cells = np.tanh(after)
    factors = acts * (1 - acts)
    factors[:, :, 0] *= g
    factors[:, :, 1] *= before
    np.multiply(1 - g * g, i, out=factors[:, :, 2])
    factors[:, :, 3] *= tanh_cells
    return factors, o * (1 - tanh_cells * tanh_cells)


def _lstm_recorded(order: list[tuple[int, int]]) -> Callable[..., Any]:
    def run(x: Any, h: Any, c: Any, w: Any, p: Any = None) -> Any:
        return _unrolled(lambda x, h, c: lstm_step(x, h, c, w, p), x, (h, c), order)

    return run


def _lstm_jvp(
    t: Any,
    gates: Any,
    hidden: Any,
    cell: Any,
    weight: Any,
    projection: Any,
    out: Any,
    sizes: Sizes,
    reverse: bool,
) -> Any:
    run = _lstm_recorded(_order(gates.shape[0], gates.shape[1], sizes, reverse))
    states, cells = _pushed(run, (gates, hidden, cell, weight, projection), t)
    return states, cells, np.zeros(out[2].shape, out[2].dtype)  # nobody looks at the gates from outside


lstm_scan: Any = primitive(
    _lstm,
    vjp=_lstm_vjp,
    jvp=_lstm_jvp,
    differentiable=("gates", "hidden", "cell", "weight", "projection"),
    name="lstm",
    autocast="half",
    widen=True,
)


# ---------------------------------------------------------------------- gated recurrent unit


def _gru(
    gates: Any,
    hidden: Any,
    weight: Any,
    bias: Any = None,
    reset_after: bool = False,
    sizes: Sizes = None,
    reverse: bool = False,
) -> tuple[Any, Any, Any]:
    """States (T + 1, N, H), the gates r, z, n after their nonlinearities (T, N, 3, H), and what r multiplies.

    That is ``W_n h + b_n`` with ``reset_after``, else ``h``, (T, N, H).
    """
    steps, count = gates.shape[:2]
    width = hidden.shape[-1]
    dtype = _dtype("gru", gates, hidden, weight, bias)
    offset = np.zeros(3 * width, dtype) if bias is None else bias
    acts = np.array(gates, dtype)
    states, inner = np.empty((steps + 1, count, width), dtype), np.zeros((steps, count, width), dtype)
    states[0] = hidden
    reset, candidate = weight[: 2 * width].T, weight[2 * width :].T
    for k, (t, active) in enumerate(_order(steps, count, sizes, reverse)):
        h, act, new = states[k, :active], acts[t, :active], states[k + 1, :active]
        both, n = act[:, : 2 * width], act[:, 2 * width :]
        both += h @ reset
        both += offset[: 2 * width]
        both *= 0.5
        np.tanh(both, out=both)
        both *= 0.5
        both += 0.5
        r, z = both[:, :width], both[:, width:]
        if reset_after:
            np.add(h @ candidate, offset[2 * width :], out=inner[t, :active])
            n += r * inner[t, :active]
        else:
            inner[t, :active] = h
            n += (r * h) @ candidate
            n += offset[2 * width :]
        np.tanh(n, out=n)
        start, end = (n, h) if reset_after else (h, n)
        np.subtract(end, start, out=new)
        new *= z
        new += start
        states[k + 1, active:] = states[k, active:]
    return states, acts.reshape(steps, count, 3, width), inner


def _gru_vjp(
    g: Any,
    gates: Any,
    hidden: Any,
    weight: Any,
    bias: Any,
    out: Any,
    reset_after: bool,
    sizes: Sizes,
    reverse: bool,
) -> Any:
    order = _order(gates.shape[0], gates.shape[1], sizes, reverse)
    if _any_differentiable(*g, gates, hidden, weight, bias):
        return _pulled(_gru_recorded(reset_after, order), (gates, hidden, weight, bias), g[0])
    states, acts, inner = out
    width = hidden.shape[-1]
    slopes = np.zeros(acts.shape, acts.dtype)
    flat = slopes.reshape(gates.shape)
    to_hidden = g[0][-1].copy()
    for k, (t, active) in reversed(list(enumerate(order))):
        r, z, n = (acts[t, :active, i] for i in range(3))
        h, slope, here = states[k, :active], slopes[t, :active], to_hidden[:active]
        share = 1 - z if reset_after else z
        np.multiply(here * share, 1 - n * n, out=slope[:, 2])
        np.multiply(here * ((h - n) if reset_after else (n - h)), z * (1 - z), out=slope[:, 1])
        if reset_after:
            np.multiply(slope[:, 2] * inner[t, :active], r * (1 - r), out=slope[:, 0])
            to_inner = np.concatenate([flat[t, :active, : 2 * width], slope[:, 2] * r], axis=1)
            new = here * z
            new += to_inner @ weight
        else:
            to_reset = slope[:, 2] @ weight[2 * width :]
            np.multiply(to_reset * h, r * (1 - r), out=slope[:, 0])
            new = here * (1 - z)
            new += to_reset * r
            new += flat[t, :active, : 2 * width] @ weight[: 2 * width]
        to_hidden[:active] = new
        to_hidden += g[0][k]
    return flat, to_hidden, *_gru_weight_gradients(slopes, states, acts, reverse, reset_after, bias)


def _gru_weight_gradients(
    slopes: Any, states: Any, acts: Any, reverse: bool, reset_after: bool, bias: Any
) -> tuple[Any, Any]:
    before, width = _rows(_in_order(states[:-1], reverse)), states.shape[-1]
    to_inner = slopes.copy()
    if reset_after:
        to_inner[:, :, 2] *= acts[:, :, 0]
    columns = to_inner.reshape(len(before), 3 * width)
    to_bias = None if bias is None else columns.sum(axis=0)
    if reset_after:
        return columns.T @ before, to_bias
    reset = before * _rows(acts[:, :, 0])
    return np.concatenate([columns[:, : 2 * width].T @ before, columns[:, 2 * width :].T @ reset]), to_bias


def _gru_recorded(reset_after: bool, order: list[tuple[int, int]]) -> Callable[..., Any]:
    def run(x: Any, h: Any, w: Any, b: Any = None) -> Any:
        return _unrolled(lambda x, h: (gru_step(x, h, w, b, reset_after),), x, (h,), order)[0]

    return run


def _gru_jvp(
    t: Any,
    gates: Any,
    hidden: Any,
    weight: Any,
    bias: Any,
    out: Any,
    reset_after: bool,
    sizes: Sizes,
    reverse: bool,
) -> Any:
    run = _gru_recorded(reset_after, _order(gates.shape[0], gates.shape[1], sizes, reverse))
    states = _pushed(run, (gates, hidden, weight, bias), t)
    return states, *(np.zeros(y.shape, y.dtype) for y in out[1:])  # nobody looks at those from outside


gru_scan: Any = primitive(
    _gru,
    vjp=_gru_vjp,
    jvp=_gru_jvp,
    differentiable=("gates", "hidden", "weight", "bias"),
    name="gru",
    autocast="half",
    widen=True,
)
