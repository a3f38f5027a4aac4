"""Parameters updated together: a step costs a few calls for the whole model.

With the compiled kernels, parameters are updated where they lie, all in one call. With NumPy alone, small ones are
laid end to end and updated as one vector, and a large one by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds

from autograd.kernels import apply_elementwise, is_fused

__all__ = ["Bundle", "Single", "bundles", "working_dtype"]

LARGE = 65536  # elements from which a parameter is updated by itself

Rule = Callable[[Any, Any, dict[str, Any], int], None]


def working_dtype(dtype: Any) -> Any:
    """What updates are computed in: float32 for float16, else the parameter's own dtype."""
    return np.promote_types(dtype, np.float32)


def bundles(
    params: Sequence[Any], states: Sequence[dict[str, Any]], names: Sequence[str], fusable: bool
) -> Iterator[Bundle]:
    """Divide parameters into bundles of one dtype and one number of steps behind them.

    ``fusable`` tells whether their rule can be fused. Parameters that share memory are updated one after the other.
    """
    sharing = _sharing([param._data for param in params])
    kinds: dict[Any, list[int]] = {}
    for i, (param, state) in enumerate(zip(params, states, strict=True)):
        fused = fusable and is_fused(param.dtype) and _lies_ready(param)
        kinds.setdefault((param.dtype, state.get("step", 0), fused, i if i in sharing else None), []).append(i)
    for (_, _, fused, _), indices in kinds.items():
        for members in [indices] if fused else _divided(indices, [params[i].size for i in indices]):
            joined = not fused and not (len(members) == 1 and _lies_ready(params[members[0]]))
            yield Bundle([params[i] for i in members], [states[i] for i in members], names, fusable, joined)


def _lies_ready(param: Any) -> bool:
    """Whether a parameter can be updated where it lies."""
    flags = param._data.flags
    return flags.c_contiguous and flags.aligned and param.dtype == working_dtype(param.dtype)


def _sharing(arrays: Sequence[Any]) -> set[int]:
    """Positions of the arrays whose memory may be another's too."""
    found: set[int] = set()
    reach = holder = 0
    for low, high, i in sorted((*byte_bounds(array), i) for i, array in enumerate(arrays) if array.size):
        if low < reach:
            found |= {i, holder}
        if high > reach:
            reach, holder = high, i
    return found


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
    """Parameters of one dtype and their states, as columns of arrays that one rule changes row by row.

    Joined parameters make one row, of vectors, and the arrays in each parameter's state are views of these; others
    are a row each. Names that a state lacks start at zero.
    """

    __slots__ = ("_columns", "_entries", "_fusable", "_joined", "_names", "_params", "_pieces", "_states", "_step")

    def __init__(
        self,
        params: Sequence[Any],
        states: Sequence[dict[str, Any]],
        names: Sequence[str],
        fusable: bool,
        joined: bool,
    ) -> None:
        self._params = params
        self._states = states
        self._names = names
        self._fusable = fusable
        self._joined = joined
        self._step = states[0].get("step", 0)
        dtype = working_dtype(params[0].dtype)
        make = self._vector if joined else self._arrays
        self._columns: list[list[Any]] = [[param._data for param in params]]
        self._pieces: list[Any] = []
        if joined:
            self._columns[0], self._pieces = self._vector(np.empty, dtype)
        self._entries: list[tuple[dict[str, Any], str, Any]] = []
        for name in names:
            column, entries = make(np.zeros, dtype)
            self._columns.append(column)
            for state, entry in zip(states, entries, strict=True):
                if name in state:
                    entry[...] = state[name]
                state[name] = entry
                self._entries.append((state, name, entry))

    def _arrays(self, make: Callable[..., Any], dtype: Any) -> tuple[list[Any], list[Any]]:
        """A column of an array for each parameter, and these arrays."""
        arrays = [make(param.shape, dtype) for param in self._params]
        return arrays, arrays

    def _vector(self, make: Callable[..., Any], dtype: Any) -> tuple[list[Any], list[Any]]:
        """A column of one vector, and its pieces in the parameters' shapes."""
        ends = np.cumsum([param.size for param in self._params]).tolist()
        vector = make(ends[-1], dtype)
        pairs = zip(ends, self._params, strict=True)
        return [vector], [vector[end - param.size : end].reshape(param.shape) for end, param in pairs]

    def is_current(self) -> bool:
        """Whether the states still hold what this bundle put there."""
        steps = [state.get("step", 0) for state in self._states]
        return steps == [self._step] * len(steps) and all(
            [state.get(name) is entry for state, name, entry in self._entries]  # noqa: C419  a list is faster
        )

    def update(self, rule: Rule) -> None:
        """Apply ``rule(w, g, state, step)``, which changes ``w`` and the vectors of ``state``."""
        step = self._step + 1
        gradients = [param._grad._data for param in self._params]
        weights, *arrays = self._columns
        if self._joined:
            np.concatenate([param._data for param in self._params], axis=None, out=weights[0])
            gradients = [np.concatenate(gradients, axis=None, dtype=weights[0].dtype)]
        elif len(gradients) == 1 and any(np.may_share_memory(gradients[0], array) for (array,) in self._columns):
            gradients = [gradients[0].copy()]  # it is the gradient at the old weights
        else:
            gradients = [np.ascontiguousarray(gradient) for gradient in gradients]

        def of_arrays(w: Any, g: Any, *state: Any) -> None:
            rule(w, g, dict(zip(self._names, state, strict=True)), step)

        apply_elementwise(of_arrays, [weights, gradients, *arrays], self._fusable)
        self._step = step
        for state in self._states:
            state["step"] = step
        for param, piece in zip(self._params, self._pieces, strict=False):
            param._data[...] = piece


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
