"""A Graphviz picture that can also be drawn without the ``dot`` program."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import graphviz

__all__ = ["Picture"]

FONT = "Helvetica,Arial,sans-serif"
TEXT_FORMATS = (".gv", ".dot")


class Picture(graphviz.Digraph):  # type: ignore[misc]  # graphviz has no types
    """DOT statements as a directed graph that shows itself in a notebook.

    Drawn by Graphviz's ``dot`` program, or without it by the library inside the ``pygraphviz`` package. Where
    neither is there, ``source`` still works, a notebook shows that text, and drawing raises RuntimeError.
    """

    def __init__(self, lines: Iterable[str], rankdir: str, caption: str = "") -> None:
        super().__init__(
            graph_attr={
                "rankdir": rankdir,
                "bgcolor": "white",
                "pad": "0.2",
                "nodesep": "0.25",
                "ranksep": "0.35",
                "label": caption,
                "fontname": FONT,
                "fontsize": "9",
                "fontcolor": "#64748b",
            },
            node_attr={"shape": "box", "fontname": FONT, "fontsize": "11", "margin": "0.08,0.04", "height": "0.3"},
            edge_attr={"color": "#94a3b8", "arrowsize": "0.6"},
        )
        self.body.extend(lines)

    def save(self, path: str | os.PathLike[str]) -> str:
        """Write the picture to ``path`` in the format of its suffix, and return the path.

        .svg, .png, .pdf and whatever else Graphviz draws; .gv or .dot is the text. Raises ValueError without a
        suffix, RuntimeError where nothing is installed that draws.
        """
        path = Path(path)
        if path.suffix in TEXT_FORMATS:
            path.write_text(self.source, encoding="utf-8")
        elif path.suffix:
            path.write_bytes(self.pipe(path.suffix[1:]))
        else:
            raise ValueError(f"save() chooses the format by the suffix, such as .svg; got {os.fspath(path)!r}")
        return os.fspath(path)

    def pipe(self, format: str | None = None, *args: Any, encoding: str | None = None, **options: Any) -> Any:
        """The drawn picture as bytes, or as text in an ``encoding``; see ``save`` for the errors."""
        try:
            return super().pipe(format, *args, encoding=encoding, **options)
        except graphviz.ExecutableNotFound:
            drawn = self._drawn_by_library(format or self.format)
        return drawn if encoding is None else drawn.decode(encoding)

    def _drawn_by_library(self, format: str) -> bytes:
        try:
            import pygraphviz
        except ImportError as error:
            raise RuntimeError(
                "drawing needs Graphviz: install its 'dot' program (apt install graphviz, brew install graphviz), or "
                'pip install "chainrule[draw]". The text in .source and .save("x.gv") need neither.'
            ) from error
        return pygraphviz.AGraph(string=self.source).draw(format=format, prog="dot")

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None, **_: Any) -> dict[str, str]:
        try:
            return {"image/svg+xml": self.pipe("svg", encoding="utf-8"), "text/plain": self.source}
        except RuntimeError:
            return {"text/plain": self.source}
