"""A snapshot as DOT, the language of Graphviz."""

from __future__ import annotations

from html import escape
from itertools import count

from autograd.draw.label import Line, Outer, Shown, call_title, lines, title, visible
from autograd.draw.nesting import nested
from autograd.draw.reach import far_arrows
from autograd.draw.snapshot import Box, Edge, Snapshot

__all__ = ["direction", "dot"]

FONT = "Helvetica,Arial,sans-serif"
SIDEWAYS = 40  # boxes up to which the picture runs from left to right

FILL_AND_BORDER = {
    "leaf": ("#dbeafe", "#2563eb"),
    "constant": ("#f1f5f9", "#94a3b8"),
    "operation": ("#ffffff", "#64748b"),
    "result": ("#dcfce7", "#16a34a"),
    "fold": ("#fef3c7", "#d97706"),
}
FONTS = {
    "value": 'color="#0f172a"',
    "grad": 'color="#b45309"',
    "alarm": 'color="#dc2626"',
    "shape": 'point-size="9" color="#64748b"',
    "detail": 'point-size="9" color="#475569"',
}
CLUSTERS = ("#f8fafc", "#f1f5f9")  # the fill of clusters, by turns with their depth


def dot(graph: Snapshot, shown: Shown, rankdir: str | None = None) -> str:
    """The text of a picture; the same snapshot gives the same text."""
    caption = _quoted("\n".join(graph.notes))
    text = [
        "digraph {\n",
        f'\tgraph [bgcolor=white fontcolor="#64748b" fontname="{FONT}" fontsize=9 label={caption} nodesep=0.25 '
        f"ordering=in pad=0.2 rankdir={direction(graph, rankdir)} ranksep=0.35]\n",
        f'\tnode [fontname="{FONT}" fontsize=11 height=0.3 margin="0.08,0.04" shape=box]\n',
        f'\tedge [arrowsize=0.6 color="#94a3b8" fontcolor="#475569" fontname="{FONT}" fontsize=9]\n',
    ]
    roots, clusters, outer = set(graph.roots), count(), Outer(graph.calls)
    known, far = {box.id: box for box in graph.boxes}, far_arrows(graph)
    for depth, item in nested(graph):
        if isinstance(item, Box):
            text.append(_box(item, lines(item, shown, outer.of(item)), item.id in roots))
            text += [_copy(known[source], item, shown, outer.of(item)) for source in far.get(item.id, ())]
        elif item is None:
            text.append("\t}\n")
        else:
            fill = CLUSTERS[depth % len(CLUSTERS)]
            text.append(
                f"\tsubgraph cluster_{next(clusters)} {{\n"
                f'\tgraph [bgcolor="{fill}" color="#cbd5e1" fontcolor="#334155" fontsize=10 '
                f"label={_quoted(call_title(item, outer.of(item)))} labeljust=l margin=10 style=rounded]\n"
            )
    text += [_edge(edge, edge.source in far.get(edge.target, ())) for edge in graph.edges]
    text.append("}\n")
    return "".join(text)


def direction(graph: Snapshot, rankdir: str | None) -> str:
    """Where the computation runs: as asked for, or so that the picture is readable."""
    return rankdir or ("LR" if len(graph.boxes) <= SIDEWAYS and not graph.calls else "TB")


def _box(box: Box, written: list[Line], root: bool) -> str:
    rows = []
    for role, line in written:
        if not line:
            continue  # a font without text is a syntax error to Graphviz
        words = escape(line).replace("\\", "\\\\")  # Graphviz puts the box's id in place of \\N, even here
        rows.append(f"<b>{words}</b>" if role == "title" else f"<font {FONTS[role]}>{words}</font>")
    cells = "".join(f"<tr><td>{row}</td></tr>" for row in rows) or "<tr><td></td></tr>"
    fill, border = FILL_AND_BORDER["result" if root else box.kind]
    corners = "filled" if box.kind in ("leaf", "constant") else "rounded,filled"
    more = " peripheries=2" if box.times > 1 else ""
    return (
        f'\t{box.id} [label=<<table border="0" cellborder="0" cellspacing="0" cellpadding="1">{cells}</table>> '
        f'style="{corners}" fillcolor="{fill}" color="{border}"{more}]\n'
    )


def _copy(box: Box, user: Box, shown: Shown, outer: str) -> str:
    """A small box that says where an arrow comes from which would reach too far; ``class`` is for the page."""
    name = visible(title(box, outer)) if box.label else " ".join(line.text for line in lines(box, shown)[:2])
    _, border = FILL_AND_BORDER[box.kind]
    return (
        f"\t{_id_of_copy(box.id, user.id)} [label={_quoted(name or box.id)} class=copy fontsize=9 height=0.2 "
        f'style="rounded,dashed" color="{border}" fontcolor="#475569"]\n'
    )


def _id_of_copy(box: str, user: str) -> str:
    return f"{box}_{user}"


def _edge(edge: Edge, far: bool) -> str:
    options = []
    if edge.derivative:
        options.append(f"label={_quoted(' ' + visible(edge.derivative))}")
    if edge.loop:
        options.append("constraint=false style=dashed")
    written = f" [{' '.join(options)}]" if options else ""
    source = _id_of_copy(edge.source, edge.target) if far and not edge.loop else edge.source
    return f"\t{source} -> {edge.target}{written}\n"


def _quoted(text: str) -> str:
    """A DOT string in which nothing has a meaning of its own."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
