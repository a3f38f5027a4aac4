"""The recorded graph: nodes, whether to record, and the backward pass.

A node is apart from the tensor it belongs to, so an array that no rule needs is freed as soon as the
caller lets go of its tensor. Nodes carry falling creation numbers; in a define-by-run graph every
node is younger than its parents, so visiting the youngest pending node first is a reverse topological
order (Griewank & Walther, *Evaluating Derivatives*, 2nd ed., ch. 3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ContextDecorator, suppress
from contextvars import ContextVar, Token
from functools import wraps
from heapq import heappop, heappush
from typing import Any, NamedTuple, ParamSpec, TypeVar

import numpy as np

from autograd.memory import changes, stamp_of, tick

__all__ = [
    "Leaf",
    "Node",
    "Scope",
    "as_recorded",
    "autocasting",
    "enable_grad",
    "is_grad_enabled",
    "make_node",
    "no_grad",
    "propagate",
    "recording",
    "restore",
    "set_grad_enabled",
    "unbroadcast",
]

# False, True, or a watcher whose `observe(node)` sees every node that is recorded (autograd.anomaly).
recording: ContextVar[Any] = ContextVar("recording", default=True)

# None, or what brings the arguments of some operations to another precision (autograd.precision).
autocasting: ContextVar[Any] = ContextVar("autocasting", default=None)


P = ParamSpec("P")
R = TypeVar("R")


class Node:
    """One recorded operation.

    ``parents`` has a node, or None where no gradient is wanted, for each differentiable argument;
    ``saved`` is what the primitive's rules asked for; ``shape`` and ``dtype`` are the output's.
    ``scope`` and ``place`` are for those who look at graphs: the calls that it is an output of (see ``Scope``), and
    the line that recorded it, which is unset where nobody asked for it.
    """

    __slots__ = ("dtype", "hooks", "order", "parents", "place", "primitive", "saved", "scope", "shape")

    order: int
    primitive: Any
    parents: tuple[Node | None, ...]
    saved: Any
    shape: tuple[int, ...]
    dtype: Any
    hooks: dict[int, Callable[[Any], Any]] | None
    scope: tuple[Any, ...] | None
    place: str

    def __repr__(self) -> str:
        return f"<{self.primitive.name} {self.shape} {self.dtype}>"


class Scope(NamedTuple):
    """A call, such as that of a module or of a recorded backward pass, of which a node is an output.

    Every node behind it whose creation number lies between ``ended`` and ``began`` was recorded in the call.
    ``within`` is the scope of a call inside this one with the same output, such as that of a network's last layer.
    Nodes hold these as plain tuples, which every call of a module makes, and makes fast.
    """

    owner: Any
    began: int
    ended: int
    within: tuple[Any, ...] | None

    @staticmethod
    def mark(node: Node | None, owner: Any, began: int) -> None:
        """Note that ``node`` is an output of a call of ``owner`` that began at clock time ``began``, and ends now."""
        if node is not None and node.order < began:
            node.scope = (owner, began, tick(), node.scope)

    @classmethod
    def of(cls, node: Node) -> Iterator[Scope]:
        """The calls that ``node`` is an output of, outermost first."""
        found = node.scope
        while found is not None:
            scope = cls(*found)
            yield scope
            found = scope.within


def make_node(primitive: Any, parents: tuple[Node | None, ...], saved: Any, shape: Any, dtype: Any) -> Node:
    """A new node; the elementwise fast path (``autograd.elementwise``) writes the same out in line."""
    node = Node()
    node.order = tick()
    node.primitive = primitive
    node.parents = parents
    node.saved = saved
    node.shape = shape
    node.dtype = dtype
    node.hooks = None
    node.scope = None
    return node


class Leaf(Node):
    """Where a gradient arrives: stands in the graph for a tensor that no operation made.

    ``tensor`` is a weak reference; a gradient for a tensor that nobody holds any more goes nowhere.
    """

    __slots__ = ("tensor",)

    def __init__(self, tensor: Callable[[], Any], shape: Any, dtype: Any) -> None:
        self.order = tick()
        self.primitive = None
        self.parents = ()
        self.saved = None
        self.shape = shape
        self.dtype = dtype
        self.hooks = None
        self.scope = None
        self.tensor = tensor

    def __repr__(self) -> str:
        return f"<leaf {self.shape} {self.dtype}>"


class Released:
    """Stands in place of what a node had saved, once a backward pass has used it."""

    def __repr__(self) -> str:
        return "<released>"


RELEASED = Released()


LARGE = 8192  # elements from which adding in place is cheaper than a fresh array
SMALL = 1024  # elements up to which the terms of a sum are collected first
FEW, MANY = 8, 256  # terms: from how many on one call adds them, and after how many at the latest
HALF = "e"  # the character of float16, in which a sum of ones ends at 2048: float32 is summed in
FLOAT16 = np.dtype(HALF)


def _recording_set(mode: bool) -> Token[Any]:
    """Record or not from here on; whoever watches goes on watching."""
    return recording.set((recording.get() or True) if mode else False)


def restore(variable: ContextVar[Any], tokens: list[Token[Any]]) -> None:
    """Undo the latest of these settings of the variable that was made in this thread or task."""
    for token in reversed(tuple(tokens)):
        with suppress(ValueError):  # made elsewhere, by one who entered the same context manager
            variable.reset(token)
            tokens.remove(token)
            return


class set_grad_enabled(ContextDecorator):
    """Turn recording on or off: at once, as a context manager, or as a decorator.

    The mode belongs to the current thread or asynchronous task (a context variable). Used as a
    context manager or decorator, the former mode comes back on leaving.
    """

    def __init__(self, mode: bool) -> None:
        self.mode = bool(mode)
        self._token: Token[Any] | None = _recording_set(self.mode)

    def _recreate_cm(self) -> set_grad_enabled:  # one fresh manager per call of a decorated function
        return type(self)(self.mode)

    def __call__(self, function: Any) -> Any:
        self.__exit__()  # decorating is not entering
        return super().__call__(function)

    def __enter__(self) -> set_grad_enabled:
        if self._token is None:
            self._token = _recording_set(self.mode)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._token is not None:
            recording.reset(self._token)
            self._token = None


class _FixedMode(ContextDecorator):
    """A grad mode that begins on entering, not on construction; may be nested and used again."""

    mode: bool

    def __init__(self) -> None:
        self._tokens: list[Token[Any]] = []

    def _recreate_cm(self) -> _FixedMode:
        return type(self)()

    def __enter__(self) -> _FixedMode:
        self._tokens.append(_recording_set(self.mode))
        return self

    def __exit__(self, *exception: object) -> None:
        restore(recording, self._tokens)


class no_grad(_FixedMode):
    """Record nothing inside: a context manager and a decorator, local to the thread or task."""

    mode = False


class enable_grad(_FixedMode):
    """Record again inside a ``no_grad`` block: a context manager and a decorator."""

    mode = True


def is_grad_enabled() -> bool:
    """Whether operations on tensors that require gradients are recorded here and now."""
    return bool(recording.get())


def unbroadcast(g: Any, shape: tuple[int, ...]) -> Any:
    """Sum ``g`` down to ``shape``, undoing a broadcast: the transpose of ``broadcast_to``; float16 in float32."""
    extra = len(g.shape) - len(shape)
    if extra < 0 or any(n not in (1, m) for n, m in zip(shape, g.shape[extra:], strict=True)):
        raise ValueError(f"a gradient of shape {g.shape} does not come from broadcasting {shape}")
    wide = np.float32 if g.dtype.char == HALF else None
    if extra:
        g = np.sum(g, axis=tuple(range(extra)), dtype=wide)
    axes = tuple(i for i, n in enumerate(shape) if n == 1 and g.shape[i] != 1)
    return np.sum(g, axis=axes, keepdims=True, dtype=wide) if axes else g


def conform(g: Any, parent: Node, node: Node) -> Any:
    """Give a cotangent its parent's shape and dtype, or say which rule got them wrong."""
    name = node.primitive.name
    if getattr(g, "shape", None) is None or not hasattr(g, "dtype"):
        if g is None:
            raise RuntimeError(f"the gradient rule of '{name}' returned None where a gradient is needed")
        g = np.asarray(g)
    if g.dtype.kind not in "biufc":
        raise RuntimeError(f"the gradient rule of '{name}' returned dtype {g.dtype}; expected {parent.dtype}")
    if g.shape != parent.shape:
        if not node.primitive.broadcasts:
            raise RuntimeError(
                f"the gradient rule of '{name}' returned shape {g.shape} for an input of shape {parent.shape}"
            )
        g = unbroadcast(g, parent.shape)
    if g.dtype != parent.dtype:
        if g.dtype.kind == "c" and parent.dtype.kind != "c":
            g = g.real
        g = rounded(g, parent.dtype)
    return g


