"""The compiled kernels, or None: where they were not built, or from other sources than these, or are not wanted.

``CHAINRULE_KERNELS=numpy`` in the environment leaves them alone.
"""

from __future__ import annotations

import os

VERSION = 1  # of what Python and the kernels expect of each other

try:
    from autograd.kernels import compiled

    if compiled.VERSION != VERSION or os.environ.get("CHAINRULE_KERNELS") == "numpy":
        compiled = None  # type: ignore[assignment]
except ImportError:  # no C compiler at install
    compiled = None  # type: ignore[assignment]

__all__ = ["compiled"]
