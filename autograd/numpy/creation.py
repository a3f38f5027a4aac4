"""New arrays: in the likeness of a tensor, and from nested lists that hold tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.dispatch import Differentiable, bare, functions, without_derivative
from autograd.dual import Dual
from autograd.numpy.joining import stack
from autograd.numpy.shaping import astype, broadcast_to, copy, reshape
from autograd.tensor import Tensor, wrap

__all__ = ["array", "asarray", "empty_like", "full_like", "ones_like", "zeros_like"]


# ---------------------------------------------------------------------- in the likeness of


def _in_kind(like: Any, values: Any) -> Any:
    """``values`` as what ``like`` is: a tensor without a gradient, or a constant under forward mode.

    A dual number it has to be there, so that dual numbers can be written into it.
    """
    if isinstance(like, Dual):
        primal = _in_kind(like.primal, values)
        if values.dtype.kind not in "fc":
            return primal
        return Dual(primal, _in_kind(like.primal, np.zeros_like(values)), like.level)
    return wrap(values, None) if isinstance(like, Tensor) else values


def zeros_like(
    a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *, device: Any = None
) -> Any:
    """Zeros with the shape and dtype of ``a``, or those given; a tensor without a gradient for a tensor."""
    return _in_kind(a, np.zeros_like(bare(a), dtype, order, subok, shape, device=device))  # type: ignore[call-overload]


def ones_like(
    a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *, device: Any = None
) -> Any:
    """Ones with the shape and dtype of ``a``, or those given; a tensor without a gradient for a tensor."""
    return _in_kind(a, np.ones_like(bare(a), dtype, order, subok, shape, device=device))  # type: ignore[call-overload]


def empty_like(
    prototype: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *, device: Any = None
) -> Any:
    """Memory as it comes, with the shape and dtype of ``prototype``, or those given; a tensor for a tensor."""
    return _in_kind(prototype, np.empty_like(bare(prototype), dtype, order, subok, shape, device=device))  # type: ignore[call-overload]


def full_like(
    a: Any,
    fill_value: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> Any:
    """``fill_value`` everywhere, with the shape and dtype of ``a``, or those given; a tensor for a tensor.

    A ``fill_value`` that requires a gradient is broadcast, and its gradient is the sum over the entries
    it fills. Raises ValueError where it does not broadcast, and TypeError where the dtype would cut off
    its gradient.
    """
    if getattr(fill_value, "requires_grad", False):
        form = np.empty_like(bare(a), dtype, order, subok, shape, device=device)  # type: ignore[call-overload]
        if not np.can_cast(fill_value.dtype, form.dtype, "same_kind"):
            raise TypeError(f"full_like() of dtype {form.dtype} would cut off the gradient of its fill_value")
        return copy(broadcast_to(astype(fill_value, form.dtype, copy=False), form.shape))
    return _in_kind(a, np.full_like(bare(a), bare(fill_value), dtype, order, subok, shape, device=device))  # type: ignore[call-overload]


# ---------------------------------------------------------------------- from lists


def array(
    object: Any, dtype: Any = None, *, copy: bool | None = True, order: str = "K", subok: bool = False, ndmin: int = 0
) -> Any:
    """An array as NumPy makes it; a tensor where ``object`` is one, or nested lists hold one.

    Gradients flow to the tensors inside. Raises ValueError for ragged lists.
    """
    if not _holds_differentiable(object):
        return np.array(object, dtype, copy=copy, order=order, subok=subok, ndmin=ndmin)  # type: ignore[call-overload]
    made = _built(object)
    if dtype is not None and made.dtype != np.dtype(dtype):
        made = astype(made, dtype)
    elif copy and made is object:
        made = _copy(made, order)
    missing = ndmin - len(made.shape)
    return reshape(made, (1,) * missing + made.shape) if missing > 0 else made


_copy = copy  # `array` has an argument of that name


def asarray(a: Any, dtype: Any = None, order: str | None = None, *, copy: bool | None = None) -> Any:
    """``a`` itself where it is an array or a tensor already, else ``array(a)``."""
    return array(a, dtype, copy=copy, order=order or "K")


def _holds_differentiable(value: Any) -> bool:
    if type(value) in (list, tuple):
        return any(map(_holds_differentiable, value))
    return isinstance(value, Differentiable)


def _built(value: Any) -> Any:
    if not _holds_differentiable(value) or isinstance(value, Differentiable):
        return value
    return stack([_built(item) for item in value])


functions.update(
    {np.zeros_like: zeros_like, np.ones_like: ones_like, np.empty_like: empty_like, np.full_like: full_like}
)
without_derivative.update(
    (
        np.can_cast, np.common_type, np.iscomplexobj, np.isrealobj, np.may_share_memory, np.min_scalar_type,
        np.result_type, np.shares_memory, np.array2string, np.array_repr, np.array_str,
    )
)  # fmt: skip
