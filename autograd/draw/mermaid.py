"""A snapshot as a Mermaid flowchart, which Markdown viewers draw."""

from __future__ import annotations

from autograd.draw.dot import CLUSTERS, FILL_AND_BORDER, direction
from autograd.draw.label import Line, Outer, Shown, call_title, lines
from autograd.draw.nesting import nested
from autograd.draw.snapshot import Box, Edge, Snapshot

__all__ = ["mermaid"]

PLAIN = frozenset(" ,.=×→←±…()/+-_")  # besides letters and digits; anything else is written by its number


def mermaid(graph: Snapshot, shown: Shown, rankdir: str | None = None) -> str:
    """The text of a picture; the same snapshot gives the same text."""
    roots, outer = set(graph.roots), Outer(graph.calls)
    frames: list[list[str]] = [[] for _ in CLUSTERS]
    written = [f"flowchart {direction(graph, rankdir)}\n"]
    for depth, item in nested(graph):
        indent = "  " * (depth + 1)
        if isinstance(item, Box):
            written.append(indent + _box(item, lines(item, shown, outer.of(item)), item.id in roots))
        elif item is None:
            written.append(f"{indent}end\n")
        else:
            frame = f"c{sum(map(len, frames))}"
            frames[depth % len(frames)].append(frame)
            written.append(f'{indent}subgraph {frame}["{_escaped(call_title(item, outer.of(item)))}"]\n')
    written += [_edge(edge) for edge in graph.edges]
    for kind, (fill, border) in FILL_AND_BORDER.items():
        written.append(f"  classDef {kind} fill:{fill},stroke:{border},color:#0f172a\n")
    for number, (fill, members) in enumerate(zip(CLUSTERS, frames, strict=True)):
        if members:
            written.append(f"  classDef frame{number} fill:{fill},stroke:#cbd5e1,color:#334155\n")
            written.append(f"  class {','.join(members)} frame{number}\n")
    written += [f"  %% {_escaped(note)}\n" for note in graph.notes]
    return "".join(written)


def _box(box: Box, written: list[Line], root: bool) -> str:
    # Mermaid takes colours out of labels, so that a title is bold and an alarm has a sign
    signs = {"title": ("<b>", "</b>"), "alarm": ("<b>⚠ ", "</b>")}
    rows = [_escaped(line).join(signs.get(role, ("", ""))) for role, line in written]
    opening, closing = ("[", "]") if box.kind in ("leaf", "constant") else ("(", ")")
    return f'{box.id}{opening}"{"<br/>".join(rows) or " "}"{closing}:::{"result" if root else box.kind}\n'


def _edge(edge: Edge) -> str:
    label = f'|"{_escaped(edge.derivative)}"|' if edge.derivative else ""
    return f"  {edge.source} {'-.->' if edge.loop else '-->'}{label} {edge.target}\n"


def _escaped(text: str) -> str:
    # "style…:…#…;" would lose its last character, wherever it stands, so that a colon stays only before a space
    return "".join(
        c if c.isalnum() or c in PLAIN or (c == ":" and text[i + 1 : i + 2] == " ") else f"#{ord(c)};"
        for i, c in enumerate(text)
    )
