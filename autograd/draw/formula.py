"""Formulas as text, LaTeX and MathML.

A formula is a Python expression (``ast.expr``) in sums, products, quotients, powers, function calls and comparisons;
what its names stand for is written by ``Symbol``. Three writers, one for each notation, walk the same tree.
"""

from __future__ import annotations

import ast
import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from html import escape
from itertools import count
from typing import Any, ClassVar

import numpy as np

__all__ = ["Latex", "Mathml", "Symbol", "Text", "Writer", "fresh_names", "number"]

RELATION, SUM, PRODUCT, POWER, ATOM = range(5)  # how tightly an expression binds

RELATIONS: dict[type[ast.AST], tuple[str, str]] = {
    ast.Gt: (">", ">"), ast.Lt: ("<", "<"), ast.GtE: ("≥", r"\ge"), ast.LtE: ("≤", r"\le"), ast.Eq: ("=", "="),
    ast.NotEq: ("≠", r"\ne"), ast.Is: ("=", "="), ast.IsNot: ("≠", r"\ne"), ast.BitAnd: ("and", r"\land"),
    ast.And: ("and", r"\land"), ast.BitOr: ("or", r"\lor"), ast.Or: ("or", r"\lor"),
}  # fmt: skip
FUNCTIONS = {
    "log": "ln", "sigmoid": "σ", "sign": "sgn", "arcsin": "arcsin", "arccos": "arccos", "arctan": "arctan",
    "reduce": "sum", "expand_dims": "expand", "broadcast_to": "broadcast", "swapaxes": "swap",
}  # fmt: skip
UPRIGHT_IN_LATEX = {
    "sin",
    "cos",
    "tan",
    "sinh",
    "cosh",
    "tanh",
    "exp",
    "ln",
    "max",
    "min",
    "arcsin",
    "arccos",
    "arctan",
}
CONSTANTS = {"LN2": ("ln 2", r"\ln 2"), "LN10": ("ln 10", r"\ln 10"), "pi": ("π", r"\pi"), "inf": ("∞", r"\infty")}
SUPERSCRIPT = str.maketrans("0123456789-−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁻")
LOWERED = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
SUBSCRIPT = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
ACCENTS = {"\u0302": "hat", "\u0304": "bar", "\u0303": "tilde", "\u0307": "dot"}


class Symbol:
    """A name in the three notations: ``w1`` has a subscript, ``ŷ`` a hat, ``layers.0.weight`` is upright."""

    def __init__(self, text: str, latex: str | None = None, mathml: str | None = None) -> None:
        self.text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
        self.latex = _latex_name(self.text) if latex is None else latex
        self.mathml = _mathml_name(self.text) if mathml is None else mathml

    @classmethod
    def partial(cls, above: Symbol, below: Symbol) -> Symbol:
        """∂above/∂below."""
        parts = [f"({s.text})" if re.search(r"[\s+*/·−-]", s.text) else s.text for s in (above, below)]
        return cls(
            f"∂{parts[0]}/∂{parts[1]}",
            rf"\frac{{\partial {above.latex}}}{{\partial {below.latex}}}",
            f"<mfrac><mrow><mo>∂</mo>{above.mathml}</mrow><mrow><mo>∂</mo>{below.mathml}</mrow></mfrac>",
        )


_RAISED = re.compile(r"(.+?)([⁰¹²³⁴⁵⁶⁷⁸⁹]+)")
_SUBSCRIPTED = re.compile(r"([^\W\d_]\u0302?)_?(\d+)")


def _latex_name(text: str) -> str:
    name = text.translate(SUBSCRIPT)
    if match := _SUBSCRIPTED.fullmatch(name):
        return f"{_latex_name(match[1])}_{{{match[2]}}}"
    if match := _RAISED.fullmatch(name):
        power = match[2].translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789"))
        return f"{_latex_name(match[1])}^{{{power}}}"
    letters = unicodedata.normalize("NFD", name)
    if len(letters) == 2 and letters[1] in ACCENTS:
        return rf"\{ACCENTS[letters[1]]}{{{letters[0]}}}"
    if len(name) == 1 and name.isalpha():
        return name
    special = {"\\": r"\backslash ", "^": r"\hat{\ }", "~": r"\sim "}
    return r"\mathrm{" + "".join(special.get(c, f"\\{c}" if c in "_#%&${}" else c) for c in name) + "}"


