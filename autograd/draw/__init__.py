"""Computation graphs as pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autograd.draw.label import Shown
from autograd.draw.picture import Picture
from autograd.draw.snapshot import snapshot
from autograd.tensor import Tensor

__all__ = ["Picture", "draw"]


def draw(t: Any, names: Mapping[str, Any] | None = None, *, max_size: int = 6, rankdir: str | None = None) -> Picture:
    """The recorded graph behind one or several tensors, as a picture.

    Parameters
    ----------
    t : Tensor, or list, tuple or dict of Tensors
    names : mapping of str to Tensor or array, optional
        Labels for tensors and arrays in the graph, such as ``dict(model.named_parameters())``; values and gradients
        of these tensors are shown too. Leaves that have a ``name`` are labelled by themselves.
    max_size : int
        The largest number of entries that are written out.
    rankdir : {"LR", "TB", "RL", "BT"}, optional
        Direction of the computation; left to right for small graphs, else top to bottom.

    Raises
    ------
    TypeError
        For anything but tensors.

    Notes
    -----
    Boxes are operations and leaves; arrows run with the computation. Values are those in memory: of leaves, of ``t``
    and ``names``, and what derivative rules have saved; a constant is shown where a rule has saved it. Drawing only
    reads: the graph and its tensors stay as they are.
    """
    return Picture(snapshot(_tensors(t), names), Shown(max_size=max_size), rankdir)


def _tensors(t: Any) -> list[Tensor]:
    listed = [t] if isinstance(t, Tensor) else list(t.values()) if isinstance(t, Mapping) else t
    if not isinstance(listed, (list, tuple)) or not listed or not all(isinstance(x, Tensor) for x in listed):
        raise TypeError(f"draw() takes the Tensor whose graph you want to see, or several; got {type(t).__name__}")
    return list(listed)
