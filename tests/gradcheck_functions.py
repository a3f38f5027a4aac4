"""Correct functions that tempt a gradient checker to a false alarm.

As in tests/gradcheck_bugs.py nothing here names a library: each entry takes ``lib`` and a NumPy
generator and returns a function and its inputs, at a point where it is differentiable.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

__all__ = ["FUNCTIONS", "between", "normal"]

Setup = Callable[[Any, Any], tuple[Callable[..., Any], list[Any]]]
FUNCTIONS: dict[str, Setup] = {}


def entry(name: str, function: Callable[..., Any], *draws: Callable[[Any], Any]) -> None:
    """``function(np, *inputs)`` at inputs that ``draws`` make from a generator."""

    def setup(lib: Any, rng: Any) -> tuple[Callable[..., Any], list[Any]]:
        return lambda *xs: function(lib.np, *xs), [draw(rng) for draw in draws]

    if name in FUNCTIONS:
        raise ValueError(f"two functions are called {name!r}")
    FUNCTIONS[name] = setup


def normal(*shape: int, scale: float = 1.0) -> Callable[[Any], Any]:
    return lambda rng: scale * rng.standard_normal(shape)


def between(low: float, high: float, *shape: int) -> Callable[[Any], Any]:
    return lambda rng: rng.uniform(low, high, shape)


def either_sign(low: float, high: float, *shape: int) -> Callable[[Any], Any]:
    return lambda rng: rng.uniform(low, high, shape) * rng.choice([-1.0, 1.0], shape)


def complex_normal(*shape: int) -> Callable[[Any], Any]:
    return lambda rng: rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


# ---------------------------------------------------------------------- one argument, at all scales

ANYWHERE = {
    "sin": lambda np, x: np.sin(x),
    "cos": lambda np, x: np.cos(x),
    "exp": lambda np, x: np.exp(x),
    "tanh": lambda np, x: np.tanh(x),
    "sigmoid": lambda np, x: 1 / (1 + np.exp(-x)),
    "softplus": lambda np, x: np.log1p(np.exp(x)),
    "arctan": lambda np, x: np.arctan(x),
    "sinh": lambda np, x: np.sinh(x),
    "gauss": lambda np, x: np.exp(-x * x),
    "cube": lambda np, x: x**3,
    "rational": lambda np, x: x / (1 + x * x),
    "gelu": lambda np, x: 0.5 * x * (1 + np.tanh(0.8 * (x + 0.045 * x * x * x))),
    "square with sign": lambda np, x: x * np.abs(x),
}
POSITIVE = {
    "log": lambda np, x: np.log(x),
    "sqrt": lambda np, x: np.sqrt(x),
    "reciprocal": lambda np, x: 1 / x,
    "x log x": lambda np, x: x * np.log(x),
    "power 1.7": lambda np, x: x**1.7,
    "power -2.5": lambda np, x: x**-2.5,
    "x to the x": lambda np, x: x**x,
}
SHAPES = [(), (3,), (2, 3), (1, 4), (2, 1, 3)]

for k, (name, f) in enumerate(ANYWHERE.items()):
    entry(f"{name} {SHAPES[k % 5]}", f, either_sign(0.01, 3, *SHAPES[k % 5]))
    entry(f"{name}, gradients of 1e-9", lambda np, x, f=f: 1e-9 * f(np, x), either_sign(0.01, 2, 3))
    entry(f"{name}, gradients of 1e9", lambda np, x, f=f: 1e9 * f(np, x), either_sign(0.01, 2, 3))
    entry(f"{name}, scaled input", lambda np, x, f=f: f(np, 1e5 * x), either_sign(1e-6, 1e-5, 3))
    entry(f"{name}, summed over 40", lambda np, x, f=f: np.sum(f(np, x)), either_sign(0.01, 2, 40))
for k, (name, f) in enumerate(POSITIVE.items()):
    entry(f"{name} {SHAPES[k % 5]}", f, between(0.1, 3, *SHAPES[k % 5]))
    entry(f"{name}, mean of 30", lambda np, x, f=f: np.mean(f(np, x)), between(0.1, 3, 30))
for name in ("log", "sqrt", "reciprocal", "power 1.7", "power -2.5", "x log x"):
    entry(f"{name}, tiny inputs", POSITIVE[name], between(1e-9, 1e-8, 4))
    entry(f"{name}, huge inputs", POSITIVE[name], between(1e8, 1e9, 4))
    entry(f"{name}, inputs of all sizes", POSITIVE[name], lambda rng: 10.0 ** rng.uniform(-6, 6, 6))

# ---------------------------------------------------------------------- saturation, curvature

for name in ("tanh", "sigmoid", "softplus", "arctan", "gauss"):
    entry(f"{name}, saturated", ANYWHERE[name], either_sign(3, 30, 5))
entry("exp of -40", lambda np, x: np.exp(x), between(-41, -39, 3))
entry("sin of 300 x", lambda np, x: np.sin(300 * x), between(-1, 1, 5))
entry("power 20", lambda np, x: x**20, between(0.5, 1.5, 4))
entry("exp of 10 x", lambda np, x: np.exp(10 * x), between(-1, 1, 4))
entry("narrow bell", lambda np, x: np.exp(-((x - 0.5) ** 2) / 1e-4), between(0.48, 0.52, 4))
entry("steep logistic", lambda np, x: 1 / (1 + np.exp(-200 * x)), between(-0.03, 0.03, 4))
entry("sin of 1/x", lambda np, x: np.sin(1 / x), between(0.05, 0.2, 4))
entry("tan near its pole", lambda np, x: np.sin(x) / np.cos(x), between(1.5, 1.56, 3))

# ---------------------------------------------------------------------- kinks nearby, edges of domains

for distance in (1e-2, 1e-3, 1e-4, 1e-5):
    entry(f"abs, {distance} from its kink", lambda np, x: np.abs(x), either_sign(distance, 2 * distance, 4))
    entry(f"relu, {distance} from its kink", lambda np, x: np.where(x > 0, x, 0 * x), either_sign(distance, 1, 4))
    entry(
        f"maximum, {distance} from a tie",
        lambda np, x, distance=distance: np.maximum(x, x * x + x - distance**2 * 4),
        either_sign(distance, distance * 1.5, 3),
    )
entry("sqrt near 0", lambda np, x: np.sqrt(x), lambda rng: numpy.array([1e-12, 1e-3, 1.0]))
entry("log near 0", lambda np, x: np.log(x), lambda rng: numpy.array([1e-12, 1e-3, 1.0]))
entry("arcsin near 1", lambda np, x: np.arcsin(x), lambda rng: 1 - 10.0 ** rng.uniform(-4, -1, 3))
entry("power 1.5 near 0", lambda np, x: x**1.5, lambda rng: 10.0 ** rng.uniform(-6, -2, 3))
entry(
    "floor between jumps", lambda np, x: np.floor(x) * x, lambda rng: rng.integers(1, 5, 3) + rng.uniform(0.2, 0.8, 3)
)
entry("hinge", lambda np, x: np.sum(np.where(x < 1, 1 - x, 0 * x)), either_sign(0.2, 0.9, 6))
entry("huber", lambda np, x: np.where(np.abs(x) < 1, 0.5 * x * x, np.abs(x) - 0.5), either_sign(0.1, 3, 6))

# ---------------------------------------------------------------------- cancellation


def softmax(np, x):
    e = np.exp(x - x.max())
    return e / np.sum(e)


entry("large constant taken off again", lambda np, x: (x + 1e6) - 1e6, normal(4))
entry("small beside a constant", lambda np, x: 1 + 1e-7 * np.sin(x), normal(4))
entry("1 - cos of small", lambda np, x: 1 - np.cos(x), between(1e-3, 1e-2, 4))
entry("log of 1 + small", lambda np, x: np.log(1 + x), between(1e-5, 1e-4, 4))
entry("softmax", softmax, normal(5))
entry("sum of softmax", lambda np, x: np.sum(softmax(np, x)), normal(5))
entry("logsumexp", lambda np, x: x.max() + np.log(np.sum(np.exp(x - x.max()))), normal(6))
entry("logsumexp of large", lambda np, x: x.max() + np.log(np.sum(np.exp(x - x.max()))), between(500, 505, 6))
entry("cross entropy", lambda np, x: -np.log(softmax(np, x))[0], normal(5))
entry("variance", lambda np, x: np.mean((x - np.mean(x)) ** 2), normal(6))
entry("variance about 1000", lambda np, x: np.mean((x - np.mean(x)) ** 2), between(999, 1001, 6))
entry("standardised", lambda np, x: (x - np.mean(x)) / np.sqrt(np.mean((x - np.mean(x)) ** 2) + 1e-5), normal(6))
entry("x - x", lambda np, x: x - x, normal(3))
entry("sin² + cos²", lambda np, x: np.sin(x) ** 2 + np.cos(x) ** 2, normal(4))
entry("difference of squares", lambda np, x, y: x * x - y * y, between(99, 101, 3), between(99, 101, 3))

# ---------------------------------------------------------------------- several arguments, broadcasting

PAIRS = {
    "sum": lambda np, x, y: x + y,
    "product": lambda np, x, y: x * y,
    "quotient": lambda np, x, y: x / y,
    "power": lambda np, x, y: x**y,
    "distance": lambda np, x, y: np.sqrt(x * x + y * y),
    "angle": lambda np, x, y: np.arctan(x / y) * y,
}
BROADCASTS = [((3,), (3,)), ((3, 1, 2), (2, 1)), ((), (4,)), ((2, 3), (1, 3)), ((1,), (2, 2)), ((4, 1), (3,))]
for k, (name, f) in enumerate(PAIRS.items()):
    for left, right in (BROADCASTS[k], BROADCASTS[(k + 2) % 6]):
        entry(f"{name} of {left} and {right}", f, between(0.5, 2, *left), between(0.5, 2, *right))
entry("unused argument", lambda np, x, y: np.sin(x), normal(3), normal(2))
entry("product of very different sizes", lambda np, x, y: np.sum(x * y), normal(4, scale=1e-8), normal(4, scale=1e8))

# ---------------------------------------------------------------------- matrices


def solve(np, a, b):
    """Gauss elimination of a 3 × 3 system, without pivoting."""
    rows = [[a[i, j] for j in range(3)] + [b[i]] for i in range(3)]
    for k in range(3):
        for i in range(k + 1, 3):
            factor = rows[i][k] / rows[k][k]
            rows[i] = [p - factor * q for p, q in zip(rows[i], rows[k], strict=True)]
    x: list[Any] = [None, None, None]
    for i in (2, 1, 0):
        x[i] = (rows[i][3] - sum(rows[i][j] * x[j] for j in range(i + 1, 3))) / rows[i][i]
    return x[0] + 2 * x[1] - x[2]


def hilbert(rng):
    i = numpy.arange(3)
    return 1 / (1.0 + i[:, None] + i) * (1 + 1e-3 * rng.standard_normal((3, 3)))


def newton_root(np, x):
    y = 0 * x + 1
    for _ in range(8):
        y = (y + x / y) / 2
    return y


def recurrence(np, w, x):
    h = x
    for _ in range(20):
        h = np.tanh(w @ h)
    return h


entry("matrix product", lambda np, a, b: a @ b, normal(3, 4), normal(4, 2))
entry("matrix times vector", lambda np, a, b: a @ b, normal(3, 4), normal(4))
entry("vector product", lambda np, a, b: a @ b, normal(5), normal(5))
entry("quadratic form, condition 1e8", lambda np, x: x @ (x * 10.0**-2) + 1e6 * x[0] ** 2, normal(4))
entry("solved system", solve, lambda rng: 3 * numpy.eye(3) + 0.3 * rng.standard_normal((3, 3)), normal(3))
entry("solved system, Hilbert", solve, hilbert, normal(3))
entry("Newton's root", newton_root, between(0.5, 3, 4))
entry("recurrence of 20 steps", recurrence, normal(3, 3, scale=0.8), normal(3))
entry("norm", lambda np, x: np.sqrt(np.sum(x * x)), normal(6))
entry("norm of small", lambda np, x: np.sqrt(np.sum(x * x)), normal(6, scale=1e-7))
entry("determinant", lambda np, a: a[0, 0] * a[1, 1] - a[0, 1] * a[1, 0], normal(2, 2))
entry("Rosenbrock", lambda np, x: np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2), normal(6))
entry("network", lambda np, w, v, x: np.tanh(np.tanh(x @ w) @ v), normal(3, 5), normal(5, 2), normal(4, 3))
entry("largest entry", lambda np, x: x.max(), lambda rng: rng.permutation(6) + 0.1 * rng.random(6))
entry("transposed and cut", lambda np, x: np.exp(x.T[1:]), normal(3, 4))
entry("taken twice", lambda np, x: x[numpy.array([0, 1, 1, 2])] ** 2, normal(3))
entry("5000 entries", lambda np, x: np.tanh(x), normal(5000))
entry("sum of 5000", lambda np, x: np.sum(np.exp(x)), normal(5000))
entry("80 × 60 entries", lambda np, x: np.sin(x) * x, normal(80, 60))

# ---------------------------------------------------------------------- complex numbers

entry("complex square", lambda np, z: z * z, complex_normal(3))
entry("complex exp", lambda np, z: np.exp(z), complex_normal(3))
entry("complex quotient", lambda np, z, w: z / w, complex_normal(3), lambda rng: 2 + 0.3 * complex_normal(3)(rng))
entry("squared modulus", lambda np, z: np.abs(z) ** 2, complex_normal(3))
entry("complex times conjugate", lambda np, z: z * np.conj(z), complex_normal(3))
entry("complex and real", lambda np, z, x: z * x, complex_normal(3), normal(3))
entry("complex matrix product", lambda np, a, b: a @ b, complex_normal(2, 3), complex_normal(3, 2))
