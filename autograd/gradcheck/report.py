"""What a gradient check found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograd.gradcheck.notebook import as_html
from autograd.table import table

__all__ = ["Finding", "GradcheckError", "GradcheckResult", "Grid"]

Array = np.ndarray[Any, Any]

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
    "precision": "the gradient is less precise than its dtype allows",
    "aliased": "the same tensor given twice gets another gradient than two equal tensors together",
    "forward": "forward mode (first number) disagrees with reverse mode (second number)",
    "no forward mode": "forward mode was asked for, and an operation has no rule for it",
}


@dataclass(frozen=True)
class Grid:
    """For each entry of an input the derivative by it that disagrees most: arrays of the input's shape."""

    analytic: Array
    numerical: Array
    error: Array

    @classmethod
    def of(cls, analytic: Array, numerical: Array, error: Array, like: Array) -> Grid:
        """From matrices of derivatives, a column for each real number of ``like``."""
        rows = np.argmax(error, axis=0)
        parts = [np.take_along_axis(x, rows[None], axis=0)[0] for x in (analytic, numerical, error)]
        if like.dtype.kind == "c":  # the worse of the real and the imaginary part
            worse = np.argmax(parts[2].reshape(-1, 2), axis=1)[:, None]
            parts = [np.take_along_axis(x.reshape(-1, 2), worse, axis=1) for x in parts]
        return cls(*(x.reshape(like.shape) for x in parts))


@dataclass(frozen=True)
class Finding:
    """One line of the report: what was compared, the verdict, the worst place and the likely cause."""

    subject: str
    verdict: str
    place: str = ""
    analytic: float = float("nan")
    numerical: float = float("nan")
    error: float = 0.0
    cause: str = ""
    grid: Grid | None = field(default=None, repr=False, compare=False)

    def cells(self) -> tuple[str, ...]:
        if not self.place:
            return self.subject, self.verdict, "", "", "", "", self.cause
        numbers = (f"{self.analytic:.9g}", f"{self.numerical:.9g}", f"{self.error:.1e}")
        return self.subject, self.verdict, self.place, *numbers, self.cause


HEAD = ("checked", "verdict", "worst at", "analytic", "numerical", "rel. error", "likely cause")


@dataclass(frozen=True)
class GradcheckResult:
    """The outcome of a check: true where everything agreed; prints as a table, with a map of the errors in notebooks.

    Attributes
    ----------
    findings : one for each input, and one for each further verdict
    seed : what the random choices were made from; give it back to repeat them
    call : one line that repeats the check
    notes : what limited the check, if anything did
    """

    findings: tuple[Finding, ...]
    seed: int
    call: str
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return all(finding.verdict == "ok" for finding in self.findings)

    @property
    def verdicts(self) -> tuple[str, ...]:
        """The verdicts other than "ok", each once."""
        return tuple(dict.fromkeys(f.verdict for f in self.findings if f.verdict != "ok"))

    @property
    def remarks(self) -> list[str]:
        """What the verdicts mean, what limited the check, and how to repeat it."""
        return [*(f"{v}: {MEANINGS[v]}" for v in self.verdicts), *self.notes, f"again: {self.call}"]

    def __str__(self) -> str:
        return "\n".join([*table([HEAD, *(finding.cells() for finding in self.findings)]), *self.remarks])

    def _repr_html_(self) -> str:
        return as_html(self.findings, HEAD, self.remarks)


class GradcheckError(AssertionError):
    """A gradient check that did not pass; ``result`` is its :class:`GradcheckResult`."""

    def __init__(self, result: GradcheckResult) -> None:
        super().__init__(f"gradient check failed ({', '.join(result.verdicts)})\n{result}")
        self.result = result
