"""Sample calls of the recurrences."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from autograd.cases.base import Case, arrays, seeds
from nn.scan import gru_scan, lstm_scan, rnn_scan


@st.composite
def sequences(draw: Any) -> tuple[int, int, int, tuple[int, ...] | None, bool]:
    """Steps, sequences, width, how many take part at each time, and the direction."""
    steps, count, width = draw(st.integers(1, 3)), draw(st.integers(0, 3)), draw(st.integers(1, 3))
    sizes = None
    if count and draw(st.booleans()):
        rng = np.random.default_rng(draw(seeds))
        sizes = tuple(sorted(rng.integers(1, count + 1, steps).tolist(), reverse=True))
    return steps, count, width, sizes, draw(st.booleans())


@st.composite
def rnn_cases(draw: Any) -> Case:
    steps, count, width, sizes, reverse = draw(sequences())
    x, h, w = draw(arrays((steps, count, width))), draw(arrays((count, width))), draw(arrays((width, width)))
    return Case(lambda x, h, w: rnn_scan(x, h, w, "tanh", sizes, reverse), (x, h, w))


@st.composite
def lstm_cases(draw: Any) -> Case:
    steps, count, width, sizes, reverse = draw(sequences())
    projected = draw(st.sampled_from([0, 1, 2]))
    state = projected or width
    inputs = [
        draw(arrays(shape)) for shape in ((steps, count, 4 * width), (count, state), (count, width), (4 * width, state))
    ]
    if projected:
        inputs.append(draw(arrays((projected, width))))
    return Case(
        lambda x, h, c, w, p=None: lstm_scan(x, h, c, w, p, sizes, reverse)[:2],
        tuple(inputs),
    )


@st.composite
def gru_cases(draw: Any) -> Case:
    steps, count, width, sizes, reverse = draw(sequences())
    inputs = [draw(arrays(shape)) for shape in ((steps, count, 3 * width), (count, width), (3 * width, width))]
    if draw(st.booleans()):
        inputs.append(draw(arrays((3 * width,))))
    after = draw(st.booleans())
    return Case(lambda x, h, w, b=None: gru_scan(x, h, w, b, after, sizes, reverse)[0], tuple(inputs))


CASES = {"rnn": rnn_cases(), "lstm": lstm_cases(), "gru": gru_cases()}
