"""A derivative rule read as a formula, from its own source.

Rules are short pieces of NumPy, most of them one line. Here such a function is found in its file and followed
symbolically: its arguments stay names; helpers are followed into as long as they are as short; which branch of an
``if`` is taken is decided on the values that the rule would see. What cannot be followed is no formula.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import linecache
from collections.abc import Callable, Mapping
from functools import cache
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from autograd.dispatch import bare
from autograd.elementwise import conjugated
from autograd.kernels import in_rows

__all__ = ["Followed", "OpaqueError", "called", "definition", "rule_formula"]

DEPTH = 4  # how deep helpers are followed
UNTOLD = ("keepdims", "order", "optimize", "out")  # options that say nothing of the mathematics
LARGE = 60  # pieces of a formula beyond which a helper is named instead
_UNKNOWN: Any = object()
_TRANSPARENT = (bare, conjugated)


class OpaqueError(Exception):
    """The source cannot be followed as a formula."""


@cache
def _parsed(filename: str) -> ast.Module | None:
    lines = linecache.getlines(filename)
    try:
        return ast.parse("".join(lines)) if lines else None
    except SyntaxError:
        return None


@cache
def _functions(filename: str) -> dict[int, list[ast.Lambda | ast.FunctionDef]]:
    found: dict[int, list[ast.Lambda | ast.FunctionDef]] = {}
    tree = _parsed(filename)
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, (ast.Lambda, ast.FunctionDef)):
            first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
            found.setdefault(first, []).append(node)
    return found


@cache
def definition(code: CodeType) -> ast.Lambda | ast.FunctionDef | None:
    """The part of a file that a function's code was compiled from; None where it cannot be told."""
    candidates = [
        node
        for node in _functions(code.co_filename).get(code.co_firstlineno, ())
        if [a.arg for a in node.args.args] == list(code.co_varnames[: code.co_argcount])
        and getattr(node, "name", "<lambda>") == code.co_name
    ]
    if len(candidates) > 1:
        spans = set(code.co_positions())
        candidates = [node for node in candidates if isinstance(node, ast.Lambda) and _span(node.body) in spans]
    return candidates[0] if len(candidates) == 1 else None


def _span(node: ast.expr) -> tuple[int | None, int | None, int | None, int | None]:
    return node.lineno, node.end_lineno, node.col_offset, node.end_col_offset


# ---------------------------------------------------------------------- following a function


class Followed(ast.Call):
    """A call in a formula, with the function that is meant and a way to compute what it comes to."""

    def __init__(self, func: ast.expr, args: list[ast.expr], keywords: Any, meaning: Any, outcome: Any) -> None:
        super().__init__(func, args, keywords)
        self.meaning = meaning
        self.outcome = outcome


class Binding:
    """What a name means inside a function: a formula, and where it is needed for a decision, a value."""

    def __init__(self, formula: Callable[[], ast.expr], value: Callable[[], Any]) -> None:
        self._formula, self._value = formula, value
        self._known: list[Any] = []

    def formula(self) -> ast.expr:
        return self._formula()

    def value(self) -> Any:
        if not self._known:
            self._known.append(self._value())
        return self._known[0]


Scope = Mapping[str, Binding]


def rule_formula(function: Callable[..., Any], values: Mapping[str, Any]) -> ast.expr:
    """The formula of what ``function`` returns, in the names of its parameters.

    ``values`` are those of its parameters, as far as they are known; they decide branches.

    Raises
    ------
    OpaqueError
    """
    code = getattr(function, "__code__", None)
    if code is None or definition(code) is None:
        raise OpaqueError("no source")

    def argument(name: str) -> Binding:
        return Binding(lambda: ast.Name(name), lambda: values.get(name, _UNKNOWN))

    names = code.co_varnames[: code.co_argcount]
    try:
        return _Reader(function, 0).read({name: argument(name) for name in names})
    except RecursionError as error:
        raise OpaqueError("nested too deeply") from error


