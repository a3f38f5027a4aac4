"""Elementwise functions: arithmetic, powers, exponentials, trigonometry, comparison-like functions.

Each line names a function and its partial derivatives; where a derivative does not exist the rule has
the conventional finite value (``sign(0) = 0``, ties of ``maximum`` shared equally). Formulas:
Abramowitz & Stegun, *Handbook of Mathematical Functions*, ch. 4.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from autograd.declare import linear, primitive
from autograd.dispatch import bare, functions, give, without_derivative
from autograd.elementwise import conjugated, elementwise
from autograd.kernels import in_rows
from autograd.operands import check_real
from autograd.tensor import Tensor

__all__ = [
    "absolute", "add", "angle", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh",
    "cbrt", "ceil", "clip", "conjugate", "copysign", "cos", "cosh", "deg2rad", "degrees", "divide", "exp", "exp2",
    "expm1", "fabs", "float_power", "floor", "floor_divide", "fmax", "fmin", "fmod", "heaviside", "hypot", "imag",
    "ldexp", "log", "log10", "log1p", "log2", "logaddexp", "logaddexp2", "maximum", "minimum", "multiply",
    "nan_to_num", "negative", "positive", "power", "rad2deg", "radians", "real", "reciprocal", "relu", "remainder",
    "rint", "round", "sigmoid", "sign", "sin", "sinc", "sinh", "sqrt", "square", "subtract", "tan", "tanh", "trunc",
    "where",
]  # fmt: skip

LN2, LN10 = float(np.log(2)), float(np.log(10))


# ---------------------------------------------------------------------- arithmetic

add = elementwise(np.add, 1, 1, operator=operator.add)
subtract = elementwise(np.subtract, 1, -1, operator=operator.sub)
multiply = elementwise(np.multiply, lambda y: y, lambda x: x, operator=operator.mul)
divide = elementwise(np.divide, lambda y: 1 / y, lambda y, out: -out / y, operator=operator.truediv)
floor_divide = elementwise(np.floor_divide, 0, 0, operator=operator.floordiv)
remainder = elementwise(np.remainder, 1, lambda x, y: -np.floor_divide(x, y), operator=operator.mod)
fmod = elementwise(np.fmod, 1, lambda x, y: -np.trunc(x / y))
negative = elementwise(np.negative, -1, operator=operator.neg)
positive = elementwise(np.positive, 1)
reciprocal = elementwise(np.reciprocal, lambda out: -out * out, autocast="single")
square = elementwise(np.square, lambda x: 2 * x, autocast="single")


# ---------------------------------------------------------------------- powers


def power_by_base(x: Any, y: Any) -> Any:
    """``y x^(y-1)``; 0 where ``y = 0``, at ``x = 0`` too."""
    if isinstance(y, (int, float)):
        return 2 * x if y == 2 else y * x ** (y - 1) if y != 0 else np.zeros_like(x)
    exponent = np.where((bare(x) == 0) & (bare(y) == 0), 1, y - 1)
    return y * x**exponent


def power_by_exponent(x: Any, out: Any) -> Any:
    """``x^y log x``; 0 where ``x = 0``."""
    return out * np.log(np.where(bare(x) == 0, 1, x))


power = elementwise(np.power, power_by_base, power_by_exponent, operator=operator.pow, autocast="single")
float_power = elementwise(np.float_power, power_by_base, power_by_exponent, autocast="single")
sqrt = elementwise(np.sqrt, lambda out: 0.5 / out)
cbrt = elementwise(np.cbrt, lambda out: 1 / (3 * out * out))
hypot = elementwise(
    np.hypot,
    lambda x, out: x / np.where(bare(out) == 0, 1, out),
    lambda y, out: y / np.where(bare(out) == 0, 1, out),
    autocast="single",
)


# ---------------------------------------------------------------------- exponentials and logarithms

exp = elementwise(np.exp, lambda out: out, autocast="single")
exp2 = elementwise(np.exp2, lambda out: LN2 * out, autocast="single")
expm1 = elementwise(np.expm1, lambda out: out + 1, autocast="single")
log = elementwise(np.log, lambda x: 1 / x, autocast="single")
log2 = elementwise(np.log2, lambda x: 1 / (LN2 * x), autocast="single")
log10 = elementwise(np.log10, lambda x: 1 / (LN10 * x), autocast="single")
log1p = elementwise(np.log1p, lambda x: 1 / (1 + x), autocast="single")


def finite_below(out: Any) -> Any:
    """``out`` with 0 for −∞, so that a difference with it is not NaN."""
    return np.where(bare(out) == -np.inf, 0, out)


logaddexp = elementwise(
    np.logaddexp,
    lambda x, out: np.exp(x - finite_below(out)),
    lambda y, out: np.exp(y - finite_below(out)),
    autocast="single",
)
logaddexp2 = elementwise(
    np.logaddexp2,
    lambda x, out: np.exp2(x - finite_below(out)),
    lambda y, out: np.exp2(y - finite_below(out)),
    autocast="single",
)


def _sigmoid(x: Any) -> Any:
    """Logistic function ``1 / (1 + e^(-x))``; where ``e^(-x)`` overflows the result is 0, as it should be.

    float16 is computed in float32, whose range covers all of its results.
    """
    x = np.asarray(x)
    if x.dtype.kind in "biu":
        x = x.astype(np.result_type(x.dtype, np.float16))
    if x.dtype == np.float16:
        return _sigmoid(x.astype(np.float32)).astype(np.float16)
    found = in_rows("sigmoid", x)
    if found is not None:
        return found
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-x))


sigmoid = elementwise(_sigmoid, lambda out: out - out * out, name="sigmoid")


# ---------------------------------------------------------------------- trigonometric and hyperbolic

sin = elementwise(np.sin, lambda x: np.cos(x))
cos = elementwise(np.cos, lambda x: -np.sin(x))
tan = elementwise(np.tan, lambda out: 1 + out * out, autocast="single")
arcsin = elementwise(np.arcsin, lambda x: 1 / (np.sqrt(1 - x) * np.sqrt(1 + x)), autocast="single")
arccos = elementwise(np.arccos, lambda x: -1 / (np.sqrt(1 - x) * np.sqrt(1 + x)), autocast="single")
arctan = elementwise(np.arctan, lambda x: 1 / (1 + x * x))
arctan2 = elementwise(np.arctan2, lambda x, y: y / (x * x + y * y), lambda x, y: -x / (x * x + y * y))
sinh = elementwise(np.sinh, lambda x: np.cosh(x), autocast="single")
cosh = elementwise(np.cosh, lambda x: np.sinh(x), autocast="single")
tanh = elementwise(np.tanh, lambda g, out: g - g * out * out)
arcsinh = elementwise(np.arcsinh, lambda x: 1 / np.sqrt(x * x + 1))
arccosh = elementwise(np.arccosh, lambda x: 1 / (np.sqrt(x - 1) * np.sqrt(x + 1)))
arctanh = elementwise(np.arctanh, lambda x: 1 / (1 - x * x))
deg2rad = elementwise(np.deg2rad, np.pi / 180)
radians = elementwise(np.radians, np.pi / 180)
rad2deg = elementwise(np.rad2deg, 180 / np.pi)
degrees = elementwise(np.degrees, 180 / np.pi)


def sinc_slope(x: Any, out: Any) -> Any:
    """``(cos πx − sinc x) / x``, by its series where the difference would cancel."""
    near = np.abs(bare(x)) < 0.05
    u = np.pi * np.pi * x * x
    series = -np.pi * np.pi * x * (1 / 3 - u * (1 / 30 - u * (1 / 840 - u / 45360)))
    return np.where(near, series, (np.cos(np.pi * x) - out) / np.where(near, 1, x))


sinc = elementwise(lambda x: np.sinc(x), sinc_slope, name="sinc", implements=np.sinc)


# ---------------------------------------------------------------------- kinks, ties and steps


def _tie(x: Any, y: Any, wins: Any) -> Any:
    """1 where x wins, ½ where both are equal, else 0; in x's precision."""
    x, y = bare(x), bare(y)
    return np.where(x == y, 0.5, wins).astype(np.result_type(x, y))


