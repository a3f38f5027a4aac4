"""The call paths of primitives, written out as Python source.

A small operation costs little more than the Python calls and loops on its way, so each primitive gets
a forward function with its own signature and a pullback without loops, as ``dataclasses`` write an
``__init__``. For ``multiply(x, y)`` they read, in short::

    def call(x, y):
        if isinstance(x, Tensor): x_, to_x, tensors = x._data, x._node, True
        elif type(x) in PLAIN: x_, to_x = x, None
        else: return general(x, y)
        ...                                             # the same for y
        out = fun(x_, y_)
        if (to_x is None and to_y is None) or not (mode := recording()):
            return wrap(out, None)
        node = Node()
        node.parents = (to_x, to_y)
        node.saved = (x_ if to_y is not None else None, y_ if to_x is not None else None, None)
        ...

    def pullback(node, g):
        to_x, to_y, = node.parents
        saved = node.saved
        return (None if to_x is None else g * saved[1], None if to_y is None else g * saved[0])

Whatever is rare (dual numbers, lists, several outputs) goes to the primitive's general path.
"""

from __future__ import annotations

import linecache
import zlib
from collections.abc import Callable, Sequence
from functools import cache
from types import CodeType
from typing import Any

import numpy as np

from autograd.dispatch import Differentiable
from autograd.graph import Node, recording
from autograd.memory import clock
from autograd.operands import PLAIN, describe
from autograd.tensor import Tensor, wrap

__all__ = ["write_call", "write_pullback"]


def write_call(declared: Any, general: Callable[..., Any], fun: Callable[..., Any], entrywise: bool) -> Any:
    """The forward function of a primitive with a fixed signature.

    ``general`` takes the same arguments and handles every case; ``entrywise`` primitives are known to
    return a fresh array of the broadcast shape.
    """
    names, slots = declared.names, [declared.names[i] for i in declared.slots]
    options = [n for n in names if n not in slots]
    arguments = ", ".join(names)
    none = " and ".join(f"to_{x} is None" for x in slots)
    lines = [f"def call({_signature(declared)}):", "    tensors = False"]
    for x in slots:
        absent = f" or {x} is None" if declared.defaults[names.index(x)] is None else ""
        lines += [
            f"    if type({x}) is Tensor or isinstance({x}, Tensor):",
            f"        {x}_ = {x}._data",
            f"        to_{x} = {x}._node",
            "        tensors = True",
            f"    elif type({x}) in PLAIN{absent}:",
            f"        {x}_ = {x}",
            f"        to_{x} = None",
            "    else:",
            f"        return general({arguments})",
        ]
    unusual = "".join(f" or isinstance({option}, Differentiable)" for option in options)
    operands = ", ".join(f"{x}_" for x in slots)
    values = ", ".join(f"{n}_" if n in slots else n for n in names)
    lines += [
        f"    if not tensors{unusual}:",
        f"        return general({arguments})",
        "    try:",
        f"        out = fun({values})",
        "    except Exception as error:",
        f"        error.add_note(describe(name, ({operands},)))",
        "        raise",
    ]
    if not entrywise:
        inputs = f"({', '.join(slots)},), ({operands},)"
        lines += [
            f"    if type(out) is tuple or (out.dtype is not float64 and out.dtype.kind not in 'fc' and not ({none})):",
            f"        return declared.finish([{values}], {inputs}, out)",
        ]
    lines += [
        f"    if ({none}) or not (mode := recording()):",
        "        node = None",
        "    else:",
        "        node = Node()",
        "        node.order = tick()",
        "        node.primitive = declared",
        f"        node.parents = ({', '.join(f'to_{x}' for x in slots)},)",
        f"        node.saved = {_saved(declared)}",
        f"        node.shape = {_shape(slots) if entrywise else 'out.shape'}",
        "        node.dtype = out.dtype",
        "        node.hooks = None",
        "        if mode is not True:",
        "            mode.observe(node)",
        "    result = new(Tensor)",
        "    result._data = out",
        "    result._node = node",
        "    result._grad = None",
        "    result._family = None",
        "    result.name = None",
    ]
    if not entrywise:
        same = " or ".join(f"out is {x}_" for x in slots)
        lines += [
            f"    if type(out) is ndarray and (out.base is not None or {same}):",
            f"        declared.relate({inputs}, out, result)",
        ]
    lines.append("    return result")
    scope = {
        "declared": declared, "name": declared.name, "general": general, "fun": fun, "describe": describe,
        "Tensor": Tensor, "Differentiable": Differentiable, "PLAIN": PLAIN, "Node": Node, "recording": recording.get,
        "tick": clock.__next__, "new": object.__new__, "wrap": wrap, "ndarray": np.ndarray,
        "float64": np.dtype(np.float64), "getshape": np.shape,
        **{f"default_{n}": value for n, value in zip(names, declared.defaults, strict=True)},
    }  # fmt: skip
    return _made("call", lines, scope)


