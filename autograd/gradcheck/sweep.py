"""The sweep: every primitive of some packages, on drawn sample calls, in every mode, order and dtype."""

from __future__ import annotations

import difflib
import secrets
import traceback
import zlib
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from importlib.util import find_spec
from typing import Any

from autograd.declare import registry
from autograd.gradcheck.columns import COLUMNS, Undefined
from autograd.gradcheck.outcome import Cell, Row, SweepResult
from autograd.gradcheck.packages import declared
from autograd.gradcheck.report import GradcheckError

__all__ = ["EXAMPLES", "Sweep", "sweep", "with_bar"]

EXAMPLES = 20
OWN = ("autograd", "nn", "optim")


# ---------------------------------------------------------------------- what is to be done


class Sweep:
    """A sweep that is yet to run: iterating over it computes its rows one after another.

    Takes the arguments of :func:`sweep`.
    """

    def __init__(
        self,
        packages: str | Sequence[str] | None = None,
        *,
        match: str | Sequence[str] = (),
        columns: str | Sequence[str] = tuple(COLUMNS),
        examples: int = EXAMPLES,
        seed: int | None = None,
    ) -> None:
        columns, patterns = _listed(columns), _listed(match)
        unknown = [column for column in columns if column not in COLUMNS]
        if unknown or not columns:
            raise ValueError(f"a sweep has the columns {', '.join(COLUMNS)}; got {', '.join(unknown) or 'none'}")
        if examples < 1:
            raise ValueError(f"a sweep needs one example or more for each primitive; got examples={examples}")
        self.columns = tuple(columns)
        self.examples = examples
        self.seed = secrets.randbits(32) if seed is None else seed
        names = [name for name in OWN if find_spec(name)] if packages is None else _listed(packages)
        everything = [entry for name in dict.fromkeys(names) for entry in _entries(name)]
        if not everything:
            raise ValueError(f"no primitives are declared in {', '.join(names) or 'no package'}")
        self.entries = [entry for entry in everything if _matches(entry[1], patterns)]
        if not self.entries:
            near = difflib.get_close_matches(" ".join(patterns), [name for _, name, _ in everything])
            hint = f"; there are {', '.join(near)}" if near else ""
            raise ValueError(f"no primitive matches {' or '.join(patterns)}{hint}")

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Row]:
        return (self._row(*entry) for entry in self.entries)

    def _row(self, package: str, name: str, strategy: Any) -> Row:
        if name not in registry:
            report = "CASES has sample calls of this name, but no primitive of this name is declared"
            return Row(package, name, {}, "no primitive", report)
        if strategy is None:
            return Row(package, name, {}, "no case", "CASES of its package has no sample calls of this primitive")
        seed = zlib.crc32(f"{self.seed} {name}".encode())
        try:
            cases = _drawn(strategy, self.examples, seed)
        except Exception as error:  # the other primitives are swept all the same
            return Row(package, name, {}, "no sample", f"drawing sample calls failed: {_told(error)}")
        return Row(package, name, {column: _cell(COLUMNS[column], cases, seed) for column in self.columns})

    def result(self, rows: Sequence[Row]) -> SweepResult:
        """The rows computed so far, as a result."""
        return SweepResult(tuple(rows), self.columns, self.seed, self.examples, len(self) - len(rows))


