"""What a picture shows of a box, line by line; the writers set the lines in their own way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from autograd.draw.describe import kind_of, nbytes, not_finite, numbers, statistics
from autograd.draw.modules import Call
from autograd.draw.snapshot import Box

__all__ = ["Detail", "Line", "Shown", "call_title", "lines", "title", "visible"]

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


def title(box: Box) -> str:
    """The operation in words, the name, or both."""
    if box.kind == "constant":
        name = box.label
    elif not box.operation:
        name = box.label or "leaf"
    else:
        operation, joint = (box.operation, ": ") if box.kind == "fold" else (box.operation.replace("_", " "), " = ")
        name = f"{box.label}{joint}{operation}" if box.label else operation
    return f"{name} × {box.times:,}" if box.times > 1 else name


def lines(box: Box, shown: Shown) -> list[Line]:
    """What is shown of a box."""
    found = []
    name = title(box)
    if name:
        found.append(Line("title", visible(name)))
    if box.module:
        found.append(Line("detail", visible(box.module)))
    if shown.shapes and box.dtype is not None and (box.shape != () or box.kind != "constant"):
        found.append(Line("shape", kind_of(box.shape, box.dtype)))
    elif shown.shapes and box.kind == "fold" and box.shape is not None:
        found.append(Line("shape", ", ".join(map(str, box.shape))))
    if box.parameters:
        found.append(Line("shape", f"{box.parameters:,} parameters"))
    for role, prefix, array, detail in (
        ("value", "", box.value, shown.values),
        ("grad", "grad ", box.grad, shown.grads),
    ):
        if array is not None and detail != "none":
            found += _described(role, prefix, array, detail, shown.max_size)
    if shown.saved:
        found += _saved(box)
    if shown.memory:
        found += _memory(box)
    if shown.places and box.place:
        found.append(Line("detail", visible(box.place)))
    return found


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


def call_title(call: Call, write: Callable[[str], str] = visible) -> str:
    """Path and class, what comes out, and the number of parameters; how many alike."""
    name = f"{call.path}: {call.kind}" if call.path else call.kind
    if call.times > 1:
        name = f"{name} × {call.times:,}" if name else f"× {call.times:,}"
    parts = [name]
    if call.output_shapes:
        parts.append(f"→ {', '.join(map(str, call.output_shapes))}")
    if call.parameters:
        parts.append(f"{call.parameters:,} parameters")
    return write("  ".join(parts))
