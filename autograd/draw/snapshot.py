"""What is known of a recorded graph, read without touching it, as plain data for those who write pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograd.dispatch import bare
from autograd.draw.modules import Call, calls_behind, is_module, names_of_state
from autograd.graph import RELEASED, Leaf, Node
from autograd.memory import changes, owner, stamp_of
from autograd.outputs import Pick
from autograd.primitive import Primitive
from autograd.tensor import Tensor

__all__ = ["Box", "Call", "Edge", "Saved", "Snapshot", "place_state", "snapshot"]


@dataclass(slots=True)
class Saved:
    """A value that an operation keeps for its derivative rules."""

    name: str
    shape: tuple[int, ...]
    dtype: Any  # None for what is no array, such as an axis
    nbytes: int
    value: Any


@dataclass(slots=True)
class Box:
    """A leaf, a constant, an operation, or (made by folding) several of them in one.

    Attributes
    ----------
    id : "n0", "n1", …, inputs first; the same graph gives the same ids
    kind : "leaf", "constant", "operation", "result" or "fold"
    operation : the primitive's name; of a fold what it stands for; "" for leaves and constants
    label : the name of the tensor, or a parameter's path in its module; "" if there is none
    shape, dtype : tuples of them where there are several outputs
    value, grad : arrays, or None where they are not in memory
    released : whether what it had saved was released by a backward pass
    place : "file:line" of the code that recorded it, or ""
    scope : keys of the module calls that it lies in, outermost first
    order : its creation number, which falls with time; 0 for constants
    shares : the id of the first box that looks at the same memory, or ""
    changed : the operation and place of the last in-place change of its memory, or ""
    stale : whether a saved array was changed in place, so that a backward pass will be refused
    node : for replaying the graph; writers do not look at it
    count : how many operations it stands for
    times : how many alike, one after the other, it stands for
    module : path and class of the module call that is this operation alone, or what a summary sums up
    parameters : of a closed module, the number of its parameters' entries
    written : lines (role, text) about its value and gradient, where they are settled; None where they follow the arrays
    """

    id: str
    kind: str
    operation: str
    label: str
    shape: Any
    dtype: Any
    value: Any = None
    grad: Any = None
    saved: list[Saved] = field(default_factory=list)
    released: bool = False
    place: str = ""
    scope: tuple[int, ...] = ()
    order: int = 0
    shares: str = ""
    changed: str = ""
    stale: bool = False
    node: Node | None = None
    count: int = 1
    times: int = 1
    module: str = ""
    parameters: int = 0
    written: Sequence[tuple[str, str]] | None = None


@dataclass(slots=True)
class Edge:
    """An arrow along the computation, into the ``argument`` of an operation.

    ``loop`` marks the way from one of several alike to the next, once they are drawn as one.
    """

    source: str
    target: str
    argument: str = ""
    derivative: str = ""
    loop: bool = False


@dataclass
class Snapshot:
    """A graph as data: boxes with inputs first, edges, calls of modules by key, ids of the roots, and remarks.

    ``stands`` has for boxes that folding took away the id of the box that stands for them.
    """

    boxes: list[Box]
    edges: list[Edge]
    calls: dict[int, Call]
    roots: list[str]
    notes: list[str]
    stands: dict[str, str] = field(default_factory=dict)

    def standing(self, onto: Mapping[str, str]) -> dict[str, str]:
        """``stands`` once the boxes of ``onto`` have gone onto others."""
        return {**{gone: onto.get(box, box) for gone, box in self.stands.items()}, **onto}


def snapshot(roots: Sequence[Tensor], names: Mapping[str, Any] | None = None) -> Snapshot:
    """Read the graph behind ``roots``.

    Parameters
    ----------
    roots : sequence of Tensors
    names : mapping of str to Tensor, array or module, optional
        Labels; a module's label goes before the paths of its parameters.

    Raises
    ------
    TypeError
        For names of anything else.
    """
    nodes = inputs_first(root._node for root in roots if root._node is not None)
    modules, tensors = _sorted_names({} if names is None else names)
    calls, scopes = calls_behind(nodes, modules)
    state = names_of_state(calls.values(), modules)
    reader = _Reader(_facts(nodes, roots, tensors, state), {root._node for root in roots}, scopes)
    for node in nodes:
        reader.add(node)
    for root in roots:
        if root._node is None:
            reader.constant(root._data, ())
    boxes = reader.boxes
    place_state(boxes, reader.edges, calls)
    _note_memory(boxes)
    ids = [reader.ids[root._node if root._node is not None else id(root._data)] for root in roots]
    notes = []
    if any(box.released for box in boxes):
        notes.append("values released by backward(retain_graph=False)")
    return Snapshot(boxes, reader.edges, calls, ids, notes)


def inputs_first(roots: Iterable[Node]) -> list[Node]:
    """Every node behind ``roots`` once, after its inputs; always in the same order."""
    order: list[Node] = []
    seen: set[Node] = set()
    stack = [(root, False) for root in reversed(list(roots))]
    while stack:
        node, inputs_done = stack.pop()
        if inputs_done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((parent, False) for parent in reversed(node.parents) if parent is not None)
    return order


# ---------------------------------------------------------------------- what is known


@dataclass
class _Facts:
    """Values, gradients and labels of nodes, and labels of constants by the identity of their arrays."""

    values: dict[Node, Any] = field(default_factory=dict)
    grads: dict[Node, Any] = field(default_factory=dict)
    labels: dict[Node, str] = field(default_factory=dict)
    constants: dict[int, str] = field(default_factory=dict)

    def note(self, tensor: Tensor, label: str | None) -> None:
        """What a tensor tells about its node; a label that is there stays."""
        node = tensor._node
        if node is None:
            if label is not None:
                self.constants.setdefault(id(tensor._data), label)
            return
        self.values[node] = tensor._data
        if tensor.grad is not None:
            self.grads[node] = tensor.grad._data
        if label is not None:
            self.labels.setdefault(node, label)


def _sorted_names(names: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Those of modules, and those of tensors and arrays."""
    if not isinstance(names, Mapping):
        raise TypeError(f"names maps labels to tensors, arrays or modules; got {type(names).__name__}")
    modules, tensors = {}, {}
    for label, value in names.items():
        if is_module(value):
            modules[label] = value
        elif isinstance(bare(value), (np.ndarray, np.generic)):
            tensors[label] = value
        else:
            raise TypeError(f"names maps labels to tensors, arrays or modules; {label!r} is a {type(value).__name__}")
    return modules, tensors