def _listed(value: str | Sequence[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _entries(package: str) -> list[tuple[str, str, Any]]:
    """Package, name and strategy (or None) of each of its primitives and cases."""
    primitives, cases = declared(package)
    if primitives and not cases:
        raise ValueError(
            f"'{package}' declares {', '.join(sorted(primitives))} and no sample calls: write {package}/cases.py "
            "with CASES, which maps each name to a Hypothesis strategy for autograd.cases.Case(function, inputs)"
        )
    return [(package, name, cases.get(name)) for name in sorted(primitives | cases.keys())]


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def _drawn(strategy: Any, count: int, seed: int) -> list[Any]:
    """Sample calls from a strategy, the same ones for the same seed."""
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded

    drawn: list[Any] = []

    @seeded(seed)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(case: Any) -> None:
        drawn.append(case)

    collect()
    return drawn


def _cell(column: Callable[..., None], cases: Sequence[Any], seed: int) -> Cell:
    passed = undefined = 0
    for i, case in enumerate(cases):
        try:
            column(case.function, case.inputs, seed + i)
        except Undefined:
            undefined += 1
        except Exception as error:  # whatever a rule raises is a finding
            return Cell(passed, undefined, _verdict(error), f"{case}\n{_told(error)}")
        else:
            passed += 1
    return Cell(passed, undefined)


def _verdict(error: Exception) -> str:
    if isinstance(error, GradcheckError):
        return error.result.verdicts[0]
    return "wrong" if isinstance(error, AssertionError) else "error"


def _told(error: Exception) -> str:
    if isinstance(error, GradcheckError):
        return str(error.result)
    if isinstance(error, AssertionError):
        return str(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    said = "".join(traceback.format_exception_only(error))
    return f"{said}raised in {place.name}, {place.filename}, line {place.lineno}"


def sweep(
    packages: str | Sequence[str] | None = None,
    *,
    match: str | Sequence[str] = (),
    columns: str | Sequence[str] = tuple(COLUMNS),
    examples: int = EXAMPLES,
    seed: int | None = None,
    progress: bool = False,
) -> SweepResult:
    """Check the gradients of every primitive that some packages declare.

    Parameters
    ----------
    packages : str or sequence of str, optional
        Import names, your own among them; by default ``autograd``, and ``nn`` and ``optim`` where they
        are installed. All modules of a package are imported.
    match : str or sequence of str
        Shell patterns of the primitives' names (``"log*"``); all of them by default.
    columns : str or sequence of str
        Some of "reverse" (the gradient against differences), "forward" (the dot-product test of both
        modes), "second order", "float32" (its gradient against double precision), "complex" (the
        first three at complex inputs, where the function of plain arrays takes them).
    examples : int
        Sample calls to draw for each primitive.
    seed : int, optional
        Of all random choices. Fresh by default; the result names it.
    progress : bool
        Show a progress bar; needs the package tqdm.

    Returns
    -------
    SweepResult
        True if everything passed; prints as a table of the calls that passed in each column, with a
        report on each failure below. A "–" stands where a column does not apply.

    Raises
    ------
    ImportError
        If a package, one of its modules, or hypothesis or tqdm cannot be imported.
    ValueError
        If there is nothing to sweep: no primitives, no sample calls, or none that match.

    Notes
    -----
    Sample calls are what ``PACKAGE.cases.CASES`` (or ``PACKAGE.CASES``) holds: for each primitive's
    name a Hypothesis strategy for ``autograd.cases.Case(function, inputs)``. ``function`` takes float64
    arrays and calls the primitive; ``inputs`` are a point at which it is smooth. A primitive without
    sample calls counts as a failure. With ``mypackage/cases.py`` ::

        import numpy as np
        from hypothesis import strategies as st
        from autograd.cases import Case
        from mypackage.activations import swish

        CASES = {"swish": st.floats(-3, 3).map(lambda x: Case(swish, (np.array([x, 1.0]),)))}

    the primitives of ``mypackage`` are swept by ``python -m autograd.gradcheck mypackage``.
    """
    plan = Sweep(packages, match=match, columns=columns, examples=examples, seed=seed)
    return plan.result(list(with_bar(plan) if progress else plan))


def with_bar(plan: Sweep) -> Iterator[Row]:
    """The rows of a sweep, with a progress bar on the standard error stream."""
    try:
        from tqdm import tqdm
    except ImportError as error:
        raise ImportError('a progress bar needs the package tqdm: pip install "chainrule[gradcheck]"') from error
    bar: Iterator[Row] = tqdm(plan, desc="primitives", leave=False)
    return bar