def _mathml_name(text: str) -> str:
    name = text.translate(SUBSCRIPT)
    if match := _SUBSCRIPTED.fullmatch(name):
        return f"<msub><mi>{escape(match[1])}</mi><mn>{match[2]}</mn></msub>"
    return f"<mi>{escape(text)}</mi>"


def number(value: Any, digits: int = 4) -> str:
    """A number as it is printed: 0.4502, −3, 1.2·10⁻⁵, ∞."""
    value = value.item() if isinstance(value, (np.ndarray, np.generic)) else value
    if isinstance(value, complex):
        real, imag = number(value.real, digits), number(value.imag, digits)
        return f"{real} − {imag[1:]}i" if imag.startswith("−") else f"{real} + {imag}i"
    if isinstance(value, bool):
        return str(int(value))
    if not isinstance(value, (int, float)):
        return str(value)
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "∞" if value > 0 else "−∞"
    value = value or 0  # no −0
    mantissa, _, exponent = (str(value) if isinstance(value, int) else f"{value:.{digits}g}").partition("e")
    printed = mantissa.replace("-", "−")
    return f"{printed}·10{str(int(exponent)).translate(SUPERSCRIPT)}" if exponent else printed


def fresh_names(letter: str, taken: Collection[str]) -> Iterator[str]:
    """z₁, z₂, … but for those that are taken."""
    for i in count(1):
        name = letter + str(i).translate(LOWERED)
        if name not in taken:
            yield name


