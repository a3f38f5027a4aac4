"""JAX: rules are a ``custom_vjp``; the checker is ``jax.test_util.check_grads``, in double precision."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy
from jax.test_util import check_grads
from peer import Library, bugs, given, names_of, serve

jax.config.update("jax_enable_x64", True)


class Jax(Library):
    np = jnp
    lacks = frozenset({"identity", "state"})

    def operation(self, fun, *rules, jvp=None):
        if jvp is not None:
            raise bugs.NotExpressibleError("reverse mode is derived from the forward rule")
        names, operation = names_of(fun), jax.custom_vjp(fun)

        def backward(xs, g):
            return tuple(given(rule, g=g, **dict(zip(names, xs, strict=True))) for rule in rules)

        operation.defvjp(lambda *xs: (fun(*xs), xs), backward)
        return operation

    def pair(self, fun, rule):
        operation = jax.custom_vjp(fun)
        operation.defvjp(lambda x: (fun(x), x), lambda x, gs: (rule(*gs, x),))
        return operation

    def array(self, value):
        return jnp.asarray(value)

    def detach(self, x):
        return jax.lax.stop_gradient(x)

    def memory(self, x):
        raise bugs.NotExpressibleError("arrays are immutable")

    def is_contiguous(self, x):
        raise bugs.NotExpressibleError("arrays have no strides")

    def single(self, x):
        return x.astype("float32")

    def cotangent(self, factor):
        return numpy.conj(factor)


STRICT = {"atol": 1e-8, "rtol": 1e-6, "eps": 1e-5}


def check(f, inputs, order, mode, own_rules, level):
    modes = ["rev"] if own_rules else ["fwd", "rev"]
    check_grads(f, tuple(map(jnp.asarray, inputs)), order, modes=modes, **(STRICT if level == "strict" else {}))


serve(Jax(), check)
