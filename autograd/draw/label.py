"""What a picture shows of a box, line by line; the writers set the lines in their own way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np

from autograd.draw.describe import alike, kind_of, nbytes, not_finite, numbers, statistics
from autograd.draw.modules import SEVERAL, Call
from autograd.draw.snapshot import Box, Snapshot

__all__ = ["Detail", "Line", "Outer", "Shown", "call_title", "lines", "settled", "title", "visible"]

Detail = Literal["small", "all", "none"]


@dataclass(frozen=True)
class Shown:
    """The switches of ``draw`` that say what is written in the boxes."""

    values: Detail = "small"
    grads: Detail = "small"
    shapes: bool = True
    saved: bool = False
    memory: bool = False
    places: bool = False
    max_size: int = 6


class Line(NamedTuple):
    """A line of a box; ``role`` is "title", "shape", "value", "grad", "alarm" or "detail"."""

    role: str
    text: str


def visible(text: str) -> str:
    """Control characters written out."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def within(path: str, outer: str) -> str:
    """A path as seen from the module ``outer``."""
    return path.removeprefix(f"{outer}.") if outer else path


def title(box: Box, outer: str = "") -> str:
    """The operation in words, the name as seen from the module ``outer``, or both."""
    label = within(box.label, outer)
    if box.kind == "constant":
        name = label
    elif not box.operation:
        name = label or "leaf"
    else:
        operation, joint = (box.operation, ": ") if box.kind == "fold" else (box.operation.replace("_", " "), " = ")
        name = f"{label}{joint}{operation}" if label else operation
    return f"{name} × {box.times:,}" if box.times > 1 else name


def lines(box: Box, shown: Shown, outer: str = "") -> list[Line]:
    """What is shown of a box, with names as seen from the module ``outer``."""
    found = []
    name = title(box, outer)
    if name:
        found.append(Line("title", visible(name)))
    if box.module:
        found.append(Line("detail", visible(within(box.module, outer))))
    if shown.shapes and box.dtype is not None and (box.shape != () or box.kind != "constant"):
        found.append(Line("shape", kind_of(box.shape, box.dtype)))
    elif shown.shapes and box.kind == "fold" and box.shape is not None:
        found.append(Line("shape", alike(map(str, box.shape))))
    if box.parameters:
        found.append(Line("shape", parameters(box.parameters, box.label)))
    found += values(box, shown) if box.written is None else [Line(*line) for line in box.written]
    if shown.saved:
        found += _saved(box)
    if shown.memory:
        found += _memory(box)
    if shown.places and box.place:
        found.append(Line("detail", visible(box.place)))
    return found


def values(box: Box, shown: Shown) -> list[Line]:
    """What is shown of a box's value and gradient."""
    found = []
    for role, prefix, array, detail in (
        ("value", "", box.value, shown.values),
        ("grad", "grad ", box.grad, shown.grads),
    ):
        if array is not None and detail != "none":
            found += _described(role, prefix, array, detail, shown.max_size)
    return found


def settled(graph: Snapshot, shown: Shown) -> Snapshot:
    """The graph with its values as they are now, whatever is written into their arrays later."""
    return replace(graph, boxes=[replace(box, written=values(box, shown)) for box in graph.boxes])


def _described(role: str, prefix: str, array: Any, detail: Detail, max_size: int) -> list[Line]:
    size = np.size(array)
    written: list[str] = []
    if size <= max_size:
        written = numbers(array)
    elif detail == "all":
        written = statistics(array)
    found = [Line(role, (prefix if i == 0 else "") + text) for i, text in enumerate(written)]
    alarm = not_finite(array)
    if alarm and size == 1:
        return [Line("alarm", line.text) for line in found] or [Line("alarm", prefix + alarm)]
    return [*found, Line("alarm", f"{prefix}{alarm} of {size:,}")] if alarm else found


def _saved(box: Box) -> list[Line]:
    if box.released:
        return [Line("detail", "saved: released")]
    kept = [f"{s.name} {nbytes(s.nbytes)}" if s.dtype is not None else _plainly(s.name, s.value) for s in box.saved]
    return [Line("detail", visible(f"saved: {', '.join(kept)}"))] if kept else []


def _plainly(name: str, value: Any) -> str:
    written = repr(value)
    return f"{name} = {written if len(written) <= 24 else type(value).__name__}"


def _memory(box: Box) -> list[Line]:
    found = []
    if box.shares:
        found.append(Line("detail", f"same memory as {box.shares}"))
    if box.changed:
        found.append(Line("detail", visible(f"changed in place by {box.changed}")))
    if box.stale:
        found.append(Line("alarm", "a saved array was changed since: backward() will refuse"))
    return found


def call_title(call: Call, outer: str = "") -> str:
    """Path and class, how many alike, what comes out, and the number of parameters."""
    path = within(call.path, outer)
    name = f"{path}: {call.kind}" if path else call.kind
    if call.times > 1:
        name = f"{name} × {call.times:,}".strip()
    parts = [name]
    if call.output_shapes:
        parts.append(f"→ {alike(map(str, call.output_shapes))}")
    if call.parameters:
        parts.append(parameters(call.parameters, call.path))
    return visible("  ".join(parts))


def parameters(count: int, path: str) -> str:
    return f"{count:,} parameters{' each' if SEVERAL in path else ''}"


class Outer:
    """The paths from which names are seen: of the call around a call or a box, and around that for parameters."""

    def __init__(self, calls: Mapping[int, Call]) -> None:
        self._calls = calls

    def of(self, item: Box | Call) -> str:
        if isinstance(item, Call):
            return self._path(item.parent)
        key = item.scope[-1] if item.scope else None
        if key is not None and not item.operation:
            key = self._calls[key].parent
        return self._path(key)

    def _path(self, key: int | None) -> str:
        while key is not None and not self._calls[key].path:
            key = self._calls[key].parent
        return "" if key is None else self._calls[key].path
