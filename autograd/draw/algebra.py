"""Formulas made simpler, filled with numbers, and evaluated."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from autograd.draw.source import Followed, called

__all__ = ["cofactor", "evaluate", "filled", "mentions", "product", "simplified"]

WRITTEN = {"sin", "cos", "tan", "sinh", "cosh", "tanh", "exp", "log", "sqrt", "abs", "absolute", "sigmoid", "conjugate"}

OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Pow: operator.pow, ast.MatMult: operator.matmul, ast.BitAnd: operator.and_, ast.BitOr: operator.or_,
    ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Invert: np.logical_not, ast.Not: np.logical_not,
    ast.Gt: operator.gt, ast.Lt: operator.lt, ast.GtE: operator.ge, ast.LtE: operator.le, ast.Eq: operator.eq,
    ast.NotEq: operator.ne, ast.Is: operator.is_, ast.IsNot: operator.is_not,
}  # fmt: skip
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "conjugate": np.conjugate, "transpose": np.transpose, "where": np.where, "sum": np.sum, "Re": np.real,
}  # fmt: skip
CONSTANTS = {"LN2": np.log(2), "LN10": np.log(10), "pi": np.pi, "inf": np.inf}


def mentions(formula: ast.AST, name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(formula))


def product(left: ast.expr, right: ast.expr) -> ast.expr:
    """``left · right``, without ones, and with the sign in front."""
    for one, other in ((left, right), (right, left)):
        if _is(one, 1):
            return other
        if _is(one, 0):
            return ast.Constant(0)
        if isinstance(one, ast.UnaryOp) and isinstance(one.op, ast.USub):
            inner = product(one.operand, right) if one is left else product(left, one.operand)
            return _negative(inner)
        if isinstance(one, ast.Constant) and not isinstance(one.value, complex) and one.value == -1:
            return _negative(other)
    if isinstance(right, ast.BinOp) and isinstance(right.op, ast.Div) and _is(right.left, 1):
        return ast.BinOp(left, ast.Div(), right.right)
    return ast.BinOp(left, ast.Mult(), right)


def _is(formula: ast.expr, value: int) -> bool:
    return isinstance(formula, ast.Constant) and not isinstance(formula.value, str) and formula.value == value


def _negative(formula: ast.expr) -> ast.expr:
    if isinstance(formula, ast.UnaryOp) and isinstance(formula.op, ast.USub):
        return formula.operand
    return ast.UnaryOp(ast.USub(), formula)


def cofactor(formula: ast.expr, name: str) -> ast.expr | None:
    """``d`` where the formula is ``name · d``, entry by entry; None where it is not of that form."""
    match formula:
        case ast.Name(id=found) if found == name:
            return ast.Constant(1)
        case ast.Constant(value=0):
            return formula
        case ast.BinOp(left, ast.Mult(), right):
            for one, other in ((left, right), (right, left)):
                if mentions(one, name) and not mentions(other, name):
                    inner = cofactor(one, name)
                    return None if inner is None else product(inner, other)
        case ast.BinOp(left, ast.Div(), right) if not mentions(right, name):
            inner = cofactor(left, name)
            return None if inner is None else ast.BinOp(inner, ast.Div(), right)
        case ast.BinOp(left, ast.Add() | ast.Sub() as op, right):
            first, second = cofactor(left, name), cofactor(right, name)
            return None if first is None or second is None else ast.BinOp(first, op, second)
        case ast.UnaryOp(ast.USub(), operand):
            inner = cofactor(operand, name)
            return None if inner is None else _negative(inner)
        case ast.Call(ast.Name(id="where"), [condition, then, otherwise]):
            first, second = cofactor(then, name), cofactor(otherwise, name)
            return None if first is None or second is None else called("where", condition, first, second)
    return None


# ---------------------------------------------------------------------- simpler


def simplified(formula: ast.expr) -> ast.expr:
    """Powers for repeated factors, no ones and zeros, signs in front, ``y − y·y`` as ``y · (1 − y)``."""
    return _Simpler().visit(formula)


class _Simpler(ast.NodeTransformer):
    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        left, right = self.visit(node.left), self.visit(node.right)
        match node.op:
            case ast.Mult():
                return _powers(left, right)
            case ast.Add() | ast.Sub():
                return _sum(left, right, node.op)
            case ast.Pow() if _is(right, 1):
                return left
            case ast.BitAnd() if _is(left, 1):
                return right
            case ast.Div() if isinstance(left, ast.UnaryOp) and isinstance(left.op, ast.USub):
                return _negative(ast.BinOp(left.operand, ast.Div(), right))
        return ast.BinOp(left, node.op, right)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        operand = self.visit(node.operand)
        return _negative(operand) if isinstance(node.op, ast.USub) else ast.UnaryOp(node.op, operand)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        arguments = [self.visit(a) for a in node.args]
        if isinstance(node, Followed):
            return Followed(node.func, arguments, node.keywords, node.meaning, node.outcome)
        return ast.Call(node.func, arguments, node.keywords)


def _factors(formula: ast.expr) -> list[ast.expr]:
    if isinstance(formula, ast.BinOp) and isinstance(formula.op, ast.Mult):
        return [*_factors(formula.left), *_factors(formula.right)]
    return [formula]


def _powers(left: ast.expr, right: ast.expr) -> ast.expr:
    """A product with each symbol once, raised to how often it occurs."""
    counts: dict[str, int] = {}
    bases: list[tuple[str, ast.expr]] = []
    signs = 0
    for factor in [*_factors(left), *_factors(right)]:
        if isinstance(factor, ast.UnaryOp) and isinstance(factor.op, ast.USub):
            signs, factor = signs + 1, factor.operand
        base, times = factor, 1
        match factor:
            case ast.BinOp(inner, ast.Pow(), ast.Constant(value=int(n))) if n > 0:
                base, times = inner, n
        key = ast.dump(base) if not isinstance(base, ast.Constant) else f"{len(bases)}"
        if key not in counts:
            bases.append((key, base))
        counts[key] = counts.get(key, 0) + times
    total: ast.expr = ast.Constant(1)
    for key, base in bases:
        n = counts[key]
        total = product(total, base if n == 1 else ast.BinOp(base, ast.Pow(), ast.Constant(n)))
    return _negative(total) if signs % 2 else total


def _sum(left: ast.expr, right: ast.expr, op: ast.operator) -> ast.expr:
    adds = isinstance(op, ast.Add)
    if _is(right, 0):
        return left
    if _is(left, 0):
        return right if adds else _negative(right)
    if isinstance(right, ast.UnaryOp) and isinstance(right.op, ast.USub):
        return _sum(left, right.operand, ast.Sub() if adds else ast.Add())
    if isinstance(left, ast.Name):
        rest = _without(right, left)
        if rest is not None:
            return product(left, ast.BinOp(ast.Constant(1), op, rest))
    return ast.BinOp(left, op, right)


def _without(formula: ast.expr, name: ast.Name) -> ast.expr | None:
    """A product with one factor ``name`` fewer; None where it has none, or has nothing else."""
    if isinstance(formula, ast.BinOp) and isinstance(formula.op, ast.Pow) and ast.dump(formula.left) == ast.dump(name):
        if isinstance(formula.right, ast.Constant) and isinstance(formula.right.value, int) and formula.right.value > 1:
            n = formula.right.value - 1
            return name if n == 1 else ast.BinOp(name, ast.Pow(), ast.Constant(n))
        return None
    factors = _factors(formula)
    for i, factor in enumerate(factors):
        if len(factors) > 1 and ast.dump(factor) == ast.dump(name):
            total: ast.expr = ast.Constant(1)
            for other in [*factors[:i], *factors[i + 1 :]]:
                total = product(total, other)
            return total
    return None


# ---------------------------------------------------------------------- numbers


def evaluate(formula: ast.expr, values: Mapping[str, Any]) -> Any:
    """The value of a formula; calls of helpers have theirs from their own source."""
    match formula:
        case ast.Name(id=name):
            return values[name] if name in values else CONSTANTS[name]
        case ast.Constant(value=value):
            return value
        case ast.BinOp(left, op, right):
            return OPERATORS[type(op)](evaluate(left, values), evaluate(right, values))
        case ast.UnaryOp(op, operand):
            return OPERATORS[type(op)](evaluate(operand, values))
        case ast.Compare(left, [op], [right]):
            return OPERATORS[type(op)](evaluate(left, values), evaluate(right, values))
        case ast.Call(ast.Name(id=name), arguments, keywords):
            function = FUNCTIONS.get(name) or getattr(formula, "meaning", None)
            if function and not keywords and (name in FUNCTIONS or name in WRITTEN or isinstance(function, np.ufunc)):
                return function(*(evaluate(a, values) for a in arguments))
            outcome: Any = formula.outcome() if isinstance(formula, Followed) else None
            if isinstance(outcome, (np.ndarray, np.generic, int, float, complex, tuple, list)):
                return outcome
        case ast.Subscript(value, ast.Constant(value=int(index))):  # one of several; others are only written
            return evaluate(value, values)[index]
    raise KeyError(ast.unparse(formula))


def filled(formula: ast.expr, values: Mapping[str, Any]) -> ast.expr:
    """A formula of scalars with numbers for names; conditions decided, and calls of helpers computed."""
    match formula:
        case ast.Name(id=name):
            return ast.Constant(np.asarray(values[name]).item()) if name in values else formula
        case ast.BinOp(left, ast.BitAnd() | ast.BitOr(), right) | ast.Compare(left, _, [right]):
            return ast.Constant(int(np.all(evaluate(formula, values))))
        case ast.UnaryOp(ast.Invert() | ast.Not()):
            return ast.Constant(int(np.all(evaluate(formula, values))))
        case ast.BinOp(left, ast.Pow(), right):
            exponent = np.asarray(evaluate(right, values)).item()
            whole = isinstance(exponent, float) and exponent.is_integer()
            return ast.BinOp(filled(left, values), ast.Pow(), ast.Constant(int(exponent) if whole else exponent))
        case ast.BinOp(left, op, right):
            return ast.BinOp(filled(left, values), op, filled(right, values))
        case ast.UnaryOp(op, operand):
            return ast.UnaryOp(op, filled(operand, values))
        case ast.Call(ast.Name(id="where"), [condition, then, otherwise]):
            return filled(then if np.all(evaluate(condition, values)) else otherwise, values)
        case ast.Call(ast.Name(id=name), [argument]) if name in WRITTEN:
            return called(name, filled(argument, values))
        case ast.Constant():
            return formula
    return ast.Constant(np.asarray(evaluate(formula, values)).item())
