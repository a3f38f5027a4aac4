"""A snapshot as plain text: a line for each box, inputs first, indented by the modules."""

from __future__ import annotations

from collections import defaultdict

from autograd.draw.label import Shown, call_title, lines, title, visible
from autograd.draw.nesting import nested
from autograd.draw.snapshot import Box, Edge, Snapshot

__all__ = ["text"]

WIDEST = 60  # characters of the left column, beyond which what follows is not aligned


def text(graph: Snapshot, shown: Shown) -> str:
    """The text of a picture; the same snapshot gives the same text."""
    inputs: dict[str, list[Edge]] = defaultdict(list)
    for edge in graph.edges:
        inputs[edge.target].append(edge)
    labels = {box.id: visible(box.label) if box.label and not box.operation else box.id for box in graph.boxes}
    digits = max((len(box.id) for box in graph.boxes), default=0)
    rows: list[tuple[str, str]] = []
    for depth, item in nested(graph):
        if isinstance(item, Box):
            arrows = ", ".join(_input(edge, labels) for edge in inputs[item.id])
            what = " ← ".join(filter(None, (visible(title(item)) or "constant", arrows)))
            details = [" ".join(line.text.split()) for line in lines(item, shown) if line.role != "title"]
            rows.append(
                (f"{'│ ' * depth}{item.id:<{digits}}  {what}", "  ".join(details).replace(",  ", ", "))
            )  # an array over several lines
        elif item is not None:
            rows.append((f"{'│ ' * depth}┌ {call_title(item)}", ""))
    width = min(WIDEST, max((len(left) for left, right in rows if right), default=0))
    written = [f"{left:<{width}}  {right}".rstrip() for left, right in rows]
    return "\n".join([*written, *(f"({note})" for note in graph.notes)]) + "\n"


def _input(edge: Edge, labels: dict[str, str]) -> str:
    derivative = f" [{visible(edge.derivative)}]" if edge.derivative else ""
    return f"{'↺ ' if edge.loop else ''}{labels[edge.source]}{derivative}"
