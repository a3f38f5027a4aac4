"""Sample calls of looking rows up, adding them back, and dropping entries."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

import nn.functional as F
from autograd import manual_seed
from autograd.cases.base import Case, arrays, seeds, shapes
from nn.embedding import gather_rows, scatter_rows


@st.composite
def row_cases(draw: Any, function: Any, table: bool) -> Case:
    count, width = draw(st.integers(1, 4)), draw(st.integers(0, 3))
    shape = draw(st.sampled_from([(), (3,), (0,), (2, 2)]))
    index = np.random.default_rng(draw(seeds)).integers(0, count, shape)
    padding = draw(st.sampled_from([None, 0]))
    value = draw(arrays((count, width) if table else (*shape, width)))
    return Case(lambda x: function(x, index, count, padding), (value,))


@st.composite
def dropout_cases(draw: Any) -> Case:
    seed, p = draw(seeds), draw(st.sampled_from([0.3, 0.8, 1.0]))

    def dropped(x: Any) -> Any:
        manual_seed(seed)
        return F.dropout(x, p)

    return Case(dropped, (draw(arrays(shapes)),))


CASES = {
    "gather_rows": row_cases(lambda x, index, count, padding: gather_rows(x, index, padding), table=True),
    "scatter_rows": row_cases(lambda x, index, count, padding: scatter_rows(x, index, count, padding), table=False),
    "embedding": row_cases(lambda x, index, count, padding: F.embedding(index, x), table=True),
    "dropout": dropout_cases(),
}
