"""The report in a notebook: a table, and a map of the errors over the entries of an input. HTML and CSS alone."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import log10, prod
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from autograd.gradcheck.report import Finding, Grid

__all__ = ["as_html"]

DRAWN = 1024  # entries of an input up to which its map is drawn
LOWEST, HIGHEST = -12.0, 0.0  # decades of the relative error between the faintest and the strongest colour

# Colours are translucent and text keeps the notebook's own colour, so both light and dark pages can be read.
STYLE = """
.gradcheck table { border-collapse: collapse; margin: 0 0 .6em; color: inherit; font-size: inherit; }
.gradcheck th, .gradcheck td { text-align: left; padding: .15em .7em; border-bottom: 1px solid rgba(128,128,128,.35); }
.gradcheck td.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.gradcheck .bad { background: rgba(214,69,65,.22); font-weight: 600; }
.gradcheck .map { display: inline-grid; gap: 1px; padding: 1px; border: 1px solid rgba(128,128,128,.5); }
.gradcheck .map i { width: 14px; height: 14px; }
.gradcheck details { margin: .6em 0; overflow-x: auto; }
.gradcheck summary { margin-bottom: .3em; }
"""


def as_html(findings: Sequence[Finding], head: Sequence[str], remarks: Sequence[str]) -> str:
    """The report as HTML: the table, the remarks, and a map of every input that is small enough."""
    cells = "".join(f'<th scope="col">{escape(title)}</th>' for title in head)
    rows = "".join(_row(finding) for finding in findings)
    lines = "".join(f"<div>{escape(remark)}</div>" for remark in remarks)
    maps = "".join(_map(f, f.grid) for f in findings if f.grid is not None and 1 < f.grid.error.size <= DRAWN)
    return f'<div class="gradcheck"><style>{STYLE}</style><table><tr>{cells}</tr>{rows}</table>{lines}{maps}</div>'


def _row(finding: Finding) -> str:
    kinds = ["", "bad" if finding.verdict != "ok" else "", "", "number", "number", "number", ""]
    cells = zip(finding.cells(), kinds, strict=True)
    return "<tr>" + "".join(f'<td class="{kind}">{escape(cell)}</td>' for cell, kind in cells) + "</tr>"


def _map(finding: Finding, grid: Grid) -> str:
    """A cell for each entry: the last axis runs to the right, all others down. Folded up where all is well."""
    columns = grid.error.shape[-1]
    cells = "".join(_cell(grid, index) for index in np.ndindex(grid.error.shape))
    lines = prod(grid.error.shape[:-1])
    layout = f"{lines} × {columns} entries" if grid.error.ndim == 2 else f"{grid.error.size} entries"
    spoken = escape(f"{finding.subject}: {layout}; {_summary(finding, grid)}")
    unfolded = "" if finding.verdict == "ok" else " open"
    return (
        f"<details{unfolded}><summary>{spoken}</summary>"
        f'<div class="map" role="img" aria-label="relative error of each entry; {spoken}" '
        f'style="grid-template-columns: repeat({columns}, 14px)">{cells}</div></details>'
    )


def _summary(finding: Finding, grid: Grid) -> str:
    worst = float(np.max(grid.error))
    if finding.verdict == "ok":
        return f"relative errors up to {worst:.1e}"
    wrong = int(np.sum(grid.error > 1e-6))
    return f"{wrong} with a relative error above 1e-6, up to {worst:.1e}; worst at {finding.place}"


def _cell(grid: Grid, index: tuple[int, ...]) -> str:
    analytic, numerical, error = (float(x[index]) for x in (grid.analytic, grid.numerical, grid.error))
    title = f"{list(index)}: analytic {analytic:.9g}, numerical {numerical:.9g}, relative error {error:.1e}"
    return f'<i title="{escape(title)}" style="background: {_colour(error)}"></i>'


def _colour(error: float) -> str:
    """Grey where it agrees, towards red by the decades of the error."""
    if error < 1e-6:
        share = 0.0 if error <= 0 else max(0.0, (log10(error) - LOWEST) / (HIGHEST - LOWEST))
        return f"rgba(128,128,128,{0.12 + 0.3 * share:.2f})"
    share = min(1.0, (log10(min(error, 1.0)) + 6) / 6)
    return f"rgba(214,69,65,{0.45 + 0.55 * share:.2f})"
