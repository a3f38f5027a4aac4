"""Schedules along cosines and in cycles."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, floor, log, pi
from typing import Any

from optim.lr_scheduler.base import LRScheduler
from optim.optimizer import Optimizer

__all__ = ["CosineAnnealingLR", "CosineAnnealingWarmRestarts", "CyclicLR", "OneCycleLR"]


class CosineAnnealingLR(LRScheduler):
    """``η_min + ½(η_0 − η_min)(1 + cos(πt/T_max))`` (Loshchilov & Hutter 2017); up and down again beyond ``T_max``."""

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        if not T_max > 0:
            raise ValueError(f"T_max is above 0; got {T_max}")
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """From the present rates, so that schedules combine; from the initial ones where those are at the bottom."""
        if self.last_epoch == 0:
            return self._present()
        now, before = (1 + cos(pi * t / self.T_max) for t in (self.last_epoch, self.last_epoch - 1))
        if before < 1e-12:
            rise = (1 - cos(pi / self.T_max)) / 2
            bases = zip(self._present(), self.base_lrs, strict=True)
            return [rate + (base - self.eta_min) * rise for rate, base in bases]
        return [now / before * (rate - self.eta_min) + self.eta_min for rate in self._present()]


class CosineAnnealingWarmRestarts(LRScheduler):
    """Cosines from the initial rate down to ``eta_min``, one of ``T_0`` epochs, each ``T_mult`` times as long.

    Source: Loshchilov & Hutter 2017. ``step(epoch)`` takes fractions of epochs. Raises ValueError for lengths that
    are not whole numbers of 1 or more.
    """

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        if T_0 < 1 or T_mult < 1 or int(T_0) != T_0 or T_mult != int(T_mult):
            raise ValueError(f"T_0 and T_mult are whole numbers of 1 or more; got {T_0} and {T_mult}")
        self.T_0 = T_0
        self.T_i = T_0
        self.T_mult = T_mult
        self.T_cur: float = last_epoch
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        share = (1 + cos(pi * self.T_cur / self.T_i)) / 2
        return [self.eta_min + (base - self.eta_min) * share for base in self.base_lrs]

    def restart(self) -> None:
        self.step(0)

    def step(self, epoch: float | None = None) -> None:
        """Set the rates of the next epoch, or of this one, which may be a fraction."""
        if epoch is None:
            epoch = self.last_epoch + 1
        if epoch < 0:
            raise ValueError(f"epochs are counted from 0; got {epoch}")
        self._place(epoch)
        self.last_epoch = floor(epoch)
        self._set(self.get_lr())

    def _place(self, epoch: float) -> None:
        """Where in which cosine an epoch lies."""
        if epoch < self.T_0:
            self.T_i, self.T_cur = self.T_0, epoch
        elif self.T_mult == 1:
            self.T_i, self.T_cur = self.T_0, epoch % self.T_0
        else:
            n = int(log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult) + 1e-12)
            self.T_i = self.T_0 * self.T_mult**n
            self.T_cur = epoch - self.T_0 * (self.T_mult**n - 1) // (self.T_mult - 1)


class _MomentumToo(LRScheduler):
    """A schedule that moves the momentum against the rate."""

    cycle_momentum: bool

    def _momentum_option(self) -> str:
        """ "momentum" or, for the Adams, "betas"; raises ValueError for an optimiser without either."""
        for name in ("momentum", "betas"):
            if name in self.optimizer.defaults:
                return name
        raise ValueError("the optimizer has neither momentum nor betas: pass cycle_momentum=False")

    def _set_momentum(self, group: dict[str, Any], value: float) -> None:
        if self._momentum_option() == "betas":
            group["betas"] = (value, *group["betas"][1:])
        else:
            group["momentum"] = value


def _per_group(name: str, optimizer: Optimizer, value: Any) -> list[float]:
    count = len(optimizer.param_groups)
    values = list(value) if isinstance(value, (list, tuple)) else [value] * count
    if len(values) != count:
        raise ValueError(f"the optimizer has {count} groups; got {len(values)} values of {name}")
    return [float(v) for v in values]


class CyclicLR(_MomentumToo):
    """Rates that go up and down between two bounds (Smith 2017).

    Parameters
    ----------
    optimizer : Optimizer
    base_lr, max_lr : float, or one for each group
    step_size_up, step_size_down : int
        Epochs of the way up and of the way down; down as up by default.
    mode : {"triangular", "triangular2", "exp_range"}
        The height of cycle k is whole, ``2^(1−k)`` of it, or ``gamma^t`` of it.
    gamma : float
    scale_fn, scale_mode : callable, {"cycle", "iterations"}
        The height as a function of the cycle's number or of the epoch, in place of ``mode``.
    cycle_momentum, base_momentum, max_momentum
        Whether the momentum (β₁ of the Adams) goes the other way between these bounds.
    last_epoch : int

    Raises
    ------
    ValueError
        For another mode, and an optimiser without momentum if that is to move.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: Any,
        max_lr: Any,
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: Any = 0.8,
        max_momentum: Any = 0.9,
        last_epoch: int = -1,
    ) -> None:
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ValueError(f"mode is 'triangular', 'triangular2' or 'exp_range'; got {mode!r}")
        self.optimizer = optimizer
        self.bounds = list(
            zip(_per_group("base_lr", optimizer, base_lr), _per_group("max_lr", optimizer, max_lr), strict=True)
        )
        self.total_size = float(step_size_up + (step_size_up if step_size_down is None else step_size_down))
        self.step_ratio = step_size_up / self.total_size
        self.mode = mode
        self.gamma = gamma
        self.scale_fn = scale_fn
        self.scale_mode = scale_mode
        self.cycle_momentum = cycle_momentum
        self.momenta: list[tuple[float, float]] = []
        if cycle_momentum:
            self._momentum_option()
            low, high = _per_group("base_momentum", optimizer, base_momentum), _per_group("", optimizer, max_momentum)
            self.momenta = list(zip(low, high, strict=True))
        if last_epoch == -1:
            for group, (low_rate, _) in zip(optimizer.param_groups, self.bounds, strict=True):
                group["lr"] = low_rate
        super().__init__(optimizer, last_epoch)

    def _height(self, cycle: float) -> float:
        if self.scale_fn is not None:
            return self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.mode == "exp_range":
            return self.gamma**self.last_epoch
        return 1.0 if self.mode == "triangular" else 0.5 ** (cycle - 1)

    def get_lr(self) -> list[float]:
        cycle = floor(1 + self.last_epoch / self.total_size)
        x = 1 + self.last_epoch / self.total_size - cycle
        share = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        height = share * self._height(cycle)
        for group, (low, high) in zip(self.optimizer.param_groups, self.momenta, strict=False):
            self._set_momentum(group, high - (high - low) * height)
        return [low + (high - low) * height for low, high in self.bounds]