def _facts(
    nodes: Sequence[Node], roots: Sequence[Tensor], names: Mapping[str, Any], state: Mapping[int, str]
) -> _Facts:
    facts = _Facts()
    for label, value in names.items():
        if isinstance(value, Tensor):
            facts.note(value, label)
        else:
            facts.constants[id(value)] = label
    for root in roots:
        facts.note(root, root.name)
    for key, path in state.items():
        facts.constants.setdefault(key, path)
    for node in nodes:
        if isinstance(node, Leaf):
            tensor = node.tensor()
            if tensor is not None:
                facts.note(tensor, tensor.name if tensor.name is not None else state.get(id(tensor)))
            continue
        output = saved_output(node)
        if output is not None and type(output) is not tuple:
            facts.values.setdefault(node, output)
        for parent, value in zip(node.parents, saved_inputs(node), strict=True):
            if parent is not None and value is not None:
                facts.values.setdefault(parent, value)
    _name_gradients(nodes, facts)
    return facts


def _name_gradients(nodes: Sequence[Node], facts: _Facts) -> None:
    """Nodes that are the gradient of a tensor in the graph, made with ``create_graph``, say so."""
    present = set(nodes)
    for node in nodes:
        tensor = node.tensor() if isinstance(node, Leaf) else None
        gradient = None if tensor is None or tensor.grad is None else tensor.grad._node
        if gradient in present:
            facts.labels.setdefault(gradient, f"gradient of {facts.labels.get(node, 'leaf')}")


def saved_inputs(node: Node) -> Sequence[Any]:
    """What a node has saved of each of its differentiable inputs; None for what it has not."""
    primitive, nothing = node.primitive, (None,) * len(node.parents)
    if node.saved is RELEASED or not isinstance(primitive, Primitive):
        return nothing
    if primitive.variadic:
        return nothing if node.saved[0] is None else node.saved[0]
    return [node.saved[i] for i in primitive.slots]


def saved_output(node: Node) -> Any:
    """What has been saved of a node's output, by itself or, of one of several, by the operation that made them."""
    primitive = node.primitive
    if isinstance(primitive, Pick):
        source = node.parents[0]
        several = saved_output(source) if source is not None else None
        return several[primitive.index] if type(several) is tuple else None
    return None if node.saved is RELEASED or not isinstance(primitive, Primitive) else node.saved[len(primitive.names)]


def all_saved(node: Node) -> list[Saved]:
    """Everything that a node keeps for its rules."""
    primitive, values = node.primitive, node.saved
    if values is RELEASED or not values:
        return []
    if isinstance(primitive, Primitive):
        labels = (*primitive.names, "out", *(f"{primitive.names[i]}_shape" for i in primitive.slots))
    elif hasattr(primitive, "tags"):  # a Function: a context, then what it was told to save
        labels = tuple(f"{kind} {i}" if kind != "value" else kind for kind, i in primitive.tags)
        values = values[1:]
    else:
        return []
    found = []
    for label, value in zip(labels, values, strict=False):
        if type(value) is tuple and any(isinstance(x, np.ndarray) for x in value):
            found += [_saved(f"{label}[{i}]", x) for i, x in enumerate(value) if x is not None]
        elif value is not None:
            found.append(_saved(label, value))
    return found


def _saved(name: str, value: Any) -> Saved:
    if isinstance(value, (np.ndarray, np.generic)):
        return Saved(name, value.shape, value.dtype, value.nbytes, value)
    return Saved(name, (), None, 0, value)


