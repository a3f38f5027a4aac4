"""A derivative rule as an equation: ∂L/∂x = ∂L/∂y · (1 − y²), and with numbers filled in.

The equation is made from the rule itself (``autograd.draw.source``), so it cannot differ from what the engine
computes. Rules too long for that are named instead, with what they use.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograd.draw.algebra import cofactor, filled, mentions, product, simplified
from autograd.draw.formula import Latex, Mathml, Symbol, Text, Writer
from autograd.draw.snapshot import argument_names
from autograd.draw.source import OpaqueError, called, rule_formula
from autograd.elementwise import Elementwise
from autograd.graph import RELEASED, Node
from autograd.outputs import Cotangents, Pick
from autograd.primitive import Primitive, Rule

__all__ = ["Equation", "equation"]

WRITERS: dict[str, type[Writer]] = {"text": Text, "latex": Latex, "mathml": Mathml}
SPREADS = ("where", "broadcast_to", "tril", "triu")  # rules that leave the sum over broadcast axes to the engine
EQUALS = {"text": " = ", "latex": " = ", "mathml": "<mo>=</mo>"}


@dataclass
class Equation:
    """The cotangent of one argument of an operation.

    Attributes
    ----------
    argument : name of the argument, as the operation's function has it
    formula : the right-hand side; None where the rule could not be read as one
    values : what the names of the formula stand for
    uses : the saved values that the rule needs
    reads_in_full : whether the formula needs no helper that is not NumPy's or an operation
    """

    argument: str
    operation: str
    formula: ast.expr | None
    values: Mapping[str, Any]
    uses: tuple[str, ...]
    symbols: Mapping[str, Symbol]
    left: Symbol
    arrays: bool
    term: Any = None

    def __str__(self) -> str:
        return self.text

    @property
    def text(self) -> str:
        return self.written("text")

    @property
    def latex(self) -> str:
        return self.written("latex")

    @property
    def mathml(self) -> str:
        return self.written("mathml")

    @property
    def reads_in_full(self) -> bool:
        if self.formula is None:
            return False
        calls = [node for node in ast.walk(self.formula) if isinstance(node, ast.Call)]
        return all(_is_public(call) for call in calls)

    def written(self, notation: str) -> str:
        """The rule in names."""
        left = getattr(self.left, notation)
        return f"{left}{EQUALS[notation]}{self.right(notation)}"

    def right(self, notation: str) -> str:
        """The right-hand side in names."""
        writer = WRITERS[notation](self.symbols, self.arrays)
        return self._named(writer) if self.formula is None else writer.write(self.formula)

    def numbers(self, notation: str = "text", digits: int = 4) -> str:
        """The right-hand side with numbers, and what it comes to; empty where the operation is not one of scalars."""
        return EQUALS[notation].join(self.steps_in_numbers(notation, digits))

    def steps_in_numbers(self, notation: str = "text", digits: int = 4) -> list[str]:
        """The right-hand side with numbers, then what it comes to, if that is not the same; see ``numbers``."""
        filled_in = self._filled()
        if filled_in is None or self.term is None or np.size(self.term) != 1:
            return []
        writer = WRITERS[notation]({}, digits=digits)
        return list(dict.fromkeys(map(writer.write, (filled_in, ast.Constant(np.asarray(self.term).item())))))

    def factor(self, notation: str = "text", digits: int | None = None) -> str:
        """The local derivative alone, without the cotangent: in names, or with ``digits`` in numbers; may be empty."""
        inner = None if self.formula is None else cofactor(self.formula, "g")
        if inner is None:
            return ""
        if digits is None:
            return WRITERS[notation](self.symbols, self.arrays).write(inner)
        try:
            return WRITERS[notation]({}, digits=digits).write(filled(inner, self.values))
        except (KeyError, TypeError, ValueError):
            return ""

    def _filled(self) -> ast.expr | None:
        if self.formula is None or not all(_is_scalar(v) for k, v in self.values.items() if mentions(self.formula, k)):
            return None
        try:
            with np.errstate(all="ignore"):
                return filled(self.formula, self.values)
        except (KeyError, TypeError, ValueError, ArithmeticError):
            return None

    def _named(self, writer: Writer) -> str:
        """In place of a formula: which rule it is, and what of."""
        entries = [ast.Name(n) for n in ("g", *(u for u in self.uses if u in self.symbols))]
        return writer.write(called(f"{self.operation}_vjp", *entries))


def _is_scalar(value: Any) -> bool:
    return isinstance(value, (bool, int, float, complex)) or getattr(value, "size", 0) == 1


def _is_public(call: ast.Call) -> bool:
    meaning = getattr(call, "meaning", None)
    module = getattr(meaning, "__module__", None) or "numpy"
    return meaning is None or hasattr(meaning, "primitive") or isinstance(meaning, np.ufunc) or "numpy" in module[:6]


def equation(
    node: Node,
    position: int,
    g: Any = None,
    term: Any = None,
    labels: Mapping[str, str] | None = None,
    loss: str = "L",
) -> Equation:
    """The equation of the cotangent that ``node`` sends to its parent at ``position``.

    Parameters
    ----------
    node : Node
    position : int
    g, term : arrays, optional
        The cotangent of the node and what its rule made of it, for the numbers.
    labels : mapping, optional
        What arguments (by their names in the operation's function) and the output (``"out"``) are called.
    loss : str
        What is differentiated.
    """
    primitive = node.primitive
    names = [name or "x" for name in argument_names(node)]
    argument = names[position]
    symbols = _symbols(primitive, names, labels or {}, loss)
    arrays = (isinstance(node.shape, tuple) and node.shape != ()) or argument_shape(node, position) != ()
    rule = _rule(primitive, position)
    values = {} if rule is None else dict(_values(node, rule))
    if g is not None:
        values["g"] = g.filled() if isinstance(g, Cotangents) else g
    formula = _formula(node, position, rule, values)
    uses = () if rule is None else tuple(n for n in rule.needs if n not in ("g", "needs") and not n.endswith("_shape"))
    name = symbols.get(argument) or Symbol(argument)
    return Equation(
        argument=argument,
        operation=primitive.name,
        formula=formula,
        values=values,
        uses=uses,
        symbols=symbols,
        left=Symbol.partial(Symbol(loss), name),
        arrays=bool(arrays),
        term=term,
    )


def argument_shape(node: Node, position: int) -> Any:
    parent = node.parents[position]
    return () if parent is None else parent.shape


def _rule(primitive: Any, position: int) -> Rule | None:
    if not isinstance(primitive, Primitive):
        return None
    if isinstance(primitive, Elementwise):
        partial = primitive.partials[position]
        return Rule(partial, _each(primitive, position).needs) if callable(partial) else Rule(lambda: partial, ("g",))
    return _each(primitive, position)


def _each(primitive: Primitive, position: int) -> Any:
    return primitive.vjp if isinstance(primitive.vjp, Rule) else primitive.vjp[position]


def _values(node: Node, rule: Rule) -> Iterator[tuple[str, Any]]:
    """What the rule would be handed, as far as it is there."""
    if node.saved is RELEASED:
        return
    where = node.primitive._where
    for name in rule.needs:
        if name == "needs":
            yield name, tuple(parent is not None for parent in node.parents)
        elif name not in ("g", "t") and where[name] < len(node.saved):
            yield name, node.saved[where[name]]
    several = isinstance(node.dtype, tuple)
    if not several:
        yield "g", np.broadcast_to(np.zeros((), node.dtype), node.shape)


def _formula(node: Node, position: int, rule: Rule | None, values: Mapping[str, Any]) -> ast.expr | None:
    primitive = node.primitive
    if isinstance(primitive, Pick):
        return ast.Name("g")
    if rule is None:
        return None
    try:
        if isinstance(primitive, Elementwise):
            partial = primitive.partials[position]
            made = _scaled(rule_formula(partial, values) if callable(partial) else ast.Constant(partial))
        else:
            made = simplified(rule_formula(rule.function, values))
            if isinstance(primitive.vjp, Rule):
                made = made.elts[position] if isinstance(made, ast.Tuple) else _picked(made, position)
    except (OpaqueError, IndexError):
        return None
    if not any(_is_complex(value) for value in (node, *values.values())):
        made = _Real().visit(made)
    elif isinstance(primitive, Elementwise):
        made = _conjugated(made)
    return _conformed(made, node, position)


def _scaled(partial: ast.expr) -> ast.expr:
    """``g`` times a partial derivative; where the rule gave that product itself, with ``g`` in front."""
    if not mentions(partial, "g"):
        return product(ast.Name("g"), simplified(partial))
    inner = cofactor(partial, "g")
    return simplified(partial) if inner is None else product(ast.Name("g"), simplified(inner))


def _picked(made: ast.expr, position: int) -> ast.expr:
    return ast.Subscript(made, ast.Constant(position))


def _is_complex(value: Any) -> bool:
    return getattr(getattr(value, "dtype", None), "kind", "") == "c"


class _Real(ast.NodeTransformer):
    """Without conjugates, of which real numbers have no need."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        return node.args[0] if isinstance(node.func, ast.Name) and node.func.id == "conjugate" else node


def _conjugated(made: ast.expr) -> ast.expr:
    inner = cofactor(made, "g")
    if inner is None or isinstance(inner, ast.Constant):
        return made
    if isinstance(inner, ast.UnaryOp) and isinstance(inner.operand, ast.Constant):
        return made
    return product(ast.Name("g"), called("conjugate", inner))


def _conformed(made: ast.expr, node: Node, position: int) -> ast.expr:
    """With what the engine does to a term: the real part, and the sum over axes that were broadcast."""
    parent = node.parents[position]
    if parent is None or isinstance(node.dtype, tuple):
        return made
    imaginary = any(isinstance(n, ast.Constant) and isinstance(n.value, complex) for n in ast.walk(made))
    if parent.dtype.kind != "c" and (imaginary or node.dtype.kind == "c"):
        made = called("Re", made)
    if isinstance(made, ast.Constant) or not (
        isinstance(node.primitive, Elementwise) or node.primitive.name in SPREADS
    ):
        return made
    return called("sum", made) if parent.shape != node.shape else made


def _symbols(primitive: Any, names: list[str], labels: Mapping[str, str], loss: str) -> dict[str, Symbol]:
    """How each name of a rule is written; with labels only where none is what another argument is called."""
    every = list(dict.fromkeys((*getattr(primitive, "names", ()), *names)))
    free = next((letter for letter in ("y", "z", "out") if letter not in every), "result")
    plain = {**{n: n for n in every}, "out": free}
    given = {n: label for n, label in labels.items() if n in plain and label}
    chosen = {**plain, **given}
    if not {plain[n] for n in plain.keys() - given.keys()}.isdisjoint(given.values()):
        chosen = plain
    written = {name: Symbol(text) for name, text in chosen.items()}
    for name in every:
        written[f"{name}_shape"] = Symbol(f"shape of {chosen[name]}")
    written["g"] = Symbol.partial(Symbol(loss), written["out"])
    return written
