"""Train a classifier on scans of handwritten digits, check its gradients, save it, and draw what happened.

The data are the 1,797 scans of 8×8 pixels that come with scikit-learn. Everything lands in one folder: the model
as a safetensors file, the curves of the training, and the computation graph of one small step, as a picture and as a
page that plays its backward pass.
"""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import common
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import nn
import optim
from autograd import Tensor, draw, gradcheck, manual_seed, no_grad

F = nn.functional


def load(seed: int) -> tuple[np.ndarray, ...]:
    """Training and held-out scans as rows of 64 numbers in [0, 1], and their digits."""
    scans, digits = load_digits(return_X_y=True)
    scans = (scans / 16).astype(np.float32)
    return tuple(train_test_split(scans, digits, test_size=0.2, stratify=digits, random_state=seed))


def make_model(hidden: list[int]) -> nn.Sequential:
    sizes = [64, *hidden, 10]
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes):
        linear = nn.Linear(n_in, n_out)
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def accuracy(model: nn.Module, scans: np.ndarray, digits: np.ndarray) -> float:
    with no_grad():
        return float(np.mean(np.argmax(model(Tensor(scans)).numpy(), axis=1) == digits))


def check_gradients(model: nn.Module, scans: np.ndarray, digits: np.ndarray) -> Any:
    """The gradients of the trained model's loss, by scans and by parameters, against finite differences."""

    def loss(scans: Any) -> Any:
        return F.cross_entropy(model(scans), digits)

    return gradcheck(loss, scans, seed=0, raise_exception=False)


def draw_step(model: nn.Module, scans: np.ndarray, digits: np.ndarray, folder: Path) -> None:
    """The computation graph of one step on two scans: a picture with its gradients, and a page that plays it."""
    model.zero_grad()
    batch = Tensor(scans[:2], name="scans")
    loss = F.cross_entropy(model(batch), digits[:2])
    loss.backward(retain_graph=True)
    picture = draw(loss, names={"scans": batch})
    picture.save(folder / "graph.svg")
    picture.save(folder / "backward.html")


def main(arguments: list[str] | None = None) -> int:
    parser = common.options_parser(__doc__, "runs/digits", epochs=40, batch_size=32, lr=2e-3)
    parser.add_argument("--hidden", type=int, nargs="*", default=[256], help="sizes of the hidden layers")
    parser.add_argument("--optimizer", choices=("adam", "sgd"), default="adam", help="how the weights are updated")
    options = common.parsed(parser, arguments)
    manual_seed(options.seed)
    scans, held_out, digits, held_out_digits = load(options.seed)
    model = make_model(options.hidden)
    count = sum(p.size for p in model.parameters())
    print(f"{len(scans)} scans to learn from, {len(held_out)} held out; a network of {count:,} parameters")

    if options.optimizer == "adam":
        optimizer: optim.Optimizer = optim.Adam(model.parameters(), lr=options.lr, weight_decay=1e-4)
    else:
        optimizer = optim.SGD(model.parameters(), lr=options.lr, momentum=0.9, nesterov=True, weight_decay=1e-4)
    batches = nn.data.DataLoader(
        nn.data.TensorDataset(scans, digits),
        options.batch_size,
        shuffle=True,
        generator=np.random.default_rng(options.seed),
    )
    history, interrupted = common.train(
        model,
        optimizer,
        batches,
        lambda scans, digits: F.cross_entropy(model(Tensor(scans)), digits),
        lambda: {"held-out accuracy": accuracy(model, held_out, held_out_digits)},
        options,
    )
    print(f"held-out accuracy {accuracy(model, held_out, held_out_digits):.2%}")

    check = check_gradients(model, held_out[:16], held_out_digits[:16])
    print(f"\ngradients of the trained model against finite differences:\n{check}\n")

    fresh = make_model(options.hidden)
    common.save_and_reload(model, fresh, lambda m: m(Tensor(held_out)).numpy(), options.out / "model.safetensors")
    nn.plots.curves(history, options.out / "curves.png", goals={"held-out accuracy": 0.97})
    draw_step(model, scans, digits, options.out)
    print(f"pictures: {options.out / 'curves.png'}, {options.out / 'graph.svg'}")
    print(f"the backward pass, step by step: {options.out / 'backward.html'}")
    if not check:
        return 1
    return 130 if interrupted else 0


if __name__ == "__main__":
    sys.exit(main())
