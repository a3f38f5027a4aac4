"""What is done to many parameters at once: clipping their gradients, and one long vector of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf
from typing import Any

import numpy as np

from autograd import Tensor
from autograd.dispatch import bare
from autograd.memory import touch

__all__ = [
    "check_finite_gradients",
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "functional_call",
    "get_total_norm",
    "parameters_to_vector",
    "vector_to_parameters",
]


# ---------------------------------------------------------------------- gradients


def _gradients(parameters: Any) -> list[Any]:
    """The arrays of the gradients that are there, each once."""
    listed = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    arrays = {id(p.grad): p.grad.numpy() for p in listed if p.grad is not None}
    return list(arrays.values())


def _writeable(arrays: list[Any]) -> list[Any]:
    if not all(array.flags.writeable for array in arrays):
        raise ValueError("a gradient lies in read-only memory; set p.grad to a copy of the array")
    return arrays


def _norm(array: Any, norm_type: float) -> Any:
    """The p-norm of all entries, without overflow or underflow on the way."""
    x = np.abs(array).astype(np.promote_types(array.real.dtype, np.float32), copy=False).reshape(-1)
    if norm_type == 2:
        with np.errstate(over="ignore"):
            square = np.dot(x, x)
        if np.finfo(x.dtype).tiny < square < inf:
            return np.sqrt(square)
    largest = np.max(x, initial=0)
    if norm_type == inf or largest == 0 or not np.isfinite(largest):
        return largest
    return largest * np.sum((x / largest) ** norm_type) ** (1 / norm_type)


def get_total_norm(tensors: Any, norm_type: float = 2.0, error_if_nonfinite: bool = False) -> Any:
    """The p-norm of all entries of the tensors, as one vector; 0 for none.

    Raises ValueError unless ``norm_type`` is above 0 (infinity for the largest entry), and RuntimeError for a
    norm that is NaN or infinite if ``error_if_nonfinite``.
    """
    if not norm_type > 0:
        raise ValueError(f"norm_type is a number above 0, or infinity; got {norm_type}")
    arrays = [bare(t) for t in ([tensors] if isinstance(tensors, Tensor) else tensors)]
    total = _norm(np.array([_norm(a, norm_type) for a in arrays] or [0.0]), norm_type)
    if error_if_nonfinite and not np.isfinite(total):
        raise RuntimeError(f"the norm of the gradients is {total}; look for non-finite entries before clipping")
    return total


def clip_grads_with_norm_(parameters: Any, max_norm: float, total_norm: Any) -> None:
    """Scale the gradients in place by ``max_norm / total_norm`` where that is below 1.

    Raises ValueError, before anything is changed, for gradients in read-only memory.
    """
    factor = float(max_norm) / (float(total_norm) + 1e-6)
    if factor >= 1:
        return
    arrays = _writeable(_gradients(parameters))
    for array in arrays:
        array *= factor
    touch(*arrays, operation="clip_grads_with_norm_")


def clip_grad_norm_(parameters: Any, max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False) -> Any:
    """Scale all gradients in place so that their joint norm is at most ``max_norm``; returns the norm before.

    Parameters without gradient are passed over (Pascanu, Mikolov & Bengio 2013). Raises as
    :func:`get_total_norm`, and ValueError for a negative ``max_norm``, before anything is changed.
    """
    if not max_norm >= 0:
        raise ValueError(f"max_norm is a number, 0 or more; got {max_norm}")
    parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    total = get_total_norm(_gradients(parameters), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(parameters, max_norm, total)
    return total


def clip_grad_value_(parameters: Any, clip_value: float) -> None:
    """Limit every entry of the gradients to ±``clip_value``, in place.

    Raises ValueError for a negative ``clip_value`` and gradients in read-only memory, TypeError for complex gradients,
    before anything is changed.
    """
    if not clip_value >= 0:
        raise ValueError(f"clip_value is a number, 0 or more; got {clip_value}")
    arrays = _gradients(parameters)
    if any(array.dtype.kind == "c" for array in arrays):
        raise TypeError("complex gradients have no order to clip by; see clip_grad_norm_")
    for array in _writeable(arrays):
        np.clip(array, -clip_value, clip_value, out=array)
    touch(*arrays, operation="clip_grad_value_")


def check_finite_gradients(named_parameters: Any) -> None:
    """Raise FloatingPointError naming the first parameter whose gradient has a NaN or an infinity, and where.

    Takes a module, or pairs (name, parameter) such as ``model.named_parameters()`` gives.
    """
    pairs = named_parameters.named_parameters() if hasattr(named_parameters, "named_parameters") else named_parameters
    for name, p in pairs:
        if p.grad is None:
            continue
        wrong = ~np.isfinite(p.grad.numpy())
        if wrong.any():
            first = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise FloatingPointError(
                f"the gradient of '{name}' is not finite: {int(wrong.sum())} of {wrong.size} entries, the first at "
                f"{list(first)}, {p.grad.numpy()[first]}"
            )


# ---------------------------------------------------------------------- one vector


def parameters_to_vector(parameters: Iterable[Any]) -> Any:
    """All entries of the parameters in one vector, recorded like any operation. Raises ValueError for none."""
    pieces = [p.reshape(-1) for p in parameters]
    if not pieces:
        raise ValueError("parameters_to_vector() of no parameters")
    return np.concatenate(pieces)


def vector_to_parameters(vec: Any, parameters: Iterable[Any]) -> None:
    """Copy the entries of a vector into the parameters, in place and in order.

    Raises ValueError, before anything is changed, for another number of entries.
    """
    listed, vector = list(parameters), np.asarray(bare(vec))
    size = sum(p.size for p in listed)
    if vector.shape != (size,):
        raise ValueError(f"{size} entries are in the parameters; got a vector of shape {vector.shape}")
    end = 0
    for p in listed:
        start, end = end, end + p.size
        p.data[...] = vector[start:end].reshape(p.shape).astype(p.dtype)


# ---------------------------------------------------------------------- modules as functions


def functional_call(module: Any, parameters: Mapping[str, Any], args: Any = (), kwargs: Any = None) -> Any:
    """``module(*args, **kwargs)`` with other values in place of some parameters and buffers.

    ``parameters`` maps dotted paths to tensors or arrays; what it does not name stays as it is. So a module becomes
    a function of its parameters, for ``grad``, ``hessian`` or ``gradcheck``. Raises AttributeError for a path that
    names no parameter or buffer. Not for several threads on one module at a time.
    """
    replaced = []
    try:
        for path, value in parameters.items():
            before, _, name = path.rpartition(".")
            entries = module.get_submodule(before).__dict__
            if name not in entries["_kinds"] or entries["_kinds"][name] == "module":
                raise AttributeError(f"'{path}' is no parameter or buffer")
            replaced.append((entries, name, entries[name]))
            entries[name] = value
        return module(*(args if isinstance(args, tuple) else (args,)), **(kwargs or {}))
    finally:
        for entries, name, value in reversed(replaced):
            entries[name] = value