def argument_names(node: Node) -> list[str]:
    """The names of a node's differentiable arguments, one for each parent."""
    primitive, count = node.primitive, len(node.parents)
    if isinstance(primitive, Primitive):
        if primitive.variadic:
            return [f"{primitive.names[0]}[{i}]" for i in range(count)]
        return [primitive.names[i] for i in primitive.slots]
    if isinstance(primitive, Pick):
        return [""]
    code = getattr(getattr(getattr(primitive, "function", None), "forward", None), "__code__", None)
    known = code.co_varnames[1 : code.co_argcount] if code is not None else ()
    return [known[i] if i < len(known) else f"argument {i}" for i in range(count)]


# ---------------------------------------------------------------------- boxes and edges


class _Reader:
    """Boxes with the ids n0, n1, … and the edges between them."""

    def __init__(self, facts: _Facts, roots: set[Node | None], scopes: Mapping[Node, tuple[int, ...]]) -> None:
        self.boxes: list[Box] = []
        self.edges: list[Edge] = []
        self.ids: dict[Any, str] = {}  # of nodes, and of constants by the identity of their arrays
        self._facts = facts
        self._roots = roots
        self._scopes = scopes

    def add(self, node: Node) -> None:
        """The box of a node, those of the constants that it has saved, and the edges to it."""
        scope = self._scopes.get(node, ())
        inputs = []
        for parent, value, argument in zip(node.parents, saved_inputs(node), argument_names(node), strict=True):
            if parent is not None:
                inputs.append((self.ids[parent], argument))
            elif isinstance(value, (np.ndarray, np.number, int, float, complex)):
                inputs.append((self.constant(value, scope), argument))
        leaf = isinstance(node, Leaf)
        box = self._box(
            kind="result" if node in self._roots else "leaf" if leaf else "operation",
            operation="" if leaf else _operation(node),
            label=self._facts.labels.get(node, ""),
            shape=node.shape,
            dtype=node.dtype,
            value=self._facts.values.get(node),
        )
        box.grad = self._facts.grads.get(node)
        box.saved = all_saved(node)
        box.released = node.saved is RELEASED
        box.place = getattr(node, "place", "")
        box.scope = scope
        box.order = node.order
        box.node = node
        self.ids[node] = box.id
        self.edges += [Edge(source, box.id, argument) for source, argument in inputs]

    def constant(self, value: Any, scope: tuple[int, ...]) -> str:
        """The box of a value without gradient; one box for one array."""
        if id(value) in self.ids and isinstance(value, np.ndarray):
            return self.ids[id(value)]
        array = np.asarray(value)
        box = self._box("constant", "", self._facts.constants.get(id(value), ""), array.shape, array.dtype, array)
        box.scope = scope
        self.ids[id(value)] = box.id
        return box.id

    def _box(self, kind: str, operation: str, label: str, shape: Any, dtype: Any, value: Any) -> Box:
        box = Box(f"n{len(self.boxes)}", kind, operation, label, shape, dtype, value)
        self.boxes.append(box)
        return box


def _operation(node: Node) -> str:
    primitive = node.primitive
    return f"{primitive.name} {primitive.index}" if isinstance(primitive, Pick) else primitive.name


def place_state(boxes: Sequence[Box], edges: Sequence[Edge], calls: Mapping[int, Call]) -> None:
    """Parameters lie in the innermost call that owns them and all their uses in such calls; data outside all.

    Constants without a name lie where they are used.
    """
    within: dict[str, tuple[int, ...]] = {}
    known = {box.id: box for box in boxes}
    for edge in edges:
        source, scope = known[edge.source], known[edge.target].scope
        if source.operation:
            continue
        if source.kind != "constant" or source.label:
            identity = id(source.node.tensor() if isinstance(source.node, Leaf) else source.value)
            while scope and identity not in calls[scope[-1]].state:
                scope = scope[:-1]
            if not scope:
                continue
        within[source.id] = common(within.get(source.id, scope), scope)
    for box in boxes:
        if not box.operation:
            box.scope = within.get(box.id, ())


def common(first: tuple[int, ...], second: tuple[int, ...]) -> tuple[int, ...]:
    """The beginning that two scopes share."""
    shared = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        shared += 1
    return first[:shared]


def _note_memory(boxes: Sequence[Box]) -> None:
    """Which boxes look at the same memory, and what was changed in place."""
    first: dict[int, str] = {}
    latest = changes.latest
    for box in boxes:
        if isinstance(box.value, np.ndarray):
            memory = id(owner(box.value))
            shared = first.setdefault(memory, box.id)
            box.shares = shared if shared != box.id else ""
            stamp = stamp_of(box.value)
            if stamp is not None:
                box.changed = f"'{stamp.operation}' at {stamp.place}"
        if box.node is not None and box.order > latest:
            stamps = [stamp_of(kept.value) for kept in box.saved if isinstance(kept.value, np.ndarray)]
            box.stale = any(stamp is not None and stamp.time < box.order for stamp in stamps)
