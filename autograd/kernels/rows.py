"""Functions of the rows of an array, each in one compiled loop.

Beside each stands its twin in NumPy, where it is used, for other operands and where nothing was compiled. The two
agree but for rounding, since sums are added up in another order and exponentials may differ in the last place, and
but for NumPy's warnings, which are not given.
"""

from __future__ import annotations

from functools import partial
from math import prod
from typing import Any

import numpy as np

from autograd.kernels import native

__all__ = ["in_rows", "row_kernel"]


def in_rows(kernel: str, *inputs: Any, dim: Any = None, parameter: float = 0.0, out: Any = None) -> Any:
    """What the compiled kernel makes of the inputs, or None where there is none for them.

    Parameters
    ----------
    kernel : str
        Its name in rows.c, which tells the shapes it takes and gives.
    *inputs : arrays
        Plain arrays of one dtype; copied where they are not C-contiguous.
    dim : int or tuple of ints, optional
        The axes of the first input that make a row, which have to be the last ones; all by default.
    parameter : float
        The one number that a kernel may take.
    out : array, optional
        Where the result goes; may be the input where the kernel says so.

    Returns
    -------
    array, list of arrays or None
    """
    first = inputs[0]
    if native.compiled is None or type(first) is not np.ndarray or not first.ndim:
        return None
    code, shapes, outputs, dtypes = _KERNELS[kernel]
    axes = _row_axes(dim, first.ndim)
    if axes is None or not first.size or first.dtype.char not in dtypes or not first.dtype.isnative:
        return None
    if dim is None and first.flags.fnc:  # entry by entry: in the order of memory, which the result keeps
        found = in_rows(kernel, *(x.T for x in inputs))
        return None if found is None else found.T
    rows, row = first.shape[: first.ndim - axes], first.shape[first.ndim - axes :]
    full = {"f": first.shape, "r": (*rows, *(1,) * axes), "v": row}
    for x, kind in zip(inputs, shapes, strict=True):
        if type(x) is not np.ndarray or x.dtype != first.dtype or x.shape != full[kind]:
            return None
    if out is not None and not _lies_ready(out):
        return None
    results = [np.empty(full[kind], first.dtype) for kind in outputs] if out is None else [out]
    arrays = tuple([x if _lies_ready(x) else np.array(x, order="C") for x in inputs])
    native.compiled.run_rows(code, arrays, tuple(results), prod(row), parameter)
    return results[0] if len(results) == 1 else results


def _lies_ready(array: Any) -> bool:
    flags = array.flags
    return flags.c_contiguous and flags.aligned


def row_kernel(kernel: str, dtype: Any) -> Any:
    """``run(inputs, outputs, length, 0.0)`` of a kernel, for those who call it often; None where there is none.

    Takes tuples of C-contiguous arrays; raises ValueError for others.
    """
    if native.compiled is None or not dtype.isnative or dtype.char not in _KERNELS[kernel][3]:
        return None
    return partial(native.compiled.run_rows, _KERNELS[kernel][0])


def _row_axes(dim: Any, count: int) -> int | None:
    """How many axes make a row; None unless they are the last ones."""
    if dim is None:
        return count
    axes = dim if isinstance(dim, tuple) else (dim,)
    last = list(range(count - len(axes), count))
    return len(axes) if sorted(axis + count if axis < 0 else axis for axis in axes) == last else None


_KERNELS: dict[str, tuple[int, str, str, str]] = {}
if native.compiled is not None:
    c = native.compiled
    for code, entry in enumerate(zip(c.kernels, c.kernel_inputs, c.kernel_outputs, c.kernel_dtypes, strict=True)):
        _KERNELS[entry[0]] = (code, *entry[1:])
