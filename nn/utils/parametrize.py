"""Parameters computed from others: ``layer.weight`` becomes a function of what is trained in its place.

The state has PyTorch's keys: what is trained is ``parametrizations.weight.original``, or ``original0``,
``original1``, … where a parametrisation takes several tensors.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import Tensor, no_grad
from autograd.dispatch import bare
from nn.container import ModuleDict, ModuleList
from nn.module import Module
from nn.parameter import Parameter

__all__ = ["ParametrizationList", "is_parametrized", "register_parametrization", "remove_parametrizations"]


class ParametrizationList(ModuleList):
    """The parametrisations of one tensor, applied one after the other, and the tensors that they start from."""

    def __init__(self, parametrization: Module, value: Tensor) -> None:
        super().__init__([parametrization])
        parts = _inverse(parametrization, value)
        self.count = len(parts) if isinstance(parts, tuple) else 0
        kept = zip(self.names(), parts if isinstance(parts, tuple) else (parts,), strict=True)
        for name, part in kept:
            if isinstance(value, Parameter):
                self.register_parameter(name, Parameter(part, value.requires_grad))
            else:
                self.register_buffer(name, np.array(bare(part)))

    def names(self) -> list[str]:
        """Names of the tensors that the first parametrisation takes."""
        return [f"original{i}" for i in range(self.count)] if self.count else ["original"]

    def forward(self) -> Any:
        first, *others = self
        value = first(*(getattr(self, name) for name in self.names()))
        for parametrization in others:
            value = parametrization(value)
        return value

    def assign(self, value: Any) -> None:
        """Make ``value`` the tensor's value, through the inverses; raises RuntimeError where one is missing."""
        for parametrization in reversed(list(self)):
            value = _inverse(parametrization, value, required=True)
        parts = value if isinstance(value, tuple) else (value,)
        for name, part in zip(self.names(), parts, strict=True):
            original = getattr(self, name)
            original.data = np.array(bare(part), original.dtype)


def _inverse(parametrization: Any, value: Any, required: bool = False) -> Any:
    """What the parametrisation takes ``value`` from: ``value`` itself where it does not say."""
    if not hasattr(parametrization, "right_inverse"):
        if required:
            raise RuntimeError(f"{type(parametrization).__name__} has no right_inverse, so its result cannot be set")
        return value
    with no_grad():
        return parametrization.right_inverse(value)


class _Parametrized:
    """What a module's class is mixed with while it has parametrisations."""

    parametrizations: ModuleDict

    def __getattr__(self, name: str) -> Any:
        lists = self.__dict__.get("parametrizations", ())
        if name in lists:
            return lists[name]()
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        lists = self.__dict__.get("parametrizations", ())
        if name in lists:
            lists[name].assign(value)
        else:
            super().__setattr__(name, value)

    def __reduce__(self) -> Any:
        return _restored, (type(self).__bases__[1],), self.__dict__


def _parametrized(kind: type) -> type:
    return type(f"Parametrized{kind.__name__}", (_Parametrized, kind), {})


def _restored(kind: type) -> Any:
    return object.__new__(_parametrized(kind))


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Compute ``module.<tensor_name>`` by ``parametrization`` from now on, anew at every use; returns ``module``.

    Where the parametrisation has a ``right_inverse``, what is trained starts from that of the present value, else
    from the value. A further parametrisation of the same tensor takes the result of those before it. Raises
    ValueError for a name that is no parameter or buffer, and unless ``unsafe`` where shape or dtype would change.
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        value = getattr(module, tensor_name)
        if not unsafe:
            _check_kept(tensor_name, value, parametrization(value))
        _lists(module)[tensor_name].append(parametrization)
        return module
    if module._kinds.get(tensor_name) not in ("parameter", "buffer", "transient"):
        raise ValueError(f"{type(module).__name__} has no parameter or buffer '{tensor_name}'")
    value = getattr(module, tensor_name)
    entry = ParametrizationList(parametrization, value)
    entry.train(module.training)
    if not unsafe:
        with no_grad():
            _check_kept(tensor_name, value, entry())
    delattr(module, tensor_name)
    if not is_parametrized(module):
        object.__setattr__(module, "__class__", _parametrized(type(module)))
        module.register_module("parametrizations", ModuleDict())
    _lists(module)[tensor_name] = entry
    return module


def _lists(module: Any) -> ModuleDict:
    return module.parametrizations


def _check_kept(name: str, value: Any, computed: Any) -> None:
    if computed.shape != value.shape or computed.dtype != value.dtype:
        raise ValueError(
            f"this parametrization makes '{name}' of shape {value.shape} and dtype {value.dtype} one of "
            f"{computed.shape} and {computed.dtype}; pass unsafe=True if that is meant"
        )


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether this tensor of the module is parametrised, or any if no name is given."""
    if not isinstance(module, _Parametrized):
        return False
    return tensor_name is None or tensor_name in _lists(module)


def remove_parametrizations(module: Module, tensor_name: str, leave_parametrized: bool = True) -> Module:
    """Make ``module.<tensor_name>`` a parameter or buffer of its own again; returns ``module``.

    It keeps its present value, or with ``leave_parametrized=False`` takes the value that was trained. Raises
    ValueError where it is not parametrised, and for ``leave_parametrized=False`` of several trained tensors.
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"'{tensor_name}' of {type(module).__name__} is not parametrized")
    lists = _lists(module)
    entry = lists[tensor_name]
    if not leave_parametrized and entry.count:
        raise ValueError(f"'{tensor_name}' comes from {entry.count} tensors; only leave_parametrized=True works")
    original = getattr(entry, entry.names()[0])
    with no_grad():
        value = np.array(bare(entry() if leave_parametrized else original))
    del lists[tensor_name]
    if not len(lists):
        delattr(module, "parametrizations")
        object.__setattr__(module, "__class__", type(module).__bases__[1])
    if isinstance(original, Parameter):
        module.register_parameter(tensor_name, Parameter(value, original.requires_grad))
    else:
        module.register_buffer(tensor_name, value)
    return module
