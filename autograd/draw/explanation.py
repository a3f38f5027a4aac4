"""The chain rule along paths, as it is shown: in text and LaTeX."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from autograd.draw.describe import numbers
from autograd.draw.formula import Symbol, number

__all__ = ["Explanation", "Factor", "Path"]

LONG = 12  # factors of a path that are written out

T = TypeVar("T")


@dataclass
class Factor:
    """The derivative of one station of the chain by the next: ∂z/∂w.

    Attributes
    ----------
    symbol : its name, as ``symbol.text`` and ``symbol.latex``
    value : a number between scalars; between small arrays the Jacobian, indices of the output first; else None
    shape : of the output and of the input together
    rule : the derivative in names where one operation lies between, else ""
    filled : the same with numbers
    operations : what lies between
    """

    symbol: Symbol
    value: Any
    shape: tuple[int, ...]
    rule: str
    filled: str
    operations: list[str]


@dataclass
class Path:
    """One way from the loss to the tensor, and what it adds to the gradient."""

    factors: list[Factor]
    contribution: Any


@dataclass
class Explanation:
    """The chain rule, path by path; shows itself as text, and in a notebook as mathematics.

    Attributes
    ----------
    symbol : ∂L/∂w
    paths : those that are written out
    left_out : how many are not; ``rest`` is what they add together
    gradient : the sum over all paths
    factors : every factor of the paths that are written out, once
    """

    symbol: Symbol
    paths: list[Path]
    left_out: int
    rest: Any
    gradient: Any
    max_size: int
    factors: list[Factor] = field(default_factory=list)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text

    @property
    def text(self) -> str:
        lines: list[str] = []
        several = len(self.paths) + self.left_out > 1
        if several:
            lines += [f"{self.symbol.text}: the sum over {len(self.paths) + self.left_out} paths", ""]
        for i, path in enumerate(self.paths):
            head = f"path {i + 1}: " if several else f"{self.symbol.text} = "
            equals = " " * (len(head) - 2) + "= "
            lines.append(head + " · ".join(_elided([f.symbol.text for f in path.factors])))
            if all(f.shape == () and f.value is not None for f in path.factors):
                if len(path.factors) > 1:
                    lines.append(equals + " · ".join(_elided([_factor(f.value) for f in path.factors])))
            elif len(path.factors) > 1:
                lines.append(" " * len(equals) + "shapes " + " · ".join(_elided([str(f.shape) for f in path.factors])))
            lines += _hung(equals, self._shown(path.contribution))
        if several:
            total = [self._shown(p.contribution) for p in self.paths]
            if self.left_out:
                lines.append(f"{self.left_out:,} more path{'s' * (self.left_out > 1)} left out, adding together")
                lines += _hung("  ", self._shown(self.rest))
                total.append(self._shown(self.rest))
            head = f"{self.symbol.text} = "
            lines.append("")
            if np.size(self.gradient) == 1 and len(total) <= LONG:
                lines.append(head + " + ".join(f"({t[0]})" if t[0].startswith("−") else t[0] for t in total))
                head = " " * (len(head) - 2) + "= "
            lines += _hung(head, self._shown(self.gradient))
        written = self._written()
        lines += ["", "where", *(line for factor in written for line in self._where(factor))]
        if more := len(self.factors) - len(written):
            lines.append(f"  and {more:,} more factors")
        return "\n".join(lines)

    def _written(self) -> list[Factor]:
        """The factors that the paths name."""
        named = {id(factor) for path in self.paths for factor in _ends(path.factors)}
        return [factor for factor in self.factors if id(factor) in named]

    def _where(self, factor: Factor) -> list[str]:
        between = ", ".join(factor.operations[:6]) + (", …" if len(factor.operations) > 6 else "")
        shape = "" if factor.shape == () else f", shape {factor.shape}"
        head = f"  {factor.symbol.text} = "
        steps = [factor.rule, factor.filled]
        if factor.value is not None and np.size(factor.value) <= self.max_size:
            value = self._shown(factor.value)
            steps += value if len(value) == 1 else []
        else:
            value = []
        written = list(dict.fromkeys(filter(None, steps)))
        lines = [head + " = ".join(written or ["…"]) + f"    ({between}{shape})"]
        if len(value) > 1:
            lines[0] = lines[0].replace("= …  ", "=")
            lines += [(" " * len(head) + line).rstrip() for line in value]
        return lines

    def _shown(self, value: Any) -> list[str]:
        array = np.asarray(value)
        if array.ndim == 0:
            return [number(array)]
        if array.size > self.max_size:
            return [f"an array of shape {array.shape}, mean {number(array.mean()) if array.size else '—'}"]
        return [line.replace("-", "−") for line in numbers(array)]

    @property
    def latex(self) -> str:
        """The same as an ``aligned`` environment."""
        several = len(self.paths) + self.left_out > 1
        rows = []
        sums = [rf"{self.symbol.latex} &= "]
        for path in self.paths:
            names = r" \cdot ".join(_elided([f.symbol.latex for f in path.factors], r"\cdots"))
            if several:
                sums.append(("" if sums[-1].endswith("&= ") else " + ") + names)
                continue
            rows.append(rf"{self.symbol.latex} &= {names}")
            if all(f.shape == () and f.value is not None for f in path.factors) and len(path.factors) > 1:
                values = [_latex_number(_factor(f.value)) for f in path.factors]
                rows.append("&= " + r" \cdot ".join(_elided(values, r"\cdots")))
        if several:
            rows.append("".join(sums) + (r" + \cdots" if self.left_out else ""))
            if np.size(self.gradient) == 1:
                parts = [p.contribution for p in self.paths] + ([self.rest] if self.left_out else [])
                rows.append("&= " + " + ".join(_latex_number(_factor(part)) for part in parts[:LONG]))
        rows.append(f"&= {_latex_value(self.gradient, self.max_size)}")
        rows += [
            rf"{f.symbol.latex} &= {_latex_value(f.value, self.max_size)}"
            for f in self._written()
            if f.value is not None
        ]
        return r"\begin{aligned}" + r" \\ ".join(rows) + r"\end{aligned}"

    def _repr_latex_(self) -> str:
        return f"$${self.latex}$$"


def _hung(head: str, lines: Sequence[str]) -> list[str]:
    return [head + lines[0], *((" " * len(head) + line).rstrip() for line in lines[1:])]


def _elided(parts: list[str], dots: str | None = None) -> list[str]:
    ends = _ends(parts)
    if len(ends) == len(parts):
        return parts
    middle = dots or f"[{len(parts) - len(ends):,} more factors]"
    return [*ends[: len(ends) // 2], middle, *ends[len(ends) // 2 :]]


def _ends(parts: list[T]) -> list[T]:
    """Of a long list what is written out: its beginning and its end."""
    return parts if len(parts) <= LONG else [*parts[: LONG // 2 - 1], *parts[-LONG // 2 + 1 :]]


def _factor(value: Any) -> str:
    """A number in a product or sum: a negative one in parentheses."""
    written = number(np.asarray(value))
    return f"({written})" if written.startswith("−") else written


def _latex_number(written: str) -> str:
    written = written.replace("−", "-").replace("∞", r"\infty").replace("NaN", r"\mathrm{NaN}")
    digits = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
    return re.sub(r"·10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)", lambda m: rf" \cdot 10^{{{m[1].translate(digits)}}}", written)


def _latex_value(value: Any, max_size: int) -> str:
    array = np.asarray(value)
    if array.size > max_size or array.ndim > 2:
        return rf"\text{{an array of shape }} \mathtt{{{array.shape}}}"
    if array.ndim == 0:
        return _latex_number(number(array))
    rows = np.atleast_2d(array) if array.ndim == 2 else array[:, None]
    body = r" \\ ".join(" & ".join(_latex_number(number(entry)) for entry in row) for row in rows)
    return rf"\begin{{pmatrix}}{body}\end{{pmatrix}}"
