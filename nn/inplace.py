"""Modules that may write their result over their input."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn.module import Module

__all__ = ["InplaceModule"]


class InplaceModule(Module):
    """A module with the option ``inplace``: the result is written into the input, which is returned.

    A subclass defines ``compute``. That needs a copy of the input, so unlike in PyTorch it saves no memory.
    Raises RuntimeError, as every change in place does, for a leaf that requires a gradient.
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def compute(self, input: Any) -> Any:
        """The result, as a new value."""
        raise NotImplementedError(f"{type(self).__name__} defines no compute()")

    def forward(self, input: Any) -> Any:
        if not self.inplace:
            return self.compute(input)
        input[...] = self.compute(np.copy(input))
        return input

    def options(self) -> str:
        """The other options, as ``extra_repr`` shows them."""
        return ""

    def extra_repr(self) -> str:
        parts = [self.options(), "inplace=True" if self.inplace else ""]
        return ", ".join(part for part in parts if part)
