"""Progress bars, where they are asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["shown"]


def shown(entries: Iterable[Any], progress: bool | str, total: int | None = None) -> Iterable[Any]:
    """``entries`` as they are, or with a bar that follows the iteration, with a text before it if that is one.

    Raises ImportError for a bar without the package tqdm.
    """
    if progress is False:
        return entries
    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        raise ImportError('a progress bar needs the package tqdm: pip install "chainrule[examples]"') from error
    bar: Iterable[Any] = tqdm(entries, total=total, desc=progress if isinstance(progress, str) else None)
    return bar