class Writer(ABC):
    """Walks a formula; a subclass says how each piece is written."""

    times: ClassVar[str]  # between numbers
    entrywise: ClassVar[str]  # between arrays
    product: ClassVar[str]  # of matrices

    def __init__(self, symbols: Mapping[str, Symbol], arrays: bool = False, digits: int = 4) -> None:
        self.symbols = symbols
        self.arrays = arrays
        self.digits = digits

    def write(self, formula: ast.expr) -> str:
        return self._at(formula, RELATION)

    def _at(self, formula: ast.expr, level: int) -> str:
        """In parentheses where it binds less tightly than ``level``; in brackets if a condition, counting as 1 or 0."""
        written, binds = self._bound(formula)
        if binds >= level:
            return written
        return self.bracket(written) if binds == RELATION else self.group(written)

    def _bound(self, formula: ast.expr) -> tuple[str, int]:
        match formula:
            case ast.Name(id=name):
                return self.symbol(name)
            case ast.Constant(value=value):
                return self._constant(value)
            case ast.BinOp(left, ast.Add() | ast.Sub() as op, right):
                sign = "+" if isinstance(op, ast.Add) else "−"
                rest = self._at(right, SUM if sign == "+" else PRODUCT)
                return f"{self._at(left, SUM)}{self.operator(sign)}{rest}", SUM
            case ast.BinOp(left, ast.Mult(), right):
                return f"{self._at(left, PRODUCT)}{self._times(left, right)}{self._at(right, PRODUCT)}", PRODUCT
            case ast.BinOp(left, ast.MatMult(), right):
                return f"{self._at(left, PRODUCT)}{self.product}{self._at(right, POWER)}", PRODUCT
            case ast.BinOp(left, ast.Div(), right):
                return self.fraction(left, right)
            case ast.BinOp(left, ast.Pow(), right):
                return self.power(self._at(left, ATOM), right), POWER
            case ast.BinOp(left, ast.BitAnd() | ast.BitOr() as op, right):
                return self.relation(self.write(left), type(op), self.write(right)), RELATION
            case ast.UnaryOp(ast.USub(), operand):
                return f"{self.operator('−').strip()}{self._at(operand, PRODUCT)}", SUM
            case ast.UnaryOp(ast.Invert() | ast.Not(), operand):
                return self.call("not", [self.write(operand)]), ATOM
            case ast.Compare(left, [op], [right]):
                return self.relation(self._at(left, SUM), type(op), self._at(right, SUM)), RELATION
            case ast.Call(ast.Name(id=name), arguments, keywords):
                return self._called(name, arguments, keywords)
            case ast.Subscript(value, index):
                return self.index(self._at(value, ATOM), self._places(index)), POWER
            case ast.Tuple(items) | ast.List(items):
                return self.group(", ".join(map(self.write, items))), ATOM
        return self.code(ast.unparse(formula)), ATOM

    def _constant(self, value: Any) -> tuple[str, int]:
        if isinstance(value, (bool, int, float, complex)):
            printed = number(value, self.digits)
            binds = SUM if printed.startswith("−") or " " in printed else PRODUCT if "10" in printed[1:-1] else ATOM
            return self.digits_of(printed), binds if "·" in printed or binds == SUM else ATOM
        if isinstance(value, tuple):
            return self.code(f"({', '.join(map(str, value))}{',' if len(value) == 1 else ''})"), ATOM
        return self.code(str(value)), ATOM

    def _places(self, index: ast.expr) -> str:
        match index:
            case ast.Constant(value=(_, *_) as places):
                return self.code(", ".join(map(str, places)))
        return self.write(index)

    def _times(self, left: ast.expr, right: ast.expr) -> str:
        plain = not self.arrays or isinstance(left, ast.Constant) or isinstance(right, ast.Constant)
        return self.times if plain else self.entrywise

    def _called(self, name: str, arguments: list[ast.expr], keywords: list[ast.keyword]) -> tuple[str, int]:
        inner = [self.write(argument) for argument in arguments]
        if name == "sqrt":
            return self.root(inner[0]), ATOM
        if name == "exp":
            return self.exponential(inner[0])
        if name in ("abs", "absolute"):
            return self.size(inner[0]), ATOM
        if name == "conjugate":
            return self.conjugate(arguments[0]), ATOM
        if name == "transpose" and len(arguments) == 1:
            return self.transpose(self._at(arguments[0], ATOM)), POWER
        if name == "where" and len(arguments) == 3:
            return self.cases(inner[0], *(self._at(value, SUM) for value in arguments[1:])), ATOM
        named = [f"{self.code(f'{k.arg}=')}{self.write(k.value)}" for k in keywords if k.arg]
        return self.call(FUNCTIONS.get(name, name), inner + named), ATOM

    # what the notations differ in

    @abstractmethod
    def symbol(self, name: str) -> tuple[str, int]: ...

    @abstractmethod
    def group(self, inner: str) -> str: ...

    @abstractmethod
    def bracket(self, inner: str) -> str: ...

    @abstractmethod
    def operator(self, sign: str) -> str: ...

    @abstractmethod
    def digits_of(self, printed: str) -> str: ...

    @abstractmethod
    def fraction(self, above: ast.expr, below: ast.expr) -> tuple[str, int]: ...

    @abstractmethod
    def power(self, base: str, exponent: ast.expr) -> str: ...

    @abstractmethod
    def relation(self, left: str, op: type[ast.AST], right: str) -> str: ...

    @abstractmethod
    def call(self, name: str, arguments: list[str]) -> str: ...

    @abstractmethod
    def root(self, inner: str) -> str: ...

    @abstractmethod
    def exponential(self, inner: str) -> tuple[str, int]: ...

    @abstractmethod
    def size(self, inner: str) -> str: ...

    @abstractmethod
    def conjugate(self, inner: ast.expr) -> str: ...

    @abstractmethod
    def transpose(self, inner: str) -> str: ...

    @abstractmethod
    def cases(self, condition: str, then: str, otherwise: str) -> str: ...

    @abstractmethod
    def index(self, base: str, index: str) -> str: ...

    @abstractmethod
    def code(self, source: str) -> str: ...


