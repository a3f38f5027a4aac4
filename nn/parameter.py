"""Parameters: the tensors of a module that an optimiser changes."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import Tensor
from autograd.dispatch import bare

__all__ = ["Parameter", "unset"]


class Parameter(Tensor):
    """A leaf tensor that a :class:`Module` registers when it is assigned as an attribute.

    Holds ``np.asarray(data)`` without a copy; a Tensor is detached. ``requires_grad`` is on unless
    switched off. Raises TypeError for data that is neither float nor complex.
    """

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        array = np.asarray(bare(data))
        if array.dtype.kind not in "fc":
            raise TypeError(f"a Parameter is float or complex; got dtype {array.dtype}")
        super().__init__(array, requires_grad)

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


def unset(*shape: int, dtype: Any = None) -> Parameter:
    """A parameter whose values a layer's ``reset_parameters`` is about to draw; float32 unless told otherwise."""
    return Parameter(np.empty(shape, np.float32 if dtype is None else dtype))
