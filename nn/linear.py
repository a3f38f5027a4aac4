"""The fully connected layer, the one that is linear in each of two inputs, and the layer that does nothing."""

from __future__ import annotations

from math import prod, sqrt
from typing import Any

import numpy as np

from autograd import primitive
from autograd.elementwise import conjugated
from autograd.precision import in_half
from nn import init
from nn.module import Module
from nn.parameter import Parameter, unset

__all__ = ["Bilinear", "Identity", "Linear", "bilinear", "linear"]


def _linear(input: Any, weight: Any, bias: Any = None) -> Any:
    """``Z = A Wᵀ + b`` for inputs of shape (…, n_in), weights (n_out, n_in) and biases (n_out,) or None.

    One operation, with the gradients ``Ā = Z̄ W``, ``W̄ = Z̄ᵀ A``, ``b̄ = Σ Z̄`` (Rumelhart, Hinton & Williams
    1986). Mixed dtypes promote as in NumPy. Raises ValueError for shapes that do not fit.
    """
    _check(input.shape, weight.shape, None if bias is None else bias.shape)
    out = input @ weight.T
    if bias is None:
        return out
    return np.add(out, bias, out=out) if out.ndim and out.dtype == bias.dtype else out + bias


def _check(input: tuple[int, ...], weight: tuple[int, ...], bias: tuple[int, ...] | None) -> None:
    if len(weight) != 2:
        raise ValueError(f"linear() takes weights of shape (n_out, n_in); got {weight}")
    if not input or input[-1] != weight[1]:
        raise ValueError(f"linear() with weights {weight} takes inputs of shape (…, {weight[1]}); got {input}")
    if bias is not None and bias != weight[:1]:
        raise ValueError(f"linear() with weights {weight} takes biases of shape ({weight[0]},); got {bias}")


def _rows(x: Any) -> Any:
    """``x`` with all leading axes as one."""
    return x if len(x.shape) == 2 else np.reshape(x, (prod(x.shape[:-1]), x.shape[-1]))


def _tangent(t: Any, input: Any, weight: Any, out: Any) -> Any:
    to_input, to_weight, to_bias = t
    terms = [] if to_input is None else [to_input @ weight.T]
    terms += [] if to_weight is None else [input @ to_weight.T]
    terms += [] if to_bias is None else [np.broadcast_to(to_bias, out.shape)]
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


linear = primitive(
    _linear,
    vjp={
        "input": lambda g, weight: g @ conjugated(weight),
        "weight": lambda g, input: _rows(g).T @ conjugated(_rows(input)),
        "bias": lambda g: np.add.reduce(_rows(g), axis=0),
    },
    jvp=_tangent,
    autocast="half",
    widen=True,
)


class Linear(Module):
    """``y = x Wᵀ + b``.

    Parameters
    ----------
    in_features, out_features : int
        n_in and n_out.
    bias : bool
        Whether there is a ``b``.
    dtype : optional
        Of the parameters; float32 by default.

    Raises
    ------
    ValueError
        For negative sizes.

    Notes
    -----
    Inputs (…, n_in) give outputs (…, n_out). ``weight`` has shape (n_out, n_in), ``bias`` (n_out,) or is None;
    both start from ``U(−1/√n_in, 1/√n_in)``, as in PyTorch. :mod:`nn.init` has Glorot's and He's values.
    """

    bias: Parameter | None

    def __init__(self, in_features: int, out_features: int, bias: bool = True, *, dtype: Any = None) -> None:
        super().__init__()
        if in_features < 0 or out_features < 0:
            raise ValueError(f"Linear({in_features}, {out_features}): sizes cannot be negative")
        self.in_features = in_features
        self.out_features = out_features
        self.weight = unset(out_features, in_features, dtype=dtype)
        self.register_parameter("bias", unset(out_features, dtype=dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weights and biases anew."""
        bound = 1 / sqrt(max(1, self.in_features))
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Any) -> Any:
        return linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


def bilinear(input1: Any, input2: Any, weight: Any, bias: Any = None) -> Any:
    """``y_o = x₁ᵀ W_o x₂ + b_o`` for inputs (…, n₁) and (…, n₂), weights (n_out, n₁, n₂), biases (n_out,) or None.

    Raises ValueError for shapes that do not fit.
    """
    first, second, shape = np.shape(input1), np.shape(input2), np.shape(weight)
    if len(shape) != 3 or (bias is not None and np.shape(bias) != shape[:1]):
        raise ValueError(f"bilinear() takes weights (n_out, n_1, n_2) and biases (n_out,); got {shape}")
    if not first or first[:-1] != second[:-1] or (first[-1], second[-1]) != shape[1:]:
        raise ValueError(
            f"bilinear() with weights {shape} takes inputs (…, {shape[1]}) and (…, {shape[2]}) with equal leading "
            f"axes; got {first} and {second}"
        )
    n_out, n1, n2 = shape
    input1, input2, weight, bias = in_half(input1, input2, weight, bias)
    halves = np.matmul(input1, np.reshape(np.swapaxes(weight, 0, 1), (n1, n_out * n2)))
    rows = np.reshape(halves, (*first[:-1], n_out, n2))
    out = np.reshape(np.matmul(rows, np.expand_dims(input2, -1)), (*first[:-1], n_out))
    return out if bias is None else out + bias


class Bilinear(Module):
    """:func:`bilinear` with a ``weight`` (n_out, n₁, n₂) and a ``bias`` (n_out,) or None.

    Both start from ``U(−1/√n₁, 1/√n₁)``, as in PyTorch; ``dtype`` is float32 by default. Raises ValueError for
    ``in1_features`` below 1 and negative sizes.
    """

    bias: Parameter | None

    def __init__(
        self, in1_features: int, in2_features: int, out_features: int, bias: bool = True, *, dtype: Any = None
    ) -> None:
        super().__init__()
        if in1_features < 1 or in2_features < 0 or out_features < 0:
            raise ValueError(f"Bilinear({in1_features}, {in2_features}, {out_features}): sizes cannot be negative or 0")
        self.in1_features = in1_features
        self.in2_features = in2_features
        self.out_features = out_features
        self.weight = unset(out_features, in1_features, in2_features, dtype=dtype)
        self.register_parameter("bias", unset(out_features, dtype=dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weights and biases anew."""
        bound = 1 / sqrt(self.in1_features)
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input1: Any, input2: Any) -> Any:
        return bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class Identity(Module):
    """Returns its input; accepts any constructor arguments, so that it can stand in for another layer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        return input
