"""LAMB, Adafactor and Muon: steps that take the size or the shape of a whole parameter into account."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import sqrt
from typing import Any

import numpy as np

from autograd import Tensor
from optim.bundle import working_dtype
from optim.optimizer import Optimizer, check_betas, check_fraction, check_not_negative, prepared

__all__ = ["LAMB", "Adafactor", "Muon"]


class LAMB(Optimizer):
    """Adam's steps, each parameter's scaled to the length of the parameter: for large batches.

    Parameters
    ----------
    params : iterable of Tensor, of (name, Tensor) pairs, or of dicts
    lr : float
        η, the learning rate.
    betas : (float, float)
        β₁ and β₂, the shares of the first and second moment that are kept.
    eps : float
        ε.
    weight_decay : float
        λ.
    maximize : bool
        Ascend.

    Raises
    ------
    TypeError, ValueError
        As :class:`Optimizer` does.

    Notes
    -----
    ``r = m̂/(√v̂ + ε) + λW``, ``W ← W − η ‖W‖/‖r‖ r``, with 1 for the ratio where either norm is 0 (You et al. 2020).
    """

    whole = True

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        )

    def check(self, options: Mapping[str, Any]) -> None:
        check_not_negative(options, "lr", "eps", "weight_decay")
        check_betas(options)

    def state_names(self, options: Mapping[str, Any]) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq")

    def update(self, w: Any, g: Any, state: dict[str, Any], step: int, options: Mapping[str, Any]) -> None:
        beta1, beta2 = map(float, options["betas"])
        if options["maximize"]:
            g = -g
        m, v = state["exp_avg"], state["exp_avg_sq"]
        m *= beta1
        m += (1 - beta1) * g
        v *= beta2
        v += (1 - beta2) * (g * np.conj(g))
        r = np.sqrt(v.real / (1 - beta2**step)) + float(options["eps"])
        r = m / (1 - beta1**step) / r
        if options["weight_decay"]:
            r += float(options["weight_decay"]) * w
        length, change = float(np.linalg.norm(w)), float(np.linalg.norm(r))
        trust = length / change if length > 0 and change > 0 else 1.0
        w -= float(options["lr"]) * trust * r


class Adafactor(Optimizer):
    """Adaptive steps whose second moment is kept as one row and one column for each matrix.

    Parameters
    ----------
    params : iterable of Tensor, of (name, Tensor) pairs, or of dicts
    lr : float
        η: steps are no longer than that share of the parameter's root mean square.
    beta2_decay : float
        c: the share of new squares at step t is ``t^c``.
    eps : (float or None, float)
        ε₁, a floor for squares (None: the dtype's precision), and ε₂, one for the parameter's root mean square.
    d : float
        Where the root mean square of a step exceeds it, the step is scaled down.
    weight_decay : float
        λ: ``W ← W − ηλW`` before the step.
    maximize : bool
        Ascend.

    Raises
    ------
    TypeError, ValueError
        As :class:`Optimizer` does; TypeError for complex parameters too.

    Notes
    -----
    With row means R and column means C of g², both running with share ``t^c``: ``V = R C / mean(R)``, for vectors the
    running mean of g² itself; ``U = g/√V``, ``W ← W − α U / max(1, rms(U)/d)`` with
    ``α = max(ε₂, rms(W)) · min(η, 1/√t)`` (Shazeer & Stern 2018).
    """

    whole = True

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "beta2_decay": beta2_decay,
                "eps": eps,
                "d": d,
                "weight_decay": weight_decay,
                "maximize": maximize,
            },
        )

    def check(self, options: Mapping[str, Any]) -> None:
        check_not_negative(options, "lr", "weight_decay")
        if not float(options["beta2_decay"]) <= 0:
            raise ValueError(f"beta2_decay is 0 or less; got {options['beta2_decay']}")
        if not float(options["d"]) >= 1:
            raise ValueError(f"d is 1 or more; got {options['d']}")
        for value in options["eps"]:
            if value is not None and not float(value) >= 0:
                raise ValueError(f"eps are numbers, 0 or more; got {options['eps']}")

    def fresh_state(self, p: Tensor, options: Mapping[str, Any]) -> dict[str, Any]:
        if p.dtype.kind == "c":
            raise TypeError("Adafactor takes real parameters")
        dtype = working_dtype(p.dtype)
        if p.ndim < 2:
            return {"variance": np.zeros(p.shape, dtype)}
        return {
            "row_var": np.zeros((*p.shape[:-1], 1), dtype),
            "col_var": np.zeros((*p.shape[:-2], 1, p.shape[-1]), dtype),
        }

    def state_shape(self, name: str, p: Tensor) -> tuple[int, ...]:
        if name == "row_var":
            return (*p.shape[:-1], 1)
        return (*p.shape[:-2], 1, p.shape[-1]) if name == "col_var" else p.shape

    def update(self, w: Any, g: Any, state: dict[str, Any], step: int, options: Mapping[str, Any]) -> None:
        floor, least = options["eps"]
        floor = float(np.finfo(w.dtype).eps) if floor is None else float(floor)
        share = step ** float(options["beta2_decay"])
        rate = max(float(least), _root_mean_square(w)) * min(float(options["lr"]), 1 / sqrt(step))
        g = prepared(w, g, {**options, "decoupled_weight_decay": True})
        squares = np.square(g)
        if "variance" in state:
            variance = state["variance"]
            variance += share * (squares - variance)
        else:
            rows, columns = state["row_var"], state["col_var"]
            rows += share * (squares.mean(axis=-1, keepdims=True) - rows)
            columns += share * (squares.mean(axis=-2, keepdims=True) - columns)
            variance = rows @ columns / np.maximum(rows.mean(axis=-2, keepdims=True), floor)
        change = g / np.sqrt(np.maximum(variance, floor * floor))
        w -= (rate / max(1.0, _root_mean_square(change) / float(options["d"]))) * change


def _root_mean_square(x: Any) -> float:
    return float(np.linalg.norm(x)) / sqrt(x.size) if x.size else 0.0


class Muon(Optimizer):
    """Momentum whose matrices are made orthogonal before each step; for weights with two axes alone.

    Parameters
    ----------
    params : iterable of Tensor, of (name, Tensor) pairs, or of dicts
        Matrices: hidden layers' weights. Embeddings, heads and biases go to AdamW.
    lr : float
        η, the learning rate.
    weight_decay : float
        λ: ``W ← W − ηλW`` before the step.
    momentum : float
        μ.
    nesterov : bool
        Whether the gradient enters once more.
    ns_coefficients : (float, float, float)
        a, b, c of the iteration.
    eps : float
        The smallest norm to divide by.
    ns_steps : int
        Iterations.
    adjust_lr_fn : {None, "original", "match_rms_adamw"}
        The rate of a matrix (A, B) is multiplied by ``√max(1, A/B)``, or by ``0.2 √max(A, B)``, which makes steps as
        large as AdamW's.

    Raises
    ------
    TypeError, ValueError
        As :class:`Optimizer` does; ValueError for parameters that are no matrices.

    Notes
    -----
    ``v ← μv + (1 − μ)g``; with ``X = v/‖v‖`` (Nesterov: of ``(1 − μ)g + μv``) the iteration ``X ← aX + (bA + cA²)X``,
    ``A = XXᵀ``, drives all singular values towards 1 (Jordan et al. 2024). It runs in the parameter's dtype, where
    PyTorch takes bfloat16.
    """

    whole = True

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "weight_decay": weight_decay,
                "momentum": momentum,
                "nesterov": nesterov,
                "ns_coefficients": ns_coefficients,
                "eps": eps,
                "ns_steps": ns_steps,
                "adjust_lr_fn": adjust_lr_fn,
            },
        )

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        for p in param_group["params"] if isinstance(param_group, Mapping) and "params" in param_group else ():
            p = p[1] if isinstance(p, tuple) else p
            if isinstance(p, Tensor) and (p.ndim != 2 or p.dtype.kind == "c"):
                raise ValueError(f"Muon takes real matrices; got a parameter of shape {p.shape} and dtype {p.dtype}")
        super().add_param_group(param_group)

    def check(self, options: Mapping[str, Any]) -> None:
        check_not_negative(options, "lr", "weight_decay", "eps")
        check_fraction("momentum", options["momentum"])
        if options["adjust_lr_fn"] not in (None, "original", "match_rms_adamw"):
            raise ValueError(f"adjust_lr_fn is None, 'original' or 'match_rms_adamw'; got {options['adjust_lr_fn']!r}")

    def state_names(self, options: Mapping[str, Any]) -> tuple[str, ...]:
        return ("momentum_buffer",)

    def update(self, w: Any, g: Any, state: dict[str, Any], step: int, options: Mapping[str, Any]) -> None:
        lr, momentum = float(options["lr"]), float(options["momentum"])
        v = state["momentum_buffer"]
        v += (1 - momentum) * (g - v)
        direction = g + momentum * (v - g) if options["nesterov"] else v
        change = orthogonalized(direction, options["ns_coefficients"], int(options["ns_steps"]), float(options["eps"]))
        rows, columns = w.shape
        matched = options["adjust_lr_fn"] == "match_rms_adamw"
        scale = 0.2 * sqrt(max(rows, columns)) if matched else sqrt(max(1.0, rows / columns))
        w *= 1 - lr * float(options["weight_decay"])
        w -= lr * scale * change


def orthogonalized(x: Any, coefficients: tuple[float, float, float], steps: int, eps: float) -> Any:
    """A matrix with its singular values driven towards 1 by Newton–Schulz iterations of the fifth order."""
    a, b, c = map(float, coefficients)
    wide = x.shape[0] <= x.shape[1]
    x = x if wide else x.T
    x = x / max(float(np.linalg.norm(x)), eps)
    for _ in range(steps):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x if wide else x.T
