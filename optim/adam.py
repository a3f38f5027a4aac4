"""Adam."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import sqrt
from typing import Any

import numpy as np

from optim.optimizer import Optimizer, check_fraction, check_not_negative

__all__ = ["Adam"]


class Adam(Optimizer):
    """Steps scaled by running moments of the gradient.

    Parameters
    ----------
    params : iterable of Tensor, of (name, Tensor) pairs, or of dicts
    lr : float
        η, the learning rate.
    betas : (float, float)
        β₁ and β₂, the shares of the first and second moment that are kept.
    eps : float
        ε.
    weight_decay : float
        λ: adds ``λW`` to the gradient, as the penalty ``(λ/2) Σ‖W‖²`` would.
    amsgrad : bool
        Divide by the largest second moment so far (Reddi, Kale & Kumar 2018).
    maximize : bool
        Ascend.

    Raises
    ------
    TypeError, ValueError
        As :class:`Optimizer` does.

    Notes
    -----
    ``m ← β₁m + (1 − β₁)g``, ``v ← β₂v + (1 − β₂)g²``; with ``m̂ = m/(1 − β₁ᵗ)`` and ``v̂ = v/(1 − β₂ᵗ)``
    ``W ← W − η m̂/(√v̂ + ε)`` (Kingma & Ba 2015).
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "amsgrad": amsgrad,
                "maximize": maximize,
            },
        )

    def check(self, options: Mapping[str, Any]) -> None:
        check_not_negative(options, "lr", "eps", "weight_decay")
        beta1, beta2 = options["betas"]
        check_fraction("betas[0]", beta1)
        check_fraction("betas[1]", beta2)

    def state_names(self, options: Mapping[str, Any]) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq", "max_exp_avg_sq") if options["amsgrad"] else ("exp_avg", "exp_avg_sq")

    def update(self, w: Any, g: Any, state: dict[str, Any], step: int, options: Mapping[str, Any]) -> None:
        beta1, beta2 = map(float, options["betas"])
        if options["maximize"]:
            g = -g
        if options["weight_decay"]:
            g = g + float(options["weight_decay"]) * w
        m, v = state["exp_avg"], state["exp_avg_sq"]
        m *= beta1
        m += (1 - beta1) * g
        v *= beta2
        scratch = np.square(g)
        scratch *= 1 - beta2
        v += scratch
        if options["amsgrad"]:
            v = np.maximum(state["max_exp_avg_sq"], v, out=state["max_exp_avg_sq"])
        np.sqrt(v, out=scratch)
        scratch *= 1 / sqrt(1 - beta2**step)
        scratch += float(options["eps"])
        np.divide(m, scratch, out=scratch)
        scratch *= float(options["lr"]) / (1 - beta1**step)
        w -= scratch
