"""Checkpoints: a training that is killed at any moment goes on to the very weights of one that was not."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import nn
from autograd import Tensor, default_generator, manual_seed
from optim import LBFGS, SGD, Adam, Lookahead, load_checkpoint, lr_scheduler, save_checkpoint

ROOT = Path(__file__).resolve().parent.parent

TRAINING = """
import sys
from pathlib import Path
import numpy as np
import nn, optim
from autograd import Tensor, manual_seed

path, steps = Path(sys.argv[1]), int(sys.argv[2])
manual_seed(0)
rng = np.random.default_rng(0)
x, y = rng.normal(size=(200, 8)).astype(np.float32), rng.integers(0, 3, 200)
model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 3))
optimizer = optim.Adam(model.parameters(), lr=0.01, amsgrad=True)
scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
sampler = np.random.default_rng(1)
parts = dict(model=model, optimizer=optimizer, scheduler=scheduler, sampler=sampler)
step = 0
if path.exists():
    step, extra = optim.load_checkpoint(path, **parts)
    assert extra == {"note": ("kept", step)}
while step < steps:
    batch = sampler.integers(0, 200, 32)
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(Tensor(x[batch])), y[batch]).backward()
    optimizer.step()
    scheduler.step()
    step += 1
    optim.save_checkpoint(path, step=step, extra={"note": ("kept", step)}, **parts)
    print(step, flush=True)
nn.save(model.state_dict(), path.with_suffix(".end"))
"""


def start(path: Path, steps: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", TRAINING, str(path), str(steps)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"},
    )


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is sent in another way there")
def test_killed_twenty_times_and_resumed(tmp_path):
    steps = 4000
    whole = start(tmp_path / "whole.safetensors", steps)
    assert whole.communicate(timeout=300)[0].endswith(f"{steps}\n")
    path, moments = tmp_path / "killed.safetensors", random.Random(0)
    for _ in range(20):
        process = start(path, steps)
        process.stdout.readline()  # it is under way
        time.sleep(moments.uniform(0, 0.1))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert not path.with_suffix(".end").exists()
    last = start(path, steps)
    last.communicate(timeout=300)
    assert last.returncode == 0
    a, b = (nn.load(tmp_path / f"{name}.end") for name in ("whole", "killed"))
    for key in a:
        np.testing.assert_array_equal(a[key].numpy(), b[key].numpy(), err_msg=key)


def model_and_gradients():
    manual_seed(0)
    model = nn.Linear(3, 2)
    for p in model.parameters():
        p.grad = np.ones(p.shape, np.float32)
    return model


@pytest.mark.parametrize(
    "make",
    [
        lambda model: SGD(model.parameters(), lr=0.1, momentum=0.9),
        lambda model: Adam([{"params": [model.weight]}, {"params": [model.bias], "betas": (0.5, 0.6)}]),
        lambda model: Lookahead(Adam(model.parameters()), k=2),
    ],
    ids=["SGD", "Adam in groups", "Lookahead"],
)
def test_states_of_every_kind_come_back(make, tmp_path):
    model = model_and_gradients()
    optimizer = make(model)
    for _ in range(3):
        optimizer.step()
    save_checkpoint(tmp_path / "a", step=3, model=model, optimizer=optimizer)
    state = default_generator().bit_generator.state
    default_generator().normal(size=10)
    other = model_and_gradients()
    restored = make(other)
    assert load_checkpoint(tmp_path / "a", model=other, optimizer=restored) == (3, None)
    assert default_generator().bit_generator.state == state
    for _ in range(3):
        optimizer.step()
        restored.step()
    np.testing.assert_array_equal(model.weight.numpy(), other.weight.numpy())
    for mine, theirs in zip(optimizer.param_groups, restored.param_groups, strict=True):
        assert {k: v for k, v in mine.items() if k != "params"} == {k: v for k, v in theirs.items() if k != "params"}


def test_the_memory_of_lbfgs_comes_back(tmp_path):
    def problem():
        p = Tensor(np.array([-1.2, 1.0]), requires_grad=True)
        optimizer = LBFGS([p], max_iter=4, line_search_fn="strong_wolfe")

        def closure():
            optimizer.zero_grad()
            loss = 100 * (p[1] - p[0] ** 2) ** 2 + (1 - p[0]) ** 2
            loss.backward()
            return loss

        return p, optimizer, closure

    p, optimizer, closure = problem()
    optimizer.step(closure)
    save_checkpoint(tmp_path / "a", extra=p.numpy(), optimizer=optimizer)
    optimizer.step(closure)
    q, restored, other = problem()
    _, weights = load_checkpoint(tmp_path / "a", optimizer=restored)
    q.data[...] = weights
    restored.step(other)
    np.testing.assert_array_equal(p.numpy(), q.numpy())


def test_refused(tmp_path):
    model = nn.Linear(2, 1)
    with pytest.raises(TypeError, match=r"'schedule' has no state_dict\(\)"):
        save_checkpoint(tmp_path / "a", model=model, schedule=3)
    with pytest.raises(TypeError, match=r"cannot hold 'checkpoint\.extra', a object"):
        save_checkpoint(tmp_path / "a", extra=object(), model=model)
    assert not (tmp_path / "a").exists()
    nn.save(model.state_dict(), tmp_path / "b")
    with pytest.raises(ValueError, match="is no checkpoint"):
        load_checkpoint(tmp_path / "b", model=model)
    save_checkpoint(tmp_path / "a", model=model)
    with pytest.raises(ValueError, match="has no part optimizer; it has model"):
        load_checkpoint(tmp_path / "a", optimizer=SGD(model.parameters()))
    with pytest.raises(FileNotFoundError):
        load_checkpoint(tmp_path / "c")


def test_schedules_are_parts(tmp_path):
    optimizer = SGD([Tensor(np.ones(1), requires_grad=True)], lr=1.0)
    schedule = lr_scheduler.SequentialLR(
        optimizer, [lr_scheduler.LinearLR(optimizer, 0.1, 1, 3), lr_scheduler.ExponentialLR(optimizer, 0.5)], [3]
    )
    for _ in range(4):
        schedule.step()
    save_checkpoint(tmp_path / "a", schedule=schedule, optimizer=optimizer)
    expected = schedule.preview(5)
    for _ in range(3):
        schedule.step()
    load_checkpoint(tmp_path / "a", schedule=schedule, optimizer=optimizer)
    np.testing.assert_array_equal(schedule.preview(5), expected)