maximum = elementwise(
    np.maximum, lambda x, y, out: _tie(x, y, bare(out) == bare(x)), lambda x, y, out: _tie(x, y, bare(out) == bare(y))
)
minimum = elementwise(
    np.minimum, lambda x, y, out: _tie(x, y, bare(out) == bare(x)), lambda x, y, out: _tie(x, y, bare(out) == bare(y))
)
fmax = elementwise(
    np.fmax, lambda x, y, out: _tie(x, y, bare(out) == bare(x)), lambda x, y, out: _tie(x, y, bare(out) == bare(y))
)
fmin = elementwise(
    np.fmin, lambda x, y, out: _tie(x, y, bare(out) == bare(x)), lambda x, y, out: _tie(x, y, bare(out) == bare(y))
)


def _relu(x: Any) -> Any:
    """``max(0, x)``; NumPy's maximum with a number is slow on large arrays, and clip's call on small ones."""
    if type(x) is np.ndarray and x.size > 4096 and x.dtype.kind == "f":
        return np.clip(x, 0, np.inf)
    check_real("relu", x)
    return np.maximum(x, 0)


relu = elementwise(_relu, lambda out: bare(out) > 0, name="relu")
fabs = elementwise(np.fabs, lambda x: np.sign(x))
copysign = elementwise(np.copysign, lambda x, y: np.sign(bare(x)) * np.copysign(1, bare(y)), 0)
heaviside = elementwise(np.heaviside, 0, lambda x: bare(x) == 0)
ldexp = elementwise(np.ldexp, lambda y: np.exp2(bare(y)), None)
floor = elementwise(np.floor, 0)
ceil = elementwise(np.ceil, 0)
trunc = elementwise(np.trunc, 0)
rint = elementwise(np.rint, 0)
nan_to_num = elementwise(
    lambda x, copy=True, nan=0.0, posinf=None, neginf=None: np.nan_to_num(x, copy, nan, posinf, neginf),
    lambda x: np.isfinite(bare(x)),
    name="nan_to_num",
    implements=np.nan_to_num,
)
round = elementwise(lambda a, decimals=0: np.round(a, decimals), 0, name="round", implements=(np.round, np.around))


