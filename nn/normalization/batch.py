"""Batch normalisation."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from autograd import Tensor
from autograd.dispatch import bare
from autograd.memory import touch
from nn import init
from nn.module import Module
from nn.normalization.standardize import as_array, check_parameters, per_channel, standardize
from nn.parameter import Parameter, unset

__all__ = ["BatchNorm", "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "batch_norm", "move", "with_given_moments"]


def batch_norm(
    input: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """Standardise each channel over the batch and the later axes (Ioffe & Szegedy 2015).

    Parameters
    ----------
    input : (N, C, …)
    running_mean, running_var : (C,) tensors or arrays, or None
        Used instead of the batch's moments unless ``training``; in training moved towards them, in place,
        by the share ``momentum``. The running variance is the unbiased one.
    weight, bias : (C,) or None
        γ and β.

    Raises
    ------
    ValueError
        For fewer than two axes, shapes that do not fit, one value per channel in training, and for no running
        moments in evaluation.
    """
    input = as_array(input)
    if input.ndim < 2:
        raise ValueError(f"batch_norm() takes inputs of shape (N, C, …); got {input.shape}")
    spread, shape = per_channel(input), input.shape[1:2]
    check_parameters("batch_norm", weight, bias, shape)
    if not training:
        if running_mean is None or running_var is None:
            raise ValueError("batch_norm() without training needs running_mean and running_var")
        return with_given_moments(input, running_mean, running_var, weight, bias, eps, spread)
    axes = (0, *range(2, input.ndim))
    count = prod(input.shape[axis] for axis in axes)
    if count == 1:
        raise ValueError(
            f"batch_norm() in training got one value per channel (input {input.shape}): the variance of one value is "
            "0. Use a larger batch, or call model.eval()"
        )
    out, mean, variance = standardize(input, weight, bias, eps, axes, shape, spread)
    if count:
        move(running_mean, mean.reshape(shape), momentum)
        move(running_var, variance.reshape(shape) * (count / (count - 1)), momentum)
    return out


def with_given_moments(
    input: Any, mean: Any, variance: Any, weight: Any, bias: Any, eps: float, spread: tuple[int, ...]
) -> Any:
    dtype = np.promote_types(input.dtype, np.float32)
    scale = 1 / np.sqrt(np.asarray(bare(variance), dtype) + eps)
    factor = scale if weight is None else weight * scale
    out = (input - np.asarray(bare(mean), dtype).reshape(spread)) * factor.reshape(spread)
    out = out if bias is None else out + bias.reshape(spread)
    return out if out.dtype == input.dtype else out.astype(input.dtype)


def move(running: Any, value: Any, momentum: float) -> None:
    """Move a running moment by a share of its distance from ``value``, in place."""
    if running is None:
        return
    array = bare(running)
    array += momentum * (value - array)
    touch(array, operation="running moments")


class BatchNorm(Module):
    """What the three classes of batch normalisation share."""

    weight: Parameter | None
    bias: Parameter | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None
    _axes: tuple[int, ...] = ()  # numbers of axes the input may have

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        bias: bool = True,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        self.register_parameter("weight", unset(num_features, dtype=dtype) if affine else None)
        self.register_parameter("bias", unset(num_features, dtype=dtype) if affine and bias else None)
        zeros = np.zeros(num_features, np.float32 if dtype is None else dtype)
        self.register_buffer("running_mean", zeros if track_running_stats else None)
        self.register_buffer("running_var", zeros + 1 if track_running_stats else None)
        self.register_buffer("num_batches_tracked", np.array(0, np.int64) if track_running_stats else None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Start the running moments anew."""
        if self.track_running_stats:
            init.zeros_(self.running_mean)
            init.ones_(self.running_var)
            init.zeros_(self.num_batches_tracked)

    def reset_parameters(self) -> None:
        """Set γ to 1, β to 0, and the running moments back."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def _share(self) -> float:
        """Count a batch, and give its share in the running moments."""
        if self.num_batches_tracked is None:
            return 0.0
        self.num_batches_tracked.numpy()[...] += 1
        return 1 / self.num_batches_tracked.item() if self.momentum is None else self.momentum

    def _check(self, input: Any) -> None:
        if np.ndim(input) not in self._axes:
            counts = " or ".join(map(str, self._axes))
            raise ValueError(f"{type(self).__name__} takes inputs with {counts} axes; got shape {np.shape(input)}")
        if np.shape(input)[1] != self.num_features:
            raise ValueError(
                f"{type(self).__name__}({self.num_features}) takes inputs of shape (N, {self.num_features}, …); "
                f"got {np.shape(input)}"
            )

    def forward(self, input: Any) -> Any:
        self._check(input)
        running = (self.running_mean, self.running_var)
        training = self.training or running[0] is None
        share = self._share() if self.training else 0.0
        return batch_norm(input, *running, self.weight, self.bias, training, share, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class BatchNorm1d(BatchNorm):
    """:func:`batch_norm` of inputs (N, C) or (N, C, L), with parameters and running moments.

    Parameters
    ----------
    num_features : int
        C, the number of channels.
    eps : float
        ε, added to the variance.
    momentum : float or None
        Share of a new batch in the running moments; None averages over all batches.
    affine, bias : bool
        Whether there are ``weight`` (γ, from 1) and, beside it, ``bias`` (β, from 0).
    track_running_stats : bool
        Keep ``running_mean``, ``running_var`` and ``num_batches_tracked`` for evaluation; without them
        evaluation uses the batch's moments.
    dtype : optional
        Of the parameters and buffers; float32 by default.

    Raises
    ------
    ValueError
        For inputs of another shape, and for one value per channel in training.
    """

    _axes = (2, 3)


class BatchNorm2d(BatchNorm):
    """:func:`batch_norm` of inputs (N, C, H, W); arguments as of :class:`BatchNorm1d`."""

    _axes = (4,)


class BatchNorm3d(BatchNorm):
    """:func:`batch_norm` of inputs (N, C, D, H, W); arguments as of :class:`BatchNorm1d`."""

    _axes = (5,)
