"""Adagrad, Adadelta and RMSprop: steps divided by accumulated squares of the gradient."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from autograd.kernels import fusable
from optim.optimizer import Optimizer, check_not_negative, prepared

__all__ = ["Adadelta", "Adagrad", "RMSprop"]


class Adagrad(Optimizer):
    """Steps divided by the root of the sum of all squared gradients.

    Parameters
    ----------
    params : iterable of Tensor, of (name, Tensor) pairs, or of dicts
    lr : float
        η, the learning rate.
    lr_decay : float
        κ: the rate of step t is ``η/(1 + (t − 1)κ)``.
    weight_decay : float
        λ: adds ``λW`` to the gradient.
    initial_accumulator_value : float
        What the sums start from.
    eps : float
        ε.
    maximize : bool
        Ascend.

    Raises
    ------
    TypeError, ValueError
        As :class:`Optimizer` does.

    Notes
    -----
    ``s ← s + g²``, ``W ← W − η g/(√s + ε)`` (Duchi, Hazan & Singer 2011).
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "lr_decay": lr_decay,
                "weight_decay": weight_decay,
                "initial_accumulator_value": initial_accumulator_value,
                "eps": eps,
                "maximize": maximize,
            },
        )

    def check(self, options: Mapping[str, Any]) -> None:
        check_not_negative(options, "lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps")

    def state_names(self, options: Mapping[str, Any]) -> tuple[str, ...]:
        return ("sum",)

    @fusable
    def update(self, w: Any, g: Any, state: dict[str, Any], step: int, options: Mapping[str, Any]) -> None:
        g = prepared(w, g, options)
        s = state["sum"]
        if step == 1:
            s += float(options["initial_accumulator_value"])
        scratch = np.square(g)
        s += scratch
        np.sqrt(s, out=scratch)
        scratch += float(options["eps"])
        np.divide(g, scratch, out=scratch)
        scratch *= float(options["lr"]) / (1 + (step - 1) * float(options["lr_decay"]))
        w -= scratch


class Adadelta(Optimizer):
    """Steps with the ratio of the running root mean squares of former steps and of gradients.

    ``s ← ρs + (1 − ρ)g²``, ``Δ = g √(d + ε)/√(s + ε)``, ``d ← ρd + (1 − ρ)Δ²``, ``W ← W − ηΔ`` (Zeiler 2012).
    ``lr`` is η, ``rho`` ρ; other parameters and errors as of :class:`Adagrad`.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize})

    def check(self, options: Mapping[str, Any]) -> None:
        check_not_negative(options, "lr", "rho", "eps", "weight_decay")
        if float(options["rho"]) > 1:
            raise ValueError(f"rho lies in [0, 1]; got {options['rho']}")

    def state_names(self, options: Mapping[str, Any]) -> tuple[str, ...]:
        return ("square_avg", "acc_delta")

    @fusable
    def update(self, w: Any, g: Any, state: dict[str, Any], step: int, options: Mapping[str, Any]) -> None:
        rho, eps = float(options["rho"]), float(options["eps"])
        g = prepared(w, g, options)
        s, d = state["square_avg"], state["acc_delta"]
        s *= rho
        s += (1 - rho) * np.square(g)
        change = np.sqrt((d + eps) / (s + eps))
        change *= g
        d *= rho
        d += (1 - rho) * np.square(change)
        change *= float(options["lr"])
        w -= change


class RMSprop(Optimizer):
    """Steps divided by a running root mean square of the gradient.

    Parameters
    ----------
    params : iterable of Tensor, of (name, Tensor) pairs, or of dicts
    lr : float
        η, the learning rate.
    alpha : float
        α, the share of the mean square that is kept.
    eps : float
        ε.
    weight_decay : float
        λ: adds ``λW`` to the gradient.
    momentum : float
        γ, the share of the velocity that is kept.
    centered : bool
        Divide by the root of the variance: the mean square less the squared mean (Graves 2013).
    maximize : bool
        Ascend.

    Raises
    ------
    TypeError, ValueError
        As :class:`Optimizer` does.

    Notes
    -----
    ``s ← αs + (1 − α)g²``, ``W ← W − η g/(√s + ε)``; with momentum ``v ← γv + g/(√s + ε)``, ``W ← W − ηv`` (Tieleman &
    Hinton 2012).
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "alpha": alpha,
                "eps": eps,
                "weight_decay": weight_decay,
                "momentum": momentum,
                "centered": centered,
                "maximize": maximize,
            },
        )

    def check(self, options: Mapping[str, Any]) -> None:
        check_not_negative(options, "lr", "alpha", "eps", "weight_decay", "momentum")

    def state_names(self, options: Mapping[str, Any]) -> tuple[str, ...]:
        optional = {"momentum_buffer": options["momentum"], "grad_avg": options["centered"]}
        return ("square_avg", *(name for name, wanted in optional.items() if wanted))

    @fusable
    def update(self, w: Any, g: Any, state: dict[str, Any], step: int, options: Mapping[str, Any]) -> None:
        alpha = float(options["alpha"])
        g = prepared(w, g, options)
        s = state["square_avg"]
        s *= alpha
        s += (1 - alpha) * np.square(g)
        scale = s
        if options["centered"]:
            mean = state["grad_avg"]
            mean *= alpha
            mean += (1 - alpha) * g
            scale = s - np.square(mean)
        change = np.sqrt(scale)
        change += float(options["eps"])
        np.divide(g, change, out=change)
        if options["momentum"]:
            v = state["momentum_buffer"]
            v *= float(options["momentum"])
            v += change
            change = v
        w -= float(options["lr"]) * change
