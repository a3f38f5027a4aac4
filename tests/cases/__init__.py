"""The table of primitives: for each name in ``autograd.registry`` a strategy for sample calls.

Every module of this package but ``base`` holds a part of it under the name ``CASES``.
"""

from __future__ import annotations

import importlib
import pkgutil

from hypothesis import strategies as st

from tests.cases.base import Case

__all__ = ["CASES"]

CASES: dict[str, st.SearchStrategy[Case]] = {}
for _module in pkgutil.iter_modules(__path__):
    if _module.name == "base":
        continue
    _part = importlib.import_module(f"tests.cases.{_module.name}").CASES
    _twice = CASES.keys() & _part.keys()
    if _twice:
        raise ValueError(f"tests.cases.{_module.name} repeats the cases of {', '.join(sorted(_twice))}")
    CASES.update(_part)
