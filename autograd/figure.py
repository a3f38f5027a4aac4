"""A matplotlib figure for those who plot: without a window, and apart from ``pyplot``'s global state."""

from __future__ import annotations

import os
from functools import cache
from io import BytesIO
from typing import Any

__all__ = ["new_figure", "saved"]


@cache
def _figure_class() -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('plots need the package matplotlib: pip install "chainrule[plots]"') from error

    class ShownFigure(Figure):
        """Shows itself in a notebook, whether or not ``pyplot`` was imported there."""

        def _repr_png_(self) -> bytes:
            png = BytesIO()
            self.savefig(png, format="png", dpi=100)
            return png.getvalue()

    return ShownFigure


def new_figure(width: float = 6.4, height: float = 4.8) -> Any:
    """An empty figure of that many inches; raises ImportError, with advice, without matplotlib."""
    return _figure_class()(figsize=(width, height), layout="constrained")


def saved(figure: Any, path: str | os.PathLike[str] | None) -> Any:
    """The figure, written to ``path`` if that is given."""
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure
