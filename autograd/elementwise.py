"""Elementwise primitives: one partial derivative per argument, and the short way through the engine.

For ``out = f(x, y, …)`` entry by entry the Jacobian is diagonal, so one partial derivative ``d`` gives
both rules: the cotangent is ``g · conj(d)``, the tangent ``t · d``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograd.callpath import write_call, write_pullback
from autograd.declare import publish
from autograd.dispatch import Differentiable, bare
from autograd.operands import plain
from autograd.primitive import Primitive, Rule, parameters

__all__ = ["elementwise"]

_float64 = np.dtype(np.float64)

_IDENTITY = (lambda value: value).__code__.co_code  # as in `lambda out: out`: nothing to call

Partial = float | Callable[..., Any] | None


def elementwise(
    fun: Callable[..., Any],
    *partials: Partial,
    name: str | None = None,
    implements: Any = None,
    operator: Callable[..., Any] | None = None,
    autocast: str | None = None,
) -> Any:
    """Declare a function that acts entry by entry, with broadcasting.

    Parameters
    ----------
    fun : ufunc or callable
        The function of plain arrays. A ufunc's arguments are called ``x`` and ``y``, and from now
        on the ufunc itself takes tensors by this rule (a former rule gives way).
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
    autocast : {"half", "single"}, optional
        The precision that float32 and float16 arguments take inside ``autocast``; as they come by default.

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
    declared = Elementwise(fun, partials, name, operator, autocast)
    declared.call.method = declared.write_call(_or_not_implemented(declared.__call__))  # type: ignore[attr-defined]
    answers = implements if implements is not None else fun if isinstance(fun, np.ufunc) else None
    return publish(declared, declared.call, fun.__doc__, answers)


class Elementwise(Primitive):
    """A primitive whose rules follow from partial derivatives."""

    __slots__ = ("operator", "partials")

    def __init__(
        self, fun: Any, partials: tuple[Partial, ...], name: str | None, operator: Any, autocast: str | None
    ) -> None:
        ufunc = isinstance(fun, np.ufunc)
        names = ("x", "y", "z")[: fun.nin] if ufunc else parameters(fun)
        if len(partials) > len(names):
            raise TypeError(f"{len(partials)} partial derivatives for the {len(names)} arguments of {fun}")
        slots = tuple(i for i, partial in enumerate(partials) if partial is not None)
        used = [partials[i] for i in slots]
        self.operator = operator or fun
        super().__init__(
            fun,
            name or fun.__name__,
            names,
            () if ufunc else fun.__defaults__ or (),
            slots,
            tuple(Rule(_scaled(p, conjugate=True), ("g", *_needs(p))) for p in used),
            tuple(Rule(_scaled(p), ("t", *_needs(p))) for p in used),
            broadcasts=True,
            autocast=autocast,
        )
        self.partials = used

    def write_call(self, general: Callable[..., Any]) -> Any:
        return write_call(self, general, self.operator, entrywise=True)

    def write_pullback(self) -> Any:
        """``g`` times each partial derivative; the rare complex case goes to the conjugating rules."""
        slots = [self.names[i] for i in self.slots]
        position = {n: i for i, n in enumerate((*self.names, "out"))}
        scope: dict[str, Any] = {f"d_{x}": p for x, p in zip(slots, self.partials, strict=True)}
        scope["times_constant"] = _times_constant
        terms = [_term(p, f"d_{x}", position) for x, p in zip(slots, self.partials, strict=True)]
        return write_pullback(slots, terms, scope, conjugating=super().write_pullback())


def _term(partial: Partial, called: str, position: dict[str, int]) -> str:
    """Source of ``g`` times a partial derivative."""
    if not callable(partial):
        return "g" if partial == 1 else "-g" if partial == -1 else f"times_constant(g, {called})"
    values = ", ".join(f"saved[{position[n]}]" for n in _needs(partial))
    if _is_product(partial):
        return f"{called}(g, {values})"
    return f"g * {values}" if partial.__code__.co_code == _IDENTITY else f"g * {called}({values})"


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
