"""Pooling and resampling: closed forms, extremes, dtypes and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn.functional as F
import nn.resampling as R
from autograd import Tensor


def test_windows_written_out() -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 6))
    blocks = x.reshape(2, 3, 2, 2, 3, 2)
    np.testing.assert_array_equal(F.max_pool2d(x, 2), blocks.max((3, 5)))
    np.testing.assert_allclose(F.avg_pool2d(x, 2), blocks.mean((3, 5)), rtol=1e-14)
    np.testing.assert_allclose(F.lp_pool2d(x, 2.0, 2), np.sqrt((blocks**2).sum((3, 5))), rtol=1e-14)
    np.testing.assert_allclose(F.adaptive_avg_pool2d(x, 1), x.mean((2, 3), keepdims=True), rtol=1e-14)


def test_ties_go_to_the_first_entry() -> None:
    x = Tensor(np.zeros((1, 4, 4)), requires_grad=True)
    F.max_pool2d(x, 2).sum().backward()
    expected = np.zeros((1, 4, 4))
    expected[:, ::2, ::2] = 1
    np.testing.assert_array_equal(x.grad, expected)


def test_infinite_cotangents_stay_at_the_maximum() -> None:
    x = Tensor(np.arange(4.0).reshape(1, 4), requires_grad=True)
    F.max_pool1d(x, 2).backward(np.array([[np.inf, 1.0]]))
    np.testing.assert_array_equal(x.grad, [[0, np.inf, 0, 1]])


def test_large_kernels_count_their_taps() -> None:
    x = np.random.default_rng(1).permutation(400).reshape(1, 20, 20).astype(float)
    y, at = F.max_pool2d(x, 20, return_indices=True)
    assert (y.item(), at.item()) == (x.max(), x.argmax())


def test_repeated_indices_keep_the_last_entry_and_its_gradient() -> None:
    x = Tensor(np.array([[1.0, 2.0]]), requires_grad=True)
    y = F.max_unpool1d(x, np.array([[3, 3]]), 2)
    np.testing.assert_array_equal(y.detach(), [[0, 0, 0, 2]])
    y.sum().backward()
    np.testing.assert_array_equal(x.grad, [[0, 1]])


def test_norm_of_zeros_has_gradient_zero() -> None:
    x = Tensor(np.array([[0.0, 0.0, 3.0, 4.0]]), requires_grad=True)
    y = F.lp_pool1d(x, 2, 2)
    y.sum().backward()
    np.testing.assert_allclose(y.detach(), [[0, 5]])
    np.testing.assert_allclose(x.grad, [[0, 0, 0.6, 0.8]])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize(
    "function",
    [
        lambda x: F.max_pool2d(x, 3, 2, 1),
        lambda x: F.avg_pool2d(x, 3, 2, 1, True),
        lambda x: F.lp_pool2d(x, 2, 2),
        lambda x: F.adaptive_avg_pool2d(x, 3),
        lambda x: F.adaptive_max_pool2d(x, 3),
        lambda x: R.interpolate(x, scale_factor=2, mode="bicubic"),
        lambda x: R.interpolate(x, scale_factor=2),
    ],
)
def test_dtypes_stay(function: Any, dtype: Any) -> None:
    x = Tensor(np.ones((1, 2, 5, 7), dtype), requires_grad=True)
    y = function(x)
    y.sum().backward()
    assert y.dtype == x.grad.dtype == dtype
    assert type(function(x.detach().numpy())) is np.ndarray


def test_nan_does_not_leave_its_neighbourhood() -> None:
    x = np.zeros((1, 1, 9))
    x[..., 4] = np.nan
    y = R.interpolate(x, scale_factor=2, mode="linear")
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(y)), [7, 8, 9, 10])
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(F.max_pool1d(x, 3, 1))), [2, 3, 4])


def test_shuffles_are_undone() -> None:
    x = np.random.default_rng(2).normal(size=(2, 8, 3, 5))
    np.testing.assert_array_equal(R.pixel_unshuffle(R.pixel_shuffle(x, 2), 2), x)
    np.testing.assert_array_equal(R.channel_shuffle(R.channel_shuffle(x, 2), 4), x)


X = np.ones((1, 2, 4, 4))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.max_pool2d(X, 7), ValueError, r"⌊\(4 \+ 2·0 − 1·\(7−1\) − 1\)/7⌋ \+ 1 = 0"),
        (lambda: F.max_pool2d(X, 3, padding=2), ValueError, "at most half of the kernel's span.* = 3; got 2"),
        (lambda: F.max_pool2d(X, (1, 2, 3)), ValueError, "one integer or 2"),
        (lambda: F.max_pool2d(X[0, 0], 2), ValueError, r"got shape \(4, 4\)"),
        (lambda: F.max_pool2d(X > 0, 2), TypeError, "got bool"),
        (lambda: F.avg_pool2d(X.astype(int), 2), TypeError, "got int64"),
        (lambda: F.avg_pool2d(X, 2, divisor_override=0), ValueError, "cannot be 0"),
        (lambda: F.adaptive_avg_pool2d(X, 0), ValueError, "output_size 0"),
        (lambda: F.max_unpool2d(X, np.full(X.shape, 64), 2), IndexError, "0 … 63"),
        (lambda: F.max_unpool2d(X, X, 2), ValueError, "integer indices"),
        (lambda: F.max_unpool2d(X, X.astype(int), 2, output_size=(8, 10)), ValueError, "less than the stride"),
        (lambda: R.interpolate(X), ValueError, "either size or scale_factor"),
        (lambda: R.interpolate(X, 8, mode="linear"), ValueError, "with 3 axes"),
        (lambda: R.interpolate(X, 8, mode="cubic"), ValueError, "got 'cubic'"),
        (lambda: R.interpolate(X, 8, align_corners=True), ValueError, "no align_corners"),
        (lambda: R.interpolate(X, 8, antialias=True), ValueError, "no antialias"),
        (lambda: R.interpolate(X, scale_factor=0.1), ValueError, r"got \(0, 0\)"),
        (lambda: R.interpolate(X, 8, recompute_scale_factor=True), ValueError, "goes with scale_factor"),
        (lambda: R.pixel_shuffle(X, 2), ValueError, "multiple of 4 channels; got 2"),
        (lambda: R.pixel_unshuffle(X, 3), ValueError, "multiples"),
        (lambda: R.channel_shuffle(X, 3), ValueError, "multiple of 3 channels"),
    ],
)
def test_errors_say_what_was_got(call: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        call()
