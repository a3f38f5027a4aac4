"""A page that plays the backward pass: one HTML file with everything in it, which asks nothing of any network."""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np

from autograd.draw.describe import kind_of, nbytes, not_finite, numbers, statistics
from autograd.draw.equation import equation
from autograd.draw.folding import Folding, folded
from autograd.draw.formula import Mathml, Symbol, fresh_names, number
from autograd.draw.label import Shown, call_title, title, visible
from autograd.draw.modules import Call
from autograd.draw.nesting import nested
from autograd.draw.replay import Step, replay
from autograd.draw.snapshot import Box, Saved, Snapshot, argument_names
from autograd.graph import Leaf, Node
from autograd.outputs import Cotangents

__all__ = ["page"]

STEPS = 4000  # steps that a page carries
WRITTEN = 64  # entries of an array that the panel writes out
SCREEN = (900, 560)  # pixels for the drawing on a common screen
READABLE = 0.6  # how much smaller than intended a drawing may be
DEEP = 8  # levels of modules for which there is a layout

Draw = Callable[[Snapshot, Shown], str]


def page(graph: Snapshot, folding: Folding, shown: Shown, draw: Draw) -> str:
    """The HTML of a page on ``graph``; ``draw`` makes SVG of a snapshot, or raises RuntimeError."""
    play = _Play(graph, shown)
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
        "layouts": [_layout(each, name, depth) for each, (name, depth) in zip(layouts, drawings.names, strict=True)],
    }
    first = drawings.svgs[start] if drawings.svgs else _list_of_steps(play, boxes, drawings.missing)
    templates = "".join(f'<template id="layout-{i}">{svg}</template>\n' for i, svg in enumerate(drawings.svgs))
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
    script = assets.joinpath("page.js").read_text(encoding="utf-8")
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
    many = lambda n, word: f"{n:,} {word}{'' if n == 1 else 's'}"
    told = [many(operations, "operation"), "1 leaf" if leaves == 1 else f"{leaves:,} leaves"]
    return " · ".join([*told, f"keeps {nbytes(sum(kept.values()))} for its rules"] if kept else told)


# ---------------------------------------------------------------------- the backward pass


