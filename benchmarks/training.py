"""Training steps beside PyTorch's eager CPU mode: forward, backward and the optimiser's update.

Run it where PyTorch is installed:  python benchmarks/training.py
Both libraries start from the same weights and see the same batches in turns, in one process and on one
thread; the median of many rounds counts, and the losses have to agree. Without PyTorch only this library's
times are printed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import nn
import optim
from autograd import Tensor

WORK: dict[str, tuple[Sequence[int], int, str]] = {
    "4-32-32-3, batch 32, SGD": ((4, 32, 32, 3), 32, "SGD"),
    "4-32-32-3, batch 32, Adam": ((4, 32, 32, 3), 32, "Adam"),
    "784-256-128-10, batch 128, SGD": ((784, 256, 128, 10), 128, "SGD"),
    "784-256-128-10, batch 128, Adam": ((784, 256, 128, 10), 128, "Adam"),
}


def network(layers: Any, sizes: Sequence[int]) -> Any:
    modules = []
    for n_in, n_out in pairwise(sizes):
        modules += [layers.Linear(n_in, n_out), layers.ReLU()]
    return layers.Sequential(*modules[:-1])


def step_of(layers: Any, optimizers: Any, rule: str, model: Any, x: Any, y: Any) -> Callable[[], Any]:
    """One training step, in words that both libraries understand."""
    optimizer = getattr(optimizers, rule)(model.parameters(), lr=0.01)

    def step() -> Any:
        optimizer.zero_grad()
        loss = layers.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def contestants(sizes: Sequence[int], batch: int, rule: str) -> dict[str, Callable[[], Any]]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(batch, sizes[0])).astype(np.float32)
    y = rng.integers(0, sizes[-1], batch)
    ours = network(nn, sizes)
    entries = {"chainrule": step_of(nn, optim, rule, ours, Tensor(x), y)}
    try:
        import torch
    except ImportError:
        return entries
    torch.set_num_threads(1)
    theirs = network(torch.nn, sizes)
    theirs.load_state_dict({name: torch.tensor(value.numpy()) for name, value in ours.state_dict().items()})
    entries["torch"] = step_of(torch.nn, torch.optim, rule, theirs, torch.from_numpy(x), torch.from_numpy(y))
    return entries


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60, help="rounds of ten steps per library (default 60)")
    options = parser.parse_args()
    print(f"{'work':<32}  {'ms per step':>36}  {'ratio':>6}")
    for name, (sizes, batch, rule) in WORK.items():
        entries = contestants(sizes, batch, rule)
        times: dict[str, list[float]] = {library: [] for library in entries}
        losses = {}
        for _ in range(options.rounds):
            for library, step in entries.items():
                start = time.perf_counter()
                for _ in range(10):
                    loss = step()
                times[library].append((time.perf_counter() - start) / 10)
                losses[library] = loss.item()
        np.testing.assert_allclose(losses["chainrule"], list(losses.values()), rtol=1e-3, atol=1e-5)
        medians = {library: float(np.median(values)) for library, values in times.items()}
        shown = " vs ".join(f"{value * 1e3:.3f} ({library})" for library, value in medians.items())
        ratio = f"{medians['chainrule'] / medians['torch']:.2f}" if "torch" in medians else "-"
        print(f"{name:<32}  {shown:>36}  {ratio:>6}")


if __name__ == "__main__":
    main()
