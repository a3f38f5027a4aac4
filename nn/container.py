"""Containers: modules and parameters in lists and dicts, and modules called one after another."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from typing import Any, Self

from nn.module import Module
from nn.parameter import Parameter

__all__ = ["ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"]


class _Container(Module):
    """Items of one kind under their names."""

    _kind = "module"

    def _items(self) -> dict[str, Any]:
        return dict(self._of_kind(self._kind))

    def _put(self, name: str, item: Any) -> None:
        self._register(name, item, self._kind)

    def __len__(self) -> int:
        return len(self._items())


# ---------------------------------------------------------------------- lists


class _Listed(_Container):
    """Items named "0", "1", … that behave like a list."""

    def __init__(self, items: Iterable[Any] = ()) -> None:
        super().__init__()
        self.extend(items)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items().values())

    def _name_at(self, index: int) -> str:
        names = list(self._items())
        if not -len(names) <= index < len(names):
            raise IndexError(f"index {index} of a {type(self).__name__} of {len(names)}")
        return names[index]

    def __getitem__(self, index: int | slice) -> Any:
        return type(self)(list(self)[index]) if isinstance(index, slice) else getattr(self, self._name_at(index))

    def __setitem__(self, index: int, item: Any) -> None:
        self._put(self._name_at(index), item)

    def __delitem__(self, index: int | slice) -> None:
        items = list(self)
        if not isinstance(index, slice):
            self._name_at(index)
        del items[index]
        self._renew(items)

    def _renew(self, items: list[Any]) -> None:
        for name in self._items():
            delattr(self, name)
        self.extend(items)

    def __add__(self, other: Iterable[Any]) -> Self:
        return type(self)([*self, *other])

    def append(self, item: Any) -> Self:
        """Add an item at the end; returns the container."""
        self._put(str(len(self)), item)
        return self

    def extend(self, items: Iterable[Any]) -> Self:
        """Add items at the end; returns the container."""
        for item in items:
            self.append(item)
        return self

    def insert(self, index: int, item: Any) -> Self:
        """Add an item before ``index`` and number all anew; returns the container."""
        items = list(self)
        items.insert(index, item)
        self._renew(items)
        return self

    def pop(self, index: int = -1) -> Any:
        """Remove an item, number the rest anew, and return it."""
        item = self[index]
        del self[index]
        return item


class ModuleList(_Listed):
    """A list of modules, which are registered; it has no ``forward``.

    Raises IndexError as a list does, TypeError for what is no module.
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__(() if modules is None else modules)


class ParameterList(_Listed):
    """A list of parameters, which are registered; arrays and tensors become parameters.

    Raises IndexError as a list does, TypeError for what is neither float nor complex.
    """

    _kind = "parameter"

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__(() if values is None else values)

    def _put(self, name: str, item: Any) -> None:
        super()._put(name, item if isinstance(item, Parameter) else Parameter(item))

    def extra_repr(self) -> str:
        return _described(self._items())


class Sequential(_Listed):
    """Modules in a row, each given the output of the one before.

    Takes modules, which get the names "0", "1", …, or one dict of named modules. An int index gives a
    module, a slice a new ``Sequential`` of the same modules under their names. Raises TypeError for what is
    no module.
    """

    def __init__(self, *args: Any) -> None:
        named = args[0] if len(args) == 1 and isinstance(args[0], Mapping) else None
        super().__init__(args if named is None else ())
        for name, module in (named or {}).items():
            self._put(name, module)

    def forward(self, input: Any) -> Any:
        for _, module in self._of_kind("module"):
            input = module(input)
        return input

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(dict(list(self._items().items())[index]))
        return super().__getitem__(index)

    def __add__(self, other: Iterable[Any]) -> Self:
        return type(self)(*self, *other)


# ---------------------------------------------------------------------- dicts


class _Keyed(_Container):
    """Items that behave like a dict."""

    def __init__(self, items: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None) -> None:
        super().__init__()
        self.update(() if items is None else items)

    def __getitem__(self, key: str) -> Any:
        return self._items()[key]

    def __setitem__(self, key: str, item: Any) -> None:
        self._put(key, item)

    def __delitem__(self, key: str) -> None:
        self._items()[key]
        delattr(self, key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._items())

    def __contains__(self, key: str) -> bool:
        return key in self._items()

    def keys(self) -> KeysView[str]:
        """Names in the order they were added."""
        return self._items().keys()

    def values(self) -> ValuesView[Any]:
        """Items in the order they were added."""
        return self._items().values()

    def items(self) -> ItemsView[str, Any]:
        """Pairs of name and item in the order they were added."""
        return self._items().items()

    def update(self, items: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> None:
        """Add or replace several items."""
        for key, item in dict(items).items():
            self[key] = item

    def pop(self, key: str) -> Any:
        """Remove an item and return it; raises KeyError where there is none."""
        item = self[key]
        del self[key]
        return item

    def clear(self) -> None:
        """Remove all items."""
        for key in self._items():
            delattr(self, key)


class ModuleDict(_Keyed):
    """A dict of modules, which are registered; it has no ``forward``.

    Raises KeyError for names that are taken by methods, TypeError for what is no module.
    """


class ParameterDict(_Keyed):
    """A dict of parameters, which are registered; arrays and tensors become parameters.

    Those of a plain dict are added in the order of their names, as in PyTorch; pairs keep theirs. Raises KeyError for
    names that are taken by methods, TypeError for what is neither float nor complex.
    """

    _kind = "parameter"

    def _put(self, name: str, item: Any) -> None:
        super()._put(name, item if isinstance(item, Parameter) else Parameter(item))

    def update(self, items: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> None:
        """Add or replace several items."""
        super().update(sorted(items.items()) if type(items) is dict else items)

    def extra_repr(self) -> str:
        return _described(self._items())


def _described(parameters: dict[str, Any]) -> str:
    """One line per parameter."""
    lines = [f"({name}): Parameter of shape {p.shape}, {p.dtype}" for name, p in parameters.items()]
    return "\n  ".join(["", *lines]) + "\n" if lines else ""