class _Play:
    """The steps of the backward pass, in words, formulas and numbers."""

    def __init__(self, graph: Snapshot, shown: Shown) -> None:
        self.graph = replace(graph, boxes=[replace(box) for box in graph.boxes], edges=[*map(replace, graph.edges)])
        self.notes = list(graph.notes)
        self.equations: list[dict[str, Any]] = []
        self.steps: list[dict[str, Any]] = []
        self.seeds: list[Any] = []
        self.visited: dict[str, None] = {}
        self.beginning = ""
        self._max_size = shown.max_size
        self._keeps_all = shown.grads == "all"
        self._arrived: dict[str, Any] = {}
        self._known: dict[Any, int] = {}
        self._boxes = {box.id: box for box in self.graph.boxes}
        self._ids: dict[Node, str] = {box.node: box.id for box in self.graph.boxes if box.node is not None}
        roots = [self._boxes[root] for root in graph.roots if self._boxes[root].node is not None]
        self.loss = visible(roots[0].label) if len(roots) == 1 and roots[0].label else "L"
        self._name_all(roots)
        self._edges: dict[tuple[str, str], list[Any]] = defaultdict(list)
        self._labels: dict[str, dict[str, str]] = defaultdict(dict)
        for edge in self.graph.edges:
            edge.derivative = ""
            self._edges[edge.source, edge.target].append(edge)
            label = _called(self._boxes[edge.source])
            if label and edge.argument:
                self._labels[edge.target][edge.argument] = label
        if roots:
            self._play(roots)
        if self.steps:
            for box in self.graph.boxes:
                box.grad = self._arrived.get(box.id)

    def _name_all(self, roots: list[Box]) -> None:
        """Names for what has none, so that equations can speak of it."""
        if len(roots) == 1:
            roots[0].label = roots[0].label or self.loss
        taken = {box.label for box in self.graph.boxes}
        computed, constants = fresh_names("z", taken), fresh_names("c", taken)
        for box in self.graph.boxes:
            if not box.label and (box.kind != "constant" or np.size(box.value) != 1):
                box.label = next(constants if box.kind == "constant" else computed)

    def _play(self, roots: list[Box]) -> None:
        seeds = [(box.node, np.ones(box.shape, box.dtype)) for box in roots if box.node is not None]
        if len(roots) > 1 or roots[0].shape != ():
            what = " and ".join(visible(box.label) or title(box) for box in roots[:3]) + (
                "" if len(roots) < 4 else " …"
            )
            self.notes.append(f"The pass starts with ones: {self.loss} is the sum of the entries of {what}.")
        hooked = sum(1 for box in self.graph.boxes if box.node is not None and _has_hooks(box.node))
        if hooked:
            self.notes.append(f"Hooks on {hooked:,} tensor{'' if hooked == 1 else 's'} were not run.")
        try:
            for step in replay(seeds):
                if len(self.steps) == STEPS:
                    total = len(self._ids)
                    self.notes.append(f"The first {STEPS:,} steps of {total:,} are shown, those nearest to the result.")
                    break
                self._add(step)
        except Exception as error:  # a rule may be the user's own, and raise anything
            self.notes.append(f"The pass {'ends early' if self.steps else 'cannot be played'}: {error}")
        if self.steps:
            self.beginning = f"{self._partial(roots[0])}<mo>=</mo><mn>1</mn>"
            self.seeds = [[box.id, self._told(g)] for box, (_, g) in zip(roots, seeds, strict=True)]

    def _add(self, step: Step) -> None:
        box = self._boxes[self._ids[step.node]]
        self.visited[box.id] = None
        if not isinstance(step.cotangent, Cotangents) and (
            self._keeps_all or np.size(step.cotangent) <= self._max_size
        ):
            self._arrived[box.id] = step.cotangent
        terms = [self._term(step, box, term) for term in step.terms]
        arrived = self._told(step.cotangent)
        line = arrived["lines"][0] if len(arrived["lines"]) == 1 else ""
        arrived["math"] = _math_of(step.cotangent, line)
        said = [
            f"Step {len(self.steps) + 1}: {title(box)}. Gradient {line or kind_of(step.node.shape, step.node.dtype)}."
        ]
        said += [term.pop("spoken") for term in terms]
        entry = {"box": box.id, "name": self._partial(box), "arrived": arrived, "terms": terms}
        self.steps.append({**entry, "spoken": visible(" ".join(said))})

    def _term(self, step: Step, box: Box, term: Any) -> dict[str, Any]:
        parent = self._boxes[self._ids[term.parent]]
        argument = argument_names(step.node)[term.position]
        between = self._edges[parent.id, box.id]
        k = next((i for i, edge in enumerate(between) if edge.argument == argument), 0)
        labels = {**self._labels[box.id], "out": visible(box.label)}
        made = equation(step.node, term.position, step.cotangent, term.value, labels, self.loss)
        value = self._told(term.value)
        if between and _is_number(term.value):
            between[k].derivative = value["lines"][0]
        numbers_of = made.steps_in_numbers("mathml")
        spoken = f"{made.text}{' = ' + made.numbers() if numbers_of else ''}."
        return {
            "to": parent.id,
            "edge": k,
            "value": value,
            "total": self._told(term.total),
            "equation": self._equation(made),
            "numbers": numbers_of,
            "spoken": spoken,
        }

    def _equation(self, made: Any) -> int:
        key = (made.left.mathml, made.right("mathml"))
        if key not in self._known:
            self._known[key] = len(self.equations)
            entry: dict[str, Any] = {"left": key[0], "right": key[1]}
            self.equations.append({**entry, "long": 1} if made.formula is None else entry)
        return self._known[key]

    def _partial(self, box: Box) -> str:
        return Symbol.partial(Symbol(self.loss), Symbol(visible(box.label))).mathml

    def _told(self, value: Any) -> dict[str, Any]:
        return _described(value, self._max_size)


