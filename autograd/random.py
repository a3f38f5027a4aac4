"""The library's one source of random numbers."""

from __future__ import annotations

import numpy as np

__all__ = ["default_generator", "manual_seed"]

_default = np.random.default_rng()


def default_generator() -> np.random.Generator:
    """The generator that is drawn from wherever none is passed: initialisation, dropout, shuffling.

    A NumPy ``Generator``: save it with ``.bit_generator.state`` and restore it by assigning that.
    """
    return _default


def manual_seed(seed: int) -> np.random.Generator:
    """Start the library's random numbers from ``seed``, in place, and return the generator.

    The same seed gives the same initial weights; generators held elsewhere see it too. Raises TypeError
    or ValueError for what is no non-negative integer.
    """
    _default.bit_generator.state = np.random.default_rng(seed).bit_generator.state
    return _default
