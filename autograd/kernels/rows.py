"""Functions of the rows of an array, each in one compiled loop.

Beside each stands its twin in NumPy, where it is used, for other operands and where nothing was compiled. The two
agree but for rounding, since sums are added up in another order and exponentials may differ in the last place, and
but for NumPy's warnings, which are not given.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from autograd.kernels import native

__all__ = ["in_rows", "row_kernel"]


def in_rows(kernel: str, *inputs: Any, dim: Any = ..., parameter: float = 0.0, out: Any = None) -> Any:
    """What the compiled kernel makes of the inputs, or None where there is none for them.

    Parameters
    ----------
    kernel : str
        Its name in rows.c, which tells the shapes it takes and gives.
    *inputs : arrays
        Plain arrays of one dtype; copied where they are not C-contiguous.
    dim : int or tuple of ints, optional
        The axes of the first input that make a row; there is no kernel for others than the last ones. All by default.
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
    if dim is ... and first.flags.fnc:  # entry by entry: in the order of memory, which the result keeps
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


def row_kernel(kernel: str, dtype: Any, length: int) -> Any:
    """``run(inputs, outputs)`` of a kernel for rows of that length, for those who call it often; None without one.

    Takes tuples of C-contiguous arrays; raises ValueError for others.
    """
    if native.compiled is None or not length or not dtype.isnative or dtype.char not in _KERNELS[kernel][3]:
        return None
    run, code = native.compiled.run_rows, _KERNELS[kernel][0]
    return lambda inputs, outputs: run(code, inputs, outputs, length, 0.0)


def _row_axes(dim: Any, count: int) -> int | None:
    """How many axes make a row; None unless they are the last ones."""
    if dim is ...:
        return count
    if dim is None:
        return None
    axes = dim if isinstance(dim, tuple) else (dim,)
    last = list(range(count - len(axes), count))
    return len(axes) if sorted(axis + count if axis < 0 else axis for axis in axes) == last else None


def _listed(compiled: Any) -> dict[str, tuple[int, str, str, str]]:
    """For each kernel its number, the shapes of its inputs and outputs, and the characters of its dtypes."""
    columns = (compiled.kernel_inputs, compiled.kernel_outputs, compiled.kernel_dtypes)
    return {name: (code, *rest) for code, (name, *rest) in enumerate(zip(compiled.kernels, *columns, strict=True))}


_KERNELS = {} if native.compiled is None else _listed(native.compiled)
