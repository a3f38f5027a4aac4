"""A page that plays the backward pass: one HTML file with everything in it, which asks nothing of any network."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np

from autograd.draw.describe import kind_of, nbytes
from autograd.draw.folding import Folding, folded
from autograd.draw.label import Shown, call_title, title, visible
from autograd.draw.modules import Call
from autograd.draw.nesting import nested
from autograd.draw.snapshot import Box, Saved, Snapshot
from autograd.draw.steps import Play, called, described
from autograd.graph import Leaf

__all__ = ["page"]

WRITTEN = 64  # entries of an array that the panel writes out
SCREEN = (900, 560)  # pixels for the drawing on a common screen
READABLE = 0.45  # how much smaller than intended a drawing may be
DEEP = 8  # levels of modules for which there is a layout

Draw = Callable[[Snapshot, Shown], str]


def page(graph: Snapshot, folding: Folding, shown: Shown, draw: Draw) -> str:
    """The HTML of a page on ``graph``; ``draw`` makes SVG of a snapshot, or raises RuntimeError."""
    play = Play(graph, shown)
    layouts, start, drawings = _layouts(play.graph, folding, shown, draw)
    present = {box.id for each in layouts for box in each.boxes}
    boxes = {box.id: box for box in play.graph.boxes if box.id in present or box.id in play.visited}
    data = {
        "start": start,
        "result": graph.roots[0],
        "notes": [visible(note) for note in play.notes],
        "beginning": play.beginning,
        "seeds": play.seeds,
        "boxes": _boxes(boxes, graph),
        "equations": play.equations,
        "steps": play.steps,
        "layouts": [
            _layout(each, name, depth, boxes) for each, (name, depth) in zip(layouts, drawings.names, strict=True)
        ],
    }
    first = drawings.svgs[start] if drawings.svgs else _list_of_steps(play, boxes, drawings.missing)
    others = [(i, svg) for i, svg in enumerate(drawings.svgs) if i != start]
    templates = "".join(f'<template id="layout-{i}">{svg}</template>\n' for i, svg in others)
    return _filled(
        title=escape(f"The backward pass of {play.loss}"),
        facts=escape(_facts(graph)),
        first=first,
        layouts=templates,
        data=_script_safe(data),
    )


# ---------------------------------------------------------------------- the file


def _filled(**parts: str) -> str:
    """The template with style, script and data, under a policy that lets nothing else run or load."""
    assets = files("autograd.draw")
    style = assets.joinpath("page.css").read_text(encoding="utf-8")
    script = "".join(assets.joinpath(name).read_text(encoding="utf-8") for name in ("zoom.js", "page.js"))
    policy = (
        f"default-src 'none'; script-src {_digest(script)}; style-src {_digest(style)}; base-uri 'none'; "
        "form-action 'none'"
    )
    parts |= {"style": style, "script": script, "policy": policy}
    template = assets.joinpath("page.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template)


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _script_safe(data: Any) -> str:
    """JSON that cannot end the script element that it stands in."""
    written = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        written = written.replace(character, f"\\u{ord(character):04x}")
    return written


def _facts(graph: Snapshot) -> str:
    operations = sum(box.operation != "" for box in graph.boxes)
    kept = {id(s.value): s.nbytes for box in graph.boxes for s in box.saved if s.nbytes}
    leaves = sum(isinstance(box.node, Leaf) for box in graph.boxes)
    told = [
        f"{operations:,} operation{'' if operations == 1 else 's'}",
        f"{leaves:,} {'leaf' if leaves == 1 else 'leaves'}",
    ]
    return " · ".join([*told, f"keeps {nbytes(sum(kept.values()))} for its rules"] if kept else told)


# ---------------------------------------------------------------------- boxes


def _boxes(boxes: Mapping[str, Box], graph: Snapshot) -> dict[str, Any]:
    original = {box.id: box for box in graph.boxes}
    inputs: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for edge in graph.edges:
        inputs[edge.target].append((visible(edge.argument), edge.source))
    return {key: _box(box, original[key], inputs[key], graph) for key, box in boxes.items()}


def _box(box: Box, original: Box, inputs: list[tuple[str, str]], graph: Snapshot) -> dict[str, Any]:
    modules = [call for key in box.scope if (call := graph.calls[key]).kind]
    paths = [visible(f"{call.path}: {call.kind}" if call.path else call.kind) for call in modules]
    name = visible(title(box)) or (called(box) or "constant")
    kept = [_kept(saved) for saved in box.saved]
    memory = [("Shares memory with", box.shares)] if box.shares else []
    memory += [("Changed in place", visible(box.changed))] if box.changed else []
    return {
        "kind": box.kind,
        "title": name,
        "words": " ".join([name, box.operation, *paths, box.place]).lower(),
        "shape": visible(kind_of(box.shape, box.dtype)),
        "value": None if box.value is None else described(box.value, WRITTEN),
        "grad": None if original.grad is None else described(original.grad, WRITTEN),
        "saved": kept,
        "released": box.released,
        "place": visible(box.place),
        "modules": paths,
        "memory": memory,
        "inputs": inputs,
    }


def _kept(saved: Saved) -> list[Any]:
    if saved.dtype is None:
        return [visible(saved.name), visible(f"{saved.value!r:.80}"), "", None]
    told = described(saved.value, 8) if np.size(saved.value) <= 8 else None
    return [visible(saved.name), kind_of(saved.shape, saved.dtype), nbytes(saved.nbytes), told]


# ---------------------------------------------------------------------- layouts


class _Drawings:
    """SVG of each layout, with its name and depth; or why there is none."""

    def __init__(self) -> None:
        self.svgs: list[str] = []
        self.names: list[tuple[str, int | None]] = []
        self.missing = ""


def _layouts(graph: Snapshot, folding: Folding, shown: Shown, draw: Draw) -> tuple[list[Snapshot], int, _Drawings]:
    """The graph folded at each depth of modules that makes a difference, and which of them comes first."""
    made: list[Snapshot] = []
    drawings = _Drawings()
    deepest = max((len(box.scope) for box in graph.boxes), default=0)
    for depth in (*range(min(deepest, DEEP)), None):
        each = replace(folded(graph, replace(folding, depth=depth)), notes=[])
        if made and len(each.boxes) == len(made[-1].boxes):
            continue
        made.append(each)
        drawings.names.append((f"to depth {depth}", depth))
    drawings.names[-1] = ("all open", drawings.names[-1][1])
    try:
        drawings.svgs = [_svg(draw(each, shown)) for each in made]
    except RuntimeError as error:
        drawings.missing = str(error)
    return made, _first_shown(folding.depth, drawings), drawings


def _first_shown(wanted: Any, drawings: _Drawings) -> int:
    """The layout that was asked for; else the one with most open modules that can be read without zooming."""
    count = len(drawings.names)
    if wanted is None:
        return count - 1
    if wanted != "auto":
        depths = [count if depth is None else depth for _, depth in drawings.names]
        return max(i for i, depth in enumerate(depths) if i == 0 or depth <= wanted)
    readable = [i for i, svg in enumerate(drawings.svgs) if _scale(svg) >= READABLE]
    return readable[-1] if readable else 0


def _scale(svg: str) -> float:
    """How large a drawing is on a common screen."""
    size = re.search(r'width="([\d.]+)pt" height="([\d.]+)pt"', svg)
    return min(SCREEN[0] / float(size[1]), SCREEN[1] / float(size[2])) if size else 1.0


def _svg(drawn: str) -> str:
    """The SVG element alone, without the declarations and comments before it."""
    return re.sub(r"<!--.*?-->\s*", "", drawn[drawn.index("<svg") :], flags=re.DOTALL)


def _layout(graph: Snapshot, name: str, depth: int | None, told: Collection[str]) -> dict[str, Any]:
    """What the page knows of a layout: which box stands for which, and the calls in the order of their frames."""
    levels: dict[int, int] = {}
    calls = []
    for _, item in nested(graph):
        if isinstance(item, Call):
            around = -1 if item.parent is None else levels.get(item.parent, -1)
            levels[item.key] = around + (1 if item.kind else 0)
            calls.append({"title": call_title(item), "depth": levels[item.key]})
    folds = {
        box.id: {"kind": "fold", "title": visible(title(box)), "shape": "", "count": box.count * box.times}
        for box in graph.boxes
        if box.kind == "fold" or box.times > 1
    }
    stands = {gone: box for gone, box in graph.stands.items() if gone in told}
    return {"name": name, "depth": depth, "stands": stands, "folds": folds, "calls": calls}


def _list_of_steps(play: Play, boxes: Mapping[str, Box], why: str) -> str:
    """In place of a drawing: the boxes in the order in which the pass visits them."""
    order = [*play.visited, *(key for key in boxes if key not in play.visited)]
    names = {key: visible(title(boxes[key])) or called(boxes[key]) or key for key in order}
    items = "".join(
        f'<li><button type="button" data-box="{key}">{escape(name)}</button></li>' for key, name in names.items()
    )
    return f'<div class="fallback"><p>There is no drawing: {escape(why)}</p><ol>{items}</ol></div>'
