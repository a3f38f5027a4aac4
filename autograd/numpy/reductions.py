"""Reductions over any axes: sums, means and moments, products, extrema, log-sum-exp; running sums."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.declare import linear, primitive
from autograd.dispatch import bare, functions, give, reductions
from autograd.elementwise import conjugated

__all__ = ["cumsum", "logsumexp", "max", "mean", "min", "prod", "ptp", "std", "sum", "var"]


_add_reduce: Any = np.add.reduce


def kept(shape: tuple[int, ...], axis: Any) -> tuple[int, ...]:
    """``shape`` with the reduced axes set to 1."""
    if axis is None:
        return (1,) * len(shape)
    axes = {a % len(shape) for a in (axis if isinstance(axis, tuple) else (axis,))} if shape else set()
    return tuple(1 if i in axes else n for i, n in enumerate(shape))


def expanded(g: Any, shape: tuple[int, ...], axis: Any) -> Any:
    """A reduction's output with its reduced axes back, as 1, ready to broadcast against the input."""
    return g if axis is None and not g.shape else np.reshape(g, kept(shape, axis))


def spread(g: Any, shape: tuple[int, ...], axis: Any) -> Any:
    """The transpose of a sum: ``g`` repeated along the reduced axes (a view)."""
    return np.broadcast_to(expanded(g, shape, axis), shape)


def masked(values: Any, where: Any) -> Any:
    return values if where is True else np.where(where, values, 0)


def counted(shape: tuple[int, ...], axis: Any, where: Any) -> Any:
    """How many entries each output of a reduction has seen."""
    if where is not True:
        return np.sum(np.broadcast_to(where, shape), axis=axis, keepdims=True)
    total = 1
    for n, m in zip(shape, kept(shape, axis), strict=True):
        total *= n if m == 1 else 1
    return total


# ---------------------------------------------------------------------- sums and moments


def _sum(a: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False, where: Any = True) -> Any:
    if where is True:
        return _add_reduce(a, axis, dtype, None, keepdims)  # what np.sum comes to, without its detours
    return np.sum(a, axis=axis, dtype=dtype, keepdims=keepdims, where=where)


_summed = linear(
    _sum, a=lambda g, axis, where, a_shape: masked(spread(g, a_shape, axis), where), name="sum", autocast="single"
)


def sum(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = 0,
    where: Any = True,
) -> Any:
    """Sum over ``axis`` (None for all, an int or a tuple of ints), with NumPy's arguments.

    ``where`` selects the entries that count, ``initial`` is added. Raises TypeError for ``out``.
    """
    if out is not None:
        _refuse("sum")
    total = _summed(a, axis, dtype, keepdims, where)
    return total if isinstance(initial, int) and initial == 0 else total + initial


def _mean(a: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False, where: Any = True) -> Any:
    return np.mean(a, axis=axis, dtype=dtype, keepdims=keepdims, where=where)


_averaged = linear(
    _mean,
    a=lambda g, axis, where, a_shape: masked(
        spread(expanded(g, a_shape, axis) / counted(a_shape, axis, where), a_shape, axis), where
    ),
    name="mean",
    autocast="single",
)


def mean(
    a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False, *, where: Any = True
) -> Any:
    """Arithmetic mean over ``axis``, with NumPy's arguments. Raises TypeError for ``out``."""
    if out is not None:
        _refuse("mean")
    return _averaged(a, axis, dtype, keepdims, where)


def _var(a: Any, axis: Any = None, dtype: Any = None, ddof: Any = 0, keepdims: bool = False, where: Any = True) -> Any:
    return np.var(a, axis=axis, dtype=dtype, ddof=ddof, keepdims=keepdims, where=where)


def _std(a: Any, axis: Any = None, dtype: Any = None, ddof: Any = 0, keepdims: bool = False, where: Any = True) -> Any:
    return np.std(a, axis=axis, dtype=dtype, ddof=ddof, keepdims=keepdims, where=where)


