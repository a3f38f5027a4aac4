"""The steps of a backward pass as a page tells them: in words, formulas and numbers."""

from __future__ import annotations

import ast
import math
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from html import escape
from typing import Any

import numpy as np

from autograd.draw.describe import kind_of, not_finite, numbers, statistics
from autograd.draw.equation import Equation, equation
from autograd.draw.formula import Mathml, Symbol, fresh_names, number
from autograd.draw.label import Shown, title, visible
from autograd.draw.replay import Step, Term, replay
from autograd.draw.snapshot import Box, Edge, Snapshot, argument_names
from autograd.graph import Node
from autograd.outputs import Cotangents, Pick

__all__ = ["Play", "called", "described"]

STEPS = 2000  # steps that a page carries


class Play:
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
        self._drawn_size = math.inf if shown.grads == "all" else shown.max_size
        self._arrived: dict[str, Any] = {}
        self._known: dict[Any, int] = {}
        self._boxes = {box.id: box for box in self.graph.boxes}
        self._ids: dict[Node, str] = {box.node: box.id for box in self.graph.boxes if box.node is not None}
        roots = [self._boxes[root] for root in graph.roots if self._boxes[root].node is not None]
        self.loss = self._name_all(roots)
        self._edges: dict[tuple[str, str], list[Edge]] = defaultdict(list)
        self._labels: dict[str, dict[str, str]] = defaultdict(dict)
        for edge in self.graph.edges:
            edge.derivative = ""
            self._edges[edge.source, edge.target].append(edge)
            label = called(self._boxes[edge.source])
            if label and edge.argument:
                self._labels[edge.target][edge.argument] = label
        if roots:
            self._play(roots)
        if self.steps:
            for box in self.graph.boxes:
                box.grad = self._arrived.get(box.id)

    def _name_all(self, roots: list[Box]) -> str:
        """Names for what has none, so that equations can speak of it; and what the pass differentiates."""
        taken = {box.label for box in self.graph.boxes}
        loss = next(name for name in ("L", "ℒ", "loss") if name not in taken or name == "loss")
        if _is_one_scalar(roots):
            loss = roots[0].label = roots[0].label or loss
        computed, constants = fresh_names("z", taken), fresh_names("c", taken)
        for box in self.graph.boxes:
            if not box.label and (box.kind != "constant" or np.size(box.value) != 1):
                box.label = next(constants if box.kind == "constant" else computed)
        return visible(loss)

    def _play(self, roots: list[Box]) -> None:
        seeds = [(box.node, np.ones(box.shape, box.dtype)) for box in roots if box.node is not None]
        if not _is_one_scalar(roots):
            what = " and ".join(visible(box.label) for box in roots[:3]) + ("" if len(roots) < 4 else " and others")
            self.notes.append(f"The pass starts with ones: {self.loss} is the sum of the entries of {what}.")
        hooked = sum(1 for box in self.graph.boxes if box.node is not None and _has_hooks(box.node))
        if hooked:
            self.notes.append(f"Hooks on {hooked:,} tensor{'' if hooked == 1 else 's'} were not run.")
        steps = replay(seeds)
        while (step := self._next(steps)) is not None:
            self._add(step)
        if self.steps:
            self.beginning = f"{self._partial(roots[0])}<mo>=</mo><mn>1</mn>"
            self.seeds = [[box.id, self._told(g)] for box, (_, g) in zip(roots, seeds, strict=True)]

    def _next(self, steps: Iterator[Step]) -> Step | None:
        """The next step, unless there is none, or none that can be shown."""
        if len(self.steps) == STEPS:
            total = len(self._ids)
            self.notes.append(f"The first {STEPS:,} steps of {total:,} are shown, those nearest to the result.")
            return None
        try:
            return next(steps, None)
        except Exception as error:  # a rule may be the user's own, and raise anything
            self.notes.append(f"The pass {'ends early' if self.steps else 'cannot be played'}: {error}")
            return None

    def _add(self, step: Step) -> None:
        box = self._boxes[self._ids[step.node]]
        self.visited[box.id] = None
        if not isinstance(step.cotangent, Cotangents) and np.size(step.cotangent) <= self._drawn_size:
            self._arrived[box.id] = step.cotangent
        terms = [self._term(step, box, term) for term in step.terms]
        arrived = self._told(step.cotangent)
        line = arrived["lines"][0] if len(arrived["lines"]) == 1 else ""
        arrived["math"] = _math_of(step.cotangent, line)
        what = line or kind_of(step.node.shape, step.node.dtype)
        said = [f"Step {len(self.steps) + 1}: {title(box)}. Gradient {what}."]
        said += [term.pop("spoken") for term in terms]
        entry = {"box": box.id, "name": self._partial(box), "arrived": arrived, "terms": terms}
        self.steps.append({**entry, "spoken": visible(" ".join(said))})

    def _term(self, step: Step, box: Box, term: Term) -> dict[str, Any]:
        parent = self._boxes[self._ids[term.parent]]
        argument = argument_names(step.node)[term.position]
        between = self._edges[parent.id, box.id]
        k = next((i for i, edge in enumerate(between) if edge.argument == argument), 0)
        labels = {**self._labels[box.id], "out": visible(box.label)}
        if isinstance(step.node.primitive, Pick):
            labels["x"] = f"{visible(parent.label)}[{step.node.primitive.index}]"
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

    def _equation(self, made: Equation) -> int:
        key = (made.left.mathml, made.right("mathml"))
        if key not in self._known:
            self._known[key] = len(self.equations)
            entry: dict[str, Any] = {"left": key[0], "right": key[1]}
            self.equations.append({**entry, "long": 1} if made.formula is None else entry)
        return self._known[key]

    def _partial(self, box: Box) -> str:
        return Symbol.partial(Symbol(self.loss), Symbol(visible(box.label))).mathml

    def _told(self, value: Any) -> dict[str, Any]:
        return described(value, self._max_size)


def _is_one_scalar(roots: list[Box]) -> bool:
    return len(roots) == 1 and roots[0].shape == ()


def called(box: Box) -> str:
    """What a box is called in equations: its label, or its number."""
    if box.label or box.kind != "constant" or np.size(box.value) != 1:
        return visible(box.label)
    return number(box.value)


def _is_number(value: Any) -> bool:
    return not isinstance(value, Cotangents) and np.size(value) == 1


def _has_hooks(node: Node) -> bool:
    return any(key >= 0 for key in node.hooks or ())  # below 0 are the engine's own


def described(value: Any, limit: int) -> dict[str, Any]:
    """An array in lines of text: its entries, or what they are like; and how many are not finite."""
    if isinstance(value, Cotangents):
        parts = [(i, described(g, limit)) for i, g in sorted(value.terms.items())]
        heads = (
            (f"output {i}: " if j == 0 else " " * 10, line) for i, part in parts for j, line in enumerate(part["lines"])
        )
        return {"lines": [head + line for head, line in heads], "alarm": ""}
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
