"""A graph made smaller: a part of it, blocks rolled up, modules closed, chains collapsed, the rest summed up."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from autograd.draw.modules import Call
from autograd.draw.rollup import rolled_up
from autograd.draw.snapshot import Box, Edge, Snapshot
from autograd.elementwise import Elementwise
from autograd.graph import Node
from autograd.outputs import Pick

__all__ = ["Folding", "folded"]

SCREEN = 60  # boxes that can be read on a screen
LISTED = 4  # operations of a collapsed chain that are named


@dataclass(frozen=True)
class Folding:
    """The switches of ``draw`` that say what is left out."""

    depth: int | Literal["auto"] | None = "auto"
    rollup: bool | Literal["auto"] = "auto"
    collapse: bool = False
    constants: bool = True
    focus: tuple[Node | str, int] | None = None
    max_nodes: int | None = 500


def folded(graph: Snapshot, folding: Folding) -> Snapshot:
    """``graph`` with what ``folding`` asks for, in this order: focus, constants, blocks, chains, modules, number."""
    if folding.focus is not None:
        graph = _focused(graph, *folding.focus)
    if not folding.constants:
        graph = _without(graph, {box.id for box in graph.boxes if box.kind == "constant"})
    large = len(graph.boxes) > SCREEN
    if folding.rollup is True or (folding.rollup == "auto" and large):
        graph = rolled_up(graph)
    if folding.collapse:
        graph = _collapsed(graph)
    if folding.depth == "auto":
        graph = _fitting(graph) if large else graph
    elif folding.depth is not None:
        graph = _closed(graph, folding.depth)
    graph = _absorbed(graph)
    if folding.max_nodes is not None and len(graph.boxes) > folding.max_nodes:
        graph = _capped(graph, folding.max_nodes)
    return graph


def _without(graph: Snapshot, gone: set[str]) -> Snapshot:
    boxes = [box for box in graph.boxes if box.id not in gone]
    edges = [edge for edge in graph.edges if edge.source not in gone and edge.target not in gone]
    return replace(graph, boxes=boxes, edges=edges, roots=[root for root in graph.roots if root not in gone])


def _joined(graph: Snapshot, boxes: Iterable[Box], onto: Mapping[str, str]) -> Snapshot:
    """The graph of ``boxes``, with the edges of those that are gone led to those that they went ``onto``."""
    edges: dict[tuple[str, str, str, bool], Edge] = {}
    folds = set(onto.values())
    for edge in graph.edges:
        source, target = onto.get(edge.source, edge.source), onto.get(edge.target, edge.target)
        if source == target and not (edge.loop and edge.source == edge.target):
            continue
        if target in folds:  # two uses of one input by one operation are two arrows; by what is folded, they are one
            edge = Edge(source, target, loop=edge.loop)
        edges.setdefault((source, target, edge.argument, edge.loop), replace(edge, source=source, target=target))
    roots = list(dict.fromkeys(onto.get(root, root) for root in graph.roots))
    stands = graph.standing({gone: box for gone, box in onto.items() if gone != box})
    return replace(graph, boxes=list(boxes), edges=list(edges.values()), roots=roots, stands=stands)


# ---------------------------------------------------------------------- a part of the graph


def _focused(graph: Snapshot, what: Node | str, steps: int) -> Snapshot:
    """What is at most ``steps`` before or behind a box."""
    centre = _found(graph, what)
    near = {centre}
    for start, end in (("source", "target"), ("target", "source")):
        along: dict[str, list[str]] = defaultdict(list)
        for edge in graph.edges:
            along[getattr(edge, start)].append(getattr(edge, end))
        reached, frontier, steps_left = {centre}, {centre}, steps
        while frontier and steps_left:
            frontier = {box for at in frontier for box in along[at]} - reached
            reached |= frontier
            steps_left -= 1
        near |= reached
    left_out = {box.id for box in graph.boxes} - near
    part = _without(graph, left_out)
    if left_out:
        part.notes = [*graph.notes, f"{len(left_out):,} boxes more than {steps} steps away left out"]
    return part


def _found(graph: Snapshot, what: Node | str) -> str:
    for box in graph.boxes:
        if (box.label == what) if isinstance(what, str) else (box.node is what):
            return box.id
    if not isinstance(what, str):
        raise ValueError("focus: this tensor is not in the graph")
    labels = [box.label for box in graph.boxes if box.label]
    raise ValueError(
        f"focus: nothing in the graph is called {what!r}; there are {', '.join(labels[:20]) or 'no names'}"
    )


# ---------------------------------------------------------------------- chains


def _collapsed(graph: Snapshot) -> Snapshot:
    """Elementwise operations that only feed another one, in the same call, are drawn with it, as are outputs of an
    operation that has several."""
    known = {box.id: box for box in graph.boxes}
    users = Counter(edge.source for edge in graph.edges)
    chains: dict[str, list[Box]] = {}  # by the last of the chain
    onto: dict[str, str] = {}
    inputs: dict[str, list[str]] = defaultdict(list)
    for edge in graph.edges:
        inputs[edge.target].append(edge.source)
    for box in graph.boxes:
        if box.node is not None and isinstance(box.node.primitive, Pick) and _nameless(box):
            onto[box.id] = inputs[box.id][0]
        if not _is_elementwise(box):
            continue
        chain = [box]
        for source in inputs[box.id]:
            before = known[source]
            if source in chains and users[source] == 1 and before.scope == box.scope and _nameless(before):
                chain = chains.pop(source)
                chain.append(box)
                break
        chains[box.id] = chain
    boxes = {key: box for key, box in known.items() if key not in onto}
    for last, chain in chains.items():
        if len(chain) > 1:
            boxes[last] = replace(known[last], operation=_chain_of([box.operation for box in chain]), count=len(chain))
            for box in chain[:-1]:
                onto[box.id] = last
                del boxes[box.id]
    return _joined(graph, boxes.values(), onto)


def _is_elementwise(box: Box) -> bool:
    return box.node is not None and isinstance(box.node.primitive, Elementwise)


def _nameless(box: Box) -> bool:
    return not box.label and box.kind == "operation"


def _chain_of(operations: list[str]) -> str:
    if len(operations) > LISTED + 1:
        between = len(operations) - LISTED
        operations = [*operations[: LISTED - 1], f"{between} more", operations[-1]]
    return " → ".join(operations)


# ---------------------------------------------------------------------- modules


def _depths(calls: Mapping[int, Call]) -> dict[int, int]:
    """How many calls of modules each lies in; frames around blocks do not count."""
    depths: dict[int, int] = {}
    for key in sorted(calls, key=lambda key: _rank(calls, key)):
        parent = calls[key].parent
        depths[key] = 0 if parent is None else depths[parent] + (1 if calls[parent].kind else 0)
    return depths


def _rank(calls: Mapping[int, Call], key: int | None) -> int:
    rank = 0
    while key is not None:
        key, rank = calls[key].parent, rank + 1
    return rank


def _fitting(graph: Snapshot) -> Snapshot:
    """Modules open to the greatest depth at which the picture fits a screen."""
    depths = _depths(graph.calls)
    if len(graph.boxes) <= SCREEN or not depths:
        return graph
    for depth in range(max(depths.values()), -1, -1):
        smaller = _closed(graph, depth)
        if len(smaller.boxes) <= SCREEN:
            return smaller
    return smaller


def _closed(graph: Snapshot, depth: int) -> Snapshot:
    """Calls within ``depth`` others become one box each, under the id of their last operation."""
    depths = _depths(graph.calls)
    inside: dict[int, list[Box]] = defaultdict(list)
    for box in graph.boxes:
        key = _outermost(box.scope, lambda key: graph.calls[key].kind != "" and depths[key] >= depth)
        if key is not None:
            inside[key].append(box)
    onto: dict[str, str] = {}
    folds: dict[str, Box] = {}
    for key, members in inside.items():
        operations = [box for box in members if box.operation]
        if operations:
            last = operations[-1].id
            folds[last] = _fold(graph.calls[key], operations, set(graph.roots))
            onto.update((box.id, last) for box in members)
    boxes = [folds.get(box.id, box) for box in graph.boxes if onto.get(box.id, box.id) == box.id]
    return _joined(graph, boxes, onto)


def _outermost(scope: tuple[int, ...], closed: Callable[[int], bool]) -> int | None:
    return next((key for key in scope if closed(key)), None)


def _fold(call: Call, operations: list[Box], roots: set[str]) -> Box:
    results = [box for box in operations if box.id in roots]
    last = operations[-1]
    alone: Any = results[0] if len(results) == 1 else None
    return Box(
        id=last.id,
        kind="fold",
        operation=call.kind,
        label=call.path,
        shape=tuple(call.output_shapes),
        dtype=None,
        value=alone and alone.value,
        grad=alone and alone.grad,
        released=any(box.released for box in operations),
        scope=last.scope[: last.scope.index(call.key)],
        order=last.order,
        count=sum(box.count for box in operations),
        times=call.times,
        parameters=call.parameters,
    )


def _absorbed(graph: Snapshot) -> Snapshot:
    """Calls that hold nothing but one operation become a line in its box."""
    held: Counter[int] = Counter(key for box in graph.boxes for key in box.scope)
    boxes = []
    for box in graph.boxes:
        scope, module = box.scope, box.module
        while (
            box.operation
            and box.kind != "fold"
            and scope
            and held[scope[-1]] == 1
            and graph.calls[scope[-1]].times == 1
        ):
            call = graph.calls[scope[-1]]
            module = f"{call.path}: {call.kind}" if call.path else call.kind
            scope = scope[:-1]
        boxes.append(box if scope == box.scope else replace(box, scope=scope, module=module))
    return replace(graph, boxes=boxes)


# ---------------------------------------------------------------------- the number of boxes


def _capped(graph: Snapshot, limit: int) -> Snapshot:
    """The youngest operations, with the leaves and constants that they use; the rest is one box.

    What is left out is closed under inputs, so no arrow leads from what is kept to the rest.
    """
    operations = sorted((box for box in graph.boxes if box.operation), key=lambda box: box.order)
    inputs: dict[str, list[str]] = defaultdict(list)
    for edge in graph.edges:
        inputs[edge.target].append(edge.source)
    known = {box.id: box for box in graph.boxes}
    kept = set(graph.roots)
    for box in operations:
        needed = {box.id, *(source for source in inputs[box.id] if not known[source].operation)} - kept
        if len(kept) + len(needed) > limit - 1:
            break
        kept |= needed
    rest = [box for box in graph.boxes if box.id not in kept]
    if len(rest) < 2:
        return graph
    what = Counter(box.operation or box.kind for box in rest).most_common()
    listed = ", ".join(f"{name} × {count:,}" for name, count in what[:LISTED])
    listed += f" and {len(what) - LISTED} other kinds" if len(what) > LISTED else ""
    summary = Box(rest[-1].id, "fold", f"{len(rest):,} left out", "", None, None, module=listed)
    summary.count = sum(box.count for box in rest if box.operation)
    onto = {box.id: summary.id for box in rest}
    smaller = _joined(graph, [summary, *(box for box in graph.boxes if box.id in kept)], onto)
    note = f"the oldest {len(rest):,} of {len(graph.boxes):,} boxes left out; max_nodes={limit}"
    return replace(smaller, notes=[*graph.notes, note])