def deviation(a: Any, axis: Any, where: Any) -> Any:
    """``a`` less its mean; 0 where ``where`` leaves an entry out."""
    return masked(a - np.mean(a, axis=axis, keepdims=True, where=where), where)


def degrees_of_freedom(shape: tuple[int, ...], axis: Any, where: Any, ddof: Any) -> Any:
    return np.maximum(counted(shape, axis, where) - ddof, 0)


def var_slope(a: Any, axis: Any, where: Any, ddof: Any) -> Any:
    """``∂var/∂a = 2 (a − mean) / (n − ddof)``."""
    return deviation(a, axis, where) * (2 / degrees_of_freedom(np.shape(a), axis, where, ddof))


def std_slope(a: Any, out: Any, axis: Any, where: Any, ddof: Any) -> Any:
    """``∂std/∂a = (a − mean) / ((n − ddof) std)``; 0 where all entries are equal."""
    scale = expanded(np.where(bare(out) == 0, 1, out), np.shape(a), axis)
    return deviation(a, axis, where) / (degrees_of_freedom(np.shape(a), axis, where, ddof) * scale)


def along(t: Any, slope: Any, axis: Any, keepdims: bool) -> Any:
    """The tangent of a real-valued reduction: ``Re Σ conj(slope) t``."""
    total = np.sum(conjugated(slope) * t, axis=axis, keepdims=keepdims)
    return np.real(total) if bare(total).dtype.kind == "c" else total


_variance = primitive(
    _var,
    vjp={"a": lambda g, a, axis, ddof, where, a_shape: expanded(g, a_shape, axis) * var_slope(a, axis, where, ddof)},
    jvp={"a": lambda t, a, axis, ddof, keepdims, where: along(t, var_slope(a, axis, where, ddof), axis, keepdims)},
    autocast="single",
)
_deviation = primitive(
    _std,
    vjp={
        "a": lambda g, a, out, axis, ddof, where, a_shape: (
            expanded(g, a_shape, axis) * std_slope(a, out, axis, where, ddof)
        )
    },
    jvp={
        "a": lambda t, a, out, axis, ddof, keepdims, where: along(
            t, std_slope(a, out, axis, where, ddof), axis, keepdims
        )
    },
    autocast="single",
)


def _spread_of(function: Any, name: str, formula: str) -> Any:
    def measure(
        a: Any,
        axis: Any = None,
        dtype: Any = None,
        out: None = None,
        ddof: Any = 0,
        keepdims: bool = False,
        *,
        where: Any = True,
        correction: Any = None,
    ) -> Any:
        if out is not None:
            _refuse(name)
        return function(a, axis, dtype, ddof if correction is None else correction, keepdims, where)

    measure.__name__ = measure.__qualname__ = name
    measure.__doc__ = (
        f"``{formula}`` over ``axis``, with NumPy's arguments.\n\n"
        "``ddof`` (or ``correction``) is 0 for the biased estimate and 1 for the unbiased one.\n"
        "Raises TypeError for ``out``."
    )
    return measure


var = _spread_of(_variance, "var", "Σ|a − mean|² / (n − ddof)")
std = _spread_of(_deviation, "std", "√(Σ|a − mean|² / (n − ddof))")


# ---------------------------------------------------------------------- products


def _prod(a: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False, where: Any = True) -> Any:
    return np.prod(a, axis=axis, dtype=dtype, keepdims=keepdims, where=where)


def products_of_others(a: Any, axis: Any) -> Any:
    """For each entry the product of all the others along ``axis``, right with any number of zeros."""
    if type(a) is np.ndarray:
        zero = a == 0
        rest = np.prod(np.where(zero, 1, a), axis=axis, keepdims=True)
        zeros = np.sum(zero, axis=axis, keepdims=True)
        return np.where(zeros - zero == 0, rest / np.where(zero, 1, a), 0).astype(a.dtype)
    return _others_in_full(a, axis)


