"""Padding: borders of a constant, of mirrored or of repeated entries, and the layers that put them on."""

from __future__ import annotations

from operator import index
from typing import Any

import numpy as np

from autograd.declare import linear
from autograd.dispatch import Differentiable
from nn.module import Module

__all__ = [
    "CircularPad1d", "CircularPad2d", "CircularPad3d", "ConstantPad1d", "ConstantPad2d", "ConstantPad3d",
    "ReflectionPad1d", "ReflectionPad2d", "ReflectionPad3d", "ReplicationPad1d", "ReplicationPad2d",
    "ReplicationPad3d", "ZeroPad1d", "ZeroPad2d", "ZeroPad3d", "pad",
]  # fmt: skip

Pairs = tuple[tuple[int, int], ...]


# ---------------------------------------------------------------------- borders of the array's own entries


def _sources(n: int, before: int, after: int, kind: str) -> Any:
    """Which of n entries each place of the padded axis repeats."""
    places = np.arange(-before, n + after)
    if kind == "replicate":
        return np.clip(places, 0, n - 1)
    if kind == "reflect":
        return n - 1 - np.abs(n - 1 - np.abs(places))
    first, last = max(-before, 0), n - max(-after, 0)
    return first + (places - first) % (last - first)


def _bordered(input: Any, pairs: Pairs, kind: str) -> Any:
    """``input`` with borders around its last axes, which repeat its own entries."""
    for axis, (before, after) in enumerate(pairs, input.ndim - len(pairs)):
        if before or after:
            input = input.take(_sources(input.shape[axis], before, after, kind), axis)
    return input


def _unbordered(output: Any, pairs: Pairs, kind: str, sides: tuple[int, ...]) -> Any:
    """The transpose of ``_bordered``: what lies on borders is added to the entries that it repeats."""
    for axis, (before, after) in enumerate(pairs, output.ndim - len(pairs)):
        if before or after:
            output = _added_back(output, axis, before, after, kind, sides[axis - output.ndim])
    return output


def _added_back(output: Any, axis: int, before: int, after: int, kind: str, n: int) -> Any:
    lead = (slice(None),) * axis
    first, last = max(-before, 0), n - max(-after, 0)
    total = np.zeros((*output.shape[:axis], n, *output.shape[axis + 1 :]), output.dtype)
    total[(*lead, slice(first, last))] = output[(*lead, slice(first + before, last + before))]
    sources = _sources(n, before, after, kind)
    for place in (*range(first + before), *range(last + before, len(sources))):
        total[(*lead, sources[place])] += output[(*lead, place)]
    return total


bordered: Any = linear(
    _bordered,
    input=lambda g, pairs, kind, input_shape: unbordered(g, pairs, kind, input_shape[len(input_shape) - len(pairs) :]),
)
unbordered: Any = linear(_unbordered, output=lambda g, pairs, kind: bordered(g, pairs, kind))


# ---------------------------------------------------------------------- the function


def pad(input: Any, pad: Any, mode: str = "constant", value: Any = None) -> Any:
    """``input`` with borders around its last axes.

    Parameters
    ----------
    input : any shape, or for modes other than "constant" 1 to 3 axes to pad after one or two others
    pad : ints
        (before, after) of the last axis, then of the last but one, and so on. Negative ones take entries away.
    mode : {"constant", "reflect", "replicate", "circular"}
        The border repeats ``value``; the entries next to the edge, mirrored at it; the edge; or the entries from
        the other end.
    value : number, optional
        For "constant"; 0 if None.

    Raises
    ------
    ValueError
        For another mode, an odd number of widths or too many, widths that leave less than nothing, mirrored
        borders as wide as the input and circular ones that are wider, and a ``value`` for other modes.
    """
    input = input if isinstance(input, Differentiable) else np.asarray(input)
    widths = tuple(map(index, pad))
    shape = input.shape
    if len(widths) % 2 or len(widths) > 2 * len(shape):
        raise ValueError(f"pad() takes two widths for each of at most {len(shape)} axes; got {widths}")
    pairs = tuple(zip(widths[-2::-2], widths[::-2], strict=True))
    padded = shape[len(shape) - len(pairs) :]
    if any(n + min(a, 0) + min(b, 0) < (mode != "constant") for n, (a, b) in zip(padded, pairs, strict=True)):
        raise ValueError(f"pad() of shape {shape} by {widths} in mode {mode!r}: nothing of the input would be left")
    if mode == "constant":
        return _constant(input, pairs, 0 if value is None else value)
    _check_border(shape, widths, pairs, mode, value)
    return bordered(input, pairs, mode)


