"""``Function``: an operation with its own forward and backward, in PyTorch's manner.

A primitive (``autograd.primitive``) is shorter where the rule is a formula. A ``Function`` is for rules
that carry state from forward to backward, and for code that comes from PyTorch.
"""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np

from autograd.dispatch import Differentiable, bare
from autograd.dual import Dual, part
from autograd.graph import Node, make_node, no_grad, recording
from autograd.operands import match
from autograd.outputs import Cotangents, pick, tie
from autograd.tensor import Tensor, wrap

__all__ = ["Context", "Function"]


class Context:
    """What ``forward`` leaves for ``backward``: saved tensors, and any attributes."""

    needs_input_grad: tuple[bool, ...]

    def __init__(self) -> None:
        self.saved_tensors: tuple[Any, ...] = ()
        self._materialize = True
        self._without_gradient: tuple[Any, ...] = ()

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors or arrays (or None); ``backward`` finds them in ``ctx.saved_tensors``.

        Inputs and outputs of the function must be kept this way, not as attributes: only then are
        in-place changes noticed and second derivatives right.
        """
        self.saved_tensors = tensors

    def mark_non_differentiable(self, *outputs: Any) -> None:
        """Declare outputs that carry no gradient."""
        self._without_gradient = outputs

    def set_materialize_grads(self, value: bool) -> None:
        """Whether missing cotangents of several outputs arrive as zeros (the default) or as None."""
        self._materialize = bool(value)


class Function:
    """Base class for operations with a forward and a backward of their own.

    Subclasses define static methods ``forward(ctx, *args)``, which returns a tensor or array or a
    tuple of them; ``backward(ctx, *cotangents)``, which returns one gradient per argument of
    ``forward`` (None for those without); and, for forward mode, ``jvp(ctx, *tangents)``, which
    returns one tangent per output. ``Subclass.apply(*args)`` calls the operation.

    Inside ``forward`` nothing is recorded. ``backward`` gets tensors and is recorded when the caller
    asks for ``create_graph``.

    Raises
    ------
    TypeError
        From ``apply`` if ``forward`` returns something that is no tensor or array; from forward mode
        if there is no ``jvp``; from backward if the number of gradients is wrong.

    Examples
    --------
    >>> import numpy as np
    >>> from autograd import Function, Tensor
    >>> class Exp(Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         out = np.exp(x)
    ...         ctx.save_for_backward(out)
    ...         return out
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         (out,) = ctx.saved_tensors
    ...         return g * out
    >>> x = Tensor([0.0], requires_grad=True)
    >>> Exp.apply(x).sum().backward()
    >>> x.grad
    Tensor([1.])
    """

    @staticmethod
    def forward(ctx: Context, *args: Any) -> Any:
        raise NotImplementedError("a Function needs a static method forward(ctx, *args)")

    @staticmethod
    def backward(ctx: Context, *cotangents: Any) -> Any:
        raise NotImplementedError("a Function needs a static method backward(ctx, *cotangents)")

    jvp: Any = None

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Compute the operation and record it as one node."""
        level = max((x.level for x in args if isinstance(x, Dual)), default=0)
        if level:
            return _push(cls, args, level)
        return _run(cls, Context(), args)


class _Operation:
    """What the graph sees of a Function: a primitive whose rule is the class's ``backward``."""

    __slots__ = ("function", "name", "tags")
    broadcasts = False
    slots: tuple[int, ...] = ()
    names: tuple[str, ...] = ()

    def __init__(self, function: type[Function], tags: list[tuple[str, int]]) -> None:
        self.function = function
        self.name = function.__name__
        self.tags = tags  # what each saved tensor is: ("input", i), ("output", i) or ("value", 0)

    def pullback(self, node: Any, g: Any) -> list[Any]:
        context, *saved = node.saved
        if not isinstance(g, Cotangents):
            terms: tuple[Any, ...] = (g,)
        elif context._materialize:
            terms = g.filled()
        else:
            terms = tuple(g.terms.get(i) for i in range(len(g.shape)))
        recorded = any(isinstance(term, Tensor) for term in terms)
        context = copy(context)
        context.saved_tensors = tuple(_tensor(value) for value in saved)
        gradients = self.function.backward(context, *(None if t is None else _tensor(t) for t in terms))
        if not isinstance(gradients, (tuple, list)):
            gradients = (gradients,)
        if len(gradients) != len(node.parents):
            raise TypeError(
                f"{self.name}.backward returned {len(gradients)} gradients for the {len(node.parents)} arguments "
                "of forward"
            )
        return [_tensor(x) if recorded and x is not None else bare(x) for x in gradients]

    def connect(self, node: Node) -> Node:
        context, *saved = node.saved
        live = Node()
        live.parents = node.parents
        live.dtype = node.dtype
        several = isinstance(node.dtype, tuple)
        ties = []
        for (kind, i), value in zip(self.tags, saved, strict=True):
            if kind == "output":
                ties.append(wrap(value, pick(node, i) if several else node))
            else:
                ties.append(tie(value, node.parents[i] if kind == "input" else None))
        live.saved = (context, *ties)
        return live


def _tensor(value: Any) -> Any:
    return value if value is None or isinstance(value, Differentiable) else wrap(np.asarray(value), None)


def _run(cls: type[Function], context: Context, args: tuple[Any, ...]) -> Any:
    parents = tuple(x._node if isinstance(x, Tensor) else None for x in args)
    context.needs_input_grad = tuple(parent is not None for parent in parents)
    inputs = [wrap(x._data, None) if isinstance(x, Tensor) else x for x in args]
    with no_grad():
        result = cls.forward(context, *inputs)
    outputs = result if isinstance(result, tuple) else (result,)
    arrays = []
    for y in outputs:
        if isinstance(y, Dual) or not hasattr(y, "dtype"):
            raise TypeError(f"{cls.__name__}.forward returned a {type(y).__name__}; expected a Tensor or an array")
        arrays.append(bare(y))
    node = None
    mode = recording.get()
    if mode and any(context.needs_input_grad):
        node = _record(cls, context, parents, inputs, outputs, arrays, several=isinstance(result, tuple))
        if mode is not True:
            mode.observe(node)
    made = []
    for i, (y, array) in enumerate(zip(outputs, arrays, strict=True)):
        marked = any(y is other for other in context._without_gradient)
        if node is None or marked or array.dtype.kind not in "fc":
            made.append(wrap(array, None))
        else:
            made.append(wrap(array, pick(node, i) if isinstance(result, tuple) else node))
    return tuple(made) if isinstance(result, tuple) else made[0]


def _record(
    cls: type[Function],
    context: Context,
    parents: tuple[Node | None, ...],
    inputs: list[Any],
    outputs: tuple[Any, ...],
    arrays: list[Any],
    several: bool,
) -> Node:
    tags = []
    for value in context.saved_tensors:
        kind = ("value", 0)
        for name, candidates in (("input", inputs), ("output", outputs)):
            kind = next(((name, i) for i, x in enumerate(candidates) if x is value), kind)
        tags.append(kind)
    context, saved = copy(context), context.saved_tensors
    context.saved_tensors = ()
    context._without_gradient = ()
    shape: Any = tuple(a.shape for a in arrays) if several else arrays[0].shape
    dtype: Any = tuple(a.dtype for a in arrays) if several else arrays[0].dtype
    return make_node(_Operation(cls, tags), parents, (context, *map(bare, saved)), shape, dtype)


def _push(cls: type[Function], args: tuple[Any, ...], level: int) -> Any:
    if cls.jvp is None:
        raise TypeError(f"{cls.__name__} has no forward mode: define a static method jvp(ctx, *tangents)")
    primals, tangents = zip(*(part(x, level) for x in args), strict=True)
    if any(isinstance(x, (Tensor, Dual)) and getattr(x, "requires_grad", False) for x in primals):
        raise TypeError(f"{cls.__name__}.jvp is not differentiable itself; declare a primitive for mixed derivatives")
    context = Context()
    out = _run(cls, context, tuple(x if t is None else _tensor(x) for x, t in zip(primals, tangents, strict=True)))
    slopes = cls.jvp(context, *(None if t is None else _tensor(t) for t in tangents))
    if isinstance(out, tuple):
        return tuple(_dual(y, t, level) for y, t in zip(out, slopes, strict=True))
    return _dual(out, slopes, level)


def _dual(out: Tensor, slope: Any, level: int) -> Any:
    return out._data if slope is None else Dual(out._data, match(bare(slope), out._data), level)