class _Reader:
    """Follows the source of one function."""

    def __init__(self, function: Any, depth: int) -> None:
        self.function = function
        self.depth = depth
        self.outside = {**function.__globals__, **inspect.getclosurevars(function).nonlocals}

    def read(self, scope: Scope) -> ast.expr:
        tree = definition(self.function.__code__)
        if isinstance(tree, ast.Lambda):
            return self.formula(tree.body, scope)
        if tree is None:
            raise OpaqueError("no source")
        return self._run(list(tree.body), scope)

    def _run(self, statements: list[ast.stmt], scope: Scope) -> ast.expr:
        while statements:
            match statements.pop(0):
                case ast.Expr(ast.Constant()) | ast.Pass():
                    pass
                case ast.Return(ast.expr() as value):
                    return self.formula(value, scope)
                case ast.If(test, body, orelse):
                    statements[:0] = body if self._decide(test, scope) else orelse
                case ast.Assign([ast.Name(id=name)], value) | ast.AnnAssign(ast.Name(id=name), _, ast.expr() as value):
                    scope = {**scope, name: self._bind(value, scope)}
                case ast.Assign([ast.Tuple(targets)], ast.Tuple(values)) if len(targets) == len(values):
                    pairs = zip(targets, values, strict=True)
                    made = {t.id: self._bind(v, scope) for t, v in pairs if isinstance(t, ast.Name)}
                    scope = {**scope, **made}
                case ast.Assign([ast.Tuple(targets)], value):
                    whole = self._bind(value, scope)
                    parts = {t.id: _part(whole, i) for i, t in enumerate(targets) if isinstance(t, ast.Name)}
                    scope = {**scope, **parts}
                case other:
                    raise OpaqueError(type(other).__name__)
        raise OpaqueError("no return")

    def _bind(self, value: ast.expr, scope: Scope) -> Binding:
        return Binding(lambda: self.formula(value, scope), lambda: self.value(value, scope))

    def value(self, expression: ast.expr, scope: Scope) -> Any:
        """The value of an expression; _UNKNOWN where a name in it has none, or computing it fails."""
        function = expression.func if isinstance(expression, ast.Call) else None
        if isinstance(function, ast.Name) and self.outside.get(function.id) is in_rows:
            return None  # what a kernel would compute is read from its twin
        names = {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)}
        inside = {name: scope[name].value() for name in names if name in scope}
        if any(value is _UNKNOWN for value in inside.values()):
            return _UNKNOWN
        compiled = compile(ast.Expression(expression), "<rule>", "eval")
        try:
            with np.errstate(all="ignore"):
                return eval(compiled, {**self.outside, **inside})
        except Exception:
            return _UNKNOWN

    def _decide(self, test: ast.expr, scope: Scope) -> bool:
        value = self.value(test, scope)
        if value is _UNKNOWN:
            raise OpaqueError("a branch that depends on what is not known")
        return bool(value)

    def formula(self, expression: ast.expr, scope: Scope) -> ast.expr:
        """An expression with local names replaced, branches decided and calls followed."""
        match expression:
            case ast.Name(id=name):
                return scope[name].formula() if name in scope else self._constant(expression, scope)
            case ast.Constant():
                return expression
            case ast.BinOp(left, op, right):
                return ast.BinOp(self.formula(left, scope), op, self.formula(right, scope))
            case ast.UnaryOp(op, operand):
                return ast.UnaryOp(op, self.formula(operand, scope))
            case ast.Compare(left, [op], [right]):
                return ast.Compare(self.formula(left, scope), [op], [self.formula(right, scope)])
            case ast.IfExp(test, body, orelse):
                return self.formula(body if self._decide(test, scope) else orelse, scope)
            case ast.Attribute(value, "T"):
                return called("transpose", self.formula(value, scope))
            case ast.Subscript(value, index):
                return ast.Subscript(self.formula(value, scope), self._option(index, scope))
            case ast.Call():
                return self._call(expression, scope)
            case ast.Tuple(items) | ast.List(items):
                return ast.Tuple([self.formula(item, scope) for item in items])
            case ast.Attribute():
                return self._constant(expression, scope)
        raise OpaqueError(type(expression).__name__)

    def _constant(self, expression: ast.expr, scope: Scope) -> ast.expr:
        """A name from outside the function that stands for a number."""
        value = self.value(expression, scope)
        if value is None or isinstance(value, (bool, int, float, complex, np.number)):
            name = expression.id if isinstance(expression, ast.Name) else getattr(expression, "attr", "")
            known = name in ("LN2", "LN10", "pi", "inf")
            return ast.Name(name) if known else ast.Constant(value.item() if isinstance(value, np.number) else value)
        raise OpaqueError(ast.unparse(expression))

    def _option(self, expression: ast.expr, scope: Scope) -> ast.expr:
        """An argument such as an axis or a shape: its value where it is small, else as it is written."""
        value = self.value(expression, scope)
        if isinstance(value, (np.ndarray, np.integer)) and value.dtype.kind in "bi" and value.size <= 8:
            value = value.tolist()
        if value is None or isinstance(value, (bool, int, str, slice)) or _is_plain_tuple(value):
            return ast.Constant(_printed(value))
        try:
            return self.formula(expression, scope)
        except OpaqueError:
            return ast.Constant("…")

    # ------------------------------------------------------------------ calls

    def _call(self, call: ast.Call, scope: Scope) -> ast.expr:
        function = self.value(call.func, scope)
        if function is _UNKNOWN or (isinstance(call.func, ast.Attribute) and self._is_method(call.func, scope)):
            return self._method(call, scope)
        if function in _TRANSPARENT or function is np.conjugate:
            inner = self.formula(call.args[0], scope)
            return inner if function is bare else called("conjugate", inner)
        if function in (np.ones_like, np.zeros_like, np.ones, np.zeros):
            return ast.Constant(1 if function in (np.ones_like, np.ones) else 0)
        if function is np.square:
            return ast.BinOp(self.formula(call.args[0], scope), ast.Pow(), ast.Constant(2))
        if isinstance(function, FunctionType) and not hasattr(function, "primitive") and _is_ours(function):
            followed = self._followed(function, call, scope)
            if followed is not None:
                return followed
        primitive = getattr(function, "primitive", None)
        name = primitive.name if primitive else getattr(function, "__name__", "").strip("_")
        return self._named(name or ast.unparse(call.func), function, call, scope)

    def _is_method(self, func: ast.Attribute, scope: Scope) -> bool:
        names = [node.id for node in ast.walk(func) if isinstance(node, ast.Name)]
        return any(name in scope for name in names)

    def _method(self, call: ast.Call, scope: Scope) -> ast.expr:
        if not isinstance(call.func, ast.Attribute):
            raise OpaqueError(ast.unparse(call.func))
        if call.func.attr in ("astype", "copy"):
            return self.formula(call.func.value, scope)
        function = getattr(np, call.func.attr, None)
        return self._named(call.func.attr, function, call, scope, [call.func.value, *call.args])

    def _named(
        self, name: str, function: Any, call: ast.Call, scope: Scope, arguments: list[ast.expr] | None = None
    ) -> ast.expr:
        """A call by the function's name; what it comes to is computed when it is asked for."""
        arguments = call.args if arguments is None else arguments
        if any(isinstance(a, ast.Starred) for a in arguments[:1]):
            raise OpaqueError("*arguments")
        first = [self.formula(a, scope) for a in arguments[:1]]
        rest = [self._entry(a, scope) for a in arguments[1:] if ast.unparse(a) != "needs"]
        while rest and isinstance(rest[-1], ast.Constant) and rest[-1].value is None:
            rest.pop()
        options = [ast.keyword(k.arg, self._option(k.value, scope)) for k in call.keywords if k.arg not in UNTOLD]
        return Followed(ast.Name(name), [*first, *rest], options, function, lambda: self.value(call, scope))

    def _entry(self, argument: ast.expr, scope: Scope) -> ast.expr:
        """A further argument: a formula where it is one of numbers or arrays, else an option."""
        value = self.value(argument, scope)
        kind = getattr(value, "dtype", np.dtype(int)).kind
        if isinstance(value, float) or kind in "bfc" or value is _UNKNOWN:
            try:
                return self.formula(argument, scope)
            except OpaqueError:
                pass
        return self._option(argument, scope)

    def _followed(self, function: FunctionType, call: ast.Call, scope: Scope) -> ast.expr | None:
        """A helper's own formula with the arguments in place; None where its name says more."""
        gathers = function.__code__.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS)
        if self.depth == DEPTH or gathers or any(isinstance(a, ast.Starred) for a in call.args):
            return None
        try:
            bound = inspect.signature(function).bind(*call.args, **{k.arg: k.value for k in call.keywords if k.arg})
            defaults = {n: Binding(_opaque, lambda v=v: v) for n, v in _defaults(function).items()}  # type: ignore[misc]
            inner = {**defaults, **{name: self._bind(value, scope) for name, value in bound.arguments.items()}}
            made = _Reader(function, self.depth + 1).read(inner)
        except (OpaqueError, TypeError):
            return None
        return made if sum(1 for _ in ast.walk(made)) <= LARGE else None


