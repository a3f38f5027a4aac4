"""Connectionist temporal classification: the likelihood of a sequence whose alignment is not known.

Graves, Fernández, Gomez & Schmidhuber 2006. Each time step emits a label or the blank; an alignment spells a
sequence once repetitions are merged and blanks dropped. In the sequence with blanks between, before and after its
labels (states s = 0 … 2S) an alignment stays, moves on by one, or by two where that skips a blank between different
labels. Everything is in logarithms, and vectorised over the batch.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import primitive
from autograd.dispatch import bare
from nn.loss.reduction import Loss, check_reduction, floats, reduced

__all__ = ["CTCLoss", "ctc_loss"]


def _entered(a: Any, skips: Any) -> Any:
    """``log(e^(a_s) + e^(a_(s−1)) + e^(a_(s−2) + skips_s))``: all ways into each state s; −∞ where there is none.

    Raises TypeError unless these are floats.
    """
    floats("ctc_step", a)
    ways = np.empty((3, *a.shape), a.dtype)
    ways[0] = a
    ways[1, :, :1] = ways[2, :, :2] = -np.inf
    ways[1, :, 1:] = a[:, :-1]
    np.add(a[:, :-2], skips[:, 2:], out=ways[2, :, 2:])
    top = np.maximum.reduce(ways, axis=0, initial=np.finfo(a.dtype).min)  # finite: a difference with it is not NaN
    ways -= top
    total = np.add.reduce(np.exp(ways, out=ways), axis=0)
    np.log(total, out=total)
    return np.add(total, top, out=total)


def _later(a: Any, n: int, fill: float) -> Any:
    """``a`` of the state ``n`` before, with ``fill`` where there is none."""
    return np.concatenate([np.full((a.shape[0], n), fill, a.dtype), a], axis=1)[:, : a.shape[1]]


def _earlier(g: Any, n: int) -> Any:
    """The transpose of ``_later``."""
    return np.concatenate([g, np.zeros((g.shape[0], n), g.dtype)], axis=1)[:, n:]


def _shares(a: Any, skips: Any, out: Any) -> tuple[Any, Any, Any]:
    """The part that each of the three ways has in the sum; 0 where the sum is."""
    out = np.where(bare(out) == -np.inf, 0, out)
    return (
        np.exp(a - out),
        np.exp(_later(a, 1, -np.inf) - out),
        np.exp(_later(a, 2, -np.inf) + skips - out),
    )


def _entered_vjp(g: Any, a: Any, skips: Any, out: Any) -> Any:
    stay, move, skip = _shares(a, skips, out)
    return g * stay + _earlier(g * move, 1) + _earlier(g * skip, 2)


def _entered_jvp(t: Any, a: Any, skips: Any, out: Any) -> Any:
    stay, move, skip = _shares(a, skips, out)
    return t * stay + _later(t, 1, 0) * move + _later(t, 2, 0) * skip


entered = primitive(_entered, vjp={"a": _entered_vjp}, jvp={"a": _entered_jvp}, name="ctc_step")


# ---------------------------------------------------------------------- likelihood and posterior


def _alphas(emissions: Any, skips: Any) -> Any:
    """Per time step, the log-probability (T, N, L) of all that was emitted so far, ending in each state."""
    start = np.full(skips.shape, -np.inf, skips.dtype)
    start[:, :2] = 0
    made = [emissions[0] + start]
    with np.errstate(divide="ignore"):  # log 0, of states that are out of reach
        for t in range(1, len(emissions)):
            made.append(entered(made[-1], skips) + emissions[t])
    return np.stack(made)


def _emissions(log_probs: Any, states: Any) -> Any:
    """(T, N, C) at each state's class: (T, N, L)."""
    return log_probs[:, np.arange(len(states))[:, None], states]


def _losses(log_probs: Any, states: Any, skips: Any, ends: Any, last: Any, infinite: float) -> Any:
    """``−log p(target)`` per sample.

    ``states`` (N, L) holds the class of each state; ``skips`` is 0 for the states that may be entered by a skip,
    else −∞; ``ends`` is each sample's last state, ``last`` its last time step. ``infinite`` is the slope of an
    infinite loss.
    """
    samples = np.arange(len(last))
    at_end = _alphas(_emissions(log_probs, states), skips)[np.maximum(last, 0), samples]
    label = np.where(ends > 0, at_end[samples, ends - 1], -np.inf)
    of_nothing = np.where(ends == 0, 0, np.inf)
    return np.where(last < 0, of_nothing, -np.logaddexp(at_end[samples, ends], label)).astype(skips.dtype)


