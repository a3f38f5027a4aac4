"""Operations with several outputs: each output is a node of its own behind the operation's node."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.graph import Node, make_node
from autograd.tensor import wrap

__all__ = ["Cotangents", "Pick", "pick", "tie"]


class Cotangents:
    """The cotangents of an operation with several outputs, some of which may be missing."""

    __slots__ = ("dtype", "shape", "terms")

    def __init__(self, terms: tuple[Any, ...], shape: Any, dtype: Any) -> None:
        self.terms = terms
        self.shape = shape
        self.dtype = dtype

    def __add__(self, other: Cotangents) -> Cotangents:
        pairs = zip(self.terms, other.terms, strict=True)
        terms = tuple(b if a is None else a if b is None else a + b for a, b in pairs)
        return Cotangents(terms, self.shape, self.dtype)

    def filled(self) -> tuple[Any, ...]:
        """All cotangents, zeros where none arrived."""
        triples = zip(self.terms, self.shape, self.dtype, strict=True)
        return tuple(np.zeros(s, d) if g is None else g for g, s, d in triples)


class Pick:
    """The 'operation' that takes one output of several."""

    __slots__ = ("index",)
    name = "output"
    broadcasts = False
    slots = (0,)

    def __init__(self, index: int) -> None:
        self.index = index

    def pullback(self, node: Node, g: Any) -> tuple[Cotangents]:
        source: Any = node.parents[0]
        terms = tuple(g if i == self.index else None for i in range(len(source.shape)))
        return (Cotangents(terms, source.shape, source.dtype),)

    def connect(self, node: Node) -> Node:
        return node


def pick(source: Node, index: int) -> Node:
    """The node of output ``index`` of ``source``."""
    return make_node(Pick(index), (source,), (), source.shape[index], source.dtype[index])


def tie(array: Any, parent: Node | None) -> Any:
    """A saved array as the tensor it belonged to, seen from the graph."""
    return array if parent is None or array is None else wrap(array, parent)
