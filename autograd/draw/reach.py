"""Arrows that reach too far to be drawn, such as those from a weight to each step of a long loop.

Graphviz lays a point for every rank that an arrow crosses, and its time grows faster than their number: a loop of
forty steps, each of which uses the same two parameters, takes it minutes. And nobody can follow such arrows. They
start at a small copy of the box beside its use instead.
"""

from __future__ import annotations

from collections import defaultdict

from autograd.draw.snapshot import Edge, Snapshot

__all__ = ["far_arrows"]

CROSSED = 1500  # ranks that all arrows together may cross
NEAR = 8  # ranks that an arrow may always cross


def far_arrows(graph: Snapshot) -> dict[str, list[str]]:
    """For each box the ids of those inputs whose arrows are not drawn all the way; none in most graphs."""
    ranks = _ranks(graph)
    lengths: dict[str, list[tuple[int, Edge]]] = defaultdict(list)
    for edge in graph.edges:
        if not edge.loop:
            lengths[edge.source].append((ranks[edge.target] - ranks[edge.source], edge))
    crossed = {source: sum(length for length, _ in arrows) for source, arrows in lengths.items()}
    excess = sum(crossed.values()) - CROSSED
    far: dict[str, list[str]] = defaultdict(list)
    for source in sorted(lengths, key=lambda source: -crossed[source]):
        if excess <= 0:
            break
        for length, edge in lengths[source]:
            if length > NEAR:
                excess -= length
                if source not in far[edge.target]:
                    far[edge.target].append(source)
    return far


def _ranks(graph: Snapshot) -> dict[str, int]:
    """How far from the inputs each box is drawn: after all that it needs; leaves just before their first use."""
    operations = {box.id for box in graph.boxes if box.operation}
    inputs: dict[str, list[str]] = defaultdict(list)
    for edge in graph.edges:
        inputs[edge.target].append(edge.source)
    ranks: dict[str, int] = {}
    for box in graph.boxes:  # inputs first; what a fold has turned round is not counted
        if box.operation:
            ranks[box.id] = 1 + max((ranks.get(source, 0) for source in inputs[box.id]), default=0)
    first: dict[str, int] = {}
    for edge in graph.edges:
        if edge.source not in operations:
            first[edge.source] = min(first.get(edge.source, len(ranks) + 1), ranks.get(edge.target, 1))
    return {box.id: ranks.get(box.id, first.get(box.id, 1) - 1) for box in graph.boxes}
