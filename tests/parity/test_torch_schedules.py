"""Learning-rate schedules beside PyTorch's, over 200 steps.

Run where PyTorch is installed:  python -m pytest tests/parity
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import optim
from autograd import Tensor
from tests.parity.modules import torch

STEPS = 200
pytestmark = pytest.mark.filterwarnings("ignore")  # PyTorch's advice on the order of steps, and its own deprecations


def optimizers(name: str = "SGD") -> tuple[Any, Any]:
    options = {"momentum": 0.9} if name == "SGD" else {}
    groups = ({"params": [np.ones(2)], "lr": 0.5}, {"params": [np.ones(3)]})

    def made(library: Any, leaf: Any) -> Any:
        return getattr(library, name)(
            [{**group, "params": [leaf(p) for p in group["params"]]} for group in groups], lr=0.1, **options
        )

    ours = made(optim, lambda p: Tensor(p, requires_grad=True))
    theirs = made(torch.optim, lambda p: torch.tensor(p, requires_grad=True))
    return ours, theirs


CASES: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("LambdaLR", (lambda t: 0.95**t,), {}),
    ("LambdaLR", ([lambda t: 0.95**t, lambda t: 1 / (1 + t)],), {}),
    ("MultiplicativeLR", (lambda t: 0.9 + 0.1 / (1 + t),), {}),
    ("StepLR", (30,), {}),
    ("StepLR", (7,), {"gamma": 0.7}),
    ("MultiStepLR", ([10, 50, 50, 120],), {"gamma": 0.5}),
    ("ConstantLR", (), {}),
    ("ConstantLR", (0.2, 40), {}),
    ("LinearLR", (), {}),
    ("LinearLR", (0.1, 0.7, 60), {}),
    ("ExponentialLR", (0.97,), {}),
    ("PolynomialLR", (), {}),
    ("PolynomialLR", (150, 2.0), {}),
    ("CosineAnnealingLR", (200,), {}),
    ("CosineAnnealingLR", (30, 0.01), {}),
    ("CosineAnnealingWarmRestarts", (30,), {}),
    ("CosineAnnealingWarmRestarts", (10, 2, 0.01), {}),
    ("CosineAnnealingWarmRestarts", (9, 3), {}),
    ("CyclicLR", (0.01, 0.3), {"step_size_up": 20}),
    ("CyclicLR", (0.01, [0.3, 0.5]), {"step_size_up": 15, "step_size_down": 30, "mode": "triangular2"}),
    ("CyclicLR", (0.01, 0.3), {"step_size_up": 20, "mode": "exp_range", "gamma": 0.99, "cycle_momentum": False}),
    ("CyclicLR", (0.01, 0.3), {"step_size_up": 20, "scale_fn": lambda k: 0.5 + 0.5 / k}),
    ("CyclicLR", (0.01, 0.3), {"step_size_up": 20, "scale_fn": lambda t: 0.99**t, "scale_mode": "iterations"}),
    ("OneCycleLR", (0.7,), {"total_steps": STEPS + 1}),
    ("OneCycleLR", ([0.7, 0.2],), {"epochs": 3, "steps_per_epoch": 70, "anneal_strategy": "linear"}),
    ("OneCycleLR", (0.7,), {"total_steps": STEPS + 1, "three_phase": True, "pct_start": 0.2, "div_factor": 10}),
]


def compare(a: Any, b: Any, ours: Any, theirs: Any, steps: int = STEPS) -> None:
    for step in range(steps + 1):
        for mine, other in zip(ours.param_groups, theirs.param_groups, strict=True):
            np.testing.assert_allclose(mine["lr"], other["lr"], rtol=1e-10, atol=1e-15, err_msg=f"step {step}")
            for option in {"momentum", "betas"} & mine.keys():
                np.testing.assert_allclose(mine[option], other[option], rtol=1e-12, err_msg=f"step {step}")
        if step < steps:
            theirs.step()
            a.step()
            b.step()


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{len(case[1])}-{'-'.join(case[2])}")
def test_the_same_rates(case, optimizer):
    name, args, options = case
    ours, theirs = optimizers(optimizer)
    a = getattr(optim.lr_scheduler, name)(ours, *args, **options)
    b = getattr(torch.optim.lr_scheduler, name)(theirs, *args, **options)
    compare(a, b, ours, theirs)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"mode": "max", "factor": 0.5, "patience": 3, "threshold": 0.1},
        {"patience": 2, "threshold": 0.05, "threshold_mode": "abs", "cooldown": 4, "min_lr": [0.01, 0.001]},
        {"mode": "max", "patience": 0, "threshold_mode": "abs", "min_lr": 1e-3, "eps": 1e-4},
    ],
    ids=str,
)
def test_waiting_for_a_plateau(options):
    ours, theirs = optimizers()
    a = optim.lr_scheduler.ReduceLROnPlateau(ours, **options)
    b = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, **options)
    rng = np.random.default_rng(0)
    for step in range(STEPS):
        figure = float(np.exp(-step / 40) + 0.05 * rng.normal())
        a.step(figure)
        b.step(figure)
        assert a.get_last_lr() == pytest.approx(b.get_last_lr(), rel=1e-12), step


def test_schedules_chained_and_in_sequence():
    for build in (
        lambda s, o: s.ChainedScheduler([s.ConstantLR(o, 0.1, 20), s.ExponentialLR(o, 0.98)]),
        lambda s, o: s.ChainedScheduler([s.LinearLR(o, 0.2, 1.0, 50), s.CosineAnnealingLR(o, 120)]),
        lambda s, o: s.SequentialLR(o, [s.ConstantLR(o, 0.1, 20), s.ExponentialLR(o, 0.98)], [20]),
        lambda s, o: s.SequentialLR(o, [s.LinearLR(o, 0.01, 1.0, 30), s.CosineAnnealingLR(o, 170)], [30]),
        lambda s, o: s.SequentialLR(
            o, [s.LinearLR(o, 0.01, 1.0, 30), s.StepLR(o, 20, 0.5), s.PolynomialLR(o, 80, 2.0)], [30, 110]
        ),
    ):
        ours, theirs = optimizers()
        compare(build(optim.lr_scheduler, ours), build(torch.optim.lr_scheduler, theirs), ours, theirs)


def test_fractions_of_epochs():
    ours, theirs = optimizers()
    a = optim.lr_scheduler.CosineAnnealingWarmRestarts(ours, 7, 2)
    b = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(theirs, 7, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for epoch in np.arange(0, 60, 0.37):
            a.step(float(epoch))
            b.step(float(epoch))
            assert a.get_last_lr() == pytest.approx(b.get_last_lr(), rel=1e-10)
