"""Differentiable NumPy: NumPy's names, for arrays, tensors and dual numbers alike.

``import autograd.numpy as np`` gives plain arrays for plain arrays and tensors for tensors. A name
that is not defined here is NumPy's own, and reaches tensors through NumPy's protocols.
"""

from __future__ import annotations

from typing import Any

import numpy as _numpy

from autograd.dispatch import give
from autograd.numpy.creation import *  # noqa: F403
from autograd.numpy.diagonals import *  # noqa: F403
from autograd.numpy.elementwise import *  # noqa: F403
from autograd.numpy.indexing import *  # noqa: F403
from autograd.numpy.joining import *  # noqa: F403
from autograd.numpy.padding import *  # noqa: F403
from autograd.numpy.products import *  # noqa: F403
from autograd.numpy.reductions import *  # noqa: F403
from autograd.numpy.shaping import *  # noqa: F403
from autograd.tensor import Tensor


class _Missing:
    """An ndarray attribute that tensors do not have yet: says so, and how to do without."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type) -> Any:
        raise AttributeError(
            f"{owner.__name__} has no differentiable '{self.name}' (yet); without a gradient: "
            f"t.detach().numpy().{self.name}"
        )


give(**{name: _Missing(name) for name in dir(_numpy.ndarray) if name[0] != "_" and not hasattr(Tensor, name)})


def __getattr__(name: str) -> Any:
    return getattr(_numpy, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(_numpy)})