def rounded(g: Any, dtype: Any) -> Any:
    """A cotangent in another dtype; the gradient of a loss scaled up may overflow float16 (``optim.GradScaler``)."""
    if dtype.char != HALF:
        return g.astype(dtype)
    with np.errstate(over="ignore"):
        return g.astype(dtype)


def pulled_back(node: Node, live: Node, g: Any) -> Any:
    """What the rules of a node of float16 give: silently infinite or NaN where they overflow, as for ``rounded``."""
    with np.errstate(over="ignore", invalid="ignore"):
        return node.primitive.pullback(live, g)


def check_unchanged(node: Node) -> None:
    """Refuse to use saved arrays that were changed in place after ``node`` was recorded."""
    for value in node.saved:
        for array in value if isinstance(value, tuple) else (value,):
            stamp = stamp_of(array) if isinstance(array, np.ndarray) else None
            if stamp is not None and stamp.time < node.order:
                raise RuntimeError(
                    f"'{node.primitive.name}' saved an array of shape {array.shape} for its gradient, and "
                    f"'{stamp.operation}' changed it in place at {stamp.place}. "
                    "Change a copy (t.copy()), or make the change before the operation or after backward()."
                )


def run_hooks(node: Node, g: Any) -> Any:
    for hook in tuple(node.hooks.values()):  # type: ignore[union-attr]
        replaced = hook(g)
        if replaced is not None:
            g = replaced
    return g


