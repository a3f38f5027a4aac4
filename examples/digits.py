"""Train a classifier on scans of handwritten digits, check its gradients, save it, and draw what happened.

The data are the 1,797 scans of 8×8 pixels that come with scikit-learn. Everything lands in one folder: the model
as a safetensors file, the curves of the training, and the computation graph of one small step.
"""

from __future__ import annotations

import argparse
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import nn
import optim
from autograd import Tensor, draw, gradcheck, manual_seed, no_grad

try:
    import matplotlib
    import safetensors  # noqa: F401  (saves the model at the end; better to miss it now than then)
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split
    from tqdm import tqdm
except ImportError as error:
    sys.exit(f'{error}. This example needs: pip install "chainrule[examples]"')

matplotlib.use("Agg")
import matplotlib.pyplot as plt

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


def predict(model: nn.Module, scans: np.ndarray) -> np.ndarray:
    with no_grad():
        return np.argmax(model(Tensor(scans)).numpy(), axis=1)


def train(model: nn.Module, data: tuple[np.ndarray, ...], options: argparse.Namespace) -> tuple[dict[str, list], bool]:
    """Losses and held-out accuracies, epoch by epoch, and whether Ctrl-C ended the training."""
    scans, held_out, digits, held_out_digits = data
    if options.optimizer == "adam":
        optimizer: optim.Optimizer = optim.Adam(model.parameters(), lr=options.lr, weight_decay=1e-4)
    else:
        optimizer = optim.SGD(model.parameters(), lr=options.lr, momentum=0.9, nesterov=True, weight_decay=1e-4)
    rng = np.random.default_rng(options.seed)
    history: dict[str, list] = {"loss": [], "accuracy": []}
    bar = tqdm(range(options.epochs), unit="epoch", disable=options.quiet)
    try:
        for epoch in bar:
            losses = []
            optimizer.param_groups[0]["lr"] = options.lr * (1 + np.cos(np.pi * epoch / options.epochs)) / 2
            order = rng.permutation(len(scans))
            for start in range(0, len(scans), options.batch_size):
                batch = order[start : start + options.batch_size]
                optimizer.zero_grad()
                loss = F.cross_entropy(model(Tensor(scans[batch])), digits[batch])
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
            history["loss"].append(float(np.mean(losses)))
            history["accuracy"].append(float(np.mean(predict(model, held_out) == held_out_digits)))
            bar.set_postfix(loss=f"{history['loss'][-1]:.4f}", held_out=f"{history['accuracy'][-1]:.1%}")
    except KeyboardInterrupt:
        return history, True
    finally:
        bar.close()
    return history, False


def check_gradients(model: nn.Module, scans: np.ndarray, digits: np.ndarray) -> Any:
    """The trained model's gradients against finite differences, in float64 on a small batch."""
    names = [name for name, _ in model.named_parameters()]
    values = [p.numpy().astype(np.float64) for p in model.parameters()]
    batch = scans.astype(np.float64)

    def loss(*parameters: Any) -> Any:
        logits = nn.utils.functional_call(model, dict(zip(names, parameters, strict=True)), batch)
        return F.cross_entropy(logits, digits)

    return gradcheck(loss, values, seed=0, raise_exception=False)


def save_and_reload(model: nn.Module, hidden: list[int], scans: np.ndarray, path: Path) -> None:
    """Save the model; a fresh one that loads the file has to predict the same."""
    nn.save(model.state_dict(), path)
    reloaded = make_model(hidden)
    reloaded.load_state_dict(nn.load(path))
    with no_grad():
        if not np.array_equal(model(Tensor(scans)).numpy(), reloaded(Tensor(scans)).numpy()):
            raise RuntimeError(f"the model loaded from {path} predicts otherwise than the one saved")


def draw_curves(history: dict[str, list], path: Path) -> None:
    epochs = np.arange(1, len(history["accuracy"]) + 1)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    left.semilogy(epochs, history["loss"][: len(epochs)], color="#2563eb")
    left.set(title="training loss", xlabel="epoch", ylabel="cross-entropy")
    right.plot(epochs, 100 * np.array(history["accuracy"]), color="#16a34a")
    right.axhline(97, color="#94a3b8", linestyle="--", linewidth=1)
    right.set(title="held-out accuracy", xlabel="epoch", ylabel="%")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def draw_step(model: nn.Module, scans: np.ndarray, digits: np.ndarray, path: Path) -> None:
    """The computation graph of one step on two scans, with its gradients."""
    model.zero_grad()
    batch = Tensor(scans[:2], name="scans")
    loss = F.cross_entropy(model(batch), digits[:2])
    loss.backward(retain_graph=True)
    draw(loss, names={"scans": batch, **dict(model.named_parameters())}).save(path)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--epochs", type=int, default=40, help="passes over the training scans")
    parser.add_argument("--batch-size", type=int, default=32, help="scans per step")
    parser.add_argument("--hidden", type=int, nargs="*", default=[256], help="sizes of the hidden layers")
    parser.add_argument("--optimizer", choices=("adam", "sgd"), default="adam", help="how the weights are updated")
    parser.add_argument(
        "--lr", type=float, default=2e-3, help="learning rate at the start; it falls to 0 along a cosine"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the split, the weights and the order of the scans")
    parser.add_argument("--out", type=Path, default=Path("runs/digits"), help="folder for the model and the pictures")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    options = parser.parse_args(arguments)
    if options.epochs < 0 or options.batch_size < 1 or min(options.hidden, default=1) < 1:
        parser.error("epochs are 0 or more; the batch size and the hidden layers 1 or more")
    return options


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    manual_seed(options.seed)
    data = scans, held_out, digits, held_out_digits = load(options.seed)
    model = make_model(options.hidden)
    count = sum(p.size for p in model.parameters())
    print(f"{len(scans)} scans to learn from, {len(held_out)} held out; a network of {count:,} parameters")

    start = time.perf_counter()
    history, interrupted = train(model, data, options)
    seconds = time.perf_counter() - start
    accuracy = np.mean(predict(model, held_out) == held_out_digits)
    ending = "stopped by Ctrl-C" if interrupted else "trained"
    print(f"{ending} after {len(history['accuracy'])} epochs, {seconds:.1f} s; held-out accuracy {accuracy:.2%}")

    check = check_gradients(model, held_out[:16], held_out_digits[:16])
    print(f"\ngradients of the trained model against finite differences:\n{check}\n")

    save_and_reload(model, options.hidden, held_out, options.out / "model.safetensors")
    draw_curves(history, options.out / "curves.png")
    draw_step(model, scans, digits, options.out / "graph.svg")
    print(f"saved, and reloaded with equal predictions: {options.out / 'model.safetensors'}")
    print(f"pictures: {options.out / 'curves.png'}, {options.out / 'graph.svg'}")
    if not check:
        return 1
    return 130 if interrupted else 0


if __name__ == "__main__":
    sys.exit(main())
