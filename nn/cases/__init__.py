"""Sample calls of the primitives of ``nn``, as in ``autograd.cases``."""

from __future__ import annotations

from autograd.cases.base import collected

__all__ = ["CASES"]

CASES = collected(__name__, __path__)
