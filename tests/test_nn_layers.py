"""Dropout, embeddings, reshaping and distances: what they promise, and their refusals."""

from __future__ import annotations

import numpy as np
import pytest

import nn
import nn.functional as F
from autograd import Tensor, default_generator, gradcheck, manual_seed

# ---------------------------------------------------------------------- dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_keeps_the_mean_and_scales_what_stays(p):
    manual_seed(0)
    x = Tensor(np.ones(20_000), requires_grad=True)
    out = F.dropout(x, p)
    out.sum().backward()
    kept = out.numpy() != 0
    assert abs(kept.mean() - (1 - p)) < 4 * np.sqrt(p * (1 - p) / 20_000)
    np.testing.assert_allclose(out.numpy()[kept], 1 / (1 - p), rtol=1e-15)
    assert np.array_equal(x.grad.numpy(), out.numpy())


def test_the_seed_decides_what_is_dropped():
    def draw() -> list[float]:
        return F.dropout(np.ones(50)).tolist()

    manual_seed(3)
    first, second = draw(), draw()
    manual_seed(3)
    assert [draw(), draw()] == [first, second]
    assert first != second
    state = default_generator().bit_generator.state
    third = draw()
    default_generator().bit_generator.state = state
    assert draw() == third


def test_evaluation_passes_the_tensor_itself():
    x = Tensor(np.ones(3), requires_grad=True)
    assert nn.Dropout(0.5).eval()(x) is x
    assert F.dropout(x, 0.0) is x


def test_whole_channels_are_dropped():
    manual_seed(0)
    for function, shape in ((F.dropout1d, (8, 16, 5)), (F.dropout2d, (8, 16, 3, 2)), (F.dropout3d, (8, 16, 2, 2, 2))):
        kept = (function(np.ones(shape)) != 0).reshape(8, 16, -1)
        assert (kept.all(axis=2) | ~kept.any(axis=2)).all()
        assert 0 < kept[:, :, 0].mean() < 1
        assert function(np.ones(shape[1:])).shape == shape[1:]


def test_alpha_dropout_keeps_mean_and_variance():
    manual_seed(0)
    out = F.alpha_dropout(np.random.default_rng(0).normal(size=200_000), 0.3)
    assert abs(out.mean()) < 0.02
    assert abs(out.std() - 1) < 0.02


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dropout_keeps_the_dtype(dtype):
    for function in (F.dropout, F.alpha_dropout):
        assert function(np.ones((4, 4), dtype)).dtype == dtype


def test_everything_may_be_dropped():
    assert F.dropout(np.full(3, np.inf), 1.0).tolist() == [0, 0, 0]
    assert F.dropout(np.zeros((0, 2))).shape == (0, 2)


# ---------------------------------------------------------------------- embeddings


def test_gradients_of_rows_looked_up_twice_add_up():
    layer = nn.Embedding(5, 2)
    layer(np.array([[1, 3], [1, 1]])).sum().backward()
    assert layer.weight.grad.tolist() == [[0, 0], [3, 3], [0, 0], [1, 1], [0, 0]]
    assert layer.weight.dtype == np.float32


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_many_rows_add_up_as_few_do(dtype):
    rng = np.random.default_rng(0)
    index, g = rng.integers(0, 9, 700), rng.integers(-4, 5, (700, 16)).astype(dtype)
    weight = Tensor(np.zeros((9, 16), dtype), requires_grad=True)
    F.embedding(index, weight).backward(g)
    expected = np.stack([g[index == i].sum(axis=0) for i in range(9)])
    assert weight.grad.dtype == dtype
    assert np.array_equal(weight.grad.numpy(), expected)


def test_the_padding_row_starts_at_zero_and_gets_no_gradient():
    layer = nn.Embedding(4, 3, padding_idx=-1)
    assert layer.padding_idx == 3
    assert layer.weight.numpy()[3].tolist() == [0, 0, 0]
    layer(np.array([3, 0, 3])).sum().backward()
    assert layer.weight.grad.numpy()[3].tolist() == [0, 0, 0]
    assert layer.weight.grad.numpy()[0].tolist() == [1, 1, 1]


