"""A picture: its forms as text, drawn by Graphviz, in a notebook and in files."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Any

from autograd.draw.dot import dot
from autograd.draw.folding import Folding
from autograd.draw.label import Shown
from autograd.draw.page import page
from autograd.draw.snapshot import Snapshot

__all__ = ["Picture"]


class Picture:
    """The picture of a graph, which shows itself in a notebook.

    Drawn by Graphviz's ``dot`` program, or without it by the library inside the ``pygraphviz`` package. Where
    neither is there, the text forms still work, a notebook shows the plain one, and drawing raises RuntimeError.

    Attributes
    ----------
    graph : Snapshot
        What is drawn, as data.
    source : str
        The picture as DOT text. The same graph gives the same text.
    """

    def __init__(
        self,
        graph: Snapshot,
        shown: Shown,
        rankdir: str | None = None,
        whole: Snapshot | None = None,
        folding: Folding | None = None,
    ) -> None:
        self.graph = graph
        self.shown = shown
        self.rankdir = rankdir
        self._whole = graph if whole is None else whole
        self._folding = Folding(depth=None, rollup=False) if folding is None else folding

    def __repr__(self) -> str:
        return f"<Picture of {len(self.graph.boxes):,} boxes and {len(self.graph.edges):,} arrows>"

    @cached_property
    def source(self) -> str:
        return dot(self.graph, self.shown, self.rankdir)

    @cached_property
    def page(self) -> str:
        """A page of its own that plays the backward pass (``autograd.draw.page``); what ``save("x.html")`` writes."""
        return page(self._whole, self._folding, self.shown, self._drawn)

    def _drawn(self, graph: Snapshot, shown: Shown) -> str:
        return str(Picture(graph, shown, self.rankdir).pipe("svg", encoding="utf-8"))

    def save(self, path: str | os.PathLike[str]) -> str:
        """Write the picture to ``path`` in the format of its suffix, and return the path.

        .svg, .png, .pdf and whatever else Graphviz draws; .gv or .dot is the text for Graphviz. Raises ValueError
        without a suffix or for one that Graphviz does not know, RuntimeError where nothing is installed that draws.
        """
        path = Path(path)
        if path.suffix == ".html":
            path.write_text(self.page, encoding="utf-8")
            return os.fspath(path)
        texts = {".gv": "source", ".dot": "source"}
        if path.suffix in texts:
            path.write_text(getattr(self, texts[path.suffix]), encoding="utf-8")
        elif path.suffix:
            path.write_bytes(self.pipe(path.suffix[1:]))
        else:
            raise ValueError(f"save() chooses the format by the suffix, such as .svg; got {os.fspath(path)!r}")
        return os.fspath(path)

    def pipe(self, format: str = "svg", *, encoding: str | None = None) -> Any:
        """The drawn picture as bytes, or as text in an ``encoding``; see ``save`` for the errors."""
        import graphviz

        try:
            drawn = graphviz.Source(self.source).pipe(format)
        except graphviz.ExecutableNotFound:
            drawn = self._drawn_by_library(format)
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
