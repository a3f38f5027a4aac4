"""Evolution strategies: training by function values alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from autograd import no_grad
from autograd.dispatch import bare
from autograd.memory import touch
from autograd.random import default_generator
from autograd.tensor import wrap
from optim.optimizer import check_fraction, check_not_negative
from optim.sgd import SGD

__all__ = ["EvolutionStrategy"]


class EvolutionStrategy(SGD):
    """Descent along a gradient estimated from pairs of random perturbations; nothing has to be differentiable.

    Parameters
    ----------
    params : iterable of Tensor, of (name, Tensor) pairs, or of dicts
    lr : float
        η, the learning rate.
    sigma : float
        σ, the standard deviation of the perturbations.
    pairs : int
        n: a step takes 2n values of the function.
    momentum, weight_decay, maximize
        As of :class:`SGD`.
    generator : numpy Generator, optional
        Draws the perturbations; the library's own otherwise.

    Raises
    ------
    TypeError, ValueError
        As :class:`SGD` does; ValueError for ``sigma ≤ 0`` and ``pairs < 1``, and from ``step`` without a closure and
        for values that are not finite, with the weights as they were.

    Notes
    -----
    ``ĝ = 1/(2nσ) Σ_i [f(W + σε_i) − f(W − σε_i)] ε_i`` with normal ε (Nesterov & Spokoiny 2017; Salimans et al. 2017):
    an unbiased estimate of the gradient of f smoothed over σ. ``step(closure)`` leaves it in the parameters' ``grad``.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        sigma: float = 0.1,
        pairs: int = 16,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
        generator: np.random.Generator | None = None,
    ) -> None:
        if not sigma > 0 or pairs < 1:
            raise ValueError(f"EvolutionStrategy takes sigma > 0 and pairs of 1 or more; got {sigma} and {pairs}")
        super().__init__(params, lr, momentum, weight_decay=weight_decay, maximize=maximize)
        self.sigma = sigma
        self.pairs = pairs
        self.generator = generator

    def check(self, options: Mapping[str, Any]) -> None:
        super().check(options)
        check_not_negative(options, "lr")
        check_fraction("momentum", options["momentum"])

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Estimate the gradient and take a step; ``closure`` returns the loss. Returns the mean of the losses."""
        if closure is None:
            raise ValueError("EvolutionStrategy.step() needs a closure that computes the loss")
        params = [p for group in self.param_groups for p in group["params"]]
        origin = [p.numpy().copy() for p in params]
        totals = [np.zeros(p.shape, p.dtype) for p in params]
        rng = self.generator or default_generator()
        losses = []
        try:
            with no_grad():
                for _ in range(self.pairs):
                    noise = [rng.standard_normal(p.shape).astype(p.dtype) for p in params]
                    up, down = (self._loss_at(closure, params, origin, noise, sign) for sign in (1, -1))
                    losses += [up, down]
                    for total, direction in zip(totals, noise, strict=True):
                        total += (up - down) * direction
        finally:
            self._move(params, origin)
        for p, total in zip(params, totals, strict=True):
            p.grad = wrap((total / (2 * self.pairs * self.sigma)).astype(p.dtype, copy=False), None)
        super().step()
        return float(np.mean(losses))

    def _loss_at(self, closure: Any, params: list[Any], origin: list[Any], noise: list[Any], sign: int) -> float:
        self._move(params, [w + sign * self.sigma * e for w, e in zip(origin, noise, strict=True)])
        loss = float(bare(closure()))
        if not np.isfinite(loss):
            raise ValueError(f"the loss of a perturbed model is {loss}; sigma = {self.sigma} may be too large")
        return loss

    @staticmethod
    def _move(params: list[Any], values: list[Any]) -> None:
        for p, value in zip(params, values, strict=True):
            p._data[...] = value
        touch(*(p._data for p in params), operation="EvolutionStrategy.step")