class Text(Writer):
    """Unicode text: ∂L/∂y · (1 − y²)."""

    times, entrywise, product = " · ", " ⊙ ", " @ "

    def symbol(self, name: str) -> tuple[str, int]:
        if name in self.symbols:
            text = self.symbols[name].text
            return text, ATOM if text.replace("_", "").isalnum() else POWER
        return CONSTANTS.get(name, (name, ""))[0], POWER if name.startswith("LN") else ATOM

    def group(self, inner: str) -> str:
        return f"({inner})"

    def bracket(self, inner: str) -> str:
        return f"[{inner}]"

    def operator(self, sign: str) -> str:
        return f" {sign} "

    def digits_of(self, printed: str) -> str:
        return printed

    def fraction(self, above: ast.expr, below: ast.expr) -> tuple[str, int]:
        return f"{self._at(above, PRODUCT)} / {self._at(below, POWER)}", PRODUCT

    def power(self, base: str, exponent: ast.expr) -> str:
        written = self.write(exponent)
        return base + (written.translate(SUPERSCRIPT) if re.fullmatch(r"−?\d+", written) else f"^({written})")

    def relation(self, left: str, op: type[ast.AST], right: str) -> str:
        return f"{left} {RELATIONS[op][0]} {right}"

    def call(self, name: str, arguments: list[str]) -> str:
        return f"{name}({', '.join(arguments)})"

    def root(self, inner: str) -> str:
        return f"√({inner})" if len(inner) > 1 else f"√{inner}"

    def exponential(self, inner: str) -> tuple[str, int]:
        return f"exp({inner})", ATOM

    def size(self, inner: str) -> str:
        return f"|{inner}|"

    def conjugate(self, inner: ast.expr) -> str:
        return f"conj({self.write(inner)})"

    def transpose(self, inner: str) -> str:
        return f"{inner}ᵀ"

    def cases(self, condition: str, then: str, otherwise: str) -> str:
        return f"{{{then} if {condition}, else {otherwise}}}"

    def index(self, base: str, index: str) -> str:
        return f"{base}[{index}]"

    def code(self, source: str) -> str:
        return source


class Latex(Writer):
    """LaTeX, for MathJax and KaTeX too."""

    times, entrywise, product = r" \cdot ", r" \odot ", r" \, "

    def symbol(self, name: str) -> tuple[str, int]:
        if name in self.symbols:
            latex = self.symbols[name].latex
            return latex, POWER if latex.startswith(r"\frac") else ATOM
        return (CONSTANTS[name][1] if name in CONSTANTS else _latex_name(name)), ATOM

    def group(self, inner: str) -> str:
        return rf"\left({inner}\right)"

    def bracket(self, inner: str) -> str:
        return rf"\left[{inner}\right]"

    def operator(self, sign: str) -> str:
        return f" {'-' if sign == '−' else sign} "

    def digits_of(self, printed: str) -> str:
        mantissa, dot, power = printed.replace("−", "-").replace("∞", r"\infty").partition("·10")
        if not dot:
            return mantissa.replace("NaN", r"\mathrm{NaN}")
        return rf"{mantissa} \cdot 10^{{{power.translate(str.maketrans('⁰¹²³⁴⁵⁶⁷⁸⁹⁻', '0123456789-'))}}}"

    def fraction(self, above: ast.expr, below: ast.expr) -> tuple[str, int]:
        return rf"\frac{{{self.write(above)}}}{{{self.write(below)}}}", POWER

    def power(self, base: str, exponent: ast.expr) -> str:
        return f"{base}^{{{self.write(exponent)}}}"

    def relation(self, left: str, op: type[ast.AST], right: str) -> str:
        return f"{left} {RELATIONS[op][1]} {right}"

    def call(self, name: str, arguments: list[str]) -> str:
        known = r"\sigma" if name == "σ" else f"\\{name}" if name in UPRIGHT_IN_LATEX else ""
        return (known or rf"\operatorname{{{_escaped(name)}}}") + rf"\left({', '.join(arguments)}\right)"

    def root(self, inner: str) -> str:
        return rf"\sqrt{{{inner}}}"

    def exponential(self, inner: str) -> tuple[str, int]:
        return f"e^{{{inner}}}", POWER

    def size(self, inner: str) -> str:
        return rf"\left|{inner}\right|"

    def conjugate(self, inner: ast.expr) -> str:
        return rf"\overline{{{self.write(inner)}}}"

    def transpose(self, inner: str) -> str:
        return rf"{inner}^{{\top}}"

    def cases(self, condition: str, then: str, otherwise: str) -> str:
        return rf"\begin{{cases}} {then} & {condition} \\ {otherwise} & \text{{else}} \end{{cases}}"

    def index(self, base: str, index: str) -> str:
        return rf"{base}_{{\left[{index}\right]}}"

    def code(self, source: str) -> str:
        return rf"\mathtt{{{_escaped(source)}}}"


