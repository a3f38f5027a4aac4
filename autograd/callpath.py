"""The call paths of primitives, written out as Python source.

A small operation costs little more than the Python calls and loops on its way, so each primitive gets
a forward function with its own signature and a pullback without loops, as ``dataclasses`` write an
``__init__``. For ``multiply(x, y)`` they read, in short::

    def call(x, y):
        if isinstance(x, Tensor): _x, _to_x, _tensors = x._data, x._node, True
        elif type(x) in PLAIN: _x, _to_x = x, None
        else: return general(x, y)
        ...                                             # the same for y
        _out = fun(_x, _y)
        if (_to_x is None and _to_y is None) or not (_mode := recording()):
            return wrap(_out, None)
        _node = Node()
        _node.parents = (_to_x, _to_y)
        _node.saved = (_x if _to_y is not None else None, _y if _to_x is not None else None, None)
        ...

    def pullback(node, g):
        to_x, to_y, = node.parents
        saved = node.saved
        return (None if to_x is None else g * saved[1], None if to_y is None else g * saved[0])

All names but the parameters' own begin with an underscore, which a parameter's may not. Whatever is rare
(dual numbers, lists, several outputs) goes to the primitive's general path.
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
from autograd.graph import Node, autocasting, recording
from autograd.memory import tick
from autograd.operands import PLAIN, describe
from autograd.precision import widened
from autograd.tensor import Tensor

__all__ = ["write_call", "write_pullback"]


def write_call(declared: Any, general: Callable[..., Any], fun: Callable[..., Any], entrywise: bool) -> Any:
    """The forward function of a primitive with a fixed signature.

    ``general`` takes the same arguments and handles every case; ``entrywise`` primitives are known to
    return a fresh array of the broadcast shape.
    """
    names, slots = declared.names, [declared.names[i] for i in declared.slots]
    options = [n for n in names if n not in slots]
    arguments = ", ".join(names)
    none = " and ".join(f"_to_{x} is None" for x in slots)
    lines = [f"def call({_signature(declared)}):", *_autocast(declared, slots), "    _tensors = False"]
    for x in slots:
        absent = f" or {x} is None" if declared.defaults[names.index(x)] is None else ""
        lines += [
            f"    if _type({x}) is _Tensor or _isinstance({x}, _Tensor):",
            f"        _{x} = {x}._data",
            f"        _to_{x} = {x}._node",
            "        _tensors = True",
            f"    elif _type({x}) in _PLAIN{absent}:",
            f"        _{x} = {x}",
            f"        _to_{x} = None",
            "    else:",
            f"        return _general({arguments})",
        ]
    unusual = "".join(f" or _isinstance({option}, _Differentiable)" for option in options)
    operands = ", ".join(f"_{x}" for x in slots)
    values = ", ".join(f"_{n}" if n in slots else n for n in names)
    lines += [
        f"    if not _tensors{unusual}:",
        f"        return _general({arguments})",
        "    try:",
        f"        _out = {_function(declared, slots)}({values})",
        "    except _Exception as _error:",
        f"        _error.add_note(_describe(_name, ({operands},)))",
        "        raise",
    ]
    if not entrywise:
        inputs = f"({', '.join(slots)},), ({operands},)"
        unlike = f"_out.dtype is not _float64 and _out.dtype.kind not in 'fc' and not ({none})"
        lines += [
            f"    if _type(_out) is _tuple or ({unlike}):",
            f"        return _declared.finish([{values}], {inputs}, _out)",
        ]
    lines += [
        f"    if ({none}) or not (_mode := _recording()):",
        "        _node = None",
        "    else:",
        "        _node = _Node()",
        "        _node.order = _tick()",
        "        _node.primitive = _declared",
        f"        _node.parents = ({', '.join(f'_to_{x}' for x in slots)},)",
        f"        _node.saved = {_saved(declared)}",
        f"        _node.shape = {_shape(slots) if entrywise else '_out.shape'}",
        "        _node.dtype = _out.dtype",
        "        _node.hooks = _node.scope = None",
        "        if _mode is not True:",
        "            _mode.observe(_node)",
        "    _result = _new(_Tensor)",
        "    _result._data = _out",
        "    _result._node = _node",
        "    _result._grad = None",
        "    _result._family = None",
        "    _result.name = None",
    ]
    if not entrywise:
        same = " or ".join(f"_out is _{x}" for x in slots)
        lines += [
            f"    if _type(_out) is _ndarray and (_out.base is not None or {same}):",
            f"        _declared.relate({inputs}, _out, _result)",
        ]
    lines.append("    return _result")
    scope = {
        "_declared": declared, "_name": declared.name, "_general": general, "_fun": fun, "_describe": describe,
        "_Tensor": Tensor, "_Differentiable": Differentiable, "_PLAIN": PLAIN, "_Node": Node, "_type": type,
        "_recording": recording.get, "_tick": tick, "_new": object.__new__, "_ndarray": np.ndarray,
        "_float64": np.dtype(np.float64), "_getshape": np.shape, "_isinstance": isinstance, "_tuple": tuple,
        "_Exception": Exception, "_autocast": autocasting.get, "_evaluate": declared.evaluate,
        **{f"_default_{n}": value for n, value in zip(names, declared.defaults, strict=True)},
    }  # fmt: skip
    return _made("call", lines, scope)


def _autocast(declared: Any, slots: Sequence[str]) -> list[str]:
    """Source that brings the operands to the precision that the primitive asks for."""
    if declared.autocast is None:
        return []
    operands = ", ".join(slots)
    return [
        "    if (_casting := _autocast()) is not None:",
        f"        {operands}, = _casting.{declared.autocast}({operands})",
    ]


def _function(declared: Any, slots: Sequence[str]) -> str:
    """Source of the function to call: the one that widens where the first argument is an array of float16."""
    first = f"_{slots[0]}"
    if not declared.widen:
        return "_fun"
    return f"(_evaluate if _type({first}) is _ndarray and {first}.dtype.char == 'e' else _fun)"  # 'e' is float16


def _signature(declared: Any) -> str:
    required = declared.required
    return ", ".join(n if i < required else f"{n}=_default_{n}" for i, n in enumerate(declared.names))


def _saved(declared: Any) -> str:
    """Source of what a node keeps: (arguments…, out, shapes…), each only where a wanted rule names it."""
    slots = [declared.names[i] for i in declared.slots]
    values = [*(f"_{n}" if n in slots else n for n in declared.names), "_out", *(f"_getshape(_{x})" for x in slots)]
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
    return f"{value} if {' or '.join(f'_to_{x} is not None' for x in wanting)} else None"


def _shape(slots: Sequence[str]) -> str:
    """The output's shape, taken from a parent where that is certain: cheaper than asking the array."""
    if len(slots) == 1:
        return "_out.shape"
    if len(slots) == 2:
        x, y = slots
        known = f"_to_{x} is not None and _to_{y} is not None and _to_{x}.shape == _to_{y}.shape"
        return f"_to_{x}.shape if {known} else _out.shape"
    return "_out.shape"


