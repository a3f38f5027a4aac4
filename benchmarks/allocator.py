"""What keeping freed memory saves: steps of this library with and without it.

    python benchmarks/allocator.py

Each round starts one process of each kind, on one thread; the medians of their steps are compared. Below 1 it saves
time. Only where the C library is glibc.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def convolutional(rng: Any) -> Callable[[], Any]:
    import nn
    import optim

    layers = [nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)]
    layers += [nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * 7 * 7, 10))
    optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    x, label = rng.normal(size=(64, 1, 28, 28)).astype("float32"), rng.integers(0, 10, 64)

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), label).backward()
        optimizer.step()

    return step


def layer(make: Callable[[Any], Any], *shape: int) -> Callable[[Any], Callable[[], Any]]:
    def prepared(rng: Any) -> Callable[[], Any]:
        import nn

        module, x = make(nn), rng.normal(size=shape).astype("float32")

        def step() -> None:
            module.zero_grad()
            out = module(x)
            (out[0] if isinstance(out, tuple) else out).sum().backward()

        return step

    return prepared


WORK = {
    "convolutional network, 64 of 28×28": convolutional,
    "LSTM, 50 steps of 32×64": layer(lambda nn: nn.LSTM(64, 128), 50, 32, 64),
    "transformer layer, 16×64×128": layer(lambda nn: nn.TransformerEncoderLayer(128, 4, 256), 64, 16, 128),
}


def medians(steps: int) -> None:
    """Print the median seconds of a step of each work."""
    import numpy as np

    for prepare in WORK.values():
        step, seconds = prepare(np.random.default_rng(0)), []
        for _ in range(steps):
            start = time.perf_counter()
            step()
            seconds.append(time.perf_counter() - start)
        print(float(np.median(seconds[steps // 5 :])))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="processes of each kind")
    parser.add_argument("--steps", type=int, default=40, help="steps in each")
    parser.add_argument("--measure", choices=["kept", "freed"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure == "freed":
        sys.modules["autograd.allocator"] = SimpleNamespace(keep_freed_memory=lambda: False)  # type: ignore[assignment]
    if options.measure:
        medians(options.steps)
        return
    found: dict[str, list[list[float]]] = {"kept": [], "freed": []}
    for _ in range(options.rounds):
        for kind, times in found.items():
            command = [sys.executable, __file__, "--steps", str(options.steps), "--measure", kind]
            shown = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | ONE_THREAD)
            times.append([float(line) for line in shown.stdout.split()])
    for i, name in enumerate(WORK):
        ratio = min(times[i] for times in found["kept"]) / min(times[i] for times in found["freed"])
        print(f"{name:36} {ratio:.2f}")


if __name__ == "__main__":
    main()
