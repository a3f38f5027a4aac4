"""What mixed precision costs and saves: time of a training step, memory that the forward pass leaves, accuracy.

Each network takes steps in float32 and inside ``autocast`` in turns, in one process and on one thread; the best of
many rounds counts. Numbers are ratios of mixed to single precision.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import nn
import optim
from autograd import Tensor, autocast, manual_seed

Work = tuple[Callable[[], nn.Module], tuple[int, ...]]


def fully_connected() -> nn.Module:
    hidden = [layer for _ in range(4) for layer in (nn.Linear(256, 256), nn.ReLU())]
    return nn.Sequential(*hidden, nn.Linear(256, 10))


def convolutional() -> nn.Module:
    def block(n_in: int, n_out: int) -> list[nn.Module]:
        return [nn.Conv2d(n_in, n_out, 3, padding=1), nn.BatchNorm2d(n_out), nn.ReLU()]

    layers = [*block(3, 32), nn.MaxPool2d(2), *block(32, 32), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32 * 64, 10)]
    return nn.Sequential(*layers)


def transformer() -> nn.Module:
    layer = nn.TransformerEncoderLayer(128, 4, 512, dropout=0.0, batch_first=True, norm_first=True)
    return nn.Sequential(nn.TransformerEncoder(layer, 2), nn.Linear(128, 10))


class Last(nn.Module):
    """A recurrent network's output after the last step."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(64, 128, batch_first=True), nn.Linear(128, 10)

    def forward(self, x: Any) -> Any:
        return self.head(self.lstm(x)[0][:, -1])


WORK: dict[str, Work] = {
    "5 layers of 256, batch 2048": (fully_connected, (2048, 256)),
    "convolutional, 64 of 3x32x32": (convolutional, (64, 3, 32, 32)),
    "transformer, 2 layers, 16x64x128": (transformer, (16, 64, 128)),
    "LSTM, 50 steps, 32x64": (Last, (32, 50, 64)),
}


def entry(make: Callable[[], nn.Module], x: Any, y: Any, mixed: bool) -> tuple[Callable[[], float], Callable[[], int]]:
    """One training step, and the memory that a forward pass leaves allocated."""
    manual_seed(0)
    model = make()
    optimizer, scaler = optim.Adam(model.parameters(), lr=1e-3), optim.GradScaler(enabled=mixed)

    def loss() -> Any:
        with autocast(enabled=mixed):
            out = model(Tensor(x))
            return nn.functional.cross_entropy(out if out.ndim == 2 else out[:, -1], y)

    def step() -> float:
        optimizer.zero_grad()
        value = loss()
        scaler.scale(value).backward()
        scaler.step(optimizer)
        scaler.update()
        return value.item()

    def memory() -> int:
        tracemalloc.start()
        value = loss()
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return held if value.requires_grad else 0

    return step, memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20, help="steps of each")
    options = parser.parse_args()
    print(f"{'network':34} {'time':>6} {'memory':>7} {'loss, single and mixed':>24}")
    for name, (make, shape) in WORK.items():
        rng = np.random.default_rng(0)
        x, y = rng.normal(size=shape).astype(np.float32), rng.integers(0, 10, shape[0])
        entries = [entry(make, x, y, mixed) for mixed in (False, True)]
        best, losses = [np.inf, np.inf], [np.nan, np.nan]
        for _ in range(options.rounds):
            for i, (step, _) in enumerate(entries):
                start = time.perf_counter()
                losses[i] = step()
                best[i] = min(best[i], time.perf_counter() - start)
        held = [memory() for _, memory in entries]
        ratios = f"{best[1] / best[0]:6.2f} {held[1] / held[0]:7.2f}"
        print(f"{name:34} {ratios} {losses[0]:12.4f} {losses[1]:11.4f}")


if __name__ == "__main__":
    main()
