"""How an operation is declared.

Three kinds, one line each where the mathematics is one line:

- ``elementwise(np.tanh, lambda out: 1 - out * out)``: a partial derivative per argument
  (``autograd.elementwise``);
- ``linear(reshape, a=lambda g, a_shape: np.reshape(g, a_shape))``: the transpose per argument;
- ``primitive(fun, vjp=…, jvp=…)``: both rules, for the rest.

A rule says by its parameter names what it needs: the function's own arguments by their names, the
output as ``out``, the shape of a differentiable argument ``a`` as ``a_shape``, which arguments want a
gradient as ``needs``, the cotangent as ``g``, the tangent as ``t``. Nothing else is kept. Rules are
plain NumPy: on arrays they run at NumPy's speed; on tensors NumPy's protocols record them, which is
how second and higher orders come about.

Un-broadcasting, casting and the checks of shape and dtype are the engine's (``autograd.graph``).

Complex values: a cotangent is ``∂L/∂Re z + i ∂L/∂Im z``, so the rule of a holomorphic function
multiplies with the conjugate of its derivative.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import numpy as np

from autograd.dispatch import functions, ufuncs
from autograd.primitive import Primitive, Rule, parameters

__all__ = ["linear", "primitive", "publish", "registry"]

registry: dict[str, Callable[..., Any]] = {}  # every declared primitive by name


def linear(
    fun: Callable[..., Any],
    *,
    name: str | None = None,
    implements: Any = None,
    broadcasts: bool = False,
    autocast: str | None = None,
    widen: bool = False,
    **transposes: Any,
) -> Any:
    """Declare a function that is linear in each of some arguments.

    Parameters
    ----------
    fun : callable
        The function of plain arrays, written in NumPy.
    name : str, optional
        Shown in graphs and errors; the function's own name otherwise.
    implements : callable or sequence of callables, optional
        The NumPy functions this one answers for when they meet a Tensor.
    broadcasts : bool
        The arguments broadcast: the engine sums what a rule returns down to the argument's shape.
    autocast : {"half", "single"}, optional
        The precision that float32 and float16 arguments take inside ``autocast``; as they come by default.
    widen : bool
        Compute float16 in float32, in the rules too, and round the result.
    **transposes : callable
        Per differentiable argument the rule ``g ↦ Aᵀ g``. Where the linear map depends on further
        arguments, the rule names them.

    Returns
    -------
    callable
        ``fun`` for plain arrays, tensors and dual numbers. Its tangent needs no rule: it is the
        function itself, applied to the tangent.
    """
    made = _declare(fun, name, implements, transposes, None, (), broadcasts, autocast, widen)
    declared: Primitive = made.primitive
    declared.jvp = tuple(Rule(_itself(declared, i), ("t", *declared.names)) for i in declared.slots)
    return made


def _itself(declared: Primitive, position: int) -> Callable[..., Any]:
    def apply(t: Any, *values: Any) -> Any:
        return declared.call(*values[:position], t, *values[position + 1 :])

    return apply


def primitive(
    fun: Callable[..., Any],
    *,
    vjp: Any,
    jvp: Any = None,
    name: str | None = None,
    implements: Any = None,
    broadcasts: bool = False,
    differentiable: Sequence[str] = (),
    autocast: str | None = None,
    widen: bool = False,
) -> Any:
    """Declare a function with rules for reverse and forward mode.

    Parameters
    ----------
    fun : callable
        The function of plain arrays; it may return a tuple of arrays. With a first parameter
        ``*operands`` every operand is differentiable, and ``operands``, ``operands_shape`` are tuples.
    vjp : dict or callable
        Per differentiable argument a rule ``(g, …) ↦ gᵀ∂out/∂argument``; or one rule for all of them
        together, which returns a sequence with one entry for each (None where ``needs`` is false).
        For several outputs ``g`` is a tuple.
    jvp : dict or callable, optional
        The same for tangents: ``(t, …) ↦ (∂out/∂argument) t`` per argument, or one rule with ``t`` the
        tuple of tangents (None where an argument has none). Left out, tangents come from transposing
        ``vjp``, at about twice the cost.
    differentiable : sequence of str
        The differentiable arguments where ``vjp`` is one rule for all (needless for ``*operands``).
    name, implements, broadcasts, autocast, widen
        As for ``linear``.

    Raises
    ------
    TypeError
        If a rule names something that the function does not have.
    """
    return _declare(fun, name, implements, vjp, jvp, differentiable, broadcasts, autocast, widen)


def _declare(
    fun: Any,
    name: str | None,
    implements: Any,
    vjp: Any,
    jvp: Any,
    differentiable: Sequence[str],
    broadcasts: bool,
    autocast: str | None,
    widen: bool,
) -> Any:
    code = fun.__code__
    variadic = bool(code.co_flags & 0x04)  # CO_VARARGS: def fun(*operands, option=…)
    names = parameters(fun)
    defaults = fun.__defaults__ or ()
    if variadic:
        count, options = code.co_argcount, code.co_kwonlyargcount
        keywords = code.co_varnames[count : count + options]
        names = (code.co_varnames[count + options], *keywords)
        defaults = tuple((fun.__kwdefaults__ or {})[key] for key in keywords)
    label = name or fun.__name__.strip("_")
    taken = {"g", "t", "out", "needs"}.intersection(names)
    if taken:
        raise TypeError(f"primitive '{label}' has a parameter '{min(taken)}', which means something else in rules")
    private = [n for n in names if n.startswith("_")]
    if private:
        raise TypeError(f"primitive '{label}' has a parameter '{private[0]}'; parameters' names do not start with '_'")
    if variadic and not callable(vjp):
        raise TypeError(f"primitive '{label}' takes *operands, so its vjp is one rule for all of them")
    if callable(vjp):
        slots = (0,) if variadic else tuple(names.index(each) for each in differentiable)
        if not slots:
            raise TypeError(f"primitive '{label}': one vjp rule for all arguments needs differentiable=(names, …)")
        rules: Any = Rule(vjp, parameters(vjp))
    else:
        slots = tuple(sorted(names.index(key) for key in vjp))
        rules = tuple(Rule(vjp[names[i]], parameters(vjp[names[i]])) for i in slots)
    if callable(jvp):
        tangents: Any = Rule(jvp, parameters(jvp))
    elif jvp is not None:
        tangents = tuple(Rule(jvp[names[i]], parameters(jvp[names[i]])) if names[i] in jvp else None for i in slots)
    else:
        tangents = None
    declared = Primitive(
        fun,
        label,
        names,
        defaults,
        slots,
        rules,
        tangents,
        broadcasts=broadcasts,
        variadic=variadic,
        autocast=autocast,
        widen=widen,
    )
    return publish(declared, _forwarding(declared) if variadic else declared.call, fun.__doc__, implements)


def _forwarding(declared: Primitive) -> Any:
    def call(*operands: Any, **options: Any) -> Any:
        return declared(*operands, **options)

    call.__wrapped__ = declared.fun  # type: ignore[attr-defined]  # shows the signature
    return call


def _declarer() -> str:
    """The name of the module that declares a primitive: the caller's of this and the neighbouring file."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        module: str = frame.f_globals.get("__name__", "")
        if module not in ("autograd.declare", "autograd.elementwise"):
            return module
        frame = frame.f_back
    return ""


def publish(declared: Primitive, function: Any, doc: str | None, implements: Any) -> Any:
    """Enter a primitive in the tables, and dress the function that users call."""
    function.__name__ = function.__qualname__ = declared.name
    function.__doc__ = doc
    function.__module__ = _declarer()
    function.primitive = declared
    registry[declared.name] = function
    for each in implements if isinstance(implements, (list, tuple)) else (implements,):
        if each is not None:
            (ufuncs if isinstance(each, np.ufunc) else functions)[each] = function
    return function
