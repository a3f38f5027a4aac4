"""Sample calls of this package's primitives: for each name a Hypothesis strategy for cases.

Every module of this package but ``base`` holds a part of ``CASES``. They are what
``python -m autograd.gradcheck`` and the tests run; nothing else imports them.
"""

from __future__ import annotations

from autograd.cases.base import Case, collected

__all__ = ["CASES", "Case"]

CASES = collected(__name__, __path__)
