"""Tensors that a function is closed over: found by running it once, named, and given other values.

A leaf in the graph of the outputs that is no input is a parameter. Its values are exchanged inside the
tensor itself, so the function needs no change; a dual number cannot stand in a tensor's place, so for forward
mode the tensor is exchanged where it is held: as an attribute of a module, in a closure or as a global.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

from autograd.dispatch import bare
from autograd.dual import Dual
from autograd.graph import Leaf, Node
from autograd.tensor import Tensor
from autograd.tree import flatten

__all__ = ["Parameters", "modules_in"]


class Place(NamedTuple):
    """Where a tensor is held: a container and a key in it, or a closure's cell; and what it is called there."""

    holder: Any
    key: Any
    name: str

    def put(self, value: Any) -> None:
        if isinstance(self.holder, (dict, list)):
            self.holder[self.key] = value
        else:
            self.holder.cell_contents = value


class Parameters:
    """The leaf tensors that gradients of ``outputs`` reach, without ``inputs``.

    Attributes
    ----------
    tensors, names : in the order of their names in modules, others after them in order of creation
    places : for each tensor, where it is held, as far as that is known
    """

    def __init__(self, f: Callable[..., Any], outputs: Sequence[Any], inputs: Sequence[Tensor]) -> None:
        known = {id(x) for x in inputs}
        leaves = [t for t in leaf_tensors(outputs) if id(t) not in known]
        names: dict[int, str] = {}
        for module in modules_in(f):
            for name, tensor in module.named_parameters():
                names.setdefault(id(tensor), name)
        held = list(held_in(f))
        for place, value in held:
            if isinstance(value, Tensor):
                names.setdefault(id(value), value.name or place.name)
        order = {key: k for k, key in enumerate(names)}
        self.tensors = sorted(leaves, key=lambda t: order.get(id(t), len(order)))
        self.names = [names.get(id(t)) or t.name or f"number {k}" for k, t in enumerate(self.tensors)]
        self.places: list[list[Place]] = [[p for p, value in held if value is t] for t in self.tensors]

    @contextmanager
    def set_to(self, values: Sequence[Any]) -> Iterator[None]:
        """The tensors with other values and graphs, within."""
        before = [(t._data, t._node, t._family) for t in self.tensors]
        moved = []
        try:
            for tensor, value, places in zip(self.tensors, values, self.places, strict=True):
                if isinstance(value, Dual):
                    moved += [(place, tensor) for place in places]
                    for place in places:
                        place.put(value)
                else:
                    tensor._data, tensor._node, tensor._family = bare(value), getattr(value, "_node", None), None
            yield
        finally:
            for place, tensor in moved:
                place.put(tensor)
            for tensor, parts in zip(self.tensors, before, strict=True):
                tensor._data, tensor._node, tensor._family = parts


def leaf_tensors(outputs: Sequence[Any]) -> list[Tensor]:
    """The tensors at the leaves of the recorded graph of ``outputs``, in order of creation."""
    pending: list[Node | None] = [y._node for y in outputs if isinstance(y, Tensor)]
    seen: set[int] = set()
    leaves: list[Leaf] = []
    while pending:
        node = pending.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        pending.extend(node.parents)
        if isinstance(node, Leaf):
            leaves.append(node)
    tensors = [leaf.tensor() for leaf in sorted(leaves, key=lambda leaf: -leaf.order)]
    return [t for t in tensors if t is not None]


# ---------------------------------------------------------------------- what a function can see


def is_module(value: Any) -> bool:
    """Whether a value walks and talks like a module of ``nn``."""
    return not isinstance(value, type) and hasattr(value, "named_parameters") and hasattr(value, "named_modules")


def modules_in(f: Callable[..., Any]) -> list[Any]:
    """The modules that ``f`` is, is a method of, or refers to."""
    return [value for value in reachable(f) if is_module(value)]


def held_in(f: Callable[..., Any]) -> Iterator[tuple[Place, Any]]:
    """What ``f`` refers to by a name, and what its modules hold, with the places that can be written to."""
    for value in reachable(f):
        if is_module(value):
            for _, module in value.named_modules():
                yield from ((Place(vars(module), name, name), item) for name, item in vars(module).items())
        elif hasattr(value, "__code__"):
            for place, item in references(value):
                yield place, item
                if isinstance(item, (list, dict)):
                    keys = item.keys() if isinstance(item, dict) else range(len(item))
                    yield from ((Place(item, key, f"{place.name}[{key!r}]"), item[key]) for key in keys)
        elif hasattr(value, "__dict__"):
            yield from ((Place(vars(value), name, name), item) for name, item in vars(value).items())


def references(function: Any) -> Iterator[tuple[Place, Any]]:
    """The variables of enclosing scopes, and the globals, that a Python function names."""
    code = function.__code__
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield Place(cell, None, name), cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    space = function.__globals__
    yield from ((Place(space, name, name), space[name]) for name in code.co_names if name in space)


def reachable(f: Callable[..., Any]) -> Iterator[Any]:
    """``f`` and the functions, modules and objects it calls upon, each once."""
    pending: list[Any] = [f]
    seen: dict[int, Any] = {}
    objects = {id(f)}  # f itself and what its methods belong to, whose attributes are looked through
    while pending:
        value = pending.pop(0)
        if id(value) in seen:
            continue
        seen[id(value)] = value
        yield value
        if is_module(value):
            continue
        if isinstance(value, partial):
            pending += flatten([value.func, list(value.args), value.keywords])[0]
        elif hasattr(value, "__self__") and hasattr(value, "__func__"):
            objects.add(id(value.__self__))
            pending += [value.__self__, value.__func__]
        elif hasattr(value, "__code__"):
            pending += [item for _, held in references(value) for item in flatten(held)[0] if _is_own(item, value)]
        elif id(value) in objects and hasattr(value, "__dict__"):
            pending += [type(value).__call__] if callable(value) else []
            pending += flatten(list(vars(value).values()))[0]


def _is_own(item: Any, function: Any) -> bool:
    """Whether to look further into what ``function`` refers to: into modules, and what is of the same file."""
    if hasattr(item, "__code__"):
        return item.__globals__ is function.__globals__
    return is_module(item) or isinstance(item, partial) or hasattr(item, "__func__")
