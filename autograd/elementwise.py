"""Elementwise primitives: one partial derivative per argument, and the short way through the engine.

For ``out = f(x, y, …)`` entry by entry the Jacobian is diagonal, so one partial derivative ``d`` gives
both rules: the cotangent is ``g · conj(d)``, the tangent ``t · d``. Most of a program's operations are
of this kind and small, so their path is written out per arity.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograd.dispatch import Differentiable, bare
from autograd.graph import Node, recording
from autograd.memory import clock
from autograd.primitive import PLAIN, Primitive, Rule, describe, parameters, plain, publish
from autograd.tensor import Tensor, wrap

__all__ = ["elementwise"]

_new = object.__new__
_float64, _float32 = np.dtype(np.float64), np.dtype(np.float32)

_IDENTITY = (lambda value: value).__code__.co_code  # as in `lambda out: out`: nothing to call

Partial = float | Callable[..., Any] | None


def elementwise(
    fun: Callable[..., Any],
    *partials: Partial,
    name: str | None = None,
    implements: Any = None,
    operator: Callable[..., Any] | None = None,
) -> Any:
    """Declare a function that acts entry by entry, with broadcasting.

    Parameters
    ----------
    fun : ufunc or callable
        The function of plain arrays. A ufunc's arguments are called ``x`` and ``y``.
    *partials : number, callable or None
        Per argument its partial derivative: a constant; a callable whose parameter names say what
        it needs (argument names, ``out``); None for an argument without a derivative (a condition).
        A callable whose first parameter is ``g`` returns ``g`` times the derivative itself, where
        that is cheaper.
        For complex arguments the function has to be holomorphic.
    name : str, optional
        Shown in graphs and errors; the function's own name otherwise.
    implements : callable or sequence of callables, optional
        The NumPy functions this one answers for, where ``fun`` is not a ufunc.
    operator : callable, optional
        A faster equal of ``fun``, used where an argument is an array already.

    Returns
    -------
    callable
        ``fun`` for plain arrays, tensors and dual numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from autograd import Tensor, elementwise
    >>> softplus = elementwise(lambda x: np.log1p(np.exp(x)), lambda x: 1 / (1 + np.exp(-x)), name="softplus")
    >>> x = Tensor([0.0], requires_grad=True)
    >>> softplus(x).sum().backward()
    >>> x.grad
    Tensor([0.5])
    """
    declared = Elementwise(fun, partials, name, operator)
    arity = len(declared.names)
    make = _unary if arity == 1 else _binary if arity == 2 == len(declared.slots) else _nary
    declared.call = make(declared, declared.__call__)
    declared.call.method = make(declared, _or_not_implemented(declared.__call__))  # type: ignore[attr-defined]
    answers = implements if implements is not None else fun if isinstance(fun, np.ufunc) else None
    return publish(declared, declared.call, fun.__doc__, answers)


class Elementwise(Primitive):
    """A primitive whose rules follow from partial derivatives."""

    __slots__ = ("operator",)

    def __init__(self, fun: Any, partials: tuple[Partial, ...], name: str | None, operator: Any) -> None:
        ufunc = isinstance(fun, np.ufunc)
        names = ("x", "y", "z")[: fun.nin] if ufunc else parameters(fun)
        if len(partials) > len(names):
            raise TypeError(f"{len(partials)} partial derivatives for the {len(names)} arguments of {fun}")
        slots = tuple(i for i, partial in enumerate(partials) if partial is not None)
        used = [partials[i] for i in slots]
        super().__init__(
            fun,
            name or fun.__name__,
            names,
            () if ufunc else fun.__defaults__ or (),
            slots,
            tuple(Rule(_scaled(p, conjugate=True), ("g", *_needs(p))) for p in used),
            tuple(Rule(_scaled(p), ("t", *_needs(p))) for p in used),
            broadcasts=True,
        )
        self.operator = operator or fun
        self.pullback = _written_out(self.name, names, slots, used)


_PULLBACK = """
def pullback(node, g):
    saved = node.saved
    {parents} = node.parents
    if node.dtype is not float64 and node.dtype.kind == "c":
        return {conjugating}
    return {terms}
