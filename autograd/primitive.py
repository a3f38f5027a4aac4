"""What an operation is: a function of plain arrays, its rules, and how it computes, records and carries tangents.

How one is declared: ``autograd.declare``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from autograd.callpath import write_call, write_pullback
from autograd.dispatch import Differentiable, bare
from autograd.dual import Dual, part
from autograd.graph import Node, as_recorded, autocasting, make_node, propagate, recording
from autograd.memory import owner
from autograd.operands import describe, match, plain
from autograd.outputs import Cotangents, pick, tie
from autograd.precision import HALF, widened, widened_function
from autograd.tensor import Tensor, share, wrap

__all__ = ["Primitive", "Rule", "parameters"]

_REQUIRED: Any = object()


class Rule(NamedTuple):
    """A derivative rule and the names of what it needs."""

    function: Callable[..., Any]
    needs: tuple[str, ...]


def parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    """Names of a Python function's positional parameters."""
    code = function.__code__
    return code.co_varnames[: code.co_argcount]


class Primitive:
    """An operation with its derivative rules; calling it computes, records or carries tangents.

    Attributes
    ----------
    name : str
    fun : the function of plain arrays
    evaluate : the same, with ``widen`` in it
    names : its parameter names, in order
    slots : positions of the differentiable ones
    broadcasts : whether its arguments broadcast, so that the engine may sum a cotangent down
    autocast : the precision that its arguments take inside ``autocast``, "half" or "single"; None for any
    widen : whether float16 is computed in float32 and the result rounded
    """

    __slots__ = (
        "_where",
        "autocast",
        "broadcasts",
        "call",
        "defaults",
        "evaluate",
        "fun",
        "jvp",
        "name",
        "names",
        "pullback",
        "required",
        "slots",
        "variadic",
        "vjp",
        "wanting",
        "widen",
    )

    call: Callable[..., Any]
    pullback: Callable[[Any, Any], Sequence[Any]]

    def __init__(
        self,
        fun: Callable[..., Any],
        name: str,
        names: tuple[str, ...],
        defaults: tuple[Any, ...],
        slots: tuple[int, ...],
        vjp: Rule | tuple[Rule | None, ...],
        jvp: Rule | tuple[Rule | None, ...] | None,
        *,
        broadcasts: bool = False,
        variadic: bool = False,
        autocast: str | None = None,
        widen: bool = False,
    ) -> None:
        if autocast not in (None, "half", "single"):
            raise ValueError(f"primitive '{name}': autocast is 'half', 'single' or None; got {autocast!r}")
        self.fun = fun
        self.evaluate = widened_function(fun, None if variadic else slots) if widen else fun
        self.name = name
        self.names = names
        self.defaults = (_REQUIRED,) * (len(names) - len(defaults)) + tuple(defaults)
        self.required = len(names) - len(defaults)
        self.slots = slots
        self.broadcasts = broadcasts
        self.variadic = variadic
        self.autocast = autocast
        self.widen = widen
        self._where = {
            **{n: i for i, n in enumerate(names)},
            "out": len(names),
            **{f"{names[i]}_shape": len(names) + 1 + j for j, i in enumerate(slots)},
            "needs": len(names) + 1 + len(slots),
            "g": len(names) + 2 + len(slots),
            "t": len(names) + 2 + len(slots),
        }
        self.vjp = vjp
        self.jvp = jvp
        for rule in (vjp, jvp):
            for each in (rule,) if isinstance(rule, Rule) else rule or ():
                self._check(each)
        self.wanting = self._wanting()
        self.pullback = self._first_pullback
        self.call = self.__call__ if variadic else self.write_call(self.__call__)

    def __repr__(self) -> str:
        return f"<primitive {self.name}({', '.join(self.names)})>"

    def _check(self, rule: Rule | None) -> None:
        unknown = [] if rule is None else [n for n in rule.needs if n not in self._where]
        if unknown:
            raise TypeError(
                f"a rule of primitive '{self.name}' asks for {', '.join(unknown)}; "
                f"a rule can name {', '.join(self._where)}"
            )

    # ------------------------------------------------------------------ computing and recording

    def write_call(self, general: Callable[..., Any]) -> Any:
        """The short way for arguments that need nothing special (``autograd.callpath``)."""
        return write_call(self, general, self.fun, entrywise=False)

    def __call__(self, *args: Any, **options: Any) -> Any:
        """The way for every case: all arguments by position, or operands and options of a variadic primitive."""
        values = self._bound(args, options) if self.variadic else list(args)
        operands = self.operands(values)
        if self.autocast is not None and (casting := autocasting.get()) is not None:
            operands = getattr(casting, self.autocast)(*operands)
            self.place(values, operands)
        tensors = False
        for value in operands:
            if isinstance(value, Differentiable):
                if not isinstance(value, Tensor):
                    return self.push(values)
                tensors = True
        self.strip(values)
        if not tensors:
            return self.applied(self.evaluate, values)
        arrays = self.arrays(operands)
        self.place(values, arrays)
        try:
            out = self.applied(self.evaluate, values)
        except Exception as error:
            error.add_note(describe(self.name, arrays))
            raise
        return self.finish(values, operands, arrays, out)

    def finish(self, values: list[Any], operands: Sequence[Any], arrays: Sequence[Any], out: Any) -> Any:
        """Record the call if it is to be recorded, and wrap its output."""
        parents = tuple(value._node if isinstance(value, Tensor) else None for value in operands)
        node = None
        mode = recording.get()
        if mode and any(parent is not None for parent in parents):
            node = self.record(parents, values, arrays, out)
            if mode is not True and node is not None:
                mode.observe(node)
        if type(out) is tuple:
            made = []
            for i, array in enumerate(out):
                made.append(wrap(array, None if node is None or array.dtype.kind not in "fc" else pick(node, i)))
                self.relate(operands, arrays, array, made[-1])
            return tuple(made)
        if node is None and out.dtype.kind not in "fc" and any(parent is not None for parent in parents):
            return out  # no derivative: a plain array
        result = wrap(out, node)
        self.relate(operands, arrays, out, result)
        return result

    def _bound(self, operands: tuple[Any, ...], options: dict[str, Any]) -> list[Any]:
        unknown = options.keys() - set(self.names[1:])
        if unknown:
            raise TypeError(f"{self.name}() got an unexpected keyword argument '{min(unknown)}'")
        return [operands, *(options.get(n, d) for n, d in zip(self.names[1:], self.defaults[1:], strict=True))]

    def applied(self, function: Callable[..., Any], values: list[Any]) -> Any:
        """``function`` called with the bound arguments."""
        if self.variadic:
            return function(*values[0], **dict(zip(self.names[1:], values[1:], strict=True)))
        return function(*values)

    def operands(self, values: list[Any]) -> Sequence[Any]:
        """The differentiable arguments."""
        return values[0] if self.variadic else [values[i] for i in self.slots]

    def place(self, values: list[Any], operands: Sequence[Any]) -> None:
        """Put ``operands`` in the place of the differentiable arguments."""
        if self.variadic:
            values[0] = tuple(operands)
        else:
            for i, operand in zip(self.slots, operands, strict=True):
                values[i] = operand

    def arrays(self, operands: Sequence[Any]) -> list[Any]:
        """The differentiable arguments as NumPy sees them; None stays where it is the default."""
        name = self.name
        if self.variadic:
            return [value._data if isinstance(value, Tensor) else plain(value, name) for value in operands]
        return [
            value._data
            if isinstance(value, Tensor)
            else None
            if value is None and self.defaults[i] is None
            else plain(value, name)
            for i, value in zip(self.slots, operands, strict=True)
        ]

    def strip(self, values: list[Any]) -> None:
        """Make plain what carries no gradient (indices, masks, options)."""
        for i, value in enumerate(values):
            if i not in self.slots and isinstance(value, Differentiable):
                if getattr(value, "requires_grad", False):
                    raise TypeError(f"{self.name}(): '{self.names[i]}' carries no gradient; pass it detached")
                values[i] = bare(value)

    def record(
        self, parents: tuple[Node | None, ...], values: list[Any], arrays: Sequence[Any], out: Any
    ) -> Node | None:
        """The node of this call, with what its rules need; None where the output has no derivative."""
        if type(out) is tuple:
            shape: Any = tuple(o.shape for o in out)
            dtype: Any = tuple(o.dtype for o in out)
        else:
            shape, dtype = out.shape, out.dtype
            if dtype.kind not in "fc":
                return None
        shapes = [tuple(map(np.shape, arrays))] if self.variadic else map(np.shape, arrays)
        needed = {self.names[i] for i, parent in zip(self.slots, parents, strict=False) if parent is not None}
        saved = tuple(
            value if wanting is None or not needed.isdisjoint(wanting) else None
            for value, wanting in zip((*values, out, *shapes), self.wanting, strict=True)
        )
        return make_node(self, parents, saved, shape, dtype)

    def _wanting(self) -> list[tuple[str, ...] | None]:
        """For each of (arguments…, out, shapes…) the arguments whose rules name it; None for a joint rule's."""
        count = len(self.names) + 1 + len(self.slots)
        order = sorted(self._where, key=self._where.__getitem__)[:count]
        if isinstance(self.vjp, Rule):
            return [None if name in self.vjp.needs else () for name in order]
        pairs = list(zip(self.slots, self.vjp, strict=True))
        return [tuple(self.names[i] for i, rule in pairs if rule and name in rule.needs) for name in order]

    def relate(self, operands: Sequence[Any], arrays: Sequence[Any], out: Any, result: Differentiable) -> None:
        """Note which argument, if any, the output shares its memory with."""
        if type(out) is not np.ndarray:
            return
        memory = owner(out)
        for operand, array in zip(operands, arrays, strict=True):
            if isinstance(operand, Differentiable) and owner(array) is memory:
                share(operand, result)
                return

    # ------------------------------------------------------------------ reverse mode

    def _first_pullback(self, node: Any, g: Any) -> Sequence[Any]:
        """Stands in for the reverse rule until its first use, which keeps importing fast."""
        self.pullback = self.write_pullback()
        return self.pullback(node, g)

    def write_pullback(self) -> Any:
        """The reverse rules of all arguments as one function (``autograd.callpath``)."""
        slots = [] if self.variadic else [self.names[i] for i in self.slots]
        wanted = "".join(f"to_{x} is not None, " for x in slots)
        source = {
            "needs": "tuple([parent is not None for parent in node.parents])" if self.variadic else f"({wanted})",
            "g": "(g.filled() if type(g) is Cotangents else g)",
        }
        scope: dict[str, Any] = {"Cotangents": Cotangents}

        def called(label: str, rule: Rule) -> str:
            scope[label] = rule.function
            return f"{label}({', '.join(source.get(n) or f'saved[{self._where[n]}]' for n in rule.needs)})"

        if isinstance(self.vjp, Rule):
            return write_pullback(slots, called("rule", self.vjp), scope, widen=self.widen)
        terms = [called(f"rule_{x}", rule) for x, rule in zip(slots, self.vjp, strict=True) if rule]
        return write_pullback(slots, terms, scope, widen=self.widen)

    def connect(self, node: Node) -> Node:
        """``node`` with its saved arrays as tensors tied to the graph, so that its rules are recorded."""
        saved = list(node.saved)
        if self.variadic:
            if saved[0] is not None:
                saved[0] = tuple(tie(a, p) for a, p in zip(saved[0], node.parents, strict=True))
        else:
            for i, parent in zip(self.slots, node.parents, strict=True):
                saved[i] = tie(saved[i], parent)
        out = saved[len(self.names)]
        if type(out) is tuple:
            saved[len(self.names)] = tuple(wrap(o, pick(node, i)) for i, o in enumerate(out))
        elif out is not None:
            saved[len(self.names)] = wrap(out, node)
        live = Node()
        live.saved = tuple(saved)
        live.parents = node.parents
        live.dtype = node.dtype
        return live

    # ------------------------------------------------------------------ forward mode

    @as_recorded
    def push(self, values: list[Any]) -> Any:
        """Carry tangents: the arguments hold dual numbers of one or more levels."""
        operands = self.operands(values)
        level = max(value.level for value in operands if isinstance(value, Dual))
        primals, tangents = zip(*(part(value, level) for value in operands), strict=True)
        self.strip(values)
        self.place(values, primals)
        out = (
            self.call(*values[0], **dict(zip(self.names[1:], values[1:], strict=True)))
            if self.variadic
            else self.call(*values)
        )
        pushed = self.tangent(values, primals, tangents, out)
        if type(out) is tuple:
            return tuple(self._dual(operands, o, t, level) for o, t in zip(out, pushed, strict=True))
        return self._dual(operands, out, pushed, level)

    def _dual(self, operands: Sequence[Any], out: Any, t: Any, level: int) -> Any:
        array = bare(out)
        if t is None or array.dtype.kind not in "fc":
            return out
        result = Dual(out, match(t, out), level)
        self.relate(operands, [bare(operand) for operand in operands], array, result)
        return result

    def tangent(self, values: Sequence[Any], primals: Sequence[Any], tangents: Sequence[Any], out: Any) -> Any:
        """The output's tangent, from the rules, or by transposing the reverse rule where there is none."""
        shapes = [tuple(map(np.shape, primals))] if self.variadic else list(map(np.shape, primals))
        needs = tuple(t is not None for t in tangents)
        if self.jvp is None:
            return self._transpose((*values, out, *shapes, needs), primals, tangents, out)
        if self.widen and bare(out[0] if type(out) is tuple else out).dtype == HALF:
            values, tangents, out = map(widened, (tuple(values), tuple(tangents), out))
        if isinstance(self.jvp, Rule):
            environment = (*values, out, *shapes, needs, tangents)
            return self.jvp.function(*[environment[self._where[n]] for n in self.jvp.needs])
        total: Any = None
        for rule, t in zip(self.jvp, tangents, strict=True):
            if t is None or rule is None:
                continue
            environment = (*values, out, *shapes, needs, t)
            term = rule.function(*[environment[self._where[n]] for n in rule.needs])
            total = term if total is None else total + term
        return np.zeros(np.shape(out), bare(out).dtype) if total is None else total

    def _transpose(
        self, environment: tuple[Any, ...], primals: Sequence[Any], tangents: Sequence[Any], out: Any
    ) -> Any:
        """``J t`` from the reverse rule: ``u ↦ Jᵀu`` is linear, and its transpose is ``t ↦ J t``."""
        if any(isinstance(p, Dual) for p in primals) or type(out) is tuple:
            raise NotImplementedError(f"'{self.name}' has no forward-mode rule (jvp=) for nested or several outputs")
        u = Tensor(np.zeros(np.shape(out), bare(out).dtype), requires_grad=True)
        live = Node()
        live.saved = environment[:-1]
        live.parents = tuple(None if t is None else u._node for t in tangents)
        live.dtype = u.dtype
        token = recording.set(True)
        try:
            terms = self.pullback(live, u)
            outputs = [
                (term._node, match(t, term))
                for term, t in zip(terms, tangents, strict=True)
                if t is not None and isinstance(term, Tensor) and term._node is not None
            ]
            recorded = any(isinstance(x, Tensor) for x in (*primals, *tangents))
            seeds = [(n, t if isinstance(t, Tensor) or not recorded else wrap(t, None)) for n, t in outputs]
            arrived = propagate(seeds, frozenset({u._node}), release=False, create_graph=recorded)  # type: ignore[arg-type]
        finally:
            recording.reset(token)
        return arrived.get(u._node, np.zeros(u.shape, u.dtype))  # type: ignore[arg-type]
