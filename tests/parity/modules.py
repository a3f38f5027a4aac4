"""Holding a module beside PyTorch's: equal weights, inputs and cotangents, then equal everything else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import nn
from autograd import Tensor
from autograd.tree import flatten

torch = pytest.importorskip("torch")

compared: set[str] = set()  # names of classes that were held beside each other

TOLERANCES = {np.float64: (1e-10, 1e-12), np.float32: (2e-4, 2e-5)}


def leaf(x: Any) -> tuple[Any, Any]:
    """An array as a leaf of both libraries; integers and booleans take no gradient."""
    floating = x.dtype.kind == "f"
    return Tensor(x.copy(), requires_grad=floating), torch.tensor(x, requires_grad=floating)


def compare_modules(
    ours: nn.Module,
    theirs: Any,
    inputs: Sequence[np.ndarray],
    *,
    dtype: Any = np.float64,
    keywords: dict[str, Any] | None = None,
    train: bool = True,
    seed: int = 0,
) -> None:
    """Assert equal state keys and shapes, outputs, gradients of inputs and parameters, and buffers.

    Ours is converted to ``dtype`` and its state loaded into theirs; float inputs are cast. Outputs may be
    nested; None among them is skipped. ``keywords`` go to both calls as they are.
    """
    rtol, atol = TOLERANCES[dtype]
    compared.update(type(module).__name__ for module in theirs.modules())
    ours.to(dtype).train(train)
    theirs.to(torch.float64 if dtype is np.float64 else torch.float32).train(train)
    state = {name: torch.tensor(value.numpy()) for name, value in ours.state_dict().items()}
    expected = theirs.state_dict()
    assert {k: tuple(v.shape) for k, v in state.items()} == {k: tuple(v.shape) for k, v in expected.items()}
    assert list(state) == list(expected)
    theirs.load_state_dict(state)

    cast = [x.astype(dtype) if x.dtype.kind == "f" else x for x in inputs]
    pairs = [leaf(x) for x in cast]
    mine = flatten(ours(*(a for a, _ in pairs), **(keywords or {})))[0]
    other = flatten(theirs(*(b for _, b in pairs), **(keywords or {})))[0]
    mine = [y for y in mine if y is not None]
    other = [y for y in other if y is not None]
    assert len(mine) == len(other)
    rng = np.random.default_rng(seed)
    for y, z in zip(mine, other, strict=True):
        value = np.asarray(y.detach() if isinstance(y, Tensor) else y)
        np.testing.assert_allclose(value, z.detach().numpy(), rtol=rtol, atol=atol)
        if z.requires_grad:
            g = np.asarray(rng.normal(size=tuple(z.shape)), dtype)
            y.backward(g, retain_graph=True)
            z.backward(torch.tensor(g), retain_graph=True)
    for a, b in pairs:
        _compare_gradients("input", a, b, rtol, atol)
    for (name, a), (_, b) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        _compare_gradients(name, a, b, rtol, atol)
    for (name, a), (_, b) in zip(ours.named_buffers(), theirs.named_buffers(), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=rtol, atol=atol, err_msg=name)


def _compare_gradients(name: str, a: Any, b: Any, rtol: float, atol: float) -> None:
    if b.grad is None:
        assert a.grad is None, f"{name} has a gradient here and none there"
        return
    np.testing.assert_allclose(a.grad, b.grad.numpy(), rtol=rtol, atol=atol, err_msg=name)