"""


def _written_out(
    name: str, names: tuple[str, ...], slots: tuple[int, ...], partials: list[Any]
) -> Callable[[Any, Any], Any]:
    """The reverse rules of all arguments as one function, in source. For ``multiply`` it returns::

        None if to_x is None else g * saved[1], None if to_y is None else g * saved[0]

    Python calls are most of what a small operation costs, so they are written out, as ``dataclasses``
    write an ``__init__``.
    """
    position = {n: i for i, n in enumerate((*names, "out"))}
    scope = {f"d_{names[i]}": p for i, p in zip(slots, partials, strict=True)}
    scope |= {"conjugated": conjugated, "times_constant": _times_constant, "float64": _float64}

    def terms(scaled: str, product: str) -> str:
        pairs = [
            (f"to_{names[i]}", _term(p, f"d_{names[i]}", position, product if _is_product(p) else scaled))
            for i, p in zip(slots, partials, strict=True)
        ]
        return "(" + "".join(f"None if {parent} is None else {term}, " for parent, term in pairs) + ")"

    source = _PULLBACK.format(
        parents=" ".join(f"to_{names[i]}," for i in slots),
        conjugating=terms("g * conjugated({})", "conjugated({}(conjugated(g), {}))"),
        terms=terms("g * {}", "{}(g, {})"),
    )
    exec(compile(source, f"<pullback of {name}>", "exec"), scope)
    return scope["pullback"]


def _term(partial: Partial, called: str, position: dict[str, int], template: str) -> str:
    """Source of ``g`` times a partial derivative."""
    if not callable(partial):
        return {1: "g", -1: "-g"}.get(partial, f"times_constant(g, {called})")  # type: ignore[arg-type]
    values = ", ".join(f"saved[{position[n]}]" for n in _needs(partial))
    if _is_product(partial):
        return template.format(called, values)
    return template.format(values if partial.__code__.co_code == _IDENTITY else f"{called}({values})")


def _needs(partial: Partial) -> tuple[str, ...]:
    names = parameters(partial) if callable(partial) else ()
    return names[1:] if _is_product(partial) else names


def _is_product(partial: Partial) -> bool:
    """Whether a rule gives ``g · d`` itself."""
    return callable(partial) and parameters(partial)[:1] == ("g",)


def _scaled(partial: Partial, conjugate: bool = False) -> Callable[..., Any]:
    """``(g, …) ↦ g · partial(…)``."""
    if not callable(partial):
        return lambda g: _times_constant(g, partial)
    if _is_product(partial):
        return partial if not conjugate else lambda g, *values: conjugated(partial(conjugated(g), *values))
    if not conjugate:
        return lambda t, *values: t * partial(*values)
    return lambda g, *values: g * conjugated(partial(*values))


def _times_constant(g: Any, constant: Any) -> Any:
    if constant == 1:
        return g
    if constant == -1:
        return -g
    return np.zeros_like(g) if constant == 0 else g * constant


def conjugated(d: Any) -> Any:
    """The complex conjugate; a real value as it is, without a copy."""
    if type(d) is complex:
        return d.conjugate()
    return np.conjugate(d) if getattr(bare(d), "dtype", _float64).kind == "c" else d


def _unary(declared: Elementwise, general: Callable[..., Any]) -> Any:
    fun = declared.operator
    keep_x, keep_out, _ = declared.keep((True,))
    tick, enabled = clock.__next__, recording.get

    def call(x: Any) -> Any:
        if type(x) is not Tensor and not isinstance(x, Tensor):
            return general(x)
        array = x._data
        out = fun(array)
        source = x._node
        if source is None or not (mode := enabled()):
            return wrap(out, None)
        node = Node()
        node.order = tick()
        node.primitive = declared
        node.parents = (source,)
        node.saved = (array if keep_x else None, out if keep_out else None)
        node.shape = source.shape
        node.dtype = out.dtype
        node.hooks = None
        if mode is not True:
            mode.observe(node)
        result = _new(Tensor)
        result._data = out
        result._node = node
        result._grad = None
        result._family = None
        result.name = None
        return result

    return call


def _binary(declared: Elementwise, general: Callable[..., Any]) -> Any:
    fun = declared.operator
    nothing = (None, None, None)
    keep_left, keep_right, keep_both = (
        kept if any(kept) else nothing
        for kept in (declared.keep(needs)[:3] for needs in ((True, False), (False, True), (True, True)))
    )
    tick, enabled = clock.__next__, recording.get

    def call(x: Any, y: Any) -> Any:
        if type(x) is Tensor or isinstance(x, Tensor):
            a = x._data
            left = x._node
            if type(y) is Tensor or isinstance(y, Tensor):
                b = y._data
                right = y._node
            elif type(y) in PLAIN:
                b = y
                right = None
            else:
                return general(x, y)
        elif isinstance(y, Tensor) and type(x) in PLAIN:
            a = x
            left = None
            b = y._data
            right = y._node
        else:
            return general(x, y)
        try:
            out = fun(a, b)
        except Exception as error:
            error.add_note(describe(declared.name, (a, b)))
            raise
        if left is None:
            keep = keep_right
        else:
            keep = keep_left if right is None else keep_both
        if (left is None and right is None) or not (mode := enabled()):
            return wrap(out, None)
        node = Node()
        node.order = tick()
        node.primitive = declared
        node.parents = (left, right)
        if keep is nothing:
            node.saved = nothing
        else:
            keep_x, keep_y, keep_out = keep
            node.saved = (a if keep_x else None, b if keep_y else None, out if keep_out else None)
        if left is not None and right is not None and left.shape == right.shape:
            node.shape = left.shape
        else:
            node.shape = out.shape
        node.dtype = out.dtype
        node.hooks = None
        if mode is not True:
            mode.observe(node)
        result = _new(Tensor)
        result._data = out
        result._node = node
        result._grad = None
        result._family = None
        result.name = None
        return result

    return call


def _nary(declared: Elementwise, general: Callable[..., Any]) -> Any:
    def call(*args: Any, **kwargs: Any) -> Any:
        return general(*args, **kwargs)

    return call


def _or_not_implemented(general: Callable[..., Any]) -> Callable[..., Any]:
    """As an operator: where an operand is foreign, Python is to ask that operand."""

    def call(*operands: Any) -> Any:
        try:
            for operand in operands:
                if not isinstance(operand, Differentiable):
                    plain(operand, "")
        except TypeError:
            return NotImplemented
        return general(*operands)

    return call
