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

    def __init__(self, terms: dict[int, Any], shape: Any, dtype: Any) -> None:
        self.terms = terms
        self.shape = shape
        self.dtype = dtype

    def __add__(self, other: Cotangents) -> Cotangents:
        terms = self.terms  # nobody else holds it: `Pick` has made it, for this sum
        for i, g in other.terms.items():
            terms[i] = terms[i] + g if i in terms else g
        return self

    def filled(self) -> tuple[Any, ...]:
        """All cotangents, zeros where none arrived."""
        terms = self.terms
        return tuple(
            terms[i] if i in terms else np.zeros(s, d)
            for i, (s, d) in enumerate(zip(self.shape, self.dtype, strict=True))
        )


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
        return (Cotangents({self.index: g}, source.shape, source.dtype),)

    def connect(self, node: Node) -> Node:
        return node


def pick(source: Node, index: int) -> Node:
    """The node of output ``index`` of ``source``."""
    return make_node(Pick(index), (source,), (), source.shape[index], source.dtype[index])


def tie(array: Any, parent: Node | None) -> Any:
    """A saved array as the tensor it belonged to, seen from the graph."""
    return array if parent is None or array is None else wrap(array, parent)
