"""Losses: their formulas written out in NumPy, extremes, alignments counted one by one, and what they refuse."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import nn.loss as losses
from autograd import Tensor, grad, hessian

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(5, 3)), RNG.normal(size=(5, 3))
SIGNS = np.where(Y > 0, 1, -1)
BITS = (Y > 0).astype(float)
CLASSES = np.array([0, 2, 1, 1, 0])
P = 1 / (1 + np.exp(-X))


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def distance(a, b):
    return np.sqrt(np.square(a - b + 1e-6).sum(axis=-1))


FORMULAS = {
    "mse": (losses.MSELoss, (X, Y), (X - Y) ** 2),
    "half_mse": (losses.HalfMSELoss, (X, Y), ((X - Y) ** 2).sum(axis=1) / 2),
    "l1": (losses.L1Loss, (X, Y), np.abs(X - Y)),
    "smooth_l1": (
        lambda reduction: losses.SmoothL1Loss(reduction, beta=0.5),
        (X, Y),
        np.where(np.abs(X - Y) < 0.5, (X - Y) ** 2, np.abs(X - Y) - 0.25),
    ),
    "huber": (
        lambda reduction: losses.HuberLoss(reduction, delta=0.5),
        (X, Y),
        np.where(np.abs(X - Y) < 0.5, (X - Y) ** 2 / 2, 0.5 * (np.abs(X - Y) - 0.25)),
    ),
    "bce": (losses.BCELoss, (P, BITS), -BITS * np.log(P) - (1 - BITS) * np.log(1 - P)),
    "bce_with_logits": (losses.BCEWithLogitsLoss, (X, BITS), -BITS * np.log(P) - (1 - BITS) * np.log(1 - P)),
    "kl_div": (losses.KLDivLoss, (np.log(softmax(X)), softmax(Y)), softmax(Y) * np.log(softmax(Y) / softmax(X))),
    "gaussian": (losses.GaussianNLLLoss, (X, Y, P), (np.log(P) + (X - Y) ** 2 / P) / 2),
    "poisson": (losses.PoissonNLLLoss, (X, P), np.exp(X) - P * X),
    "hinge": (losses.HingeLoss, (X, SIGNS), np.maximum(0, 1 - SIGNS * X)),
    "soft_margin": (losses.SoftMarginLoss, (X, SIGNS), np.log(1 + np.exp(-SIGNS * X))),
    "hinge_embedding": (losses.HingeEmbeddingLoss, (X, SIGNS), np.where(SIGNS == 1, X, np.maximum(0, 1 - X))),
    "margin_ranking": (losses.MarginRankingLoss, (X, Y, SIGNS), np.maximum(0, -SIGNS * (X - Y))),
    "triplet": (losses.TripletMarginLoss, (X, Y, P), np.maximum(0, distance(X, Y) - distance(X, P) + 1)),
    "focal": (
        losses.FocalLoss,
        (X, BITS),
        np.where(BITS == 1, -0.25 * (1 - P) ** 2 * np.log(P), -0.75 * P**2 * np.log(1 - P)),
    ),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_formula(name):
    module, arguments, expected = FORMULAS[name]
    for reduction, value in (("none", expected), ("sum", expected.sum()), ("mean", expected.mean())):
        loss = module(reduction=reduction)
        np.testing.assert_allclose(loss(*arguments), value, rtol=1e-9, atol=1e-14)
        single = loss(
            *(Tensor(a.astype(np.float32), requires_grad=True) if a.dtype.kind == "f" else a for a in arguments[:1]),
            *(a.astype(np.float32) if a.dtype.kind == "f" else a for a in arguments[1:]),
        )
        assert single.dtype == np.float32
        np.testing.assert_allclose(single.numpy(), value, rtol=1e-4, atol=1e-5)


def test_nll_loss_of_log_softmax_is_cross_entropy():
    log_probs = np.log(softmax(X))
    for options in ({}, {"ignore_index": 1}, {"weight": np.array([0.5, 1, 2])}, {"reduction": "none"}):
        expected = losses.cross_entropy(X, CLASSES, **options)
        np.testing.assert_allclose(losses.nll_loss(log_probs, CLASSES, **options), expected, rtol=1e-12)
    assert np.isnan(losses.nll_loss(log_probs, np.full(5, -100)))


def test_classes_and_their_margins():
    right = X[np.arange(5), CLASSES][:, None]
    excess = np.maximum(0, 1 - right + X)
    excess[np.arange(5), CLASSES] = 0
    np.testing.assert_allclose(losses.multi_margin_loss(X, CLASSES, reduction="none"), excess.sum(axis=1) / 3)
    np.testing.assert_allclose(losses.multi_margin_loss(X, CLASSES, p=2), (excess**2).sum(axis=1).mean() / 3)
    expected = sum(max(0.0, 1 - X[0, y] + X[0, 1]) for y in (0, 2)) / 3
    np.testing.assert_allclose(losses.multilabel_margin_loss(X[0], [2, 0, -1]), expected)


def test_the_divergence_of_a_distribution_from_itself_is_zero():
    q = np.array([[0.0, 0.25, 0.75], [1.0, 0.0, 0.0]])
    logs = np.where(q > 0, np.log(np.where(q > 0, q, 1)), -5.0)
    assert losses.kl_div(logs, q, "batchmean") == 0
    y = Tensor(q, requires_grad=True)
    losses.kl_div(logs, y, "sum").backward()
    assert np.isfinite(y.grad.numpy()).all()


# ---------------------------------------------------------------------- extremes


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_logits_of_any_size(dtype):
    z = np.array([-1e4, -200.0, 0.0, 200.0, 1e4], dtype)
    for y in (0.0, 1.0):
        x = Tensor(z, requires_grad=True)
        target = np.full(5, y, dtype)
        loss = losses.binary_cross_entropy_with_logits(x, target, reduction="sum")
        np.testing.assert_allclose(loss.item(), 10200 + np.log(2), rtol=1e-6)
        loss.backward()
        np.testing.assert_allclose(x.grad.numpy(), np.array([0, 0, 0.5, 1, 1]) - y, atol=1e-30)
        x.grad = None
        focal = losses.focal_loss(x, target, gamma=0.5, reduction="sum")
        focal.backward()
        assert np.isfinite(focal.item())
        assert np.isfinite(x.grad.numpy()).all()


def test_certain_answers_are_bounded():
    np.testing.assert_allclose(losses.binary_cross_entropy(np.array([0.0, 1.0]), np.array([1.0, 0.0])), 100)
    assert losses.binary_cross_entropy(np.array([0.0, 1.0]), np.array([0.0, 1.0])) == 0


def test_a_variance_below_the_floor_still_has_a_slope():
    v = Tensor(np.array([1e-9]), requires_grad=True)
    losses.gaussian_nll_loss(np.zeros(1), np.ones(1), v, eps=0.1).backward()
    np.testing.assert_allclose(v.grad.numpy(), [0.5 * (1 / 0.1 - 1 / 0.01)])


def test_equal_vectors_have_finite_slopes():
    a = Tensor(np.ones((2, 3)), requires_grad=True)
    losses.triplet_margin_loss(a, np.ones((2, 3)), np.ones((2, 3))).backward()
    assert np.isfinite(a.grad.numpy()).all()
    b = Tensor(np.zeros(3), requires_grad=True)
    losses.cosine_embedding_loss(b, np.ones(3), 1).backward()
    assert np.isfinite(b.grad.numpy()).all()


def test_focal_loss_without_focus_is_binary_cross_entropy():
    expected = losses.binary_cross_entropy_with_logits(X, BITS)
    np.testing.assert_allclose(losses.focal_loss(X, BITS, alpha=None, gamma=0), expected, rtol=1e-12)


def test_weights_are_buffers():
    loss = losses.BCEWithLogitsLoss(weight=np.ones(3), pos_weight=np.full(3, 2.0))
    assert list(loss.state_dict()) == ["weight", "pos_weight"]
    np.testing.assert_allclose(loss(X, BITS), ((1 + BITS) * -np.where(BITS, np.log(P), np.log(1 - P))).mean())


# ---------------------------------------------------------------------- connectionist temporal classification


def spelled(path, blank):
    return tuple(label for label, _ in itertools.groupby(path) if label != blank)


def likelihood(probs, target, blank=0):
    """The sum over all paths, one by one."""
    steps, classes = probs.shape
    return sum(
        np.prod(probs[np.arange(steps), list(path)])
        for path in itertools.product(range(classes), repeat=steps)
        if spelled(path, blank) == tuple(target)
    )


@pytest.mark.parametrize("target", [(), (1,), (1, 2), (1, 1), (2, 1, 2), (2, 2, 1)])
def test_ctc_adds_up_all_alignments(target):
    probs = softmax(np.random.default_rng(1).normal(size=(5, 3)))
    loss = losses.ctc_loss(np.log(probs), np.array(target, int), 5, len(target), reduction="none")
    np.testing.assert_allclose(loss, -np.log(likelihood(probs, target)), rtol=1e-12)


def test_ctc_of_a_batch_is_that_of_its_samples():
    logits = np.random.default_rng(2).normal(size=(6, 3, 4))
    targets, durations, lengths = np.array([[1, 3, 0], [2, 9, 9], [1, 1, 2]]), [6, 3, 5], [2, 1, 3]
    together = losses.ctc_loss(logits, targets, durations, lengths, reduction="none")
    for n in range(3):
        alone = losses.ctc_loss(
            logits[: durations[n], n], targets[n, : lengths[n]], durations[n], lengths[n], reduction="none"
        )
        np.testing.assert_allclose(together[n], alone, rtol=1e-12)


def test_ctc_of_impossible_targets():
    logits = np.zeros((2, 1, 3))
    assert losses.ctc_loss(logits, [[1, 1]], [2], [2]) == np.inf
    x = Tensor(logits, requires_grad=True)
    loss = losses.ctc_loss(x, [[1, 1]], [2], [2], zero_infinity=True)
    loss.backward()
    assert loss.item() == 0
    np.testing.assert_array_equal(x.grad.numpy(), 0)
    assert losses.ctc_loss(logits, [[1]], [0], [0], reduction="sum") == 0


def test_ctc_of_certain_classes():
    log_probs = np.full((3, 1, 3), -np.inf)
    log_probs[[0, 1, 2], 0, [1, 0, 2]] = 0
    x = Tensor(log_probs, requires_grad=True)
    loss = losses.ctc_loss(x, [[1, 2]], [3], [2], reduction="sum")
    loss.backward()
    assert loss.item() == 0
    np.testing.assert_array_equal(x.grad.numpy(), np.where(log_probs == 0, -1, 0))


def test_ctc_has_second_derivatives():
    logits = np.random.default_rng(3).normal(size=(3, 2))

    def loss(z):
        return losses.ctc_loss(z, [1], 3, 1, reduction="sum")

    h = np.asarray(hessian(loss)(logits)).reshape(6, 6)
    step = 1e-5
    for i, direction in enumerate(np.eye(6).reshape(6, 3, 2)):
        around = [np.asarray(grad(loss)(logits + s * direction)) for s in (step, -step)]
        np.testing.assert_allclose(h[i], ((around[0] - around[1]) / (2 * step)).ravel(), atol=1e-8)


# ---------------------------------------------------------------------- what is refused

LOG_PROBS = np.zeros((4, 2, 3))

REFUSED = [
    (lambda: losses.L1Loss("avg"), ValueError, "reduction is 'none', 'mean' or 'sum'; got 'avg'"),
    (lambda: losses.KLDivLoss("avg"), ValueError, "'batchmean'"),
    (lambda: losses.l1_loss(X, Y[:1]), ValueError, "input (5, 3) and target (1, 3): the shapes differ"),
    (lambda: losses.l1_loss(X, Y, weight=Y[:1]), ValueError, "the shapes differ"),
    (lambda: losses.huber_loss(X, Y, delta=0), ValueError, "delta > 0; got 0"),
    (lambda: losses.SmoothL1Loss(beta=-1), ValueError, "beta ≥ 0; got -1"),
    (lambda: losses.binary_cross_entropy(X, BITS), ValueError, "probabilities in [0, 1]"),
    (lambda: losses.binary_cross_entropy(P * np.nan, BITS), ValueError, "probabilities in [0, 1]"),
    (lambda: losses.binary_cross_entropy(P, BITS, weight=np.ones(2)), ValueError, "(2,) does not broadcast"),
    (lambda: losses.binary_cross_entropy_with_logits(SIGNS, BITS), TypeError, "input of floats; got int64"),
    (
        lambda: losses.binary_cross_entropy_with_logits(X, BITS, pos_weight=np.ones((2, 1, 3))),
        ValueError,
        "does not broadcast",
    ),
    (lambda: losses.nll_loss(X, CLASSES + 1), IndexError, "class index 3 among 3 classes"),
    (lambda: losses.nll_loss(X, BITS), TypeError, "class indices as integers"),
    (lambda: losses.nll_loss(X, CLASSES[:2]), ValueError, "class indices of shape (5,); got (2,)"),
    (lambda: losses.nll_loss(X, CLASSES, weight=np.ones(2)), ValueError, "one weight per class, (3,); got (2,)"),
    (lambda: losses.gaussian_nll_loss(X, Y, -P), ValueError, "variances ≥ 0"),
    (lambda: losses.gaussian_nll_loss(X, Y, P[:2]), ValueError, "got shape (2, 3)"),
    (lambda: losses.hinge_loss(X, BITS), ValueError, "targets that are 1 or -1; got 0.0"),
    (lambda: losses.multi_margin_loss(X, CLASSES, p=3), ValueError, "p = 1 or p = 2; got 3"),
    (lambda: losses.multi_margin_loss(X, CLASSES + 1), IndexError, "class index 3 among 3"),
    (lambda: losses.multilabel_margin_loss(X[0], [0, 3, -1]), IndexError, "class index 3 among 3"),
    (lambda: losses.margin_ranking_loss(X, Y, np.ones(5)), ValueError, "takes a target of that shape; got (5,)"),
    (lambda: losses.cosine_embedding_loss(X, Y, np.ones(3)), ValueError, "got (5, 3) with (3,)"),
    (lambda: losses.triplet_margin_loss(X, Y, P, p=0), ValueError, "p > 0; got 0"),
    (lambda: losses.focal_loss(X, P), ValueError, "targets that are 0 or 1"),
    (lambda: losses.FocalLoss(alpha=2), ValueError, "alpha in [0, 1]"),
    (lambda: losses.FocalLoss(gamma=-1), ValueError, "gamma ≥ 0; got -1"),
    (lambda: losses.ctc_loss(LOG_PROBS, [[1], [0]], [4, 4], [1, 1]), ValueError, "holds the blank, 0"),
    (lambda: losses.ctc_loss(LOG_PROBS, [[1], [3]], [4, 4], [1, 1]), IndexError, "target 3 among 3 classes"),
    (lambda: losses.ctc_loss(LOG_PROBS, [[1], [2]], [5, 4], [1, 1]), ValueError, "between 0 and 4 here; got 5"),
    (lambda: losses.ctc_loss(LOG_PROBS, [[1], [2]], [4], [1, 1]), ValueError, "input_lengths for 2 samples; got 1"),
    (lambda: losses.ctc_loss(LOG_PROBS, [1, 2, 1], [4, 4], [1, 1]), ValueError, "add up to 2; got 3 targets"),
    (lambda: losses.ctc_loss(LOG_PROBS, [[1], [2]], [4, 4], [1, 1], blank=3), IndexError, "blank is 3 among 3"),
    (lambda: losses.ctc_loss(LOG_PROBS[:0], [[1], [2]], [0, 0], [1, 1]), ValueError, "T > 0; got (0, 2, 3)"),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case[2])
def test_refused(case):
    call, error, message = case
    with pytest.raises(error) as caught:
        call()
    assert message in str(caught.value)


@pytest.mark.parametrize("loss", [losses.mse_loss, losses.l1_loss, losses.huber_loss, losses.half_mse_loss])
def test_the_mean_of_no_losses_is_nan(loss):
    x = Tensor(np.zeros((0, 3), np.float32), requires_grad=True)
    y = loss(x, np.zeros((0, 3), np.float32))
    y.backward()
    assert np.isnan(y.item())
    assert y.dtype == np.float32
    assert x.grad.shape == (0, 3)
