"""Plots of a training: curves, gradients and activations by layer (``nn.landscape`` has the loss around a model).

Every function returns a matplotlib figure, which a notebook shows, and saves it to ``path`` if that is given. Each
raises ImportError without matplotlib.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

import numpy as np

from autograd import no_grad
from autograd.dispatch import bare
from autograd.figure import new_figure, saved
from autograd.tree import flatten
from nn.module import Module

__all__ = ["activations", "curves", "gradient_flow"]

Path = str | os.PathLike[str] | None

COLOURS = ("#2563eb", "#d97706", "#16a34a", "#9333ea", "#dc2626", "#0891b2")


def curves(
    history: Mapping[str, Sequence[float]],
    path: Path = None,
    *,
    goals: Mapping[str, float] | None = None,
    xlabel: str = "epoch",
    log: bool = False,
) -> Any:
    """Losses and other figures over time, one plot for each name.

    Parameters
    ----------
    history : mapping of names to numbers, one for each epoch (or whatever ``xlabel`` says)
    path : path, optional
    goals : mapping of names to numbers, optional
        Drawn as dashed lines.
    xlabel : str
    log : bool
        Logarithmic heights.

    Raises
    ------
    ValueError
        For an empty history, and goals of other names.
    """
    if not history:
        raise ValueError("curves() of an empty history")
    unknown = (goals or {}).keys() - history.keys()
    if unknown:
        raise ValueError(f"goals for {', '.join(sorted(unknown))}; the history has {', '.join(history)}")
    figure = new_figure(4.5 * len(history), 3.4)
    for i, (axes, (name, values)) in enumerate(
        zip(figure.subplots(1, len(history), squeeze=False)[0], history.items(), strict=True)
    ):
        numbers = np.asarray(bare(values), float)
        axes.plot(np.arange(1, len(numbers) + 1), numbers, color=COLOURS[i % len(COLOURS)])
        axes.set(title=name, xlabel=xlabel, yscale="log" if log else "linear")
        axes.grid(alpha=0.3)
        if goals and name in goals:
            axes.axhline(goals[name], color="#94a3b8", linestyle="--", linewidth=1)
    return saved(figure, path)


def gradient_flow(model: Module, path: Path = None) -> Any:
    """Mean and largest size of the gradient in every parameter, from the first layer to the last.

    Call it after ``backward()``: a fall towards the left is a vanishing gradient, a rise an exploding one. Parameters
    without gradient are left out, entries that are not finite marked. Raises ValueError where none has a gradient.
    """
    sizes = [(name, np.abs(p.grad.numpy()).ravel()) for name, p in model.named_parameters() if p.grad is not None]
    sizes = [(name, size) for name, size in sizes if size.size]
    if not sizes:
        raise ValueError("gradient_flow() of a model without gradients; call backward() first")
    names = [name for name, _ in sizes]
    places = np.arange(len(names))
    finite = [size[np.isfinite(size)] for _, size in sizes]
    figure = new_figure(max(5.0, 0.32 * len(names) + 2), 4.2)
    axes = figure.subplots()
    for heights, label, colour, shade in (
        ([size.max(initial=0) for size in finite], "largest", COLOURS[0], 0.35),
        ([size.mean() if size.size else 0 for size in finite], "mean", COLOURS[0], 1.0),
    ):
        axes.bar(places, heights, label=label, color=colour, alpha=shade)
    wrong = [i for i, (_, size) in enumerate(sizes) if len(finite[i]) < len(size)]
    axes.plot(wrong, np.full(len(wrong), 0.96), "x", color=COLOURS[4], transform=axes.get_xaxis_transform())
    for i in wrong:
        axes.annotate("NaN or ∞", (i, 0.9), xycoords=axes.get_xaxis_transform(), color=COLOURS[4], ha="center")
    axes.set_xticks(places, names, rotation=90, fontsize=8)
    if any(heights.any() for heights in finite):
        axes.set_yscale("log")
    axes.set(ylabel="size of the gradient", title="Gradients by parameter")
    axes.grid(axis="y", alpha=0.3)
    axes.legend()
    return saved(figure, path)


def activations(model: Module, *inputs: Any, path: Path = None, bins: int = 60) -> Any:
    """Histograms of what every layer returns for these inputs, with mean, standard deviation and the share of zeros.

    Layers are the modules that have no modules within, in the order of their calls. The model is run once in its
    mode, without recording; running statistics and random numbers move on as in any such run. Values that are not
    finite are counted in the title. Raises ValueError where no layer returns floats.
    """
    found: list[tuple[str, np.ndarray[Any, Any]]] = []
    names = {module: name for name, module in model.named_modules() if not any(module.children())}

    def note(module: Module, _: Any, output: Any) -> None:
        arrays = [np.asarray(bare(y)) for y in flatten(output)[0] if hasattr(y, "dtype")]
        name = f"{names[module]} {type(module).__name__}".strip()
        found.extend((name, a.astype(float).ravel()) for a in arrays[:1] if a.dtype.kind == "f" and a.size)

    handles = [module.register_forward_hook(note) for module in names]
    try:
        with no_grad():
            model(*inputs)
    finally:
        for handle in handles:
            handle.remove()
    if not found:
        raise ValueError("activations() of a model none of whose layers returns floats for these inputs")
    columns = min(4, len(found))
    rows = ceil(len(found) / columns)
    figure = new_figure(3.2 * columns, 2.4 * rows)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (name, values) in zip(grid, found, strict=False):
        _histogram(axes, name, values, bins)
    for axes in grid[len(found) :]:
        axes.axis("off")
    return saved(figure, path)


def _histogram(axes: Any, name: str, values: Any, bins: int) -> None:
    finite = values[np.isfinite(values)]
    axes.hist(finite, bins=bins, color=COLOURS[0])
    axes.set_yticks([])
    facts = [f"{finite.mean():.2g} ± {finite.std():.2g}"] if finite.size else []
    zeros = np.mean(values == 0)
    facts += [f"{zeros:.0%} zeros"] if zeros > 0.01 else []
    missing = len(values) - len(finite)
    facts += [f"{missing:,} not finite"] if missing else []
    axes.set_title(f"{name}\n{', '.join(facts)}", fontsize=9, color=COLOURS[4] if missing else "black")
