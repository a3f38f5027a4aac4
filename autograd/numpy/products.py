"""Products of arrays: matmul, dot and their kin, tensordot, einsum.

All are linear in each factor, so a rule is the transpose: contract the cotangent with the other
factors. For complex factors it is the conjugate transpose.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, reduce
from math import prod
from string import ascii_lowercase, ascii_uppercase
from typing import Any

import numpy as np

from autograd.dispatch import Differentiable, functions, give, ufuncs
from autograd.elementwise import conjugated
from autograd.primitive import linear, plain, primitive

__all__ = [
    "cross", "dot", "einsum", "inner", "kron", "matmul", "matvec", "multi_dot", "outer", "tensordot", "vdot",
    "vecdot", "vecmat",
]  # fmt: skip


# ---------------------------------------------------------------------- matmul


def _matmul(x: Any, y: Any) -> Any:
    """Matrix product, with NumPy's rules for vectors and for stacks of matrices (leading axes broadcast).

    Shapes (…, n, k) and (…, k, m) give (…, n, m); a 1-d ``x`` is a row, a 1-d ``y`` a column, and that
    axis is dropped again. Raises ValueError where the shapes do not fit, and for 0-d operands.

    Rules, for matrices: ``x̄ = g yᴴ``, ``ȳ = xᴴ g`` (Giles 2008, "Collected matrix derivative results").
    """
    return np.matmul(x, y)


def _matmul_left(g: Any, x_shape: tuple[int, ...], y: Any) -> Any:
    y = conjugated(y)
    if y.ndim == 2:
        return g @ y.T
    if y.ndim == 1:
        return np.reshape(g, (*g.shape, 1)) * y
    if len(x_shape) > 2:
        return g @ np.swapaxes(y, -1, -2)
    shared = [*range(y.ndim - 2), -1]  # one x for the whole stack: sum over the stack inside the product
    return np.tensordot(g, y, (shared, shared))


def _matmul_right(g: Any, x: Any, y_shape: tuple[int, ...]) -> Any:
    x = conjugated(x)
    if x.ndim == 2 == len(y_shape):
        return x.T @ g
    if len(y_shape) <= 2:  # one y for the whole stack: a single product of flattened stacks
        rows = prod(x.shape[:-1])
        return np.reshape(x, (rows, x.shape[-1])).T @ np.reshape(g, (rows, *y_shape[1:]))
    if x.ndim == 1:
        return np.reshape(x, (-1, 1)) * np.expand_dims(g, -2)
    return np.swapaxes(x, -1, -2) @ g


matmul = linear(_matmul, x=_matmul_left, y=_matmul_right, implements=(np.matmul, np.linalg.matmul), broadcasts=True)


def _or_not_implemented(x: Any, y: Any, other: Any) -> Any:
    """As an operator: where ``other`` is foreign, Python is to ask it."""
    if not isinstance(other, (Differentiable, np.ndarray)):
        try:
            plain(other, "matmul")
        except TypeError:
            return NotImplemented
    return matmul(x, y)


# ---------------------------------------------------------------------- products that are matmul in disguise


def dot(a: Any, b: Any, out: None = None) -> Any:
    """Product over the last axis of ``a`` and the second to last (or only) axis of ``b``.

    Shapes (…, k) and (*s, k, m) give (…, *s, m); a 0-d operand multiplies. Raises TypeError for
    ``out`` and ValueError where the shapes do not fit.
    """
    _refuse("dot", out=out)
    if not np.shape(a) or not np.shape(b):
        return np.multiply(a, b)
    return matmul(a, b) if np.ndim(b) <= 2 else tensordot(a, b, (-1, -2))


def inner(a: Any, b: Any) -> Any:
    """Product over the last axes of both: shapes (…, k) and (*s, k) give (…, *s); a 0-d operand multiplies.

    Raises ValueError where the last axes differ.
    """
    if not np.shape(a) or not np.shape(b):
        return np.multiply(a, b)
    return matmul(a, np.transpose(b)) if np.ndim(b) <= 2 else tensordot(a, b, (-1, -1))


_vecdot = linear(
    lambda x, y: np.vecdot(x, y),
    x=lambda g, y: np.expand_dims(conjugated(g), -1) * y,
    y=lambda g, x: np.expand_dims(g, -1) * x,
    name="vecdot",
    broadcasts=True,
)


def vecdot(x: Any, y: Any, axis: int = -1) -> Any:
    """``Σ conj(x) y`` along ``axis`` of both; the other axes broadcast.

    Raises ValueError where the lengths along ``axis`` differ.
    """
    return _vecdot(x, y) if axis == -1 else _vecdot(np.moveaxis(x, axis, -1), np.moveaxis(y, axis, -1))


def vdot(a: Any, b: Any) -> Any:
    """``Σ conj(a) b`` over all entries of both, flattened. Raises ValueError where the sizes differ."""
    return _vecdot(np.reshape(a, (-1,)), np.reshape(b, (-1,)))


def matvec(x: Any, y: Any) -> Any:
    """Matrices times vectors: shapes (…, n, k) and (…, k) give (…, n); leading axes broadcast.

    Raises ValueError where the shapes do not fit.
    """
    return np.squeeze(matmul(x, np.expand_dims(y, -1)), -1)


def vecmat(x: Any, y: Any) -> Any:
    """``xᴴ y``, vectors times matrices: shapes (…, k) and (…, k, m) give (…, m); leading axes broadcast.

    Raises ValueError where the shapes do not fit.
    """
    return np.squeeze(matmul(np.expand_dims(_conjugate(x), -2), y), -2)


_outer = linear(
    lambda a, b: np.outer(a, b),
    a=lambda g, b, a_shape: np.reshape(g @ conjugated(np.reshape(b, (-1,))), a_shape),
    b=lambda g, a, b_shape: np.reshape(conjugated(np.reshape(a, (-1,))) @ g, b_shape),
    name="outer",
)


def outer(a: Any, b: Any, out: None = None) -> Any:
    """``a[i] b[j]`` for all entries of both, flattened: shape (a.size, b.size). Raises TypeError for ``out``."""
    _refuse("outer", out=out)
    return _outer(a, b)


def kron(a: Any, b: Any) -> Any:
    """Kronecker product: every entry of ``a`` times the whole of ``b``, laid out in blocks.

    Leading axes of length 1 are added to the operand with fewer; the shape is the product of both.
    """
    ndim = max(np.ndim(a), np.ndim(b))
    a_shape, b_shape = ((1,) * (ndim - np.ndim(x)) + np.shape(x) for x in (a, b))
    blocks = np.reshape(a, [n for side in a_shape for n in (side, 1)])
    block = np.reshape(b, [n for side in b_shape for n in (1, side)])
    return np.reshape(blocks * block, [n * m for n, m in zip(a_shape, b_shape, strict=True)])


_cross = linear(
    lambda a, b: np.cross(a, b),
    a=lambda g, b: np.cross(conjugated(b), g),
    b=lambda g, a: np.cross(g, conjugated(a)),
    name="cross",
    broadcasts=True,
)


def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    """Cross product of vectors with three components, along ``axisa`` and ``axisb``; the result's along ``axisc``.

    ``axis`` stands for all three; other axes broadcast. Raises ValueError for vectors of another length.
    Rules: ``ā = b × g``, ``b̄ = g × a``.
    """
    if axis is not None:
        axisa = axisb = axisc = axis
    a = a if axisa == -1 else np.moveaxis(a, axisa, -1)
    b = b if axisb == -1 else np.moveaxis(b, axisb, -1)
    if np.shape(a)[-1:] != (3,) or np.shape(b)[-1:] != (3,):
        raise ValueError(f"cross() takes vectors with 3 components; got arrays of shape {np.shape(a)}, {np.shape(b)}")
    c = _cross(a, b)
    return c if axisc == -1 else np.moveaxis(c, -1, axisc)


# ---------------------------------------------------------------------- tensordot


def _tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """Sum of products over pairs of axes; the result has the other axes of ``a``, then those of ``b``.

    ``axes`` is the number of last axes of ``a`` to pair with the first of ``b``, or a pair: the axes
    of ``a`` and those of ``b``, each an int or a sequence. Raises ValueError where the lengths of
    paired axes differ.
    """
    return np.tensordot(a, b, axes)


def _paired(axes: Any, a_ndim: int, b_ndim: int) -> tuple[list[int], list[int]]:
    """The contracted axes of both operands, pair by pair, counted from the front."""
    if not np.iterable(axes):
        return list(range(a_ndim - axes, a_ndim)), list(range(axes))
    a_axes, b_axes = ([*each] if np.iterable(each) else [each] for each in axes)
    return [i % a_ndim for i in a_axes], [i % b_ndim for i in b_axes]


def _others(axes: Sequence[int], ndim: int) -> list[int]:
    return [i for i in range(ndim) if i not in axes]


def _tensordot_left(g: Any, b: Any, axes: Any, a_shape: tuple[int, ...], b_shape: tuple[int, ...]) -> Any:
    paired, partners = _paired(axes, len(a_shape), len(b_shape))
    free = _others(paired, len(a_shape))
    a = np.tensordot(g, conjugated(b), (list(range(len(free), g.ndim)), _others(partners, len(b_shape))))
    made = [*free, *_by_partner(paired, partners)]  # which axis of `a` each axis of the result is
    return np.transpose(a, [made.index(i) for i in range(len(made))])


def _tensordot_right(g: Any, a: Any, axes: Any, a_shape: tuple[int, ...], b_shape: tuple[int, ...]) -> Any:
    partners, paired = _paired(axes, len(a_shape), len(b_shape))
    free = _others(partners, len(a_shape))
    b = np.tensordot(conjugated(a), g, (free, list(range(len(free)))))
    made = [*_by_partner(paired, partners), *_others(paired, len(b_shape))]
    return np.transpose(b, [made.index(i) for i in range(len(made))])


def _by_partner(paired: Sequence[int], partners: Sequence[int]) -> list[int]:
    """The contracted axes of one operand in the order in which their partners stand in the other."""
    return [axis for _, axis in sorted(zip(partners, paired, strict=True))]


tensordot = linear(
    _tensordot, a=_tensordot_left, b=_tensordot_right, implements=(np.tensordot, np.linalg.tensordot)
)


# ---------------------------------------------------------------------- einsum

LETTERS = ascii_uppercase + ascii_lowercase  # NumPy's order: label 0 is 'A', label 26 is 'a'


def einsum(*operands: Any, out: None = None, optimize: Any = False, **options: Any) -> Any:
    """Sum of products written with Einstein's summation convention, in both of NumPy's forms.

    ``einsum("ij,jk->ik", a, b)`` or ``einsum(a, [0, 1], b, [1, 2], [0, 2])``, with implicit output,
    repeated labels, ellipses, and labels of length 1 that broadcast. ``optimize`` as in NumPy.
    Differentiable in every operand. Raises ValueError for malformed subscripts and shapes that do
    not fit, TypeError for ``out`` and any other option.

    Rule, for each operand: the einsum of ``g`` with the other operands to the operand's own labels
    (repeated labels: onto the diagonal; labels that occur nowhere else: repeated along them).
    """
    _refuse("einsum", out=out, **options)
    if len(operands) < 2:
        raise ValueError("einsum() takes subscripts and at least one operand")
    if isinstance(operands[0], str):
        subscripts, operands = operands[0], operands[1:]
    else:
        subscripts, operands = _spelled(operands)
    subscripts = _explicit(subscripts, tuple(map(np.ndim, operands)))
    if len(operands) == 1:
        return _einsum_of_one(operands[0], subscripts)
    return _einsum(*operands, subscripts=subscripts, optimize=optimize)


def _spelled(operands: Sequence[Any]) -> tuple[str, tuple[Any, ...]]:
    """The form ``a, [0, 1], b, [1, 2], …, [0, 2]`` as subscripts in letters, and the operands."""
    terms = [_spell(labels) for labels in operands[1::2]]
    output = f"->{_spell(operands[-1])}" if len(operands) % 2 else ""
    return ",".join(terms) + output, tuple(operands[: 2 * len(terms) : 2])


def _spell(labels: Any) -> str:
    if not all(label is Ellipsis or 0 <= label < len(LETTERS) for label in labels):
        raise ValueError(f"einsum() labels are integers from 0 to {len(LETTERS) - 1}, or an Ellipsis; got {labels}")
    return "".join("..." if label is Ellipsis else LETTERS[label] for label in labels)


@lru_cache(maxsize=1024)
def _explicit(subscripts: str, ndims: tuple[int, ...]) -> str:
    """The subscripts with their output written out and ellipses spelled in letters that are free.

    Raises NumPy's own ValueError for subscripts that are malformed.
    """
    np.einsum(subscripts, *[np.ones((1,) * ndim) for ndim in ndims])
    given, arrow, output = subscripts.replace(" ", "").partition("->")
    terms = given.split(",")
    hidden = [ndim - len(t.replace("...", "")) for t, ndim in zip(terms, ndims, strict=True)]
    most = max(hidden)
    free = [letter for letter in LETTERS if letter not in given][:most]
    if len(free) < most:
        raise ValueError(f"einsum() of a Tensor takes up to {len(LETTERS)} axes in all, those of '...' included")
    spelled = "".join(free)
    if not arrow:
        output = "..." + "".join(letter for letter in sorted(set(given) - set(".,")) if given.count(letter) == 1)
    terms = [t.replace("...", spelled[most - count :]) for t, count in zip(terms, hidden, strict=True)]
    return ",".join(terms) + "->" + output.replace("...", spelled)


def _transposed(
    g: Any, term: str, shape: tuple[int, ...], output: str, others: Sequence[tuple[str, Any]], optimize: Any = False
) -> Any:
    """The cotangent of the operand with labels ``term``; ``others`` are the labels and values of the rest."""
    sizes = dict(zip(term, shape, strict=True))
    known = "".join([output, *(labels for labels, _ in others)])
    # A label of length 1 was broadcast if it is longer elsewhere: leaving it out sums over it.
    summed_to = [label for label in sizes if sizes[label] != 1 and label in known]
    subscripts = ",".join([output, *(labels for labels, _ in others)]) + "->" + "".join(summed_to)
    value = np.einsum(subscripts, g, *(conjugated(x) for _, x in others), optimize=optimize)
    lengths = dict(zip(summed_to, value.shape, strict=True))
    first = [term.index(label) == i for i, label in enumerate(term)]
    kept = tuple(lengths.get(label, 1) if new else 1 for label, new in zip(term, first, strict=True))
    full = tuple(n if new else 1 for n, new in zip(shape, first, strict=True))
    value = value if value.shape == kept else np.reshape(value, kept)
    value = value if kept == full else np.broadcast_to(value, full)
    return value if all(first) else np.where(_diagonal(term, shape), value, 0)


def _diagonal(term: str, shape: tuple[int, ...]) -> Any:
    """Where all axes with the same label have the same index."""
    grid = np.ogrid[tuple(slice(n) for n in shape)]
    return reduce(np.logical_and, (grid[term.index(label)] == grid[i] for i, label in enumerate(term)))


def _transposed_each(
    g: Any,
    operands: tuple[Any, ...],
    subscripts: str,
    optimize: Any,
    operands_shape: tuple[tuple[int, ...], ...],
    needs: tuple[bool, ...],
) -> list[Any]:
    given, output = subscripts.split("->")
    pairs = list(zip(given.split(","), operands, strict=True))
    optimize = optimize if isinstance(optimize, (bool, str)) else True  # a path fits the forward product alone
    return [
        _transposed(g, pairs[i][0], operands_shape[i], output, pairs[:i] + pairs[i + 1 :], optimize) if need else None
        for i, need in enumerate(needs)
    ]


def _einsum_tangent(operands: tuple[Any, ...], subscripts: str, optimize: Any, t: tuple[Any, ...]) -> Any:
    terms = [
        _einsum(*operands[:i], each, *operands[i + 1 :], subscripts=subscripts, optimize=optimize)
        for i, each in enumerate(t)
        if each is not None
    ]
    return reduce(np.add, terms)


# One operand is linear, and need not be kept for its gradient.
_einsum_of_one = linear(
    lambda a, subscripts: np.einsum(subscripts, a),
    a=lambda g, subscripts, a_shape: _transposed(g, *_split_one(subscripts, a_shape)),
    name="einsum_of_one",
)
_einsum = primitive(
    lambda *operands, subscripts="", optimize=False: np.einsum(subscripts, *operands, optimize=optimize),
    vjp=_transposed_each,
    jvp=_einsum_tangent,
    name="einsum",
)


def _split_one(subscripts: str, shape: tuple[int, ...]) -> tuple[str, tuple[int, ...], str, tuple[()]]:
    term, output = subscripts.split("->")
    return term, shape, output, ()


# ---------------------------------------------------------------------- helpers and registration


def _conjugate(x: Any) -> Any:
    return conjugated(x if isinstance(x, Differentiable) else np.asarray(x))


def _refuse(name: str, **options: Any) -> None:
    given = [key for key, value in options.items() if value is not None]
    if given:
        raise TypeError(f"{name}() of a Tensor does not take {', '.join(given)}; use or convert its result")
