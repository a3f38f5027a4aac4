"""Adam and its kin: steps scaled by running moments of the gradient."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import sqrt
from typing import Any

import numpy as np

from autograd.kernels import fusable
from optim.optimizer import Optimizer, check_betas, check_not_negative, prepared

__all__ = ["Adam", "AdamW", "Adamax", "NAdam", "RAdam"]


class _Moments(Optimizer):
    """Keeps ``m ← β₁m + (1 − β₁)g`` and, but for Adamax, ``v ← β₂v + (1 − β₂)g²``."""

    def check(self, options: Mapping[str, Any]) -> None:
        check_not_negative(options, "lr", "eps", "weight_decay")
        check_betas(options)

    def state_names(self, options: Mapping[str, Any]) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq")

    def _moments(self, g: Any, state: dict[str, Any], options: Mapping[str, Any]) -> tuple[Any, Any, Any]:
        """m and v, updated in place, and a vector to work in."""
        beta1, beta2 = map(float, options["betas"])
        m, v = state["exp_avg"], state["exp_avg_sq"]
        scratch = (1 - beta1) * g
        m *= beta1
        m += scratch
        np.square(g, out=scratch)
        scratch *= 1 - beta2
        v *= beta2
        v += scratch
        return m, v, scratch


class Adam(_Moments):
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
    decoupled_weight_decay : bool
        Shrink the weights by ``ηλW`` instead, apart from the gradient: :class:`AdamW`.

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
        decoupled_weight_decay: bool = False,
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
                "decoupled_weight_decay": decoupled_weight_decay,
            },
        )

    def state_names(self, options: Mapping[str, Any]) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq", "max_exp_avg_sq") if options["amsgrad"] else ("exp_avg", "exp_avg_sq")

    @fusable
    def update(self, w: Any, g: Any, state: dict[str, Any], step: int, options: Mapping[str, Any]) -> None:
        beta1, beta2 = map(float, options["betas"])
        m, v, scratch = self._moments(prepared(w, g, options), state, options)
        if options["amsgrad"]:
            v = np.maximum(state["max_exp_avg_sq"], v, out=state["max_exp_avg_sq"])
        correction = sqrt(1 - beta2**step)
        np.sqrt(v, out=scratch)
        scratch += correction * float(options["eps"])
        np.divide(m, scratch, out=scratch)
        scratch *= correction * float(options["lr"]) / (1 - beta1**step)
        w -= scratch


class AdamW(Adam):
    """:class:`Adam` with decoupled weight decay: ``W ← W − ηλW`` before the step (Loshchilov & Hutter 2019)."""

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, decoupled_weight_decay=True)


class Adamax(_Moments):
    """Adam with a running maximum norm in place of the second moment.

    ``u ← max(β₂u, |g| + ε)``, ``W ← W − η/(1 − β₁ᵗ) · m/u`` (Kingma & Ba 2015, section 7). Parameters and errors as
    of :class:`Adam`.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        )

    def state_names(self, options: Mapping[str, Any]) -> tuple[str, ...]:
        return ("exp_avg", "exp_inf")

    @fusable
    def update(self, w: Any, g: Any, state: dict[str, Any], step: int, options: Mapping[str, Any]) -> None:
        beta1, beta2 = map(float, options["betas"])
        g = prepared(w, g, options)
        m, u = state["exp_avg"], state["exp_inf"]
        m *= beta1
        m += (1 - beta1) * g
        u *= beta2
        np.maximum(u, np.abs(g) + float(options["eps"]), out=u)
        w -= (float(options["lr"]) / (1 - beta1**step)) * (m / u)


class NAdam(_Moments):
    """Adam with Nesterov momentum.

    With ``μ_t = β₁(1 − ½·0.96^(tψ))``: ``W ← W − η [(1 − μ_t) g/(1 − Π_{i≤t} μ_i) + μ_{t+1} m/(1 − Π_{i≤t+1} μ_i)] /
    (√v̂ + ε)`` (Dozat 2016). ψ is ``momentum_decay``; other parameters and errors as of :class:`Adam`.
    """

    derived_state = ("mu_product",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        self._products: dict[tuple[float, float], list[float]] = {}
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "momentum_decay": momentum_decay,
                "decoupled_weight_decay": decoupled_weight_decay,
                "maximize": maximize,
            },
        )

    def check(self, options: Mapping[str, Any]) -> None:
        super().check(options)
        check_not_negative(options, "momentum_decay")

    def _product(self, step: int, beta1: float, decay: float) -> float:
        """``Π μ_i`` over i ≤ step; those before are kept, since a step asks for the next."""
        known = self._products.setdefault((beta1, decay), [1.0])
        while len(known) <= step:
            known.append(known[-1] * beta1 * (1 - 0.5 * 0.96 ** (len(known) * decay)))
        return known[step]

    @fusable
    def update(self, w: Any, g: Any, state: dict[str, Any], step: int, options: Mapping[str, Any]) -> None:
        beta1, beta2 = map(float, options["betas"])
        lr, decay = float(options["lr"]), float(options["momentum_decay"])
        g = prepared(w, g, options)
        m, v, scratch = self._moments(g, state, options)
        before, now, then = (self._product(t, beta1, decay) for t in (step - 1, step, step + 1))
        np.sqrt(v, out=scratch)
        scratch *= 1 / sqrt(1 - beta2**step)
        scratch += float(options["eps"])
        present = lr * (1 - now / before) / (1 - now) if before else lr
        following = lr * (then / now) / (1 - then) if now else 0.0
        w -= (present * g + following * m) / scratch


class RAdam(_Moments):
    """Adam that rectifies the variance of its first steps.

    With ``ρ_∞ = 2/(1 − β₂) − 1`` and ``ρ_t = ρ_∞ − 2tβ₂ᵗ/(1 − β₂ᵗ)``: ``W ← W − η m̂ r_t √(1 − β₂ᵗ)/(√v + ε)`` with
    ``r_t² = (ρ_t − 4)(ρ_t − 2)ρ_∞ / ((ρ_∞ − 4)(ρ_∞ − 2)ρ_t)`` where ``ρ_t > 5``, else ``W ← W − η m̂`` (Liu et al.
    2020). Parameters and errors as of :class:`Adam`.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        decoupled_weight_decay: bool = False,
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
                "decoupled_weight_decay": decoupled_weight_decay,
                "maximize": maximize,
            },
        )

    @fusable
    def update(self, w: Any, g: Any, state: dict[str, Any], step: int, options: Mapping[str, Any]) -> None:
        beta1, beta2 = map(float, options["betas"])
        m, v, scratch = self._moments(prepared(w, g, options), state, options)
        rate = float(options["lr"]) / (1 - beta1**step)
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * step * beta2**step / (1 - beta2**step)
        if length <= 5:
            w -= rate * m
            return
        rectified = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
        np.sqrt(v, out=scratch)
        scratch += float(options["eps"])
        np.divide(m, scratch, out=scratch)
        scratch *= rate * sqrt(rectified * (1 - beta2**step))
        w -= scratch