def _slope(log_probs: Any, out: Any, states: Any, skips: Any, ends: Any, last: Any, infinite: float) -> Any:
    """Minus the probability, given the target, that time step t emits class c: (T, N, C).

    What follows a state at a step is what precedes it in the sample backwards, so both come from one recursion.
    """
    emissions = _emissions(log_probs, states)
    time, state, samples = np.arange(len(emissions))[:, None], np.arange(states.shape[1]), np.arange(len(last))
    inside = time <= last
    # Indices that turn a sample around within its own length; what is beyond it counts for nothing.
    reverse = (np.maximum(last - time, 0)[:, :, None], samples[:, None], np.maximum(ends[:, None] - state, 0))
    backward_skips = np.full_like(skips, -np.inf)
    backward_skips[:, 2:] = skips[samples[:, None], np.maximum(ends[:, None] + 2 - state[2:], 0)]
    both = _alphas(np.concatenate([emissions, emissions[reverse]], axis=1), np.concatenate([skips, backward_skips]))
    count = len(last)
    impossible = bare(out) == np.inf
    reached = inside[:, :, None] & (state <= ends[:, None]) & (bare(emissions) > -np.inf) & ~impossible[:, None]
    joint = both[:, :count] + both[:, count:][reverse] + np.where(impossible, 0, out)[:, None]
    posteriors = np.exp(np.where(reached, joint - np.where(reached, emissions, 0), -np.inf))
    if impossible.any() and infinite != 0:
        posteriors = posteriors + np.where(impossible & inside, infinite, 0)[:, :, None].astype(skips.dtype)
    one_hot = np.zeros((*states.shape, log_probs.shape[2]), skips.dtype)
    np.put_along_axis(one_hot, states[:, :, None], -1, axis=2)
    return np.swapaxes(np.matmul(np.swapaxes(posteriors, 0, 1), one_hot), 0, 1)


_ctc = primitive(
    _losses,
    vjp={
        "log_probs": lambda g, log_probs, out, states, skips, ends, last, infinite: (
            g[:, None] * _slope(log_probs, out, states, skips, ends, last, infinite)
        )
    },
    jvp={
        "log_probs": lambda t, log_probs, out, states, skips, ends, last, infinite: np.sum(
            t * _slope(log_probs, out, states, skips, ends, last, infinite), axis=(0, 2)
        )
    },
    name="ctc_loss",
)


# ---------------------------------------------------------------------- the arguments


def _lengths(name: str, given: Any, count: int, longest: int) -> Any:
    """One length per sample, none beyond the ``longest``."""
    lengths = np.asarray(bare(given)).reshape(-1)
    if lengths.dtype.kind not in "iu" and lengths.size:
        raise TypeError(f"ctc_loss() takes {name} as integers; got {lengths.dtype}")
    if lengths.size != count:
        raise ValueError(f"ctc_loss() takes {name} for {count} samples; got {lengths.size}")
    if lengths.size and (lengths.min() < 0 or lengths.max() > longest):
        wrong = lengths.min() if lengths.min() < 0 else lengths.max()
        raise ValueError(f"ctc_loss(): {name} lie between 0 and {longest} here; got {wrong}")
    return lengths.astype(np.intp)


def _padded(targets: Any, given: Any, count: int) -> tuple[Any, Any]:
    """The labels as (N, S), and their lengths; targets that are one after the other are laid side by side."""
    if targets.dtype.kind not in "iu" and targets.size:
        raise TypeError(f"ctc_loss() takes targets as integers; got {targets.dtype}")
    if targets.ndim == 2:
        if len(targets) != count:
            raise ValueError(
                f"ctc_loss() of {count} samples takes targets ({count}, S) or in a row; got {targets.shape}"
            )
        return targets.astype(np.intp), _lengths("target_lengths", given, count, targets.shape[1])
    if targets.ndim != 1:
        raise ValueError(f"ctc_loss() takes targets of shape (N, S), or one after the other; got {targets.shape}")
    lengths = _lengths("target_lengths", given, count, targets.size)
    if lengths.sum() != targets.size:
        raise ValueError(f"ctc_loss(): target_lengths add up to {lengths.sum()}; got {targets.size} targets in a row")
    labels = np.zeros((count, int(lengths.max(initial=0))), np.intp)
    labels[np.arange(labels.shape[1]) < lengths[:, None]] = targets
    return labels, lengths


