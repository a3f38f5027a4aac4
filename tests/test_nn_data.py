"""Datasets, samplers and the loader."""

from __future__ import annotations

from collections import namedtuple

import numpy as np
import pytest

from autograd import Tensor, manual_seed
from nn.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    random_split,
)

X, Y = np.arange(20.0).reshape(10, 2), np.arange(10)


class Squares(Dataset):
    """Samples that are computed."""

    def __len__(self):
        return 7

    def __getitem__(self, i):
        if i >= 7:
            raise IndexError
        return {"x": np.full(2, i), "y": i * i}


class Stream(IterableDataset):
    def __iter__(self):
        return iter(range(5))


def test_batches_in_order():
    loader = DataLoader(TensorDataset(X, Tensor(Y)), batch_size=4)
    batches = list(loader)
    assert len(loader) == 3
    assert [b[0].shape for b in batches] == [(4, 2), (4, 2), (2, 2)]
    assert isinstance(batches[0][1], Tensor)
    np.testing.assert_array_equal(np.concatenate([b[0] for b in batches]), X)
    assert len(list(DataLoader(TensorDataset(X), batch_size=4, drop_last=True))) == 2


def test_shuffling_repeats_from_a_seed_and_differs_between_epochs():
    def orders(loader):
        return [[int(y) for (batch,) in loader for y in batch] for _ in range(2)]

    manual_seed(3)
    first = orders(DataLoader(TensorDataset(Y), batch_size=3, shuffle=True))
    manual_seed(3)
    again = orders(DataLoader(TensorDataset(Y), batch_size=3, shuffle=True))
    assert first == again
    assert first[0] != first[1]
    assert sorted(first[0]) == list(Y)
    own = [orders(DataLoader(TensorDataset(Y), 3, True, generator=np.random.default_rng(5))) for _ in range(2)]
    assert own[0] == own[1]


def test_samples_are_put_together_by_kind():
    batch = next(iter(DataLoader(Squares(), batch_size=3)))
    np.testing.assert_array_equal(batch["x"], [[0, 0], [1, 1], [2, 2]])
    np.testing.assert_array_equal(batch["y"], [0, 1, 4])
    pair = namedtuple("pair", "a b")
    found = default_collate([pair(1.0, "x"), pair(2.0, "y")])
    assert isinstance(found, pair)
    assert found.b == ["x", "y"]
    np.testing.assert_array_equal(found.a, [1.0, 2.0])
    stacked = default_collate([[Tensor([1.0]), 2], [Tensor([3.0]), 4]])
    assert isinstance(stacked[0], Tensor)
    assert stacked[0].shape == (2, 1)


def test_a_collate_function_gets_the_samples():
    loader = DataLoader(TensorDataset(X, Y), batch_size=5, collate_fn=lambda samples: [int(y) for _, y in samples])
    assert list(loader) == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]


def test_streams_and_single_samples():
    assert [list(b) for b in DataLoader(Stream(), batch_size=2)] == [[0, 1], [2, 3], [4]]
    assert [list(b) for b in DataLoader(Stream(), batch_size=2, drop_last=True)] == [[0, 1], [2, 3]]
    assert list(DataLoader(Stream(), batch_size=None)) == [0, 1, 2, 3, 4]
    assert list(DataLoader("abc", batch_size=None)) == ["a", "b", "c"]
    with pytest.raises(TypeError):
        len(DataLoader(Stream()))


def test_samplers():
    order = [4, 2, 0]
    assert [list(b[0]) for b in DataLoader(TensorDataset(Y), 2, sampler=order)] == [[4, 2], [0]]
    assert [list(b[0]) for b in DataLoader(TensorDataset(Y), batch_sampler=[[1, 2], [9]])] == [[1, 2], [9]]
    rng = np.random.default_rng(0)
    assert len(set(RandomSampler(Y, True, 1000, rng))) == 10
    assert sorted(RandomSampler(Y, num_samples=20, generator=rng)) == sorted([*Y, *Y])
    drawn = list(WeightedRandomSampler([0, 3, 1], 4000, generator=rng))
    np.testing.assert_allclose(np.bincount(drawn) / 4000, [0, 0.75, 0.25], atol=0.03)
    assert sorted(WeightedRandomSampler([1, 3, 1], 3, replacement=False, generator=rng)) == [0, 1, 2]
    assert len(BatchSampler(Y, 3, False)) == 4
    assert list(RandomSampler([])) == []


def test_subsets_and_sums():
    parts = random_split(TensorDataset(X, Y), [0.55, 0.45], np.random.default_rng(0))
    assert [len(p) for p in parts] == [6, 4]
    together = parts[0] + parts[1]
    assert sorted(int(y) for _, y in (together[i] for i in range(10))) == list(Y)
    assert together[-1][1] == parts[1][3][1]
    assert [len(p) for p in random_split(Y, [3, 3, 4])] == [3, 3, 4]
    (batch,) = DataLoader(Subset(TensorDataset(Y), [9, 1]), batch_size=4)
    np.testing.assert_array_equal(batch[0], [9, 1])
    assert len(ConcatDataset([Squares(), Squares()])) == 14


def test_a_progress_bar_counts_batches(capsys):
    assert len(list(DataLoader(TensorDataset(Y), batch_size=4, progress="epoch 1"))) == 3
    shown = capsys.readouterr().err
    assert "epoch 1" in shown
    assert "3/3" in shown


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: TensorDataset(X, Y[:3]), r"one first axis; got shapes \(10, 2\), \(3,\)"),
        (lambda: TensorDataset(), "of none"),
        (lambda: TensorDataset(np.float64(1)), "one first axis"),
        (lambda: ConcatDataset([]), "at least one"),
        (lambda: random_split(Y, [3, 3]), "have to sum to 10"),
        (lambda: DataLoader(Y, 0), "1 or more"),
        (lambda: DataLoader(Y, None, drop_last=True), "no meaning"),
        (lambda: DataLoader(Stream(), shuffle=True), "no order to change"),
        (lambda: DataLoader(Y, shuffle=True, sampler=[1]), "not both"),
        (lambda: DataLoader(Y, 2, batch_sampler=[[1]]), "excludes"),
        (lambda: WeightedRandomSampler([-1, 2], 1), "0 or more"),
        (lambda: WeightedRandomSampler([0, 2], 2, replacement=False), "cannot be drawn"),
        (lambda: RandomSampler(Y, num_samples=0), "1 or more"),
        (lambda: BatchSampler(Y, 0, False), "1 or more"),
        (lambda: default_collate([]), "no samples"),
        (lambda: default_collate([np.zeros(2), np.zeros(3)]), "do not stack"),
        (lambda: default_collate([(1,), (1, 2)]), "different lengths"),
    ],
)
def test_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_sample_beyond_the_end():
    with pytest.raises(IndexError, match="sample 14 of 14"):
        ConcatDataset([Squares(), Squares()])[14]
