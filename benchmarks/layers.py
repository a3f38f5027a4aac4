"""A forward and backward pass of single layers beside PyTorch's.

Run it where PyTorch is installed:  python benchmarks/layers.py
Both libraries compute on equal float32 inputs with equal weights in turns, in one process and on one thread; the best
of many rounds counts, and outputs and gradients have to agree. Below 1 this library is faster. With
CHAINRULE_KERNELS=numpy in the environment it does without its compiled kernels.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from optimizers import best

import nn
from autograd import Tensor

Make = Callable[[Any], Any]

WORK: dict[str, tuple[Make, tuple[int, ...]]] = {
    "Linear(256, 256), 128": (lambda nn: nn.Linear(256, 256), (128, 256)),
    "Conv2d(16, 32, 3), 16×32×32": (lambda nn: nn.Conv2d(16, 32, 3, padding=1), (16, 16, 32, 32)),
    "Conv2d(64, 64, 3), 8×16×16": (lambda nn: nn.Conv2d(64, 64, 3, padding=1), (8, 64, 16, 16)),
    "MaxPool2d(2), 32×16×32×32": (lambda nn: nn.MaxPool2d(2), (32, 16, 32, 32)),
    "BatchNorm2d(16), 32×32×32": (lambda nn: nn.BatchNorm2d(16), (32, 16, 32, 32)),
    "LayerNorm(128), 64×64": (lambda nn: nn.LayerNorm(128), (64, 64, 128)),
    "RNN(64, 128), 50×32": (lambda nn: nn.RNN(64, 128), (50, 32, 64)),
    "LSTM(64, 128), 50×32": (lambda nn: nn.LSTM(64, 128), (50, 32, 64)),
    "LSTM(32, 32), 20×8": (lambda nn: nn.LSTM(32, 32), (20, 8, 32)),
    "GRU(64, 128), 50×32": (
        lambda nn: nn.GRU(64, 128) if nn.__name__ != "nn" else nn.GRU(64, 128, reset_after=True),
        (50, 32, 64),
    ),
    "TransformerEncoderLayer(128, 4), 16×64": (
        lambda nn: nn.TransformerEncoderLayer(128, 4, 256, dropout=0.0, activation="gelu", batch_first=True),
        (16, 64, 128),
    ),
    "ReLU, 64×64×128": (lambda nn: nn.ReLU(), (64, 64, 128)),
    "Tanh, 64×64×128": (lambda nn: nn.Tanh(), (64, 64, 128)),
    "GELU, 64×64×128": (lambda nn: nn.GELU(), (64, 64, 128)),
    "SiLU, 64×64×128": (lambda nn: nn.SiLU(), (64, 64, 128)),
    "Softmax, 64×64×128": (lambda nn: nn.Softmax(-1), (64, 64, 128)),
}


def passes(module: Any, x: Any, cotangent: Any) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """The forward pass alone, and forward and backward."""

    def forward() -> Any:
        out = module(x)
        return out[0] if isinstance(out, tuple) else out

    def both() -> Any:
        for each in (x, *module.parameters()):
            each.grad = None
        out = forward()
        out.backward(cotangent)
        return out

    return forward, both


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20, help="passes of each")
    options = parser.parse_args()
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    rng = np.random.default_rng(0)
    print(f"{'layer, input':40} {'forward':>8} {'both':>8}")
    for name, (make, shape) in WORK.items():
        ours, theirs = make(nn), make(torch.nn)
        theirs.load_state_dict({key: torch.tensor(np.array(value)) for key, value in ours.state_dict().items()})
        x = rng.normal(size=shape).astype(np.float32)
        a, b = Tensor(x.copy(), requires_grad=True), torch.tensor(x, requires_grad=True)
        g = rng.normal(size=np.shape(passes(ours, a, None)[0]())).astype(np.float32)
        forward, both = passes(ours, a, g)
        their_forward, their_both = passes(theirs, b, torch.tensor(g))
        np.testing.assert_allclose(both().detach(), their_both().detach(), rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(a.grad, b.grad, rtol=1e-2, atol=1e-2)
        calls = {"forward": forward, "their forward": their_forward, "both": both, "their both": their_both}
        seconds = best(calls, options.rounds)
        ratios = [seconds[each] / seconds[f"their {each}"] for each in ("forward", "both")]
        print(f"{name:40} {ratios[0]:8.2f} {ratios[1]:8.2f}", flush=True)


if __name__ == "__main__":
    main()
