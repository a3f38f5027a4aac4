"""Which tensors share memory, and what was changed in place, when and where.

Nodes save arrays, not copies, so an array that changes after it was saved would give a wrong gradient.
Instead of a version number on every array, each in-place change leaves a stamp: the number that the
graph's clock showed when the array that owns the memory was changed. A node may use what it saved when
no stamp is younger than the node itself. Work without in-place changes pays one comparison per node.
"""

from __future__ import annotations

import os
import sys
import threading
import weakref
from itertools import count
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Family", "Stamp", "changes", "owner", "stamp_of", "tick", "touch"]

# Creation numbers of nodes, and the times of in-place changes. They fall, so that a heap that yields
# its smallest entry yields the youngest node.
tick = count(0, -1).__next__

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_OURS = (*(os.path.join(_ROOT, package, "") for package in ("autograd", "nn", "optim")), "<call path ")


class Stamp(NamedTuple):
    """An in-place change: the clock's time, the operation, and the place in the caller's code."""

    time: int
    operation: str
    place: str


class Changes:
    """The latest in-place change of every array that is still alive."""

    __slots__ = ("_lock", "_stamps", "latest")

    def __init__(self) -> None:
        self.latest = 1  # older than every node: nothing has been changed
        self._stamps: dict[int, tuple[weakref.ref[Any], Stamp]] = {}
        self._lock = threading.Lock()

    def add(self, *arrays: Any, operation: str) -> None:
        if not arrays:
            return
        place = caller()
        stamps = self._stamps
        with self._lock:
            stamp = Stamp(tick(), operation, place)
            for array in arrays:
                memory = array if type(array) is np.ndarray and array.base is None else owner(array)
                key = id(memory)
                known = stamps.get(key)
                reference = known[0] if known is not None and known[0]() is memory else self._reference(memory, key)
                stamps[key] = (reference, stamp)
            self.latest = stamp.time

    def _reference(self, memory: Any, key: int) -> weakref.ref[Any]:
        def forget(reference: weakref.ref[Any]) -> None:
            entry = self._stamps.get(key)
            if entry is not None and entry[0] is reference:
                self._stamps.pop(key, None)

        return weakref.ref(memory, forget)

    def of(self, array: Any) -> Stamp | None:
        entry = self._stamps.get(id(owner(array)))
        return None if entry is None else entry[1]


changes = Changes()
touch = changes.add
stamp_of = changes.of


def owner(array: Any) -> Any:
    """The array whose memory ``array`` looks at: itself, or the last array along its bases."""
    base = getattr(array, "base", None)
    while isinstance(base, np.ndarray):
        array, base = base, base.base
    return array


def caller() -> str:
    """File and line of the innermost frame outside this library, for error messages."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OURS):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


class Family:
    """The tensors that look at one piece of memory: a base and its views, held weakly."""

    __slots__ = ("_limit", "_members")

    def __init__(self) -> None:
        self._members: list[weakref.ref[Any]] = []
        self._limit = 16

    def add(self, tensor: Any) -> None:
        members = self._members
        members.append(weakref.ref(tensor))
        if len(members) > self._limit:
            self._members = [member for member in members if member() is not None]
            self._limit = 2 * len(self._members) + 16

    def others(self, tensor: Any) -> int:
        """How many live tensors other than ``tensor`` share the memory."""
        alive = (member() for member in self._members)
        return sum(1 for other in alive if other is not None and other is not tensor)
