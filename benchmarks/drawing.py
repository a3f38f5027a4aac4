"""Pictures of the same networks by draw(), torchviz and torchview: time, size, and the pictures themselves.

Run it where PyTorch and the peers are installed:  python benchmarks/drawing.py --out pictures
All draw in turns, in one process and on one thread; the median of several rounds counts. Times are from a
recorded graph to DOT text, and from that to SVG by the same Graphviz; torchview records while it draws, so
its time has a forward pass in it. Peers that are not installed are left out.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import graphviz
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import nn
from autograd import Tensor, draw, manual_seed

NODE = 'class="node"'  # once for each box in an SVG by Graphviz
rng = np.random.default_rng(0)


def numbers(*shape: int) -> Any:
    return rng.normal(size=shape).astype(np.float32)


# ---------------------------------------------------------------------- networks, in words that both libraries know


def neuron(layers: Any, array: Callable[[Any], Any]) -> tuple[Any, Any]:
    class Neuron(layers.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w, self.b = layers.Parameter(array(np.float32(1.2))), layers.Parameter(array(np.float32(-0.8)))

        def forward(self, x: Any) -> Any:
            return 0.5 * (self.w * x + self.b).sigmoid() ** 2

    return Neuron(), array(np.float32(0.5))


def mlp(layers: Any, array: Callable[[Any], Any]) -> tuple[Any, Any]:
    sizes = layers.Linear(10, 64), layers.ReLU(), layers.Linear(64, 64), layers.ReLU(), layers.Linear(64, 3)
    return layers.Sequential(*sizes), array(numbers(8, 10))


def lenet(layers: Any, array: Callable[[Any], Any]) -> tuple[Any, Any]:
    features = [layers.Conv2d(1, 6, 5, padding=2), layers.Tanh(), layers.AvgPool2d(2)]
    features += [layers.Conv2d(6, 16, 5), layers.Tanh(), layers.AvgPool2d(2), layers.Flatten()]
    classifier = [layers.Linear(400, 120), layers.Tanh(), layers.Linear(120, 84), layers.Tanh(), layers.Linear(84, 10)]
    return layers.Sequential(*features, *classifier), array(numbers(4, 1, 28, 28))


def lstm(layers: Any, array: Callable[[Any], Any]) -> tuple[Any, Any]:
    class Recurrent(layers.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell, self.head = layers.LSTMCell(8, 16), layers.Linear(16, 1)

        def forward(self, x: Any) -> Any:
            state = (array(np.zeros((4, 16), np.float32)), array(np.zeros((4, 16), np.float32)))
            for t in range(20):
                state = self.cell(x[t], state)
            return self.head(state[0])

    return Recurrent(), array(numbers(20, 4, 8))


def transformer(layers: Any, array: Callable[[Any], Any]) -> tuple[Any, Any]:
    layer = layers.TransformerEncoderLayer(32, 4, 64, batch_first=True)
    return layers.TransformerEncoder(layer, 12), array(numbers(2, 10, 32))


NETWORKS = {
    "scalar neuron": neuron,
    "MLP 10-64-64-3": mlp,
    "LeNet": lenet,
    "LSTM cell, 20 steps": lstm,
    "transformer, 12 layers": transformer,
}

# ---------------------------------------------------------------------- those who draw


def installed(name: str) -> ModuleType | None:
    try:
        return __import__(name)
    except ImportError:
        return None


def contestants(network: Any) -> dict[str, Callable[[], str]]:
    """For each way of drawing a network a function that returns DOT text."""
    manual_seed(0)
    model, x = network(nn, Tensor)
    loss = (model(x) ** 2).mean()
    ways = {
        "draw": lambda: draw(loss).source,
        "draw, whole": lambda: draw(loss, depth=None, rollup=False, max_nodes=None).source,
    }
    torch = installed("torch")
    if torch is None:
        return ways
    torch.set_num_threads(1)
    model, x = network(torch.nn, torch.tensor)
    model.train()
    torch_loss = (model(x) ** 2).mean()
    torchviz, torchview = installed("torchviz"), installed("torchview")
    if torchviz is not None:
        ways["torchviz"] = lambda: torchviz.make_dot(torch_loss, params=dict(model.named_parameters())).source
    if torchview is not None:
        for way, roll in (("torchview", False), ("torchview, rolled", True)):
            options = {"expand_nested": True, "depth": 100, "roll": roll, "device": "cpu", "mode": "train"}
            ways[way] = partial(_viewed, torchview, model, x, options)
    return ways


def _viewed(torchview: Any, model: Any, x: Any, options: dict[str, Any]) -> str:
    return torchview.draw_graph(model, input_data=x, **options).visual_graph.source


def measure(name: str, rounds: int, out: Path | None) -> None:
    ways = contestants(NETWORKS[name])
    gc.collect()
    gc.freeze()  # what is loaded with PyTorch is not searched for garbage while someone draws
    to_dot: dict[str, list[float]] = {way: [] for way in ways}
    to_svg: dict[str, list[float]] = {way: [] for way in ways}
    drawn: dict[str, tuple[str, str]] = {}
    for turn in range(rounds + 1):
        for way, write in ways.items():
            gc.collect()  # nobody pays for what another has left
            began = time.perf_counter()
            source = write()
            written = time.perf_counter()
            svg = graphviz.Source(source).pipe("svg", encoding="utf-8")
            ended = time.perf_counter()
            drawn[way] = source, svg
            if turn:  # the first round warms up
                to_dot[way].append(written - began)
                to_svg[way].append(ended - written)
    for way, (source, svg) in drawn.items():
        text, picture = median(to_dot[way]), median(to_svg[way])
        ratio = text / median(to_dot["draw, whole"])
        print(
            f"| {name} | {way} | {svg.count(NODE):,} "
            f"| {1e3 * text:.2f} | {ratio:.2f} | {1e3 * picture:.0f} | {len(source) / 1e3:.1f} | {len(svg) / 1e3:.1f} |"
        )
        if out is not None:
            stem = f"{name.split(',')[0].split()[0].lower()}-{way.replace(', ', '-')}"
            (out / f"{stem}.svg").write_text(svg, encoding="utf-8")
            (out / f"{stem}.gv").write_text(source, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="rounds, of which the median counts")
    parser.add_argument("--out", type=Path, help="folder for the pictures")
    options = parser.parse_args()
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
    print("| network | drawn by | boxes | DOT, ms | ÷ draw, whole | SVG, ms | DOT, kB | SVG, kB |")
    print("|---|---|---|---|---|---|---|---|")
    for name in NETWORKS:
        measure(name, options.rounds, options.out)


if __name__ == "__main__":
    main()
