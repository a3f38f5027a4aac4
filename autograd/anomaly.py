"""Watching what is recorded: ``record_lines`` for those who look at graphs, ``detect_anomaly`` for wrong gradients.

In-place changes made through tensors are always noticed (``autograd.memory``). A change made through
NumPy behind the engine's back (``t.numpy()[0] = 1``) leaves no stamp; here checksums of the saved
arrays find it. Every node also remembers the line that made it.
"""

from __future__ import annotations

import zlib
from contextvars import Token
from typing import Any, Self

import numpy as np

from autograd.dispatch import bare
from autograd.graph import Node, recording, restore
from autograd.memory import caller
from autograd.outputs import Cotangents

__all__ = ["detect_anomaly", "record_lines"]

_WATCH = -2  # the key of the watching hook among a node's hooks


class record_lines:
    """Remember which line recorded each operation inside, for pictures of the graph.

    A context manager, local to the thread or task. Costs some microseconds an operation.
    """

    def __init__(self) -> None:
        self._tokens: list[Token[Any]] = []

    def __enter__(self) -> Self:
        self._tokens.append(recording.set(recording.get() and self))  # in no_grad nothing is recorded
        return self

    def __exit__(self, *exception: object) -> None:
        restore(recording, self._tokens)

    def observe(self, node: Node) -> None:
        """Called by the engine for each node that is recorded."""
        node.place = caller()


class detect_anomaly(record_lines):
    """Watch what is recorded inside: a context manager, local to the thread or task.

    Parameters
    ----------
    check_nan : bool
        Raise where a NaN arrives in the backward pass.

    Raises
    ------
    RuntimeError
        In ``backward()``, naming the operation and the line that recorded it, if a saved array was
        changed through NumPy, or (with ``check_nan``) if a gradient has a NaN.
    """

    def __init__(self, check_nan: bool = True) -> None:
        super().__init__()
        self.check_nan = check_nan

    def observe(self, node: Node) -> None:
        super().observe(node)
        name, place = node.primitive.name, node.place
        saved = _arrays(node.saved)
        sums = [_checksum(array) for array in saved]

        def watch(g: Any) -> None:
            for array, before in zip(saved, sums, strict=True):
                if _checksum(array) != before:
                    raise RuntimeError(
                        f"'{name}', recorded at {place}, saved an array of shape {array.shape} for its gradient, "
                        "and it was changed through NumPy since. Change a copy instead."
                    )
            arrived = g.terms.values() if isinstance(g, Cotangents) else (g,)
            if self.check_nan and any(np.isnan(bare(x)).any() for x in arrived):
                raise RuntimeError(f"a NaN arrived in the gradient of the output of '{name}', recorded at {place}")

        node.hooks = {_WATCH: watch}


def _arrays(saved: Any) -> list[np.ndarray[Any, Any]]:
    found = []
    for value in saved or ():
        found += [x for x in (value if isinstance(value, tuple) else (value,)) if isinstance(x, np.ndarray)]
    return found


def _checksum(array: np.ndarray[Any, Any]) -> int:
    return zlib.crc32(np.ascontiguousarray(array).tobytes())
