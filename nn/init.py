"""Starting values of parameters, drawn in place.

Every function fills a tensor, without recording it, and returns it. ``generator`` is a NumPy
``Generator``; without one the library's own is used, which ``autograd.manual_seed`` seeds.
"""

from __future__ import annotations

from math import ceil, prod, sqrt
from typing import Any

import numpy as np

from autograd import Tensor
from autograd.memory import touch
from autograd.random import default_generator

__all__ = [
    "calculate_gain",
    "constant_",
    "dirac_",
    "eye_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "sparse_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]


def _fill(tensor: Any, values: Any, operation: str) -> Any:
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{operation}() fills a Tensor; got {type(tensor).__name__}")
    if not tensor.is_leaf:
        raise RuntimeError(f"{operation}() on a computed tensor; initialise leaves, such as parameters")
    array = tensor.numpy()
    array[...] = values
    touch(array, operation=operation)
    return tensor


# ---------------------------------------------------------------------- plain values


def constant_(tensor: Any, val: float) -> Any:
    """Every entry is ``val``."""
    return _fill(tensor, val, "constant_")


def zeros_(tensor: Any) -> Any:
    """Every entry is 0."""
    return _fill(tensor, 0, "zeros_")


def ones_(tensor: Any) -> Any:
    """Every entry is 1."""
    return _fill(tensor, 1, "ones_")


def uniform_(tensor: Any, a: float = 0.0, b: float = 1.0, generator: np.random.Generator | None = None) -> Any:
    """Entries from ``U(a, b)``. Raises ValueError for ``a > b``."""
    if a > b:
        raise ValueError(f"uniform_() between a = {a} and b = {b}: a is the lower end")
    return _fill(tensor, (generator or default_generator()).uniform(a, b, tensor.shape), "uniform_")


def normal_(tensor: Any, mean: float = 0.0, std: float = 1.0, generator: np.random.Generator | None = None) -> Any:
    """Entries from ``N(mean, std²)``. Raises ValueError for a negative ``std``."""
    if std < 0:
        raise ValueError(f"normal_() with std = {std}: a standard deviation cannot be negative")
    return _fill(tensor, (generator or default_generator()).normal(mean, std, tensor.shape), "normal_")


def trunc_normal_(
    tensor: Any,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: np.random.Generator | None = None,
) -> Any:
    """Entries from ``N(mean, std²)`` restricted to [a, b], drawn through the inverse of the distribution function.

    Raises ValueError unless ``a < b`` and ``std > 0``, and where [a, b] lies so far out that it has no weight.
    """
    from scipy.special import ndtr, ndtri

    if not (a < b and std > 0):
        raise ValueError(f"trunc_normal_() takes a < b and std > 0; got a = {a}, b = {b}, std = {std}")
    # Far above the mean both ends have the probability 1 in floats; mirrored, they do not.
    mirrored = -1 if a > mean else 1
    low, high = sorted((mirrored * (a - mean) / std, mirrored * (b - mean) / std))
    if ndtr(low) == ndtr(high):
        raise ValueError(f"trunc_normal_(): N({mean}, {std}²) has no weight between {a} and {b}")
    uniform = (generator or default_generator()).uniform(ndtr(low), ndtr(high), tensor.shape)
    return _fill(tensor, np.clip(mean + mirrored * std * ndtri(uniform), a, b), "trunc_normal_")


# ---------------------------------------------------------------------- matrices


def _matrix(tensor: Any, operation: str) -> tuple[int, int]:
    if len(tensor.shape) != 2:
        raise ValueError(f"{operation}() takes a tensor of two axes; got shape {tensor.shape}")
    return tensor.shape


def eye_(tensor: Any) -> Any:
    """The identity: 1 on the diagonal, 0 elsewhere. Raises ValueError unless the tensor has two axes."""
    return _fill(tensor, np.eye(*_matrix(tensor, "eye_")), "eye_")


