"""What the examples share: options, the loop of training, curves, and saving with a check."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import nn
import optim
from autograd import autocast, no_grad

try:
    import matplotlib
    import safetensors  # noqa: F401  (saves the model at the end; better to miss it now than then)
    import sklearn  # noqa: F401
    from tqdm import tqdm
except ImportError as error:
    sys.exit(f'{error}. This example needs: pip install "chainrule[examples]"')

matplotlib.use("Agg")
import matplotlib.pyplot as plt

History = dict[str, list[float]]


def options_parser(
    description: str, folder: str, epochs: int, batch_size: int, lr: float | None = None
) -> argparse.ArgumentParser:
    """The options that the examples have, with these defaults; those of ``train`` where a learning rate is given."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--epochs", type=int, default=epochs, help="passes over the training data")
    parser.add_argument("--batch-size", type=int, default=batch_size, help="samples per step")
    if lr is not None:
        text = "learning rate at the start; it falls to 0 along a cosine"
        parser.add_argument("--lr", type=float, default=lr, help=text)
        parser.add_argument("--half", action="store_true", help="train in mixed precision: half the memory, more time")
    parser.add_argument("--seed", type=int, default=0, help="of the split, the weights and the order of the samples")
    parser.add_argument("--out", type=Path, default=Path(folder), help="folder for the model and the pictures")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    return parser


def parsed(parser: argparse.ArgumentParser, arguments: list[str] | None) -> argparse.Namespace:
    """The options, checked; the folder for what comes out is made."""
    options = parser.parse_args(arguments)
    if options.epochs < 0 or options.batch_size < 1:
        parser.error("epochs are 0 or more and the batch size 1 or more")
    options.out.mkdir(parents=True, exist_ok=True)
    return options


def train(
    model: nn.Module,
    optimizer: optim.Optimizer,
    batches: nn.data.DataLoader,
    loss_of: Callable[..., Any],
    evaluate: Callable[[], dict[str, float]],
    options: argparse.Namespace,
    max_norm: float | None = None,
) -> tuple[History, bool]:
    """Losses and held-out figures, epoch by epoch, and whether Ctrl-C ended the training.

    ``loss_of(*batch)`` is what falls; gradients are clipped to ``max_norm`` if that is given.
    """
    history: History = {}
    scaler = optim.GradScaler(enabled=options.half)
    total = options.epochs * len(batches)
    bar = tqdm(total=total, unit="step", disable=options.quiet)
    start, done, interrupted = time.perf_counter(), 0, False
    try:
        for _ in range(options.epochs):
            losses = []
            model.train()
            for batch in batches:
                optimizer.param_groups[0]["lr"] = options.lr * (1 + np.cos(np.pi * done / total)) / 2
                with autocast(enabled=options.half):
                    loss = loss_of(*batch)
                losses.append(take_step(model, optimizer, scaler, loss, max_norm))
                done += 1
                bar.update()
            model.eval()
            with no_grad():
                figures = {"training loss": float(np.mean(losses)), **evaluate()}
            for name, value in figures.items():
                history.setdefault(name, []).append(value)
            bar.set_postfix({name: f"{value:.4g}" for name, value in figures.items()})
    except KeyboardInterrupt:
        interrupted = True
    finally:
        bar.close()
        model.eval()
    ending = "stopped by Ctrl-C" if interrupted else "trained"
    epochs = len(history.get("training loss", []))
    print(f"{ending} after {epochs} epochs, {time.perf_counter() - start:.1f} s")
    return history, interrupted


def take_step(
    model: nn.Module, optimizer: optim.Optimizer, scaler: optim.GradScaler, loss: Any, max_norm: float | None
) -> float:
    optimizer.zero_grad()
    scaler.scale(loss).backward()
    if max_norm is not None:
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    scaler.step(optimizer)
    scaler.update()
    return loss.item()


def save_and_reload(model: nn.Module, fresh: nn.Module, result: Callable[[nn.Module], Any], path: Path) -> None:
    """Save the model; a fresh one that loads the file has to give the same ``result``."""
    nn.save(model.state_dict(), path)
    fresh.load_state_dict(nn.load(path))
    fresh.eval()
    with no_grad():
        if not np.array_equal(result(model), result(fresh)):
            raise RuntimeError(f"the model loaded from {path} gives something else than the one saved")
    print(f"saved, and reloaded with equal results: {path}")


def draw_images(rows: dict[str, np.ndarray], path: Path) -> None:
    """Rows of small grey images (n, height, width) with their titles."""
    count = max(len(images) for images in rows.values())
    figure, plots = plt.subplots(
        len(rows), count, figsize=(0.7 * count + 1.2, 0.75 * len(rows)), layout="constrained", squeeze=False
    )
    for axes in plots.flat:
        axes.set_axis_off()
    for line, (title, images) in zip(plots, rows.items(), strict=True):
        line[0].text(-0.3, 0.5, title, transform=line[0].transAxes, ha="right", va="center")
        for axes, image in zip(line, images, strict=False):
            axes.imshow(image, cmap="gray_r", vmin=0, vmax=1)
    figure.savefig(path, dpi=150)
    plt.close(figure)
