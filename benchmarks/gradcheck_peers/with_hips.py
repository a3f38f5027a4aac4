"""HIPS autograd: rules are given to a ``primitive``; the checker is ``autograd.test_util.check_grads``."""

from __future__ import annotations

import numpy
from autograd.extend import defjvp, defvjp, primitive
from autograd.test_util import check_grads
from autograd.tracer import isbox
from peer import Library, given, names_of, serve

import autograd.numpy as np


class Hips(Library):
    np = np

    def operation(self, fun, *rules, jvp=None):
        names, operation = names_of(fun), primitive(fun)

        def maker(rule):
            return lambda out, *xs: lambda g: given(rule, g=g, **dict(zip(names, xs, strict=True)))

        defvjp(operation, *(maker(rule) for rule in rules))
        if jvp is not None:
            defjvp(operation, lambda t, out, *xs: given(jvp, t=t, **dict(zip(names, xs, strict=True))))
        return operation

    def pair(self, fun, rule):
        operation = primitive(fun)
        defvjp(operation, lambda out, x: lambda g: rule(g[0], g[1], x))
        return operation

    def array(self, value):
        return value

    def detach(self, x):
        while isbox(x):
            x = x._value
        return x

    memory = detach

    def is_contiguous(self, x):
        return self.detach(x).flags.c_contiguous

    def single(self, x):
        return x.astype("float32")

    def cotangent(self, factor):
        return numpy.conj(factor)


def check(f, inputs, order, mode, own_rules, level):
    modes = ["rev"] if own_rules and mode != "forward" else ["fwd", "rev"]
    every = 0 if len(inputs) == 1 else tuple(range(len(inputs)))  # by default the first argument alone
    check_grads(f, every, modes=modes, order=order if own_rules else 2)(*inputs)


serve(Hips(), check)