def test_frequent_rows_can_share_their_gradient():
    weight = Tensor(np.ones((3, 1)), requires_grad=True)
    F.embedding(np.array([0, 0, 0, 2]), weight, scale_grad_by_freq=True).sum().backward()
    np.testing.assert_allclose(weight.grad, [[1.0], [0.0], [1.0]], rtol=1e-15)


def test_pretrained_tables():
    table = np.arange(6.0).reshape(3, 2)
    frozen = nn.Embedding.from_pretrained(table)
    assert not frozen.weight.requires_grad
    assert frozen(np.array(2)).tolist() == [4, 5]
    assert nn.Embedding.from_pretrained(table, freeze=False).weight.requires_grad


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags_reduce_their_rows_and_empty_ones_are_zero(mode):
    table = np.random.default_rng(0).normal(size=(6, 3))
    flat, starts = np.array([1, 2, 5, 0, 0]), np.array([0, 2, 2, 4])
    out = F.embedding_bag(flat, table, starts, mode=mode)
    for i, bag in enumerate(([1, 2], [], [5, 0], [0])):
        expected = getattr(np, mode)(table[bag], axis=0) if bag else np.zeros(3)
        np.testing.assert_allclose(out[i], expected, rtol=1e-14)
    padded = F.embedding_bag(flat, table, starts, mode=mode, padding_idx=0)
    np.testing.assert_allclose(padded[2], table[5], rtol=1e-14)
    assert padded[3].tolist() == [0, 0, 0]


# ---------------------------------------------------------------------- reshaping and distances


def test_flatten_and_unflatten_undo_each_other():
    x = np.arange(24.0).reshape(2, 3, 4)
    assert nn.Flatten()(x).shape == (2, 12)
    assert np.array_equal(nn.Unflatten(1, (3, 4))(nn.Flatten()(x)), x)
    assert nn.Unflatten(1, (-1, 4))(np.zeros((0, 12))).shape == (0, 3, 4)
    assert nn.Flatten(0)(np.array(1.0)).shape == (1,)


def test_similar_and_distant_vectors():
    a, b = np.array([[3.0, 4.0]]), np.array([[-4.0, 3.0]])
    assert F.cosine_similarity(a, a).item() == pytest.approx(1, rel=1e-15)
    assert F.cosine_similarity(a, b).item() == pytest.approx(0, abs=1e-15)
    assert F.pairwise_distance(a, b, eps=0.0).item() == pytest.approx(np.sqrt(50), rel=1e-15)
    x = Tensor(np.zeros((1, 2)), requires_grad=True)
    F.cosine_similarity(x, a).sum().backward()
    assert np.isfinite(x.grad.numpy()).all()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.Dropout(1.5), ValueError, "between 0 and 1; got 1.5"),
        (lambda: F.dropout(np.ones(2), -0.1), ValueError, "got -0.1"),
        (lambda: F.dropout(np.ones(2, int)), TypeError, "int64"),
        (lambda: F.dropout2d(np.ones((2, 3))), ValueError, r"3 or 4 axes; got shape \(2, 3\)"),
        (lambda: nn.Embedding(3, 2)(np.array([0, 3])), IndexError, "index 3 in a table of 3 rows"),
        (lambda: nn.Embedding(3, 2)(np.array([-1])), IndexError, "index -1"),
        (lambda: nn.Embedding(3, 2)(np.array([0.0])), TypeError, "float64"),
        (lambda: nn.Embedding(3, 2, padding_idx=3), IndexError, "padding_idx 3"),
        (lambda: nn.Embedding(3, 2, _weight=np.ones((2, 2))), ValueError, r"\(3, 2\) rows; got \(2, 2\)"),
        (lambda: nn.EmbeddingBag(3, 2)(np.array([0, 1])), ValueError, "with offsets"),
        (lambda: nn.EmbeddingBag(3, 2)(np.array([[0, 1]]), np.array([0])), ValueError, "rows of this one are the bags"),
        (lambda: nn.EmbeddingBag(3, 2)(np.array([0, 1]), np.array([1])), ValueError, "offsets start at 0"),
        (lambda: nn.EmbeddingBag(3, 2, mode="min")(np.array([[0]])), ValueError, "'min'"),
        (
            lambda: nn.EmbeddingBag(3, 2)(np.array([[0]]), per_sample_weights=np.ones((1, 1))),
            ValueError,
            "go with mode 'sum'",
        ),
        (lambda: nn.Flatten(2)(np.ones((2, 2))), ValueError, r"Flatten\(2, -1\) of an input of shape \(2, 2\)"),
        (lambda: nn.Unflatten(1, (2, 2))(np.ones((2, 5))), ValueError, r"length 5 cannot become \(2, 2\)"),
        (lambda: F.pairwise_distance(np.ones(2), np.ones(2), p=0), ValueError, "p above 0"),
    ],
)
def test_bad_input_is_explained(call, error, message):
    with pytest.raises(error, match=message):
        call()


