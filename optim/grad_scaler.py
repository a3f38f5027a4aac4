"""``GradScaler``: a loss scaled up so that its gradients do not vanish in float16, and steps left out on overflow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from numbers import Integral, Real
from typing import Any

import numpy as np

from autograd import Tensor
from autograd.dispatch import bare
from autograd.memory import touch
from autograd.precision import widened
from optim.optimizer import Optimizer

__all__ = ["GradScaler"]


class Stage(Enum):
    """What was done to an optimiser's gradients since the last ``update``."""

    SCALED = 0
    UNSCALED = 1
    STEPPED = 2


class GradScaler:
    """Dynamic scaling of the loss, for mixed precision.

    Parameters
    ----------
    init_scale : float
        S, what the loss is multiplied by at first.
    growth_factor, backoff_factor : float
        What S is multiplied by after ``growth_interval`` steps without an overflow, and after an overflow.
    growth_interval : int
    enabled : bool
        False makes every method do what a training without scaling does.

    Raises
    ------
    ValueError
        For a growth factor of 1 or less, a backoff factor outside (0, 1), an interval below 1, a scale that is not
        positive and finite.

    Notes
    -----
    Gradients of float16 below 6e-8 become 0, those of the scaled loss do not. Where a scaled gradient is infinite or
    NaN the step is left out and S made smaller (Micikevicius et al. 2018, "Mixed precision training", section 3.2).
    In every iteration: ``scaler.scale(loss).backward()``, ``scaler.step(optimizer)``, ``scaler.update()``; before
    gradients are clipped or looked at, ``scaler.unscale_(optimizer)``. It goes into a checkpoint like any other part.

    Examples
    --------
    >>> import numpy as np, optim
    >>> from autograd import Tensor, autocast
    >>> w = Tensor(np.ones((2, 2), np.float32), requires_grad=True)
    >>> optimizer, scaler = optim.SGD([w], lr=0.1), optim.GradScaler()
    >>> with autocast():
    ...     loss = np.mean(w @ w)
    >>> scaler.scale(loss).backward()
    >>> scaler.step(optimizer)
    >>> scaler.update()
    """

    def __init__(
        self,
        init_scale: float = 65536.0,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        self._enabled = bool(enabled)
        self._scale = _positive("init_scale", init_scale)
        self.set_growth_factor(growth_factor)
        self.set_backoff_factor(backoff_factor)
        self.set_growth_interval(growth_interval)
        self._good_steps = 0  # since the scale was changed
        self._stages: dict[int, tuple[Any, Stage, bool]] = {}  # by optimiser: itself, its stage, whether all is finite
        self._unscaled: dict[int, Any] = {}  # arrays, by their identity: two optimisers may have a parameter in common

    # ------------------------------------------------------------------ one iteration

    def scale(self, outputs: Any) -> Any:
        """``S · outputs``: a tensor, or a list, tuple or other iterable of tensors. Raises TypeError for others.

        Those of float16, which S leads out of its range, become float32.
        """
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            return widened(outputs) * self._scale
        if isinstance(outputs, np.ndarray) or not isinstance(outputs, Iterable):
            raise TypeError(f"scale() takes tensors, or an iterable of tensors; got {type(outputs).__name__}")
        scaled = [self.scale(each) for each in outputs]
        return type(outputs)(scaled) if isinstance(outputs, (list, tuple)) else scaled

    def unscale_(self, optimizer: Optimizer) -> None:
        """Divide the gradients of an optimiser's parameters by S, in place, and look for what is not finite.

        What another optimiser has in common was divided before and is not again. Raises RuntimeError if that was done
        since the last ``update``, and ValueError for gradients of float16, in which unscaled ones vanish, or in
        read-only memory; nothing is changed then.
        """
        if not self._enabled:
            return
        stage = self._stage(optimizer)
        if stage is not Stage.SCALED:
            done = "unscale_()" if stage is Stage.UNSCALED else "step()"
            raise RuntimeError(f"unscale_() after {done} of this optimizer; call update() first, once an iteration")
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        if any(g.dtype == np.float16 for g in gradients):
            raise ValueError(
                "unscale_() of gradients of float16, where they vanish; keep the parameters in float32 and run the "
                "forward pass inside autocast()"
            )
        arrays = {id(array): array for array in (g.numpy() for g in gradients)}
        scaled = {key: array for key, array in arrays.items() if key not in self._unscaled}
        if not all(array.flags.writeable for array in scaled.values()):
            raise ValueError("unscale_() of gradients in read-only memory; set p.grad to a copy of the array")
        for array in scaled.values():
            array *= 1 / self._scale
        touch(*scaled.values(), operation="unscale_")
        self._unscaled.update(scaled)
        finite = all(np.isfinite(array).all() for array in arrays.values())
        self._stages[id(optimizer)] = optimizer, Stage.UNSCALED, finite

    def step(self, optimizer: Optimizer, *args: Any, **kwargs: Any) -> Any:
        """Take the optimiser's step with unscaled gradients, unless one of them is not finite.

        Returns what ``optimizer.step`` does, None where the step was left out. Raises RuntimeError for a second step
        before ``update`` and for a closure.
        """
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if args or "closure" in kwargs:
            raise RuntimeError("GradScaler.step() takes no closure: the losses that it computes are not scaled")
        stage = self._stage(optimizer)
        if stage is Stage.STEPPED:
            raise RuntimeError("step() of this optimizer was called before; call update() first, once an iteration")
        if stage is Stage.SCALED:
            self.unscale_(optimizer)
        finite = self._stages[id(optimizer)][2]
        result = optimizer.step(**kwargs) if finite else None
        self._stages[id(optimizer)] = optimizer, Stage.STEPPED, finite
        return result

    def update(self, new_scale: float | None = None) -> None:
        """Make S smaller if a gradient was not finite, larger after many that were; or set it. Ends an iteration.

        Raises RuntimeError if no gradients were looked at since the last ``update``.
        """
        if not self._enabled:
            return
        if new_scale is not None:
            self._scale = _positive("new_scale", bare(new_scale))
        elif not self._stages:
            raise RuntimeError("update() before step(): no gradients were looked at since the last update()")
        elif all(finite for _, _, finite in self._stages.values()):
            self._good_steps += 1
            if self._good_steps == self._growth_interval:
                grown = self._scale * self._growth_factor
                self._scale = grown if np.isfinite(np.float32(grown)) else self._scale
                self._good_steps = 0
        else:
            self._scale = max(self._scale * self._backoff_factor, float(np.finfo(np.float32).tiny))
            self._good_steps = 0
        self._stages.clear()
        self._unscaled.clear()

    def _stage(self, optimizer: Optimizer) -> Stage:
        return self._stages.get(id(optimizer), (None, Stage.SCALED, True))[1]

    # ------------------------------------------------------------------ options and state

    def is_enabled(self) -> bool:
        """Whether losses are scaled at all."""
        return self._enabled

    def get_scale(self) -> float:
        """S; 1 where scaling is not enabled."""
        return self._scale if self._enabled else 1.0

    def get_growth_factor(self) -> float:
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        if not _number(new_factor) > 1:
            raise ValueError(f"growth_factor is above 1; got {new_factor!r}")
        self._growth_factor = float(new_factor)

    def get_backoff_factor(self) -> float:
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        if not 0 < _number(new_factor) < 1:
            raise ValueError(f"backoff_factor lies in (0, 1); got {new_factor!r}")
        self._backoff_factor = float(new_factor)

    def get_growth_interval(self) -> int:
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        if not isinstance(new_interval, Integral) or new_interval < 1:
            raise ValueError(f"growth_interval is a whole number, 1 or more; got {new_interval!r}")
        self._growth_interval: int = int(new_interval)

    def state_dict(self) -> dict[str, Any]:
        """The scale, the options and how long there was no overflow; empty where scaling is not enabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self._scale,
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._good_steps,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what ``state_dict()`` gave.

        Raises RuntimeError, before anything is changed, for the empty state of a scaler that was not enabled.
        """
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError("this state is empty: it comes from a GradScaler that was not enabled")
        loaded = GradScaler(
            state_dict["scale"],
            state_dict["growth_factor"],
            state_dict["backoff_factor"],
            state_dict["growth_interval"],
        )
        loaded._good_steps = int(state_dict["_growth_tracker"])
        self.__dict__.update(loaded.__dict__)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, Real) else np.nan


def _positive(name: str, value: Any) -> float:
    number = float(value)
    if not 0 < number < np.inf:
        raise ValueError(f"{name} is positive and finite; got {value!r}")
    return number