def dirac_(tensor: Any, groups: int = 1) -> Any:
    """Kernels (n_out, n_in/groups, *kernel) that let a convolution pass its input channels on, group by group.

    Raises ValueError for a tensor with other than 3 to 5 axes and for groups that do not divide n_out.
    """
    shape = tensor.shape
    if len(shape) not in (3, 4, 5):
        raise ValueError(f"dirac_() takes kernels with 3, 4 or 5 axes; got shape {shape}")
    if groups < 1 or shape[0] % groups:
        raise ValueError(f"dirac_(): {groups} groups do not divide {shape[0]} output channels")
    values = np.zeros(shape)
    centre = tuple(n // 2 for n in shape[2:])
    per_group = shape[0] // groups
    for group in range(groups):
        for channel in range(min(per_group, shape[1])):
            values[(group * per_group + channel, channel, *centre)] = 1
    return _fill(tensor, values, "dirac_")


def orthogonal_(tensor: Any, gain: float = 1.0, generator: np.random.Generator | None = None) -> Any:
    """``gain`` times a random matrix with orthonormal rows or columns, whichever are fewer (Saxe et al. 2014).

    Later axes count as columns. The matrix is uniformly distributed: the QR factorisation of a normal one, with
    the signs of R's diagonal moved to Q (Mezzadri 2007). Raises ValueError for fewer than two axes.
    """
    if len(tensor.shape) < 2:
        raise ValueError(f"orthogonal_() takes a tensor of two or more axes; got shape {tensor.shape}")
    rows, columns = tensor.shape[0], prod(tensor.shape[1:])
    normal = (generator or default_generator()).normal(size=(max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(normal)
    q *= np.sign(np.diagonal(r))
    return _fill(tensor, gain * (q if rows >= columns else q.T).reshape(tensor.shape), "orthogonal_")


def sparse_(tensor: Any, sparsity: float, std: float = 0.01, generator: np.random.Generator | None = None) -> Any:
    """``N(0, std²)`` with a share of zeros in every column, ``⌈sparsity · rows⌉`` of them (Martens 2010).

    Raises ValueError unless the tensor has two axes and ``0 ≤ sparsity ≤ 1``.
    """
    rows, columns = _matrix(tensor, "sparse_")
    if not 0 <= sparsity <= 1:
        raise ValueError(f"sparse_(): sparsity lies in [0, 1]; got {sparsity}")
    rng = generator or default_generator()
    values = rng.normal(0, std, (rows, columns))
    order = rng.permuted(np.tile(np.arange(rows)[:, None], (1, columns)), axis=0)
    values[order < ceil(sparsity * rows)] = 0
    return _fill(tensor, values, "sparse_")


# ---------------------------------------------------------------------- scaled by the layer's size


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """By how much the weights before a nonlinearity are scaled so that its outputs keep their variance.

    1 for "linear", "sigmoid" and convolutions, 5/3 for "tanh", √2 for "relu", √(2/(1 + α²)) for
    "leaky_relu" with slope ``param`` = α (0.01 if None), 3/4 for "selu" (He et al. 2015; PyTorch's table).
    Raises ValueError for another name.
    """
    linear = "linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"
    gains = {
        **dict.fromkeys((*linear, "sigmoid"), 1.0),
        "tanh": 5 / 3,
        "relu": sqrt(2),
        "leaky_relu": sqrt(2 / (1 + (0.01 if param is None else param) ** 2)),
        "selu": 3 / 4,
    }
    if nonlinearity not in gains:
        raise ValueError(f"no gain is known for {nonlinearity!r}; known are {', '.join(sorted(gains))}")
    return gains[nonlinearity]


def _fans(tensor: Any, operation: str) -> tuple[int, int]:
    """Inputs and outputs per unit of a weight of shape (n_out, n_in, *kernel)."""
    if len(tensor.shape) < 2:
        raise ValueError(f"{operation}() takes weights of shape (n_out, n_in, …); got shape {tensor.shape}")
    receptive_field = prod(tensor.shape[2:])
    return tensor.shape[1] * receptive_field, tensor.shape[0] * receptive_field


def _xavier_std(tensor: Any, gain: float, operation: str) -> float:
    return gain * sqrt(2 / max(1, sum(_fans(tensor, operation))))


def _kaiming_std(tensor: Any, a: float, mode: str, nonlinearity: str, operation: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"{operation}(): mode is 'fan_in' or 'fan_out'; got {mode!r}")
    fan = _fans(tensor, operation)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / sqrt(max(1, fan))


def xavier_uniform_(tensor: Any, gain: float = 1.0, generator: np.random.Generator | None = None) -> Any:
    """``U(−a, a)`` with ``a = gain · √(6 / (n_in + n_out))`` (Glorot & Bengio 2010).

    Raises ValueError for a tensor with fewer than two axes.
    """
    bound = sqrt(3) * _xavier_std(tensor, gain, "xavier_uniform_")
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Any, gain: float = 1.0, generator: np.random.Generator | None = None) -> Any:
    """``N(0, gain² · 2 / (n_in + n_out))``, the second number a variance (Glorot & Bengio 2010).

    Raises ValueError for a tensor with fewer than two axes.
    """
    return normal_(tensor, 0, _xavier_std(tensor, gain, "xavier_normal_"), generator)


def kaiming_uniform_(
    tensor: Any,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: np.random.Generator | None = None,
) -> Any:
    """``U(−b, b)`` with ``b = gain · √(3 / fan)`` (He et al. 2015).

    ``fan`` is n_in ("fan_in": the forward pass keeps its variance) or n_out ("fan_out": the backward pass
    does); ``a`` is the slope of "leaky_relu". Raises ValueError for a tensor with fewer than two axes, and
    for an unknown mode or nonlinearity.
    """
    bound = sqrt(3) * _kaiming_std(tensor, a, mode, nonlinearity, "kaiming_uniform_")
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Any,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: np.random.Generator | None = None,
) -> Any:
    """``N(0, gain² / fan)``, the second number a variance; arguments as of ``kaiming_uniform_`` (He et al. 2015)."""
    return normal_(tensor, 0, _kaiming_std(tensor, a, mode, nonlinearity, "kaiming_normal_"), generator)
