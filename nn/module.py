"""``Module``: parameters, buffers and submodules under names, and what is done to all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Self

import numpy as np

from autograd import Tensor
from autograd.dispatch import bare
from autograd.graph import Scope
from autograd.memory import tick
from autograd.tree import flatten
from nn.hooks import Handle, Hooks
from nn.parameter import Parameter

__all__ = ["IncompatibleKeys", "Module"]


class IncompatibleKeys(NamedTuple):
    """What ``load_state_dict(strict=False)`` found amiss."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """Base class of layers and networks.

    A subclass calls ``super().__init__()``, assigns parameters and submodules as attributes, and defines
    ``forward``; calling the module calls ``forward``. Names, their order and the keys of ``state_dict`` are
    PyTorch's.
    """

    training: bool
    _kinds: dict[str, str]  # which attributes are a "parameter", "buffer", "transient" buffer or "module"
    _hooks: Hooks | None = None

    def __init__(self) -> None:
        object.__setattr__(self, "_kinds", {})
        object.__setattr__(self, "training", True)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; every subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} defines no forward()")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        began = tick()
        hooks = self._hooks
        output = self.forward(*args, **kwargs) if hooks is None else hooks.call(self, args, kwargs)
        if isinstance(output, Tensor):
            Scope.mark(output._node, self, began)
        else:
            for leaf in flatten(output)[0]:
                if isinstance(leaf, Tensor):
                    Scope.mark(leaf._node, self, began)
        return output

    # ------------------------------------------------------------------ attributes

    def __setattr__(self, name: str, value: Any) -> None:
        kinds = self.__dict__.get("_kinds")
        if isinstance(value, (Parameter, Module)):
            if kinds is None:
                raise AttributeError(f"call super().__init__() before assigning '{name}'")
            kinds[name] = "parameter" if isinstance(value, Parameter) else "module"
        elif kinds and name in kinds:
            value = _checked(name, value, kinds[name])
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        self._kinds.pop(name, None)

    def _register(self, name: str, value: Any, kind: str) -> None:
        if not isinstance(name, str) or not name or "." in name:
            raise KeyError(f"a name is a string, not empty and without '.'; got {name!r}")
        if name not in self._kinds and hasattr(self, name):
            raise KeyError(f"{type(self).__name__} has an attribute '{name}' already")
        value = _checked(name, value, kind)
        self._kinds[name] = kind
        object.__setattr__(self, name, value)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter, or None for one that is switched off."""
        self._register(name, param, "parameter")

    def register_buffer(self, name: str, tensor: Any, persistent: bool = True) -> None:
        """Add state that is not trained: a Tensor, an array or None; in ``state_dict`` if ``persistent``."""
        self._register(name, tensor, "buffer" if persistent else "transient")

    def register_module(self, name: str, module: Module | None) -> None:
        """Add a submodule, or None."""
        self._register(name, module, "module")

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a submodule, or None."""
        self._register(name, module, "module")

    def _of_kind(self, *kinds: str) -> Iterator[tuple[str, Any]]:
        """Names and values registered here under these kinds, leaving out None."""
        entries = self.__dict__
        for name, kind in self._kinds.items():
            if kind in kinds and entries[name] is not None:
                yield name, entries[name]

    # ------------------------------------------------------------------ by dotted path

    def get_submodule(self, target: str) -> Module:
        """The module at a dotted path, this one for ""; raises AttributeError where there is none."""
        module: Any = self
        for name in target.split(".") if target else ():
            module = getattr(module, name)
            if not isinstance(module, Module):
                raise AttributeError(f"'{target}' is no submodule: '{name}' is a {type(module).__name__}")
        return module

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a dotted path; raises AttributeError where there is none."""
        return self._get(target, "parameter")

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a dotted path; raises AttributeError where there is none."""
        return self._get(target, "buffer", "transient")

    def _get(self, target: str, *kinds: str) -> Any:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if module._kinds.get(name) not in kinds:
            raise AttributeError(f"'{target}' is no {kinds[0]}")
        return getattr(module, name)

    # ------------------------------------------------------------------ iteration

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Direct submodules with their names, each once."""
        seen: set[Module] = set()
        for name, module in self._of_kind("module"):
            if module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[Module]:
        """Direct submodules, each once."""
        return (module for _, module in self.named_children())

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module and all below it with their dotted paths, each once unless ``remove_duplicate`` is off."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._of_kind("module"):
            yield from module.named_modules(memo, _join(prefix, name), remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """This module and all below it, each once."""
        return (module for _, module in self.named_modules())

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Parameters with their dotted paths; a shared one once, under its first path."""
        return self._named(("parameter",), prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Parameters, each once."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Buffers with their dotted paths, each once."""
        return self._named(("buffer", "transient"), prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Buffers, each once."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def _named(
        self, kinds: tuple[str, ...], prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        for path, module in modules:
            for name, entry in module._of_kind(*kinds):
                if remove_duplicate and id(entry) in seen:
                    continue
                seen.add(id(entry))
                yield _join(path, name), entry

    # ------------------------------------------------------------------ to all at once

    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Call ``fn`` with every submodule, then with this module; returns this module."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def train(self, mode: bool = True) -> Self:
        """Set training (True) or evaluation (False) mode here and below; returns this module."""
        if not isinstance(mode, bool):
            raise ValueError(f"train() takes True or False; got {mode!r}")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Set evaluation mode here and below; returns this module."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set whether gradients are recorded for the parameters here and below; returns this module."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the parameters' gradients, or replace them by zeros."""
        for parameter in self.parameters():
            if parameter.grad is not None:
                parameter.grad = None if set_to_none else np.zeros(parameter.shape, parameter.dtype)

    def to(self, dtype: Any) -> Self:
        """Convert float and complex parameters and buffers, and gradients, to ``dtype``; returns this module.

        The parameters stay the same objects. Raises TypeError for a dtype that is neither float nor complex.
        """
        dtype = np.dtype(dtype)
        if dtype.kind not in "fc":
            raise TypeError(f"a module is converted to a float or complex dtype; got {dtype}")
        for tensor in (*self.parameters(), *self.buffers()):
            if tensor.dtype.kind in "fc" and tensor.dtype != dtype:
                _convert(tensor, dtype)
        return self

    def half(self) -> Self:
        """``to(float16)``."""
        return self.to(np.float16)

    def float(self) -> Self:
        """``to(float32)``."""
        return self.to(np.float32)

    def double(self) -> Self:
        """``to(float64)``."""
        return self.to(np.float64)

    # ------------------------------------------------------------------ hooks

    def _own_hooks(self) -> Hooks:
        if self._hooks is None:
            self._hooks = Hooks()
        return self._hooks

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> Handle:
        """Call ``hook(module, args)`` before ``forward``; what it returns, unless None, replaces the arguments.

        With ``with_kwargs`` the call is ``hook(module, args, kwargs)``, and returns None or both.
        """
        return Hooks.add(self._own_hooks().before_forward, (hook, with_kwargs), prepend)

    def register_forward_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> Handle:
        """Call ``hook(module, args, output)`` after ``forward``; what it returns, unless None, replaces the output.

        With ``with_kwargs`` the call is ``hook(module, args, kwargs, output)``.
        """
        return Hooks.add(self._own_hooks().after_forward, (hook, with_kwargs), prepend)

    def register_full_backward_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> Handle:
        """Call ``hook(module, grad_output)`` before the module's backward pass; it may return other gradients.

        ``grad_output`` is a tuple of the gradients of the tensors that ``forward`` returned.
        """
        return Hooks.add(self._own_hooks().before_backward, hook, prepend)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> Handle:
        """Call ``hook(module, grad_input, grad_output)`` after the module's backward pass.

        ``grad_input`` is a tuple with one entry per positional argument, None for those without gradient;
        what the hook returns, unless None, replaces it. The module's tensors pass through copies on the way
        in and out while such a hook is registered.
        """
        return Hooks.add(self._own_hooks().after_backward, hook, prepend)

    # ------------------------------------------------------------------ state

    def state_dict(self, *, prefix: str = "") -> dict[str, Tensor]:
        """Parameters and persistent buffers by ``prefix`` and dotted path, detached, sharing memory."""
        return {
            prefix + _join(path, name): entry.detach()
            for path, module in self.named_modules(remove_duplicate=False)
            for kind in ("parameter", "buffer")
            for name, entry in module._of_kind(kind)
        }

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> IncompatibleKeys:
        """Copy tensors or arrays into the parameters and buffers of the same paths.

        Values are cast to the dtype of the parameter. Raises RuntimeError, before anything is changed, with
        all missing and unexpected keys (if ``strict``) and all entries that do not fit.
        """
        own = self.state_dict()
        missing = [key for key in own if key not in state_dict]
        unexpected = [key for key in state_dict if key not in own]
        arrays = {key: np.asarray(bare(state_dict[key])) for key in own if key in state_dict}
        misfits = [text for key, array in arrays.items() if (text := _misfit(key, array, own[key]))]
        complaints = {"missing": missing, "unexpected": unexpected} if strict else {}
        texts = [f"{what}: {', '.join(keys)}" for what, keys in {**complaints, "not fitting": misfits}.items() if keys]
        if texts:
            raise RuntimeError(f"this state does not fit {type(self).__name__}; {'; '.join(texts)}")
        for key, array in arrays.items():
            own[key][...] = array.astype(own[key].dtype, copy=False)
        return IncompatibleKeys(missing, unexpected)

    # ------------------------------------------------------------------ text

    def extra_repr(self) -> str:
        """What a subclass adds to its line in ``repr``."""
        return ""

    def __repr__(self) -> str:
        head, extra = type(self).__name__, self.extra_repr()
        parts = [f"({name}): {module!r}" for name, module in self._of_kind("module")]
        if not parts:
            return f"{head}({extra})"
        body = "\n".join([extra, *parts] if extra else parts).replace("\n", "\n  ")
        return f"{head}(\n  {body}\n)"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


_TYPES: dict[str, Any] = {"parameter": Parameter, "module": Module, "buffer": Tensor, "transient": Tensor}


def _checked(name: str, value: Any, kind: str) -> Any:
    """``value`` for a name registered under ``kind``; arrays become Tensors in buffers."""
    if kind in ("buffer", "transient") and isinstance(value, np.ndarray):
        return Tensor(value)
    wanted = _TYPES[kind]
    if value is not None and not isinstance(value, wanted):
        what = "buffer" if kind == "transient" else kind
        raise TypeError(f"'{name}' is a {what}: a {wanted.__name__} or None, not a {type(value).__name__}")
    return value


def _convert(tensor: Tensor, dtype: Any) -> None:
    grad, requires_grad = tensor.grad, tensor.requires_grad
    tensor.requires_grad = False
    tensor.grad = None
    tensor.data = tensor.numpy().astype(dtype)
    tensor.requires_grad = requires_grad
    if grad is not None:
        tensor.grad = grad.numpy().astype(dtype)


def _misfit(key: str, array: Any, own: Tensor) -> str:
    if array.shape != own.shape:
        return f"{key} of shape {array.shape}, not {own.shape}"
    if not np.can_cast(array.dtype, own.dtype, "same_kind"):
        return f"{key} of dtype {array.dtype}, not {own.dtype}"
    if not own.numpy().flags.writeable:
        return f"{key} (its parameter lies in read-only memory)"
    return ""
