"""Schedules made of others: all at once, or one after the other."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from optim.lr_scheduler.base import LRScheduler
from optim.optimizer import Optimizer

__all__ = ["ChainedScheduler", "SequentialLR"]


class _Combined(LRScheduler):
    """A schedule whose state holds those of its parts."""

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None) -> None:
        listed = list(schedulers)
        if not listed:
            raise ValueError(f"{type(self).__name__} takes at least one schedule")
        self.optimizer = listed[0].optimizer if optimizer is None else optimizer
        for scheduler in listed:
            if not isinstance(scheduler, LRScheduler) or scheduler.optimizer is not self.optimizer:
                raise ValueError(f"{type(self).__name__} takes schedules of one and the same optimizer")
        self.schedulers = listed

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "schedulers": [scheduler.state_dict() for scheduler in self.schedulers]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        parts = state_dict["schedulers"]
        if len(parts) != len(self.schedulers):
            raise ValueError(f"the state is of {len(parts)} schedules; this one has {len(self.schedulers)}")
        super().load_state_dict({name: value for name, value in state_dict.items() if name != "schedulers"})
        for scheduler, part in zip(self.schedulers, parts, strict=True):
            scheduler.load_state_dict(part)


class ChainedScheduler(_Combined):
    """Several schedules that all act at every step. Raises ValueError for none, and for different optimisers."""

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        super().__init__(schedulers, optimizer)
        self.last_epoch = 0

    def step(self) -> None:
        self.last_epoch += 1
        for scheduler in self.schedulers:
            scheduler.step()


class SequentialLR(_Combined):
    """One schedule after the other: the next begins, at its own epoch 0, at each milestone.

    Raises ValueError for different optimisers, and unless there is one milestone less than schedules.
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int], last_epoch: int = -1
    ) -> None:
        super().__init__(schedulers, optimizer)
        if len(milestones) != len(self.schedulers) - 1:
            raise ValueError(f"{len(self.schedulers)} schedules have one milestone less; got {len(milestones)}")
        self.milestones = list(milestones)
        self.last_epoch = last_epoch + 1
        if last_epoch == -1:
            self.schedulers[0].restart()

    def step(self) -> None:
        self.last_epoch += 1
        which = bisect_right(self.milestones, self.last_epoch)
        if which and self.milestones[which - 1] == self.last_epoch:
            self.schedulers[which].restart()
        else:
            self.schedulers[which].step()
