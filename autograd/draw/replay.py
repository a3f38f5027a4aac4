"""The backward pass played over a recorded graph, step by step, without touching it.

The arithmetic is the engine's: each node's own reverse rule, youngest node first. But no hook runs, no ``.grad``
changes, nothing that a node has saved is let go, and no sum is taken in place.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from heapq import heappop, heappush
from typing import Any, NamedTuple

import numpy as np

from autograd.graph import RELEASED, Node, check_unchanged, conform, recording
from autograd.memory import changes
from autograd.outputs import Cotangents

__all__ = ["Step", "Term", "local_terms", "replay"]


class Term(NamedTuple):
    """What a step sends along one edge."""

    position: int  # of the parent among the node's parents
    parent: Node
    value: Any  # an array, or Cotangents for an operation with several outputs
    total: Any  # what has arrived at the parent so far, this term included


class Step(NamedTuple):
    """The visit of one node: the cotangent that has arrived, and the terms sent on."""

    node: Node
    cotangent: Any
    terms: list[Term]


def replay(
    outputs: Iterable[tuple[Node, Any]],
    stops: Collection[Node] = (),
    within: Collection[Node] | None = None,
) -> Iterator[Step]:
    """The steps of a backward pass from ``outputs``, pairs of a node and its cotangent.

    Leaves are visited too and send nothing, as do those nodes of ``stops`` that are no outputs; what is sent to a
    node that is not ``within`` (where that is given) goes nowhere. One step is computed at a time, so a consumer
    that keeps none of them needs no more memory than the pass itself.

    Raises
    ------
    RuntimeError
        Where a backward pass has released what a rule needs, or a saved array was changed in place since.
    """
    heap: list[int] = []  # creation numbers of the pending nodes; the smallest is the youngest
    pending: dict[int, tuple[Node, Any]] = {}

    def arrive(node: Node, g: Any) -> Any:
        if node.order in pending:
            g = _sum(pending[node.order][1], g)
        else:
            heappush(heap, node.order)
        pending[node.order] = (node, g)
        return g

    begun = set()
    for node, g in outputs:
        begun.add(node)
        arrive(node, g)
    while heap:
        node, g = pending.pop(heappop(heap))
        terms = [] if node in stops and node not in begun else local_terms(node, g)
        yield Step(
            node,
            g,
            [
                Term(i, parent, term, arrive(parent, term))
                for i, parent, term in terms
                if within is None or parent in within
            ],
        )


def local_terms(node: Node, g: Any) -> list[tuple[int, Node, Any]]:
    """What the rule of ``node`` makes of the cotangent ``g``: (position, parent, term) for each edge."""
    if not node.parents:
        return []
    if node.saved is RELEASED:
        raise RuntimeError(
            f"what '{node.primitive.name}' had saved was released by a backward pass. Call backward() with "
            "retain_graph=True, or look at the graph before it."
        )
    if node.order > changes.latest:
        check_unchanged(node)
    token = recording.set(False)
    try:
        with np.errstate(all="ignore"):
            terms = node.primitive.pullback(node, g)
            return [
                (i, parent, term if isinstance(term, Cotangents) else conform(term, parent, node))
                for i, (parent, term) in enumerate(zip(node.parents, terms, strict=False))
                if parent is not None
            ]
    finally:
        recording.reset(token)


def _sum(total: Any, term: Any) -> Any:
    """As arrays add; Cotangents into a fresh one, since their own sum is made in place."""
    if isinstance(total, Cotangents):
        return Cotangents(dict(total.terms), total.shape, total.dtype) + term
    return total + term
