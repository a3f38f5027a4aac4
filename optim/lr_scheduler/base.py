"""``LRScheduler``: learning rates that change with the epoch, or the step."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from autograd.figure import new_figure, saved
from optim.optimizer import Optimizer

__all__ = ["FactorLR", "LRScheduler"]


class LRScheduler:
    """Base class of schedules.

    Making one sets the rates of epoch 0; ``step()`` after each epoch (or step) sets the next. The rates are
    ``optimizer.param_groups[…]["lr"]``; those that a schedule starts from are kept there as ``initial_lr``.

    Parameters
    ----------
    optimizer : Optimizer
    last_epoch : int
        −1 to begin; an epoch to go on from, with groups that have an ``initial_lr``.

    Raises
    ------
    TypeError
        For what is no optimiser.
    KeyError
        For a ``last_epoch`` to go on from without an ``initial_lr``.
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"a schedule takes an Optimizer; got {type(optimizer).__name__}")
        self.optimizer = optimizer
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", float(group["lr"]))  # of the first, where several act together
            elif "initial_lr" not in group:
                raise KeyError(f"to go on from epoch {last_epoch}, group {i} needs an 'initial_lr'")
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self.step()

    # ------------------------------------------------------------------ what a subclass defines

    def get_lr(self) -> list[float]:
        """Rates of the groups for ``last_epoch``; they may build on the present ones, so that schedules combine."""
        raise NotImplementedError(f"{type(self).__name__} defines no get_lr()")

    def restart(self) -> None:
        """Set the rates of epoch 0, from the ones the schedule started with."""
        self.last_epoch = 0
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"]
        self._set(self.get_lr())

    # ------------------------------------------------------------------ steps

    def step(self) -> None:
        """Set the rates of the next epoch."""
        self.last_epoch += 1
        self._set(self.get_lr())

    def _set(self, rates: list[float]) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate

    def _present(self) -> list[float]:
        return [float(group["lr"]) for group in self.optimizer.param_groups]

    def get_last_lr(self) -> list[float]:
        """The present rates, one for each group."""
        return self._present()

    # ------------------------------------------------------------------ state

    def state_dict(self) -> dict[str, Any]:
        """What the schedule remembers; functions that were passed in are left out."""
        return {name: value for name, value in self.__dict__.items() if name != "optimizer" and not _is_function(value)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave; the rates themselves are the optimiser's."""
        self.__dict__.update({name: value for name, value in state_dict.items() if name in self.__dict__})

    # ------------------------------------------------------------------ looking ahead

    def preview(self, steps: int) -> Any:
        """Rates of the present epoch and of ``steps − 1`` further ones, (steps, groups); nothing is changed."""
        state = self.state_dict()
        groups = [dict(group) for group in self.optimizer.param_groups]
        try:
            rates = [self._present()]
            for _ in range(steps - 1):
                self.step()
                rates.append(self._present())
        finally:
            self.load_state_dict(state)
            for group, before in zip(self.optimizer.param_groups, groups, strict=True):
                group.update(before)
        return np.array(rates[:steps])

    def plot(self, steps: int, path: str | os.PathLike[str] | None = None) -> Any:
        """:meth:`preview` as a curve for each group: a matplotlib figure, saved to ``path`` if that is given.

        Raises ImportError without matplotlib.
        """
        figure = new_figure(6, 3.2)
        axes = figure.subplots()
        axes.plot(np.arange(self.last_epoch, self.last_epoch + steps), self.preview(steps))
        axes.set(title=type(self).__name__, xlabel="epoch", ylabel="learning rate")
        axes.grid(alpha=0.3)
        return saved(figure, path)


def _is_function(value: Any) -> bool:
    return callable(value) or (isinstance(value, list) and any(callable(entry) for entry in value))


class FactorLR(LRScheduler):
    """A schedule that multiplies the initial rate by ``factor(epoch)``; a subclass defines that.

    Each step multiplies the present rate by the ratio of two factors, so that several schedules combine.
    """

    def factor(self, epoch: int) -> float:
        """The rate of an epoch ≥ 0 as a multiple of the initial one."""
        raise NotImplementedError(f"{type(self).__name__} defines no factor()")

    def get_lr(self) -> list[float]:
        now = self.factor(self.last_epoch)
        before = self.factor(self.last_epoch - 1) if self.last_epoch > 0 else 1.0
        ratio = now / before if before else 1.0
        return [rate * ratio for rate in self._present()]
