"""Sample inputs of the products."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

import autograd.numpy.products as products
from autograd.cases.base import Case, arrays, shapes, sides


@st.composite
def stacks(draw: Any, *cores: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """One array for each core shape, with leading axes that broadcast together."""
    full = draw(st.lists(st.sampled_from([1, 2, 3]), max_size=2))
    made = []
    for core in cores:
        leading = tuple(1 if draw(st.integers(0, 3)) == 0 else n for n in full)
        made.append(draw(arrays((*leading[draw(st.integers(0, len(full))) :], *core))))
    return tuple(made)


@st.composite
def matrix_products(draw: Any) -> Case:
    """Vectors, matrices and stacks of matrices, in every pairing, and what is built of matmul."""
    n, k, m = draw(sides), draw(sides), draw(sides)
    function, cores = draw(
        st.sampled_from(
            [
                (np.matmul, ((n, k), (k, m))),
                (lambda x, y: x @ y, ((n, k), (k, m))),
                (products.matvec, ((n, k), (k,))),
                (products.vecmat, ((k,), (k, m))),
            ]
        )
    )
    kind = draw(st.sampled_from(["stacks", "row", "column", "both", "dot", "inner", "chain"]))
    if kind == "stacks":
        return Case(function, draw(stacks(*cores)))
    if kind == "row":
        return Case(np.matmul, (draw(arrays((k,))), *draw(stacks((k, m)))))
    if kind == "column":
        return Case(np.matmul, (*draw(stacks((n, k))), draw(arrays((k,)))))
    if kind == "both":
        return Case(np.matmul, (draw(arrays((k,))), draw(arrays((k,)))))
    if kind == "chain":
        ends = draw(st.sampled_from([((n, k), (m, 2)), ((k,), (m, 2)), ((n, k), (m,)), ((k,), (m,))]))
        return Case(
            lambda *x: np.linalg.multi_dot(x), tuple(draw(arrays(s)) for s in (ends[0], (k, 3), (3, m), ends[1]))
        )
    left, right = draw(shapes), draw(shapes)
    x = draw(arrays((*left[1:], k) if left else ()))
    if kind == "dot":
        return Case(np.dot, (x, draw(arrays((*right[:-2], k, *right[-1:]) if right else ()))))
    return Case(np.inner, (x, draw(arrays((*right[1:], k) if right else ()))))


@st.composite
def vector_products(draw: Any) -> Case:
    """Stacks of vectors along any axis, and the flattened form."""
    n = draw(sides)
    if draw(st.booleans()):
        shape = draw(shapes)
        return Case(np.vdot, (draw(arrays(shape)), draw(arrays(shape[::-1]))))
    x, y = draw(stacks((n,), (n,)))
    axis = draw(st.integers(0, 1))
    if axis and x.ndim == y.ndim > 1:
        return Case(
            lambda x, y: products.vecdot(x, y, axis=0),
            (np.moveaxis(x, -1, 0), np.moveaxis(y, -1, 0)),
        )
    return Case(np.vecdot, (x, y))


@st.composite
def outer_products(draw: Any) -> Case:
    function = draw(st.sampled_from([np.outer, np.kron]))
    return Case(function, (draw(arrays()), draw(arrays())))


@st.composite
def cross_products(draw: Any) -> Case:
    """Vectors along the last axis, or along another that is named one by one or for all."""
    x, y = draw(stacks((3,), (3,)))
    if x.ndim == y.ndim == 2 and draw(st.booleans()):
        if draw(st.booleans()):
            return Case(lambda a, b: np.cross(a, b, axis=0), (x.T, y.T))
        return Case(lambda a, b: np.cross(a, b, axisa=0, axisb=-1, axisc=0), (x.T, y))
    return Case(np.cross, (x, y))


@st.composite
def tensor_products(draw: Any) -> Case:
    """Any number of paired axes in any order, counted from either end."""
    x = draw(arrays(shapes))
    chosen = draw(st.permutations(range(x.ndim)))[: draw(st.integers(0, x.ndim))]
    free = draw(st.lists(sides, max_size=2))
    order = draw(st.permutations(range(len(chosen) + len(free))))
    partners = order[: len(chosen)]
    shape = [0] * len(order)
    for i, n in zip(order, [x.shape[i] for i in chosen] + free, strict=True):
        shape[i] = n
    y = draw(arrays(tuple(shape)))
    count = len(chosen)
    if draw(st.booleans()):
        y = draw(arrays((*x.shape[x.ndim - count :], *free)))
        return Case(lambda a, b: np.tensordot(a, b, count), (x, y))
    signed = tuple(i - x.ndim if draw(st.booleans()) else i for i in chosen)
    partners = [i - y.ndim if draw(st.booleans()) else i for i in partners]
    axes = (signed[0], partners[0]) if count == 1 and draw(st.booleans()) else (signed, partners)
    return Case(lambda a, b: np.tensordot(a, b, axes), (x, y))


LABELS = "iJk"


@st.composite
def sums_of_products(draw: Any, operands: st.SearchStrategy[int]) -> Case:
    """Random subscripts: repeated labels, ellipses, lengths of 1 that broadcast, either form, any output."""
    length = {label: draw(st.sampled_from([1, 2, 3])) for label in LABELS}
    hidden = draw(st.lists(st.sampled_from([1, 2]), max_size=2))
    terms, inputs = [], []
    for _ in range(draw(operands)):
        labels = draw(st.lists(st.sampled_from(LABELS), max_size=3))
        short = draw(st.sets(st.sampled_from(LABELS), max_size=1))
        shape = [1 if label in short else length[label] for label in labels]
        if draw(st.booleans()):
            place = draw(st.integers(0, len(labels)))
            extra = [1 if draw(st.booleans()) else n for n in hidden[draw(st.integers(0, len(hidden))) :]]
            labels.insert(place, "...")
            shape[place:place] = extra
        terms.append(labels)
        inputs.append(draw(arrays(tuple(shape))))
    output = draw(st.none() | st.sets(st.sampled_from(LABELS)).flatmap(lambda s: st.permutations(sorted(s))))
    if output is not None:
        output = [label for label in output if any(label in term for term in terms)]
        if any("..." in term for term in terms):
            output.insert(draw(st.integers(0, len(output))), "...")
    optimize = draw(st.sampled_from([False, True, "optimal"]))
    return Case(written(terms, output, optimize, interleaved=draw(st.booleans())), tuple(inputs))


def written(terms: list[list[str]], output: list[str] | None, optimize: Any, interleaved: bool) -> Callable[..., Any]:
    """An einsum in one of its two forms."""
    if not interleaved:
        subscripts = ", ".join("".join(t) for t in terms) + ("" if output is None else " -> " + "".join(output))

        def spelled(*x: Any) -> Any:
            return np.einsum(subscripts, *x, optimize=optimize)

        spelled.__name__ = f"einsum '{subscripts}'"
        return spelled
    numbered: list[Any] = [
        [Ellipsis if s == "..." else LABELS.index(s) for s in labels] for labels in [*terms, output or []]
    ]

    def numbers(*x: Any) -> Any:
        pairs: list[Any] = [each for pair in zip(x, numbered, strict=False) for each in pair]
        return np.einsum(*pairs, *([] if output is None else numbered[-1:]), optimize=optimize)

    numbers.__name__ = f"einsum {numbered} implicit={output is None}"
    return numbers


CASES: dict[str, st.SearchStrategy[Case]] = {
    "matmul": matrix_products(),
    "vecdot": vector_products(),
    "outer": outer_products(),
    "cross": cross_products(),
    "tensordot": tensor_products(),
    "einsum_of_one": sums_of_products(st.just(1)),
    "einsum": sums_of_products(st.sampled_from([2, 2, 3])),
}
