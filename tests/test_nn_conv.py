"""Convolutions, padding and folding: closed forms in plain loops, shapes at the edges, errors and limits."""

from __future__ import annotations

import tracemalloc
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd import Tensor, manual_seed
from autograd.dispatch import bare
from nn import _windows, conv, convolution, folding, padding


def close(x: Any, y: Any, scale: float = 1.0) -> None:
    np.testing.assert_allclose(bare(x), bare(y), rtol=1e-12, atol=1e-12 * scale)


def leaves(*arrays: np.ndarray) -> list[Tensor]:
    return [Tensor(a, requires_grad=True) for a in arrays]


# ---------------------------------------------------------------------- closed forms in plain loops


def naive(x: np.ndarray, w: np.ndarray, stride: int, around: int, dilation: int) -> np.ndarray:
    """``y[n, o, i, j] = Σ w[o, c, k, l] x[n, c, i·S + k·D − P, j·S + l·D − P]``, entry by entry."""
    n, _, height, width = x.shape
    count = lambda side, k: (side - dilation * (k - 1) - 1 + 2 * around) // stride + 1
    y = np.zeros((n, len(w), count(height, w.shape[2]), count(width, w.shape[3])))
    for i, j, k, m in product(*map(range, (*y.shape[2:], *w.shape[2:]))):
        row, column = i * stride + k * dilation - around, j * stride + m * dilation - around
        if 0 <= row < height and 0 <= column < width:
            for s, o, c in product(*map(range, (n, *w.shape[:2]))):
                y[s, o, i, j] += w[o, c, k, m] * x[s, c, row, column]
    return y


@given(st.integers(1, 3), st.integers(0, 2), st.integers(1, 2), st.integers(0, 2**32 - 1))
def test_convolution_is_the_sum_over_taps(stride: int, around: int, dilation: int, seed: int):
    rng = np.random.default_rng(seed)
    x, w = rng.normal(size=(2, 2, 5, 6)), rng.normal(size=(3, 2, 2, 3))
    close(convolution.conv2d(x, w, None, stride, around, dilation), naive(x, w, stride, around, dilation))


def test_gradient_to_the_input_is_the_full_correlation_with_the_turned_kernel(rng):
    x, w = leaves(rng.normal(size=(2, 3, 6, 5)), rng.normal(size=(4, 3, 3, 2)))
    g = rng.normal(size=(2, 4, 4, 4))
    convolution.conv2d(x, w).backward(g)
    turned = w.numpy()[:, :, ::-1, ::-1].swapaxes(0, 1)
    full = np.zeros((2, 4, 4 + 2 * 2, 4 + 2 * 1))
    full[:, :, 2:-2, 1:-1] = g
    close(x.grad, naive(full, turned, 1, 0, 1))


def test_gradient_to_the_kernel_is_the_correlation_of_input_and_cotangent(rng):
    x, w = leaves(rng.normal(size=(2, 3, 6, 5)), rng.normal(size=(4, 3, 3, 2)))
    g = rng.normal(size=(2, 4, 4, 4))
    convolution.conv2d(x, w).backward(g)
    close(w.grad, naive(x.numpy().swapaxes(0, 1), g.swapaxes(0, 1), 1, 0, 1).swapaxes(0, 1))


def test_gradient_to_the_bias_is_the_sum_over_samples_and_places(rng):
    x, w, b = leaves(rng.normal(size=(2, 3, 6, 5)), rng.normal(size=(4, 3, 3, 2)), rng.normal(size=4))
    g = rng.normal(size=(2, 4, 4, 4))
    y = convolution.conv2d(x, w, b)
    close(y, convolution.conv2d(x, w) + b.numpy()[:, None, None])
    y.backward(g)
    close(b.grad, g.sum((0, 2, 3)))


def test_transposed_convolution_spreads_the_kernel(rng):
    y, w = rng.normal(size=(1, 2, 3)), rng.normal(size=(2, 4, 3))
    expected = np.zeros((1, 4, 2 * 2 + 3 + 1))
    for m, i, o, k in product(range(3), range(2), range(4), range(3)):
        expected[0, o, 2 * m + k] += y[0, i, m] * w[i, o, k]
    close(convolution.conv_transpose1d(y, w, None, 2, 0, 1), expected)


def test_groups_do_not_see_each_other(rng):
    x, w = rng.normal(size=(2, 4, 5)), rng.normal(size=(6, 2, 2))
    apart = [convolution.conv1d(x[:, 2 * i : 2 * i + 2], w[3 * i : 3 * i + 3]) for i in range(2)]
    close(convolution.conv1d(x, w, groups=2), np.concatenate(apart, 1))


