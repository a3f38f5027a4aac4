"""What is wrong with a network's training, layer by layer, and what cures it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograd import Tensor, enable_grad
from autograd.dispatch import bare
from autograd.figure import new_figure, saved
from autograd.random import default_generator
from autograd.table import table
from autograd.tree import flatten
from nn.activation import Hardsigmoid, Hardtanh, ReLU, ReLU6, Sigmoid, Tanh
from nn.module import Module

__all__ = ["Diagnosis", "Finding", "LayerReport", "diagnose"]

VANISHING = 1e-3  # gradient norm of a layer's parameters, as a share of the largest among the layers
EXPLODING = 1e3  # largest gradient norm of a layer's parameters, as a multiple of the norm of the parameters
DEAD = 0.5  # share of units that are 0 for every sample
SATURATED = 0.5  # share of values at the ends of a range
NEAR_END = 0.01  # how near, as a share of the range
SHATTERED = 0.5  # correlation of input gradients between neighbouring points
PAIRS = 8  # of samples, and
POINTS = 33  # on the line between two, for that correlation
EQUAL = 1e-3  # relative spread below which these gradients count as equal

RANGES: dict[type, Callable[[Any], tuple[float, float]]] = {
    Sigmoid: lambda layer: (0.0, 1.0),
    Hardsigmoid: lambda layer: (0.0, 1.0),
    Tanh: lambda layer: (-1.0, 1.0),
    Hardtanh: lambda layer: (layer.min_val, layer.max_val),
}

CURES = {
    "non-finite": "look at the data and the loss, lower the learning rate, clip gradients (nn.utils.clip_grad_norm_)",
    "vanishing gradients": "ReLU-like activations, He or Glorot initialisation (nn.init), normalisation layers, "
    "skip connections",
    "exploding gradients": "clip gradients (nn.utils.clip_grad_norm_), smaller initial weights (nn.init), "
    "normalisation layers",
    "dead units": "LeakyReLU or ELU, He initialisation, a lower learning rate, smaller negative biases",
    "saturation": "smaller initial weights, normalisation before the activation, scaled inputs, ReLU-like activations",
    "shattered gradients": "skip connections, normalisation layers, less depth",
}


# ---------------------------------------------------------------------- what is found


@dataclass
class LayerReport:
    """One call of a module that has no modules within.

    Attributes
    ----------
    name, kind, shape : path, class, shape of the output
    mean, std, norm : of the output
    dead, saturated : shares of units that are always 0 (ReLU), and of values near the ends of a range; or None
    gradient : norm of the loss's gradient with respect to the output; None if there is none
    parameter_gradient, parameter_norm : norms over the layer's own parameters; None without any
    non_finite : what is not finite ("output", "gradient", or a parameter's name), and the first index
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    mean: float
    std: float
    norm: float
    dead: float | None = None
    saturated: float | None = None
    gradient: float | None = None
    parameter_gradient: float | None = None
    parameter_norm: float | None = None
    non_finite: list[str] = field(default_factory=list)

    def cells(self) -> tuple[str, ...]:
        numbers = (self.mean, self.std, self.norm, self.gradient, self.parameter_gradient, self.parameter_norm)
        shares = (self.dead, self.saturated)
        return (
            f"{self.name}: {self.kind}" if self.name else self.kind,
            str(self.shape),
            *("" if x is None else f"{x:.2g}" for x in numbers),
            *("" if x is None else f"{x:.0%}" for x in shares),
        )


@dataclass(frozen=True)
class Finding:
    """Something wrong: where, what, how it shows, and what cures it."""

    layer: str
    symptom: str
    detail: str

    @property
    def cure(self) -> str:
        return CURES[self.symptom]

    def __str__(self) -> str:
        return f"{self.symptom} in {self.layer}: {self.detail}"


@dataclass(frozen=True)
class Diagnosis:
    """What :func:`diagnose` found: true where nothing is wrong; prints as a table.

    Attributes
    ----------
    loss : value of the loss
    layers : a :class:`LayerReport` for each call, in the order of the calls
    findings : what is wrong
    correlation : of input gradients between neighbouring points; None where there are no such
    """

    loss: float
    layers: tuple[LayerReport, ...]
    findings: tuple[Finding, ...]
    correlation: float | None

    def __bool__(self) -> bool:
        return not self.findings

    def __str__(self) -> str:
        head = ("layer", "output", "mean", "std", "norm", "grad", "param grad", "param", "dead", "saturated")
        lines = table([head, *(layer.cells() for layer in self.layers)], right=range(2, 10))
        lines.append(f"loss {self.loss:.6g}")
        if self.correlation is not None:
            lines[-1] += f"; correlation of neighbouring input gradients {self.correlation:.2f}"
        lines += [str(finding) for finding in self.findings]
        cures = dict.fromkeys(finding.symptom for finding in self.findings)
        lines += [f"against {symptom}: {CURES[symptom]}" for symptom in cures]
        return "\n".join(lines if self.findings else [*lines, "nothing wrong"])

    __repr__ = __str__

    def plot(self, path: str | os.PathLike[str] | None = None) -> Any:
        """Bars of activation and gradient norms by layer, on a logarithmic scale: a matplotlib figure.

        It is saved to ``path`` if that is given. Raises ImportError without matplotlib.
        """
        figure = new_figure(max(6.0, 0.3 * len(self.layers)), 4.5)
        above, below = figure.subplots(2, 1, sharex=True)
        names = [f"{layer.name} {layer.kind}" for layer in self.layers]
        above.bar(names, [layer.norm for layer in self.layers], color="tab:blue")
        above.set(title="norm of the output", yscale="log")
        below.bar(names, [layer.gradient or 0 for layer in self.layers], color="tab:orange")
        below.set(title="norm of the gradient with respect to the output", yscale="log")
        below.tick_params(axis="x", rotation=90, labelsize=7)
        return saved(figure, path)


# ---------------------------------------------------------------------- one run


class _Probe:
    """Reports of a model's layers, filled by a hook on each and by hooks on their outputs."""

    def __init__(self, model: Module) -> None:
        self.layers = {module: name for name, module in model.named_modules() if not any(module.children())}
        self.reports: list[tuple[Module, LayerReport]] = []

    @contextmanager
    def attached(self) -> Iterator[None]:
        handles = [module.register_forward_hook(self.observe) for module in self.layers]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def observe(self, module: Module, args: Any, output: Any) -> None:
        arrays = [y for y in flatten(output)[0] if hasattr(y, "dtype") and y.dtype.kind == "f"]
        if not arrays:
            return
        y, values = arrays[0], np.asarray(bare(arrays[0]))
        wide = values.astype(float)
        with np.errstate(all="ignore"):
            norm = float(np.linalg.norm(wide))
            mean, std = (float(wide.mean()), float(wide.std())) if wide.size else (np.nan, np.nan)
        report = LayerReport(self.layers[module], type(module).__name__, values.shape, mean, std, norm)
        _note_non_finite(report, "output", values)
        if isinstance(module, (ReLU, ReLU6)):
            report.dead = _dead_share(values)
        for kind, ends in RANGES.items():
            if isinstance(module, kind):
                report.saturated = _saturated_share(values, *ends(module))
        if isinstance(y, Tensor) and y.requires_grad:
            y.register_hook(lambda g: self.pulled(report, bare(g)))
        self.reports.append((module, report))

    def pulled(self, report: LayerReport, g: Any) -> None:
        report.gradient = _norm([g])
        _note_non_finite(report, "gradient", g)

    def finish(self) -> tuple[LayerReport, ...]:
        """Norms over the parameters, once the backward pass is through."""
        for module, report in self.reports:
            pairs = {name: (p.numpy(), p.grad.numpy()) for name, p in module.named_parameters() if p.grad is not None}
            if pairs:
                report.parameter_norm = _norm([values for values, _ in pairs.values()])
                report.parameter_gradient = _norm([gradient for _, gradient in pairs.values()])
            for name, (values, gradient) in pairs.items():
                _note_non_finite(report, name, values)
                _note_non_finite(report, f"gradient of {name}", gradient)
        return tuple(report for _, report in self.reports)


def _norm(arrays: list[Any]) -> float:
    with np.errstate(all="ignore"):
        return float(np.sqrt(sum(float(np.sum(np.square(np.abs(a.astype(float))))) for a in arrays)))


def _note_non_finite(report: LayerReport, what: str, values: Any) -> None:
    wrong = ~np.isfinite(values)
    if wrong.any():
        first = tuple(int(i) for i in np.argwhere(wrong)[0])
        report.non_finite.append(f"{what}{list(first) if first else ''} = {values[first]}")


def _dead_share(values: Any) -> float | None:
    """Units are the columns of (N, F), the last axis of (N, T, F), the channels of (N, C, H, W) and beyond."""
    if values.ndim < 2 or not values.size:
        return None
    unit = 1 if values.ndim != 3 else 2
    return float(np.mean(np.all(values == 0, axis=tuple(i for i in range(values.ndim) if i != unit))))


def _saturated_share(values: Any, low: float, high: float) -> float | None:
    near = NEAR_END * (high - low)
    return float(np.mean((values < low + near) | (values > high - near))) if values.size else None


# ---------------------------------------------------------------------- from numbers to words


def _findings(layers: tuple[LayerReport, ...], correlation: float | None) -> Iterator[Finding]:
    for layer in layers:
        where = f"{layer.name} ({layer.kind})" if layer.name else layer.kind
        if layer.non_finite:
            yield Finding(where, "non-finite", "; ".join(layer.non_finite))
        if layer.dead is not None and layer.dead > DEAD:
            yield Finding(where, "dead units", f"{layer.dead:.0%} of the units are 0 for every sample")
        if layer.saturated is not None and layer.saturated > SATURATED:
            yield Finding(where, "saturation", f"{layer.saturated:.0%} of the values are at the ends of the range")
        size, norm = layer.parameter_gradient, layer.parameter_norm
        if size is not None and norm and np.isfinite(size) and size > EXPLODING * norm:
            yield Finding(where, "exploding gradients", f"norm {size:.2g} for parameters of norm {norm:.2g}")
    yield from _vanishing(layers)
    if correlation is not None and correlation < SHATTERED:
        detail = f"between neighbouring points they correlate by only {correlation:.2f}"
        yield Finding("the input", "shattered gradients", detail)


def _vanishing(layers: tuple[LayerReport, ...]) -> Iterator[Finding]:
    trained = [layer for layer in layers if layer.parameter_gradient is not None]
    sizes = [layer.parameter_gradient or 0.0 for layer in trained]
    if not sizes or not np.isfinite(sizes).all():
        return
    largest = max(sizes)
    small = [layer for layer, size in zip(trained, sizes, strict=True) if size < VANISHING * largest]
    if largest == 0:
        yield Finding("every layer", "vanishing gradients", "no parameter has a gradient other than 0")
    elif small:
        least = min(sizes) / largest
        names = small[0].name if len(small) == 1 else f"{small[0].name} to {small[-1].name} ({len(small)} layers)"
        yield Finding(names, "vanishing gradients", f"down to {least:.1g} of the largest layer's")


# ---------------------------------------------------------------------- input gradients


def _correlation(model: Module, inputs: tuple[Any, ...]) -> float | None:
    """Autocorrelation, from point to point between pairs of samples, of the summed output's gradient."""
    x = np.asarray(bare(inputs[0])) if len(inputs) == 1 else np.zeros(0)
    if x.dtype.kind != "f" or x.ndim < 2 or len(x) < 2 or not np.isfinite(x[: 2 * PAIRS]).all():
        return None
    pairs = min(PAIRS, len(x) // 2)
    share = np.linspace(0, 1, POINTS, dtype=x.dtype).reshape(-1, *(1,) * x.ndim)
    start, end = x[:pairs], x[pairs : 2 * pairs]
    lines = Tensor((start + share * (end - start)).reshape(-1, *x.shape[1:]), requires_grad=True)
    model.eval()
    output = flatten(model(lines))[0][0]
    if not isinstance(output, Tensor) or not output.requires_grad:
        return None
    output.sum().backward()
    if lines.grad is None:
        return None
    g = lines.grad.numpy().reshape(POINTS, -1).astype(float)
    if not np.isfinite(g).all():
        return None
    deviations = g - g.mean(axis=0)
    spread = float(np.sum(np.square(deviations)))
    if spread <= EQUAL * float(np.sum(np.square(g))):
        return 1.0
    return float(np.sum(deviations[1:] * deviations[:-1])) / spread


@contextmanager
def _restored(model: Module) -> Iterator[None]:
    """Afterwards gradients, buffers, modes and the library's random numbers are what they were."""
    modes = {module: module.training for module in model.modules()}
    gradients = [(p, p.grad) for p in model.parameters()]
    buffers = [(b, b.numpy().copy()) for b in model.buffers()]
    state = default_generator().bit_generator.state
    try:
        for p, _ in gradients:
            p.grad = None
        yield
    finally:
        for p, g in gradients:
            p.grad = g
        for b, values in buffers:
            if not np.array_equal(b.numpy(), values, equal_nan=b.dtype.kind in "fc"):
                b.data[...] = values
        for module, mode in modes.items():
            module.training = mode
        default_generator().bit_generator.state = state


def diagnose(model: Module, batch: Any, loss: Callable[..., Any]) -> Diagnosis:
    """Run a model forward and backward once, and say layer by layer what hinders its training.

    Parameters
    ----------
    model : Module
        In the mode it is in; afterwards it is as it was (parameters, gradients, buffers, modes, random numbers).
    batch : tuple (input, …, target), or a single input
        As a ``DataLoader`` gives it. What comes before the target goes to the model.
    loss : callable
        ``loss(output, target)``, or of the output alone for a single input: a scalar.

    Returns
    -------
    Diagnosis
        Norms of activations and gradients, dead units, saturation and non-finite values of every module that has
        no modules within, in the order of the calls; functions called between modules are not seen. The correlation
        of input gradients (Balduzzi et al. 2017) is between neighbouring points on lines between samples, in
        evaluation mode, for a single input of floats.

    Raises
    ------
    TypeError
        For what is no module, and a loss that does not depend on the model's parameters.
    """
    if not isinstance(model, Module):
        raise TypeError(f"diagnose() takes a Module; got {type(model).__name__}")
    several = isinstance(batch, (tuple, list))
    inputs, target = (tuple(batch[:-1]), tuple(batch[-1:])) if several else ((batch,), ())
    probe = _Probe(model)
    with _restored(model), enable_grad(), np.errstate(all="ignore"):
        with probe.attached():
            value = loss(model(*inputs), *target)
        if not isinstance(value, Tensor) or not value.requires_grad:
            raise TypeError("the loss does not depend on the model's parameters, so there is no gradient to look at")
        value.backward()
        layers = probe.finish()
        correlation = _correlation(model, inputs)
    return Diagnosis(value.item(), layers, tuple(_findings(layers, correlation)), correlation)