def _defaults(function: FunctionType) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def _opaque() -> ast.expr:
    raise OpaqueError("a default")


def _part(whole: Binding, i: int) -> Binding:
    def value() -> Any:
        known = whole.value()
        try:
            return known if known is _UNKNOWN else known[i]
        except (TypeError, IndexError):
            return _UNKNOWN

    return Binding(_opaque, value)


def called(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name), list(arguments), [])


def _is_ours(function: FunctionType) -> bool:
    """Whether it is no function of NumPy, Python or SciPy, whose names say enough."""
    return function.__module__.partition(".")[0] not in ("numpy", "scipy", builtins.__name__, "math")


def _is_plain_tuple(value: Any) -> bool:
    return (
        isinstance(value, (tuple, list))
        and len(value) <= 8
        and all(item is None or item is Ellipsis or isinstance(item, (bool, int, str, slice)) for item in value)
    )


def _printed(value: Any) -> Any:
    """An option as it is written in Python: slices with colons."""
    if isinstance(value, slice):
        ends = ["" if end is None else str(end) for end in (value.start, value.stop, value.step)]
        return ":".join(ends[: 3 if ends[2] else 2])
    if isinstance(value, str):
        return repr(value)
    if isinstance(value, (tuple, list)):
        return tuple("…" if item is Ellipsis else _printed(item) for item in value)
    return value
