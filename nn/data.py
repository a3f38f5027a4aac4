"""Batches of data: datasets, samplers and the loader that puts samples together."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, islice
from numbers import Real
from operator import index
from typing import Any

import numpy as np

from autograd import Tensor
from autograd.random import default_generator
from nn.progress import shown

__all__ = [
    "BatchSampler", "ConcatDataset", "DataLoader", "Dataset", "IterableDataset", "RandomSampler", "SequentialSampler",
    "Subset", "TensorDataset", "WeightedRandomSampler", "default_collate", "random_split",
]  # fmt: skip


# ---------------------------------------------------------------------- datasets


class Dataset:
    """Samples by number: a subclass defines ``__getitem__`` and ``__len__``.

    It may define ``__getitems__(indices)`` too, which returns a list of samples where that is faster than one
    after the other, or ``batch(indices)``, which returns them put together.
    """

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} defines no __getitem__()")

    def __add__(self, other: Any) -> ConcatDataset:
        return ConcatDataset([self, other])


class IterableDataset:
    """Samples in the order in which they come: a subclass defines ``__iter__``."""

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} defines no __iter__()")


class TensorDataset(Dataset):
    """Tensors or arrays whose first axis counts the samples; sample i is the tuple of their entries i.

    Raises ValueError for none, for 0-d ones, and for first axes of different lengths.
    """

    def __init__(self, *tensors: Any) -> None:
        self.tensors = tuple(t if isinstance(t, Tensor) else np.asarray(t) for t in tensors)
        lengths = {t.shape[:1] for t in self.tensors}
        if len(lengths) != 1 or () in lengths:
            shapes = ", ".join(str(t.shape) for t in self.tensors)
            raise ValueError(f"TensorDataset takes tensors with one first axis; got shapes {shapes or 'of none'}")

    def __len__(self) -> int:
        return self.tensors[0].shape[0]

    def __getitem__(self, index: Any) -> tuple[Any, ...]:
        return tuple(t[index] for t in self.tensors)

    def batch(self, indices: Any) -> tuple[Any, ...]:
        """The samples of these numbers, put together."""
        return self[np.asarray(indices, np.intp)]


class Subset(Dataset):
    """The samples of ``dataset`` at the numbers ``indices``."""

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[self.indices[index]]

    def batch(self, indices: Any) -> Any:
        """The samples of these numbers, put together."""
        return _batch(self.dataset, [self.indices[i] for i in indices], default_collate)


class ConcatDataset(Dataset):
    """The samples of several datasets, one dataset after the other. Raises ValueError for none."""

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ValueError("ConcatDataset takes at least one dataset")
        self.cumulative_sizes = list(accumulate(map(len, self.datasets)))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> Any:
        if not -len(self) <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        index %= len(self)
        which = bisect_right(self.cumulative_sizes, index)
        return self.datasets[which][index - (self.cumulative_sizes[which - 1] if which else 0)]


def random_split(dataset: Any, lengths: Sequence[Any], generator: np.random.Generator | None = None) -> list[Subset]:
    """Divide a dataset at random into subsets of these lengths, or of these shares if they sum to 1.

    Of shares, what rounding down leaves over goes to the first subsets, one sample each. Raises ValueError for
    lengths that do not sum to the dataset's.
    """
    total = len(dataset)
    if abs(sum(lengths) - 1) < 1e-9 and all(0 <= share <= 1 for share in lengths) and total != 1:
        counts = [int(total * share) for share in lengths]
        for i in range(total - sum(counts)):
            counts[i % len(counts)] += 1
    else:
        counts = [index(length) for length in lengths]
    if sum(counts) != total or min(counts) < 0:
        raise ValueError(f"random_split() of {total} samples into {list(lengths)}: the lengths have to sum to {total}")
    order = (generator or default_generator()).permutation(total)
    return [Subset(dataset, part.tolist()) for part in np.split(order, np.cumsum(counts)[:-1])]


# ---------------------------------------------------------------------- samplers


class SequentialSampler:
    """The numbers of all samples in their order."""

    def __init__(self, data_source: Any) -> None:
        self.data_source = data_source

    def __len__(self) -> int:
        return len(self.data_source)

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self)))


class RandomSampler:
    """The numbers of all samples in a new random order every time, or drawn anew with ``replacement``.

    ``num_samples`` numbers, by default as many as there are samples, from ``generator`` or the library's own
    (``autograd.manual_seed``). Raises ValueError for a number below 1 of samples to draw.
    """

    def __init__(
        self,
        data_source: Any,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: np.random.Generator | None = None,
    ) -> None:
        if num_samples is not None and index(num_samples) < 1:
            raise ValueError(f"RandomSampler takes num_samples of 1 or more; got {num_samples}")
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator

    def __len__(self) -> int:
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        rng, total = self.generator or default_generator(), len(self.data_source)
        if self.replacement:
            return iter(rng.integers(0, total, len(self)).tolist())
        rounds = -(-len(self) // total) if total else 0
        orders = [rng.permutation(total) for _ in range(rounds)] or [np.zeros(0, int)]
        return iter(np.concatenate(orders)[: len(self)].tolist())


class WeightedRandomSampler:
    """``num_samples`` numbers, drawn with probabilities proportional to the ``weights``.

    Raises ValueError for weights that are negative, all 0 or not finite, and for more numbers than there are
    without ``replacement``.
    """

    def __init__(
        self,
        weights: Any,
        num_samples: int,
        replacement: bool = True,
        generator: np.random.Generator | None = None,
    ) -> None:
        self.weights = np.asarray(weights, float)
        total = self.weights.sum()
        if self.weights.ndim != 1 or not np.isfinite(total) or total <= 0 or self.weights.min() < 0:
            raise ValueError("WeightedRandomSampler takes a vector of weights, 0 or more, that are not all 0")
        if index(num_samples) < 1 or (not replacement and num_samples > np.count_nonzero(self.weights)):
            raise ValueError(f"{num_samples} samples cannot be drawn from {len(self.weights)} weights")
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __len__(self) -> int:
        return self.num_samples

    def __iter__(self) -> Iterator[int]:
        rng, p = self.generator or default_generator(), self.weights / self.weights.sum()
        return iter(rng.choice(len(p), self.num_samples, self.replacement, p).tolist())


class BatchSampler:
    """Lists of ``batch_size`` numbers from a sampler; the last may be shorter, or is left out if ``drop_last``."""

    def __init__(self, sampler: Any, batch_size: int, drop_last: bool) -> None:
        if index(batch_size) < 1:
            raise ValueError(f"batch_size is 1 or more; got {batch_size}")
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __len__(self) -> int:
        count = len(self.sampler)
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        return _chunks(self.sampler, self.batch_size, self.drop_last)


def _chunks(entries: Iterable[Any], size: int, drop_last: bool) -> Iterator[list[Any]]:
    iterator = iter(entries)
    while chunk := list(islice(iterator, size)):
        if len(chunk) == size or not drop_last:
            yield chunk


# ---------------------------------------------------------------------- batches


def default_collate(batch: Sequence[Any]) -> Any:
    """Put samples together: arrays and tensors stacked along a new first axis, numbers as an array.

    Tuples, named tuples, lists and dicts are put together entry by entry; strings and other objects stay a list.
    Raises ValueError for no samples and for samples of different shapes or lengths.
    """
    if not len(batch):
        raise ValueError("there are no samples to put together")
    first = batch[0]
    if isinstance(first, Tensor):
        return np.stack(batch)
    if isinstance(first, (np.ndarray, np.generic, Real)):
        shapes = {np.shape(sample) for sample in batch}
        if len(shapes) > 1:
            raise ValueError(f"samples of shapes {sorted(shapes)} do not stack; pass a collate_fn that pads them")
        return np.stack(batch)
    if isinstance(first, Mapping):
        return {key: default_collate([sample[key] for sample in batch]) for key in first}
    if isinstance(first, (tuple, list)):
        if any(len(sample) != len(first) for sample in batch):
            raise ValueError("samples of different lengths do not stack; pass a collate_fn that pads them")
        columns = [default_collate(column) for column in zip(*batch, strict=True)]
        return type(first)(*columns) if hasattr(first, "_fields") else type(first)(columns)
    return list(batch)


def _batch(dataset: Any, indices: Sequence[int], collate: Callable[[Any], Any]) -> Any:
    if collate is default_collate and hasattr(dataset, "batch"):
        return dataset.batch(indices)
    if hasattr(dataset, "__getitems__"):
        return collate(dataset.__getitems__(indices))
    return collate([dataset[i] for i in indices])


class DataLoader:
    """Batches of a dataset, anew at every iteration.

    Parameters
    ----------
    dataset : Dataset, a sequence, or IterableDataset
        Whatever has ``__getitem__`` and ``__len__``, or else is iterable.
    batch_size : int or None
        How many samples a batch has; None gives the samples one by one, not put together.
    shuffle : bool
        Whether the order is random, another at every iteration.
    sampler, batch_sampler : iterable, optional
        The numbers of samples in another order, or lists of them, one for each batch.
    collate_fn : callable, optional
        Puts a list of samples together; :func:`default_collate` otherwise.
    drop_last : bool
        Whether a last batch that is too short is left out.
    generator : numpy Generator, optional
        Decides the order; the library's own (``autograd.manual_seed``) otherwise.
    progress : bool or str
        Whether to show a progress bar, with that text before it.

    Raises
    ------
    ValueError
        For options that exclude each other, and a batch size below 1.
    ImportError
        For a progress bar without the package tqdm.

    Notes
    -----
    Datasets of arrays are indexed once for a whole batch. Everything happens in the calling thread.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool = False,
        sampler: Any = None,
        batch_sampler: Any = None,
        *,
        collate_fn: Callable[[Any], Any] | None = None,
        drop_last: bool = False,
        generator: np.random.Generator | None = None,
        progress: bool | str = False,
    ) -> None:
        if batch_size is not None and index(batch_size) < 1:
            raise ValueError(f"batch_size is 1 or more, or None; got {batch_size}")
        if batch_size is None and drop_last:
            raise ValueError("drop_last has no meaning without a batch_size")
        streams = not hasattr(dataset, "__getitem__")
        if streams and (shuffle or sampler is not None or batch_sampler is not None):
            raise ValueError("a dataset that can only be iterated over has no order to change")
        if sampler is not None and shuffle:
            raise ValueError("give a sampler or shuffle=True, not both")
        if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
            raise ValueError("batch_sampler excludes batch_size, shuffle, sampler and drop_last")
        self.dataset = dataset
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.collate_fn = default_collate if collate_fn is None else collate_fn
        self.progress = progress
        if not streams and sampler is None and batch_sampler is None:
            sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        self.sampler = sampler
        if batch_sampler is None and sampler is not None and batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.batch_sampler = batch_sampler

    def __len__(self) -> int:
        """The number of batches; raises TypeError where the dataset does not know its length."""
        if self.batch_sampler is not None:
            return len(self.batch_sampler)
        if self.sampler is not None:
            return len(self.sampler)
        count = len(self.dataset)
        if self.batch_size is None:
            return count
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        return iter(shown(self._batches(), self.progress, self._count()))

    def _count(self) -> int | None:
        try:
            return len(self)
        except TypeError:
            return None

    def _batches(self) -> Iterator[Any]:
        if self.batch_sampler is not None:
            for indices in self.batch_sampler:
                yield _batch(self.dataset, indices, self.collate_fn)
        elif self.sampler is not None:
            for i in self.sampler:
                yield self.dataset[i]
        elif self.batch_size is None:
            yield from self.dataset
        else:
            for samples in _chunks(self.dataset, self.batch_size, self.drop_last):
                yield self.collate_fn(samples)
