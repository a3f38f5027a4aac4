"""Other resolutions: interpolation along axes, and channels exchanged for pixels."""

from __future__ import annotations

from functools import lru_cache
from math import floor, prod
from operator import index
from typing import Any

import numpy as np

from autograd.dispatch import Differentiable
from nn._pools import grid_of, pool_spread
from nn._taps import Taps, weighted
from nn.module import Module
from nn.pooling import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d

__all__ = [
    "ChannelShuffle", "PixelShuffle", "PixelUnshuffle", "Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d",
    "channel_shuffle", "interpolate", "pixel_shuffle", "pixel_unshuffle",
]  # fmt: skip

AXES = {"linear": (1,), "bilinear": (2,), "bicubic": (2,), "trilinear": (3,)}  # the other modes take 1 to 3
CUBIC = -0.75  # the slope of Keys' kernel at 1, as in PyTorch

Sides = tuple[int, ...]


# ---------------------------------------------------------------------- the maps of one axis


def _nearest(places: Any, side: int) -> tuple[Any, Any]:
    return np.minimum(np.floor(places).astype(np.intp), side - 1)[:, None], np.ones((len(places), 1))


def _linear(places: Any, side: int) -> tuple[Any, Any]:
    places = np.maximum(places, 0.0)
    low = np.minimum(np.floor(places).astype(np.intp), side - 1)
    part = np.minimum(places - low, 1.0)
    return np.stack([low, np.minimum(low + 1, side - 1)], 1), np.stack([1 - part, part], 1)


def _cubic(places: Any, side: int) -> tuple[Any, Any]:
    low = np.floor(places)
    sources = low.astype(np.intp)[:, None] + np.arange(-1, 3)
    d = np.abs((places - low)[:, None] - np.arange(-1, 3))
    near = ((CUBIC + 2) * d - (CUBIC + 3)) * d * d + 1
    far = ((CUBIC * d - 5 * CUBIC) * d + 8 * CUBIC) * d - 4 * CUBIC
    return np.clip(sources, 0, side - 1), np.where(d <= 1, near, far)


@lru_cache(maxsize=512)
def _taps(side: int, count: int, factor: float | None, mode: str, align_corners: bool) -> Taps:
    """The map of an axis of ``side`` entries to ``count``."""
    i = np.arange(count)
    if mode in ("nearest", "nearest-exact"):
        # PyTorch rounds these products to float32, which decides between neighbours.
        step = np.float32(side / count if factor is None else 1 / factor)
        return Taps(*_nearest((i.astype(np.float32) + np.float32(mode != "nearest") / 2) * step, side), side)
    if align_corners:
        places = i * ((side - 1) / (count - 1) if count > 1 else 0.0)
    else:
        places = (i + 0.5) * (side / count if factor is None else 1 / factor) - 0.5
    return Taps(*(_cubic if mode == "bicubic" else _linear)(places, side), side)


# ---------------------------------------------------------------------- the function


