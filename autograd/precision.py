"""Half precision: operations that compute it in single, and ``autocast``, which chooses per operation.

NumPy's float16 arithmetic is slow and its sums lose digits, so an operation declared with ``widen=True`` computes
float16 in float32 and rounds the result.

Inside ``autocast`` some operations run in half, some in single, the rest as they find it. An operation says which when
it is declared (``autocast="half"`` or ``"single"``): products and convolutions are heavy and forgiving, so they run in
half; exponentials, logarithms, sums and losses leave the range or the precision of float16, so they run in single
(Micikevicius et al. 2018, "Mixed precision training"). Both only ever convert between float16 and float32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ContextDecorator
from contextvars import Token
from typing import Any

import numpy as np

from autograd.graph import Leaf, autocasting, make_node, recording, restore
from autograd.memory import stamp_of
from autograd.tensor import wrap

__all__ = ["autocast", "in_half", "in_single", "is_autocast_enabled", "widened", "widened_function"]

HALF, SINGLE = np.dtype(np.float16), np.dtype(np.float32)


# ---------------------------------------------------------------------- float16 computed in float32


def widened(value: Any) -> Any:
    """float16 arrays and tensors, also those in a tuple, in float32; everything else as it is."""
    if type(value) is tuple:
        return tuple(map(widened, value))
    return value.astype(SINGLE) if getattr(value, "dtype", None) == HALF else value


def widened_function(function: Callable[..., Any], slots: Sequence[int] | None = None) -> Callable[..., Any]:
    """``function`` of arrays, where float16 is computed in float32; the results are as wide as NumPy's rules say.

    ``slots`` are the positions of the operands, which decide how wide; all arguments where it is None.
    """

    def compute(*args: Any, **options: Any) -> Any:
        out = function(*map(widened, args), **options)
        operands = args if slots is None else [args[i] for i in slots]
        dtypes = [x.dtype for x in operands if hasattr(x, "dtype")]
        if not dtypes or np.result_type(*dtypes) != HALF:
            return out
        return tuple(y.astype(HALF) for y in out) if type(out) is tuple else out.astype(HALF)

    return compute


# ---------------------------------------------------------------------- autocast


class Casts:
    """The conversions inside one ``autocast``; those of parameters are kept for the operations that follow."""

    __slots__ = ("_kept",)

    def __init__(self, keep: bool) -> None:
        self._kept: dict[Leaf, tuple[Any, Any, Any, Any]] | None = {} if keep else None

    def half(self, *values: Any) -> tuple[Any, ...]:
        """Operands with float32 made float16; as they are where float64 or complex numbers make the result wider."""
        dtypes = [getattr(value, "dtype", None) for value in values]
        if any(dtype is not None and dtype.kind in "fc" and dtype.itemsize > SINGLE.itemsize for dtype in dtypes):
            return values
        return tuple(self._half(x) if dtype == SINGLE else x for x, dtype in zip(values, dtypes, strict=True))

    def single(self, *values: Any) -> tuple[Any, ...]:
        """Operands with float16 made float32."""
        return tuple(map(widened, values))

    def _half(self, value: Any) -> Any:
        node = getattr(value, "_node", None)
        if self._kept is not None and type(node) is Leaf and recording.get():
            return self._kept_half(value, node)
        return value.astype(HALF)

    def _kept_half(self, tensor: Any, leaf: Leaf) -> Any:
        """A leaf in float16: the last conversion, unless the leaf was changed.

        Every use has a node of its own, so that a backward pass through one graph leaves those of others alone, and
        the gradients of all uses are added up in float32.
        """
        assert self._kept is not None
        array = tensor._data
        known, half, node, saved = self._kept.get(leaf, (None, None, None, None))
        if node is None or known is not array or _changed(array, node.order) or _changed(half, node.order):
            cast = tensor.astype(HALF)
            self._kept[leaf] = array, cast._data, cast._node, cast._node.saved
            return cast
        again = make_node(node.primitive, node.parents, saved, node.shape, node.dtype)
        watcher = recording.get()
        if watcher is not True:
            watcher.observe(again)
        return wrap(half, again)


def _changed(array: Any, time: int) -> bool:
    stamp = stamp_of(array)
    return stamp is not None and stamp.time < time


class autocast(ContextDecorator):
    """Run the operations inside in mixed precision: a context manager and a decorator, local to the thread or task.

    Parameters
    ----------
    dtype : dtype
        Of the operations that run in half: float16, the one half precision that NumPy has.
    enabled : bool
        False switches an outer ``autocast`` off inside.
    cache_enabled : bool
        Convert a parameter once, not for every operation that uses it.

    Raises
    ------
    TypeError
        For another dtype.

    Notes
    -----
    Enter it for the forward pass and the loss; the backward pass runs in the precision that was recorded, and the
    gradients of float32 parameters are float32. float64 and complex operands, and what they meet in an operation, are
    left alone. Small gradients vanish in float16: scale the loss with ``optim.GradScaler``.

    In half: matrix products (``matmul``, ``einsum``, …), linear, convolutional and recurrent layers, attention.
    In single: exponentials, logarithms, powers, sums, means, products and norms, softmax, losses. The rest, such as
    additions and activations, takes what comes, and NumPy's promotion makes float32 of a mixture.

    What half precision saves is memory: activations are kept in float16. NumPy's float16 arithmetic is slow; products
    are therefore computed in float32 and rounded.

    Examples
    --------
    >>> import numpy as np
    >>> from autograd import Tensor, autocast
    >>> x = Tensor(np.ones((2, 2), np.float32), requires_grad=True)
    >>> with autocast():
    ...     y = x @ x
    ...     loss = np.sum(y)
    >>> y.dtype, loss.dtype
    (dtype('float16'), dtype('float32'))
    """

    def __init__(self, dtype: Any = np.float16, enabled: bool = True, cache_enabled: bool = True) -> None:
        try:
            half = np.dtype(dtype) == HALF
        except TypeError:
            half = False
        if not half:
            raise TypeError(f"autocast() takes the dtype float16, the half precision that NumPy has; got {dtype!r}")
        self.enabled = bool(enabled)
        self.cache_enabled = bool(cache_enabled)
        self._tokens: list[Token[Any]] = []

    def _recreate_cm(self) -> autocast:
        return type(self)(HALF, self.enabled, self.cache_enabled)

    def __enter__(self) -> autocast:
        self._tokens.append(autocasting.set(Casts(self.cache_enabled) if self.enabled else None))
        return self

    def __exit__(self, *exception: object) -> None:
        restore(autocasting, self._tokens)


def is_autocast_enabled() -> bool:
    """Whether operations here and now choose their precision."""
    return autocasting.get() is not None


def in_single(*values: Any) -> tuple[Any, ...]:
    """Inside ``autocast`` the values with float16 made float32: for functions of several operations, such as losses."""
    casting = autocasting.get()
    return values if casting is None else casting.single(*values)


def in_half(*values: Any) -> tuple[Any, ...]:
    """Inside ``autocast`` the operands of one function with float32 made float16, unless one is wider."""
    casting = autocasting.get()
    return values if casting is None else casting.half(*values)