def _within(a: Any, a_min: Any, a_max: Any) -> Any:
    a = bare(a)
    inside = np.ones(np.shape(a), bool)
    if a_min is not None:
        inside = inside & (a >= bare(a_min))
    if a_max is not None:
        inside = inside & (a <= bare(a_max))
    return inside


def _below(a: Any, a_min: Any, a_max: Any) -> Any:
    return (bare(a) < bare(a_min)) & (True if a_max is None else bare(a_min) <= bare(a_max))


def _above(a: Any, a_min: Any, a_max: Any) -> Any:
    return (bare(a) > bare(a_max)) | (False if a_min is None else bare(a_min) > bare(a_max))


_clip = elementwise(lambda a, a_min=None, a_max=None: np.clip(a, a_min, a_max), _within, _below, _above, name="clip")


def clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    """``a`` kept within [a_min, a_max]; the gradient passes at the bounds and inside, as in PyTorch.

    Either bound may be None, a number, or an array or tensor (then differentiable); ``min`` and
    ``max`` are other names for the bounds. Raises TypeError where a bound is given by both names.
    """
    if (min is not None and a_min is not None) or (max is not None and a_max is not None):
        raise TypeError("clip() takes a bound as a_min/a_max or as min/max, not both")
    return _clip(a, a_min if min is None else min, a_max if max is None else max)


functions[np.clip] = clip


def _where(condition: Any, x: Any, y: Any) -> Any:
    """``x`` where ``condition`` holds, else ``y``, with broadcasting."""
    return np.where(condition, x, y)


_select = primitive(
    _where,
    vjp={"x": lambda g, condition: np.where(condition, g, 0), "y": lambda g, condition: np.where(condition, 0, g)},
    jvp={"x": lambda t, condition: np.where(condition, t, 0), "y": lambda t, condition: np.where(condition, 0, t)},
    broadcasts=True,
)


def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    """``x`` where ``condition`` holds, else ``y``; with the condition alone, the indices where it holds.

    The condition carries no gradient. Raises ValueError where only one of ``x`` and ``y`` is given.
    """
    if (x is None) != (y is None):
        raise ValueError("where() takes both x and y, or neither")
    return np.nonzero(bare(condition)) if x is None else _select(bare(condition), x, y)


functions[np.where] = where


# ---------------------------------------------------------------------- complex parts, absolute value


def _sign_slope(v: Any, x: Any) -> Any:
    """Derivative of ``x/|x|`` along ``v``: zero for real ``x``; its own transpose."""
    if bare(x).dtype.kind != "c":
        return np.zeros_like(v)
    size = np.where(bare(x) == 0, 1, np.abs(x))
    unit = x / size
    return (v - unit * np.real(np.conjugate(unit) * v)) / size


sign = primitive(
    lambda x: np.sign(x),
    vjp={"x": lambda g, x: _sign_slope(g, x)},
    jvp={"x": lambda t, x: _sign_slope(t, x)},
    name="sign",
    implements=np.sign,
)
absolute = primitive(
    lambda x: np.absolute(x),
    vjp={"x": lambda g, x: g * np.sign(x)},
    jvp={"x": lambda t, x: np.real(conjugated(np.sign(x)) * t)},
    name="absolute",
    implements=np.absolute,
)
conjugate = linear(lambda x: np.conjugate(x), x=lambda g: np.conjugate(g), name="conjugate", implements=np.conjugate)
real = linear(lambda x: np.real(x), x=lambda g: g, name="real", implements=np.real)
imag = linear(lambda x: np.imag(x), x=lambda g: 1j * g, name="imag", implements=np.imag)


