"""Nested tuples, lists and dicts of arrays, seen as a flat list."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

__all__ = ["flatten"]


def flatten(tree: Any) -> tuple[list[Any], Callable[[Sequence[Any]], Any]]:
    """The leaves of ``tree`` in order, and the function that puts new leaves in their places.

    Tuples (named ones too), lists and dicts are containers; everything else, None too, is a leaf.
    The rebuilding function raises ValueError for another number of leaves.
    """
    leaves: list[Any] = []
    _collect(tree, leaves)

    def rebuild(new: Sequence[Any]) -> Any:
        if len(new) != len(leaves):
            raise ValueError(f"{len(new)} leaves for a structure that has {len(leaves)}")
        return _place(tree, iter(new))

    return leaves, rebuild


def _collect(tree: Any, leaves: list[Any]) -> None:
    if isinstance(tree, (tuple, list)):
        for item in tree:
            _collect(item, leaves)
    elif isinstance(tree, dict):
        for item in tree.values():
            _collect(item, leaves)
    else:
        leaves.append(tree)


def _place(tree: Any, new: Iterator[Any]) -> Any:
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(_place(item, new) for item in tree))
    if isinstance(tree, (tuple, list)):
        return type(tree)(_place(item, new) for item in tree)
    if isinstance(tree, dict):
        return {key: _place(item, new) for key, item in tree.items()}
    return next(new)