class OneCycleLR(_MomentumToo):
    """One rise to a large rate and one fall to a very small one (Smith & Topin 2019).

    Parameters
    ----------
    optimizer : Optimizer
    max_lr : float, or one for each group
    total_steps : int, optional
        The length of the cycle, or else ``epochs · steps_per_epoch``.
    epochs, steps_per_epoch : int, optional
    pct_start : float
        Share of the rise.
    anneal_strategy : {"cos", "linear"}
    cycle_momentum, base_momentum, max_momentum
        Whether the momentum (β₁ of the Adams) goes the other way between these bounds.
    div_factor, final_div_factor : float
        The first rate is ``max_lr / div_factor``, the last that over ``final_div_factor``.
    three_phase : bool
        Fall to the first rate as long as the rise took, and only then to the last.
    last_epoch : int

    Raises
    ------
    ValueError
        For no length, shares outside [0, 1], another strategy, an optimiser without momentum if that is to move, and
        from ``step`` beyond the end.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: Any,
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: Any = 0.85,
        max_momentum: Any = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError("OneCycleLR takes total_steps, or epochs and steps_per_epoch")
            total_steps = epochs * steps_per_epoch
        if not total_steps > 0 or not 0 <= pct_start <= 1:
            raise ValueError(f"total_steps is above 0, pct_start in [0, 1]; got {total_steps} and {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy is 'cos' or 'linear'; got {anneal_strategy!r}")
        self.optimizer = optimizer
        self.total_steps = total_steps
        self.anneal_strategy = anneal_strategy
        self.cycle_momentum = cycle_momentum
        rise = float(pct_start * total_steps)
        self.ends = [rise - 1, 2 * rise - 2, total_steps - 1] if three_phase else [rise - 1, total_steps - 1]
        self.corners = []
        for high in _per_group("max_lr", optimizer, max_lr):
            first = high / div_factor
            self.corners.append([first, high, *([first] if three_phase else []), first / final_div_factor])
        self.momenta = []
        if cycle_momentum:
            self._momentum_option()
            low, top = _per_group("base_momentum", optimizer, base_momentum), _per_group("", optimizer, max_momentum)
            self.momenta = [
                [most, least, *([most] if three_phase else []), most] for least, most in zip(low, top, strict=True)
            ]
        if last_epoch == -1:
            for group, corners in zip(optimizer.param_groups, self.corners, strict=True):
                group["lr"] = corners[0]
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        if self.last_epoch >= self.total_steps:
            self.last_epoch -= 1
            raise ValueError(f"the cycle of {self.total_steps} steps is over")
        phase = next(i for i, end in enumerate(self.ends) if self.last_epoch <= end or i == len(self.ends) - 1)
        start = self.ends[phase - 1] if phase else 0.0
        share = (self.last_epoch - start) / (self.ends[phase] - start)
        for group, corners in zip(self.optimizer.param_groups, self.momenta, strict=False):
            self._set_momentum(group, self._between(corners[phase], corners[phase + 1], share))
        return [self._between(corners[phase], corners[phase + 1], share) for corners in self.corners]

    def _between(self, start: float, end: float, share: float) -> float:
        if self.anneal_strategy == "linear":
            return start + (end - start) * share
        return end + (start - end) / 2 * (1 + cos(pi * share))
