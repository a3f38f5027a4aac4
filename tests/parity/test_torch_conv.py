"""Convolutions, padding and folding beside PyTorch's: modules, functions, second derivatives and text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd import Tensor
from nn import conv, convolution, folding, padding
from tests.parity.modules import TOLERANCES, compare_modules

torch = pytest.importorskip("torch")

dtypes = pytest.mark.parametrize("dtype", list(TOLERANCES), ids=lambda dtype: dtype.__name__)
axes = pytest.mark.parametrize("ndim", [1, 2, 3])


def same_module(ours: Any, theirs: Any, name: str, arguments: Any, inputs: Any, **options: Any) -> None:
    """Equal text, state, outputs and gradients of the modules called ``name``, made with the same arguments."""
    positional, keywords = arguments
    mine, other = getattr(ours, name)(*positional, **keywords), getattr(theirs, name)(*positional, **keywords)
    assert repr(mine) == repr(other)
    compare_modules(mine, other, inputs, **options)


def normal(draw: Any, shape: Any) -> np.ndarray:
    return np.random.default_rng(draw(st.integers(0, 2**32 - 1))).normal(size=shape)


@st.composite
def convolutions(draw: Any, ndim: int) -> tuple[Any, list[np.ndarray]]:
    """Constructor arguments of a convolution and an input for it."""
    each = lambda low, high: draw(st.integers(low, high) | st.tuples(*[st.integers(low, high)] * ndim))
    spread = lambda value: value if isinstance(value, tuple) else (value,) * ndim
    groups, kernel, dilation = draw(st.integers(1, 3)), each(1, 3), each(1, 2)
    same = draw(st.integers(0, 4)) == 0
    stride = 1 if same else each(1, 3)
    around = "same" if same else draw(st.just("valid")) if draw(st.integers(0, 4)) == 0 else each(0, 2)
    mode = draw(st.sampled_from(["zeros", "reflect", "replicate", "circular"]))
    c_in, c_out = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    spans = [d * (k - 1) + 1 for k, d in zip(spread(kernel), spread(dilation), strict=True)]
    sides = [max(span, 4) + draw(st.integers(0, 2)) for span in spans]
    batch = draw(st.sampled_from([(), (1,), (3,)]))
    keywords = {
        "stride": stride, "padding": around, "dilation": dilation, "groups": groups, "bias": draw(st.booleans()),
        "padding_mode": mode,
    }  # fmt: skip
    return ((c_in, c_out, kernel), keywords), [normal(draw, (*batch, c_in, *sides))]


@st.composite
def transposed(draw: Any, ndim: int) -> tuple[Any, list[np.ndarray], Any]:
    """Constructor arguments of a transposed convolution, an input for it, and an output size or None."""
    groups, kernel, stride, dilation = (draw(st.integers(1, 3)) for _ in range(4))
    around = draw(st.integers(0, dilation * (kernel - 1) // 2))
    extra = draw(st.integers(0, max(stride, dilation) - 1))
    c_in, c_out = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    sides = [draw(st.integers(2, 4)) for _ in range(ndim)]
    batch = draw(st.sampled_from([(), (1,), (3,)]))
    keywords = {"padding": around, "output_padding": extra, "groups": groups, "dilation": dilation}
    least = [(n - 1) * stride - 2 * around + dilation * (kernel - 1) + 1 for n in sides]
    size = draw(st.sampled_from([None, [n + draw(st.integers(0, stride - 1)) for n in least]]))
    positional = (c_in, c_out, (kernel,) * ndim, stride)
    return (positional, {**keywords, "bias": draw(st.booleans())}), [normal(draw, (*batch, c_in, *sides))], size


@pytest.mark.filterwarnings("ignore:Using padding='same'")  # with kernels of even sides, PyTorch's copies
@dtypes
@axes
@given(data=st.data())
def test_convolutions(ndim: int, dtype: Any, data: Any) -> None:
    arguments, inputs = data.draw(convolutions(ndim))
    same_module(conv, torch.nn, f"Conv{ndim}d", arguments, inputs, dtype=dtype)


@dtypes
@axes
@given(data=st.data())
def test_transposed_convolutions(ndim: int, dtype: Any, data: Any) -> None:
    arguments, inputs, size = data.draw(transposed(ndim))
    keywords = {} if size is None else {"output_size": size}
    same_module(conv, torch.nn, f"ConvTranspose{ndim}d", arguments, inputs, dtype=dtype, keywords=keywords)


@axes
@pytest.mark.parametrize("name", ["conv", "conv_transpose"])
def test_second_derivatives(name: str, ndim: int, rng: Any) -> None:
    x, w, b = rng.normal(size=(2, 4, *(4,) * ndim)), rng.normal(size=(4, 2, *(2,) * ndim)), rng.normal(size=4)
    options = {"stride": 2, "padding": 1, "dilation": 1, "groups": 2}
    results = []
    for leaf, function, derivative in (
        (lambda a: Tensor(a, requires_grad=True), getattr(convolution, f"{name}{ndim}d"), grad_of_tensors),
        (lambda a: torch.tensor(a, requires_grad=True), getattr(torch.nn.functional, f"{name}{ndim}d"), grad_of_torch),
    ):
        leaves = [leaf(a) for a in (x, w, b)]
        loss = (function(*leaves, **options) ** 3).sum()
        first = derivative(loss, leaves)
        results.append([np.asarray(g.detach()) for g in derivative(sum((g**2).sum() for g in first), leaves)])
    for mine, other in zip(*results, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-9)


def grad_of_tensors(loss: Any, leaves: Any) -> Any:
    for leaf in leaves:
        leaf.grad = None
    loss.backward(create_graph=True)
    return [leaf.grad for leaf in leaves]


def grad_of_torch(loss: Any, leaves: Any) -> Any:
    return torch.autograd.grad(loss, leaves, create_graph=True)


# ---------------------------------------------------------------------- padding

MODES = {"Reflection": "reflect", "Replication": "replicate", "Circular": "circular", "Zero": "constant"}


@st.composite
def borders(draw: Any, kind: str, ndim: int) -> tuple[Any, list[np.ndarray]]:
    sides = [draw(st.integers(2, 4)) for _ in range(ndim)]
    most = {"Reflection": lambda n: n - 1, "Circular": lambda n: n}.get(kind, lambda n: 3)
    least = 0 if kind == "Circular" else -1
    widths = [draw(st.integers(least, most(n))) for n in reversed(sides) for _ in range(2)]
    widths = [w if n > 2 else max(w, 0) for w, n in zip(widths, np.repeat(sides[::-1], 2), strict=True)]
    lead = draw(st.sampled_from([(2,), (2, 3)]))
    argument = draw(st.sampled_from([1, tuple(widths)]))
    return argument, [normal(draw, (*lead, *sides))]


@axes
@pytest.mark.parametrize("kind", [*MODES, "Constant"])
@given(data=st.data())
def test_padding_modules(kind: str, ndim: int, data: Any) -> None:
    argument, inputs = data.draw(borders(kind, ndim))
    positional = (argument, 1.5) if kind == "Constant" else (argument,)
    same_module(padding, torch.nn, f"{kind}Pad{ndim}d", (positional, {}), inputs)


@pytest.mark.parametrize(
    ("shape", "widths", "mode", "value"),
    [
        ((3,), (1, 2), "constant", None), ((2, 3), (1, 0, 0, 2), "constant", 2.5), ((2, 3), (-1, 2), "constant", 1),
        ((2, 3), (-1, -2), "constant", 1), ((1, 1, 5), (2, -2), "reflect", None),
        ((1, 1, 5), (-1, 2), "circular", None), ((1, 1, 5), (2, -2), "circular", None),
        ((1, 5), (-2, 4), "replicate", None), ((2, 3), (), "constant", None),
    ],
)  # fmt: skip
def test_pad(shape: Any, widths: Any, mode: str, value: Any, rng: Any) -> None:
    x = rng.normal(size=shape)
    expected = torch.nn.functional.pad(torch.tensor(x), widths, mode, value)
    np.testing.assert_array_equal(padding.pad(x, widths, mode, value), expected.numpy())


# ---------------------------------------------------------------------- folding


@dtypes
@given(data=st.data())
def test_folding(dtype: Any, data: Any) -> None:
    pair = lambda low, high: data.draw(st.integers(low, high) | st.tuples(*[st.integers(low, high)] * 2))
    options = {"dilation": pair(1, 2), "padding": pair(0, 1), "stride": pair(1, 3)}
    kernel, lead = pair(1, 3), data.draw(st.sampled_from([(2,), (3, 2)]))
    sides = tuple(data.draw(st.integers(5, 7)) for _ in range(2))
    x = normal(data.draw, (*lead, *sides))
    same_module(folding, torch.nn, "Unfold", ((kernel,), options), [x], dtype=dtype)
    columns = normal(data.draw, np.shape(folding.unfold(x, kernel, **options)))
    same_module(folding, torch.nn, "Fold", ((sides, kernel), options), [columns], dtype=dtype)
