"""Elementwise rules in one pass over memory.

A rule such as ``def decay(w, g): w *= 0.9; w -= g`` is plain NumPy, which goes over whole arrays once for every
operation. Where the compiled kernels are there, the rule is called once with stand-ins that write down its
operations, and the compiled loop does them all on one block after another while it lies in the processor's cache.
The numbers are the same bit for bit; only NumPy's warnings about them are not given.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from autograd.kernels import native

__all__ = ["BLOCK", "apply_elementwise", "fusable", "is_fusable", "is_fused"]

BLOCK = 262144  # elements of a large array that a rule of NumPy sees at a time, so that they stay in the cache
MOST_THREADS = 64

Rule = Callable[..., None]


def _thread_count() -> int:
    """What OMP_NUM_THREADS says, as for NumPy's matrix products, else all processors that this process may use."""
    wanted = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if wanted.isdecimal() and int(wanted):
        return min(int(wanted), MOST_THREADS)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


THREADS = _thread_count()


def fusable(rule: Any) -> Any:
    """Mark a rule that makes do with the operations which can be fused.

    These are arithmetic with Python's numbers, ``<`` and ``>`` as conditions of ``np.where``, NumPy's maximum, minimum,
    negative, square, sqrt, absolute, sign and positive, all with ``out``, and ``x[...] = y``. Called with stand-ins,
    once for all arrays, the rule sees neither their numbers nor their shape or dtype.
    """
    rule.fusable = rule
    return rule


def is_fusable(rule: Any) -> bool:
    """Whether this very rule, not one that it wraps, carries the mark of :func:`fusable`."""
    function = getattr(rule, "__func__", rule)
    return getattr(function, "fusable", None) is function


def is_fused(dtype: Any) -> bool:
    """Whether rules on arrays of the dtype are fused here."""
    return native.compiled is not None and dtype.char in "fdFD" and dtype.isnative


def apply_elementwise(rule: Rule, columns: list[list[Any]], fuse: bool) -> None:
    """Call ``rule(*arrays)``, which changes some of them in place, for each row of ``columns``.

    Parameters
    ----------
    rule : callable
        Sees real vectors of one length, which may be any piece of a row's arrays, or stand-ins for them; complex
        numbers are two real ones.
    columns : list of lists of arrays
        One list for each argument of the rule. All arrays are of one dtype, those of a row have equal sizes, those
        that are changed are aligned and C-contiguous and share no memory.
    fuse : bool
        Whether to fuse the rule, which :func:`fusable` describes, where :func:`is_fused` says that it can be.

    Raises
    ------
    TypeError
        For an operation that cannot be fused.
    ValueError
        For arrays that do not fit. None is changed then, where the rule is fused.
    """
    if not columns[0]:
        return
    if fuse and is_fused(columns[0][0].dtype):
        _run(rule, columns)
        return
    for row in zip(*columns, strict=True):
        vectors = [_real(array.reshape(-1)) for array in row]
        for start in range(0, vectors[0].size, BLOCK):
            rule(*(vector[start : start + BLOCK] for vector in vectors))


def _run(rule: Rule, columns: list[list[Any]]) -> None:
    trace = Trace()
    rule(*(Operand(trace, place) for place in range(len(columns))))
    run = partial(native.compiled.run, bytes(trace.code), tuple(trace.constants))
    if not run(tuple(map(tuple, columns)), THREADS):
        changed = set(trace.code[1::5])
        copied = [x if i in changed else [np.array(a, order="C") for a in x] for i, x in enumerate(columns)]
        if not run(tuple(map(tuple, copied)), THREADS):
            raise AssertionError("copies do not fit either")


def _real(vector: Any) -> Any:
    """A complex vector as its real and imaginary parts, which are changed like any other numbers."""
    return vector.view(vector.real.dtype) if vector.dtype.kind == "c" else vector


