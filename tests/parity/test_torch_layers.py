"""Small layers beside PyTorch's: embeddings, dropout, reshaping, distances.

Run where PyTorch is installed:  python -m pytest tests/parity
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
from autograd import Tensor, manual_seed
from tests.parity.modules import compare_modules, compared, torch

RNG = np.random.default_rng(0)


def x(*shape: int) -> Any:
    return RNG.normal(size=shape)


def index(high: int, *shape: int) -> Any:
    return RNG.integers(0, high, shape)


CASES: list[tuple[str, tuple[Any, ...], dict[str, Any], list[Any]]] = [
    ("Embedding", (7, 3), {}, [index(7, 4, 5)]),
    ("Embedding", (7, 3), {}, [index(7)]),
    ("Embedding", (7, 3), {"padding_idx": -2}, [index(7, 40)]),
    ("Embedding", (7, 300), {"padding_idx": 1, "scale_grad_by_freq": True}, [index(7, 4, 20)]),
    ("EmbeddingBag", (7, 3), {}, [index(7, 4, 5)]),
    ("EmbeddingBag", (7, 3), {"mode": "sum", "padding_idx": 2}, [index(7, 4, 5)]),
    ("EmbeddingBag", (7, 3), {"mode": "max"}, [index(7, 9), np.array([0, 3, 3, 7])]),
    ("EmbeddingBag", (7, 3), {"mode": "mean"}, [index(7, 9), np.array([0, 3, 3, 7])]),
    ("EmbeddingBag", (7, 3), {"mode": "sum", "include_last_offset": True}, [index(7, 9), np.array([0, 4, 9])]),
    ("Flatten", (), {}, [x(2, 3, 4)]),
    ("Flatten", (0, 1), {}, [x(2, 3, 4)]),
    ("Unflatten", (1, (3, 4)), {}, [x(2, 12)]),
    ("Unflatten", (-1, (-1, 2)), {}, [x(2, 12)]),
    ("CosineSimilarity", (), {}, [x(3, 4), x(3, 4)]),
    ("CosineSimilarity", (0,), {"eps": 0.5}, [x(3, 4), x(3, 1)]),
    ("PairwiseDistance", (), {}, [x(3, 4), x(3, 4)]),
    ("PairwiseDistance", (1.5,), {"eps": 0.1, "keepdim": True}, [x(3, 4), x(4)]),
    ("PairwiseDistance", (float("inf"),), {}, [x(3, 4), x(3, 4)]),
    ("Identity", (), {}, [x(3)]),
    ("Linear", (4, 3), {}, [x(4)]),
    ("Linear", (4, 3), {"bias": False}, [x(2, 5, 4)]),
    ("Linear", (4, 1), {}, [x(0, 4)]),
    ("Bilinear", (4, 3, 5), {}, [x(6, 4), x(6, 3)]),
    ("Bilinear", (4, 1, 2), {"bias": False}, [x(2, 6, 4), x(2, 6, 1)]),
]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c[0]}-{c[1]}-{c[2]}")
def test_module(case, dtype):
    name, args, options, inputs = case
    ours, theirs = getattr(nn, name)(*args, **options), getattr(torch.nn, name)(*args, **options)
    compare_modules(ours, theirs, inputs, dtype=dtype)
    assert repr(ours) == repr(theirs)


def test_per_sample_weights():
    table, weights, bags = x(7, 3), x(9), index(7, 9)
    starts = np.array([0, 3, 3])
    mine = [Tensor(table, requires_grad=True), Tensor(weights, requires_grad=True)]
    other = [torch.tensor(table, requires_grad=True), torch.tensor(weights, requires_grad=True)]
    y = nn.functional.embedding_bag(bags, mine[0], starts, mode="sum", per_sample_weights=mine[1])
    z = torch.nn.functional.embedding_bag(
        torch.tensor(bags), other[0], torch.tensor(starts), mode="sum", per_sample_weights=other[1]
    )
    np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=1e-12)
    g = x(3, 3)
    y.backward(g)
    z.backward(torch.tensor(g))
    for a, b in zip(mine, other, strict=True):
        np.testing.assert_allclose(a.grad, b.grad.numpy(), rtol=1e-12)


def test_max_norm_scales_the_rows_that_are_used():
    table = x(5, 3) * 3
    ours = nn.Embedding(5, 3, max_norm=1.5, norm_type=3.0, _weight=table.copy())
    theirs = torch.nn.Embedding(5, 3, max_norm=1.5, norm_type=3.0, _weight=torch.tensor(table))
    y, z = ours(np.array([1, 3, 1])), theirs(torch.tensor([1, 3, 1]))
    np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=1e-7)
    np.testing.assert_allclose(ours.weight.numpy(), theirs.weight.detach().numpy(), rtol=1e-7)


@pytest.mark.parametrize(
    "name", ["Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout"]
)
@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_dropout_has_the_distribution_of_pytorchs(name, p):
    manual_seed(0)
    torch.manual_seed(0)
    compared.add(name)
    shape = (40, 30, *{"1d": (20,), "2d": (5, 4), "3d": (5, 2, 2)}.get(name[-2:], (20,)))
    ours, theirs = getattr(nn, name)(p), getattr(torch.nn, name)(p)
    y, z = ours(np.ones(shape)), theirs(torch.ones(shape, dtype=torch.float64)).numpy()
    values, counts = np.unique(np.round(y, 9), return_counts=True)
    expected, theirs_counts = np.unique(np.round(z, 9), return_counts=True)
    np.testing.assert_allclose(values, expected, atol=1e-8)
    whole = 20 if name.endswith("d") or name.startswith("Feature") else 1
    spread = 5 * np.sqrt(0.25 * y.size * whole)
    assert abs(counts[0] - theirs_counts[0]) <= (spread if len(values) > 1 else 0)
    assert ours.eval()(np.ones(shape)).min() == 1


def test_containers_name_their_parameters_alike():
    def build(library, wrap):
        model = library.Module()
        model.list = library.ParameterList([library.Parameter(wrap(np.ones(2))), library.Parameter(wrap(np.ones(3)))])
        model.dict = library.ParameterDict({"b": library.Parameter(wrap(np.ones(1))), "a": library.Linear(2, 1).bias})
        model.stack = library.ModuleList([library.Linear(2, 2), library.ModuleDict({"z": library.Linear(2, 1)})])
        return model

    ours, theirs = build(nn, np.asarray), build(torch.nn, torch.tensor)
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]
    assert list(ours.state_dict()) == list(theirs.state_dict())
    compared.update(("ParameterList", "ParameterDict", "ModuleList", "ModuleDict"))
