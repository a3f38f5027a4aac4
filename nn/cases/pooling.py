"""Sample calls of the operations behind pooling and resampling."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

import nn.resampling as R
from autograd.cases.base import Case, arrays, distinct, seeds
from nn._pools import Grid, grid_of, max_pool, picked, placed, pool_spread, pool_sums, winners
from nn._taps import weighted
from nn.pooling import repooled, unpooled


@st.composite
def grids(draw: Any, dilated: bool = True) -> Grid:
    ndim = draw(st.integers(1, 2))
    axes = []
    for _ in range(ndim):
        kernel, stride = draw(st.integers(1, 3)), draw(st.integers(1, 3))
        dilation = draw(st.integers(1, 2)) if dilated else 1
        padding = draw(st.integers(0, kernel // 2))
        least = dilation * (kernel - 1) + 1
        side = draw(st.integers(max(1, least - 2 * padding), least + 3))
        rest = side + 2 * padding - least
        count = rest // stride + 1
        if draw(st.booleans()) and rest % stride and count * stride < side + padding:
            count += 1
        axes.append((side, kernel, stride, padding, dilation, count))
    return grid_of(*(tuple(each) for each in zip(*axes, strict=True)))


leads = st.sampled_from([(1, 2), (2, 1), (0, 2), (3,)])


@st.composite
def max_pool_cases(draw: Any) -> Case:
    grid = draw(grids(dilated=False))
    return Case(lambda x: max_pool(x, grid), (draw(distinct((*draw(leads), *grid.sides))),))


@st.composite
def at_winners(draw: Any, function: Any, forward: bool) -> Case:
    grid, lead = draw(grids()), draw(leads)
    x = np.random.default_rng(draw(seeds)).normal(size=(*lead, *grid.sides))
    found = winners(x, max_pool(x, grid), grid)
    return Case(lambda x: function(x, found, grid), (draw(arrays(x.shape if forward else found.shape)),))


@st.composite
def sum_cases(draw: Any, function: Any, forward: bool) -> Case:
    grid = draw(grids())
    by = np.linspace(1.0, 2.0, int(np.prod(grid.counts))).reshape(grid.counts)
    divisor = draw(st.sampled_from([None, 3, by]))
    shape = (*draw(leads), *(grid.sides if forward else grid.counts))
    return Case(lambda x: function(x, grid, divisor), (draw(arrays(shape)),))


@st.composite
def unpool_cases(draw: Any, function: Any, forward: bool) -> Case:
    sides, count = draw(st.sampled_from([((5,), (3,)), ((2, 3), (2, 2)), ((2, 1, 2), (1, 1, 3))]))
    lead = draw(leads)
    positions = np.random.default_rng(draw(seeds)).integers(0, int(np.prod(sides)), (*lead, *count))
    shape = (*lead, *(count if forward else sides))
    return Case(lambda x: function(x, positions, sides), (draw(arrays(shape)),))


@st.composite
def weighted_cases(draw: Any) -> Case:
    modes = st.sampled_from(["nearest", "nearest-exact", "linear", "bicubic"])
    shape, taps = [], []
    for _ in range(draw(st.integers(1, 2))):
        shape.append(draw(st.integers(1, 4)))
        made = R._taps(shape[-1], draw(st.integers(1, 5)), None, draw(modes), draw(st.booleans()))
        taps.append(draw(st.sampled_from([None, made])))
    return Case(lambda x: weighted(x, tuple(taps)), (draw(arrays((*draw(leads), *shape))),))


CASES = {
    "max_pool": max_pool_cases(),
    "max_picked": at_winners(picked, True),
    "max_placed": at_winners(placed, False),
    "pool_sums": sum_cases(pool_sums, True),
    "pool_spread": sum_cases(pool_spread, False),
    "unpooled": unpool_cases(unpooled, True),
    "repooled": unpool_cases(repooled, False),
    "weighted": weighted_cases(),
}
