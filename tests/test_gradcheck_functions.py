"""No false alarm: the gradient check accepts correct functions, whatever the seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nn
import nn.functional as F
from autograd import Tensor, linear, manual_seed
from autograd.gradcheck import gradcheck
from tests.gradcheck_functions import FUNCTIONS, between, normal
from tests.gradcheck_library import Chainrule

pytestmark = pytest.mark.usefixtures("own_primitives")

FEW, MANY = range(1), range(30)
OURS: dict[str, Callable[[Any], tuple[Any, Any]]] = {}  # what takes more than a namespace of functions

# ---------------------------------------------------------------------- narrower dtypes

NARROW = ["sin (3,)", "tanh (1, 4)", "softmax", "matrix product", "product of (3, 1, 2) and (2, 1)", "logsumexp"]
NARROW += ["sqrt (3,)", "network", "variance", "norm", "complex square", "exp (2, 3)", "relu, 0.01 from its kink"]
NARROW = [next(name for name in FUNCTIONS if name.startswith(start.split(" (")[0])) for start in NARROW]


def in_dtype(name: str, width: int) -> Callable[[Any], tuple[Any, Any]]:
    def setup(rng):
        f, inputs = FUNCTIONS[name](Chainrule(), rng)
        kind = {"f": {2: "float16", 4: "float32"}, "c": {4: "complex64"}}
        return f, tuple(x.astype(kind[x.dtype.kind][width]) for x in inputs)

    return setup


for name in dict.fromkeys(NARROW):
    OURS[f"{name}, float32"] = in_dtype(name, 4)
    if not name.startswith("complex"):
        OURS[f"{name}, float16"] = in_dtype(name, 2)

# ---------------------------------------------------------------------- structures


def function(setup: Callable[[Any], tuple[Any, Any]]) -> Callable[[Any], tuple[Any, Any]]:
    OURS[setup.__name__] = setup
    return setup


@function
def empty(rng):
    return np.sin, np.zeros((0, 3))


@function
def nested_containers(rng):
    f = lambda p, x: {"y": p["w"] * x, "parts": [np.sin(p["b"][0]), p["b"][1] + x]}
    return f, ({"w": rng.standard_normal(3), "b": (rng.standard_normal(2), 1.5)}, rng.standard_normal(3))


@function
def the_same_tensor_twice(rng):
    x = Tensor(rng.standard_normal(3), requires_grad=True)
    return lambda x, y: x * np.sin(y), (x, x)


@function
def non_contiguous(rng):
    return np.multiply, (rng.standard_normal((4, 3)).T, rng.standard_normal(8)[::-2])


@function
def broadcast_input(rng):
    return np.multiply, (np.broadcast_to(rng.standard_normal((3, 1)), (3, 4)), rng.standard_normal((3, 4)))


@function
def integers_and_options(rng):
    return lambda x, n, scale: x**n * (1 if scale is None else scale), (rng.standard_normal(3), 3, None)


@function
def two_outputs(rng):
    return lambda x, y: (x * y, np.sin(x)), (rng.standard_normal(3), rng.standard_normal(3))


@function
def nothing_but_zeros(rng):
    return lambda x: np.cos(x) * x, np.zeros((2, 2))


@function
def scalars(rng):
    return lambda x, y: np.sin(x) * y, (0.7, np.float64(-1.2))


@function
def computing_in_single_precision(rng):
    narrow = linear(lambda x: x.astype("f4"), x=lambda g: g, name="narrow")
    return lambda x: np.exp(narrow(x)), rng.standard_normal(3)


@function
def a_closure(rng):
    w = Tensor(rng.standard_normal(4), requires_grad=True)
    return lambda x: np.sum(np.tanh(w * x)), rng.standard_normal(4)


# ---------------------------------------------------------------------- noise, and slopes that change nearby


def numeric(name: str, f: Callable[..., Any], *draws: Callable[[Any], Any]) -> None:
    OURS[name] = lambda rng: (f, tuple(draw(rng) for draw in draws))


numeric("a ripple of a millionth", lambda x: x + 1e-6 * np.sin(1e6 * x), between(-1, 1, 4))
numeric("a ripple of a billionth", lambda x: x + 1e-9 * np.sin(1e6 * x), between(-1, 1, 4))
numeric(
    "fine stairs on a slope",
    lambda x: x + np.floor(1e6 * x) / 1e6,
    lambda rng: 1e-6 * (rng.integers(-900_000, 900_000, 4) + rng.uniform(0.3, 0.7, 4)),
)
numeric("root of a quadratic, cancelling", lambda b: (-b + np.sqrt(b * b - 4e-4)) / 2, between(10, 100, 3))
numeric("expanded cube", lambda x: x**3 - 3 * x**2 + 3 * x - 1, lambda rng: 1 + 1e-3 * rng.standard_normal(3))
numeric(
    "expanded distance, zero for equal inputs",
    lambda x, y: np.sum(x * x) + np.sum(y * y) - 2 * np.sum(x * y),
    between(999, 1001, 3),
    between(999, 1001, 3),
)
numeric("outputs of all sizes", lambda x: 10.0 ** np.array([-12.0, -6, 0, 6, 12]) * np.sin(x), normal(5))
numeric("log softmax, saturated", lambda x: F.log_softmax(x, -1), normal(3, 4, scale=100))
numeric("thousands of kinks", lambda x: np.sum(np.maximum(x, 0)), normal(5000))
numeric("squares beyond float16", lambda x: x * x, lambda rng: rng.uniform(100, 200, 6).astype("f2"))

# ---------------------------------------------------------------------- layers and losses

LAYERS: dict[str, tuple[Callable[[], Any], tuple[int, ...]]] = {
    "Linear": (lambda: nn.Linear(4, 3), (5, 4)),
    "Bilinear-like network": (lambda: nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2)), (5, 4)),
    "deep network": (lambda: nn.Sequential(*[m for _ in range(6) for m in (nn.Linear(4, 4), nn.GELU())]), (3, 4)),
    "Conv1d": (lambda: nn.Conv1d(2, 3, 3, padding=1), (2, 2, 6)),
    "Conv2d": (lambda: nn.Conv2d(2, 3, 3, stride=2), (1, 2, 7, 7)),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(2, 2, 3, stride=2), (1, 2, 3, 3)),
    "BatchNorm1d": (lambda: nn.BatchNorm1d(3), (6, 3)),
    "BatchNorm2d, eval": (lambda: nn.BatchNorm2d(2).eval(), (2, 2, 3, 3)),
    "LayerNorm": (lambda: nn.LayerNorm(5), (3, 5)),
    "GroupNorm": (lambda: nn.GroupNorm(2, 4), (2, 4, 3)),
    "RNN": (lambda: nn.RNN(3, 4), (5, 2, 3)),
    "LSTM": (lambda: nn.LSTM(3, 4), (4, 2, 3)),
    "GRU": (lambda: nn.GRU(3, 4), (4, 2, 3)),
    "attention": (lambda: nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0), (3, 2, 4)),
    "PReLU": (lambda: nn.PReLU(), (4, 3)),
    "Softplus": (lambda: nn.Softplus(), (4, 3)),
    "SiLU": (lambda: nn.SiLU(), (4, 3)),
    "ELU": (lambda: nn.ELU(), (4, 3)),
    "Softmax": (lambda: nn.Softmax(dim=-1), (4, 3)),
    "LogSoftmax": (lambda: nn.LogSoftmax(dim=-1), (4, 3)),
    "AvgPool2d": (lambda: nn.AvgPool2d(2), (1, 2, 4, 4)),
    "wide network with kinks": (lambda: nn.Sequential(nn.Linear(40, 200), nn.ReLU(), nn.Linear(200, 10)), (8, 40)),
    "MaxPool1d": (lambda: nn.MaxPool1d(2), (2, 2, 6)),
}
LOSSES: dict[str, Callable[[Any, Any], Any]] = {
    "mse_loss": lambda x, rng: F.mse_loss(x, rng.standard_normal((4, 3))),
    "smooth_l1_loss": lambda x, rng: F.smooth_l1_loss(x, rng.standard_normal((4, 3))),
    "cross_entropy": lambda x, rng: F.cross_entropy(x, rng.integers(0, 3, 4)),
    "nll of log_softmax": lambda x, rng: F.nll_loss(F.log_softmax(x, -1), rng.integers(0, 3, 4)),
    "binary_cross_entropy_with_logits": lambda x, rng: F.binary_cross_entropy_with_logits(x, rng.random((4, 3))),
    "kl_div": lambda x, rng: F.kl_div(F.log_softmax(x, -1), np.full((4, 3), 1 / 3), reduction="batchmean"),
}


def layer(make: Callable[[], Any], shape: tuple[int, ...], dtype: str) -> Callable[[Any], tuple[Any, Any]]:
    def setup(rng):
        manual_seed(int(rng.integers(2**32)))
        return make(), rng.standard_normal(shape).astype(dtype)

    return setup


def loss(make: Callable[[Any, Any], Any]) -> Callable[[Any], tuple[Any, Any]]:
    def setup(rng):
        seed = int(rng.integers(2**32))
        return lambda x: make(x, np.random.default_rng(seed)), rng.standard_normal((4, 3))

    return setup


for name, (make, shape) in LAYERS.items():
    OURS[f"nn: {name}"] = layer(make, shape, "float64")
for name in ("Linear", "Conv2d", "LSTM", "LayerNorm", "BatchNorm1d"):
    OURS[f"nn: {name}, float32"] = layer(*LAYERS[name], "float32")
for name, make_loss in LOSSES.items():
    OURS[f"nn: {name}"] = loss(make_loss)


# ---------------------------------------------------------------------- the statements

NAMES = [*FUNCTIONS, *OURS]


def is_accepted(name: str, seed: int, order: int) -> None:
    rng = np.random.default_rng(seed)
    if name in FUNCTIONS:
        f, inputs = FUNCTIONS[name](Chainrule(), rng)
        inputs = tuple(inputs)
    else:
        f, inputs = OURS[name](rng)
    assert gradcheck(f, inputs, order=order)


def test_there_are_enough():
    assert len(NAMES) >= 200


@pytest.mark.parametrize("name", NAMES)
def test_accepts(name):
    for seed in FEW:
        is_accepted(name, seed, order=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_always_accepts(name):
    for seed in MANY:
        is_accepted(name, seed, order=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_always_accepts_second_derivatives(name):
    for seed in MANY[:8]:
        is_accepted(name, seed, order=2)


# ---------------------------------------------------------------------- where differences cannot say


def single_inside(rng):
    through = linear(lambda x: x.astype("f4").astype(x.dtype), x=lambda g: g, name="through")
    return lambda x: through(np.sin(x)), rng.standard_normal(4)


COARSE: dict[str, Callable[[Any], tuple[Any, Any]]] = {
    "rounded to single precision inside": single_inside,
    "1e10 taken off again": lambda rng: (lambda x: (x + 1e10) - 1e10, rng.standard_normal(4)),
    "1e11 taken off a sum again": lambda rng: (lambda x: (np.sum(np.exp(x)) + 1e11) - 1e11, rng.standard_normal(4)),
    "arccos at its edge": lambda rng: (np.arccos, 1 - 10.0 ** rng.uniform(-8, -5, 3)),
    "sine of millions": lambda rng: (lambda x: np.sin(1e7 * x), rng.uniform(-1, 1, 4)),
}


@pytest.mark.parametrize("name", COARSE)
def test_values_that_are_coarse_are_not_called_wrong(name):
    for seed in MANY:
        f, inputs = COARSE[name](np.random.default_rng(seed))
        assert "wrong" not in gradcheck(f, inputs, raise_exception=False).verdicts
