"""The derivative of each operation by each of its inputs, written on the arrows: the chain rule as a picture."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.draw.describe import not_finite, number
from autograd.draw.snapshot import Box, Edge, Snapshot
from autograd.elementwise import Elementwise
from autograd.graph import RELEASED, Node, unbroadcast
from autograd.primitive import Primitive

__all__ = ["with_derivatives"]


def with_derivatives(graph: Snapshot) -> None:
    """Write on the edges of ``graph`` what is known of the derivatives.

    Rules are asked with plain arrays and change nothing. The rules of a ``Function`` are not asked: they are the
    user's code, and may do anything. Neither are rules whose saved arrays were changed since.
    """
    boxes = {box.id: box for box in graph.boxes}
    arrows: dict[str, list[Edge]] = {}
    changed = False
    for edge in graph.edges:
        if boxes[edge.source].node is not None:
            arrows.setdefault(edge.target, []).append(edge)
    for target, edges in arrows.items():
        node = boxes[target].node
        if boxes[target].stale:
            changed = True
        elif node is not None:
            for edge, text in zip(edges, _of(node, [boxes[edge.source] for edge in edges]), strict=True):
                edge.derivative = text
    if changed:
        graph.notes.append("no derivatives of operations whose saved arrays were changed in place since")


def _of(node: Node, sources: list[Box]) -> list[str]:
    """The derivatives of a node by those of its parents that are in the graph."""
    several = isinstance(node.dtype, tuple)
    entrywise = isinstance(node.primitive, Elementwise)
    scalars = not several and node.shape == () and all(source.shape == () for source in sources)
    if not isinstance(node.primitive, Primitive) or several or node.saved is RELEASED or not (entrywise or scalars):
        return ["" if several or node.primitive.name == "output" else _jacobian(node, source) for source in sources]
    try:
        with np.errstate(all="ignore"):
            terms = node.primitive.pullback(node, np.ones(node.shape, node.dtype))
    except Exception as error:  # a rule that fails here would fail in backward(): the picture shows where
        return [type(error).__name__ for _ in sources]
    wanted = [term for term, parent in zip(terms, node.parents, strict=True) if parent is not None]
    return [_written(term, node, source) for term, source in zip(wanted, sources, strict=True)]


def _written(term: Any, node: Node, source: Box) -> str:
    """Entries of a derivative: the number, if they are all the same, or their spread."""
    array = np.asarray(term)
    if node.dtype.kind == source.dtype.kind == "c":
        array = array.conj()  # cotangents are multiplied by the conjugate of the derivative
    if array.shape != source.shape and source.shape == () == node.shape:
        array = unbroadcast(array, source.shape)
    if array.size == 0:
        return ""
    alarm = not_finite(array)
    if alarm and array.size > 1:
        return alarm
    first = array.reshape(-1)[0]
    if array.size == 1 or np.all(array == first):
        return number(first)
    if array.dtype.kind == "c":
        return f"|∂| {number(np.abs(array).min())} … {number(np.abs(array).max())}"
    return f"{number(array.min())} … {number(array.max())}"


def _jacobian(node: Node, source: Box) -> str:
    if isinstance(source.dtype, tuple):
        return ""
    return f"∂{node.shape}/∂{source.shape}" if node.shape or source.shape else ""
