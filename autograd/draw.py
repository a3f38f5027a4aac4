"""Computation graphs as pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

import numpy as np

from autograd.dispatch import bare
from autograd.graph import RELEASED, Leaf, Node
from autograd.outputs import Pick
from autograd.tensor import Tensor

__all__ = ["draw"]

SIDEWAYS = 40  # boxes up to which the picture runs from left to right


def draw(t: Any, names: Mapping[str, Any] | None = None, *, max_size: int = 6, rankdir: str | None = None) -> Any:
    """The recorded graph behind one or several tensors, as a picture.

    Parameters
    ----------
    t : Tensor, or list, tuple or dict of Tensors
    names : mapping of str to Tensor or array, optional
        Labels for tensors and arrays in the graph, such as ``dict(model.named_parameters())``; values and gradients
        of these tensors are shown too. Leaves that have a ``name`` are labelled by themselves.
    max_size : int
        The largest number of entries that are written out.
    rankdir : {"LR", "TB", "RL", "BT"}, optional
        Direction of the computation; left to right for small graphs, else top to bottom.

    Returns
    -------
    graphviz.Digraph
        ``save("x.svg")`` (or .png, .pdf, .gv, …) writes it, a notebook shows it, and ``source`` is its DOT text, for
        which no ``dot`` program is needed. The same graph gives the same text.

    Raises
    ------
    TypeError
        For anything but tensors.

    Notes
    -----
    Boxes are operations and leaves; arrows run with the computation. Values are those in memory: of leaves, of ``t``
    and ``names``, and what derivative rules have saved; a constant is shown where a rule has saved it. Drawing only
    reads: the graph and its tensors stay as they are.
    """
    from autograd.picture import Picture  # the graphviz package is loaded by those who draw

    roots = _tensors(t)
    nodes = _inputs_first(root._node for root in roots if root._node is not None)
    drawing = _Drawing(_facts(nodes, roots, names or {}), {root._node for root in roots}, max_size)
    for node in nodes:
        drawing.add(node)
    for root in roots:
        if root._node is None:
            drawing.constant(root._data)
    direction = rankdir or ("LR" if drawing.boxes <= SIDEWAYS else "TB")
    released = any(node.saved is RELEASED for node in nodes)
    return Picture(drawing.lines, direction, "values released by backward(retain_graph=False)" if released else "")


def _tensors(t: Any) -> list[Tensor]:
    listed = [t] if isinstance(t, Tensor) else list(t.values()) if isinstance(t, Mapping) else t
    if not isinstance(listed, (list, tuple)) or not listed or not all(isinstance(x, Tensor) for x in listed):
        raise TypeError(f"draw() takes the Tensor whose graph you want to see, or several; got {type(t).__name__}")
    return list(listed)


def _inputs_first(roots: Iterable[Node]) -> list[Node]:
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


class _Facts(NamedTuple):
    """Values, gradients and labels of nodes, and labels of constants by the identity of their arrays."""

    values: dict[Node, Any]
    grads: dict[Node, Any]
    labels: dict[Node, str]
    constants: dict[int, str]

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


def _facts(nodes: Sequence[Node], roots: Sequence[Tensor], names: Mapping[str, Any]) -> _Facts:
    facts = _Facts({}, {}, {}, {})
    for label, value in names.items():
        array = bare(value)
        if not isinstance(array, (np.ndarray, np.generic)):
            raise TypeError(f"names maps labels to tensors or arrays; '{label}' is a {type(value).__name__}")
        if isinstance(value, Tensor):
            facts.note(value, label)
        else:
            facts.constants[id(array)] = label
    for root in roots:
        facts.note(root, root.name)
    for node in nodes:
        if isinstance(node, Leaf):
            tensor = node.tensor()
            if tensor is not None:
                facts.note(tensor, tensor.name)
            continue
        output = _saved_output(node)
        if output is not None:
            facts.values.setdefault(node, output)
        for parent, value in zip(node.parents, _saved_inputs(node), strict=True):
            if parent is not None and value is not None:
                facts.values.setdefault(parent, value)
    return facts


def _saved_inputs(node: Node) -> Sequence[Any]:
    """What a node has saved of each of its differentiable inputs; None for what it has not."""
    primitive, nothing = node.primitive, (None,) * len(node.parents)
    if node.saved is RELEASED or not getattr(primitive, "names", ()):
        return nothing
    if primitive.variadic:
        return nothing if node.saved[0] is None else node.saved[0]
    return [node.saved[i] for i in primitive.slots]


def _saved_output(node: Node) -> Any:
    names = getattr(node.primitive, "names", ())
    return None if node.saved is RELEASED or not names else node.saved[len(names)]


# ---------------------------------------------------------------------- boxes and arrows

FILL_AND_BORDER = {
    "leaf": ("#dbeafe", "#2563eb"),
    "constant": ("#f1f5f9", "#94a3b8"),
    "operation": ("#ffffff", "#64748b"),
    "result": ("#dcfce7", "#16a34a"),
}


class _Drawing:
    """DOT statements: boxes with the names n0, n1, … and the arrows between them."""

    def __init__(self, facts: _Facts, roots: set[Node | None], max_size: int) -> None:
        self.lines: list[str] = []
        self.boxes = 0
        self._facts = facts
        self._roots = roots
        self._max_size = max_size
        self._names: dict[Any, str] = {}  # of nodes, and of constants by the identity of their arrays

    def add(self, node: Node) -> None:
        """The box of a node, those of the constants that it has saved, and the arrows to it."""
        inputs = []
        for parent, value in zip(node.parents, _saved_inputs(node), strict=True):
            if parent is not None:
                inputs.append(self._names[parent])
            elif isinstance(value, (np.ndarray, np.number, int, float, complex)):
                inputs.append(self.constant(value))
        kind = "result" if node in self._roots else "leaf" if isinstance(node, Leaf) else "operation"
        value, grad = self._facts.values.get(node), self._facts.grads.get(node)
        self._names[node] = self._box(kind, self._title(node), node.shape, node.dtype, value, grad)
        self.lines += [f"\t{name} -> {self._names[node]}\n" for name in inputs]

    def constant(self, value: Any) -> str:
        """The box of a value without gradient; one box for one array."""
        if id(value) not in self._names or not isinstance(value, np.ndarray):
            array = np.asarray(value)
            title = self._facts.constants.get(id(value), "")
            self._names[id(value)] = self._box("constant", title, array.shape, array.dtype, array, None)
        return self._names[id(value)]

    def _title(self, node: Node) -> str:
        label = self._facts.labels.get(node)
        if isinstance(node, Leaf):
            return label or "leaf"
        operation = node.primitive.name
        if isinstance(node.primitive, Pick):
            operation = f"{operation} {node.primitive.index}"
        return f"{label} = {operation}" if label else operation

    def _box(self, kind: str, title: str, shape: Any, dtype: Any, value: Any, grad: Any) -> str:
        rows = [f"<b>{_text(title)}</b>"] if title else []
        if shape != () or kind != "constant":
            rows.append(f'<font point-size="9" color="#64748b">{_text(_describe(shape, dtype))}</font>')
        for prefix, array, colour in (("", value, "#0f172a"), ("grad ", grad, "#b45309")):
            if array is not None and np.size(array) <= self._max_size:
                rows.append(f'<font color="{colour}">{prefix}{_numbers(array)}</font>')
        cells = "".join(f"<tr><td>{row}</td></tr>" for row in rows)
        fill, border = FILL_AND_BORDER[kind]
        corners = "filled" if kind in ("leaf", "constant") else "rounded,filled"
        name = f"n{self.boxes}"
        self.boxes += 1
        self.lines.append(
            f'\t{name} [label=<<table border="0" cellborder="0" cellspacing="0" cellpadding="1">{cells}</table>> '
            f'style="{corners}" fillcolor="{fill}" color="{border}"]\n'
        )
        return name


def _describe(shape: Any, dtype: Any) -> str:
    """Shape and dtype; of each output, where there are several."""
    if isinstance(dtype, tuple):
        return ", ".join(map(_describe, shape, dtype))
    return f"{shape} {dtype}" if shape else str(dtype)


def _text(text: str) -> str:
    """For an HTML label: markup escaped, control characters visible."""
    return escape("".join(c if c.isprintable() else repr(c)[1:-1] for c in text))


def _numbers(array: Any) -> str:
    def short(x: Any) -> str:
        return f"{x:.4g}" if np.asarray(x).dtype.kind in "fc" else str(x)

    array = np.asarray(array)
    if array.ndim == 0:
        return short(array[()])
    lines = np.array2string(array, separator=", ", formatter={"all": short}).split("\n")
    return "<br/>".join(map(_text, lines))
