"""PyTorch: rules are a ``torch.autograd.Function``; the checkers are ``gradcheck`` and ``gradgradcheck``."""

from __future__ import annotations

import torch
from peer import Library, given, names_of, serve

torch.set_num_threads(1)

# The tightest tolerances that central differences with this step leave room for, and every extra check.
STRICT = {"atol": 1e-8, "rtol": 1e-5, "check_batched_grad": False, "check_undefined_grad": True}


class Torch(Library):
    np = torch

    def operation(self, fun, *rules, jvp=None):
        names = names_of(fun)

        class Operation(torch.autograd.Function):
            @staticmethod
            def forward(ctx, *xs):
                ctx.xs = xs
                return fun(*xs)

            @staticmethod
            def backward(ctx, g):
                return tuple(given(rule, g=g, **dict(zip(names, ctx.xs, strict=True))) for rule in rules)

            @staticmethod
            def jvp(ctx, *tangents):
                if jvp is None:
                    raise NotImplementedError("no forward mode")
                return given(jvp, t=tangents[0], **dict(zip(names, ctx.xs, strict=True)))

        return Operation.apply

    def pair(self, fun, rule):
        class Operation(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.x = x
                return fun(x)

            @staticmethod
            def backward(ctx, g, h):
                return rule(g, h, ctx.x)

        return Operation.apply

    def array(self, value):
        return torch.from_numpy(value)

    def detach(self, x):
        return x.detach()

    def memory(self, x):
        return x.detach()

    def is_contiguous(self, x):
        return x.is_contiguous()

    def single(self, x):
        return x.float()

    def cotangent(self, factor):
        return factor


def check(f, inputs, order, mode, own_rules, level):
    xs = tuple(torch.tensor(x, requires_grad=True) for x in inputs)
    options = {}
    if level == "strict":
        options = {**STRICT, "check_forward_ad": mode == "forward" or not own_rules}
    (torch.autograd.gradcheck if order == 1 else torch.autograd.gradgradcheck)(
        f, xs, **(options if order == 1 else {k: v for k, v in options.items() if k in ("atol", "rtol")})
    )


serve(Torch(), check)
