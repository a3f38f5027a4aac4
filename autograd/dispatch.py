"""NumPy's doors: ``__array_ufunc__`` (NEP 13) and ``__array_function__`` (NEP 18).

The tables say which differentiable function answers for which of NumPy's. A function that is in none
of them raises, so that no graph is lost in silence.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

__all__ = ["Differentiable", "bare", "functions", "give", "reductions", "ufuncs", "without_derivative"]

ufuncs: dict[Any, Callable[..., Any]] = {}
reductions: dict[Any, Callable[..., Any]] = {}  # ufunc → the function that is its `reduce`
functions: dict[Any, Callable[..., Any]] = {}
# These see plain arrays and return plain values.
without_derivative: set[Any] = {np.shape, np.ndim, np.size}


class Differentiable:
    """What tensors and dual numbers share: NumPy's protocols, operators and array methods.

    Operators and methods are given to this class by the modules that define the operations.
    """

    __slots__ = ()
    __array_priority__ = 1000  # scipy.sparse and other old-style peers defer to us

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if ufunc in without_derivative:
            return _write(getattr(ufunc, method)(*map(bare, inputs), **bare(options)))
        table = {"__call__": ufuncs, "reduce": reductions, "outer": ufuncs}.get(method, {})
        function = table.get(ufunc)
        if function is None:
            name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
            raise _unsupported(f"np.{name}")
        out = options.pop("out", None)
        if method == "outer":
            inputs = (_with_trailing_axes(inputs[0], np.ndim(inputs[1])), inputs[1])
        if method == "reduce":
            options.setdefault("axis", 0)
        elif options:
            inputs = _cast(inputs, options, ufunc)
            options = {}
        return _write(function(*inputs, **options), out[0] if out else None, ufunc)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        answer = functions.get(function)
        if answer is not None:
            return answer(*args, **kwargs)
        if function in without_derivative:
            return function(*bare(args), **bare(kwargs))
        module = function.__module__.replace("numpy", "np", 1)
        raise _unsupported(f"{module}.{function.__name__}")

    def _bare(self) -> Any:
        """The plain array inside."""
        raise NotImplementedError

    __hash__ = object.__hash__

    if TYPE_CHECKING:  # given at import by the modules of autograd.numpy

        def __getattr__(self, name: str) -> Any: ...
        def __getitem__(self, index: Any) -> Any: ...
        def __add__(self, other: Any) -> Any: ...
        def __radd__(self, other: Any) -> Any: ...
        def __sub__(self, other: Any) -> Any: ...
        def __rsub__(self, other: Any) -> Any: ...
        def __mul__(self, other: Any) -> Any: ...
        def __rmul__(self, other: Any) -> Any: ...
        def __truediv__(self, other: Any) -> Any: ...
        def __rtruediv__(self, other: Any) -> Any: ...
        def __floordiv__(self, other: Any) -> Any: ...
        def __rfloordiv__(self, other: Any) -> Any: ...
        def __mod__(self, other: Any) -> Any: ...
        def __rmod__(self, other: Any) -> Any: ...
        def __pow__(self, other: Any) -> Any: ...
        def __rpow__(self, other: Any) -> Any: ...
        def __matmul__(self, other: Any) -> Any: ...
        def __rmatmul__(self, other: Any) -> Any: ...
        def __neg__(self) -> Any: ...
        def __pos__(self) -> Any: ...
        def __abs__(self) -> Any: ...
        def __lt__(self, other: Any) -> Any: ...
        def __le__(self, other: Any) -> Any: ...
        def __gt__(self, other: Any) -> Any: ...
        def __ge__(self, other: Any) -> Any: ...


def bare(value: Any) -> Any:
    """``value`` with every tensor and dual number in it, nested containers included, made a plain array."""
    if isinstance(value, Differentiable):
        return value._bare()
    if type(value) in (tuple, list):
        return type(value)(map(bare, value))
    if type(value) is dict:
        return {key: bare(item) for key, item in value.items()}
    return value


def _unsupported(name: str) -> TypeError:
    return TypeError(
        f"{name} is not differentiable here (yet). If no gradient is needed, pass t.detach().numpy(); "
        "to add it, declare a primitive (autograd.primitive)."
    )


def _with_trailing_axes(x: Any, count: int) -> Any:
    return np.reshape(x, np.shape(x) + (1,) * count)


def _cast(inputs: Any, options: dict[str, Any], ufunc: Any) -> Any:
    dtype = options.pop("dtype", None)
    options.pop("casting", None)
    if options:
        raise TypeError(
            f"np.{ufunc.__name__} on a Tensor does not take {', '.join(options)}; "
            "for where=, write np.where(condition, result, other)"
        )
    if dtype is None:
        return inputs
    return tuple(x.astype(dtype) if hasattr(x, "astype") else np.asarray(x, dtype) for x in inputs)


def _write(result: Any, out: Any = None, ufunc: Any = None) -> Any:
    """Put ``result`` into ``out`` where it was asked for, never dropping a graph on the way."""
    if out is None:
        return result
    if isinstance(out, Differentiable):
        out[...] = result
        return out
    if getattr(result, "requires_grad", True):
        raise TypeError(
            f"np.{ufunc.__name__} would write a value that requires a gradient into a plain array and lose "
            "the graph. Write a = a + t instead of a += t, or detach the tensor first."
        )
    out[...] = bare(result)
    return out


def give(**members: Any) -> None:
    """Give operators, methods or properties to every differentiable type, by name."""
    for name, member in members.items():
        setattr(Differentiable, name, member)
