"""Embeddings: rows of a table looked up by index, one by one or in bags."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from autograd import linear, primitive
from autograd.dispatch import bare
from autograd.memory import touch
from nn import init
from nn.module import Module
from nn.parameter import Parameter, unset

__all__ = ["Embedding", "EmbeddingBag", "embedding", "embedding_bag"]

LARGE = 4096  # numbers from which a sparse matrix product adds rows faster than np.add.at


# ---------------------------------------------------------------------- rows, there and back


def _gathered(rows: Any, index: Any, padding: int | None) -> Any:
    """``rows[index]``, with zeros where the index is ``padding``."""
    out = np.take(rows, index, axis=0)
    if padding is not None:
        out[index == padding] = 0
    return out


def _scattered(rows: Any, index: Any, count: int, padding: int | None) -> Any:
    """A table of ``count`` rows to which ``rows`` add where ``index`` says, but for ``padding``."""
    width = rows.shape[index.ndim :]
    flat, values = index.reshape(-1), rows.reshape((index.size, prod(width)))
    work = np.promote_types(rows.dtype, np.float32)  # float16 loses digits in sums, and SciPy has none
    if values.size < LARGE:
        out = np.zeros((count, prod(width)), work)
        np.add.at(out, flat, values)
    else:
        from scipy.sparse import csr_array

        picks = csr_array((np.ones(len(flat), work), flat, np.arange(len(flat) + 1)), shape=(len(flat), count))
        out = picks.T @ values.astype(work, copy=False)
    out = out.astype(rows.dtype, copy=False)
    if padding is not None:
        out[padding] = 0
    return out.reshape(count, *width)


gather_rows = linear(
    _gathered,
    rows=lambda g, index, rows_shape, padding: scatter_rows(g, index, rows_shape[0], padding),
    name="gather_rows",
)
scatter_rows: Any = linear(
    _scattered, rows=lambda g, index, padding: gather_rows(g, index, padding), name="scatter_rows"
)

# Apart from gather_rows because two options change the gradient alone: rows under the padding index get none, and
# ``share`` divides it by how often each index occurs.
_look_up = primitive(
    lambda weight, index, padding, share: np.take(weight, index, axis=0),
    vjp={
        "weight": lambda g, index, weight_shape, padding, share: scatter_rows(
            g if share is None else g * share, index, weight_shape[0], padding
        )
    },
    jvp={"weight": lambda t, index, padding: gather_rows(t, index, padding)},
    name="embedding",
)


# ---------------------------------------------------------------------- one by one


def embedding(
    input: Any,
    weight: Any,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
) -> Any:
    """Rows of a table: ``weight[input]``.

    Parameters
    ----------
    input : integers of any shape
    weight : (count, width)
    padding_idx : int, optional
        An index whose row gets no gradient; negative ones count from the end.
    max_norm, norm_type : float, optional
        Rows that are looked up are first scaled down, in place, to at most this p-norm.
    scale_grad_by_freq : bool
        Divide the gradient of a row by the number of times that it was looked up.

    Returns
    -------
    (*input.shape, width)

    Raises
    ------
    IndexError
        For an index outside the table.
    TypeError
        For indices that are no integers.
    ValueError
        For a table without two axes.
    """
    index = _indices("embedding", input, weight)
    padding = _padding("embedding", padding_idx, weight)
    if max_norm is not None:
        _renorm(weight, index, max_norm, norm_type)
    share = None
    if scale_grad_by_freq:
        counts = np.bincount(index.reshape(-1), minlength=weight.shape[0])
        share = (1 / counts[index])[..., None].astype(weight.dtype)
    return _look_up(weight, index, padding, share)


def _indices(name: str, input: Any, weight: Any) -> Any:
    index = np.asarray(bare(input))
    if index.dtype.kind not in "iu":
        raise TypeError(f"{name}() looks up integers; got dtype {index.dtype}")
    if len(np.shape(weight)) != 2:
        raise ValueError(f"{name}() takes a table of shape (count, width); got {np.shape(weight)}")
    count = weight.shape[0]
    if index.size and (index.min() < 0 or index.max() >= count):
        wrong = index.min() if index.min() < 0 else index.max()
        raise IndexError(f"{name}(): index {wrong} in a table of {count} rows")
    return index


def _padding(name: str, padding_idx: int | None, weight: Any) -> int | None:
    count = weight.shape[0]
    if padding_idx is not None and not -count <= padding_idx < count:
        raise IndexError(f"{name}(): padding_idx {padding_idx} in a table of {count} rows")
    return padding_idx if padding_idx is None else padding_idx % count


def _renorm(weight: Any, index: Any, max_norm: float, norm_type: float) -> None:
    table = bare(weight)
    used = np.unique(index)
    norms = np.linalg.norm(table[used], ord=norm_type, axis=1)
    long = norms > max_norm
    if long.any():
        table[used[long]] *= (max_norm / (norms[long] + 1e-7))[:, None].astype(table.dtype)
        touch(table, operation="embedding(max_norm=…)")


class _Table(Module):
    """What the two modules share."""

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None, max_norm: float | None,
        norm_type: float, scale_grad_by_freq: bool, weight: Any, dtype: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        if weight is None:
            self.weight = unset(num_embeddings, embedding_dim, dtype=dtype)
            self.padding_idx = _padding(type(self).__name__, padding_idx, self.weight)
            self.reset_parameters()
        else:
            if np.shape(weight) != (num_embeddings, embedding_dim):
                raise ValueError(f"a table of ({num_embeddings}, {embedding_dim}) rows; got {np.shape(weight)}")
            self.weight = weight if isinstance(weight, Parameter) else Parameter(weight)
            self.padding_idx = _padding(type(self).__name__, padding_idx, self.weight)

    def reset_parameters(self) -> None:
        """Draw the rows from N(0, 1); the padding row is 0."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight.data[self.padding_idx] = 0

    def _options(self, **defaults: Any) -> str:
        """Sizes, and the options that are not at their defaults."""
        shown = [f"{self.num_embeddings}, {self.embedding_dim}"]
        return ", ".join(
            shown + [f"{n}={getattr(self, n)!r}" for n, default in defaults.items() if getattr(self, n) != default]
        )


