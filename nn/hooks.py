"""Hooks: functions called around a module's forward and backward pass."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from autograd import Function, Tensor
from autograd.tree import flatten

__all__ = ["Handle", "Hooks"]

_numbers = count()


class Handle:
    """What registering a hook returns: ``remove()`` takes it away, as does leaving a ``with`` block."""

    def __init__(self, hooks: dict[int, Any], key: int) -> None:
        self._hooks = hooks
        self._key = key

    def remove(self) -> None:
        """Take the hook away; again has no effect."""
        self._hooks.pop(self._key, None)

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


class Hooks:
    """The hooks of one module, each kind in the order of the calls."""

    def __init__(self) -> None:
        self.before_forward: dict[int, tuple[Callable[..., Any], bool]] = {}
        self.after_forward: dict[int, tuple[Callable[..., Any], bool]] = {}
        self.before_backward: dict[int, Callable[..., Any]] = {}
        self.after_backward: dict[int, Callable[..., Any]] = {}

    @staticmethod
    def add(hooks: dict[int, Any], entry: Any, prepend: bool) -> Handle:
        """Add to one of the four; the entry comes first if ``prepend``."""
        key = next(_numbers)
        later = {} if not prepend else dict(hooks)
        if prepend:
            hooks.clear()
        hooks[key] = entry
        hooks.update(later)
        return Handle(hooks, key)

    def call(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """``module.forward(*args, **kwargs)`` with everything that is registered."""
        for hook, with_kwargs in list(self.before_forward.values()):
            args, kwargs = _changed_input(hook, with_kwargs, module, args, kwargs)
        watch = Watch(self, module) if self.before_backward or self.after_backward else None
        if watch is not None:
            args = watch.inputs(args)
        output = module.forward(*args, **kwargs)
        for hook, with_kwargs in list(self.after_forward.values()):
            new = hook(module, args, kwargs, output) if with_kwargs else hook(module, args, output)
            output = output if new is None else new
        return output if watch is None else watch.outputs(output)


def _changed_input(
    hook: Callable[..., Any], with_kwargs: bool, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if not with_kwargs:
        new = hook(module, args)
        return (args if new is None else new if isinstance(new, tuple) else (new,)), kwargs
    new = hook(module, args, kwargs)
    if new is None:
        return args, kwargs
    if not isinstance(new, tuple) or len(new) != 2:
        raise TypeError("a forward pre-hook with kwargs returns None or a pair (args, kwargs)")
    return new


# ---------------------------------------------------------------------- backward


class Gate(Function):
    """The identity of several tensors at once, whose backward pass asks ``react`` for the gradients."""

    @staticmethod
    def forward(ctx: Any, react: Any, *tensors: Any) -> Any:
        ctx.react = react
        return tuple(x.copy() for x in tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return (None, *ctx.react(gradients))


class Watch:
    """One call of a module whose backward pass is watched, by gates before and after it."""

    def __init__(self, hooks: Hooks, module: Any) -> None:
        self._hooks = hooks
        self._module = module
        self._arguments = 0
        self._watched: list[int] = []  # positions of the arguments that want gradients
        self._grad_output: tuple[Any, ...] = ()

    def inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments, those that want gradients behind a gate."""
        self._arguments = len(args)
        self._watched = [i for i, x in enumerate(args) if isinstance(x, Tensor) and x.requires_grad]
        if not self._watched:
            return args
        gated = Gate.apply(self._after, *(args[i] for i in self._watched))
        changed = dict(zip(self._watched, gated, strict=True))
        return tuple(changed.get(i, x) for i, x in enumerate(args))

    def outputs(self, output: Any) -> Any:
        """The output, whose tensors are behind a gate."""
        leaves, rebuild = flatten(output)
        positions = [i for i, y in enumerate(leaves) if isinstance(y, Tensor) and y.requires_grad]
        if not positions:
            return output
        for i, y in zip(positions, Gate.apply(self._before, *(leaves[i] for i in positions)), strict=True):
            leaves[i] = y
        return rebuild(leaves)

    def _before(self, gradients: tuple[Any, ...]) -> tuple[Any, ...]:
        for hook in list(self._hooks.before_backward.values()):
            gradients = _replaced(hook(self._module, gradients), gradients, "grad_output")
        self._grad_output = gradients
        if not self._watched:
            self._after(())
        return gradients

    def _after(self, gradients: tuple[Any, ...]) -> tuple[Any, ...]:
        found = dict(zip(self._watched, gradients, strict=True))
        full = tuple(found.get(i) for i in range(self._arguments))
        for hook in list(self._hooks.after_backward.values()):
            full = _replaced(hook(self._module, full, self._grad_output), full, "grad_input")
        return tuple(full[i] for i in self._watched)


def _replaced(new: Any, old: tuple[Any, ...], what: str) -> tuple[Any, ...]:
    if new is None:
        return old
    new = new if isinstance(new, tuple) else (new,)
    if len(new) != len(old):
        raise ValueError(f"a backward hook returned {len(new)} gradients for a {what} of {len(old)}")
    return new
