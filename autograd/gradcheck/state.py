"""State of modules that a call changes, such as running moments: put back, so that every call starts alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from autograd.dispatch import bare
from autograd.gradcheck.parameters import modules_in

__all__ = ["State"]


class Buffer(NamedTuple):
    """A buffer, where it is held, and a copy of its values."""

    path: str
    holder: dict[str, Any]
    name: str
    value: Any
    copy: Any

    def put_back(self) -> bool:
        """Restore it; tells whether it had changed."""
        now = self.holder.get(self.name)
        array = bare(self.value)
        if now is self.value and np.array_equal(array, self.copy, equal_nan=array.dtype.kind in "fc"):
            return False
        self.holder[self.name] = self.value
        if isinstance(array, np.ndarray):
            array[...] = self.copy
        else:
            self.value._data = self.copy
        return True


class State:
    """The buffers of the modules that a function calls; a context in which they may change.

    Attributes
    ----------
    changed : names of those that did
    """

    def __init__(self, f: Callable[..., Any]) -> None:
        self.changed: list[str] = []
        self.buffers = []
        for module in modules_in(f):
            owners = dict(module.named_modules())
            for path, value in module.named_buffers():
                before, _, name = path.rpartition(".")
                self.buffers.append(Buffer(path, owners[before].__dict__, name, value, np.array(bare(value))))

    def __enter__(self) -> None:
        return

    def __exit__(self, *exception: object) -> None:
        for buffer in self.buffers:
            if buffer.put_back() and buffer.path not in self.changed:
                self.changed.append(buffer.path)
