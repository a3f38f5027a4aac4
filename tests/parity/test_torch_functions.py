"""Functions, gradients and second derivatives beside PyTorch's, on the same inputs.

Run where PyTorch is installed:  python -m pytest tests/parity
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograd.numpy as anp
from autograd import Tensor

torch = pytest.importorskip("torch")

X = np.random.default_rng(1).uniform(0.2, 0.9, (3, 4))
Y = np.random.default_rng(2).uniform(0.2, 0.9, (3, 4))
ROW = np.random.default_rng(3).uniform(0.2, 0.9, (1, 4))
INDEX = np.array([[2, 0, 2], [1, 1, 0]])

CASES: dict[str, tuple[Callable[..., Any], Callable[..., Any], tuple[np.ndarray, ...]]] = {
    **{
        name: (getattr(np, numpy_name), getattr(torch, name), (X,))
        for name, numpy_name in (
            ("exp", "exp"), ("exp2", "exp2"), ("expm1", "expm1"), ("log", "log"), ("log2", "log2"),
            ("log10", "log10"), ("log1p", "log1p"), ("sqrt", "sqrt"), ("square", "square"), ("sin", "sin"),
            ("cos", "cos"), ("tan", "tan"), ("asin", "arcsin"), ("acos", "arccos"), ("atan", "arctan"),
            ("sinh", "sinh"), ("cosh", "cosh"), ("tanh", "tanh"), ("asinh", "arcsinh"), ("atanh", "arctanh"),
            ("abs", "abs"), ("sign", "sign"), ("reciprocal", "reciprocal"), ("sinc", "sinc"), ("floor", "floor"),
            ("deg2rad", "deg2rad"),
        )
        if hasattr(torch, name)
    },
    "add": (np.add, torch.add, (X, ROW)),
    "subtract": (np.subtract, torch.subtract, (X, ROW)),
    "multiply": (np.multiply, torch.multiply, (X, ROW)),
    "divide": (np.divide, torch.divide, (X, ROW)),
    "power": (np.power, torch.pow, (X, ROW)),
    "arctan2": (np.arctan2, torch.atan2, (X, ROW)),
    "hypot": (np.hypot, torch.hypot, (X, ROW)),
    "logaddexp": (np.logaddexp, torch.logaddexp, (X, ROW)),
    "maximum": (np.maximum, torch.maximum, (X, Y)),
    "minimum": (np.minimum, torch.minimum, (X, Y)),
    "where": (lambda x, y: np.where(X > 0.5, x, y), lambda x, y: torch.where(torch.tensor(X > 0.5), x, y), (X, ROW)),
    "clip": (lambda x: np.clip(x, 0.3, 0.6), lambda x: torch.clip(x, 0.3, 0.6), (X,)),
    "clip at its bounds": (lambda x: np.clip(x, 0.3, 0.6), lambda x: torch.clip(x, 0.3, 0.6), (np.array([0.3, 0.6]),)),
    "sigmoid": (anp.sigmoid, torch.sigmoid, (X,)),
    "relu at zero": (anp.relu, torch.relu, (np.array([-1.0, 0.0, 2.0]),)),
    "power at zero": (lambda x: x**0 + x**2 + x**1, lambda x: x**0 + x**2 + x**1, (np.array([0.0, 2.0]),)),
    "sum": (lambda x: np.sum(x * x, axis=1), lambda x: (x * x).sum(1), (X,)),
    "mean": (lambda x: np.mean(x**3, axis=(0, 1)), lambda x: (x**3).mean((0, 1)), (X,)),
    "var": (lambda x: np.var(x, axis=0, ddof=1), lambda x: torch.var(x, 0), (X,)),
    "std": (lambda x: np.std(x, axis=-1, keepdims=True), lambda x: torch.std(x, -1, correction=0, keepdim=True), (X,)),
    "prod": (lambda x: np.prod(x, axis=1), lambda x: x.prod(1), (X,)),
    "prod with a zero": (lambda x: np.prod(x, axis=1), lambda x: x.prod(1), (X * (Y > 0.3),)),
    "max": (lambda x: np.max(x, axis=1), lambda x: x.amax(1), (X,)),
    "max with ties": (lambda x: np.max(x), lambda x: x.amax(), (np.array([1.0, 3.0, 3.0]),)),
    "logsumexp": (lambda x: anp.logsumexp(x, axis=1), lambda x: torch.logsumexp(x, 1), (X,)),
    "cumsum": (lambda x: np.cumsum(x * x, axis=1), lambda x: torch.cumsum(x * x, 1), (X,)),
    "matmul": (lambda x, y: x @ y.T, lambda x, y: x @ y.T, (X, Y)),
    "batched matmul": (np.matmul, torch.matmul, (X.reshape(3, 1, 2, 2), Y.reshape(1, 3, 2, 2))),
    "matrix times vector": (np.matmul, torch.matmul, (X, Y[0])),
    "einsum": (lambda x, y: np.einsum("ij,kj->ik", x, y), lambda x, y: torch.einsum("ij,kj->ik", x, y), (X, Y)),
    "einsum diagonal": (
        lambda x: np.einsum("ii->i", x), lambda x: torch.einsum("ii->i", x), (X[:, :3],)
    ),
    "tensordot": (lambda x, y: np.tensordot(x, y, 2), lambda x, y: torch.tensordot(x, y, 2), (X, Y)),
    "outer": (np.outer, torch.outer, (X[0], Y[1])),
    "getitem": (lambda x: x[1:, ::2] ** 2, lambda x: x[1:, ::2] ** 2, (X,)),
    "gather": (lambda x: x[INDEX] ** 2, lambda x: x[torch.tensor(INDEX)] ** 2, (X,)),
    "concatenate": (lambda x, y: np.concatenate([x, y * x], -1), lambda x, y: torch.cat([x, y * x], -1), (X, Y)),
    "stack": (lambda x, y: np.stack([x, y * x], 1), lambda x, y: torch.stack([x, y * x], 1), (X, Y)),
    "pad": (lambda x: np.pad(x, ((0, 0), (1, 2))) ** 2, lambda x: torch.nn.functional.pad(x, (1, 2)) ** 2, (X,)),
    "flip": (lambda x: np.flip(x, 1) ** 2, lambda x: torch.flip(x, (1,)) ** 2, (X,)),
    "roll": (lambda x: np.roll(x, 2, 1) ** 2, lambda x: torch.roll(x, 2, 1) ** 2, (X,)),
    "repeat": (lambda x: np.repeat(x, 2, 0) ** 2, lambda x: torch.repeat_interleave(x, 2, 0) ** 2, (X,)),
    "tile": (lambda x: np.tile(x, (2, 1)) ** 2, lambda x: torch.tile(x, (2, 1)) ** 2, (X,)),
    "triu": (lambda x: np.triu(x, 1) ** 2, lambda x: torch.triu(x, 1) ** 2, (X,)),
}  # fmt: skip


def first_and_second(f: Any, inputs: list[Any], weight: Any, backward: Any) -> tuple[Any, list[Any], list[Any]]:
    """Value, gradients of a weighted sum, and gradients of the gradients' squared norm."""
    out = f(*inputs)
    backward((out * weight).sum())
    first = [x.grad for x in inputs]
    for x in inputs:
        x.grad = None
    total = sum((g * g).sum() for g in first)
    if total.requires_grad:
        backward(total)
    second = [x.grad for x in inputs]
    return out, first, second


@pytest.mark.filterwarnings("ignore:Using backward")  # PyTorch's advice against create_graph=True
@pytest.mark.parametrize("name", CASES)
def test_beside_torch(name):
    ours, theirs, arrays = CASES[name]
    mine = [Tensor(a.copy(), requires_grad=True) for a in arrays]
    other = [torch.tensor(a, requires_grad=True) for a in arrays]
    weight = np.random.default_rng(5).normal(size=ours(*arrays).shape)
    a = first_and_second(ours, mine, weight, lambda y: y.backward(create_graph=True))
    b = first_and_second(theirs, other, torch.tensor(weight), lambda y: y.backward(create_graph=True))
    np.testing.assert_allclose(a[0].numpy(), b[0].detach().numpy(), rtol=1e-12, atol=1e-14)
    for order in (1, 2):
        for x, y in zip(a[order], b[order], strict=True):
            expected = np.zeros(1) if y is None else y.detach().numpy()
            found = np.zeros(1) if x is None else x.numpy()
            np.testing.assert_allclose(*np.broadcast_arrays(found, expected), rtol=1e-9, atol=1e-11)