def _signature(declared: Any) -> str:
    required = declared.required
    return ", ".join(n if i < required else f"{n}=default_{n}" for i, n in enumerate(declared.names))


def _saved(declared: Any) -> str:
    """Source of what a node keeps: (arguments…, out, shapes…), each only where a wanted rule names it."""
    slots = [declared.names[i] for i in declared.slots]
    values = [*(f"{n}_" if n in slots else n for n in declared.names), "out", *(f"getshape({x}_)" for x in slots)]
    entries = [_kept(value, wanting) for value, wanting in zip(values, declared.wanting, strict=True)]
    while len(entries) > len(declared.names) + 1 and entries[-1] == "None":
        entries.pop()
    return f"({', '.join(entries)},)"


def _kept(value: str, wanting: Sequence[str] | None) -> str:
    """``value`` where a rule of an argument in ``wanting`` will run; None stands for every rule."""
    if wanting is None:
        return value
    if not wanting:
        return "None"
    return f"{value} if {' or '.join(f'to_{x} is not None' for x in wanting)} else None"


def _shape(slots: Sequence[str]) -> str:
    """The output's shape, taken from a parent where that is certain: cheaper than asking the array."""
    if len(slots) == 1:
        return "out.shape"
    if len(slots) == 2:
        x, y = slots
        known = f"to_{x} is not None and to_{y} is not None and to_{x}.shape == to_{y}.shape"
        return f"to_{x}.shape if {known} else out.shape"
    return "out.shape"


def write_pullback(
    parents: Sequence[str], terms: Sequence[str] | str, scope: dict[str, Any], conjugating: Any = None
) -> Any:
    """A reverse rule.

    ``terms`` has for each parent the source of its cotangent, in ``saved``, ``g`` and the names of
    ``scope``; or is the source of all of them together. For complex outputs ``conjugating`` takes over.
    """
    lines = ["def pullback(node, g):"]
    if conjugating is not None:
        lines.append("    if node.dtype is not float64 and node.dtype.kind == 'c': return conjugating(node, g)")
    lines.append("    saved = node.saved")
    if parents:
        lines.append(f"    {''.join(f'to_{x}, ' for x in parents)} = node.parents")
    if isinstance(terms, str):
        lines.append(f"    return {terms}")
    else:
        pairs = zip(parents, terms, strict=True)
        lines.append(f"    return ({''.join(f'None if to_{x} is None else {term}, ' for x, term in pairs)})")
    return _made("pullback", lines, scope | {"conjugating": conjugating, "float64": np.dtype(np.float64)})


def _made(which: str, lines: list[str], scope: dict[str, Any]) -> Any:
    exec(_compiled("\n".join(lines) + "\n"), scope)
    return scope[which]


@cache
def _compiled(source: str) -> CodeType:
    """The code of ``source``; primitives of one form share it, which keeps importing fast."""
    filename = f"<call path {zlib.crc32(source.encode()):08x}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)  # for tracebacks
    return compile(source, filename, "exec")
