"""Rprop and Lion: steps that take only the sign of what they follow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from autograd.kernels import fusable
from optim.optimizer import Optimizer, check_betas, check_not_negative, prepared

__all__ = ["Lion", "Rprop"]


class Rprop(Optimizer):
    """A step size for every weight, which grows while the gradient keeps its sign; for whole batches.

    Parameters
    ----------
    params : iterable of Tensor, of (name, Tensor) pairs, or of dicts
    lr : float
        The first step size.
    etas : (float, float)
        By how much a step size shrinks and grows.
    step_sizes : (float, float)
        The smallest and the largest.
    maximize : bool
        Ascend.

    Raises
    ------
    TypeError, ValueError
        As :class:`Optimizer` does.

    Notes
    -----
    Where the sign of the gradient is that of the step before, ``Δ ← min(η₊Δ, Δ_max)``; where it is the opposite,
    ``Δ ← max(η₋Δ, Δ_min)`` and the gradient counts as 0, now and for the next step. ``W ← W − sign(g) Δ`` (Riedmiller
    & Braun 1993).
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50.0),
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "etas": etas, "step_sizes": step_sizes, "maximize": maximize})

    def check(self, options: Mapping[str, Any]) -> None:
        check_not_negative(options, "lr")
        shrink, grow = options["etas"]
        if not 0 < shrink < 1 < grow:
            raise ValueError(f"etas are a number between 0 and 1 and one above 1; got {options['etas']}")
        smallest, largest = options["step_sizes"]
        if not 0 <= smallest <= largest:
            raise ValueError(f"step_sizes are 0 or more, the smaller one first; got {options['step_sizes']}")

    def state_names(self, options: Mapping[str, Any]) -> tuple[str, ...]:
        return ("prev", "step_size")

    @fusable
    def update(self, w: Any, g: Any, state: dict[str, Any], step: int, options: Mapping[str, Any]) -> None:
        shrink, grow = map(float, options["etas"])
        before, size = state["prev"], state["step_size"]
        if step == 1:
            size += float(options["lr"])
        if options["maximize"]:
            g = -g
        agreement = before * g
        size[...] = np.where(agreement > 0, grow * size, np.where(agreement < 0, shrink * size, size))
        least, most = map(float, options["step_sizes"])
        np.minimum(np.maximum(size, least, out=size), most, out=size)
        before[...] = np.where(agreement < 0, 0, g)
        w -= np.sign(before) * size


class Lion(Optimizer):
    """Steps of one size in the direction of the sign of an interpolated momentum.

    Parameters
    ----------
    params : iterable of Tensor, of (name, Tensor) pairs, or of dicts
    lr : float
        η, the learning rate: three to ten times smaller than Adam's.
    betas : (float, float)
        β₁ of the interpolation, and β₂, the share of the momentum that is kept.
    weight_decay : float
        λ: ``W ← W − ηλW`` before the step.
    maximize : bool
        Ascend.

    Raises
    ------
    TypeError, ValueError
        As :class:`Optimizer` does.

    Notes
    -----
    ``W ← W − η sign(β₁m + (1 − β₁)g)``, then ``m ← β₂m + (1 − β₂)g`` (Chen et al. 2023).
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay, "maximize": maximize})

    def check(self, options: Mapping[str, Any]) -> None:
        check_not_negative(options, "lr", "weight_decay")
        check_betas(options)

    def state_names(self, options: Mapping[str, Any]) -> tuple[str, ...]:
        return ("exp_avg",)

    @fusable
    def update(self, w: Any, g: Any, state: dict[str, Any], step: int, options: Mapping[str, Any]) -> None:
        beta1, beta2 = map(float, options["betas"])
        g = prepared(w, g, {**options, "decoupled_weight_decay": True})
        m = state["exp_avg"]
        direction = beta1 * m
        direction += (1 - beta1) * g
        w -= float(options["lr"]) * np.sign(direction)
        m *= beta2
        m += (1 - beta2) * g