class Embedding(_Table):
    """:func:`embedding` with its table.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        Rows of the table and their width.
    padding_idx, max_norm, norm_type, scale_grad_by_freq
        As in :func:`embedding`; the padding row starts at 0.
    dtype : optional
        Of the table, which starts from N(0, 1); float32 by default.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        *,
        _weight: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, scale_grad_by_freq, _weight, dtype
        )

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Any,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
    ) -> Embedding:
        """A module around a table that is there already, without gradients if ``freeze``."""
        if len(np.shape(embeddings)) != 2:
            raise ValueError(f"a table has the shape (count, width); got {np.shape(embeddings)}")
        count, width = np.shape(embeddings)
        made = cls(count, width, padding_idx, max_norm, norm_type, scale_grad_by_freq, _weight=Parameter(embeddings))
        made.weight.requires_grad = not freeze
        return made

    def forward(self, input: Any) -> Any:
        return embedding(input, self.weight, self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq)

    def extra_repr(self) -> str:
        return self._options(padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False)


# ---------------------------------------------------------------------- in bags


def embedding_bag(
    input: Any,
    weight: Any,
    offsets: Any = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    per_sample_weights: Any = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Any:
    """Sums, means or maxima of rows of a table, bag by bag.

    Parameters
    ----------
    input : integers (bags, length), or (total,) with ``offsets``
    weight : (count, width)
    offsets : integers (bags,)
        Where each bag starts in a flat ``input``; with ``include_last_offset`` there is one more, the end.
    mode : {"sum", "mean", "max"}
    per_sample_weights : floats of ``input``'s shape, optional
        Factors of the rows, for "sum" only.
    padding_idx : int, optional
        An index that is left out of the bags.
    max_norm, norm_type, scale_grad_by_freq
        As in :func:`embedding`.

    Returns
    -------
    (bags, width)
        An empty bag gives zeros.

    Raises
    ------
    ValueError
        For shapes, offsets and modes that do not fit.
    IndexError, TypeError
        As :func:`embedding`.
    """
    index = _indices("embedding_bag", input, weight)
    padding = _padding("embedding_bag", padding_idx, weight)
    bag, count = _bags(index, offsets, include_last_offset)
    if mode not in ("sum", "mean", "max"):
        raise ValueError(f"mode is 'sum', 'mean' or 'max'; got {mode!r}")
    if per_sample_weights is not None:
        if mode != "sum":
            raise ValueError(f"per_sample_weights go with mode 'sum', not {mode!r}")
        if np.shape(per_sample_weights) != index.shape:
            raise ValueError(f"per_sample_weights of shape {np.shape(per_sample_weights)} for input {index.shape}")
        per_sample_weights = np.reshape(per_sample_weights, -1)
    flat = index.reshape(-1)
    if padding is not None:
        kept = np.flatnonzero(flat != padding)
        flat, bag = flat[kept], bag[kept]
        per_sample_weights = None if per_sample_weights is None else per_sample_weights[kept]
    rows = embedding(flat, weight, None, max_norm, norm_type, scale_grad_by_freq)
    if mode == "max":
        return _bag_maxima(rows, bag, count)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights[:, None]
    sums = scatter_rows(rows, bag, count, None)
    if mode == "sum":
        return sums
    sizes = np.maximum(np.bincount(bag, minlength=count), 1).astype(rows.dtype)
    return sums / sizes[:, None]


def _bags(index: Any, offsets: Any, include_last: bool) -> tuple[Any, int]:
    """The bag of every entry of the flat input, and the number of bags."""
    if index.ndim == 2:
        if offsets is not None:
            raise ValueError("offsets go with a flat input; the rows of this one are the bags")
        return np.repeat(np.arange(index.shape[0]), index.shape[1]), index.shape[0]
    if index.ndim != 1 or offsets is None:
        raise ValueError(f"embedding_bag() takes (bags, length) integers, or flat ones with offsets; got {index.shape}")
    starts = np.asarray(bare(offsets))
    ends = starts[1:] if include_last else np.append(starts[1:], index.size)
    starts = starts[:-1] if include_last else starts
    if starts.size and (starts[0] != 0 or ends[-1] != index.size or (ends < starts).any()):
        raise ValueError(f"offsets start at 0, never fall and end within {index.size}; got {starts.tolist()}")
    return np.repeat(np.arange(starts.size), ends - starts), starts.size


def _bag_maxima(rows: Any, bag: Any, count: int) -> Any:
    """The largest entries of each bag, the rows of which lie side by side, filled up with −∞."""
    sizes = np.bincount(bag, minlength=count)
    if not bag.size:
        return np.zeros((count, rows.shape[1]), rows.dtype)
    place = np.arange(bag.size) - (np.cumsum(sizes) - sizes)[bag]
    entries = np.zeros((count, sizes.max()), int)
    entries[bag, place] = np.arange(bag.size)
    there = np.arange(sizes.max()) < sizes[:, None]
    largest = np.max(np.where(there[..., None], rows[entries], -np.inf), axis=1)
    return np.where(sizes[:, None] > 0, largest, 0)


class EmbeddingBag(_Table):
    """:func:`embedding_bag` with its table.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        Rows of the table and their width.
    max_norm, norm_type, scale_grad_by_freq, mode, include_last_offset, padding_idx
        As in :func:`embedding_bag`; the padding row starts at 0.
    dtype : optional
        Of the table, which starts from N(0, 1); float32 by default.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        *,
        _weight: Any = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, scale_grad_by_freq, _weight, dtype
        )
        self.mode = mode
        self.include_last_offset = include_last_offset

    def forward(self, input: Any, offsets: Any = None, per_sample_weights: Any = None) -> Any:
        return embedding_bag(
            input, self.weight, offsets, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.mode,
            per_sample_weights, self.include_last_offset, self.padding_idx,
        )  # fmt: skip

    def extra_repr(self) -> str:
        options = self._options(max_norm=None, norm_type=2.0, scale_grad_by_freq=False)
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{options}, mode={self.mode!r}{padding}"
