"""Checking gradients: of any function of tensors, of any order, in either mode.

``gradcheck`` returns a report that is true or false, ``gradgradcheck`` does so for second derivatives, and
``assert_gradients`` stands in a test.
"""

from autograd.gradcheck.check import assert_gradients, gradcheck, gradgradcheck
from autograd.gradcheck.report import Finding, GradcheckError, GradcheckResult, Grid

__all__ = [
    "Finding",
    "GradcheckError",
    "GradcheckResult",
    "Grid",
    "assert_gradients",
    "gradcheck",
    "gradgradcheck",
]
