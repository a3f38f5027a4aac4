"""How values are described: small arrays whole, large ones by their statistics, what is not finite by its count."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["kind_of", "nbytes", "not_finite", "number", "numbers", "sparkline", "statistics"]

BARS = "▁▂▃▄▅▆▇█"
SAMPLE = 1_000_000  # entries looked at for a histogram


def number(x: Any) -> str:
    """One number, to four digits."""
    return f"{x:.4g}" if np.asarray(x).dtype.kind in "fc" else str(x)


def numbers(array: Any) -> list[str]:
    """All entries, in the lines in which NumPy writes them."""
    array = np.asarray(array)
    if array.ndim == 0:
        return [number(array[()])]
    return np.array2string(array, separator=", ", threshold=array.size, formatter={"all": number}).split("\n")


def statistics(array: Any) -> list[str]:
    """Mean ± standard deviation, a histogram, and the range of the finite entries (of magnitudes if complex)."""
    array = np.asarray(array)
    if array.size == 0:
        return ["empty"]
    magnitude = array.dtype.kind == "c"
    entries = np.abs(array) if magnitude else array
    if array.dtype.kind == "b":
        return [f"{np.count_nonzero(array):,} of {array.size:,} true"]
    finite = entries[np.isfinite(entries)].astype(np.float64)
    if finite.size == 0:
        return []
    with np.errstate(all="ignore"):  # entries near the largest float: their mean is infinite, and is shown so
        mean, deviation = finite.mean(), finite.std()
    low, high = finite.min(), finite.max()
    head = f"{'|z|: ' if magnitude else ''}{number(mean)} ± {number(deviation)}"
    return [head, f"{number(low)} {sparkline(finite)} {number(high)}"]


def sparkline(finite: Any) -> str:
    """A histogram in eight bars, from the least to the greatest entry."""
    low, high = finite.min(), finite.max()
    if not np.isfinite(high - low) or high == low:
        return BARS[-1]
    step = -(-finite.size // SAMPLE)
    counts = np.histogram(finite[::step], bins=len(BARS), range=(low, high))[0]
    return "".join(BARS[-(-int(count) * (len(BARS) - 1) // int(counts.max()))] for count in counts)


def not_finite(array: Any) -> str:
    """How many entries are NaN or infinite; "" for none."""
    array = np.asarray(array)
    if array.dtype.kind not in "fc":
        return ""
    nan, infinite = np.count_nonzero(np.isnan(array)), np.count_nonzero(np.isinf(array))
    return ", ".join(f"{count:,} {what}" for count, what in ((nan, "NaN"), (infinite, "infinite")) if count)


def kind_of(shape: Any, dtype: Any) -> str:
    """Shape and dtype; of each output, where there are several."""
    if isinstance(dtype, tuple):
        return ", ".join(map(kind_of, shape, dtype))
    return f"{shape} {dtype}" if shape else str(dtype)


def nbytes(count: int) -> str:
    """A number of bytes, in the unit that fits it."""
    size, unit = float(count), 0
    while size >= 1000 and unit < 4:
        size, unit = size / 1000, unit + 1
    return f"{count} B" if unit == 0 else f"{size:.3g} {('kB', 'MB', 'GB', 'TB')[unit - 1]}"
