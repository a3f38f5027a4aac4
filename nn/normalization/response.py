"""Normalisation by the size of neighbouring channels, and of vectors to length 1."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from nn.module import Module
from nn.normalization.standardize import as_array

__all__ = ["LocalResponseNorm", "local_response_norm", "normalize"]


def local_response_norm(input: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Any:
    """``x / (k + α · mean(x²))^β``, the mean over ``size`` neighbouring channels (Krizhevsky et al. 2012).

    Inputs (N, C, …); beyond the ends channels count as 0. Raises ValueError for fewer than three axes.
    """
    input = as_array(input)
    if input.ndim < 3:
        raise ValueError(f"local_response_norm() takes inputs of shape (N, C, L, …); got {input.shape}")
    if size < 1:
        raise ValueError(f"local_response_norm() over {size} channels; the size is 1 or more")
    around = [(0, 0)] * input.ndim
    around[1] = (size // 2, (size - 1) // 2)
    squares = np.pad(np.square(input), around)
    channels = input.shape[1]
    total = squares[:, :channels]
    for first in range(1, size):
        total = total + squares[:, first : first + channels]
    return input / (k + (alpha / size) * total) ** beta


class LocalResponseNorm(Module):
    """:func:`local_response_norm` as a module."""

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input: Any) -> Any:
        return local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


def normalize(input: Any, p: float = 2.0, dim: int | tuple[int, ...] = 1, eps: float = 1e-12) -> Any:
    """``x / max(‖x‖_p, ε)`` with the norm over ``dim``; float16 is computed in float32.

    Raises ValueError unless ``p`` is above 0.
    """
    input = as_array(input)
    if not p > 0:
        raise ValueError(f"normalize() takes p above 0; got {p}")
    if input.dtype == np.float16:
        return normalize(input.astype(np.float32), p, dim, eps).astype(np.float16)
    if p == inf:
        norm = np.maximum(np.max(np.abs(input), axis=dim, keepdims=True), eps)
    else:  # the maximum comes before the root, which has no slope at 0
        powers = np.square(input) if p == 2 else np.abs(input) ** p
        norm = np.maximum(np.sum(powers, axis=dim, keepdims=True), eps**p) ** (1 / p)
    return input / norm
