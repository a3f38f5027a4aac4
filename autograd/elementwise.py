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
        position = {n: i for i, n in enumerate((*names, "out"))}
        pulls = [_compiled(p, position, conjugate=False) for p in used]
        complex_pulls = [_compiled(p, position, conjugate=True) for p in used]
        if len(slots) == 1:
            self.pullback = _pull_one(*pulls, *complex_pulls)
        elif len(slots) == 2:
            self.pullback = _pull_two(*pulls, *complex_pulls)


def _pull_one(real: Any, conjugating: Any) -> Any:
    def pullback(node: Any, g: Any) -> Any:
        dtype = node.dtype
        if dtype is _float64 or dtype is _float32 or dtype.kind == "f":
            return (real(g, node.saved),)
        return (conjugating(g, node.saved),)

    return pullback


def _pull_two(real_x: Any, real_y: Any, conjugating_x: Any, conjugating_y: Any) -> Any:
    def pullback(node: Any, g: Any) -> Any:
        x, y = node.parents
        saved = node.saved
        dtype = node.dtype
        if dtype is _float64 or dtype is _float32 or dtype.kind == "f":
            return None if x is None else real_x(g, saved), None if y is None else real_y(g, saved)
        return None if x is None else conjugating_x(g, saved), None if y is None else conjugating_y(g, saved)

    return pullback


def _needs(partial: Partial) -> tuple[str, ...]:
    return parameters(partial) if callable(partial) else ()


def _scaled(partial: Partial, conjugate: bool = False) -> Callable[..., Any]:
    """``(g, …) ↦ g · partial(…)``."""
    if not callable(partial):
        return lambda g: _times_constant(g, partial)
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
    return np.conjugate(d) if getattr(bare(d), "dtype", _float64).kind == "c" else d


def _compiled(partial: Partial, position: dict[str, int], conjugate: bool) -> Callable[[Any, Any], Any]:
    """``(g, saved) ↦ g · partial(what it needs of saved)``, without packing arguments where few are needed."""
    if partial == 1:
        return lambda g, saved: g
    if not callable(partial):
        return lambda g, saved: _times_constant(g, partial)
    where = [position[n] for n in parameters(partial)]
    if conjugate:
        return lambda g, saved: g * conjugated(partial(*[saved[i] for i in where]))
    if len(where) == 1:
        (i,) = where
        if partial.__code__.co_code == _IDENTITY:
            return lambda g, saved: g * saved[i]
        return lambda g, saved: g * partial(saved[i])
    if len(where) == 2:
        i, j = where
        return lambda g, saved: g * partial(saved[i], saved[j])
    return lambda g, saved: g * partial(*[saved[i] for i in where])


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
