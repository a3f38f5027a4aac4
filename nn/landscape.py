"""Slices of a loss along random directions in the space of the parameters."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from autograd import no_grad
from autograd.dispatch import bare
from autograd.figure import new_figure, saved
from autograd.random import default_generator
from nn.module import Module
from nn.progress import shown

__all__ = ["Landscape", "landscape"]


@dataclass(frozen=True)
class Landscape:
    """Losses on a grid around a model's parameters.

    Attributes
    ----------
    steps : (n,), positions along each direction; 0 is the model itself
    losses : (n,) or (n, n)
    """

    steps: Any
    losses: Any

    def plot(self, path: str | os.PathLike[str] | None = None) -> Any:
        """A curve, or lines of equal loss: a matplotlib figure, saved to ``path`` if that is given.

        Raises ImportError without matplotlib.
        """
        figure = new_figure()
        axes = figure.subplots()
        if self.losses.ndim == 1:
            axes.plot(self.steps, self.losses)
            axes.set(xlabel="step along the direction", ylabel="loss")
        else:
            lines = axes.contour(self.steps, self.steps, self.losses.T, levels=25)
            figure.colorbar(lines, label="loss")
            axes.plot(0, 0, "k+")
            axes.set(xlabel="step along the first direction", ylabel="along the second", aspect="equal")
        return saved(figure, path)


def landscape(
    model: Module,
    loss: Callable[[Module], Any],
    directions: int = 2,
    span: float = 1.0,
    steps: int = 21,
    generator: np.random.Generator | None = None,
    progress: bool | str = False,
) -> Landscape:
    """The loss of a model along one or two random directions through its parameters.

    Parameters
    ----------
    model : Module
        Its parameters are moved, and afterwards are what they were.
    loss : callable
        ``loss(model)``: a scalar, from fixed data.
    directions : 1 or 2
    span : float
        The steps go from −span to span; a step of 1 is as long, filter by filter, as the weights are.
    steps : int
        How many there are along each direction.
    generator : numpy Generator, optional
        Draws the directions; the library's own otherwise.
    progress : bool or str
        Whether to show a progress bar, with that text before it.

    Raises
    ------
    ValueError
        For other numbers of directions and fewer than one step.
    ImportError
        For a progress bar without the package tqdm.

    Notes
    -----
    Each filter (entry of the first axis) of a direction has the length of the model's filter; parameters of fewer
    than two axes, such as biases, stay where they are (Li et al. 2018).
    """
    if directions not in (1, 2) or steps < 1:
        raise ValueError(f"landscape() takes 1 or 2 directions and steps ≥ 1; got {directions} and {steps}")
    rng = generator or default_generator()
    parameters = [p for p in model.parameters() if p.ndim > 1]
    origin = [p.numpy().copy() for p in parameters]
    ways = [[_like(values, rng) for values in origin] for _ in range(directions)]
    positions = np.linspace(-span, span, steps)
    grid = list(product(positions, repeat=directions))
    losses = []
    try:
        with no_grad():
            for point in shown(grid, progress, len(grid)):
                for i, p in enumerate(parameters):
                    p.data[...] = origin[i] + sum(at * way[i] for at, way in zip(point, ways, strict=True))
                losses.append(float(bare(loss(model))))
    finally:
        for p, values in zip(parameters, origin, strict=True):
            p.data[...] = values
    return Landscape(positions, np.reshape(losses, (steps,) * directions))


def _like(values: Any, rng: np.random.Generator) -> Any:
    """A random direction whose filters are as long as those of ``values``."""
    direction = rng.standard_normal(values.shape)
    axes = tuple(range(1, values.ndim))
    lengths = np.sqrt(np.sum(np.square(direction), axis=axes, keepdims=True))
    wanted = np.sqrt(np.sum(np.square(values), axis=axes, keepdims=True))
    return direction * (wanted / np.where(lengths == 0, 1, lengths))