def _others_in_full(a: Any, axis: Any) -> Any:
    """The same by multiplying all others out: n² work, and differentiable to any order at zeros too."""
    shape = np.shape(a)
    axes = tuple(range(len(shape))) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = tuple(i % len(shape) for i in axes)
    last = tuple(range(-len(axes), 0))
    moved = np.moveaxis(a, axes, last)
    outer = moved.shape[: len(shape) - len(axes)]
    n = int(np.prod([shape[i] for i in axes], dtype=int))
    flat = np.reshape(moved, (*outer, n))
    table = np.where(np.eye(n, dtype=bool), 1, np.broadcast_to(np.expand_dims(flat, -2), (*outer, n, n)))
    others = np.prod(table, axis=-1)
    return np.moveaxis(np.reshape(others, moved.shape), last, axes)


def prod_slope(a: Any, axis: Any, where: Any) -> Any:
    if not np.shape(a):
        return np.ones_like(bare(a))
    return masked(products_of_others(a if where is True else np.where(where, a, 1), axis), where)


_product = primitive(
    _prod,
    vjp={"a": lambda g, a, axis, where, a_shape: expanded(g, a_shape, axis) * conjugated(prod_slope(a, axis, where))},
    jvp={"a": lambda t, a, axis, keepdims, where: np.sum(prod_slope(a, axis, where) * t, axis=axis, keepdims=keepdims)},
    autocast="single",
)


def prod(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: None = None,
    keepdims: bool = False,
    initial: Any = 1,
    where: Any = True,
) -> Any:
    """Product over ``axis``, with NumPy's arguments; gradients are right with zeros among the factors.

    ``initial`` multiplies the result. Raises TypeError for ``out``.
    """
    if out is not None:
        _refuse("prod")
    total = _product(a, axis, dtype, keepdims, where)
    return total if isinstance(initial, int) and initial == 1 else total * initial


# ---------------------------------------------------------------------- extrema


def shares(a: Any, out: Any, axis: Any, where: Any) -> Any:
    """Where the extremum is taken, ties sharing equally: weights that sum to 1 (0 where ``initial`` won)."""
    a, best = bare(a), expanded(bare(out), np.shape(a), axis)
    taken = ((a == best) | (np.isnan(a) & np.isnan(best))) & where
    count = np.sum(taken, axis=axis if np.ndim(a) else None, keepdims=True)
    return (taken / np.maximum(count, 1)).astype(best.dtype)


def _extremum(name: str, function: Any) -> Any:
    def compute(a: Any, axis: Any = None, keepdims: bool = False, options: Any = None, where: Any = True) -> Any:
        return function(a, axis=axis, keepdims=keepdims, where=where, **(options or {}))

    declared = primitive(
        compute,
        vjp={"a": lambda g, a, out, axis, where, a_shape: expanded(g, a_shape, axis) * shares(a, out, axis, where)},
        jvp={
            "a": lambda t, a, out, axis, keepdims, where: np.sum(
                shares(a, out, axis, where) * t, axis=axis, keepdims=keepdims
            )
        },
        name=name,
    )

    def extremum(
        a: Any, axis: Any = None, out: None = None, keepdims: bool = False, initial: Any = None, where: Any = True
    ) -> Any:
        if out is not None:
            _refuse(name)
        return declared(a, axis, keepdims, None if initial is None else {"initial": initial}, where)

    extremum.__name__ = extremum.__qualname__ = name
    extremum.__doc__ = (
        f"The {name}imum over ``axis``, with NumPy's arguments; equal entries share the gradient equally.\n\n"
        "Raises TypeError for ``out`` and ValueError for nothing to choose from."
    )
    return extremum


max = _extremum("max", np.max)
min = _extremum("min", np.min)


def ptp(a: Any, axis: Any = None, out: None = None, keepdims: bool = False) -> Any:
    """Peak to peak: the maximum less the minimum over ``axis``. Raises TypeError for ``out``."""
    if out is not None:
        _refuse("ptp")
    return max(a, axis, keepdims=keepdims) - min(a, axis, keepdims=keepdims)


# ---------------------------------------------------------------------- log-sum-exp


