"""Smooth activations, and those that are exponential below 0: the functions and their modules.

Integers are converted to floats; complex numbers are refused where a formula is meant for real ones.
"""

from __future__ import annotations

from math import pi, sqrt
from typing import Any

import numpy as np

from autograd import elementwise
from autograd.dispatch import Differentiable, bare
from autograd.kernels import in_rows
from autograd.numpy.elementwise import sigmoid, tanh
from autograd.operands import check_real
from nn.inplace import InplaceModule
from nn.module import Module

__all__ = [
    "CELU", "ELU", "GELU", "LogSigmoid", "Mish", "SELU", "SiLU", "Sigmoid", "Softplus", "Softsign", "Tanh",
    "Tanhshrink", "celu", "elu", "gelu", "logsigmoid", "mish", "selu", "sigmoid", "silu", "silu_slope", "softplus",
    "softsign", "tanh", "tanhshrink",
]  # fmt: skip


# ---------------------------------------------------------------------- exponential below 0


def _celu(input: Any, alpha: float = 1.0) -> Any:
    """``z`` for ``z > 0``, else ``α(e^(z/α) − 1)`` (Barron 2017). Raises ValueError unless ``alpha > 0``."""
    if not alpha > 0:
        raise ValueError(f"celu() takes alpha > 0; got {alpha}")
    check_real("celu", input)
    below = np.minimum(input, 0)
    return np.maximum(input, 0) + alpha * np.expm1(below if alpha == 1 else below / alpha)


celu = elementwise(_celu, lambda input, alpha: np.exp(np.minimum(input, 0) / alpha), name="celu")


def _elu(input: Any, alpha: float = 1.0) -> Any:
    """``z`` for ``z > 0``, else ``α(e^z − 1)`` (Clevert, Unterthiner & Hochreiter 2016); the slope at 0 is α."""
    check_real("elu", input)
    return np.maximum(input, 0) + alpha * np.expm1(np.minimum(input, 0))


elu = elementwise(
    _elu,
    lambda g, input, alpha: np.where(bare(input) > 0, g, g * (alpha * np.exp(np.minimum(input, 0)))),
    name="elu",
)

SELU_SCALE = 1.0507009873554805
SELU_ALPHA = 1.6732632423543773


def _selu(input: Any) -> Any:
    """``λz`` for ``z > 0``, else ``λα(e^z − 1)``, which keeps mean 0 and variance 1 (Klambauer et al. 2017)."""
    check_real("selu", input)
    return SELU_SCALE * np.maximum(input, 0) + (SELU_SCALE * SELU_ALPHA) * np.expm1(np.minimum(input, 0))


selu = elementwise(
    _selu,
    lambda g, input: SELU_SCALE * np.where(bare(input) > 0, g, g * (SELU_ALPHA * np.exp(np.minimum(input, 0)))),
    name="selu",
)


# ---------------------------------------------------------------------- smooth


