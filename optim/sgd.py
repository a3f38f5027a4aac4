"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from autograd.kernels import fusable
from optim.optimizer import Optimizer, check_not_negative, prepared

__all__ = ["SGD"]


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum.

    Parameters
    ----------
    params : iterable of Tensor, of (name, Tensor) pairs, or of dicts
    lr : float
        η, the learning rate.
    momentum : float
        γ, the share of the velocity that is kept.
    dampening : float
        τ, the share of the gradient that does not enter the velocity (after the first step).
    weight_decay : float
        λ: adds ``λW`` to the gradient, as the penalty ``(λ/2) Σ‖W‖²`` would.
    nesterov : bool
        Look one step of momentum ahead. Needs momentum and no dampening.
    maximize : bool
        Ascend.
    classical : bool
        Let the learning rate enter the velocity. The two forms are the same while η is constant.

    Raises
    ------
    TypeError, ValueError
        As :class:`Optimizer` does.

    Notes
    -----
    Plain: ``W ← W − ηg``. With momentum ``v ← γv + (1 − τ)g``, ``W ← W − ηv`` (PyTorch's form), or if
    ``classical`` ``v ← γv + (1 − τ)ηg``, ``W ← W − v`` (Polyak 1964). The first step starts with ``v = g``
    (``ηg``). Nesterov: ``W ← W − η(g + γv)`` (Sutskever et al. 2013).
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        classical: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
                "maximize": maximize,
                "classical": classical,
            },
        )

    def check(self, options: Mapping[str, Any]) -> None:
        check_not_negative(options, "lr", "momentum", "weight_decay")
        if options["nesterov"] and (options["momentum"] == 0 or options["dampening"] != 0):
            raise ValueError("nesterov needs a momentum above 0 and no dampening")

    def state_names(self, options: Mapping[str, Any]) -> tuple[str, ...]:
        return ("momentum_buffer",) if options["momentum"] else ()

    @fusable
    def update(self, w: Any, g: Any, state: dict[str, Any], step: int, options: Mapping[str, Any]) -> None:
        lr, momentum = float(options["lr"]), float(options["momentum"])
        g = prepared(w, g, options)
        if options["classical"]:
            g, lr = lr * g, 1.0
        if momentum:
            v = state["momentum_buffer"]
            v *= momentum
            dampening = float(options["dampening"]) if step > 1 else 0.0
            v += (1 - dampening) * g if dampening else g
            g = g + momentum * v if options["nesterov"] else v
        w -= lr * g