# ---------------------------------------------------------------------- two inputs


def test_bilinear_form(rng):
    layer = nn.Bilinear(3, 2, 4).double()
    a, b = rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
    expected = np.einsum("ni,oij,nj->no", a, layer.weight.numpy(), b) + layer.bias.numpy()
    np.testing.assert_allclose(layer(a, b).numpy(), expected, rtol=1e-12)
    assert gradcheck(lambda a, b, w: F.bilinear(a, b, w), (a[:2], b[:2], layer.weight.numpy()))


def test_bilinear_refuses_what_does_not_fit():
    layer = nn.Bilinear(3, 2, 4)
    with pytest.raises(ValueError, match=r"takes inputs \(…, 3\) and \(…, 2\)"):
        layer(np.ones((5, 3)), np.ones((4, 2)))
    with pytest.raises(ValueError, match=r"weights \(n_out, n_1, n_2\)"):
        F.bilinear(np.ones(3), np.ones(2), np.ones((3, 2)))


# ---------------------------------------------------------------------- uncertainty


def test_monte_carlo_dropout_estimates_mean_and_deviation():
    manual_seed(0)
    weight = np.array([1.0, -2.0, 0.5], np.float32)
    model = nn.Sequential(nn.Dropout(0.3), nn.Linear(3, 1, bias=False), nn.BatchNorm1d(1))
    model[1].weight.data[...] = weight
    model[2].eval()
    x = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]], np.float32)
    mean, std = nn.monte_carlo_dropout(model, x, 4000)
    exact = np.sqrt(0.3 / 0.7 * np.sum((weight * x) ** 2, axis=1, keepdims=True))
    np.testing.assert_allclose(mean, x @ weight[:, None], atol=0.1)
    np.testing.assert_allclose(std, exact, atol=0.1)
    assert mean.dtype == std.dtype == np.float32
    assert [m.training for m in model] == [True, True, False]
    with pytest.raises(ValueError, match="of a model with dropout"):
        nn.monte_carlo_dropout(nn.Linear(3, 1), x)


@pytest.mark.parametrize("p", [2.0, 3.0, 4.0, np.inf])
def test_norms_of_half_precision_do_not_overflow(p, rng):
    x, y = (100 * rng.normal(size=(4, 6)).astype(np.float16) for _ in range(2))
    for f in (lambda x, y: F.normalize(x, p), lambda x, y: F.pairwise_distance(x, y, p)):
        found = f(x, y)
        assert found.dtype == np.float16
        np.testing.assert_allclose(found, f(x.astype(float), y.astype(float)), rtol=2e-3)
