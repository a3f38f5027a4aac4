"""Derivatives of functions: gradients, Jacobians, Hessians, and products with them.

Functions take and return arrays, tensors, numbers, or nested tuples, lists and dicts of these. What
comes out follows what goes in: arrays for arrays, tensors for tensors. Transforms nest in any order,
reverse in forward, forward in reverse, and see through closures.

Reverse mode computes ``vᵀJ`` (one pass for all inputs), forward mode ``J v`` (one pass for all
outputs); a Jacobian takes the mode with fewer passes (Griewank & Walther, *Evaluating Derivatives*,
2nd ed., ch. 3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from functools import wraps
from typing import Any

import numpy as np

from autograd.declare import linear
from autograd.dispatch import Differentiable, bare
from autograd.dual import Dual, levels, part
from autograd.graph import Leaf, Node, make_node, propagate, recording
from autograd.tensor import Tensor, wrap
from autograd.tree import flatten

__all__ = ["grad", "hessian", "hvp", "jacobian", "jvp", "value_and_grad", "vjp"]

# How many transforms surround the current call: inside another one, results stay differentiable.
_depth: ContextVar[int] = ContextVar("depth", default=0)

Function = Callable[..., Any]


# ---------------------------------------------------------------------- entering and leaving


def _checked(leaf: Any, what: str) -> Any:
    """An input to differentiate with respect to, as an array, tensor or dual number."""
    value = leaf if isinstance(leaf, Differentiable) else np.asarray(leaf)
    if value.dtype.kind not in "fc":
        raise TypeError(
            f"{what} needs float or complex inputs; got {type(leaf).__name__} of dtype {value.dtype}. "
            "Convert it first (np.asarray(x, dtype=float), or write 3.0 instead of 3)"
        )
    return value


_same = linear(lambda x: x, x=lambda g: g, name="input")


def _entered(value: Any) -> Any:
    """A new name for ``value`` that gradients can be taken with respect to, tied to what made it."""
    if isinstance(value, Dual):
        return Dual(_entered(value.primal), value.tangent, value.level)
    if isinstance(value, Tensor) and value._node is not None:
        source = value._node
        return wrap(value._data, make_node(_same.primitive, (source,), (None, None, None), source.shape, source.dtype))
    data = bare(value)
    return wrap(data, Leaf(_nobody, data.shape, data.dtype))


def _nobody() -> None:
    """The tensor behind a transform's input: none, since no ``.grad`` is to be filled."""


def _node(value: Any) -> Node | None:
    while isinstance(value, Dual):
        value = value.primal
    return value._node if isinstance(value, Tensor) else None


def _holds_tensor(value: Any) -> bool:
    if isinstance(value, Dual):
        return _holds_tensor(value.primal) or _holds_tensor(value.tangent)
    return isinstance(value, Tensor)


def _leave(value: Any, tensors: bool) -> Any:
    """A result for the caller: an array, unless tensors went in or an outer transform depends on it."""
    if isinstance(value, Dual):
        return Dual(_leave(value.primal, tensors), _leave(value.tangent, tensors), value.level)
    if isinstance(value, Tensor):
        return value if tensors or (value._node is not None and _depth.get()) else value._data
    return wrap(value, None) if tensors and hasattr(value, "dtype") else value


# ---------------------------------------------------------------------- reverse mode


