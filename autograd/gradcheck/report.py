"""What a gradient check found, in words that lead to the cause."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from autograd.table import table

__all__ = ["Finding", "GradcheckError", "GradcheckResult", "cause"]

Matrix = np.ndarray[Any, Any]

MEANINGS = {
    "ok": "agrees",
    "wrong": "the gradient disagrees with the function",
    "kink": "the function has no derivative here, or is not finite on one side: move the inputs away from this point",
    "uncertain": "the numerical derivative is too noisy to judge by: move or rescale the inputs",
    "not finite": "the function's value is not finite at the inputs",
    "random": "two runs on the same inputs differ: seed the randomness inside the function",
    "mutated": "the function or a gradient rule changes an array that is not its own",
    "dtype": "the gradient has another shape or dtype than its input",
    "layout": "the result depends on the memory layout of the inputs",
    "zero cotangent": "a zero cotangent gives a gradient that is not zero",
    "not linear": "the gradient is not linear in the cotangent: a rule uses g otherwise than linearly",
    "precision": "in the inputs' own dtype the gradient is less precise than that dtype allows",
    "forward": "forward mode disagrees with reverse mode",
}


@dataclass(frozen=True)
class Finding:
    """One line of the report: what was compared, the worst place, and the verdict."""

    subject: str
    verdict: str
    place: str = ""
    analytic: float = float("nan")
    numerical: float = float("nan")
    error: float = 0.0
    cause: str = ""

    def cells(self) -> tuple[str, ...]:
        if not self.place:
            return self.subject, self.verdict, "", "", "", "", self.cause
        numbers = (f"{self.analytic:.9g}", f"{self.numerical:.9g}", f"{self.error:.1e}")
        return self.subject, self.verdict, self.place, *numbers, self.cause


@dataclass(frozen=True)
class GradcheckResult:
    """The outcome of a check: true where everything agreed; prints as a table.

    Attributes
    ----------
    findings : one for each input, and one for each further verdict
    seed : what the random choices were made from; give it back to repeat them
    call : one line that repeats the check
    note : what limited the check, if anything did
    """

    findings: tuple[Finding, ...]
    seed: int
    call: str
    note: str = ""

    def __bool__(self) -> bool:
        return all(finding.verdict == "ok" for finding in self.findings)

    @property
    def verdicts(self) -> tuple[str, ...]:
        """The verdicts other than "ok", each once."""
        return tuple(dict.fromkeys(f.verdict for f in self.findings if f.verdict != "ok"))

    def __str__(self) -> str:
        head = ("checked", "verdict", "worst at", "analytic", "numerical", "rel. error", "likely cause")
        lines = table([head, *(finding.cells() for finding in self.findings)])
        lines += [f"{verdict}: {MEANINGS[verdict]}" for verdict in self.verdicts]
        lines += [self.note] if self.note else []
        return "\n".join([*lines, f"again: {self.call}"])


class GradcheckError(AssertionError):
    """A gradient check that did not pass; ``result`` is its :class:`GradcheckResult`."""

    def __init__(self, result: GradcheckResult) -> None:
        super().__init__(f"gradient check failed ({', '.join(result.verdicts)})\n{result}")
        self.result = result


# ---------------------------------------------------------------------- from numbers to causes


def cause(
    analytic: Matrix, numerical: Matrix, shape: tuple[int, ...], lengths: set[int], *, whole: bool, pairs: bool
) -> str:
    """The likely reason why two matrices of derivatives differ.

    ``shape`` is the input's; ``lengths`` are the axis lengths that a sum over a broadcast axis may
    have run over. ``whole`` says that the matrices are Jacobians, not samples of them; ``pairs`` that
    their columns are real and imaginary parts.
    """
    if not np.isfinite(analytic).all():
        return "the gradient is not finite"
    largest = np.max(np.abs(numerical))
    if not analytic.any():
        return "zero: detached, or a rule that returns zeros"
    if not np.isfinite(largest):
        return ""
    if largest <= 1e-9 * np.max(np.abs(analytic)):
        return "should be zero"
    return (
        _constant_factor(analytic, numerical, lengths)
        or (_terms(analytic, numerical, pairs) or _order(analytic, numerical, shape) if whole else "")
        or _count(analytic, numerical, whole)
    )


def _close(a: Matrix, b: Matrix) -> Any:
    return np.abs(a - b) <= 1e-5 * np.maximum(np.abs(a), np.abs(b)) + 1e-9 * np.max(np.abs(b))


def _constant_factor(a: Matrix, n: Matrix, lengths: set[int]) -> str:
    factor = float(np.sum(a * n) / np.sum(n * n))
    if factor == 0 or not _close(a, factor * n).all():
        return ""
    if abs(factor + 1) < 1e-6:
        return "opposite sign"
    size = factor if abs(factor) >= 1 else 1 / factor
    whole = round(size)
    if abs(size - whole) < 1e-6 and whole in lengths and whole > 2:
        return f"x{factor:.6g}, an axis length: a sum or mean over an axis missing or doubled"
    return f"x{factor:.6g}" + (", and opposite sign" if factor < 0 else "")


def _terms(a: Matrix, n: Matrix, pairs: bool) -> str:
    missing = (a == 0) & ~_close(a, n)
    if missing.any() and _close(a, n)[~missing].all():
        return "some terms missing: a sum over a broadcast axis, or a detached path"
    if _close(np.abs(a), np.abs(n)).all():
        return "opposite sign in some entries" + (": a factor that is not conjugated" if pairs else "")
    return ""


def _order(a: Matrix, n: Matrix, shape: tuple[int, ...]) -> str:
    """Whether the right values stand in the wrong places."""
    stacked = n.reshape(len(n), *shape)
    if len(shape) >= 2 and _close(a, np.swapaxes(stacked, -1, -2).reshape(a.shape)).all():
        return "transposed"
    for axis in range(1, stacked.ndim):
        for shift in (1, -1):
            if _close(a, np.roll(stacked, shift, axis).reshape(a.shape)).all():
                return f"rolled along axis {axis - 1}"
        if _close(a, np.flip(stacked, axis).reshape(a.shape)).all():
            return f"reversed along axis {axis - 1}"
    if _close(np.sort(a, axis=1), np.sort(n, axis=1)).all():
        return "the right values in another order"
    return ""


def _count(a: Matrix, n: Matrix, whole: bool) -> str:
    wrong = int(np.sum(~_close(a, n)))
    return f"{wrong} of {a.size} entries differ" if whole and wrong else ""