def interpolate(
    input: Any,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Any:
    """``input`` (N, C, *sides) at another resolution: 1 to 3 axes after N and C.

    Parameters
    ----------
    size, scale_factor : one of them, a number or one for each axis
        The new sides, or by what to multiply the old ones (rounded down).
    mode : {"nearest", "nearest-exact", "linear", "bilinear", "trilinear", "bicubic", "area"}
        Output i looks at x = (i + ½)·s − ½ of its axis, with s = 1/scale_factor or old side over new. "nearest"
        takes entry ⌊i·s⌋, "nearest-exact" ⌊(i + ½)·s⌋; the linear ones, named after how many axes they take,
        interpolate between two neighbours, "bicubic" between four by the kernel of Keys (1981) with slope −¾;
        "area" is :func:`adaptive_avg_pool2d`.
    align_corners : bool, optional
        For the linear and cubic modes: x = i·(side − 1)/(new side − 1), so that corners stay corners.
    recompute_scale_factor : bool, optional
        With ``scale_factor``: s is old side over new, after rounding.

    Raises
    ------
    ValueError
        For other modes, shapes and sizes, options that the mode does not have, and ``antialias``.
    TypeError
        For inputs that are not floating in modes other than the nearest ones.
    """
    input = input if isinstance(input, Differentiable) else np.asarray(input)
    _check(input, mode, align_corners, antialias)
    sides = input.shape[2:]
    counts, factors = _target(sides, size, scale_factor, recompute_scale_factor)
    factors = tuple(
        None if _by_sides(n, m, mode, len(sides)) else f for n, m, f in zip(sides, counts, factors, strict=True)
    )
    if mode == "area":
        return (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d)[len(sides) - 1](input, counts)
    if mode == "nearest" and _multiplies(sides, counts, factors):
        times = tuple(m // n for n, m in zip(sides, counts, strict=True))
        return pool_spread(input, grid_of(counts, times, times, (0,) * len(sides), (1,) * len(sides), sides), None)
    taps = tuple(_taps(n, m, f, mode, bool(align_corners)) for n, m, f in zip(sides, counts, factors, strict=True))
    return weighted(input, taps)


def _by_sides(side: int, count: int, mode: str, ndim: int) -> bool:
    """Where PyTorch goes by the sides whatever the factor: for equal ones, and nearest images of twice the size."""
    if mode == "nearest":
        return ndim == 2 and count in (side, 2 * side)
    return side == count and mode in ("linear", "bilinear", "trilinear")


def _multiplies(sides: Sides, counts: Sides, factors: Any) -> bool:
    return all(m % n == 0 and f in (None, m // n) for n, m, f in zip(sides, counts, factors, strict=True))


def _check(input: Any, mode: str, align_corners: bool | None, antialias: bool) -> None:
    ndim = len(input.shape) - 2
    if antialias:
        raise ValueError("interpolate() has no antialias; smooth the input first, or take mode 'area'")
    if mode not in (*AXES, "nearest", "nearest-exact", "area"):
        known = ", ".join(map(repr, ("nearest", "nearest-exact", *AXES, "area")))
        raise ValueError(f"interpolate() has the modes {known}; got {mode!r}")
    if ndim not in AXES.get(mode, (1, 2, 3)):
        axes = " or ".join(str(n + 2) for n in AXES.get(mode, (1, 2, 3)))
        raise ValueError(f"interpolate() in mode {mode!r} takes inputs (N, C, …) with {axes} axes; got {input.shape}")
    if align_corners is not None and mode not in AXES:
        raise ValueError(f"interpolate() in mode {mode!r} has no align_corners; leave it out")
    if mode in AXES and input.dtype.kind not in "fc":
        raise TypeError(f"interpolate() in mode {mode!r} takes floating inputs; got {input.dtype}")
    if 0 in input.shape[2:]:
        raise ValueError(f"interpolate() takes sides of at least 1; got {input.shape}")


def _target(sides: Sides, size: Any, scale_factor: Any, recompute: bool | None) -> tuple[Sides, tuple[Any, ...]]:
    """New sides, and by what to scale coordinates (None: by the sides)."""
    if (size is None) == (scale_factor is None):
        raise ValueError(f"interpolate() takes either size or scale_factor; got {size!r} and {scale_factor!r}")
    values: Any = size if scale_factor is None else scale_factor
    no_factors: tuple[Any, ...] = (None,) * len(sides)
    values = tuple(values) if isinstance(values, (tuple, list)) else (values,) * len(sides)
    if len(values) != len(sides):
        raise ValueError(f"interpolate() of {len(sides)} axes takes one value or {len(sides)}; got {values}")
    if size is not None:
        if recompute:
            raise ValueError("interpolate(): recompute_scale_factor goes with scale_factor, not with size")
        counts, factors = tuple(map(index, values)), no_factors
    else:
        factors = tuple(map(float, values))
        counts = tuple(floor(n * f) for n, f in zip(sides, factors, strict=True))
        factors = no_factors if recompute else factors
    if min(counts) < 1:
        raise ValueError(f"interpolate() gives sides of at least 1; got {counts} for {sides}")
    return counts, factors


# ---------------------------------------------------------------------- channels and pixels


def _image(name: str, input: Any, factor: int) -> Any:
    input = input if isinstance(input, Differentiable) else np.asarray(input)
    if len(input.shape) < 3:
        raise ValueError(f"{name}() takes inputs (…, C, H, W); got shape {input.shape}")
    if factor < 1:
        raise ValueError(f"{name}() takes a factor of at least 1; got {factor}")
    return input


def pixel_shuffle(input: Any, upscale_factor: int) -> Any:
    """(…, C·r², H, W) to (…, C, H·r, W·r): ``out[c, h·r + i, w·r + j] = x[c·r² + i·r + j, h, w]`` (Shi et al. 2016).

    Raises ValueError for fewer than three axes, and channels that are no multiple of r².
    """
    r = index(upscale_factor)
    input = _image("pixel_shuffle", input, r)
    *lead, channels, height, width = input.shape
    if channels % (r * r):
        raise ValueError(f"pixel_shuffle() by {r} takes a multiple of {r * r} channels; got {channels}")
    parts = np.reshape(input, (prod(lead), channels // (r * r), r, r, height, width))
    return np.reshape(np.transpose(parts, (0, 1, 4, 2, 5, 3)), (*lead, channels // (r * r), height * r, width * r))


def pixel_unshuffle(input: Any, downscale_factor: int) -> Any:
    """(…, C, H·r, W·r) to (…, C·r², H, W): the inverse of :func:`pixel_shuffle`.

    Raises ValueError for fewer than three axes, and sides that are no multiples of r.
    """
    r = index(downscale_factor)
    input = _image("pixel_unshuffle", input, r)
    *lead, channels, height, width = input.shape
    if height % r or width % r:
        raise ValueError(f"pixel_unshuffle() by {r} takes sides that are multiples of it; got {(height, width)}")
    parts = np.reshape(input, (prod(lead), channels, height // r, r, width // r, r))
    return np.reshape(np.transpose(parts, (0, 1, 3, 5, 2, 4)), (*lead, channels * r * r, height // r, width // r))


def channel_shuffle(input: Any, groups: int) -> Any:
    """Channels of (N, C, …) dealt from groups: ``out[:, i·groups + j] = x[:, j·C/groups + i]`` (Zhang et al. 2018).

    Raises ValueError for fewer than three axes, and channels that are no multiple of ``groups``.
    """
    groups = index(groups)
    input = _image("channel_shuffle", input, groups)
    samples, channels, *sides = input.shape
    if channels % groups:
        raise ValueError(f"channel_shuffle() takes a multiple of {groups} channels; got {channels}")
    parts = np.reshape(input, (samples, groups, channels // groups, prod(sides)))
    return np.reshape(np.transpose(parts, (0, 2, 1, 3)), input.shape)


# ---------------------------------------------------------------------- modules


class Upsample(Module):
    """:func:`interpolate` as a module."""

    def __init__(
        self,
        size: Any = None,
        scale_factor: Any = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        self.size = size
        if isinstance(scale_factor, (tuple, list)):
            self.scale_factor: Any = tuple(map(float, scale_factor))
        else:
            self.scale_factor = float(scale_factor) if scale_factor else None
        self.mode = mode
        self.align_corners = align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input: Any) -> Any:
        return interpolate(
            input, self.size, self.scale_factor, self.mode, self.align_corners, self.recompute_scale_factor
        )

    def extra_repr(self) -> str:
        which = f"size={self.size}" if self.scale_factor is None else f"scale_factor={self.scale_factor}"
        return f"{which}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """:class:`Upsample` of (N, C, H, W) to the nearest entries."""

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """:class:`Upsample` of (N, C, H, W), bilinear with aligned corners."""

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)


class PixelShuffle(Module):
    """:func:`pixel_shuffle` as a module."""

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Any) -> Any:
        return pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """:func:`pixel_unshuffle` as a module."""

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Any) -> Any:
        return pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        return f"downscale_factor={self.downscale_factor}"


class ChannelShuffle(Module):
    """:func:`channel_shuffle` as a module."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, input: Any) -> Any:
        return channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        return f"groups={self.groups}"