def write_pullback(
    parents: Sequence[str],
    terms: Sequence[str] | str,
    scope: dict[str, Any],
    *,
    conjugating: Any = None,
    widen: bool = False,
) -> Any:
    """A reverse rule.

    ``terms`` has for each parent the source of its cotangent, in ``saved``, ``g`` and the names of
    ``scope``; or is the source of all of them together. For complex outputs ``conjugating`` takes over. ``widen``
    makes float32 of what a node with outputs of float16 has saved.
    """
    lines = ["def pullback(node, g):"]
    if conjugating is not None:
        lines.append("    if node.dtype is not float64 and node.dtype.kind == 'c': return conjugating(node, g)")
    lines.append("    saved = node.saved")
    if widen:
        lines += [
            "    if node.dtype is half or (type(node.dtype) is tuple and node.dtype[0] is half):",
            "        saved, g = widened(saved), widened(g.filled() if type(g) is Cotangents else g)",
        ]
    if parents:
        lines.append(f"    {''.join(f'to_{x}, ' for x in parents)} = node.parents")
    if isinstance(terms, str):
        lines.append(f"    return {terms}")
    else:
        pairs = zip(parents, terms, strict=True)
        lines.append(f"    return ({''.join(f'None if to_{x} is None else {term}, ' for x, term in pairs)})")
    dtypes = {"float64": np.dtype(np.float64), "half": np.dtype(np.float16)}
    return _made("pullback", lines, {**scope, **dtypes, "conjugating": conjugating, "widened": widened})


def _made(which: str, lines: list[str], scope: dict[str, Any]) -> Any:
    exec(_compiled("\n".join(lines) + "\n"), scope)
    return scope[which]


@cache
def _compiled(source: str) -> CodeType:
    """The code of ``source``; primitives of one form share it, which keeps importing fast."""
    filename = f"<call path {zlib.crc32(source.encode()):08x}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)  # for tracebacks
    return compile(source, filename, "exec")
