"""``Sequential``: modules called one after another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, overload

from nn.module import Module

__all__ = ["Sequential"]


class Sequential(Module):
    """Modules in a row, each given the output of the one before.

    Takes modules, which get the names "0", "1", …, or one dict of named modules. An int index gives a
    module, a slice a new ``Sequential`` of the same modules. Raises TypeError for what is no module.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__()
        self._fill(args[0].items() if len(args) == 1 and isinstance(args[0], dict) else enumerate(args))

    def _fill(self, named: Iterable[tuple[Any, Module]]) -> None:
        for name, module in named:
            self.add_module(str(name), module)

    def forward(self, input: Any) -> Any:
        for _, module in self._of_kind("module"):
            input = module(input)
        return input

    def _names(self) -> list[str]:
        return [name for name, _ in self._of_kind("module")]

    def _name_at(self, index: int) -> str:
        names = self._names()
        if not -len(names) <= index < len(names):
            raise IndexError(f"index {index} of a Sequential of {len(names)} modules")
        return names[index]

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> Sequential: ...
    def __getitem__(self, index: int | slice) -> Module:
        if isinstance(index, slice):
            return Sequential(dict(list(self._of_kind("module"))[index]))
        return getattr(self, self._name_at(index))

    def __setitem__(self, index: int, module: Module) -> None:
        self.register_module(self._name_at(index), module)

    def __delitem__(self, index: int | slice) -> None:
        modules = list(self)
        del modules[index if isinstance(index, slice) else self._names().index(self._name_at(index))]
        self._replace(modules)

    def _replace(self, modules: list[Module]) -> None:
        for name in self._names():
            delattr(self, name)
        self._fill(enumerate(modules))

    def __len__(self) -> int:
        return len(self._names())

    def __iter__(self) -> Iterator[Module]:
        return (module for _, module in self._of_kind("module"))

    def append(self, module: Module) -> Sequential:
        """Add a module at the end; returns the container."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Sequential:
        """Add modules at the end; returns the container."""
        for module in modules:
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> Sequential:
        """Add a module before ``index`` and number all anew; returns the container."""
        modules = list(self)
        modules.insert(index, module)
        self._replace(modules)
        return self

    def pop(self, index: int = -1) -> Module:
        """Remove a module, number the rest anew, and return it."""
        module = self[index]
        del self[index]
        return module
