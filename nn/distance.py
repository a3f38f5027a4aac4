"""Distances and similarities of vectors."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from autograd.precision import in_single, widened
from nn.module import Module

__all__ = ["CosineSimilarity", "PairwiseDistance", "cosine_similarity", "pairwise_distance"]


def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Any:
    """``x₁·x₂ / (max(‖x₁‖, ε) max(‖x₂‖, ε))`` along ``dim``; the inputs broadcast.

    float16 is computed in float32.
    """
    x1, x2 = in_single(x1, x2)
    half = x1.dtype == x2.dtype == np.float16
    x1, x2 = widened(x1), widened(x2)
    inner = np.sum(x1 * x2, axis=dim)
    # The maximum comes before the root, which has no slope at 0.
    first, second = (np.sqrt(np.maximum(np.sum(np.square(x), axis=dim), eps * eps)) for x in (x1, x2))
    similarity = inner / (first * second)
    return similarity.astype(np.float16) if half else similarity


def pairwise_distance(x1: Any, x2: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Any:
    """``‖x₁ − x₂ + ε‖_p`` along the last axis; the inputs broadcast; float16 is computed in float32.

    Raises ValueError unless ``p`` is above 0.
    """
    if not p > 0:
        raise ValueError(f"pairwise_distance() takes p above 0; got {p}")
    x1, x2 = in_single(x1, x2)
    difference = x1 - x2
    if difference.dtype == np.float16:
        return pairwise_distance(difference.astype(np.float32), np.float32(0), p, eps, keepdim).astype(np.float16)
    size = np.abs(difference + eps)
    if p == inf:
        return np.max(size, axis=-1, keepdims=keepdim)
    if p == 2:
        return np.sqrt(np.sum(np.square(size), axis=-1, keepdims=keepdim))
    return np.sum(size**p, axis=-1, keepdims=keepdim) ** (1 / p)


class CosineSimilarity(Module):
    """:func:`cosine_similarity` as a module."""

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim = dim
        self.eps = eps

    def forward(self, x1: Any, x2: Any) -> Any:
        return cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(Module):
    """:func:`pairwise_distance` as a module."""

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm = p
        self.eps = eps
        self.keepdim = keepdim

    def forward(self, x1: Any, x2: Any) -> Any:
        return pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)
