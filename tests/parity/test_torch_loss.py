"""Losses beside PyTorch's: values, gradients, options, the text of the modules.

Run where PyTorch is installed:  python -m pytest tests/parity
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn.loss as losses
from autograd import Tensor
from nn.activation import log_softmax
from tests.parity.modules import TOLERANCES, compare_modules, compared, torch

RNG = np.random.default_rng(0)
pytestmark = pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
SHAPES = [(5, 4), (3,), (2, 3, 4), (1, 1), ()]


def x(*shape: int) -> Any:
    return np.asarray(RNG.normal(0.0, 1.5, shape))


def p(*shape: int) -> Any:
    return np.asarray(RNG.uniform(0.05, 0.95, shape))


def signs(*shape: int) -> Any:
    return np.asarray(RNG.choice([-1.0, 1.0], shape))


def bits(*shape: int) -> Any:
    return np.asarray(RNG.integers(0, 2, shape).astype(float))


def classes(count: int, *shape: int) -> Any:
    return np.asarray(RNG.integers(0, count, shape))


Row = tuple[str, dict[str, Any], list[Any]]

CASES: list[Row] = [
    *[(name, {}, [x(*s), x(*s)]) for name in ("MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss") for s in SHAPES],
    ("SmoothL1Loss", {"beta": 0.3}, [x(5, 4), x(5, 4)]),
    ("SmoothL1Loss", {"beta": 0.0}, [x(5, 4), x(5, 4)]),
    ("HuberLoss", {"delta": 0.3}, [x(5, 4), x(5, 4)]),
    ("NLLLoss", {}, [x(5, 4), classes(4, 5)]),
    ("NLLLoss", {"ignore_index": 2}, [x(7, 4), classes(4, 7)]),
    ("NLLLoss", {"weight": p(3)}, [x(4, 3, 2, 5), classes(3, 4, 2, 5)]),
    ("NLLLoss", {"weight": p(3), "ignore_index": 1}, [x(4, 3, 5), classes(3, 4, 5)]),
    ("NLLLoss", {}, [x(3), np.asarray(1)]),
    *[("BCELoss", {}, [p(*s), p(*s)]) for s in SHAPES],
    ("BCELoss", {"weight": p(4)}, [p(5, 4), bits(5, 4)]),
    *[("BCEWithLogitsLoss", {}, [x(*s) * 9, p(*s)]) for s in SHAPES],
    ("BCEWithLogitsLoss", {"weight": p(5, 1)}, [x(5, 4), bits(5, 4)]),
    ("BCEWithLogitsLoss", {"pos_weight": 3 * p(4)}, [x(5, 4), p(5, 4)]),
    ("BCEWithLogitsLoss", {"weight": p(4), "pos_weight": 3 * p(4)}, [x(2, 5, 4), p(2, 5, 4)]),
    ("CrossEntropyLoss", {}, [5 * x(6, 4), classes(4, 6)]),
    ("CrossEntropyLoss", {}, [x(4), np.asarray(2)]),
    ("CrossEntropyLoss", {}, [x(3, 4, 2, 5), classes(4, 3, 2, 5)]),
    ("CrossEntropyLoss", {"weight": p(4), "ignore_index": 1}, [x(6, 4), classes(4, 6)]),
    ("CrossEntropyLoss", {"label_smoothing": 0.2}, [x(6, 4), classes(4, 6)]),
    (
        "CrossEntropyLoss",
        {"weight": p(4), "ignore_index": 2, "label_smoothing": 0.3},
        [x(3, 4, 5), classes(4, 3, 5)],
    ),
    ("CrossEntropyLoss", {}, [x(6, 4), p(6, 4)]),
    ("CrossEntropyLoss", {}, [x(4), p(4)]),
    ("CrossEntropyLoss", {"weight": p(4), "label_smoothing": 0.3}, [x(3, 4, 5), p(3, 4, 5)]),
    *[("KLDivLoss", {"log_target": True}, [x(*s), x(*s)]) for s in SHAPES],
    ("KLDivLoss", {}, [x(5, 4), p(5, 4)]),
    *[("GaussianNLLLoss", {}, [x(5, 4), x(5, 4), v]) for v in (p(5, 4), p(5), p(5, 1), p(1, 4))],
    ("GaussianNLLLoss", {"full": True, "eps": 0.5}, [x(5, 4), x(5, 4), p(5, 4)]),
    ("PoissonNLLLoss", {}, [x(5, 4), 3 * p(5, 4)]),
    ("PoissonNLLLoss", {"full": True}, [x(5, 4), 3 * p(5, 4)]),
    ("PoissonNLLLoss", {"log_input": False, "eps": 0.1}, [p(5, 4), 3 * p(5, 4)]),
    ("HingeEmbeddingLoss", {}, [x(5, 4), signs(5, 4)]),
    ("HingeEmbeddingLoss", {"margin": 0.3}, [x(5), signs(5)]),
    ("SoftMarginLoss", {}, [9 * x(5, 4), signs(5, 4).astype(int)]),
    ("MultiMarginLoss", {}, [x(5, 4), classes(4, 5)]),
    ("MultiMarginLoss", {"p": 2, "margin": 0.6}, [x(5, 4), classes(4, 5)]),
    ("MultiMarginLoss", {"p": 2, "weight": p(4)}, [x(5, 4), classes(4, 5)]),
    ("MultiMarginLoss", {}, [x(4), np.asarray(2)]),
    ("MultiLabelMarginLoss", {}, [x(3, 4), np.array([[3, 0, -1, 1], [2, -1, 2, 3], [0, 1, 2, 3]])]),
    ("MultiLabelMarginLoss", {}, [x(2, 3), np.full((2, 3), -1)]),
    ("MultiLabelMarginLoss", {}, [x(4), np.array([1, 2, -1, 0])]),
    ("MultiLabelSoftMarginLoss", {}, [x(5, 4), bits(5, 4)]),
    ("MultiLabelSoftMarginLoss", {"weight": p(4)}, [x(5, 4), bits(5, 4)]),
    ("MarginRankingLoss", {}, [x(5), x(5), signs(5)]),
    ("MarginRankingLoss", {"margin": 0.7}, [x(5, 3), x(5, 3), signs(1, 3)]),
    ("CosineEmbeddingLoss", {}, [x(6, 4), x(6, 4), signs(6)]),
    ("CosineEmbeddingLoss", {"margin": 0.2}, [x(6, 4), x(6, 4), signs(6)]),
    ("CosineEmbeddingLoss", {"margin": -0.5}, [x(4), x(4), signs()]),
    ("TripletMarginLoss", {}, [x(5, 4), x(5, 4), x(5, 4)]),
    ("TripletMarginLoss", {"p": 1.0, "margin": 2.0, "swap": True}, [x(5, 4), x(5, 4), x(5, 4)]),
    ("TripletMarginLoss", {"p": 3.0, "eps": 1e-3, "swap": True}, [x(4), x(4), x(4)]),
    ("TripletMarginWithDistanceLoss", {"swap": True, "margin": 0.5}, [x(5, 4), x(5, 4), x(5, 4)]),
]


def made(name: str, options: dict[str, Any]) -> tuple[Any, Any]:
    """The module of both libraries; weights are given to PyTorch as tensors."""
    theirs = {k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
    return getattr(losses, name)(**options), getattr(torch.nn, name)(**theirs)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c[0]}-{'-'.join(c[1])}-{np.shape(c[2][0])}")
def test_module(case, dtype):
    name, options, inputs = case
    for reduction in ("mean", "sum", "none", *(["batchmean"] if name == "KLDivLoss" and inputs[0].ndim else [])):
        ours, theirs = made(name, {**options, "reduction": reduction})
        compare_modules(ours, theirs, inputs, dtype=dtype)
        assert repr(ours) == repr(theirs)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss"])
def test_weights_of_the_functions(name, reduction):
    a, b, w = x(5, 4), x(5, 4), p(5, 4)
    ours, theirs = Tensor(a, requires_grad=True), torch.tensor(a, requires_grad=True)
    y = getattr(losses, name)(ours, b, reduction=reduction, weight=w)
    z = getattr(torch.nn.functional, name)(theirs, torch.tensor(b), reduction=reduction, weight=torch.tensor(w))
    np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=1e-12)
    y.sum().backward()
    z.sum().backward()
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=1e-12)


def test_certain_probabilities():
    a, b = np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.0, 0.3, 1.0, 0.2])
    ours, theirs = Tensor(a, requires_grad=True), torch.tensor(a, requires_grad=True)
    y = losses.binary_cross_entropy(ours, b, reduction="none")
    z = torch.nn.functional.binary_cross_entropy(theirs, torch.tensor(b), reduction="none")
    np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=1e-12)
    y.sum().backward()
    z.sum().backward()
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=1e-7)  # their 1e-12 is a float32


# ---------------------------------------------------------------------- connectionist temporal classification

PADDED = np.array([[1, 2, 2, 3], [3, 0, 0, 0], [1, 1, 2, 0]])
IN_A_ROW = np.array([1, 2, 2, 3, 3, 1, 1, 2])

CTC: list[tuple[dict[str, Any], Any, Any, Any, Any]] = [
    ({}, x(9, 3, 5), PADDED, [9, 7, 8], [4, 1, 3]),
    ({}, x(9, 3, 5), IN_A_ROW, [9, 5, 4], [4, 1, 3]),
    ({"blank": 4}, x(9, 3, 5), PADDED, [9, 9, 9], [4, 1, 3]),
    ({}, x(9, 3, 5), PADDED, [9, 5, 4], [4, 0, 3]),
    ({"zero_infinity": True}, x(9, 3, 5), PADDED, [4, 7, 3], [4, 1, 3]),
    ({}, x(6, 5), np.array([2, 3, 3]), 6, 3),
    ({}, x(1, 2, 3), np.array([[1], [2]]), [1, 1], [1, 0]),
]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("case", CTC, ids=range(len(CTC)))
def test_ctc(case, reduction, dtype):
    options, logits, targets, input_lengths, target_lengths = case
    logits = logits.astype(dtype)
    rtol, atol = TOLERANCES[dtype]
    ours, theirs = Tensor(logits, requires_grad=True), torch.tensor(logits, requires_grad=True)
    mine = losses.CTCLoss(reduction=reduction, **options)
    other = torch.nn.CTCLoss(reduction=reduction, **options)
    compared.add("CTCLoss")
    y = mine(log_softmax(ours, -1), targets, np.array(input_lengths), np.array(target_lengths))
    z = other(theirs.log_softmax(-1), torch.tensor(targets), torch.tensor(input_lengths), torch.tensor(target_lengths))
    assert y.dtype == dtype
    np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=rtol, atol=atol)
    g = np.asarray(RNG.uniform(0.5, 1.5, z.shape), dtype)
    y.backward(g)
    z.backward(torch.tensor(g))
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=rtol, atol=atol)
    assert repr(mine) == repr(other)


def test_ctc_of_a_target_too_long_for_its_input():
    logits = x(3, 1, 4)
    ours, theirs = Tensor(logits, requires_grad=True), torch.tensor(logits, requires_grad=True)
    y = losses.ctc_loss(log_softmax(ours, -1), [[1, 1]], [2], [2], reduction="sum")
    z = torch.nn.functional.ctc_loss(theirs.log_softmax(-1), torch.tensor([[1, 1]]), (2,), (2,), reduction="sum")
    assert y.item() == z.item() == np.inf
    y.backward()
    z.backward()
    np.testing.assert_array_equal(np.isnan(ours.grad.numpy()), np.isnan(theirs.grad.numpy()))