def _logsumexp(a: Any, axis: Any = None, b: Any = None, keepdims: bool = False) -> Any:
    a = a if a.dtype.kind in "fc" else a.astype(float)
    top = np.max(a, axis=axis, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0).astype(top.dtype)
    terms = np.exp(a - top)
    with np.errstate(divide="ignore"):
        out = np.log(np.sum(terms if b is None else b * terms, axis=axis, keepdims=True)) + top
    return out if keepdims else np.squeeze(out, axis=axis)[()]


def exp_share(a: Any, out: Any, axis: Any) -> Any:
    """``e^(a − out)``: softmax weights; 0 where every term is 0."""
    return np.exp(a - expanded(np.where(bare(out) == -np.inf, 0, out), np.shape(a), axis))


_log_sum = primitive(
    _logsumexp,
    vjp={
        "a": lambda g, a, axis, b, out, a_shape: (
            expanded(g, a_shape, axis)
            * conjugated(exp_share(a, out, axis) if b is None else b * exp_share(a, out, axis))
        ),
        "b": lambda g, a, axis, out, a_shape: expanded(g, a_shape, axis) * conjugated(exp_share(a, out, axis)),
    },
    jvp={
        "a": lambda t, a, axis, b, out, keepdims: np.sum(
            (exp_share(a, out, axis) if b is None else b * exp_share(a, out, axis)) * t, axis=axis, keepdims=keepdims
        ),
        "b": lambda t, a, axis, out, keepdims: np.sum(exp_share(a, out, axis) * t, axis=axis, keepdims=keepdims),
    },
    broadcasts=True,
    autocast="single",
)


def logsumexp(a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False) -> Any:
    """``log Σ b e^a`` over ``axis``, shifted by the maximum so that it neither over- nor underflows.

    SciPy's function (``scipy.special.logsumexp``): ``b`` are optional weights, of a shape that
    broadcasts to ``a``'s; both are differentiable. The gradient with respect to ``a`` is the softmax.
    Raises TypeError for ``return_sign``.
    """
    if return_sign:
        raise TypeError("logsumexp() does not give return_sign; take logsumexp of positive and negative terms apart")
    if b is not None and np.shape(b) != np.shape(a):
        shape = np.broadcast_shapes(np.shape(a), np.shape(b))
        a = a if np.shape(a) == shape else np.broadcast_to(a, shape)
        b = b if np.shape(b) == shape else np.broadcast_to(b, shape)
    return _log_sum(a, axis, b, keepdims)


# ---------------------------------------------------------------------- running sums


def _cumsum(a: Any, axis: Any = None, dtype: Any = None) -> Any:
    return np.cumsum(a, axis=axis, dtype=dtype)


def _cumsum_transposed(g: Any, axis: Any, shape: tuple[int, ...]) -> Any:
    if axis is None:
        return np.reshape(np.flip(np.cumsum(np.flip(g))), shape)
    return np.flip(np.cumsum(np.flip(g, axis), axis), axis)


_running = linear(_cumsum, a=lambda g, axis, a_shape: _cumsum_transposed(g, axis, a_shape), autocast="single")


def cumsum(a: Any, axis: Any = None, dtype: Any = None, out: None = None) -> Any:
    """Running sum along ``axis``, or over the flattened array. Raises TypeError for ``out``."""
    if out is not None:
        _refuse("cumsum")
    return _running(a, axis, dtype)


def _refuse(name: str) -> None:
    raise TypeError(f"{name}() of a Tensor does not write into out=; use its result")


functions.update(
    {
        np.sum: sum, np.mean: mean, np.var: var, np.std: std, np.prod: prod, np.max: max, np.amax: max, np.min: min,
        np.amin: min, np.ptp: ptp, np.cumsum: cumsum,
    }
)  # fmt: skip
reductions.update({np.add: sum, np.multiply: prod, np.maximum: max, np.minimum: min, np.logaddexp: logsumexp})
give(sum=sum, mean=mean, var=var, std=std, prod=prod, max=max, min=min, ptp=ptp, logsumexp=logsumexp, cumsum=cumsum)