def _pull(pairs: list[tuple[Any, Any]], inputs: Sequence[Any], create_graph: bool) -> list[Any]:
    """Cotangents of ``inputs`` for (output, cotangent) ``pairs``; None where nothing arrives.

    For dual numbers ``y = y₀ + ε y₁`` with cotangent ``g₀ + ε g₁`` the product rule gives the two
    parts of the result: from ``(y₀, g₀)``, and from ``(y₀, g₁)`` and ``(y₁, g₀)``.
    """
    level = max((x.level for pair in pairs for x in pair if isinstance(x, Dual)), default=0)
    if level:
        plain, tangent = [], []
        for y, g in pairs:
            (y0, y1), (g0, g1) = part(y, level), part(g, level)
            plain.append((y0, g0))
            tangent += [(y0, g1)] if g1 is not None else []
            tangent += [(y1, g0)] if y1 is not None else []
        values = _pull(plain, inputs, create_graph)
        slopes = _pull(tangent, inputs, create_graph)
        return [_dual(v, s, level) for v, s in zip(values, slopes, strict=True)]
    targets = [_node(x) for x in inputs]
    outputs = []
    for y, g in pairs:
        if isinstance(y, Tensor) and y._node is not None:
            g = g if isinstance(g, Tensor) or not create_graph else wrap(g, None)
            outputs.append((y._node, g if create_graph else bare(g)))
    token = recording.set(recording.get() if create_graph else False)
    try:
        arrived = propagate(outputs, frozenset(targets), release=False, create_graph=create_graph)  # type: ignore[arg-type]
    finally:
        recording.reset(token)
    return [arrived.get(target) for target in targets]  # type: ignore[arg-type]


def _dual(value: Any, slope: Any, level: int) -> Any:
    if slope is None:
        return value
    return Dual(np.zeros(np.shape(slope), bare(slope).dtype) if value is None else value, slope, level)


