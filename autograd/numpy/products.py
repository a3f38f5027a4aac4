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

from autograd.declare import linear
from autograd.dispatch import Differentiable, functions, give, ufuncs
from autograd.elementwise import conjugated
from autograd.operands import plain

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


matmul = linear(
    _matmul,
    x=_matmul_left,
    y=_matmul_right,
    implements=(np.matmul, np.linalg.matmul),
    broadcasts=True,
    autocast="half",
    widen=True,
)


def _takes(other: Any) -> bool:
    """Whether ``other`` can be an operand; where it is foreign, Python is to ask it."""
    if isinstance(other, (Differentiable, np.ndarray)):
        return True
    try:
        plain(other, "matmul")
    except TypeError:
        return False
    return True


give(
    __matmul__=lambda x, y: matmul(x, y) if _takes(y) else NotImplemented,
    __rmatmul__=lambda y, x: matmul(x, y) if _takes(x) else NotImplemented,
)


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
    autocast="half",
    widen=True,
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


def multi_dot(arrays: Sequence[Any], *, out: None = None) -> Any:
    """The product of two or more matrices, in the order that takes the fewest multiplications.

    The first and the last may be 1-d. Raises ValueError for fewer than two arrays and where the shapes
    do not fit, TypeError for ``out``. Order by dynamic programming: Cormen et al., *Introduction to
    Algorithms*, ch. 15.2.
    """
    _refuse("multi_dot", out=out)
    shapes = [np.shape(a) for a in arrays]
    if len(shapes) < 2 or {len(s) for s in shapes[1:-1]} - {2} or {len(shapes[0]), len(shapes[-1])} - {1, 2}:
        raise ValueError(f"multi_dot() takes matrices, two or more; the first and last may be 1-d. Got shapes {shapes}")
    rows = 1 if len(shapes[0]) == 1 else shapes[0][0]
    columns = 1 if len(shapes[-1]) == 1 else shapes[-1][1]
    return _chained(arrays, (rows, *(s[0] for s in shapes[1:]), columns))


def _chained(arrays: Sequence[Any], sides: tuple[int, ...]) -> Any:
    if len(arrays) == 1:
        return arrays[0]
    k = _cheapest(sides)[1]
    return matmul(_chained(arrays[:k], sides[: k + 1]), _chained(arrays[k:], sides[k:]))


@lru_cache(maxsize=1024)
def _cheapest(sides: tuple[int, ...]) -> tuple[int, int]:
    """How many multiplications a chain of matrices takes, and before which to split it."""
    if len(sides) == 2:
        return 0, 0
    return min(
        (_cheapest(sides[: k + 1])[0] + _cheapest(sides[k:])[0] + sides[0] * sides[k] * sides[-1], k)
        for k in range(1, len(sides) - 1)
    )


_outer = linear(
    lambda a, b: np.outer(a, b),
    a=lambda g, b, a_shape: np.reshape(g @ conjugated(np.reshape(b, (-1,))), a_shape),
    b=lambda g, a, b_shape: np.reshape(conjugated(np.reshape(a, (-1,))) @ g, b_shape),
    name="outer",
    autocast="half",
    widen=True,
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
    _tensordot,
    a=_tensordot_left,
    b=_tensordot_right,
    implements=(np.tensordot, np.linalg.tensordot),
    autocast="half",
    widen=True,
)


# ---------------------------------------------------------------------- einsum

LETTERS = ascii_uppercase + ascii_lowercase  # NumPy's order: label 0 is 'A', label 26 is 'a'


def einsum(*operands: Any, out: None = None, optimize: Any = False, **options: Any) -> Any:
    """Sum of products written with Einstein's summation convention, in both of NumPy's forms.

    ``einsum("ij,jk->ik", a, b)`` or ``einsum(a, [0, 1], b, [1, 2], [0, 2])``, with implicit output,
    repeated labels, ellipses, and labels of length 1 that broadcast. ``optimize`` as in NumPy; three
    or more operands are always multiplied pair by pair. Raises ValueError for malformed subscripts and
    shapes that do not fit, TypeError for ``out`` and any other option.

    Rule, for a pair: the einsum of ``g`` with the other factor to the factor's own labels (repeated
    labels: onto the diagonal; labels that occur nowhere else: repeated along them).
    """
    _refuse("einsum", out=out, **options)
    if len(operands) < 2:
        raise ValueError("einsum() takes subscripts and at least one operand")
    if isinstance(operands[0], str):
        subscripts, operands = operands[0], operands[1:]
    else:
        subscripts, operands = _spelled(operands)
    known = (Differentiable, np.ndarray)  # the protocol would make np.ndim of a tensor slow
    subscripts = _explicit(subscripts, tuple([x.ndim if isinstance(x, known) else np.ndim(x) for x in operands]))
    if len(operands) == 1:
        return _einsum_of_one(operands[0], subscripts)
    if len(operands) == 2:
        return _einsum_of_two(*operands, subscripts, optimize)
    return _einsum_of_many(operands, subscripts, optimize)


