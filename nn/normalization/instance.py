"""Instance normalisation."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from nn.normalization.batch import BatchNorm, move, with_given_moments
from nn.normalization.standardize import as_array, check_parameters, per_channel, standardize

__all__ = ["InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d", "instance_norm"]


def instance_norm(
    input: Any,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """Standardise each channel of each sample over the later axes (Ulyanov, Vedaldi & Lempitsky 2016).

    Inputs (N, C, …); arguments as of :func:`batch_norm`, with ``use_input_stats`` for ``training``. Running moments
    move towards the mean over the samples. Raises ValueError as that does, and for a single value per channel.
    """
    input = as_array(input)
    if input.ndim < 3:
        raise ValueError(f"instance_norm() takes inputs of shape (N, C, L, …); got {input.shape}")
    spread, shape = per_channel(input), input.shape[1:2]
    check_parameters("instance_norm", weight, bias, shape)
    if not use_input_stats:
        if running_mean is None or running_var is None:
            raise ValueError("instance_norm() without use_input_stats needs running_mean and running_var")
        return with_given_moments(input, running_mean, running_var, weight, bias, eps, spread)
    axes = tuple(range(2, input.ndim))
    count = prod(input.shape[2:])
    if count == 1:
        raise ValueError(f"instance_norm() got one value per channel (input {input.shape}): its variance is 0")
    out, mean, variance = standardize(input, weight, bias, eps, axes, shape, spread)
    if input.shape[0] and count:
        move(running_mean, mean.mean(axis=0).reshape(shape), momentum)
        move(running_var, variance.mean(axis=0).reshape(shape) * (count / (count - 1)), momentum)
    return out


class _InstanceNorm(BatchNorm):
    """What the three classes of instance normalisation share."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        *,
        bias: bool = True,
        dtype: Any = None,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, bias=bias, dtype=dtype)

    def forward(self, input: Any) -> Any:
        if np.ndim(input) == self._axes[0] - 1:
            return self.forward(as_array(input)[None])[0]
        self._check(input)
        running = (self.running_mean, self.running_var)
        own = self.training or running[0] is None
        return instance_norm(input, *running, self.weight, self.bias, own, self.momentum or 0.0, self.eps)


class InstanceNorm1d(_InstanceNorm):
    """:func:`instance_norm` of inputs (N, C, L) or (C, L).

    Arguments as of :class:`BatchNorm1d`, but parameters and running moments are there only if asked for.
    """

    _axes = (3,)


class InstanceNorm2d(_InstanceNorm):
    """:func:`instance_norm` of inputs (N, C, H, W) or (C, H, W); arguments as of :class:`InstanceNorm1d`."""

    _axes = (4,)


class InstanceNorm3d(_InstanceNorm):
    """:func:`instance_norm` of inputs (N, C, D, H, W) or (C, D, H, W); arguments as of :class:`InstanceNorm1d`."""

    _axes = (5,)
