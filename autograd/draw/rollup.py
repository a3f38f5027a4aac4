"""Repeated blocks as one: calls of modules of the same structure, one after the other, drawn once with "× 12"."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from autograd.draw.modules import SEVERAL, Call
from autograd.draw.snapshot import Box, Edge, Snapshot, place_state

__all__ = ["rolled_up"]

LONGEST = 12  # calls and operations in a block that repeats


@dataclass
class _Item:
    """A call, or an operation that lies directly within the same call, with its boxes in canonical order."""

    order: int
    call: Call | None
    boxes: list[Box]
    token: Any


@dataclass
class _Run:
    """Copies of a block: ``copies[m]`` are the items of the m-th."""

    level: tuple[int, ...]
    copies: list[list[_Item]]


def rolled_up(graph: Snapshot) -> Snapshot:
    """``graph`` with every run of alike blocks replaced by its first; outer blocks before those within them."""
    depth = 0
    while True:
        levels = [key for key in (None, *graph.calls) if len(_path(graph, key)) == depth]
        if not levels or not graph.calls:
            return graph
        runs = _Runs(graph).at(levels)
        if runs:
            graph = _merged(graph, runs)
        depth += 1


def _path(graph: Snapshot, key: int | None) -> tuple[int, ...]:
    """The keys of a call and of those around it, outermost first."""
    path: list[int] = []
    while key is not None:
        path.append(key)
        key = graph.calls[key].parent
    return tuple(reversed(path))


# ---------------------------------------------------------------------- finding


class _Runs:
    """What is needed to compare calls: inputs of boxes, and the boxes of each call."""

    def __init__(self, graph: Snapshot) -> None:
        self._graph = graph
        self._known = {box.id: box for box in graph.boxes}
        self._inputs: dict[str, list[Edge]] = defaultdict(list)
        for edge in graph.edges:
            self._inputs[edge.target].append(edge)
        operations = sorted((box for box in graph.boxes if box.operation), key=lambda box: -box.order)
        self._within: dict[int | None, list[Box]] = defaultdict(list)  # operations of a call, oldest first
        self._loose: dict[int | None, list[Box]] = defaultdict(list)
        for box in operations:
            for key in box.scope:
                self._within[key].append(box)
            self._loose[box.scope[-1] if box.scope else None].append(box)
        self._children: dict[int | None, list[Call]] = defaultdict(list)
        for call in graph.calls.values():
            if call.key in self._within:
                self._children[call.parent].append(call)
        self._tokens: dict[Any, int] = {}

    def at(self, levels: Iterable[int | None]) -> list[_Run]:
        return [run for level in levels if len(self._children[level]) > 1 for run in self._repeats(level)]

    def _repeats(self, level: int | None) -> list[_Run]:
        path = _path(self._graph, level)
        items = [self._item(call.key, call, self._within[call.key]) for call in self._children[level]]
        items += [self._item(box.order, None, [box]) for box in self._loose[level]]
        items.sort(key=lambda item: -item.order)
        spans = _spans([item.token for item in items], [item.call is not None for item in items])
        runs = []
        for start, period, times in spans:
            copies = [items[start + m * period : start + (m + 1) * period] for m in range(times)]
            first = self._signature([box for item in copies[0] for box in item.boxes], len(path))
            alike = [copies[0]]
            for copy in copies[1:]:
                if self._signature([box for item in copy for box in item.boxes], len(path)) != first:
                    break
                alike.append(copy)
            if len(alike) > 1:
                runs.append(_Run(path, alike))
        return runs

    def _item(self, order: int, call: Call | None, operations: Sequence[Box]) -> _Item:
        depth = 0 if call is None else len(_path(self._graph, call.key))
        boxes = self._with_state(operations, None if call is None else call.key)
        signature = (None if call is None else (call.kind, call.parameters), self._signature(boxes, depth))
        return _Item(order, call, boxes, self._tokens.setdefault(signature, len(self._tokens)))

    def _with_state(self, operations: Sequence[Box], key: int | None) -> list[Box]:
        """The operations, each after the leaves and buffers within the same call that it is the first to use."""
        found: dict[str, Box] = {}
        for box in operations:
            for edge in self._inputs[box.id]:
                source = self._known[edge.source]
                state = not source.operation and (source.kind != "constant" or source.label)
                if state and key in source.scope:
                    found.setdefault(source.id, source)
            found[box.id] = box
        return list(found.values())

    def _signature(self, boxes: Sequence[Box], depth: int) -> tuple[Any, ...]:
        """The structure of a piece of the graph: operations, what flows between them, and the calls within."""
        index = {box.id: i for i, box in enumerate(boxes)}
        calls: dict[int, int] = {}
        lines = []
        for box in boxes:
            inner = [(calls.setdefault(key, len(calls)), self._graph.calls[key].kind) for key in box.scope[depth:]]
            inputs = [(edge.argument, index.get(edge.source, -1)) for edge in self._inputs[box.id]]
            inputs = [(argument, i) for argument, i in inputs if i >= 0]
            lines.append((box.operation, box.shape, str(box.dtype), tuple(inner), tuple(inputs)))
        return tuple(lines)


def _spans(tokens: Sequence[Any], calls: Sequence[bool]) -> list[tuple[int, int, int]]:
    """Start, period and number of copies of repeats that hold a call, from the left; of several the longest."""
    count = len(tokens)
    longest = min(LONGEST, count // 2)
    same = [[0] * (count + 1) for _ in range(longest + 1)]  # how far tokens go on to repeat themselves after a period
    for period in range(1, longest + 1):
        row = same[period]
        for i in range(count - period - 1, -1, -1):
            row[i] = row[i + 1] + 1 if tokens[i] == tokens[i + period] else 0
    spans, i = [], 0
    while i < count:
        best = (0, 0, 0)
        for period in range(1, longest + 1):
            times = 1 + same[period][i] // period
            if times > 1 and times * period > best[0] and any(calls[i : i + period]):
                best = (times * period, period, times)
        covered, period, times = best
        if covered:
            spans.append((i, period, times))
        i += covered or 1
    return spans


# ---------------------------------------------------------------------- merging


def _merged(graph: Snapshot, runs: Sequence[_Run]) -> Snapshot:
    """The graph with the copies of each run put onto the first."""
    boxes = {box.id: replace(box) for box in graph.boxes}
    calls = dict(graph.calls)
    onto: dict[str, str] = {}
    copy_of: dict[str, tuple[int, int]] = {}
    for number, run in enumerate(runs):
        for m, copy in enumerate(run.copies):
            for item, first in zip(copy, run.copies[0], strict=True):
                for box, representative in zip(item.boxes, first.boxes, strict=True):
                    copy_of[box.id] = (number, m)
                    if m:
                        onto[box.id] = representative.id
                        if box.kind == "result":
                            boxes[representative.id].kind = "result"
        _dress(run, boxes, calls)
    gone = _constants_gone(graph, onto)
    edges: list[Edge] = []
    drawn: set[tuple[str, str, bool]] = set()
    for edge in graph.edges:
        if edge.source in gone:
            continue
        source, target = onto.get(edge.source, edge.source), onto.get(edge.target, edge.target)
        one, other = copy_of.get(edge.source), copy_of.get(edge.target)
        loop = edge.loop or (one is not None and other is not None and one[0] == other[0] and one[1] != other[1])
        moved = (source, target) != (edge.source, edge.target)
        if moved and (source, target, loop) in drawn:  # the first copy's arrow stands for those of the others
            continue
        drawn.add((source, target, loop))
        edges.append(replace(edge, source=source, target=target, loop=loop))
    kept = [boxes[box.id] for box in graph.boxes if box.id not in onto and box.id not in gone]
    place_state(kept, edges, calls)
    roots = list(dict.fromkeys(onto.get(root, root) for root in graph.roots))
    return Snapshot(kept, edges, calls, roots, graph.notes, graph.standing(onto))


def _dress(run: _Run, boxes: Mapping[str, Box], calls: dict[int, Call]) -> None:
    """Give the first of the copies the names of all, their number, and a frame where they are of several parts."""
    times = len(run.copies)
    for position, first in enumerate(run.copies[0]):
        if first.call is None:
            continue
        paths = [copy[position].call.path for copy in run.copies]  # type: ignore[union-attr]  # alike: all are calls
        together = span_of(paths)
        old, new = first.call.path + ".", together + "."
        for key, call in calls.items():
            if key == first.call.key:
                calls[key] = replace(call, path=together)
            elif call.path.startswith(old) and together != first.call.path and _lies_in(key, first.call.key, calls):
                calls[key] = replace(call, path=new + call.path[len(old) :])
        for box in first.boxes:
            if box.label.startswith(old):
                boxes[box.id].label = new + box.label[len(old) :]
    inner = [item.call.key for item in run.copies[0] if item.call is not None]
    if len(run.copies[0]) == 1:
        calls[inner[0]] = replace(calls[inner[0]], times=times)
        return
    frame = max(1, *calls) + 1  # keys of real calls are creation numbers, which are not positive
    state = frozenset().union(*(calls[key].state for key in inner))
    parent = run.level[-1] if run.level else None
    calls[frame] = Call(frame, "", "", parent, [], 0, None, state, times)
    for key in inner:
        calls[key] = replace(calls[key], parent=frame)
    depth = len(run.level)
    for item in run.copies[0]:
        for box in item.boxes:
            scope = box.scope
            boxes[box.id].scope = (*scope[:depth], frame, *scope[depth:])


def _lies_in(key: int | None, outer: int, calls: Mapping[int, Call]) -> bool:
    while key is not None and key != outer:
        key = calls[key].parent
    return key == outer


def _constants_gone(graph: Snapshot, onto: Mapping[str, str]) -> set[str]:
    """Constants that only the copies use."""
    constants = {box.id for box in graph.boxes if box.kind == "constant" and box.id not in onto}
    users: dict[str, bool] = {}
    for edge in graph.edges:
        if edge.source in constants:
            users[edge.source] = users.get(edge.source, True) and edge.target in onto
    return {constant for constant, only in users.items() if only}


def span_of(paths: Sequence[str]) -> str:
    """One path for several: ``layers.0`` to ``layers.11`` as ``layers.0…11``."""
    first, last = paths[0].split("."), paths[-1].split(".")
    if len(set(paths)) == 1:
        return paths[0]
    if len(first) != len(last):
        return f"{paths[0]}{SEVERAL}{paths[-1]}"
    return ".".join(a if a == b else f"{a}{SEVERAL}{b}" for a, b in zip(first, last, strict=True))
