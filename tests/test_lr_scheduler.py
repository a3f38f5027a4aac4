"""Learning-rate schedules: formulas, states that go on, looking ahead, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from autograd import Tensor
from optim import SGD, Adagrad, Adam, lr_scheduler


def optimizer(kind=SGD, **options):
    return kind([Tensor(np.ones(2), requires_grad=True)], lr=0.1, **options)


def rates(schedule, steps):
    found = []
    for _ in range(steps):
        found.append(schedule.get_last_lr()[0])
        schedule.step()
    return np.array(found)


T = np.arange(12)
FORMULAS = {
    "step": (lambda o: lr_scheduler.StepLR(o, 4, 0.5), 0.1 * 0.5 ** (T // 4)),
    "exponential": (lambda o: lr_scheduler.ExponentialLR(o, 0.9), 0.1 * 0.9**T),
    "linear": (lambda o: lr_scheduler.LinearLR(o, 0.2, 1.0, 8), 0.1 * (0.2 + 0.8 * np.minimum(T, 8) / 8)),
    "polynomial": (lambda o: lr_scheduler.PolynomialLR(o, 8, 2.0), 0.1 * (1 - np.minimum(T, 8) / 8) ** 2),
    "cosine": (lambda o: lr_scheduler.CosineAnnealingLR(o, 6, 0.01), 0.01 + 0.045 * (1 + np.cos(np.pi * T / 6))),
    "lambda": (lambda o: lr_scheduler.LambdaLR(o, lambda t: 1 / (1 + t)), 0.1 / (1 + T)),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_formula(name):
    make, expected = FORMULAS[name]
    np.testing.assert_allclose(rates(make(optimizer()), 12), expected, rtol=1e-12, atol=1e-16)


def warm_up_and_fall(o):
    return lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, 0.1, 1, 3), lr_scheduler.CosineAnnealingLR(o, 8)], [3]
    )


MAKERS = {
    **{name: make for name, (make, _) in FORMULAS.items()},
    "restarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 3, 2),
    "cyclic": lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.1, 3, cycle_momentum=False),
    "one cycle": lambda o: lr_scheduler.OneCycleLR(o, 0.3, 12, cycle_momentum=False),
    "sequence": warm_up_and_fall,
    "chain": lambda o: lr_scheduler.ChainedScheduler(
        [lr_scheduler.ExponentialLR(o, 0.9), lr_scheduler.StepLR(o, 4, 0.5)]
    ),
}


@pytest.mark.parametrize("name", MAKERS)
def test_a_state_goes_on(name):
    whole = rates(MAKERS[name](optimizer()), 11)
    first = optimizer()
    schedule = MAKERS[name](first)
    rates(schedule, 5)
    second = optimizer()
    other = MAKERS[name](second)
    second.load_state_dict(first.state_dict())
    other.load_state_dict(schedule.state_dict())
    np.testing.assert_allclose(rates(other, 6), whole[5:], rtol=1e-12)


@pytest.mark.parametrize("name", MAKERS)
def test_looking_ahead_changes_nothing(name, tmp_path):
    o = optimizer()
    schedule = MAKERS[name](o)
    rates(schedule, 2)
    ahead = schedule.preview(8)[:, 0]
    schedule.plot(8, tmp_path / "schedule.png")
    assert (tmp_path / "schedule.png").stat().st_size > 5_000
    np.testing.assert_allclose(rates(schedule, 8), ahead, rtol=1e-12)


def test_momentum_goes_the_other_way():
    o = optimizer(momentum=0.9)
    schedule = lr_scheduler.OneCycleLR(o, 1.0, 10)
    found = []
    for _ in range(10):
        found.append((o.param_groups[0]["lr"], o.param_groups[0]["momentum"]))
        if len(found) < 10:
            schedule.step()
    lr, momentum = np.array(found).T
    assert np.argmax(lr) == np.argmin(momentum)
    with pytest.raises(ValueError, match="the cycle of 10 steps is over"):
        schedule.step()
    adam = optimizer(Adam)
    lr_scheduler.CyclicLR(adam, 0.01, 0.1)
    assert adam.param_groups[0]["betas"] == (0.9, 0.999)


def test_a_plateau_lowers_the_rate():
    o = optimizer()
    schedule = lr_scheduler.ReduceLROnPlateau(o, patience=2, factor=0.5)
    for _ in range(4):
        schedule.step(1.0)
    assert o.param_groups[0]["lr"] == 0.05
    other = lr_scheduler.ReduceLROnPlateau(o, patience=2, factor=0.5)
    other.load_state_dict(schedule.state_dict())
    assert other.best == 1.0


def test_training_uses_the_rate():
    p = Tensor(np.zeros(1), requires_grad=True)
    o = SGD([p], lr=1.0)
    schedule = lr_scheduler.ExponentialLR(o, 0.5)
    for _ in range(3):
        p.grad = np.ones(1)
        o.step()
        schedule.step()
    assert p.item() == -(1 + 0.5 + 0.25)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lr_scheduler.StepLR("sgd", 3), TypeError, "takes an Optimizer; got str"),
        (lambda: lr_scheduler.StepLR(optimizer(), 0), ValueError, "step_size is 1 or more"),
        (lambda: lr_scheduler.LambdaLR(optimizer(), [abs, abs]), ValueError, "1 groups; got 2 functions"),
        (lambda: lr_scheduler.ConstantLR(optimizer(), 2.0), ValueError, r"factor lies in \[0, 1\]"),
        (lambda: lr_scheduler.LinearLR(optimizer(), 0.0), ValueError, "start_factor"),
        (lambda: lr_scheduler.CosineAnnealingLR(optimizer(), 0), ValueError, "T_max is above 0"),
        (lambda: lr_scheduler.CosineAnnealingWarmRestarts(optimizer(), 1.5), ValueError, "whole numbers"),
        (lambda: lr_scheduler.CyclicLR(optimizer(Adagrad), 0.1, 0.2), ValueError, "cycle_momentum=False"),
        (lambda: lr_scheduler.CyclicLR(optimizer(), 0.1, 0.2, mode="square"), ValueError, "mode is"),
        (lambda: lr_scheduler.OneCycleLR(optimizer(), 0.1), ValueError, "total_steps, or epochs"),
        (lambda: lr_scheduler.OneCycleLR(optimizer(), 0.1, 10, anneal_strategy="log"), ValueError, "'cos' or 'linear'"),
        (lambda: lr_scheduler.ReduceLROnPlateau(optimizer(), factor=1.0), ValueError, "factor is below 1"),
        (lambda: lr_scheduler.SequentialLR(optimizer(), [], []), ValueError, "at least one"),
        (lambda: lr_scheduler.StepLR(optimizer(), 3, last_epoch=4), KeyError, "initial_lr"),
        (
            lambda: lr_scheduler.ChainedScheduler(
                [lr_scheduler.StepLR(optimizer(), 3), lr_scheduler.StepLR(optimizer(), 3)]
            ),
            ValueError,
            "one and the same optimizer",
        ),
    ],
)
def test_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
