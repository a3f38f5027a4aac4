"""Differentiable NumPy: NumPy's names, for arrays, tensors and dual numbers alike.

``import autograd.numpy as np`` gives plain arrays for plain arrays and tensors for tensors. A name
that is not defined here is NumPy's own, and reaches tensors through NumPy's protocols.
"""

from __future__ import annotations

from typing import Any

import numpy as _numpy

from autograd.numpy.elementwise import *  # noqa: F403
from autograd.numpy.reductions import *  # noqa: F403

def __getattr__(name: str) -> Any:
    return getattr(_numpy, name)
