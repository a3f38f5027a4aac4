"""Weighted sums of a few entries along axes: interpolation, and averages over windows of unequal widths.

Along each axis ``out[i] = Σ_k weights[i, k] · x[sources[i, k]]``. The transpose of such a map is another one, so
one operation is its own family.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from autograd.declare import linear

__all__ = ["Taps", "weighted"]


class Taps:
    """A linear map of one axis, given by sources and weights (outputs, taps) into an axis of ``side`` entries."""

    def __init__(self, sources: Any, weights: Any, side: int) -> None:
        self.sources = sources
        self.weights = weights
        self.side = side

    @cached_property
    def transposed(self) -> Taps:
        """The map from outputs to inputs."""
        outputs = np.repeat(np.arange(len(self.sources)), self.sources.shape[1])
        sources, weights = self.sources.ravel(), self.weights.ravel()
        order = np.argsort(sources[weights != 0], kind="stable")
        sources, outputs, weights = (a[weights != 0][order] for a in (sources, outputs, weights))
        counts = np.bincount(sources, minlength=self.side)
        firsts = np.cumsum(counts) - counts
        table = np.arange(max(1, counts.max(initial=0)))[None]
        at = np.minimum(firsts[:, None] + table, max(0, len(sources) - 1))
        inside = table < counts[:, None]
        if not len(sources):
            return Taps(np.zeros(inside.shape, np.intp), np.zeros(inside.shape), len(self.sources))
        # Where there are fewer taps, the first is named again with weight 0.
        at = np.where(inside, at, np.minimum(firsts, len(sources) - 1)[:, None])
        made = Taps(outputs[at], np.where(inside, weights[at], 0.0), len(self.sources))
        made.__dict__["transposed"] = self
        return made


def _weighted(input: Any, taps: tuple[Taps | None, ...]) -> Any:
    """``input`` with the maps ``taps`` applied to its last axes; None leaves an axis as it is."""
    dtype = np.dtype(np.float32) if input.dtype == np.float16 else input.dtype
    x = input.astype(dtype, copy=False)
    for axis, each in enumerate(taps, -len(taps)):
        if each is not None:
            weights = each.weights.astype(dtype).reshape(*each.weights.shape, *(1,) * (-axis - 1))
            total = x.take(each.sources[:, 0], axis) * weights[:, 0]
            for k in range(1, each.sources.shape[1]):
                part = x.take(each.sources[:, k], axis)
                part *= weights[:, k]
                total += part
            x = total
    return x.copy() if x is input else x.astype(input.dtype, copy=False)


weighted: Any = linear(_weighted, input=lambda g, taps: weighted(g, tuple(t and t.transposed for t in taps)))
