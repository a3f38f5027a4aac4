"""Plots of a training: what they show, and what they say where there is nothing to show."""

from __future__ import annotations

import numpy as np
import pytest

import nn
from autograd import Tensor, manual_seed


def trained() -> tuple[nn.Sequential, np.ndarray]:
    manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1))
    x = np.random.default_rng(0).normal(size=(32, 4)).astype(np.float32)
    model(Tensor(x)).sum().backward()
    return model, x


def test_curves_show_every_figure_and_its_goal(tmp_path):
    history = {"loss": [3.0, 2.0, 1.5], "accuracy": [0.1, 0.5, 0.7]}
    figure = nn.plots.curves(history, tmp_path / "curves.png", goals={"accuracy": 0.6}, log=True)
    assert [axes.get_title() for axes in figure.axes] == ["loss", "accuracy"]
    assert [list(axes.lines[0].get_ydata()) for axes in figure.axes] == list(history.values())
    assert list(figure.axes[0].lines[0].get_xdata()) == [1, 2, 3]
    assert [len(axes.lines) for axes in figure.axes] == [1, 2]
    assert figure.axes[0].get_yscale() == "log"
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_curves_of_nothing_are_refused():
    with pytest.raises(ValueError, match="empty history"):
        nn.plots.curves({})
    with pytest.raises(ValueError, match="goals for speed; the history has loss"):
        nn.plots.curves({"loss": [1.0]}, goals={"speed": 3})


def test_gradient_flow_shows_every_parameter():
    model, _ = trained()
    (axes,) = nn.plots.gradient_flow(model).axes
    assert [label.get_text() for label in axes.get_xticklabels()] == [name for name, _ in model.named_parameters()]
    heights = [bar.get_height() for bar in axes.patches]
    sizes = [np.abs(p.grad.numpy()) for p in model.parameters()]
    np.testing.assert_allclose(heights, [g.max() for g in sizes] + [g.mean() for g in sizes], rtol=1e-6)
    assert axes.get_yscale() == "log"


def test_gradient_flow_marks_what_is_not_finite():
    model, _ = trained()
    model[2].weight.grad = np.full((8, 8), np.nan, np.float32)
    model[4].bias.grad = None
    (axes,) = nn.plots.gradient_flow(model).axes
    assert len(axes.get_xticklabels()) == 5
    assert list(axes.lines[0].get_xdata()) == [2]
    assert axes.texts[0].get_text() == "NaN or ∞"
    model.zero_grad()
    with pytest.raises(ValueError, match="call backward"):
        nn.plots.gradient_flow(model)


def test_activations_are_counted_layer_by_layer():
    model, x = trained()
    x[0, 0] = np.nan
    figure = nn.plots.activations(model, Tensor(x), bins=10)
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert [title.split("\n")[0] for title in titles] == [
        f"{i} {type(layer).__name__}" for i, layer in enumerate(model)
    ]
    assert "not finite" in titles[0]
    counts = [sum(bar.get_height() for bar in axes.patches) for axes in figure.axes]
    assert counts[:5] == [31 * 8, 31 * 8, 31 * 8, 31 * 8, 31]
    assert "zeros" in titles[3]
    assert not any(layer._hooks and layer._hooks.after_forward for layer in model)
    with pytest.raises(ValueError, match="none of whose layers"):
        nn.plots.activations(nn.Identity(), Tensor(np.arange(3)))