def angle(z: Any, deg: bool = False) -> Any:
    """Argument of a complex number, ``atan2(Im z, Re z)``, in radians or degrees."""
    radian = arctan2(imag(z), real(z))
    return rad2deg(radian) if deg else radian


functions[np.angle] = angle


# ---------------------------------------------------------------------- no derivative

without_derivative.update(
    (
        np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal, np.logical_and, np.logical_or,
        np.logical_xor, np.logical_not, np.isnan, np.isinf, np.isfinite, np.signbit, np.bitwise_and, np.bitwise_or,
        np.bitwise_xor, np.invert, np.left_shift, np.right_shift, np.isreal, np.iscomplex,
    )
)  # fmt: skip


# ---------------------------------------------------------------------- operators and methods


def reflected(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, y: function(y, x)


def comparison(compare: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, y: compare(bare(x), bare(y))


for _name, _function in {
    "add": add, "sub": subtract, "mul": multiply, "truediv": divide, "floordiv": floor_divide, "mod": remainder,
    "pow": power,
}.items():  # fmt: skip
    give(**{f"__{_name}__": _function.method, f"__r{_name}__": reflected(_function.method)})

for _name in ("lt", "le", "gt", "ge", "eq", "ne", "and", "or", "xor"):
    _compare = getattr(operator, f"__{_name}__")
    give(**{f"__{_name}__": comparison(_compare)})
    if _name in ("and", "or", "xor"):
        give(**{f"__r{_name}__": reflected(comparison(_compare))})

give(
    __neg__=lambda x: negative(x),
    __pos__=lambda x: positive(x),
    __abs__=lambda x: absolute(x),
    __invert__=lambda x: np.invert(bare(x)),
    __divmod__=lambda x, y: (floor_divide(x, y), remainder(x, y)),
    __rdivmod__=lambda x, y: (floor_divide(y, x), remainder(y, x)),
    __round__=lambda x, decimals=0: round(x, decimals),
    real=property(real),
    imag=property(imag),
    abs=lambda x: absolute(x),
    clamp=clip,
    neg=lambda x: negative(x),
    pow=lambda x, exponent: power(x, exponent),
    conj=lambda x: conjugate(x),
)
give(
    **{
        function.__name__: function
        for function in (
            absolute, arccos, arccosh, arcsin, arcsinh, arctan, arctan2, arctanh, ceil, clip, conjugate, cos, cosh,
            exp, exp2, expm1, floor, log, log10, log1p, log2, logaddexp, maximum, minimum, reciprocal, relu, round,
            sigmoid, sign, sin, sinh, sqrt, square, tan, tanh, trunc, hypot, sinc, nan_to_num,
        )
    }
)  # fmt: skip
give(acos=arccos, acosh=arccosh, asin=arcsin, asinh=arcsinh, atan=arctan, atan2=arctan2, atanh=arctanh)
give(rsqrt=lambda x: reciprocal(sqrt(x)))


def in_place(symbol: str, function: Callable[..., Any], ufunc: Any) -> Callable[..., Any]:
    """``x += y`` and its like: in memory, or recorded where a gradient asks for it."""
    label = f"x {symbol}= y"

    def update(x: Tensor, y: Any) -> Tensor:
        return x._update(label, function, ufunc, y)

    return update


for _name, _symbol, _function, _ufunc, _torch in (
    ("add", "+", add, np.add, "add_"),
    ("sub", "-", subtract, np.subtract, "sub_"),
    ("mul", "*", multiply, np.multiply, "mul_"),
    ("truediv", "/", divide, np.true_divide, "div_"),
    ("floordiv", "//", floor_divide, np.floor_divide, None),
    ("mod", "%", remainder, np.remainder, None),
    ("pow", "**", power, np.power, "pow_"),
):
    _update = in_place(_symbol, _function, _ufunc)
    setattr(Tensor, f"__i{_name}__", _update)
    if _torch is not None:
        setattr(Tensor, _torch, _update)


def fill_(x: Tensor, value: Any) -> Tensor:
    """Set every element to ``value`` in place."""
    x[...] = value
    return x


Tensor.fill_ = fill_  # type: ignore[attr-defined]
Tensor.fill = lambda x, value: x.__setitem__(..., value)  # type: ignore[attr-defined]
Tensor.copy_ = fill_  # type: ignore[attr-defined]
Tensor.zero_ = lambda x: fill_(x, 0)  # type: ignore[attr-defined]
