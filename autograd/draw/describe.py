"""How values are described: small arrays whole, large ones by their statistics, what is not finite by its count."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import groupby
from typing import Any

import numpy as np

__all__ = ["alike", "kind_of", "nbytes", "not_finite", "number", "numbers", "sparkline", "statistics"]

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 40  # characters of a line of numbers
SAMPLE = 1_000_000  # entries looked at for a histogram


def number(x: Any) -> str:
    """One number, to four digits."""
    return f"{x:.4g}" if np.asarray(x).dtype.kind in "fc" else str(x)


def numbers(array: Any) -> list[str]:
    """All entries, in the lines in which NumPy writes them."""
    array = np.asarray(array)
    if array.ndim == 0:
        return [number(array[()])]
    written = np.array2string(array, WIDTH, separator=", ", threshold=array.size, formatter={"all": number})
    return written.split("\n")


def statistics(array: Any) -> list[str]:
    """Mean ± standard deviation, a histogram, and the range of the finite entries (of magnitudes if complex)."""
    array = np.asarray(array)
    if array.size == 0:
        return ["empty"]
    magnitude = array.dtype.kind == "c"
    entries = np.abs(array) if magnitude else array
    if array.dtype.kind == "b":
        return [f"{np.count_nonzero(array):,} of {array.size:,} true"]
    with np.errstate(all="ignore"):  # beyond the range of float64, a mean is infinite, and is shown so
        finite = entries[np.isfinite(entries)].astype(np.float64)
        finite = finite[np.isfinite(finite)]
        if finite.size == 0:
            return []
        head = f"{'|z|: ' if magnitude else ''}{number(finite.mean())} ± {number(finite.std())}"
    return [head, f"{number(finite.min())} {sparkline(finite)} {number(finite.max())}"]


def sparkline(finite: Any) -> str:
    """A histogram in eight bars, from the least to the greatest entry."""
    low, high = finite.min(), finite.max()
    if low == high:
        return BARS[-1]
    scale = max(abs(low), abs(high))  # the difference of the largest floats would overflow
    sample = finite[:: -(-finite.size // SAMPLE)] / scale
    position = (sample - low / scale) / (high / scale - low / scale)
    counts = np.bincount((position * len(BARS)).astype(int).clip(max=len(BARS) - 1), minlength=len(BARS))
    return "".join(BARS[-(-int(count) * (len(BARS) - 1) // int(counts.max()))] for count in counts)


def not_finite(array: Any) -> str:
    """How many entries are NaN or infinite; "" for none."""
    array = np.asarray(array)
    if array.dtype.kind not in "fc":
        return ""
    nan, infinite = np.count_nonzero(np.isnan(array)), np.count_nonzero(np.isinf(array))
    return ", ".join(f"{count:,} {what}" for count, what in ((nan, "NaN"), (infinite, "infinite")) if count)


@lru_cache(1024)
def kind_of(shape: Any, dtype: Any) -> str:
    """Shape and dtype; of each output, where there are several."""
    if isinstance(dtype, tuple):
        return alike(map(kind_of, shape, dtype))
    return f"{shape} {dtype}" if shape else str(dtype)


def alike(texts: Iterable[str]) -> str:
    """A list in which what follows itself is written once, with its number."""
    groups = [(text, len(list(group))) for text, group in groupby(texts)]
    return ", ".join(f"{count} × {text}" if count > 1 else text for text, count in groups)


def nbytes(count: int) -> str:
    """A number of bytes, in the unit that fits it."""
    size, unit = float(count), 0
    while size >= 1000 and unit < 4:
        size, unit = size / 1000, unit + 1
    return f"{count} B" if unit == 0 else f"{size:.3g} {('kB', 'MB', 'GB', 'TB')[unit - 1]}"
