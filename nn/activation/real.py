"""Functions of real numbers say so when they meet complex ones, instead of giving a wrong gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["check_real"]


def check_real(name: str, input: Any) -> None:
    """Raise TypeError for complex input."""
    dtype = np.asarray(input).dtype
    if dtype.kind == "c":
        raise TypeError(f"{name}() is a function of real numbers; got {dtype}, so take its real part or absolute value")
