"""Averages of a model's weights over its training: the plain mean, exponential ones, and Lookahead."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from typing import Any

import numpy as np

from autograd import Tensor, no_grad
from autograd.dispatch import bare
from autograd.memory import touch
from nn.module import Module
from nn.normalization import BatchNorm1d, BatchNorm2d, BatchNorm3d
from optim.optimizer import Optimizer

__all__ = ["AveragedModel", "Lookahead", "get_ema_avg_fn", "update_bn"]

Average = Callable[[Any, Any, int], Any]


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """``a ← δa + (1 − δ)w`` for :class:`AveragedModel`: the exponential moving average (Polyak & Juditsky 1992)."""
    if not 0 <= decay <= 1:
        raise ValueError(f"decay lies in [0, 1]; got {decay}")
    return lambda averaged, current, count: decay * averaged + (1 - decay) * current


class AveragedModel(Module):
    """A copy of a model that holds the average of its parameters.

    Parameters
    ----------
    model : Module
    avg_fn : callable, optional
        ``avg_fn(averaged, current, count)`` of arrays, where ``count`` models are in the average already; their mean
        by default (stochastic weight averaging, Izmailov et al. 2018).
    use_buffers : bool
        Whether buffers are averaged too; otherwise they are copied.

    Notes
    -----
    The copy is ``module``; ``n_averaged`` counts. After training, :func:`update_bn` renews the running statistics of
    batch norms.
    """

    n_averaged: Tensor

    def __init__(self, model: Module, avg_fn: Average | None = None, use_buffers: bool = False) -> None:
        super().__init__()
        self.module = deepcopy(model)
        self.module.requires_grad_(False)
        self.register_buffer("n_averaged", np.array(0))
        self.avg_fn = avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Take the model's present parameters into the average. Raises ValueError for another kind of model."""
        mine, others = dict(self.module.named_parameters()), dict(model.named_parameters())
        if mine.keys() != others.keys():
            raise ValueError("the average is of a model with other parameters")
        pairs = [(a, others[name]) for name, a in mine.items()]
        buffers = list(zip(self.module.buffers(), model.buffers(), strict=True))
        count = int(self.n_averaged.item())
        averaged = pairs + [(a, b) for a, b in buffers if self.use_buffers and a.dtype.kind == "f"]
        for a, b in averaged:
            a.data[...] = self._average(a.numpy(), b.numpy(), count)
        for a, b in buffers:
            if not self.use_buffers or a.dtype.kind != "f":
                a.data[...] = b.numpy()
        self.n_averaged.data[...] = count + 1

    def _average(self, averaged: Any, current: Any, count: int) -> Any:
        if count == 0:
            return current
        if self.avg_fn is not None:
            return self.avg_fn(averaged, current, count)
        return averaged + (current - averaged) / (count + 1)


def update_bn(loader: Iterable[Any], model: Module) -> None:
    """Renew the running statistics of a model's batch norms by one pass over a loader.

    Batches are inputs, or tuples that begin with them. Nothing happens for models without batch norms.
    """
    norms = [m for m in model.modules() if isinstance(m, (BatchNorm1d, BatchNorm2d, BatchNorm3d))]
    if not norms:
        return
    modes = {module: module.training for module in model.modules()}
    momenta = {norm: norm.momentum for norm in norms}
    try:
        model.train()
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the plain mean of all batches
        with no_grad():
            for batch in loader:
                model(batch[0] if isinstance(batch, (tuple, list)) else batch)
    finally:
        for norm, momentum in momenta.items():
            norm.momentum = momentum
        for module, mode in modes.items():
            module.training = mode


class Lookahead:
    """An optimiser's weights pulled back, every few steps, towards slow ones that follow them.

    ``φ ← φ + α(θ − φ)``, ``θ ← φ`` after every k steps of the inner optimiser (Zhang et al. 2019).

    Parameters
    ----------
    optimizer : Optimizer
        Makes the fast steps; its groups and options are those of this object.
    k : int
        Fast steps for each slow one.
    alpha : float
        α.

    Raises
    ------
    ValueError
        For ``k < 1`` and α outside (0, 1].
    """

    def __init__(self, optimizer: Optimizer, k: int = 5, alpha: float = 0.5) -> None:
        if k < 1 or not 0 < alpha <= 1:
            raise ValueError(f"Lookahead takes k of 1 or more and alpha in (0, 1]; got {k} and {alpha}")
        self.optimizer = optimizer
        self.k = k
        self.alpha = alpha
        self.taken = 0
        self.slow = [p.numpy().copy() for p in self._params()]

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return self.optimizer.param_groups

    def _params(self) -> list[Tensor]:
        return [p for group in self.optimizer.param_groups for p in group["params"]]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients, or replace them by zeros."""
        self.optimizer.zero_grad(set_to_none)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One fast step, and after every ``k`` of them a slow one; returns what ``closure`` returns."""
        loss = self.optimizer.step(closure)
        self.taken += 1
        if self.taken % self.k == 0:
            for p, slow in zip(self._params(), self.slow, strict=True):
                slow += self.alpha * (p.numpy() - slow)
                p._data[...] = slow
                touch(p._data, operation="Lookahead.step")
        return loss

    def state_dict(self) -> dict[str, Any]:
        """The inner optimiser's state, the slow weights and the number of steps."""
        return {"optimizer": self.optimizer.state_dict(), "slow": list(self.slow), "taken": self.taken}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave. Raises ValueError for other parameters."""
        slow = [np.array(bare(values)) for values in state_dict["slow"]]
        if [a.shape for a in slow] != [a.shape for a in self.slow]:
            raise ValueError("the state is of other parameters")
        self.optimizer.load_state_dict(state_dict["optimizer"])
        self.slow, self.taken = slow, int(state_dict["taken"])
