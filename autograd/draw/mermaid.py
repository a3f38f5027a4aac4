"""A snapshot as a Mermaid flowchart, which Markdown viewers draw."""

from __future__ import annotations

from itertools import count

from autograd.draw.dot import FILL_AND_BORDER, FONTS, direction
from autograd.draw.label import Line, Outer, Shown, call_title, lines
from autograd.draw.nesting import nested
from autograd.draw.snapshot import Box, Edge, Snapshot

__all__ = ["mermaid"]

PLAIN = frozenset(" ,.:=×→←±…()/+-_")  # besides letters and digits; anything else is written by its number


def mermaid(graph: Snapshot, shown: Shown, rankdir: str | None = None) -> str:
    """The text of a picture; the same snapshot gives the same text."""
    roots, clusters, outer = set(graph.roots), count(), Outer(graph.calls)
    written = [f"flowchart {direction(graph, rankdir)}\n"]
    for depth, item in nested(graph):
        indent = "  " * (depth + 1)
        if isinstance(item, Box):
            written.append(indent + _box(item, lines(item, shown, outer.of(item)), item.id in roots))
        elif item is None:
            written.append(f"{indent}end\n")
        else:
            title = call_title(item, outer.of(item))
            written.append(f'{indent}subgraph c{next(clusters)}["{_escaped(title)}"]\n')
    written += [_edge(edge) for edge in graph.edges]
    for kind, (fill, border) in FILL_AND_BORDER.items():
        written.append(f"  classDef {kind} fill:{fill},stroke:{border},color:#0f172a\n")
    written += [f"  %% {_escaped(note)}\n" for note in graph.notes]
    return "".join(written)


def _box(box: Box, written: list[Line], root: bool) -> str:
    rows = []
    for role, line in written:
        words = _escaped(line)
        colour = FONTS.get(role, "").partition('color="')[2].rstrip('"')
        rows.append(f"<b>{words}</b>" if role == "title" else f"<span style='color:{colour}'>{words}</span>")
    opening, closing = ("[", "]") if box.kind in ("leaf", "constant") else ("(", ")")
    return f'{box.id}{opening}"{"<br/>".join(rows) or " "}"{closing}:::{"result" if root else box.kind}\n'


def _edge(edge: Edge) -> str:
    label = f'|"{_escaped(edge.derivative)}"|' if edge.derivative else ""
    return f"  {edge.source} {'-.->' if edge.loop else '-->'}{label} {edge.target}\n"


def _escaped(text: str) -> str:
    return "".join(c if c.isalnum() or c in PLAIN else f"#{ord(c)};" for c in text)
