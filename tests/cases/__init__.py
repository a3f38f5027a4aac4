"""The table of primitives: for each name in ``autograd.registry`` a strategy for sample calls."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.cases import elementwise, indexing, nn, products, reductions, shaping
from tests.cases.base import Case

__all__ = ["CASES"]

CASES: dict[str, st.SearchStrategy[Case]] = {}
for _table in (elementwise, reductions, shaping, indexing, products, nn):
    _twice = CASES.keys() & _table.CASES.keys()
    if _twice:
        raise ValueError(f"{_table.__name__} repeats the cases of {', '.join(sorted(_twice))}")
    CASES.update(_table.CASES)