def test_a_pointwise_convolution_is_a_matrix_product(rng):
    x, w = rng.normal(size=(2, 3, 4, 5)), rng.normal(size=(6, 3, 1, 1))
    close(convolution.conv2d(x, w), np.einsum("oc,nchw->nohw", w[:, :, 0, 0], x))


def test_complex_numbers(rng):
    draw = lambda shape: rng.normal(size=shape) + 1j * rng.normal(size=shape)
    x, w = leaves(draw((1, 2, 5)), draw((3, 2, 2)))
    g = draw((1, 3, 4))
    y = convolution.conv1d(x, w)
    windows = np.stack([x.numpy()[:, :, :4], x.numpy()[:, :, 1:]], -1)
    close(y, np.einsum("ock,ncmk->nom", w.numpy(), windows))
    y.backward(g)
    close(w.grad, np.einsum("nom,ncmk->ock", g, windows.conj()))


# ---------------------------------------------------------------------- columns by parts


@pytest.mark.parametrize("limit", [1, 200, 2000])
@pytest.mark.parametrize(("stride", "waste"), [(1, 0.0), (1, 9.0), (2, 9.0)])
def test_columns_by_parts_give_the_same(limit: int, stride: int, waste: float, rng, monkeypatch):
    x, w = rng.normal(size=(3, 4, 7, 6)), rng.normal(size=(6, 2, 3, 2))
    options = (stride, stride), ((1, 1 - (7 + 2 - 3) % stride), (2, 2 - (6 + 4 - 2) % stride)), (1, 1), 2
    g = _windows.convolve(x, w, *options)
    whole = g, _windows.convolve_transpose(g, w, *options), _windows.convolve_weight(x, g, *options)
    for name, value in (("COLUMN_BYTES", limit), ("WASTE", waste), ("SMALL", 100), ("STRIP", 1)):
        monkeypatch.setattr(_windows, name, value)
    _windows.windows.cache_clear()
    try:
        close(_windows.convolve(x, w, *options), whole[0])
        close(_windows.convolve_transpose(g, w, *options), whole[1], 100)
        close(_windows.convolve_weight(x, g, *options), whole[2], 100)
    finally:
        _windows.windows.cache_clear()


def test_memory_is_not_that_of_all_columns():
    x, w = (np.ones(shape, np.float32) for shape in ((4, 16, 64, 64), (16, 16, 5, 5)))
    x, w = leaves(x, w)
    tracemalloc.start()
    try:
        convolution.conv2d(x, w, padding=2).backward(np.ones(x.shape, np.float32))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 * 2**20 < x.size * 25 * 4


# ---------------------------------------------------------------------- dtypes, samples, sizes


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtypes_are_kept(dtype: Any, rng):
    x, w, b = leaves(*(rng.normal(size=shape).astype(dtype) for shape in ((2, 3, 5), (4, 3, 2), (4,))))
    y = convolution.conv1d(x, w, b, stride=2)
    y.sum().backward()
    assert {a.dtype for a in (y, x.grad, w.grad, b.grad)} == {np.dtype(dtype)}
    z = convolution.conv_transpose1d(y.detach(), w, None, stride=2)
    assert z.dtype == dtype
    assert type(convolution.conv1d(x.numpy(), w.numpy())) is np.ndarray


def test_float16_is_summed_in_float32():
    x = np.ones((1, 4096, 1), np.float16)
    w = np.ones((1, 4096, 1), np.float16)
    w[0, 0] = 1e-3
    assert convolution.conv1d(x, w) == np.float16(4095)
    assert convolution.conv1d(np.full((1, 4096, 1), 0.1, np.float16), w) == np.float16(np.float16(0.1) * 4095.0)


def test_an_empty_batch_and_one_sample(rng):
    layer = conv.Conv2d(3, 4, 3, dtype=np.float64)
    x = rng.normal(size=(3, 6, 5))
    close(layer(x), layer(x[None])[0])
    y = layer(np.zeros((0, 3, 6, 5)))
    assert y.shape == (0, 4, 4, 3)
    y.sum().backward()
    assert not np.any(layer.weight.grad)
    back = conv.ConvTranspose2d(4, 3, 3, dtype=np.float64)
    assert back(np.zeros((0, 4, 4, 3))).shape == (0, 3, 6, 5)
    close(back(y0 := rng.normal(size=(4, 4, 3))), back(y0[None])[0])