def collected(terms: list[Any]) -> Any:
    """The sum of arrays of one shape; many small ones in one call, float16 in float32 and returned so."""
    last = terms[-1]
    if last.dtype.char == HALF:
        terms[0] = terms[0].astype(np.float32, copy=False)
    if len(terms) < FEW or type(last) is not np.ndarray:
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        return total
    return np.add.reduce(np.array(terms), axis=0)


def as_recorded(function: Callable[P, R]) -> Callable[P, R]:
    """``function`` without ``autocast``: rules run in the precision of the operation that they belong to."""

    @wraps(function)
    def call(*args: P.args, **options: P.kwargs) -> R:
        if autocasting.get() is None:
            return function(*args, **options)
        token = autocasting.set(None)
        try:
            return function(*args, **options)
        finally:
            autocasting.reset(token)

    return call


@as_recorded
def propagate(
    outputs: Iterable[tuple[Node, Any]],
    targets: frozenset[Node] | None = None,
    *,
    release: bool = True,
    create_graph: bool = False,
) -> dict[Node, Any]:
    """Carry cotangents from ``outputs`` back through the graph.

    Returns the cotangent that arrives at each leaf, or at each node of ``targets`` where they are
    given (nodes older than every target are not visited). With ``create_graph`` the cotangents are
    tensors and the rules are recorded; otherwise all is plain arrays. ``release`` lets go of what the
    visited nodes had saved. Iterative: depth is limited by memory alone.
    """
    heap: list[int] = []  # creation numbers of the pending nodes; the smallest is the youngest
    pending: dict[int, Node] = {}
    cotangents: dict[int, Any] = {}
    ours: set[int] = set()  # pending cotangents that are sums made here: further terms are added in place
    arrived: dict[Node, Any] = {}
    oldest = 1 if targets is None else max((node.order for node in targets), default=0)
    began = tick() if create_graph else 0
    changed = changes.latest
    ndarray, add = np.ndarray, np.add

    for node, g in outputs:
        order = node.order
        if order in pending:
            cotangents[order] = cotangents[order] + g
        else:
            pending[order] = node
            cotangents[order] = g
            heappush(heap, order)

    following: Node | None = None  # the youngest pending node, kept out of the heap while a chain is followed
    carried: Any = None
    while heap or following is not None:
        if following is None:
            order = heappop(heap)
            node = pending.pop(order)
            g = cotangents.pop(order)
            if type(g) is list:
                g = collected(g)
                g = g if g.dtype is node.dtype else rounded(g, node.dtype)
        else:
            node, g = following, carried
            order = node.order
            following = None
        if node.hooks:
            g = run_hooks(node, g)
        parents = node.parents
        if not parents:
            if targets is None or node in targets:
                arrived[node] = g
            continue
        if targets is not None and node in targets:
            arrived[node] = g
        if node.saved is RELEASED:
            raise RuntimeError(
                f"backward through '{node.primitive.name}' a second time: what it had saved was released by "
                "the first pass. Call the first backward() with retain_graph=True, or compute the value again."
            )
        if order > changed:
            check_unchanged(node)
        primitive = node.primitive
        live = primitive.connect(node) if create_graph else node
        terms = primitive.pullback(live, g) if node.dtype is not FLOAT16 else pulled_back(node, live, g)
        if release:
            node.saved = RELEASED
        for parent, term in zip(parents, terms):  # noqa: B905 (`strict=` costs a tenth of a microsecond)
            if parent is None:
                continue
            try:
                fits = term.shape == parent.shape and term.dtype is parent.dtype
            except AttributeError:
                fits = False
            if not fits:
                term = conform(term, parent, node)
            key = parent.order
            if parent is following:
                carried = carried + term
            elif key in cotangents:
                total = cotangents[key]
                if type(total) is list:
                    total.append(term)
                    if len(total) == MANY or (len(total) > 2 and term.size > SMALL):
                        cotangents[key] = [collected(total)]
                elif type(total) is not ndarray or type(term) is not ndarray:
                    half = getattr(term.dtype, "char", None) == HALF  # several outputs have several dtypes
                    cotangents[key] = [total, term] if half else total + term
                elif total.size <= SMALL or term.dtype.char == HALF:
                    cotangents[key] = [total, term]
                elif key in ours and total.size > LARGE:
                    add(total, term, total)
                else:
                    cotangents[key] = total + term
                    ours.add(key)
            elif key <= oldest:
                if following is None and (not heap or key < heap[0]):
                    following, carried = parent, term
                    continue
                if following is not None and key < following.order:
                    parent, following = following, parent
                    term, carried = carried, term
                    key = parent.order
                pending[key] = parent
                cotangents[key] = term
                heappush(heap, key)
    if create_graph:
        for g in arrived.values():
            Scope.mark(getattr(g, "_node", None), "backward pass", began)
    return arrived