def _softplus(input: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """``log(1 + e^(βz)) / β``, and ``z`` itself where ``βz`` exceeds the threshold, as in PyTorch."""
    check_real("softplus", input)
    scaled = input if beta == 1 else beta * input
    smooth = np.log1p(np.exp(-np.abs(scaled))) + np.maximum(scaled, 0)
    return np.where(scaled > threshold, input, smooth if beta == 1 else smooth / beta)


softplus = elementwise(
    _softplus,
    lambda g, input, beta, threshold: np.where(beta * bare(input) > threshold, g, g * sigmoid(beta * input)),
    name="softplus",
)


def _logsigmoid(input: Any) -> Any:
    """``log σ(z) = −log(1 + e^(−z))``, for ``z`` of any size."""
    check_real("logsigmoid", input)
    return np.minimum(input, 0) - np.log1p(np.exp(-np.abs(input)))


logsigmoid = elementwise(_logsigmoid, lambda input: sigmoid(-input), name="logsigmoid")


def _softsign(input: Any) -> Any:
    """``z / (1 + |z|)`` (Bergstra et al. 2009)."""
    check_real("softsign", input)
    return input / (1 + np.abs(input))


softsign = elementwise(_softsign, lambda input: np.square(1 / (1 + np.abs(input))), name="softsign")


def _silu(input: Any) -> Any:
    """``z σ(z)``, also called swish (Elfwing, Uchibe & Doya 2018)."""
    found = in_rows("silu", input)
    return input * sigmoid(input) if found is None else found


def silu_slope(input: Any) -> Any:
    """``σ(z) (1 + z (1 − σ(z)))``."""
    found = in_rows("silu_slope", input)
    if found is not None:
        return found
    s = sigmoid(input)
    return s * (1 + input * (1 - s))


silu = elementwise(_silu, silu_slope, name="silu")


def _mish(input: Any) -> Any:
    """``z tanh(log(1 + e^z))`` (Misra 2020)."""
    check_real("mish", input)
    input = np.asarray(input)
    e = np.exp(np.minimum(input, 5 if input.dtype == np.float16 else 20))  # from there on the ratio below is 1
    n = e * (e + 2)
    return input * (n / (n + 2))


def _mish_slope(input: Any) -> Any:
    t = np.tanh(softplus(input))
    return t + input * sigmoid(input) * (1 - t * t)


mish = elementwise(_mish, _mish_slope, name="mish")


# Of P in erfc z = t e^(P(t) − z²), t = 1/(1 + z/2), fitted in the Chebyshev sense: the relative error is 1e-7.
_TAIL = (
    0.170891051, -0.822231333, 1.48865869, -1.13534334, 0.27894771, -0.186315043, 0.0967894238, 0.374091429, 1.0000237,
    -1.26551223,
)  # fmt: skip
_BLOCK = 16384  # entries that stay in the cache while many passes go over them


def _times_tail(x: Any) -> Any:
    """``x Φ(−x)`` of a float32 vector of ``x ≥ 0``, which is overwritten; with ``Φ(−x) = ½ erfc(x/√2)``."""
    x = np.minimum(x, 20, out=x)  # from there on it is 0
    z = sqrt(0.5) * x
    t = 0.5 * z
    t += 1
    np.reciprocal(t, out=t)
    p = t * _TAIL[0]
    for coefficient in _TAIL[1:-1]:
        p += coefficient
        p *= t
    p += _TAIL[-1]
    p -= np.square(z, out=z)
    np.exp(p, out=p)
    p *= t
    x *= 0.5
    x *= p
    return x


def _gelu(input: Any) -> Any:
    """``z Φ(z) = max(0, z) − |z| Φ(−|z|)``: exact in the tails, and for float32 twice as fast as by SciPy."""
    x = np.asarray(input)
    if x.dtype not in (np.float32, np.float16):
        return x * _normal_cdf(x)
    found = in_rows("gelu", x.astype(np.float32, copy=False))
    if found is not None:
        return found.astype(x.dtype, copy=False)
    out = np.empty(x.shape, np.float32)
    values, results = x.reshape(-1), out.reshape(-1)
    for start in range(0, x.size, _BLOCK):
        block = slice(start, start + _BLOCK)
        part = _times_tail(np.abs(values[block], dtype=np.float32))
        np.subtract(np.maximum(values[block], 0), part, out=results[block])
    return out.astype(x.dtype, copy=False)


def _normal_cdf(x: Any) -> Any:
    """``Φ(x) = ½(1 + erf(x/√2))``."""
    from scipy.special import ndtr

    return ndtr(x).astype(np.result_type(x, np.float16), copy=False)


_Phi = elementwise(_normal_cdf, lambda x: _normal_density(x), name="normal_cdf")


def _normal_density(x: Any) -> Any:
    """``e^(−x²/2) / √(2π)``; from |x| = 40 on it is 0 in every dtype."""
    return np.exp(-0.5 * np.square(np.clip(x, -40, 40))) * (1 / sqrt(2 * pi))


def _gelu_slope(input: Any, out: Any) -> Any:
    """``Φ(z) + zφ(z)``, where Φ need not be computed again if nobody asks for its derivative."""
    if isinstance(input, Differentiable):
        return _Phi(input) + input * _normal_density(input)
    found = in_rows("gelu_slope", input, out)
    if found is not None:
        return found
    cdf = np.divide(out, input, where=input != 0, out=np.full_like(out, 0.5))
    return cdf + input * _normal_density(input)


_exact_gelu = elementwise(_gelu, _gelu_slope, name="gelu")


def _tanh_argument(x: Any) -> Any:
    """``√(2/π)(x + 0.044715 x³)`` of |x| ≤ 22: from there on σ of its double is 0 or 1 in every dtype."""
    x = np.clip(x, -22, 22)
    return sqrt(2 / pi) * (x + 0.044715 * x * x * x)


def _tanh_gelu_slope(input: Any) -> Any:
    x, s = np.clip(input, -22, 22), sigmoid(2 * _tanh_argument(input))
    return s + 2 * x * (s - s * s) * (sqrt(2 / pi) * (1 + 3 * 0.044715 * x * x))


_tanh_gelu = elementwise(  # ½(1 + tanh u) = σ(2u), exact where it is small
    lambda input: input * sigmoid(2 * _tanh_argument(input)), _tanh_gelu_slope, name="gelu_tanh"
)


def gelu(input: Any, approximate: str = "none") -> Any:
    """``z Φ(z)`` with the normal distribution function ``Φ(z) = ½(1 + erf(z/√2))`` (Hendrycks & Gimpel 2016).

    ``approximate="tanh"`` puts ``½(1 + tanh(√(2/π)(z + 0.044715 z³)))`` in place of Φ. Raises ValueError for another
    ``approximate``.
    """
    if approximate not in ("none", "tanh"):
        raise ValueError(f"gelu() takes approximate='none' or 'tanh'; got {approximate!r}")
    return _exact_gelu(input) if approximate == "none" else _tanh_gelu(input)


def _tanhshrink(input: Any) -> Any:
    """``z − tanh z``."""
    return input - np.tanh(input)


tanhshrink = elementwise(_tanhshrink, lambda input: np.square(np.tanh(input)), name="tanhshrink")


# ---------------------------------------------------------------------- modules


class ELU(InplaceModule):
    """:func:`elu` as a module."""

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.alpha = alpha

    def compute(self, input: Any) -> Any:
        return elu(input, self.alpha)

    def options(self) -> str:
        return f"alpha={self.alpha}"


class CELU(InplaceModule):
    """:func:`celu` as a module."""

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.alpha = alpha

    def compute(self, input: Any) -> Any:
        return celu(input, self.alpha)

    def options(self) -> str:
        return f"alpha={self.alpha}"


class SELU(InplaceModule):
    """:func:`selu` as a module."""

    def compute(self, input: Any) -> Any:
        return selu(input)


class Sigmoid(Module):
    """``1 / (1 + e^(−z))``."""

    def forward(self, input: Any) -> Any:
        return sigmoid(input)


class LogSigmoid(Module):
    """:func:`logsigmoid` as a module."""

    def forward(self, input: Any) -> Any:
        return logsigmoid(input)


class Softplus(Module):
    """:func:`softplus` as a module."""

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta = beta
        self.threshold = threshold

    def forward(self, input: Any) -> Any:
        return softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        return f"beta={self.beta}, threshold={self.threshold}"


class Softsign(Module):
    """:func:`softsign` as a module."""

    def forward(self, input: Any) -> Any:
        return softsign(input)


class Tanh(Module):
    """Hyperbolic tangent."""

    def forward(self, input: Any) -> Any:
        return tanh(input)


class Tanhshrink(Module):
    """:func:`tanhshrink` as a module."""

    def forward(self, input: Any) -> Any:
        return tanhshrink(input)


class SiLU(InplaceModule):
    """:func:`silu` as a module."""

    def compute(self, input: Any) -> Any:
        return silu(input)


class Mish(InplaceModule):
    """:func:`mish` as a module."""

    def compute(self, input: Any) -> Any:
        return mish(input)


class GELU(Module):
    """:func:`gelu` as a module."""

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Any) -> Any:
        return gelu(input, self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"
