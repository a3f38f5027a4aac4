"""Computation graphs as pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from autograd.draw.derivatives import with_derivatives
from autograd.draw.folding import Folding, folded
from autograd.draw.label import Detail, Shown
from autograd.draw.picture import Picture
from autograd.draw.snapshot import snapshot
from autograd.draw.switches import at_least, one_of
from autograd.graph import Node
from autograd.tensor import Tensor

__all__ = ["Picture", "draw"]


def draw(
    t: Any,
    names: Mapping[str, Any] | None = None,
    *,
    values: Detail = "small",
    grads: Detail = "small",
    shapes: bool = True,
    saved: bool = False,
    memory: bool = False,
    places: bool = False,
    derivatives: bool = False,
    depth: int | Literal["auto"] | None = "auto",
    rollup: bool | Literal["auto"] = "auto",
    collapse: bool = False,
    constants: bool = True,
    focus: tuple[Tensor | str, int] | None = None,
    max_nodes: int | None = 500,
    max_size: int = 6,
    rankdir: Literal["LR", "TB", "RL", "BT"] | None = None,
) -> Picture:
    """The recorded graph behind one or several tensors, as a picture.

    ``draw(loss)`` shows a small graph whole, with values and gradients. Of a large one it shows the modules that
    recorded it, open as far as the picture fits a screen, and blocks that repeat as one ("× 12").

    Parameters
    ----------
    t : Tensor, or list, tuple or dict of Tensors
    names : mapping of str to Tensor, array or module, optional
        Labels for tensors and arrays in the graph; values and gradients of these tensors are shown too. Leaves that
        have a ``name`` are labelled by themselves, parameters of the modules in the graph by their paths; the label
        of a module goes before the paths of its parameters.
    values, grads : {"small", "all", "none"}
        Which values and gradients are written in the boxes. Arrays of up to ``max_size`` entries are written out;
        "all" describes larger ones by mean ± standard deviation, least and greatest entry and a histogram. How many
        entries are NaN or infinite is written in red, except under "none".
    shapes : bool
        Shape and dtype.
    saved : bool
        What each operation keeps for its derivative rule, and how many bytes.
    memory : bool
        Which arrays share memory, and what was changed in place, by which operation and line.
    places : bool
        The line of code that recorded an operation; known of those recorded under ``record_lines()``.
    derivatives : bool
        On each arrow the derivative of the operation by that input: the number where both are scalars, of elementwise
        operations on arrays the spread of its entries, else the shape of the Jacobian.
    depth : int, None or "auto"
        How many levels of modules are open: 0 draws each network as one box, 1 shows the modules in it, None opens
        all. "auto" is None for a graph that fits a screen, else the greatest depth that does.
    rollup : bool or "auto"
        Draw blocks of the same classes and structure that follow one another once, with their number; values are
        those of the first. "auto" does so in a graph that does not fit a screen.
    collapse : bool
        Draw chains of elementwise operations as one box.
    constants : bool
        Draw values without gradient that a rule has saved.
    focus : (tensor or label, int), optional
        Draw only what is at most so many steps before or behind this tensor.
    max_nodes : int or None
        Where more boxes are left than this, the oldest operations are drawn as one box that says what they are.
    max_size : int
        The largest number of entries that are written out.
    rankdir : {"LR", "TB", "RL", "BT"}, optional
        Direction of the computation; left to right for small graphs without modules, else top to bottom.

    Raises
    ------
    TypeError
        For anything but tensors, or names of something else.
    ValueError
        For a value that a switch does not have, and a ``focus`` that is not in the graph.

    Notes
    -----
    Boxes are operations and leaves; arrows run with the computation. Values are those in memory: of leaves, of ``t``
    and ``names``, and what derivative rules have saved; a constant is shown where a rule has saved it. A graph made
    with ``create_graph`` draws like any other; what the backward pass recorded stands in a frame of its own.
    Drawing only reads: the graph and its tensors stay as they are.
    """
    tensors = _tensors(t)
    details, yes_or_no = get_args(Detail), (True, False)
    for switch, value, choices in (
        ("values", values, details),
        ("grads", grads, details),
        ("shapes", shapes, yes_or_no),
        ("saved", saved, yes_or_no),
        ("memory", memory, yes_or_no),
        ("places", places, yes_or_no),
        ("derivatives", derivatives, yes_or_no),
        ("rollup", rollup, (*yes_or_no, "auto")),
        ("collapse", collapse, yes_or_no),
        ("constants", constants, yes_or_no),
        ("rankdir", rankdir, (None, "LR", "TB", "RL", "BT")),
    ):
        one_of(switch, value, choices)
    if depth not in (None, "auto"):
        at_least("depth", depth, 0)
    if max_nodes is not None:
        at_least("max_nodes", max_nodes, 2)
    at_least("max_size", max_size, 0)
    graph = snapshot(tensors, names)
    if derivatives:
        with_derivatives(graph)
    folding = Folding(depth, rollup, collapse, constants, _focus(focus), max_nodes)
    shown = Shown(values, grads, shapes, saved, memory, places, max_size)
    return Picture(folded(graph, folding), shown, rankdir, graph, folding)


def _tensors(t: Any) -> list[Tensor]:
    listed = [t] if isinstance(t, Tensor) else list(t.values()) if isinstance(t, Mapping) else t
    if not isinstance(listed, (list, tuple)) or not listed or not all(isinstance(x, Tensor) for x in listed):
        raise TypeError(f"draw() takes the Tensor whose graph you want to see, or several; got {type(t).__name__}")
    return list(listed)


def _focus(focus: Any) -> tuple[Node | str, int] | None:
    if focus is None:
        return None
    if not isinstance(focus, (tuple, list)) or len(focus) != 2 or not isinstance(focus[0], (Tensor, str)):
        raise ValueError(f"focus is a pair (tensor or label, number of steps); got {focus!r:.60}")
    what, steps = focus
    at_least("focus", steps, 0)
    if isinstance(what, Tensor):
        if what._node is None:
            raise ValueError("focus: this tensor does not require a gradient, so it is not in the graph")
        what = what._node
    return what, steps