class Trace:
    """The operations of a rule, as a program for the compiled loop."""

    __slots__ = ("code", "constants", "scratch")

    def __init__(self) -> None:
        self.code = bytearray()
        self.constants: list[float] = []
        self.scratch = native.compiled.SCRATCH

    def record(self, operation: int, a: Any, b: Any = None, c: Any = None, *, out: Operand | None = None) -> Operand:
        """Add an instruction; returns ``out``, or a new operand that holds the result."""
        if out is None:
            out = Operand(self, self.fresh())
        elif type(out) is not Operand:
            raise TypeError(f"an elementwise rule changes none but its own arrays; got {type(out).__name__}")
        self.write(operation, out._place, a, b, c)
        return out

    def compare(self, operation: int, a: Any, b: Any) -> Mask:
        """Add a comparison."""
        mask = Mask(self, self.fresh())
        self.write(operation, mask._place, a, b)
        return mask

    def fresh(self) -> int:
        """A block to work in that nobody has used."""
        if self.scratch == native.compiled.CONSTANT:
            raise TypeError("an elementwise rule has too many intermediate results to be fused")
        self.scratch += 1
        return self.scratch - 1

    def write(self, operation: int, place: int, a: Any, b: Any = None, c: Any = None) -> None:
        """Add an instruction whose result goes to ``place``."""
        first = self._place(a)
        second = first if b is None else self._place(b)
        third = first if c is None else self._place(c)
        self.code += bytes((operation, place, first, second, third))

    def _place(self, value: Any) -> int:
        if type(value) is Operand:
            return value._place
        if type(value) not in (float, int):
            raise TypeError(f"an elementwise rule takes its arrays and Python's numbers; got {type(value).__name__}")
        place = native.compiled.CONSTANT + len(self.constants)
        if place > 255:
            raise TypeError("an elementwise rule has too many numbers to be fused")
        self.constants.append(value)
        return place


class _StandIn:
    """Knows where in a program's memory it lies."""

    __slots__ = ("_place", "_trace")

    def __init__(self, trace: Trace, place: int) -> None:
        self._trace = trace
        self._place = place

    def __bool__(self) -> bool:
        raise TypeError("an elementwise rule cannot branch on the numbers in an array; use np.where")

    def __eq__(self, other: object) -> bool:
        raise TypeError("an elementwise rule compares arrays by < and > alone when fused")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = (None,), **options: Any) -> Any:
        operation, trace = _OPERATIONS.get(ufunc), self._trace
        if operation is None or method != "__call__" or options:
            used = f"{ufunc.__name__}{_described(method, options)}"
            raise TypeError(f"an elementwise rule cannot use np.{used} when fused")
        if not any(type(each) is Operand for each in inputs):
            raise TypeError(f"an elementwise rule gives np.{ufunc.__name__} one of its arrays when fused")
        if ufunc in _COMPARISONS and out[0] is None:
            return trace.compare(operation, *inputs)
        return trace.record(operation, *inputs, out=out[0])

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Operand:
        if function is not np.where or len(args) != 3:
            raise TypeError(f"an elementwise rule cannot use np.{function.__name__} when fused")
        condition, x, y = args
        if not isinstance(condition, _StandIn) or not (type(x) is Operand or type(y) is Operand):
            raise TypeError("an elementwise rule gives np.where a condition and one of its arrays when fused")
        return self._trace.record(_WHERE, Operand(self._trace, condition._place), x, y)


class Mask(_StandIn):
    """Stands for a comparison of arrays: a condition for ``np.where``."""

    __slots__ = ()


class Operand(_StandIn):
    """Stands for an array while a rule is traced: writes down what is done to it."""

    __slots__ = ()

    def __setitem__(self, key: Any, value: Any) -> None:
        if key is not Ellipsis:
            raise TypeError("an elementwise rule sets an array as a whole, x[...] = y")
        self._trace.write(_COPY, self._place, value)

    def __neg__(self) -> Operand:
        return self._trace.record(_OPERATIONS[np.negative], self)

    def __lt__(self, other: Any) -> Mask:
        return self._trace.compare(_OPERATIONS[np.less], self, other)

    def __gt__(self, other: Any) -> Mask:
        return self._trace.compare(_OPERATIONS[np.greater], self, other)


def _described(method: str, options: dict[str, Any]) -> str:
    return (f".{method}" if method != "__call__" else "") + (f" with {', '.join(sorted(options))}" if options else "")


def _add_operators() -> None:
    def operators(operation: int) -> tuple[Any, Any, Any]:
        return (
            lambda self, other: self._trace.record(operation, self, other),
            lambda self, other: self._trace.record(operation, other, self),
            lambda self, other: self._trace.record(operation, self, other, out=self),
        )

    for symbol, ufunc in {"add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.divide}.items():
        for prefix, operator in zip(("", "r", "i"), operators(_OPERATIONS[ufunc]), strict=True):
            setattr(Operand, f"__{prefix}{symbol}__", operator)


if native.compiled is not None:
    _CODES = {name: code for code, name in enumerate(native.compiled.operations)}
    _WHERE, _COPY = _CODES.pop("where"), _CODES["positive"]
    _OPERATIONS = {getattr(np, name): code for name, code in _CODES.items()}
    _COMPARISONS = {np.greater, np.less}
    _add_operators()
