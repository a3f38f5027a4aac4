"""The calls of modules that recorded a graph, found from the marks that they left on its nodes.

A module is anything with ``named_modules()`` and ``named_parameters()``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from autograd.dispatch import bare
from autograd.graph import Node, Scope

__all__ = ["SEVERAL", "Call", "calls_behind", "is_module", "names_of_state"]

SEVERAL = "…"  # in the path of several alike: layers.0…11


@dataclass
class Call:
    """A call of a module: the nodes that it recorded are drawn together.

    Attributes
    ----------
    key : its creation number, which falls with time
    path : of the module within the outermost one; "" for the outermost
    kind : the class's name
    parent : the key of the call that it lies in, or None
    output_shapes : of the outputs that are in the graph
    parameters : number of the module's parameters' entries
    owner : the module
    state : identities of the module's parameters, and of its buffers' arrays
    times : how many alike, one after the other, it stands for once they are drawn as one
    """

    key: int
    path: str
    kind: str
    parent: int | None
    output_shapes: list[tuple[int, ...]]
    parameters: int
    owner: Any = None
    state: frozenset[int] = frozenset()
    times: int = 1


@dataclass
class _Marks:
    """The nodes that one call has marked as its outputs."""

    owner: Any
    began: int
    outputs: list[Node] = field(default_factory=list)


def is_module(value: Any) -> bool:
    """Whether ``value`` tells of parameters and modules within."""
    return all(callable(getattr(value, name, None)) for name in ("named_modules", "named_parameters"))


def calls_behind(
    nodes: Sequence[Node], names: Mapping[str, Any]
) -> tuple[dict[int, Call], dict[Node, tuple[int, ...]]]:
    """The calls that recorded ``nodes`` (outermost first), and for each node the keys of those that it lies in."""
    present = set(nodes)
    parents: dict[int, int | None] = {}
    chains: dict[int | None, tuple[int, ...]] = {None: ()}
    innermost: dict[Node, int] = {}
    marks = sorted(_marks(nodes).values(), key=lambda mark: -mark.began)
    for mark in marks:
        key = mark.began
        around = [chains[innermost.get(node)] for node in mark.outputs]
        parents[key] = _shared(around)
        chains[key] = (*chains[parents[key]], key)
        stack = list(mark.outputs)
        while stack:
            node = stack.pop()
            if node in present and node.order < key and innermost.get(node) != key:
                innermost[node] = key
                stack.extend(parent for parent in node.parents if parent is not None)
    outermost = [mark.owner for mark in marks if parents[mark.began] is None]
    paths = _paths(outermost, names)
    counted: dict[int, tuple[int, frozenset[int]]] = {}
    calls = {}
    for mark in marks:
        owner = mark.owner
        if id(owner) not in counted:
            counted[id(owner)] = _counted(owner)
        number, state = counted[id(owner)]
        shapes = [node.shape for node in mark.outputs] if is_module(owner) else []
        path = paths.get(id(owner), "")
        calls[mark.began] = Call(mark.began, path, _kind(owner), parents[mark.began], shapes, number, owner, state)
    return calls, {node: chains[key] for node, key in innermost.items()}


def _marks(nodes: Sequence[Node]) -> dict[int, _Marks]:
    marks: dict[int, _Marks] = {}
    for node in nodes:
        for scope in Scope.of(node):
            marks.setdefault(scope.began, _Marks(scope.owner, scope.began)).outputs.append(node)
    return marks


def _shared(chains: Sequence[tuple[int, ...]]) -> int | None:
    """The innermost call that all chains of calls pass through."""
    innermost = None
    for level in zip(*chains, strict=False):
        if len(set(level)) > 1:
            break
        innermost = level[0]
    return innermost


def _kind(owner: Any) -> str:
    return owner if isinstance(owner, str) else type(owner).__name__


def _prefixes(owners: Iterable[Any], names: Mapping[str, Any]) -> dict[int, tuple[Any, str]]:
    """Outermost modules with what goes before the paths within: nothing where only one has parameters."""
    found = {id(module): (module, label) for label, module in names.items()}
    others = {id(owner): owner for owner in owners if is_module(owner) and id(owner) not in found}
    with_parameters = [owner for owner in others.values() if any(True for _ in owner.named_parameters())]
    alone = len(with_parameters) + len(found) <= 1
    taken: dict[str, int] = {}
    for key, owner in others.items():
        kind = type(owner).__name__
        number = taken[kind] = taken.get(kind, 0) + 1
        prefix = "" if alone else kind if number == 1 else f"{kind}#{number}"
        found[key] = (owner, prefix)
    return found


def _paths(owners: Sequence[Any], names: Mapping[str, Any]) -> dict[int, str]:
    paths: dict[int, str] = {}
    for module, prefix in _prefixes(owners, names).values():
        for path, inner in module.named_modules():
            paths.setdefault(id(inner), ".".join(filter(None, (prefix, path))))
    return paths


def names_of_state(calls: Iterable[Call], names: Mapping[str, Any]) -> dict[int, str]:
    """Paths of parameters by their identity, and of buffers by the identity of their arrays."""
    found: dict[int, str] = {}
    owners = [call.owner for call in calls if call.parent is None]
    for module, prefix in _prefixes(owners, names).values():
        for path, parameter in module.named_parameters():
            found.setdefault(id(parameter), ".".join(filter(None, (prefix, path))))
        for path, buffer in _buffers(module):
            found.setdefault(id(bare(buffer)), ".".join(filter(None, (prefix, path))))
    return found


def _counted(owner: Any) -> tuple[int, frozenset[int]]:
    if not is_module(owner):
        return 0, frozenset()
    parameters = [parameter for _, parameter in owner.named_parameters()]
    buffers = [bare(buffer) for _, buffer in _buffers(owner)]
    return sum(p.size for p in parameters), frozenset([*map(id, parameters), *map(id, buffers)])


def _buffers(module: Any) -> Iterable[tuple[str, Any]]:
    return module.named_buffers() if callable(getattr(module, "named_buffers", None)) else ()
