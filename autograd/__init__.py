"""Reverse- and forward-mode automatic differentiation on NumPy."""

import autograd.numpy  # gives tensors their operators and methods
from autograd.anomaly import detect_anomaly
from autograd.dispatch import Differentiable
from autograd.dual import Dual
from autograd.elementwise import elementwise
from autograd.function import Function
from autograd.graph import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from autograd.primitive import linear, primitive, registry
from autograd.tensor import Tensor, backward
from autograd.transforms import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp

__all__ = [
    "Differentiable",
    "Dual",
    "Function",
    "Tensor",
    "backward",
    "detect_anomaly",
    "grad",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "value_and_grad",
    "vjp",
    "elementwise",
    "enable_grad",
    "is_grad_enabled",
    "linear",
    "no_grad",
    "primitive",
    "registry",
    "set_grad_enabled",
]
