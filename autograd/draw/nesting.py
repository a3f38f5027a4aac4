"""Boxes within the calls of modules that they lie in, in the order in which writers put them down."""

from __future__ import annotations

from collections.abc import Iterator

from autograd.draw.modules import Call
from autograd.draw.snapshot import Box, Snapshot

__all__ = ["nested"]


def nested(graph: Snapshot) -> Iterator[tuple[int, Call | Box | None]]:
    """Depth and item: a call before what lies in it, each box once, None where a call ends."""
    within: dict[int | None, list[Call | Box]] = {None: []}
    entered: set[int] = set()
    for box in graph.boxes:
        for outer, key in zip((None, *box.scope), box.scope, strict=False):
            if key not in entered:
                entered.add(key)
                within[key] = []
                within[outer].append(graph.calls[key])
        within[box.scope[-1] if box.scope else None].append(box)
    stack = [iter(within[None])]
    while stack:
        item = next(stack[-1], None)
        if item is None:
            stack.pop()
            if stack:
                yield len(stack) - 1, None
            continue
        yield len(stack) - 1, item
        if isinstance(item, Call):
            stack.append(iter(within[item.key]))
