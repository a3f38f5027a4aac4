"""NumPy's own functions on tensors: recorded, or refused by name."""

from __future__ import annotations

import numpy as np
import pytest

import autograd.numpy as anp
from autograd import Tensor


@pytest.fixture
def x() -> Tensor:
    return Tensor(np.array([[1.0, -2.0], [3.0, 0.5]]), requires_grad=True)


def test_numpy_functions_record(x):
    for y in (
        np.sin(x), np.add(x, 1), np.sum(x, axis=0), np.concatenate([x, x]), np.where(x > 0, x, 0), np.matmul(x, x),
        np.reshape(x, (4,)), np.stack([x, 2 * x]), np.einsum("ij,kj->ik", x, x), np.maximum(x, 0), np.mean(x),
        np.ones((2, 2)) @ x, np.ones((2, 2)) * x, np.dot(x, np.ones(2)), np.transpose(x), np.clip(x, 0, 1),
    ):  # fmt: skip
        assert isinstance(y, Tensor)
        assert y.requires_grad


def test_unsupported_functions_are_named_and_lose_nothing(x):
    for call, name in (
        (lambda: np.fft.fft(x), "np.fft.fft"),
        (lambda: np.linalg.svd(x), "np.linalg.svd"),
        (lambda: np.convolve(x[0], x[1]), "np.convolve"),
        (lambda: np.frexp(x), "np.frexp"),
        (lambda: np.add.accumulate(x), "np.add.accumulate"),
        (lambda: np.add.reduceat(x, [0]), "np.add.reduceat"),
    ):
        with pytest.raises(TypeError, match=name.replace(".", r"\.") + " is not differentiable here"):
            call()


def test_what_has_no_derivative_is_plain(x):
    assert type(np.isnan(x)) is np.ndarray
    assert type(np.greater(x, 0)) is np.ndarray
    assert np.argmax(x) == 2
    assert np.allclose(x, x.numpy())
    assert np.shape(x) == (2, 2)
    assert np.ndim(x) == 2
    assert np.size(x) == 4
    assert isinstance(np.sign(x), Tensor)


def test_ufunc_options(x):
    assert np.add.reduce(x).shape == (2,)
    assert np.add.reduce(x, axis=None).item() == 2.5
    assert np.multiply.reduce(x, axis=1).tolist() == [-2, 1.5]
    assert np.maximum.reduce(x, axis=1).tolist() == [1, 3]
    outer = np.multiply.outer(x, np.arange(3.0))
    assert outer.shape == (2, 2, 3)
    outer.sum().backward()
    assert x.grad.tolist() == [[3, 3], [3, 3]]
    assert np.add(x, 1, dtype=np.float32).dtype == np.float32
    with pytest.raises(TypeError, match="where="):
        np.add(x, 1, where=x > 0)


def test_out_is_written_or_refused(x):
    plain = np.zeros((2, 2))
    np.add(x.detach(), 1, out=plain)
    assert plain[0, 0] == 2
    with pytest.raises(TypeError, match="lose the graph"):
        np.add(x, 1, out=plain)
    target = Tensor(np.zeros((2, 2)))
    assert np.multiply(x, 2, out=target) is target
    assert target.requires_grad
    target.sum().backward()
    assert x.grad.tolist() == [[2, 2], [2, 2]]
    for call in (lambda: np.sum(x, out=plain), lambda: np.mean(x, out=plain), lambda: np.max(x, out=plain)):
        with pytest.raises(TypeError, match="out="):
            call()


def test_the_namespace_keeps_plain_arrays_plain(x):
    a = x.numpy()
    for name, args in (
        ("sin", (a,)),
        ("add", (a, a)),
        ("sum", (a,)),
        ("matmul", (a, a)),
        ("reshape", (a, (4,))),
        ("where", (a > 0, a, 0.0)),
        ("concatenate", ([a, a],)),
        ("einsum", ("ij->j", a)),
        ("max", (a, 0)),
        ("clip", (a, 0, 1)),
        ("stack", ([a, a],)),
    ):
        ours, theirs = getattr(anp, name)(*args), getattr(np, name)(*args)
        assert not isinstance(ours, Tensor), name
        assert np.array_equal(ours, theirs), name
        assert isinstance(
            getattr(anp, name)(*(x if arg is a else [x, x] if type(arg) is list else arg for arg in args)), Tensor
        )
    assert anp.pi == np.pi
    assert anp.float32 is np.float32
    assert anp.linspace(0, 1, 3).tolist() == [0, 0.5, 1]


def test_arrays_of_tensors_stay_connected(x):
    built = anp.array([[x[0, 0], 2.0], [x[1, 1], x[0, 1]]])
    (built * built).sum().backward()
    assert x.grad.tolist() == [[2, -4], [0, 1]]
    assert anp.array([1.0, 2.0]).tolist() == [1, 2]


def test_scipy_style_peers_defer():
    t = Tensor([1.0, 2.0], requires_grad=True)
    assert isinstance(np.float64(2) * t, Tensor)
    assert isinstance(np.ones(2) / t, Tensor)
    assert isinstance(np.ones((2, 2)) @ t, Tensor)