def test_same_padding_puts_the_odd_one_after(rng):
    x, w = rng.normal(size=(1, 1, 4)), rng.normal(size=(1, 1, 2))
    close(convolution.conv1d(x, w, padding="same"), convolution.conv1d(np.pad(x, ((0, 0), (0, 0), (0, 1))), w))


def test_output_size_chooses_among_the_sizes_with_the_same_convolution(rng):
    layer = conv.ConvTranspose2d(2, 3, 3, stride=2, padding=1)
    for size in ([7, 8], (2, 3, 8, 7)):
        assert layer(rng.normal(size=(2, 2, 4, 4)), output_size=size).shape == (2, 3, *size[-2:])
    with pytest.raises(ValueError, match=r"output_size lies between \(7, 7\) and \(8, 8\).*got \(9, 8\)"):
        layer(rng.normal(size=(2, 2, 4, 4)), output_size=[9, 8])
    with pytest.raises(ValueError, match="2 or 4 entries"):
        layer(rng.normal(size=(2, 2, 4, 4)), output_size=[9, 8, 7])


def test_starting_values():
    manual_seed(3)
    for layer, fan in ((conv.Conv2d(6, 40, 3, groups=2), 27), (conv.ConvTranspose2d(40, 6, 3, groups=2), 27)):
        for parameter in layer.parameters():
            assert parameter.dtype == np.float32
            largest = np.abs(parameter.numpy()).max()
            assert largest <= fan**-0.5
        assert np.abs(layer.weight.numpy()).max() > 0.98 * fan**-0.5
    assert conv.Conv1d(1, 1, 1, bias=False).bias is None


# ---------------------------------------------------------------------- errors

