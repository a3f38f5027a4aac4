"""Sequences of different lengths: padded into one array, or packed without padding.

A packed batch lists the entries of all sequences, longest first, time by time: those at time 0, then those at
time 1 of the sequences that are still there, and so on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from autograd.dispatch import Differentiable, bare

__all__ = [
    "PackedSequence", "pack_padded_sequence", "pack_sequence", "pad_packed_sequence", "pad_sequence",
    "unpack_sequence", "unpad_sequence",
]  # fmt: skip


class PackedSequence(NamedTuple):
    """A packed batch, as :func:`pack_padded_sequence` and the recurrent layers return it.

    Attributes
    ----------
    data : (entries, …)
    batch_sizes : (T,) integers, how many sequences are there at each time
    sorted_indices : which sequence of the caller's stands at each place; None if they came longest first
    unsorted_indices : at which place each sequence of the caller's stands; None likewise
    """

    data: Any
    batch_sizes: Any
    sorted_indices: Any = None
    unsorted_indices: Any = None

    @property
    def lengths(self) -> Any:
        """Lengths of the sequences, longest first."""
        places = np.arange(self.batch_sizes[0])
        return np.sum(self.batch_sizes[:, None] > places, axis=0)


def _array(value: Any) -> Any:
    return value if isinstance(value, Differentiable) else np.asarray(value)


def _present(lengths: Any, steps: int) -> Any:
    """Which entries (T, N) of a padded batch belong to sequences."""
    return np.arange(steps)[:, None] < lengths


def _checked_lengths(lengths: Any, steps: int, count: int, least: int) -> Any:
    lengths = np.asarray(bare(lengths))
    if lengths.shape != (count,) or lengths.dtype.kind not in "iu" or not count:
        raise ValueError(f"a batch has one or more sequences with an integer length each; got {lengths.tolist()}")
    if lengths.min() < least or lengths.max() > steps:
        raise ValueError(f"lengths lie between {least} and {steps}, the padded length; got {lengths.tolist()}")
    return lengths


def pack_padded_sequence(
    input: Any, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Pack a padded batch (T, N, …), or (N, T, …) if ``batch_first``, of sequences of these lengths.

    With ``enforce_sorted`` the lengths must not increase; otherwise the sequences are sorted, and sorted back where
    they are unpacked. Raises ValueError for lengths that do not fit or are not sorted.
    """
    input = _array(input)
    if len(input.shape) < 2:
        raise ValueError(f"pack_padded_sequence() takes a batch (T, N, …) or (N, T, …); got shape {input.shape}")
    if batch_first:
        input = np.swapaxes(input, 0, 1)
    lengths = _checked_lengths(lengths, input.shape[0], input.shape[1], least=1)
    order = None
    if not enforce_sorted:
        order = np.argsort(-lengths, kind="stable")
        lengths, input = lengths[order], input[:, order]
    elif np.any(np.diff(lengths) > 0):
        raise ValueError(f"the lengths increase; sort them or pass enforce_sorted=False; got {lengths.tolist()}")
    present = _present(lengths, int(lengths[0]))
    data = input[: len(present)][present]
    return PackedSequence(data, present.sum(axis=1), order, None if order is None else np.argsort(order))


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Any, Any]:
    """The padded batch (T, N, …), or (N, T, …) if ``batch_first``, and the lengths, in the caller's order.

    T is the longest length, or ``total_length``. Raises ValueError for a ``total_length`` below that.
    """
    padded, lengths = padded_by_time(sequence, padding_value, total_length), sequence.lengths
    if sequence.unsorted_indices is not None:
        padded, lengths = padded[:, sequence.unsorted_indices], lengths[sequence.unsorted_indices]
    return (np.swapaxes(padded, 0, 1) if batch_first else padded), lengths


def padded_by_time(sequence: PackedSequence, padding_value: float = 0.0, total_length: int | None = None) -> Any:
    """The padded batch (T, N, …), longest sequences first."""
    data = _array(sequence.data)
    longest = len(sequence.batch_sizes)
    steps = longest if total_length is None else total_length
    if steps < longest:
        raise ValueError(f"total_length is at least the longest length, {longest}; got {total_length}")
    present = _present(sequence.lengths, steps)
    places = np.full(present.shape, len(data))
    places[present] = np.arange(len(data))
    return np.concatenate([data, np.full((1, *data.shape[1:]), padding_value, data.dtype)])[places]


def pad_sequence(
    sequences: Sequence[Any], batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Any:
    """Sequences (T_i, …) padded to the longest, at the end or ("left") at the beginning: (T, N, …) or (N, T, …).

    Raises ValueError for no sequences, other shapes than (T_i, …) with equal …, and another side.
    """
    arrays = [_array(sequence) for sequence in sequences]
    if padding_side not in ("right", "left"):
        raise ValueError(f"padding_side is 'right' or 'left'; got {padding_side!r}")
    if not arrays or any(len(a.shape) < 1 or a.shape[1:] != arrays[0].shape[1:] for a in arrays):
        raise ValueError(f"pad_sequence() takes sequences (T_i, …) alike but for T_i; got {[a.shape for a in arrays]}")
    longest = max(a.shape[0] for a in arrays)
    rows = []
    for a in arrays:
        padding = np.full((longest - a.shape[0], *a.shape[1:]), padding_value, a.dtype)
        rows.append(np.concatenate([a, padding] if padding_side == "right" else [padding, a]))
    return np.stack(rows, axis=0 if batch_first else 1)


def pack_sequence(sequences: Sequence[Any], enforce_sorted: bool = True) -> PackedSequence:
    """Pack sequences (T_i, …); raises as :func:`pad_sequence` and :func:`pack_padded_sequence` do."""
    return pack_padded_sequence(
        pad_sequence(sequences), np.array([len(s) for s in sequences]), enforce_sorted=enforce_sorted
    )


def unpad_sequence(padded_sequences: Any, lengths: Any, batch_first: bool = False) -> list[Any]:
    """The sequences (T_i, …) of a padded batch. Raises ValueError for lengths that do not fit."""
    padded = _array(padded_sequences)
    by_sample = padded if batch_first else np.swapaxes(padded, 0, 1)
    lengths = _checked_lengths(lengths, by_sample.shape[1], by_sample.shape[0], least=0)
    return [by_sample[i, :n] for i, n in enumerate(lengths)]


def unpack_sequence(packed_sequences: PackedSequence) -> list[Any]:
    """The sequences (T_i, …) of a packed batch, in the caller's order."""
    return unpad_sequence(*pad_packed_sequence(packed_sequences))