def vjp(f: Function, *primals: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Value of ``f`` and its vector–Jacobian product, ``cotangent ↦ cotangentᵀ J``.

    Parameters
    ----------
    f : callable
        Takes ``primals``.
    *primals : arrays, tensors or nested containers of them
        Float or complex.

    Returns
    -------
    out
        ``f(*primals)``.
    vjp_fn : callable
        Takes a cotangent of the structure, shapes and dtypes of ``out``; returns a tuple with a
        cotangent for each primal. May be called any number of times.

    Raises
    ------
    TypeError
        For integer primals.
    ValueError
        For a cotangent of another shape or structure.
    """
    leaves, rebuild = flatten(primals)
    leaves = [_checked(leaf, "vjp()") for leaf in leaves]
    tensors = any(_holds_tensor(leaf) for leaf in leaves)
    entered = [_entered(leaf) for leaf in leaves]
    out = _call(f, rebuild(entered))
    outputs, rebuild_out = flatten(out)
    create_graph = tensors or _depth.get() > 0

    def vjp_fn(cotangent: Any) -> Any:
        cotangents, _ = flatten(cotangent)
        if len(cotangents) != len(outputs):
            raise ValueError(f"{len(cotangents)} cotangents for {len(outputs)} outputs")
        pairs = []
        for y, g in zip(outputs, cotangents, strict=True):
            if np.shape(g) != np.shape(y):
                raise ValueError(f"a cotangent of shape {np.shape(g)} for an output of shape {np.shape(y)}")
            if isinstance(y, Differentiable):
                pairs.append((y, g if isinstance(g, Differentiable) else np.asarray(g, y.dtype)))
        record = (create_graph or any(_holds_tensor(g) for _, g in pairs)) and recording.get()
        pulled = _pull(pairs, entered, record)
        filled = [np.zeros(x.shape, x.dtype) if g is None else g for x, g in zip(entered, pulled, strict=True)]
        return rebuild([_leave(g, tensors) for g in filled])

    return rebuild_out([_leave(y, tensors) for y in outputs]), vjp_fn


def _call(f: Function, arguments: Sequence[Any]) -> Any:
    token = _depth.set(_depth.get() + 1)
    mode = recording.set(recording.get() or True)
    try:
        return f(*arguments)
    finally:
        recording.reset(mode)
        _depth.reset(token)


def value_and_grad(f: Function, argnum: int | Sequence[int] = 0) -> Function:
    """A function that returns ``f``'s value and its gradient together; see :func:`grad`."""

    @wraps(f)
    def evaluate(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        several = not isinstance(argnum, int)
        chosen = (argnum,) if isinstance(argnum, int) else tuple(argnum)
        places = [p if p >= 0 else p + len(args) for p in chosen]
        if any(not 0 <= p < len(args) for p in places):
            raise ValueError(f"argnum={argnum} of a call with {len(args)} positional arguments")

        def restricted(*values: Any) -> Any:
            full = list(args)
            for place, value in zip(places, values, strict=True):
                full[place] = value
            return f(*full, **kwargs)

        out, pull = vjp(restricted, *(args[p] for p in places))
        if not hasattr(out, "dtype") and not isinstance(out, (int, float, complex)):
            raise TypeError(f"grad() needs a function with one scalar output; it returned a {type(out).__name__}")
        if np.shape(out) != () or bare(out if hasattr(out, "dtype") else np.asarray(out)).dtype.kind == "c":
            raise TypeError(
                f"grad() needs a real scalar output; the function returned shape {np.shape(out)} and dtype "
                f"{getattr(out, 'dtype', type(out).__name__)}. Use jacobian() or vjp(), or reduce it (np.sum)"
            )
        gradients = pull(np.ones((), getattr(out, "dtype", float)))
        return out, gradients if several else gradients[0]

    return evaluate


def grad(f: Function, argnum: int | Sequence[int] = 0) -> Function:
    """The function that computes the gradient of a scalar-valued ``f``.

    Parameters
    ----------
    f : callable
        Returns a real scalar (0-d).
    argnum : int or sequence of int
        Positional argument(s) to differentiate with respect to; each may be a nested container.

    Returns
    -------
    callable
        Takes ``f``'s arguments; returns ``∂f/∂x`` with the structure, shapes and dtypes of the
        argument, or a tuple of these for several.

    Raises
    ------
    TypeError
        If an argument is of integer dtype, or the output is no real scalar.

    Examples
    --------
    >>> import numpy as np
    >>> from autograd import grad
    >>> grad(lambda x: np.sum(x**2))(np.array([1.0, 2.0]))
    array([2., 4.])
    """
    both = value_and_grad(f, argnum)

    @wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        return both(*args, **kwargs)[1]

    return gradient


# ---------------------------------------------------------------------- forward mode


def jvp(f: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """Value of ``f`` and its Jacobian–vector product ``J t``, by forward mode, without a tape.

    Parameters
    ----------
    f : callable
    primals, tangents : sequences of the same structure
        Arguments of ``f`` and a tangent for each, of the same shapes.

    Returns
    -------
    out, tangent_out
        ``f(*primals)`` and the tangent, of the same structure.

    Raises
    ------
    TypeError
        For integer primals.
    ValueError
        For tangents of another shape or structure.
    """
    leaves, rebuild = flatten(tuple(primals))
    directions, _ = flatten(tuple(tangents))
    if len(leaves) != len(directions):
        raise ValueError(f"{len(directions)} tangents for {len(leaves)} primals")
    leaves = [_checked(leaf, "jvp()") for leaf in leaves]
    level = next(levels)
    duals = []
    for x, t in zip(leaves, directions, strict=True):
        if np.shape(t) != x.shape:
            raise ValueError(f"a tangent of shape {np.shape(t)} for a primal of shape {x.shape}")
        t = t if isinstance(t, Differentiable) else np.asarray(t)
        duals.append(Dual(x, t if t.dtype == x.dtype else t.astype(x.dtype), level))
    tensors = any(_holds_tensor(dual) for dual in duals)
    outputs, rebuild_out = flatten(f(*rebuild(duals)))
    values, slopes = [], []
    for output in outputs:
        y, t = part(output, level)
        values.append(_leave(y, tensors))
        slopes.append(_leave(np.zeros(np.shape(y), _dtype(y)) if t is None else t, tensors))
    return rebuild_out(values), rebuild_out(slopes)


def _dtype(y: Any) -> Any:
    return getattr(y, "dtype", None) or np.asarray(y).dtype


# ---------------------------------------------------------------------- matrices of derivatives


def _flat_size(leaves: Sequence[Any]) -> int:
    return sum(int(np.prod(np.shape(x))) for x in leaves)


def jacobian(f: Function, argnum: int = 0, mode: str | None = None) -> Function:
    """The function that computes ``J[i, j] = ∂f_i / ∂x_j``.

    Parameters
    ----------
    f : callable
        Array in (argument ``argnum``), array out.
    argnum : int
    mode : {"reverse", "forward"}, optional
        By default the one that needs fewer passes: reverse for more inputs than outputs.

    Returns
    -------
    callable
        Takes ``f``'s arguments; returns an array of shape ``out.shape + x.shape``. For a scalar
        output that is the gradient.

    Raises
    ------
    TypeError
        If the argument or the output is no single float or complex array.
    ValueError
        For an unknown mode.
    """
    if mode not in (None, "reverse", "forward"):
        raise ValueError(f"mode is 'reverse', 'forward' or None; got {mode!r}")

    @wraps(f)
    def matrix(*args: Any, **kwargs: Any) -> Any:
        x = _checked(_single(args[argnum], "argument"), "jacobian()")

        def restricted(value: Any) -> Any:
            return _single(f(*args[:argnum], value, *args[argnum + 1 :][: len(args)], **kwargs), "output")

        if mode == "forward":
            return _by_columns(restricted, x)
        out, pull = vjp(restricted, x)
        if mode is None and np.size(bare(out)) > x.size:
            return _by_columns(restricted, x)
        return _by_rows(out, pull, x)

    return matrix


def _single(value: Any, what: str) -> Any:
    if isinstance(value, (tuple, list, dict)):
        raise TypeError(f"jacobian() takes functions of one array; the {what} is a {type(value).__name__}")
    return value


def _by_rows(out: Any, pull: Callable[[Any], Any], x: Any) -> Any:
    shape, dtype = np.shape(out), _dtype(out)
    rows = []
    for i in range(int(np.prod(shape))):
        unit = np.zeros(shape, dtype)
        unit.flat[i] = 1
        row = pull(unit)[0]
        rows.append(np.conjugate(row) if bare(row).dtype.kind == "c" else row)
    if not rows:
        return np.zeros((*shape, *x.shape), x.dtype)
    return np.reshape(np.stack(rows), (*shape, *x.shape))


def _by_columns(f: Function, x: Any) -> Any:
    columns = []
    for j in range(x.size):
        unit = np.zeros(x.shape, x.dtype)
        unit.flat[j] = 1
        columns.append(jvp(f, (x,), (unit,))[1])
    if not columns:
        out = f(x)
        return np.zeros((*np.shape(out), *x.shape), _dtype(out))
    shape = np.shape(columns[0])
    return np.reshape(np.stack(columns, axis=-1), (*shape, *x.shape))


def hessian(f: Function, argnum: int = 0) -> Function:
    """The function that computes ``H[i, j] = ∂²f / ∂x_i ∂x_j`` of a scalar-valued ``f``.

    Forward over reverse mode: the Jacobian of the gradient, one forward pass per input. Returns an
    array of shape ``x.shape + x.shape``. Raises as :func:`grad` does.
    """
    return jacobian(grad(f, argnum), argnum, mode="forward")


def hvp(f: Function, argnum: int = 0) -> Function:
    """The function ``(*args, v) ↦ H v``, the Hessian of a scalar-valued ``f`` times a vector.

    Forward over reverse mode, at a small multiple of a gradient's cost and without the matrix
    (Pearlmutter 1994, "Fast exact multiplication by the Hessian"). ``v`` has the structure and the
    shapes of argument ``argnum``. Raises as :func:`grad` and :func:`jvp` do.
    """
    gradient = grad(f, argnum)

    @wraps(f)
    def product(*args: Any) -> Any:
        *primals, v = args

        def restricted(value: Any) -> Any:
            return gradient(*primals[:argnum], value, *primals[argnum + 1 :])

        return jvp(restricted, (primals[argnum],), (v,))[1]

    return product
