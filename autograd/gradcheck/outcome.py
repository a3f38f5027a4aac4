"""The outcome of a sweep: a table of primitives × columns, with a report on each failure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from shlex import quote

from autograd.table import table

__all__ = ["Cell", "Row", "SweepResult"]


@dataclass(frozen=True)
class Cell:
    """One column of one primitive: how many sample calls passed, or why one did not.

    Attributes
    ----------
    passed, undefined : sample calls that passed, and that the column says nothing about
    verdict, report : of the call that failed; empty where none did
    """

    passed: int = 0
    undefined: int = 0
    verdict: str = ""
    report: str = ""

    def __bool__(self) -> bool:
        return not self.verdict

    def __str__(self) -> str:
        return self.verdict or (str(self.passed) if self.passed or not self.undefined else "–")


@dataclass(frozen=True)
class Row:
    """One primitive: its cells by column; or the problem that left them out, and more about it."""

    package: str
    name: str
    cells: Mapping[str, Cell]
    problem: str = ""
    report: str = ""

    def __bool__(self) -> bool:
        return not self.problem and all(self.cells.values())


@dataclass(frozen=True, repr=False)
class SweepResult:
    """The outcome of a sweep: true where everything passed; prints as a table; iterates over its rows.

    Attributes
    ----------
    rows : one for each primitive
    columns, seed, examples : what was asked for
    left : primitives not reached, after an interrupt
    """

    rows: tuple[Row, ...]
    columns: tuple[str, ...]
    seed: int
    examples: int
    left: int = 0

    def __bool__(self) -> bool:
        return not self.left and all(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def failures(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if not row)

    def __str__(self) -> str:
        parts = ["\n".join(self._table()), *map(self._explained, self.failures), self._summary()]
        return "\n\n".join(parts)

    __repr__ = __str__

    def _table(self) -> list[str]:
        head = ("package", "primitive", *self.columns)
        lines = [(row.package, row.name, *self._texts(row)) for row in self.rows]
        return table([head, *lines], right=range(2, len(head)))

    def _texts(self, row: Row) -> list[str]:
        if row.problem:
            return [row.problem, *[""] * (len(self.columns) - 1)]
        return [str(row.cells[column]) for column in self.columns]

    def _explained(self, row: Row) -> str:
        if row.problem:
            return f"{row.package} {row.name}: {row.problem}\n{_indented(row.report)}"
        failed = [(column, cell) for column, cell in row.cells.items() if not cell]
        return "\n\n".join(
            f"{row.package} {row.name}, {column}: {cell.verdict}\n{_indented(cell.report)}\n{self._again(row, column)}"
            for column, cell in failed
        )

    def _again(self, row: Row, column: str) -> str:
        call = f"python -m autograd.gradcheck {row.package} --match {quote(row.name)} --columns {quote(column)}"
        return f"  again: {call} --examples {self.examples} --seed {self.seed}"

    def _summary(self) -> str:
        failed, count = len(self.failures), f"{len(self.rows)} primitive{'s' * (len(self.rows) != 1)}"
        said = f"{failed} of {count} failed" if failed else f"{count} passed"
        left = f"; interrupted, {self.left} not reached" if self.left else ""
        return f"{said}{left}; up to {self.examples} sample calls in each column, seed {self.seed}"


def _indented(text: str) -> str:
    return "\n".join(f"  {line}".rstrip() for line in text.strip("\n").split("\n"))