def _escaped(text: str) -> str:
    special = {"\\": r"\backslash ", "^": r"\hat{\ }", "~": r"\sim "}
    return "".join(special.get(c, f"\\{c}" if c in "_#%&${}" else c) for c in text)


class Mathml(Writer):
    """Presentation MathML (the Core subset, which browsers draw without help)."""

    times = "<mo>·</mo>"
    entrywise = "<mo>⊙</mo>"
    product = '<mspace width="0.2em"/>'

    def symbol(self, name: str) -> tuple[str, int]:
        if name in self.symbols:
            mathml = self.symbols[name].mathml
            return mathml, POWER if mathml.startswith("<mfrac") else ATOM
        return (f"<mi>{CONSTANTS[name][0]}</mi>" if name in CONSTANTS else _mathml_name(name)), ATOM

    def group(self, inner: str) -> str:
        return _fenced("(", inner, ")")

    def bracket(self, inner: str) -> str:
        return _fenced("[", inner, "]")

    def operator(self, sign: str) -> str:
        return f"<mo>{sign}</mo>"

    def digits_of(self, printed: str) -> str:
        mantissa, dot, power = printed.partition("·10")
        if not dot:
            return f"<mn>{printed}</mn>"
        exponent = power.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789−"))
        return f"<mrow><mn>{mantissa}</mn><mo>·</mo><msup><mn>10</mn><mn>{exponent}</mn></msup></mrow>"

    def fraction(self, above: ast.expr, below: ast.expr) -> tuple[str, int]:
        return f"<mfrac><mrow>{self.write(above)}</mrow><mrow>{self.write(below)}</mrow></mfrac>", POWER

    def power(self, base: str, exponent: ast.expr) -> str:
        return f"<msup><mrow>{base}</mrow><mrow>{self.write(exponent)}</mrow></msup>"

    def relation(self, left: str, op: type[ast.AST], right: str) -> str:
        return f"{left}<mo>{escape(RELATIONS[op][0])}</mo>{right}"

    def call(self, name: str, arguments: list[str]) -> str:
        return f"<mrow><mi>{escape(name)}</mi>{_fenced('(', '<mo>,</mo>'.join(arguments), ')')}</mrow>"

    def root(self, inner: str) -> str:
        return f"<msqrt>{inner}</msqrt>"

    def exponential(self, inner: str) -> tuple[str, int]:
        return f"<msup><mi>e</mi><mrow>{inner}</mrow></msup>", POWER

    def size(self, inner: str) -> str:
        return f"<mrow><mo>|</mo>{inner}<mo>|</mo></mrow>"

    def conjugate(self, inner: ast.expr) -> str:
        return f"<mover><mrow>{self.write(inner)}</mrow><mo>¯</mo></mover>"

    def transpose(self, inner: str) -> str:
        return f"<msup><mrow>{inner}</mrow><mo>⊤</mo></msup>"

    def cases(self, condition: str, then: str, otherwise: str) -> str:
        rows = ((then, condition), (otherwise, "<mtext>else</mtext>"))
        table = "".join(f"<mtr><mtd>{value}</mtd><mtd>{when}</mtd></mtr>" for value, when in rows)
        return f"<mrow><mo>{{</mo><mtable>{table}</mtable></mrow>"

    def index(self, base: str, index: str) -> str:
        return f"<msub><mrow>{base}</mrow><mrow>{index}</mrow></msub>"

    def code(self, source: str) -> str:
        return f"<mtext>{escape(source)}</mtext>"


def _fenced(left: str, inner: str, right: str) -> str:
    """In parentheses, which grow with fractions alone."""
    still = "" if "<mfrac" in inner or "<mtable" in inner else ' stretchy="false"'
    return f"<mrow><mo{still}>{left}</mo>{inner}<mo{still}>{right}</mo></mrow>"
