"""Reverse- and forward-mode automatic differentiation on NumPy.

Three ways in, one engine: ``Tensor`` with ``backward()``; ``grad``, ``jacobian``, ``hessian``, ``vjp``,
``jvp`` on functions of arrays; and ``autograd.numpy`` as a differentiable NumPy. Operations of one's own
are declared with ``elementwise``, ``linear``, ``primitive`` or ``Function``.
"""

from pathlib import Path as _Path
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

__title__ = "chainrule"
__version__ = "0.1.0"

if (_Path(__file__).parent / "tracer.py").exists():
    raise ImportError(
        f"the folder {_Path(__file__).parent} mixes chainrule with HIPS autograd, another package with the import "
        "name 'autograd'. Run: pip uninstall --yes autograd chainrule, then install chainrule again."
    )

from autograd import numpy
from autograd.allocator import keep_freed_memory as _keep_freed_memory
from autograd.anomaly import detect_anomaly, record_lines
from autograd.critical import classify_critical_point
from autograd.declare import linear, primitive, registry
from autograd.dispatch import Differentiable
from autograd.draw import draw
from autograd.dual import Dual
from autograd.elementwise import elementwise
from autograd.function import Function
from autograd.gradcheck import GradcheckError, GradcheckResult, assert_gradients, gradcheck, gradgradcheck
from autograd.graph import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from autograd.precision import autocast, is_autocast_enabled
from autograd.random import default_generator, manual_seed
from autograd.tensor import Tensor, backward
from autograd.transforms import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp

if _TYPE_CHECKING:
    from autograd.draw.explain import explain

__all__ = [
    "Differentiable",
    "Dual",
    "Function",
    "GradcheckError",
    "GradcheckResult",
    "Tensor",
    "autocast",
    "assert_gradients",
    "backward",
    "classify_critical_point",
    "default_generator",
    "detect_anomaly",
    "draw",
    "elementwise",
    "enable_grad",
    "explain",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "hessian",
    "hvp",
    "is_autocast_enabled",
    "is_grad_enabled",
    "jacobian",
    "jvp",
    "linear",
    "manual_seed",
    "no_grad",
    "numpy",
    "primitive",
    "record_lines",
    "registry",
    "set_grad_enabled",
    "value_and_grad",
    "vjp",
]

_keep_freed_memory()


def __getattr__(name: str) -> _Any:
    """``explain`` is loaded by those who use it: it takes longer than the rest of the drawing."""
    if name != "explain":
        raise AttributeError(f"module 'autograd' has no attribute '{name}'")
    from autograd.draw.explain import explain

    globals()[name] = explain
    return explain
