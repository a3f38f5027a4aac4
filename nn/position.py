"""Positions of sequences: sines that are added, and rotations of queries and keys."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import Tensor, linear
from autograd.dispatch import Differentiable
from nn.module import Module

__all__ = ["RotaryPositions", "SinusoidalPositions", "rotary_embedding", "sinusoidal_positions"]


def _angles(positions: Any, features: int, base: float) -> Any:
    """``p / base^(2i/features)`` for ``i`` from 0 to half the features, in float64: (…, ⌈features/2⌉)."""
    if base <= 0:
        raise ValueError(f"the base of the wavelengths is positive; got {base}")
    return np.asarray(positions, np.float64)[..., None] / base ** (np.arange(0, features, 2) / max(1, features))


def _as_floats(name: str, input: Any) -> Any:
    input = input if isinstance(input, Differentiable) else np.asarray(input)
    if input.dtype.kind != "f":
        raise TypeError(f"{name} takes floats; got {input.dtype}")
    if input.ndim < 2:
        raise ValueError(f"{name} takes inputs with axes of time and features; got shape {input.shape}")
    return input


def _rows(name: str, length: int, offset: int, steps: int) -> slice:
    if offset < 0 or offset + steps > length:
        raise ValueError(f"{name} has positions 0 to {length - 1}; got {steps} steps from {offset}: raise max_len")
    return slice(offset, offset + steps)


# ---------------------------------------------------------------------- added


def sinusoidal_positions(length: int, features: int, base: float = 10000.0, *, dtype: Any = None) -> Any:
    """The array (length, features) with ``sin(p/base^(2i/E))`` in column 2i and the cosine in column 2i + 1.

    Source: Vaswani et al. 2017. float32 by default. Raises ValueError for negative sizes and ``base ≤ 0``.
    """
    if length < 0 or features < 0:
        raise ValueError(f"sinusoidal_positions({length}, {features}): sizes cannot be negative")
    angles = _angles(np.arange(length), features, base)
    table = np.empty((length, features), np.float32 if dtype is None else dtype)
    table[:, 0::2] = np.sin(angles)
    table[:, 1::2] = np.cos(angles[:, : features // 2])
    return table


class SinusoidalPositions(Module):
    """Adds :func:`sinusoidal_positions` to its input.

    Parameters
    ----------
    features : int
        E.
    max_len : int
        How many positions there are.
    base : float
        The wavelengths go from 2π to 2π · base.
    batch_first : bool
        Inputs (N, T, E) instead of (T, N, E), as of the layers of the transformer; (T, E) goes with both.
    dtype : optional
        Of the table; float32 by default.

    Notes
    -----
    The table is the buffer ``positions``, which is not in ``state_dict``; ``forward(input, offset=0)`` counts
    positions from ``offset``, and raises ValueError for inputs that do not fit
    and positions past ``max_len``, TypeError for those that are not floats.
    """

    positions: Tensor

    def __init__(
        self,
        features: int,
        max_len: int = 5000,
        base: float = 10000.0,
        batch_first: bool = False,
        *,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.features = features
        self.max_len = max_len
        self.base = base
        self.batch_first = batch_first
        table = sinusoidal_positions(max_len, features, base, dtype=dtype)
        self.register_buffer("positions", table, persistent=False)

    def forward(self, input: Any, offset: int = 0) -> Any:
        input = _as_floats("SinusoidalPositions", input)
        if input.ndim > 3 or input.shape[-1] != self.features:
            layout = "(N, T" if self.batch_first else "(T, N"
            raise ValueError(
                f"this SinusoidalPositions takes inputs {layout}, {self.features}) or (T, {self.features}); "
                f"got {input.shape}"
            )
        spread = input.ndim == 3 and not self.batch_first
        steps = input.shape[0 if spread else -2]
        table = self.positions.numpy()[_rows("SinusoidalPositions", self.max_len, offset, steps)]
        return input + (table[:, None] if spread else table).astype(input.dtype, copy=False)

    def extra_repr(self) -> str:
        return f"{self.features}, max_len={self.max_len}, base={self.base}, batch_first={self.batch_first}"


# ---------------------------------------------------------------------- rotated


def _rotated(input: Any, cos: Any, sin: Any, interleaved: bool) -> Any:
    """Each pair of features ``(a, b)`` as ``(a cos − b sin, a sin + b cos)``."""
    half = input.shape[-1] // 2
    first, second = (np.s_[..., 0::2], np.s_[..., 1::2]) if interleaved else (np.s_[..., :half], np.s_[..., half:])
    a, b = input[first], input[second]
    out = np.empty(input.shape, input.dtype)
    np.subtract(a * cos, b * sin, out=out[first])
    np.add(a * sin, b * cos, out=out[second])
    return out


_rotate: Any = linear(
    _rotated,
    input=lambda g, cos, sin, interleaved: _rotate(g, cos, -sin, interleaved),  # a rotation's transpose: back
    name="rotary_embedding",
)


def _check_features(name: str, features: int) -> None:
    if features < 0 or features % 2:
        raise ValueError(f"{name} turns pairs of features, so their number is even; got {features}")


def rotary_embedding(input: Any, positions: Any = None, base: float = 10000.0, interleaved: bool = False) -> Any:
    """Turn pair ``i`` of the features at position p by the angle ``p/base^(2i/D)`` (Su et al. 2021).

    Parameters
    ----------
    input : (…, T, D)
        Queries or keys, D even.
    positions : (…, T), optional
        Any numbers, which broadcast to the input's axes but the last; 0, 1, …, T − 1 by default.
    base : float
        The wavelengths go from 2π to 2π · base.
    interleaved : bool
        Pairs are (0, 1), (2, 3), …, as in the article; by default (0, D/2), (1, D/2 + 1), …: halves.

    Returns
    -------
    Of the input's shape and dtype. The inner product of a query and a key depends on the difference of their
    positions alone.

    Raises
    ------
    ValueError
        For an odd D, positions that do not fit, and ``base ≤ 0``.
    TypeError
        For inputs that are not floats.
    """
    input = _as_floats("rotary_embedding()", input)
    _check_features("rotary_embedding()", input.shape[-1])
    positions = np.arange(input.shape[-2]) if positions is None else np.asarray(positions)
    lead = input.shape[:-1]
    try:
        fits = np.broadcast_shapes(positions.shape, lead) == lead
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"rotary_embedding() takes positions that broadcast to {lead}; got {positions.shape}")
    angles = _angles(positions, input.shape[-1], base)
    cos, sin = np.cos(angles).astype(input.dtype), np.sin(angles).astype(input.dtype)
    return _rotate(input, cos, sin, bool(interleaved))


class RotaryPositions(Module):
    """:func:`rotary_embedding` with angles computed once.

    Parameters
    ----------
    features : int
        D, even: those of a head.
    max_len : int
        How many positions there are.
    base, interleaved
        As of :func:`rotary_embedding`.
    dtype : optional
        Of the tables; float32 by default.

    Notes
    -----
    The tables are the buffers ``cos`` and ``sin``, which are not in ``state_dict``; ``forward(input, offset=0)``
    counts positions from ``offset``, and raises ValueError for inputs that do not fit
    and positions past ``max_len``, TypeError for those that are not floats.
    """

    cos: Tensor
    sin: Tensor

    def __init__(
        self,
        features: int,
        max_len: int = 2048,
        base: float = 10000.0,
        interleaved: bool = False,
        *,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        _check_features("RotaryPositions", features)
        self.features = features
        self.max_len = max_len
        self.base = base
        self.interleaved = interleaved
        angles = _angles(np.arange(max_len), features, base)
        kind = np.float32 if dtype is None else dtype
        self.register_buffer("cos", np.cos(angles).astype(kind), persistent=False)
        self.register_buffer("sin", np.sin(angles).astype(kind), persistent=False)

    def forward(self, input: Any, offset: int = 0) -> Any:
        input = _as_floats("RotaryPositions", input)
        if input.shape[-1] != self.features:
            raise ValueError(f"this RotaryPositions takes inputs (…, T, {self.features}); got {input.shape}")
        rows = _rows("RotaryPositions", self.max_len, offset, input.shape[-2])
        cos, sin = (table.numpy()[rows].astype(input.dtype, copy=False) for table in (self.cos, self.sin))
        return _rotate(input, cos, sin, self.interleaved)

    def extra_repr(self) -> str:
        return f"{self.features}, max_len={self.max_len}, base={self.base}, interleaved={self.interleaved}"
