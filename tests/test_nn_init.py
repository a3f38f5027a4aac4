"""Matrices and truncated values that parameters start from."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest, truncnorm

from autograd import Tensor
from nn import init


def empty(*shape: int) -> Tensor:
    return Tensor(np.full(shape, np.nan))


def test_eye():
    assert np.array_equal(init.eye_(empty(3, 2)).numpy(), np.eye(3, 2))


@pytest.mark.parametrize("shape", [(4, 4, 3), (4, 2, 3, 5), (4, 6, 2, 3, 3)])
@pytest.mark.parametrize("groups", [1, 2])
def test_dirac_kernels_pass_channels_on(shape, groups):
    kernel = init.dirac_(empty(*shape), groups).numpy()
    centre = tuple(n // 2 for n in shape[2:])
    per_group = shape[0] // groups
    for out_channel in range(shape[0]):
        expected = np.zeros(shape[1:])
        if out_channel % per_group < shape[1]:
            expected[(out_channel % per_group, *centre)] = 1
        assert np.array_equal(kernel[out_channel], expected)


@pytest.mark.parametrize("shape", [(5, 5), (3, 7), (7, 3), (4, 2, 3), (3, 1)])
def test_orthogonal_rows_or_columns(shape):
    q = init.orthogonal_(empty(*shape), gain=2.0, generator=np.random.default_rng(0)).numpy()
    q = q.reshape(shape[0], -1) / 2
    small = q @ q.T if q.shape[0] <= q.shape[1] else q.T @ q
    np.testing.assert_allclose(small, np.eye(len(small)), atol=1e-14)


def test_orthogonal_matrices_are_not_biased_to_one_sign():
    rng = np.random.default_rng(0)
    corners = [init.orthogonal_(empty(2, 2), generator=rng).numpy()[0, 0] for _ in range(400)]
    assert abs(np.mean(corners)) < 4 * np.sqrt(0.5 / 400)


@pytest.mark.parametrize(("mean", "std", "a", "b"), [(0, 1, -2, 2), (1, 2, 0.5, 9), (0, 1, 6, 7), (0, 1, -7, -6)])
def test_truncated_normal(mean, std, a, b):
    x = init.trunc_normal_(empty(2000), mean, std, a, b, np.random.default_rng(0)).numpy()
    assert x.min() >= a
    assert x.max() <= b
    exact = truncnorm((a - mean) / std, (b - mean) / std, mean, std)
    assert kstest(x, exact.cdf).pvalue > 0.01


def test_sparse_columns():
    x = init.sparse_(empty(10, 30), sparsity=0.35, std=3.0, generator=np.random.default_rng(0)).numpy()
    assert ((x == 0).sum(axis=0) == 4).all()
    assert len({tuple(column) for column in (x == 0).T}) > 20
    assert 2.3 < x[x != 0].std() < 3.7


def test_draws_are_repeatable_and_dtypes_stay():
    for draw in (init.orthogonal_, init.trunc_normal_, lambda t, generator: init.sparse_(t, 0.5, generator=generator)):
        first, second = (
            draw(Tensor(np.empty((3, 4), np.float32)), generator=np.random.default_rng(7)) for _ in range(2)
        )
        assert first.dtype == np.float32
        assert np.array_equal(first.numpy(), second.numpy())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: init.eye_(empty(3)), r"eye_\(\) takes a tensor of two axes; got shape \(3,\)"),
        (lambda: init.dirac_(empty(3, 3)), "3, 4 or 5 axes"),
        (lambda: init.dirac_(empty(3, 3, 3), 2), "2 groups do not divide 3"),
        (lambda: init.orthogonal_(empty(3)), "two or more axes"),
        (lambda: init.sparse_(empty(3), 0.1), "two axes"),
        (lambda: init.sparse_(empty(3, 3), 1.1), "sparsity lies in"),
        (lambda: init.trunc_normal_(empty(3), a=2, b=1), "a < b"),
        (lambda: init.trunc_normal_(empty(3), std=0), "std > 0"),
        (lambda: init.trunc_normal_(empty(3), a=60, b=70), "no weight between 60 and 70"),
    ],
)
def test_bad_input_is_explained(call, message):
    with pytest.raises(ValueError, match=message):
        call()