def _einsum_of_many(operands: Sequence[Any], subscripts: str, optimize: Any) -> Any:
    """Pair by pair, so that the gradients of all factors together cost little more than one product."""
    given, output = subscripts.split("->")
    terms, values = given.split(","), list(operands)
    order = optimize if isinstance(optimize, (str, list, tuple)) else "greedy"
    path = np.einsum_path(subscripts, *(np.broadcast_to(0.0, np.shape(x)) for x in values), optimize=order)[0]
    for group in path[1:]:
        chosen = [(terms[i], values[i]) for i in group]
        terms, values = ([x for i, x in enumerate(each) if i not in group] for each in (terms, values))
        while len(chosen) > 1:
            (left, x), (right, y), *chosen = chosen
            later = "".join([output, *terms, *(labels for labels, _ in chosen)])
            kept = "".join(label for label in dict.fromkeys(left + right) if label in later)
            term = kept if terms or chosen else output
            chosen.insert(0, (term, _einsum_of_two(x, y, f"{left},{right}->{term}", bool(optimize))))
        terms.append(chosen[0][0])
        values.append(chosen[0][1])
    return values[0]


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


def _transposed(g: Any, term: str, shape: tuple[int, ...], output: str, *factors: Any, optimize: bool = False) -> Any:
    """The cotangent of the operand with labels ``term``; ``factors`` are labels and value of the other, if any."""
    sizes = dict(zip(term, shape, strict=True))
    known = output + "".join(factors[:1])
    # A label of length 1 was broadcast if it is longer elsewhere: leaving it out sums over it.
    labels = "".join(label for label in sizes if sizes[label] != 1 and label in known)
    subscripts = ",".join([output, *factors[:1]]) + "->" + labels
    value = np.einsum(subscripts, g, *map(conjugated, factors[1:]), optimize=optimize)
    lengths = dict(zip(labels, value.shape, strict=True))
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


def _terms(subscripts: str) -> list[str]:
    """The labels of each operand, then those of the output."""
    return subscripts.replace("->", ",").split(",")


def _left_factor(g: Any, y: Any, subscripts: str, optimize: Any, x_shape: tuple[int, ...]) -> Any:
    left, right, output = _terms(subscripts)
    return _transposed(g, left, x_shape, output, right, y, optimize=bool(optimize))


def _right_factor(g: Any, x: Any, subscripts: str, optimize: Any, y_shape: tuple[int, ...]) -> Any:
    left, right, output = _terms(subscripts)
    return _transposed(g, right, y_shape, output, left, x, optimize=bool(optimize))


def _only_factor(g: Any, subscripts: str, a_shape: tuple[int, ...]) -> Any:
    term, output = _terms(subscripts)
    return _transposed(g, term, a_shape, output)


_einsum_of_one = linear(
    lambda a, subscripts: np.einsum(subscripts, a), a=_only_factor, name="einsum_of_one", autocast="half", widen=True
)
_einsum_of_two = linear(
    lambda x, y, subscripts, optimize: np.einsum(subscripts, x, y, optimize=optimize),
    x=_left_factor,
    y=_right_factor,
    name="einsum",
    autocast="half",
    widen=True,
)


# ---------------------------------------------------------------------- helpers and registration


def _conjugate(x: Any) -> Any:
    return conjugated(x if isinstance(x, Differentiable) else np.asarray(x))


def _refuse(name: str, **options: Any) -> None:
    given = [key for key, value in options.items() if value is not None]
    if given:
        raise TypeError(f"{name}() of a Tensor does not take {', '.join(given)}; use or convert its result")


def _outer_of_vectors(x1: Any, x2: Any, /) -> Any:
    if np.ndim(x1) != 1 or np.ndim(x2) != 1:
        raise ValueError(f"linalg.outer() takes 1-d arrays; got shapes {np.shape(x1)} and {np.shape(x2)}")
    return _outer(x1, x2)


functions.update(
    {
        np.dot: dot, np.inner: inner, np.vdot: vdot, np.outer: outer, np.kron: kron, np.cross: cross,
        np.einsum: einsum, np.linalg.multi_dot: multi_dot, np.linalg.outer: _outer_of_vectors,
        np.linalg.vecdot: lambda x1, x2, /, *, axis=-1: vecdot(x1, x2, axis),
        np.linalg.cross: lambda x1, x2, /, *, axis=-1: cross(x1, x2, axis=axis),
    }
)  # fmt: skip
ufuncs[np.vecdot] = vecdot
# Younger than the oldest NumPy that is supported.
ufuncs.update({getattr(np, f.__name__): f for f in (matvec, vecmat) if hasattr(np, f.__name__)})
give(dot=dot)
