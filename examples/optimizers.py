"""All optimisers side by side: their paths down Rosenbrock's valley, and how fast they learn handwritten digits.

The digits are the 1,797 scans of 8×8 pixels that come with scikit-learn. Everything lands in one picture and one
table.

Source of the valley: Rosenbrock 1960.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import common
import numpy as np
from common import plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import tqdm

import nn
import optim
from autograd import Tensor, manual_seed, no_grad

F = nn.functional

# name: (class, options in the valley, options for digits or None where it is for whole batches alone)
OPTIMIZERS: dict[str, tuple[Any, dict[str, Any], dict[str, Any] | None]] = {
    "SGD": (optim.SGD, {"lr": 1e-3}, {"lr": 0.1}),
    "momentum": (optim.SGD, {"lr": 5e-4, "momentum": 0.9}, {"lr": 0.02, "momentum": 0.9}),
    "Adagrad": (optim.Adagrad, {"lr": 0.5}, {"lr": 0.02}),
    "Adadelta": (optim.Adadelta, {"lr": 5.0}, {"lr": 1.0}),
    "RMSprop": (optim.RMSprop, {"lr": 5e-3}, {"lr": 1e-3}),
    "Rprop": (optim.Rprop, {"lr": 1e-2}, None),
    "Adam": (optim.Adam, {"lr": 0.05}, {"lr": 2e-3}),
    "AdamW": (optim.AdamW, {"lr": 0.05}, {"lr": 2e-3}),
    "Adamax": (optim.Adamax, {"lr": 0.1}, {"lr": 4e-3}),
    "NAdam": (optim.NAdam, {"lr": 0.05}, {"lr": 2e-3}),
    "RAdam": (optim.RAdam, {"lr": 2e-3}, {"lr": 4e-3}),
    "Lion": (optim.Lion, {"lr": 5e-3}, {"lr": 5e-4}),
    "LAMB": (optim.LAMB, {"lr": 0.01}, {"lr": 5e-3}),
    "Adafactor": (optim.Adafactor, {"lr": 0.05}, {"lr": 0.02}),
    "Lookahead": (lambda p, **o: optim.Lookahead(optim.Adam(p, **o)), {"lr": 0.05}, {"lr": 2e-3}),
    "L-BFGS": (optim.LBFGS, {"line_search_fn": "strong_wolfe", "max_iter": 1}, None),
}


def valley(x: Any, y: Any) -> Any:
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def descend(make: Callable[[list[Tensor]], Any], steps: int) -> np.ndarray:
    """The points (steps + 1, 2) on the way from (−1.2, 1); the minimum is at (1, 1)."""
    p = Tensor(np.array([-1.2, 1.0]), requires_grad=True)
    optimizer = make([p])

    def closure() -> Any:
        optimizer.zero_grad()
        loss = valley(p[0], p[1])
        loss.backward()
        return loss

    path = [p.numpy().copy()]
    for _ in range(steps):
        optimizer.step(closure)
        path.append(p.numpy().copy())
    return np.array(path)


def learn(
    make: Callable[[list[Tensor]], Any], data: list[np.ndarray], epochs: int, batch_size: int, seed: int
) -> tuple[list[float], float]:
    """Mean losses of the epochs, and the share of right answers for the held-out scans."""
    manual_seed(seed)
    scans, held_out, digits, held_out_digits = data
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = make(list(model.parameters()))
    loader = nn.data.DataLoader(nn.data.TensorDataset(scans, digits), batch_size, shuffle=True)
    history = []
    for _ in range(epochs):
        losses = []
        for x, y in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(Tensor(x)), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        history.append(float(np.mean(losses)))
    with no_grad():
        right = np.argmax(model(Tensor(held_out)).numpy(), axis=1) == held_out_digits
    return history, float(np.mean(right))


def draw(paths: dict[str, np.ndarray], curves: dict[str, list[float]], path: Any) -> None:
    colors = dict(zip(OPTIMIZERS, plt.cm.tab20(np.linspace(0, 1, len(OPTIMIZERS))), strict=True))
    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 5.2), layout="constrained")
    x, y = np.meshgrid(np.linspace(-1.8, 1.6, 200), np.linspace(-0.6, 2.2, 200))
    left.contour(x, y, np.log(1e-3 + valley(x, y)), levels=18, colors="#cbd5e1", linewidths=0.8)
    for name, points in paths.items():
        left.plot(*points.T, color=colors[name], linewidth=1.3, label=name)
    left.plot(1, 1, "k*", markersize=10)
    left.set(title="down Rosenbrock's valley", xlim=(-1.8, 1.6), ylim=(-0.6, 2.2))
    for name, losses in curves.items():
        right.semilogy(np.arange(1, len(losses) + 1), losses, color=colors[name], label=name)
    right.set(title="loss on handwritten digits", xlabel="epoch")
    right.grid(alpha=0.3)
    figure.legend(*left.get_legend_handles_labels(), loc="outside right center", fontsize=8)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def main(arguments: list[str] | None = None) -> int:
    parser = common.options_parser(__doc__, "runs/optimizers", epochs=15, batch_size=32)
    parser.add_argument("--steps", type=int, default=2000, help="steps in the valley")
    options = common.parsed(parser, arguments)
    scans, digits = load_digits(return_X_y=True)
    scans = (scans / 16).astype(np.float32)
    data = train_test_split(scans, digits, test_size=0.2, stratify=digits, random_state=options.seed)
    paths, curves = {}, {}
    print(f"{'optimizer':10} {'distance to the minimum':>24} {'digits: loss':>14} {'held out':>10}")
    for name, (kind, in_valley, for_digits) in tqdm(OPTIMIZERS.items(), disable=options.quiet):
        paths[name] = descend(lambda p, k=kind, o=in_valley: k(p, **o), options.steps)
        distance = float(np.linalg.norm(paths[name][-1] - 1))
        if for_digits is None:
            tqdm.write(f"{name:10} {distance:24.2g}")
            continue
        curves[name], right = learn(
            lambda p, k=kind, o=for_digits: k(p, **o), data, options.epochs, options.batch_size, options.seed
        )
        tqdm.write(f"{name:10} {distance:24.2g} {curves[name][-1]:14.4f} {right:10.2%}")
    draw(paths, curves, options.out / "optimizers.png")
    print(f"picture: {options.out / 'optimizers.png'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
