"""How the mistakes of tests/gradcheck_bugs.py are declared in this library."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import primitive
from autograd.dispatch import bare

__all__ = ["Chainrule"]


class Chainrule:
    """Operations are primitives; rules get arrays, or tensors where they are differentiated themselves."""

    np = np

    def need(self, ability: str) -> None:
        """Everything can be expressed."""

    def operation(self, fun: Any, *rules: Any, jvp: Any = None) -> Any:
        names = fun.__code__.co_varnames[: fun.__code__.co_argcount]
        tangents = None if jvp is None else {names[0]: jvp}
        return primitive(fun, vjp=dict(zip(names, rules, strict=True)), jvp=tangents, name="operation")

    def pair(self, fun: Any, rule: Any) -> Any:
        def first_only(g, x):
            return rule(g[0], g[1], x)

        return primitive(fun, vjp={"x": first_only}, name="pair")

    def array(self, value: Any) -> Any:
        return value

    def detach(self, x: Any) -> Any:
        return bare(x)

    def memory(self, x: Any) -> Any:
        return bare(x)

    def is_contiguous(self, x: Any) -> bool:
        return bool(bare(x).flags.c_contiguous)

    def single(self, x: Any) -> Any:
        return x.astype("float32")

    def cotangent(self, factor: complex) -> complex:
        """What the forgotten conjugate leaves of a factor, by this library's convention for complex gradients."""
        return factor
