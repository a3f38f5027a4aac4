"""Weight normalisation and spectral normalisation of a layer's weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import Tensor, no_grad
from autograd.dispatch import bare
from autograd.random import default_generator
from nn.conv import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from nn.module import Module
from nn.normalization import normalize
from nn.utils.parametrize import register_parametrization

__all__ = ["spectral_norm", "weight_norm"]


# ---------------------------------------------------------------------- length and direction


class _WeightNorm(Module):
    """``w = g v / ‖v‖`` with a norm for every entry of the axis ``dim``, or one for all if that is None."""

    def __init__(self, dim: int | None) -> None:
        super().__init__()
        self.dim = dim

    def _norm(self, v: Any) -> Any:
        if self.dim is None:
            return np.sqrt(np.sum(np.square(v)))
        axes = tuple(axis for axis in range(v.ndim) if axis != self.dim % v.ndim)
        return np.sqrt(np.sum(np.square(v), axis=axes, keepdims=True))

    def forward(self, length: Any, direction: Any) -> Any:
        return direction * (length / self._norm(direction))

    def right_inverse(self, weight: Any) -> Any:
        return self._norm(weight), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Train the lengths and the directions of a layer's weights apart: ``w = g v / ‖v‖``; returns the layer.

    The norm is over all axes but ``dim``, or over all if that is None. g is ``parametrizations.<name>.original0``,
    v ``original1``. Source: Salimans & Kingma 2016. Raises as :func:`register_parametrization`, and AxisError for
    an axis that the weight does not have.
    """
    weight = getattr(module, name, None)
    if dim is not None and isinstance(weight, Tensor) and not -weight.ndim <= dim < weight.ndim:
        raise np.exceptions.AxisError(dim, weight.ndim)
    return register_parametrization(module, name, _WeightNorm(dim))


# ---------------------------------------------------------------------- largest singular value


class _SpectralNorm(Module):
    """``w / σ`` with the largest singular value σ of ``w`` as a matrix, its rows along ``dim``."""

    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Any, n_power_iterations: int, dim: int, eps: float) -> None:
        super().__init__()
        self.dim = dim % weight.ndim
        self.eps = eps
        self.n_power_iterations = n_power_iterations
        if weight.ndim > 1:
            matrix = bare(self._matrix(weight))
            for name, length in zip(("_u", "_v"), matrix.shape, strict=True):
                start = default_generator().standard_normal(length).astype(matrix.dtype)
                self.register_buffer(name, normalize(start, dim=0, eps=eps))
            self._iterate(matrix, 15)

    def _matrix(self, weight: Any) -> Any:
        return np.reshape(np.moveaxis(weight, self.dim, 0), (weight.shape[self.dim], -1))

    def _iterate(self, matrix: Any, times: int) -> None:
        """Power iteration: u and v turn towards the singular vectors of the largest singular value."""
        u, v = self._u.numpy(), self._v.numpy()
        for _ in range(times):
            u[...] = normalize(matrix @ v, dim=0, eps=self.eps)
            v[...] = normalize(matrix.T @ u, dim=0, eps=self.eps)

    def forward(self, weight: Any) -> Any:
        if weight.ndim == 1:
            return normalize(weight, dim=0, eps=self.eps)
        matrix = self._matrix(weight)
        if self.training:
            with no_grad():
                self._iterate(bare(matrix), self.n_power_iterations)
        return weight / (self._u.numpy().copy() @ (matrix @ self._v.numpy().copy()))

    def right_inverse(self, weight: Any) -> Any:
        return weight


def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Module:
    """Divide a layer's weights by their largest singular value; returns the layer.

    The weights are a matrix with rows along ``dim``, by default the axis of output channels. The singular value is
    estimated by power iteration, carried on by ``n_power_iterations`` at every use in training mode; the gradient
    takes its vectors as constants. Source: Miyato et al. 2018. Raises as :func:`register_parametrization`, and
    ValueError for a number of iterations below 1.
    """
    if n_power_iterations < 1:
        raise ValueError(f"spectral_norm() takes n_power_iterations of 1 or more; got {n_power_iterations}")
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"{type(module).__name__} has no parameter or buffer '{name}'")
    if dim is None:
        dim = 1 if isinstance(module, (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)) else 0
    return register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, dim, eps))
