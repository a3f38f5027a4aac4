"""Parameters updated as one vector: a step costs a few NumPy calls for the whole model.

Small parameters are laid end to end and updated together; a large one is updated where it lies, in blocks
that stay in the processor's cache while the several passes of a rule go over them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

__all__ = ["Bundle", "Single", "bundles", "working_dtype"]

LARGE = 65536  # elements from which a parameter is updated by itself
BLOCK = 4 * LARGE  # elements of a large parameter that a rule sees at a time

Rule = Callable[[Any, Any, dict[str, Any], int], None]


def working_dtype(dtype: Any) -> Any:
    """What updates are computed in: float32 for float16, else the parameter's own dtype."""
    return np.promote_types(dtype, np.float32)


def bundles(params: Sequence[Any], states: Sequence[dict[str, Any]], names: Sequence[str]) -> Iterator[Bundle]:
    """Divide parameters into bundles of one dtype and one number of steps behind them."""
    kinds: dict[tuple[Any, int], list[int]] = {}
    for i, (param, state) in enumerate(zip(params, states, strict=True)):
        kinds.setdefault((param.dtype, state.get("step", 0)), []).append(i)
    for indices in kinds.values():
        for members in _divided(indices, [params[i].size for i in indices]):
            yield Bundle([params[i] for i in members], [states[i] for i in members], names)


def _divided(indices: Sequence[int], sizes: Sequence[int]) -> Iterator[list[int]]:
    """Large ones alone, the others in groups that stay below a large one's size."""
    group: list[int] = []
    total = 0
    for i, size in zip(indices, sizes, strict=True):
        if size >= LARGE:
            yield [i]
            continue
        if total + size >= LARGE:
            yield group
            group, total = [], 0
        group.append(i)
        total += size
    if group:
        yield group


class Bundle:
    """Parameters and their states, the arrays of which are laid end to end as vectors.

    The arrays in each parameter's state are views of the vectors, in the parameter's shape; names that
    a state lacks start at zero.
    """

    __slots__ = ("_entries", "_joined", "_params", "_pieces", "_states", "_step", "_vectors")

    def __init__(self, params: Sequence[Any], states: Sequence[dict[str, Any]], names: Sequence[str]) -> None:
        self._params = params
        self._states = states
        self._step = states[0].get("step", 0)
        first, dtype = params[0]._data, working_dtype(params[0].dtype)
        in_place = len(params) == 1 and first.flags.c_contiguous and first.dtype == dtype
        size = sum(param.size for param in params)
        self._joined = None if in_place else np.empty(size, dtype)
        self._pieces = [] if in_place else _pieces(self._joined, params)
        self._vectors: dict[str, Any] = {}
        self._entries: list[tuple[dict[str, Any], str, Any]] = []
        for name in names:
            vector = np.zeros(size, dtype)
            for state, entry in zip(states, _pieces(vector, params), strict=True):
                if name in state:
                    entry[...] = state[name]
                state[name] = entry
                self._entries.append((state, name, entry))
            self._vectors[name] = _real(vector)

    def is_current(self) -> bool:
        """Whether the states still hold what this bundle put there."""
        return all(state.get("step", 0) == self._step for state in self._states) and all(
            state.get(name) is entry for state, name, entry in self._entries
        )

    def update(self, rule: Rule) -> None:
        """Apply ``rule(w, g, state, step)``, which changes ``w`` and the vectors of ``state``, block by block."""
        self._step += 1
        for state in self._states:
            state["step"] = self._step
        arrays = [param._data for param in self._params]
        gradients = [param.grad._data for param in self._params]
        if self._joined is None:
            self._in_blocks(rule, arrays[0].reshape(-1), gradients[0].reshape(-1))
            return
        joined = np.concatenate(arrays, axis=None, out=self._joined)
        self._in_blocks(rule, joined, np.concatenate(gradients, axis=None, dtype=joined.dtype))
        for array, piece in zip(arrays, self._pieces, strict=True):
            array[...] = piece

    def _in_blocks(self, rule: Rule, w: Any, g: Any) -> None:
        w, g = _real(w), _real(g)
        for start in range(0, w.size, BLOCK):
            block = slice(start, start + BLOCK)
            rule(w[block], g[block], {name: vector[block] for name, vector in self._vectors.items()}, self._step)


class Single:
    """A parameter updated as a whole, in its own shape, for rules that look at it as a vector or a matrix.

    ``fresh`` holds the arrays that its state starts from.
    """

    __slots__ = ("_arrays", "_param", "_state", "_step")

    def __init__(self, param: Any, state: dict[str, Any], fresh: dict[str, Any]) -> None:
        self._param = param
        self._state = state
        self._step = state.get("step", 0)
        for name, array in fresh.items():
            state.setdefault(name, array)
        self._arrays = {name: state[name] for name in fresh}

    def is_current(self) -> bool:
        """Whether the state still holds what this object put there."""
        state = self._state
        return state.get("step", 0) == self._step and all(state.get(n) is a for n, a in self._arrays.items())

    def update(self, rule: Rule) -> None:
        """Apply ``rule(w, g, state, step)``, which changes ``w`` and the arrays of ``state``."""
        self._step += 1
        self._state["step"] = self._step
        data, gradient = self._param._data, self._param.grad._data
        work = data.astype(working_dtype(data.dtype), copy=False)
        rule(work, gradient.astype(work.dtype, copy=False), self._arrays, self._step)
        if work is not data:
            data[...] = work


def _pieces(vector: Any, params: Sequence[Any]) -> list[Any]:
    """Views of consecutive pieces of ``vector`` in the parameters' shapes."""
    ends = np.cumsum([param.size for param in params]).tolist()
    return [vector[end - param.size : end].reshape(param.shape) for param, end in zip(params, ends, strict=True)]


def _real(vector: Any) -> Any:
    """A complex vector as its real and imaginary parts, which are updated like any other numbers."""
    return vector.view(vector.real.dtype) if vector.dtype.kind == "c" else vector