def ctc_loss(
    log_probs: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Any:
    """``−log p(target)``, summed over all alignments of each target with its input (Graves et al. 2006).

    Parameters
    ----------
    log_probs : (T, N, C) or (T, C)
        Log-probabilities of the classes at each time step, as ``log_softmax`` gives them.
    targets : integers (N, S), or the targets of all samples one after the other; (S,) for one sample
        Classes other than the blank. What is beyond a target's length counts for nothing.
    input_lengths, target_lengths : integers (N,), () for one sample
    blank : int
        The class that stands for no label.
    reduction : {"mean", "sum", "none"}
        "mean" divides each loss by its target's length (at least 1) and averages over the batch.
    zero_infinity : bool
        Whether a target too long for its input has the loss 0 with slope 0, rather than ∞ with slope NaN.

    Raises
    ------
    ValueError
        For shapes and lengths that do not fit, a blank among the targets, and another reduction.
    IndexError
        For a class out of range.
    TypeError
        For ``log_probs`` that are not floats, targets and lengths that are not integers.

    Notes
    -----
    The gradient is that of the formula, ``−p(class c at step t | target)``. PyTorch adds ``exp(log_probs)``; after
    ``log_softmax`` both give the same gradient of the logits.
    """
    check_reduction(reduction)
    log_probs, targets = floats("ctc_loss", log_probs, "log_probs"), np.asarray(bare(targets))
    if log_probs.ndim == 2:
        loss = ctc_loss(
            log_probs[:, None], targets.reshape(-1), input_lengths, target_lengths, blank, reduction, zero_infinity
        )
        return loss[0] if reduction == "none" else loss
    if log_probs.ndim != 3 or log_probs.shape[0] == 0:
        raise ValueError(f"ctc_loss() takes log_probs of shape (T, N, C) or (T, C) with T > 0; got {log_probs.shape}")
    steps, count, classes = log_probs.shape
    if not 0 <= blank < classes:
        raise IndexError(f"ctc_loss(): blank is {blank} among {classes} classes")
    last = _lengths("input_lengths", input_lengths, count, steps) - 1
    labels, lengths = _padded(targets, target_lengths, count)
    states = _states(labels, lengths, blank, classes)
    dtype = log_probs.dtype
    skips = np.full(states.shape, -np.inf, dtype)
    skips[:, 3::2][states[:, 3::2] != states[:, 1:-2:2]] = 0
    losses = _ctc(log_probs, states, skips, 2 * lengths, last, 0.0 if zero_infinity else np.nan)
    if zero_infinity:
        losses = np.where(bare(losses) == np.inf, 0, losses)
    return reduced(losses / np.maximum(lengths, 1).astype(dtype) if reduction == "mean" else losses, reduction)


def _states(labels: Any, lengths: Any, blank: int, classes: int) -> Any:
    """The class of each state (N, 2S + 1): the labels with blanks between them and around."""
    listed = np.arange(labels.shape[1]) < lengths[:, None]
    outside = listed & ((labels < 0) | (labels >= classes))
    if outside.any():
        raise IndexError(f"ctc_loss(): target {labels[outside][0]} among {classes} classes")
    if (listed & (labels == blank)).any():
        raise ValueError(f"ctc_loss(): a target holds the blank, {blank}; give the blank a class of its own")
    states = np.full((len(labels), 2 * labels.shape[1] + 1), blank, np.intp)
    states[:, 1::2] = np.where(listed, labels, blank)
    return states


class CTCLoss(Loss):
    """:func:`ctc_loss` as a module."""

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> None:
        super().__init__(reduction)
        self.blank = blank
        self.zero_infinity = zero_infinity

    def forward(self, log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any) -> Any:
        return ctc_loss(
            log_probs, targets, input_lengths, target_lengths, self.blank, self.reduction, self.zero_infinity
        )