def _constant(input: Any, pairs: Pairs, value: Any) -> Any:
    lead = len(input.shape) - len(pairs)
    if any(side < 0 for pair in pairs for side in pair):
        kept = (slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(input.shape[lead:], pairs, strict=True))
        input = input[(..., *kept)]
        pairs = tuple((max(a, 0), max(b, 0)) for a, b in pairs)
    return np.pad(input, ((0, 0),) * lead + pairs, constant_values=value)


def _check_border(shape: tuple[int, ...], widths: tuple[int, ...], pairs: Pairs, mode: str, value: Any) -> None:
    if mode not in ("reflect", "replicate", "circular"):
        raise ValueError(f"pad() has the modes 'constant', 'reflect', 'replicate' and 'circular'; got {mode!r}")
    if value is not None:
        raise ValueError(f"pad() in mode {mode!r} takes no value; got {value!r}")
    if len(shape) - len(pairs) not in (1, 2) or not 1 <= len(pairs) <= 3:
        raise ValueError(
            f"pad() in mode {mode!r} pads the last 1 to 3 axes of inputs that have one or two more; got {widths} "
            f"for shape {shape}"
        )
    for n, pair in zip(shape[-len(pairs) :], pairs, strict=True):
        limit = {"reflect": n - 1, "circular": n}.get(mode, max(pair))
        if max(pair) > limit:
            raise ValueError(f"pad() in mode {mode!r} of a side of {n} takes widths up to {limit}; got {pair}")


# ---------------------------------------------------------------------- modules


class _Pad(Module):
    """Pads the last ``ndim`` axes; ``padding`` is one width for all sides, or as of :func:`pad`."""

    ndim: int
    mode: str = "constant"

    def __init__(self, padding: Any) -> None:
        super().__init__()
        widths = tuple(map(index, padding)) if isinstance(padding, (tuple, list)) else (index(padding),) * 2 * self.ndim
        if len(widths) != 2 * self.ndim:
            raise ValueError(f"{type(self).__name__}() takes an integer or {2 * self.ndim} of them; got {padding!r}")
        self.padding = widths

    def forward(self, input: Any) -> Any:
        return pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPad(_Pad):
    """Pads with ``value``."""

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Any) -> Any:
        return pad(input, self.padding, value=self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPad):
    """A constant around the last axis: ``padding`` is an integer or (left, right)."""

    ndim = 1


class ConstantPad2d(_ConstantPad):
    """A constant around the last two axes: ``padding`` is an integer or (left, right, top, bottom)."""

    ndim = 2


class ConstantPad3d(_ConstantPad):
    """A constant around the last three axes: ``padding`` is an integer or (left, right, top, bottom, front, back)."""

    ndim = 3


class ZeroPad1d(_Pad):
    """Zeros around the last axis; ``padding`` as of :class:`ConstantPad1d`."""

    ndim = 1


class ZeroPad2d(_Pad):
    """Zeros around the last two axes; ``padding`` as of :class:`ConstantPad2d`."""

    ndim = 2


class ZeroPad3d(_Pad):
    """Zeros around the last three axes; ``padding`` as of :class:`ConstantPad3d`."""

    ndim = 3


class ReflectionPad1d(_Pad):
    """Entries mirrored at the edge, which is not repeated, around the last axis of (N, C, W) or (C, W)."""

    ndim = 1
    mode = "reflect"


class ReflectionPad2d(_Pad):
    """Entries mirrored at the edge, which is not repeated, around the last two axes of (N, C, H, W) or (C, H, W)."""

    ndim = 2
    mode = "reflect"


class ReflectionPad3d(_Pad):
    """Entries mirrored at the edge, which is not repeated, around the last three of four or five axes."""

    ndim = 3
    mode = "reflect"


class ReplicationPad1d(_Pad):
    """The edge repeated around the last axis of (N, C, W) or (C, W)."""

    ndim = 1
    mode = "replicate"


class ReplicationPad2d(_Pad):
    """The edge repeated around the last two axes of (N, C, H, W) or (C, H, W)."""

    ndim = 2
    mode = "replicate"


class ReplicationPad3d(_Pad):
    """The edge repeated around the last three of four or five axes."""

    ndim = 3
    mode = "replicate"


class CircularPad1d(_Pad):
    """Entries from the other end, as on a ring, around the last axis of (N, C, W) or (C, W)."""

    ndim = 1
    mode = "circular"


class CircularPad2d(_Pad):
    """Entries from the other end, as on a torus, around the last two axes of (N, C, H, W) or (C, H, W)."""

    ndim = 2
    mode = "circular"


class CircularPad3d(_Pad):
    """Entries from the other end, as on a torus, around the last three of four or five axes."""

    ndim = 3
    mode = "circular"
