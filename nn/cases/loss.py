"""Sample calls of the fused operations of losses."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

import nn.loss as losses
from autograd.cases.base import Case, arrays, seeds, shapes, sides
from nn.loss.binary import logistic_loss
from nn.loss.cross_entropy import chosen, scattered
from nn.loss.ctc import entered

reductions = st.sampled_from(["none", "mean", "sum"])
filled = st.lists(st.sampled_from([1, 2, 3]), max_size=3).map(tuple)  # a mean of nothing is NaN


@st.composite
def of_pairs(draw: Any, /, function: Any, first: dict[str, Any], second: dict[str, Any], **options: Any) -> Case:
    """A loss of input and target, of equal shape."""
    shape, reduction = draw(filled), draw(reductions)
    given = {key: draw(each) for key, each in options.items()}
    return Case(
        lambda x, y: function(x, y, reduction=reduction, **given),
        (draw(arrays(shape, **first)), draw(arrays(shape, **second))),
    )


@st.composite
def weighted_logits_cases(draw: Any) -> Case:
    shape, reduction = draw(filled.filter(len)), draw(reductions)
    x, y, w = draw(arrays(shape)), draw(arrays(shape, 0.0, 1.0)), draw(arrays(shape[-1:], 0.5, 3.0))
    return Case(
        lambda x, y, w: losses.binary_cross_entropy_with_logits(x, y, reduction=reduction, pos_weight=w), (x, y, w)
    )


@st.composite
def huber_cases(draw: Any) -> Case:
    shape, reduction = draw(filled), draw(reductions)
    target, error = draw(arrays(shape)), draw(arrays(shape, away_from=(-0.8, 0.8)))
    function = draw(st.sampled_from([
        lambda x, y: losses.huber_loss(x, y, reduction, delta=0.8),
        lambda x, y: losses.smooth_l1_loss(x, y, reduction, beta=0.8),
    ]))  # fmt: skip
    return Case(function, (target + error, target))


@st.composite
def focal_cases(draw: Any) -> Case:
    shape, reduction = draw(shapes), draw(st.sampled_from(["none", "sum"]))
    target = np.random.default_rng(draw(seeds)).integers(0, 2, shape)
    alpha, gamma = draw(st.sampled_from([None, 0.25])), draw(st.sampled_from([0.0, 0.5, 2.0]))
    return Case(lambda x: losses.focal_loss(x, target, alpha, gamma, reduction), (draw(arrays(shape)),))


@st.composite
def floored_variance_cases(draw: Any) -> Case:
    shape = draw(filled.filter(len))
    variance = draw(arrays(draw(st.sampled_from([shape, shape[:-1], (*shape[:-1], 1)])), 0.3, 2.0))
    options = {"full": draw(st.booleans()), "reduction": draw(reductions)}
    return Case(
        lambda x, y, v: losses.gaussian_nll_loss(x, y, v, **options),
        (draw(arrays(shape)), draw(arrays(shape)), variance),
    )


@st.composite
def chosen_cases(draw: Any, transposed: bool) -> Case:
    count, lead, trail = draw(st.integers(1, 4)), draw(sides), draw(st.lists(st.integers(0, 2), max_size=2).map(tuple))
    rng = np.random.default_rng(draw(seeds))
    classes = rng.integers(0, count, (lead, *trail))
    scale = rng.uniform(0.5, 1.5, classes.shape) * rng.integers(0, 2, classes.shape)
    summed, shape = draw(st.booleans()), (lead, count, *trail)

    def function(x: Any) -> Any:
        factors = scale.astype(x.dtype)
        return scattered(x, classes, factors, shape) if transposed else chosen(x, classes, factors, summed)

    return Case(function, (draw(arrays((() if summed else classes.shape) if transposed else shape)),))


@st.composite
def ctc_step_cases(draw: Any) -> Case:
    shape = draw(sides), draw(st.integers(1, 5))
    skips = np.where(np.random.default_rng(draw(seeds)).random(shape) < 0.5, 0, -np.inf)
    return Case(lambda a: entered(a, skips.astype(a.dtype)), (draw(arrays(shape)),))


@st.composite
def ctc_cases(draw: Any) -> Case:
    steps, count, classes = draw(st.integers(1, 5)), draw(st.integers(1, 3)), draw(st.integers(2, 4))
    rng = np.random.default_rng(draw(seeds))
    lengths, durations = [], []
    for _ in range(count):
        lengths.append(int(rng.integers(0, (steps + 1) // 2 + 1)))
        durations.append(int(rng.integers(max(1, 2 * lengths[-1] - 1), steps + 1)))
    targets = rng.integers(1, classes, (count, max(lengths)))
    reduction = draw(reductions)
    return Case(
        lambda x: losses.ctc_loss(x, targets, durations, lengths, reduction=reduction),
        (draw(arrays((steps, count, classes))),),
    )


CASES = {
    "huber": huber_cases(),
    "logistic_loss": arrays().map(lambda x: Case(logistic_loss, (x,))),
    "binary_cross_entropy": of_pairs(losses.binary_cross_entropy, {"low": 0.1, "high": 0.9}, {"low": 0.0, "high": 1.0}),
    "binary_cross_entropy_with_logits": of_pairs(
        losses.binary_cross_entropy_with_logits, {}, {"low": 0.0, "high": 1.0}
    ),
    "binary_cross_entropy_with_weighted_logits": weighted_logits_cases(),
    "focal": focal_cases(),
    "floored_variance": floored_variance_cases(),
    "kl_div": of_pairs(losses.kl_div, {}, {"low": 0.1, "high": 1.0}),
    "kl_div_of_logs": of_pairs(losses.kl_div, {}, {}, log_target=st.just(True)),
    "chosen": chosen_cases(transposed=False),
    "scattered": chosen_cases(transposed=True),
    "ctc_step": ctc_step_cases(),
    "ctc_loss": ctc_cases(),
}
