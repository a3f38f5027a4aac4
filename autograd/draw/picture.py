"""A picture: its forms as text, drawn by Graphviz, in a notebook and in files."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from autograd.draw.dot import dot
from autograd.draw.folding import Folding
from autograd.draw.label import Shown, settled
from autograd.draw.mermaid import mermaid
from autograd.draw.snapshot import Snapshot
from autograd.draw.text import text

__all__ = ["Picture"]


TEXTS = {".gv": "source", ".dot": "source", ".mmd": "mermaid", ".txt": "text", ".html": "page"}


class Picture:
    """The picture of a graph, which shows itself in a notebook.

    Drawn by Graphviz's ``dot`` program, or without it by the library inside the ``pygraphviz`` package. Where
    neither is there, the text forms still work, a notebook shows the plain one, and drawing raises RuntimeError.

    Attributes
    ----------
    graph : Snapshot
        What is drawn, as data.
    source, mermaid, text : str
        The picture in Graphviz's language DOT, as a Mermaid flowchart for Markdown, and as plain text. The same
        graph gives the same text. ``print(picture)`` writes the plain one.
    page : str
        An HTML page, complete in itself, that plays the backward pass step by step over the picture: the rules as
        equations with the numbers filled in, values on a click, modules to fold and unfold. Made when it is first
        asked for, with what the graph has saved by then.

    Notes
    -----
    Values are those at the time of drawing; the page's are those at the time when it is made. A picture keeps the
    graph that it shows, and its arrays, in memory.
    """

    def __init__(
        self,
        graph: Snapshot,
        shown: Shown,
        rankdir: str | None = None,
        whole: Snapshot | None = None,
        folding: Folding | None = None,
    ) -> None:
        self.graph = settled(graph, shown)
        self.shown = shown
        self.rankdir = rankdir
        self._whole = graph if whole is None else whole  # for the page, which folds and unfolds it
        self._folding = Folding(depth=None, rollup=False) if folding is None else folding

    def __repr__(self) -> str:
        return f"<Picture of {len(self.graph.boxes):,} boxes and {len(self.graph.edges):,} arrows>"

    @cached_property
    def source(self) -> str:
        return dot(self.graph, self.shown, self.rankdir)

    @cached_property
    def mermaid(self) -> str:
        return mermaid(self.graph, self.shown, self.rankdir)

    @cached_property
    def text(self) -> str:
        return text(self.graph, self.shown)

    @cached_property
    def page(self) -> str:
        from autograd.draw.page import page  # takes longer to load than the rest of the drawing

        folding = replace(self._folding, rollup=self._folding.rollup is True)
        return page(self._whole, folding, self.shown, self._drawn)

    def _drawn(self, graph: Snapshot, shown: Shown) -> str:
        return str(Picture(graph, shown, self.rankdir).pipe("svg", encoding="utf-8"))

    def __str__(self) -> str:
        return self.text

    def save(self, path: str | os.PathLike[str]) -> str:
        """Write the picture to ``path`` in the format of its suffix, and return the path.

        .svg, .png, .pdf and whatever else Graphviz draws; .html is the page that plays the backward pass; .gv or .dot
        is the text for Graphviz, .mmd that for Mermaid, .txt the plain one. Raises ValueError without a suffix or for
        one that nothing here writes, and RuntimeError where nothing is installed that draws. A file that is there
        stays as it is if drawing fails.
        """
        path = Path(path)
        suffix = path.suffix.lower()
        if not suffix:
            raise ValueError(f"save() chooses the format by the suffix, such as .svg; got {os.fspath(path)!r}")
        if suffix in TEXTS:
            path.write_text(getattr(self, TEXTS[suffix]), encoding="utf-8")
        else:
            path.write_bytes(self.pipe(suffix[1:]))
        return os.fspath(path)

    def pipe(self, format: str = "svg", *, encoding: str | None = None) -> Any:
        """The drawn picture as bytes, or as text in an ``encoding``; see ``save`` for the errors."""
        import graphviz

        try:
            drawn = graphviz.Source(self.source).pipe(format)
        except graphviz.ExecutableNotFound:
            drawn = self._drawn_by_library(format)
        except graphviz.CalledProcessError as error:
            raise RuntimeError(f"Graphviz could not draw this picture: {error}") from error
        except ValueError as error:
            raise ValueError(f"no picture is written as .{format}: {error}") from error
        return drawn if encoding is None else drawn.decode(encoding)

    def _drawn_by_library(self, format: str) -> bytes:
        try:
            import pygraphviz
        except ImportError as error:
            raise RuntimeError(
                "drawing needs Graphviz: install its 'dot' program (apt install graphviz, brew install graphviz), or "
                'pip install "chainrule[draw]". The texts in .source, .mermaid and .text need neither.'
            ) from error
        try:
            return pygraphviz.AGraph(string=self.source).draw(format=format, prog="dot")
        except (OSError, ValueError) as error:
            raise RuntimeError(f"Graphviz could not draw this picture: {error}") from error

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None, **_: Any) -> dict[str, str]:
        try:
            return {"image/svg+xml": self.pipe("svg", encoding="utf-8"), "text/plain": self.text}
        except (RuntimeError, OSError, ImportError):  # a notebook cell never fails for want of a drawer
            return {"text/plain": self.text}
