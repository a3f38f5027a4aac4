"""What goes around optimisers: averages of weights, Lookahead, evolution strategies, hooks, non-finite gradients."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import nn
from autograd import Tensor, manual_seed
from optim import SGD, Adam, EvolutionStrategy, Lookahead
from optim.swa_utils import AveragedModel, get_ema_avg_fn, update_bn

RNG = np.random.default_rng(0)


def leaf(value):
    return Tensor(np.array(value, float), requires_grad=True)


def set_weights(model, value):
    for p in model.parameters():
        p.data[...] = value


# ---------------------------------------------------------------------- averages


def test_the_mean_of_all_weights():
    model = nn.Linear(2, 1)
    average = AveragedModel(model)
    for value in (1.0, 2.0, 6.0):
        set_weights(model, value)
        average.update_parameters(model)
    assert np.all(average.module.weight.numpy() == 3.0)
    assert average.n_averaged.item() == 3
    assert not average.module.weight.requires_grad
    np.testing.assert_array_equal(average(np.ones((1, 2), np.float32)).numpy(), [[9.0]])


def test_an_exponential_average_and_buffers():
    model = nn.Sequential(nn.Linear(2, 1), nn.BatchNorm1d(1))
    average = AveragedModel(model, get_ema_avg_fn(0.9), use_buffers=True)
    set_weights(model, 1.0)
    average.update_parameters(model)
    set_weights(model, 2.0)
    model[1].running_mean.data[...] = 10.0
    average.update_parameters(model)
    np.testing.assert_allclose(average.module[0].weight.numpy(), 0.9 * 1 + 0.1 * 2, rtol=1e-6)
    np.testing.assert_allclose(average.module[1].running_mean.numpy(), 1.0)
    with pytest.raises(ValueError, match="other parameters"):
        average.update_parameters(nn.Linear(2, 1))
    with pytest.raises(ValueError, match=r"decay lies in \[0, 1\]"):
        get_ema_avg_fn(2.0)


def test_running_statistics_are_renewed():
    model = nn.Sequential(nn.BatchNorm1d(3))
    model[0].running_mean.data[...] = 99.0
    x = RNG.normal(2.0, 3.0, size=(40, 3)).astype(np.float32)
    model.eval()
    update_bn(nn.data.DataLoader(nn.data.TensorDataset(x), 10), model)
    np.testing.assert_allclose(model[0].running_mean.numpy(), x.mean(0), rtol=1e-5)
    assert model[0].momentum == 0.1
    assert not model.training


def test_lookahead_pulls_back_every_k_steps():
    p = leaf([0.0])
    optimizer = Lookahead(SGD([p], lr=1.0), k=3, alpha=0.5)
    path = []
    for step in range(6):
        p.grad = np.array([-1.0])
        optimizer.step()
        path.append(p.item())
        if step == 3:
            state = copy.deepcopy(optimizer.state_dict())
    assert path == [1, 2, 1.5, 2.5, 3.5, 3.0]
    q = leaf([2.5])
    again = Lookahead(SGD([q], lr=1.0), k=3, alpha=0.5)
    again.load_state_dict(state)
    for _ in range(2):
        q.grad = np.array([-1.0])
        again.step()
    assert q.item() == 3.0
    with pytest.raises(ValueError, match="k of 1 or more"):
        Lookahead(SGD([p]), k=0)


# ---------------------------------------------------------------------- evolution strategies


def test_the_estimate_is_the_gradient_on_average():
    manual_seed(0)
    p = leaf([1.0, -2.0, 0.5])
    optimizer = EvolutionStrategy([p], lr=0.0, sigma=0.01, pairs=20_000)
    loss = optimizer.step(lambda: np.sum(np.square(p.numpy())))
    np.testing.assert_allclose(p.grad.numpy(), 2 * p.numpy(), atol=0.15)
    assert loss == pytest.approx(np.sum(np.square(p.numpy())), rel=1e-2)


def test_a_step_function_is_descended_where_gradients_are_zero():
    manual_seed(0)
    p = leaf([3.0, -2.0])
    optimizer = EvolutionStrategy([p], lr=0.3, sigma=0.5, pairs=32, momentum=0.5)
    for _ in range(60):
        optimizer.step(lambda: np.sum(np.abs(np.round(p.numpy() * 4))))
    assert np.abs(p.numpy()).max() < 0.7


def test_evolution_reaches_what_backpropagation_reaches():
    x = RNG.normal(size=(64, 3))
    y = x @ np.array([[1.0], [-1.0], [0.5]])
    errors = []
    for evolve in (True, False):
        manual_seed(0)
        model = nn.Linear(3, 1).double()
        optimizer = EvolutionStrategy(model.parameters(), 0.05, 0.01, 32) if evolve else SGD(model.parameters(), 0.05)
        for _ in range(300):
            optimizer.zero_grad()
            if evolve:
                optimizer.step(lambda model=model: nn.functional.mse_loss(model(x), y))
            else:
                nn.functional.mse_loss(model(x), y).backward()
                optimizer.step()
        errors.append(nn.functional.mse_loss(model(x), y).item())
    assert max(errors) < 1e-6


def test_a_failed_estimate_leaves_the_weights():
    p = leaf([1.0])
    optimizer = EvolutionStrategy([p])
    with pytest.raises(ValueError, match="the loss of a perturbed model is nan"):
        optimizer.step(lambda: np.nan)
    assert p.item() == 1.0
    with pytest.raises(ValueError, match="needs a closure"):
        optimizer.step()
    with pytest.raises(ValueError, match="sigma > 0"):
        EvolutionStrategy([p], sigma=0.0)


# ---------------------------------------------------------------------- hooks, gradients that are not finite


def test_hooks_around_a_step():
    p = leaf([1.0])
    optimizer = Adam([p])
    seen = []
    first = optimizer.register_step_pre_hook(lambda o: seen.append(("before", p.item())))
    optimizer.register_step_post_hook(lambda o: seen.append(("after", p.item())))
    p.grad = np.ones(1)
    optimizer.step()
    assert seen == [("before", 1.0), ("after", p.item())]
    first.remove()
    optimizer.step()
    assert [name for name, _ in seen] == ["before", "after", "after"]


def test_gradients_that_are_not_finite_are_named():
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    nn.utils.check_finite_gradients(model)
    model[1].weight.grad = np.array([[0.0, np.nan, np.inf]], np.float32)
    with pytest.raises(FloatingPointError, match=r"'1\.weight' is not finite: 2 of 3 .* \[0, 1\], nan"):
        nn.utils.check_finite_gradients(model.named_parameters())