IMAGE = np.ones((2, 4, 5, 5))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: convolution.conv2d(IMAGE, np.ones((1, 4, 7, 1)), stride=2),
            r"spans 7 and the padded input has 5: .*⌊\(5 \+ 0 − 1·\(7 − 1\) − 1\)/2⌋ \+ 1",
        ),
        (lambda: convolution.conv2d(IMAGE, np.ones((1, 4, 3))), r"weights with two axes of channels and 2 of taps"),
        (lambda: convolution.conv2d(IMAGE, np.ones((1, 4, 0, 1))), r"weights with two axes of channels and 2 of taps"),
        (lambda: convolution.conv1d(IMAGE, np.ones((1, 4, 3))), r"inputs with 3 axes.*\(2, 4, 5, 5\)"),
        (lambda: convolution.conv2d(IMAGE, np.ones((1, 3, 3, 3))), "takes inputs of 3 channels; got 4"),
        (lambda: convolution.conv2d(IMAGE, np.ones((3, 2, 3, 3)), groups=2), "2 groups do not divide the 3 channels"),
        (lambda: convolution.conv2d(IMAGE, np.ones((3, 4, 3, 3)), groups=0), "0 groups do not divide"),
        (lambda: convolution.conv2d(IMAGE, np.ones((3, 4, 3, 3)), np.ones(4)), r"biases of shape \(3,\); got \(4,\)"),
        (lambda: convolution.conv2d(IMAGE, np.ones((3, 4, 3, 3)), stride=0), "stride is at least 1; got 0"),
        (lambda: convolution.conv2d(IMAGE, np.ones((3, 4, 3, 3)), stride=(1, 1, 1)), "stride is one integer or 2"),
        (lambda: convolution.conv2d(IMAGE, np.ones((3, 4, 3, 3)), padding=-1), "padding is at least 0; got -1"),
        (
            lambda: convolution.conv2d(IMAGE, np.ones((3, 4, 3, 3)), padding="some"),
            "padding is 'valid', 'same' or integers",
        ),
        (lambda: convolution.conv2d(IMAGE, np.ones((3, 4, 3, 3)), 2 * [1], padding="same"), r"biases of shape \(3,\)"),
        (lambda: convolution.conv2d(IMAGE, np.ones((3, 4, 3, 3)), None, 2, "same"), "padding='same' takes stride 1"),
        (lambda: convolution.conv_transpose2d(IMAGE, np.ones((3, 4, 3, 3))), "takes inputs of 3 channels; got 4"),
        (
            lambda: convolution.conv_transpose2d(IMAGE, np.ones((4, 3, 3, 3)), None, 2, 0, 2),
            r"output_padding is less than the stride or the dilation; got \(2, 2\) with stride \(2, 2\)",
        ),
        (lambda: convolution.conv_transpose2d(IMAGE, np.ones((4, 3, 1, 1)), None, 1, 3), "leaves no output"),
        (lambda: conv.Conv2d(3, 4, 3, groups=2), "2 groups do not divide 3 and 4 channels"),
        (lambda: conv.Conv2d(3, 4, 0), "kernel_size is at least 1; got 0"),
        (lambda: conv.Conv2d(3, 4, 3, padding_mode="mirror"), "padding_mode is .*; got 'mirror'"),
        (lambda: conv.ConvTranspose2d(3, 4, 3, padding_mode="reflect"), "takes padding_mode 'zeros'"),
        (lambda: padding.pad(IMAGE, (1, 2, 3)), "two widths for each of at most 4 axes"),
        (lambda: padding.pad(IMAGE, (1,) * 10), "two widths for each of at most 4 axes"),
        (lambda: padding.pad(IMAGE, (-3, -3)), "nothing of the input would be left"),
        (lambda: padding.pad(IMAGE, (1, 1), "mirror"), "pad.. has the modes"),
        (lambda: padding.pad(IMAGE[0], (1, 1), "reflect", 2), "takes no value; got 2"),
        (lambda: padding.pad(IMAGE, (1, 1), "reflect"), "pads the last 1 to 3 axes"),
        (lambda: padding.pad(IMAGE, (5, 0, 0, 0), "reflect"), r"side of 5 takes widths up to 4; got \(5, 0\)"),
        (lambda: padding.pad(IMAGE, (0, 0, 0, 6), "circular"), r"side of 5 takes widths up to 5; got \(0, 6\)"),
        (lambda: padding.ZeroPad2d((1, 2)), "takes an integer or 4 of them"),
        (lambda: folding.unfold(IMAGE, 7), r"gives \(-1, -1\) windows"),
        (lambda: folding.unfold(IMAGE[0, 0], 2), r"takes images"),
        (lambda: folding.fold(np.ones((1, 8, 15)), 5, 2), r"4 · 4 = 16 windows; got shape \(1, 8, 15\)"),
        (lambda: folding.fold(np.ones((1, 7, 16)), 5, 2), "multiple of 4 entries"),
        (lambda: folding.fold(IMAGE, 5, 2), "takes columns"),
    ],
)
def test_errors_say_what_was_got(call: Any, message: str):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: convolution.conv2d(IMAGE > 0, np.ones((1, 4, 3, 3))), "takes inputs that are numbers; got bool"),
        (
            lambda: convolution.conv2d(IMAGE, np.ones((1, 4, 3, 3)), stride=1.5),
            "stride is an integer or 2 of them; got 1.5",
        ),
    ],
)
def test_wrong_types(call: Any, message: str):
    with pytest.raises(TypeError, match=message):
        call()


# ---------------------------------------------------------------------- padding and folding


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("constant", [7, 7, 1, 2, 3, 7]), ("reflect", [3, 2, 1, 2, 3, 2]), ("replicate", [1, 1, 1, 2, 3, 3]),
        ("circular", [2, 3, 1, 2, 3, 1]),
    ],
)  # fmt: skip
def test_what_lies_on_the_border(mode: str, expected: list[int]):
    value = 7 if mode == "constant" else None
    x = Tensor(np.array([[1.0, 2.0, 3.0]]), requires_grad=True)
    y = padding.pad(x, (2, 1), mode, value)
    close(y, [expected])
    y.sum().backward()
    close(x.grad, [[expected.count(i) for i in (1, 2, 3)]])


def test_widths_go_from_the_last_axis_on():
    assert padding.pad(np.ones((2, 3, 4)), (1, 0, 0, 2)).shape == (2, 5, 5)


def test_a_convolution_is_a_product_with_unfolded_columns(rng):
    x, w = rng.normal(size=(2, 3, 5, 6)), rng.normal(size=(4, 3, 2, 3))
    columns = folding.unfold(x, (2, 3), padding=1, stride=2)
    close((w.reshape(4, -1) @ columns).reshape(2, 4, 3, 3), convolution.conv2d(x, w, None, 2, 1))


def test_folding_counts_every_window(rng):
    x = rng.normal(size=(2, 3, 5, 6))
    count = folding.fold(folding.unfold(np.ones_like(x), 2), (5, 6), 2)
    close(folding.fold(folding.unfold(x, 2), (5, 6), 2), count * x)
    assert count[0, 0, 0, 0] == 1
    assert count[0, 0, 2, 2] == 4
