"""The engine's time per operation beside PyTorch's eager CPU mode, on a chain of add, multiply, tanh.

Run it where PyTorch is installed:  python benchmarks/overhead.py
Both libraries take turns in one process, on one thread; the best of many rounds counts. A row gives
the time of one operation and its ratio to PyTorch's, forward and backward, for float64 arrays of 1, 100
and 10,000 elements. Without PyTorch only this library's times are printed.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import autograd.numpy as anp
from autograd import Tensor


def chain(x: Any, a: Any, b: Any, tanh: Callable[[Any], Any], length: int) -> Any:
    for _ in range(length):
        x = tanh(x * a + b)
    return x


def one_round(make: Callable[[Any], Any], tanh: Callable[[Any], Any], seed: Any, size: int, length: int) -> Any:
    """Seconds per operation, forward and backward, and the gradient for comparison."""
    x, a, b = (make(np.full(size, value)) for value in (0.5, 0.9, 0.1))
    start = time.perf_counter()
    y = chain(x, a, b, tanh, length)
    middle = time.perf_counter()
    y.backward(seed)
    end = time.perf_counter()
    operations = 3 * length
    return (middle - start) / operations, (end - middle) / operations, a.grad.numpy()


def contestants(size: int) -> dict[str, tuple[Any, Any, Any]]:
    entries: dict[str, tuple[Any, Any, Any]] = {
        "chainrule": (lambda data: Tensor(data, requires_grad=True), anp.tanh, np.ones(size))
    }
    try:
        import torch
    except ImportError:
        return entries
    torch.set_num_threads(1)
    entries["torch"] = (lambda data: torch.tensor(data, requires_grad=True), torch.tanh, torch.ones(size).double())
    return entries


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=80, help="rounds per library and size (default 80)")
    parser.add_argument("--length", type=int, default=300, help="links in the chain, of three operations (default 300)")
    options = parser.parse_args()
    print(f"{'elements':>8}  {'forward µs':>22}  {'ratio':>6}  {'backward µs':>22}  {'ratio':>6}")
    for size in (1, 100, 10_000):
        entries = contestants(size)
        best = {name: [np.inf, np.inf] for name in entries}
        gradients = {}
        gc.disable()
        for _ in range(options.rounds):
            for name, (make, tanh, seed) in entries.items():
                forward, backward, gradients[name] = one_round(make, tanh, seed, size, options.length)
                best[name] = [min(best[name][0], forward), min(best[name][1], backward)]
        gc.enable()
        for gradient in gradients.values():
            np.testing.assert_allclose(gradient, gradients["chainrule"], rtol=1e-9)
        row = f"{size:>8}"
        for phase in (0, 1):
            times = " vs ".join(f"{best[name][phase] * 1e6:.2f} ({name})" for name in entries)
            ratio = f"{best['chainrule'][phase] / best['torch'][phase]:.2f}" if "torch" in entries else "-"
            row += f"  {times:>22}  {ratio:>6}"
        print(row)


if __name__ == "__main__":
    main()
