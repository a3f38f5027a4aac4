"""Cost of an optimiser's step beside PyTorch's default, foreach and fused ones.

Run it where PyTorch is installed:  python benchmarks/optimizers.py
Both libraries update equal parameters with equal gradients in turns, in one process and on one thread, or as many as
OMP_NUM_THREADS says; the best of many rounds counts, and the parameters have to agree at the end. Below 1 this library
is faster.
"""

from __future__ import annotations

import argparse
import inspect
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import optim
from autograd import Tensor

WORK = [(6, 100), (60, 100), (600, 100), (6, 10_000), (60, 10_000), (6, 1_000_000)]
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "SGD": ("SGD", {"lr": 0.01}),
    "SGD with momentum": ("SGD", {"lr": 0.01, "momentum": 0.9}),
    "Adam": ("Adam", {}),
    "AdamW": ("AdamW", {}),
    "Adam, AMSGrad": ("Adam", {"amsgrad": True}),
    "NAdam": ("NAdam", {}),
    "RAdam": ("RAdam", {}),
    "Adamax": ("Adamax", {}),
    "Adagrad": ("Adagrad", {}),
    "Adadelta": ("Adadelta", {}),
    "RMSprop": ("RMSprop", {}),
    "RMSprop, centered": ("RMSprop", {"centered": True, "momentum": 0.9}),
    "Rprop": ("Rprop", {}),
}


def best(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Seconds of each call, taken in turns."""
    seconds = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            seconds[name] = min(seconds[name], time.perf_counter() - start)
    return seconds


def steps(label: str, count: int, size: int) -> tuple[dict[str, Callable[[], Any]], Callable[[], None]]:
    """The steps to be timed, and a check that all reached the same weights."""
    rng = np.random.default_rng(0)
    values = [rng.normal(size=size).astype(np.float32) for _ in range(count)]
    gradients = [rng.normal(size=size).astype(np.float32) for _ in range(count)]
    ours = [Tensor(v.copy(), requires_grad=True) for v in values]
    for p, g in zip(ours, gradients, strict=True):
        p.grad = g
    kind, options = KINDS[label]
    calls = {"ours": getattr(optim, kind)(ours, **options).step}
    try:
        import torch
    except ImportError:
        return calls, lambda: None
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    others = {}
    for name, option in {"default": {}, "foreach": {"foreach": True}, "fused": {"fused": True}}.items():
        theirs = [torch.tensor(v, requires_grad=True) for v in values]
        for q, g in zip(theirs, gradients, strict=True):
            q.grad = torch.tensor(g)
        make = getattr(torch.optim, kind)
        if option.keys() <= inspect.signature(make).parameters.keys():
            calls[name] = make(theirs, **options, **option).step
            others[name] = theirs

    def check() -> None:
        for theirs in others.values():
            for p, q in zip(ours, theirs, strict=True):
                np.testing.assert_allclose(p.numpy(), q.detach().numpy(), rtol=1e-3, atol=1e-4)

    return calls, check


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60, help="steps of each")
    options = parser.parse_args()
    print(f"{'step of':18} {'parameters':>16} {'ours, µs':>10} {'/ default':>10} {'/ foreach':>10} {'/ fused':>10}")
    for label in KINDS:
        for count, size in WORK:
            calls, check = steps(label, count, size)
            seconds = best(calls, options.rounds)
            check()
            ratios = [f"{seconds['ours'] / s:10.2f}" for name, s in seconds.items() if name != "ours"]
            print(f"{label:18} {f'{count} of {size:,}':>16} {1e6 * seconds['ours']:10.1f} {' '.join(ratios)}")


if __name__ == "__main__":
    main()
