"""Optimisers beside PyTorch's: fifty steps of a small network, parameter by parameter.

Run where PyTorch is installed:  python -m pytest tests/parity
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import nn
import optim
from autograd import Tensor, manual_seed
from nn.functional import cross_entropy
from tests.parity.modules import torch

STEPS = 50
CASES: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.05, "momentum": 0.9}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"lr": 0.001, "momentum": 0.5, "maximize": True}),
    ("Adam", {}),
    ("Adam", {"lr": 0.01, "betas": (0.8, 0.99), "eps": 1e-6}),
    ("Adam", {"lr": 0.01, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.01, "amsgrad": True}),
    ("Adam", {"lr": 0.01, "maximize": True}),
    ("Adam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.01, "weight_decay": 0.1, "amsgrad": True, "maximize": True}),
    ("Adamax", {}),
    ("Adamax", {"lr": 0.02, "betas": (0.8, 0.9), "weight_decay": 0.1, "maximize": True}),
    ("NAdam", {}),
    ("NAdam", {"lr": 0.02, "betas": (0.8, 0.9), "weight_decay": 0.1, "momentum_decay": 0.1}),
    ("NAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("RAdam", {}),
    ("RAdam", {"lr": 0.02, "betas": (0.8, 0.9), "weight_decay": 0.1}),
    ("RAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("Adagrad", {}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.01, "weight_decay": 0.1, "initial_accumulator_value": 0.3}),
    ("Adagrad", {"maximize": True}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.8, "eps": 1e-4, "weight_decay": 0.1, "maximize": True}),
    ("RMSprop", {}),
    ("RMSprop", {"lr": 0.02, "alpha": 0.9, "momentum": 0.8, "weight_decay": 0.1}),
    ("RMSprop", {"centered": True}),
    ("RMSprop", {"centered": True, "momentum": 0.5, "maximize": True}),
    ("Adafactor", {}),
    ("Adafactor", {"lr": 0.05, "beta2_decay": -0.5, "eps": (1e-8, 1e-2), "d": 2.0, "weight_decay": 0.1}),
    ("Adafactor", {"maximize": True}),
    ("Rprop", {}),
    ("Rprop", {"lr": 0.001, "etas": (0.4, 1.1), "step_sizes": (1e-4, 0.01), "maximize": True}),
]


@pytest.fixture(autouse=True)
def scalars_in_double():
    """PyTorch keeps scalars of the state, such as NAdam's product, in its default dtype."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def models(dtype: str = "float64") -> tuple[nn.Module, Any]:
    """Two networks of the same weights."""
    manual_seed(0)
    ours = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)).to(dtype)
    theirs = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
    theirs.to(getattr(torch, dtype))
    theirs.load_state_dict({name: torch.tensor(value.numpy()) for name, value in ours.state_dict().items()})
    return ours, theirs


def groups(model: Any, options: dict[str, Any]) -> list[dict[str, Any]]:
    """The last layer learns at a tenth of the rate."""
    return [
        {"params": list(model[0].parameters())},
        {"params": list(model[2].parameters()), "lr": 0.1 * options.get("lr", 1e-3)},
    ]


def train(ours: Any, theirs: Any, a: Any, b: Any, rtol: float, atol: float, steps: int = STEPS) -> None:
    rng = np.random.default_rng(1)
    dtype = next(iter(ours.parameters())).dtype
    for _ in range(steps):
        x, target = rng.normal(size=(16, 4)).astype(dtype), rng.integers(0, 3, 16)
        a.zero_grad()
        b.zero_grad()
        cross_entropy(ours(Tensor(x)), target).backward()
        torch.nn.functional.cross_entropy(theirs(torch.tensor(x)), torch.tensor(target)).backward()
        a.step()
        b.step()
        for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            np.testing.assert_allclose(p.numpy(), q.detach().numpy(), rtol=rtol, atol=atol, err_msg=name)


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_same_path(case, grouped):
    name, options = case
    ours, theirs = models()
    make = groups if grouped else lambda model, _: model.parameters()
    a = getattr(optim, name)(make(ours, options), **options)
    b = getattr(torch.optim, name)(make(theirs, options), **options)
    train(ours, theirs, a, b, 1e-10, 1e-12)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_same_path_in_float32(case):
    name, options = case
    ours, theirs = models("float32")
    a = getattr(optim, name)(ours.parameters(), **options)
    b = getattr(torch.optim, name)(theirs.parameters(), **options)
    train(ours, theirs, a, b, 2e-3, 2e-4, steps=20)


@pytest.mark.parametrize("name", sorted({name for name, _ in CASES}))
def test_a_state_of_theirs_is_gone_on_with(name):
    options: dict[str, Any] = {"lr": 0.01, **({"momentum": 0.9} if name == "SGD" else {})}
    ours, theirs = models()
    a = getattr(optim, name)(ours.parameters(), **options)
    b = getattr(torch.optim, name)(theirs.parameters(), **options)
    train(ours, theirs, a, b, 1e-10, 1e-12, steps=5)
    a = getattr(optim, name)(ours.parameters(), **options)
    a.load_state_dict(copy.deepcopy(b.state_dict()))
    train(ours, theirs, a, b, 1e-10, 1e-12, steps=5)


@pytest.mark.parametrize(
    "options", [{}, {"line_search_fn": "strong_wolfe"}, {"history_size": 3, "lr": 0.5, "max_iter": 7}], ids=str
)
@pytest.mark.parametrize("problem", ["rosenbrock", "network"])
def test_lbfgs_takes_the_same_steps(problem, options):
    if problem == "rosenbrock":
        options = {"line_search_fn": "strong_wolfe", **options}
        a, b = Tensor(np.array([-1.2, 1.0]), requires_grad=True), torch.tensor([-1.2, 1.0], requires_grad=True)
        ours, theirs = [a], [b]
        f = lambda x: 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2
        losses = (lambda: f(a), lambda: f(b))
    else:
        mine, other = models()
        ours, theirs = list(mine.parameters()), list(other.parameters())
        rng = np.random.default_rng(0)
        x, target = rng.normal(size=(32, 4)), rng.integers(0, 3, 32)
        losses = (
            lambda: cross_entropy(mine(Tensor(x)), target),
            lambda: torch.nn.functional.cross_entropy(other(torch.tensor(x)), torch.tensor(target)),
        )
    one, two = optim.LBFGS(ours, **options), torch.optim.LBFGS(theirs, **options)

    def closure(optimizer, loss):
        def call():
            optimizer.zero_grad()
            value = loss()
            value.backward()
            return value

        return call

    for step in range(5):
        value = one.step(closure(one, losses[0]))
        other_value = two.step(closure(two, losses[1]))
        np.testing.assert_allclose(value.item(), other_value.item(), rtol=1e-6, atol=1e-12, err_msg=f"step {step}")
        for p, q in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(p.numpy(), q.detach().numpy(), rtol=1e-6, atol=1e-8, err_msg=f"step {step}")