def _called(box: Box) -> str:
    """What a box is called in equations: its label, or its number."""
    if box.label or box.kind != "constant" or np.size(box.value) != 1:
        return visible(box.label)
    return number(box.value)


def _is_number(value: Any) -> bool:
    return not isinstance(value, Cotangents) and np.size(value) == 1


def _has_hooks(node: Node) -> bool:
    return any(key >= 0 for key in node.hooks or ())  # below 0 are the engine's own


def _described(value: Any, limit: int) -> dict[str, Any]:
    """An array in lines of text: its entries, or what they are like; and how many are not finite."""
    if isinstance(value, Cotangents):
        parts = [(i, _described(g, limit)) for i, g in sorted(value.terms.items())]
        return {"lines": [f"output {i}: {line}" for i, part in parts for line in part["lines"]], "alarm": ""}
    array = np.asarray(value)
    lines = numbers(array) if array.size <= limit else [kind_of(array.shape, array.dtype), *statistics(array)]
    alarm = not_finite(array)
    if alarm and array.size == 1:
        return {"lines": lines, "alarm": ""}
    return {"lines": [_minus(line) for line in lines], "alarm": f"{alarm} of {array.size:,}" if alarm else ""}


def _minus(line: str) -> str:
    return re.sub(r"(?<![\w.])-(?=[\d.])|(?<=e)-(?=\d)", "−", line)


def _math_of(value: Any, line: str) -> str:
    if _is_number(value) and np.shape(value) == ():
        return Mathml({}).write(ast.Constant(np.asarray(value).item()))
    return f"<mtext>{escape(line)}</mtext>"


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
    name = visible(title(box)) or (_called(box) or "constant")
    kept = [_kept(saved) for saved in box.saved]
    memory = [("Shares memory with", box.shares)] if box.shares else []
    memory += [("Changed in place", visible(box.changed))] if box.changed else []
    return {
        "kind": box.kind,
        "title": name,
        "words": " ".join([name, box.operation, *paths, box.place]).lower(),
        "shape": visible(kind_of(box.shape, box.dtype)),
        "value": None if box.value is None else _described(box.value, WRITTEN),
        "grad": None if original.grad is None else _described(original.grad, WRITTEN),
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
    told = _described(saved.value, 8) if np.size(saved.value) <= 8 else None
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
    for depth in (*range(DEEP), None):
        each = folded(graph, replace(folding, depth=depth))
        if made and len(each.boxes) == len(made[-1].boxes):
            continue
        made.append(replace(each, notes=[]))
        drawings.names.append((f"to depth {depth}", depth))
        if not any(box.kind == "fold" and box.dtype is None for box in each.boxes):
            break
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
        return max(i for i, (_, depth) in enumerate(drawings.names) if i == 0 or depth is None or depth <= wanted)
    readable = [i for i, svg in enumerate(drawings.svgs) if _scale(svg) >= READABLE]
    return readable[-1] if readable else 0


def _scale(svg: str) -> float:
    """How large a drawing is on a common screen."""
    size = re.search(r'width="([\d.]+)pt" height="([\d.]+)pt"', svg)
    return min(SCREEN[0] / float(size[1]), SCREEN[1] / float(size[2])) if size else 1.0


def _svg(drawn: str) -> str:
    """The SVG element alone, without the declarations and comments before it."""
    return re.sub(r"<!--.*?-->\s*", "", drawn[drawn.index("<svg") :], flags=re.DOTALL)


def _layout(graph: Snapshot, name: str, depth: int | None) -> dict[str, Any]:
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
    return {"name": name, "depth": depth, "stands": graph.stands, "folds": folds, "calls": calls}


def _list_of_steps(play: _Play, boxes: Mapping[str, Box], why: str) -> str:
    """In place of a drawing: the boxes in the order in which the pass visits them."""
    order = [*play.visited, *(key for key in boxes if key not in play.visited)]
    items = "".join(
        f'<li data-box="{key}" tabindex="0" role="button">{escape(title(boxes[key]) or key)}</li>' for key in order
    )
    return f'<div class="fallback"><p>There is no drawing: {escape(why)}</p><ol>{items}</ol></div>'
