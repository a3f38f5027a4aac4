"""The chain rule along every path from a loss to a tensor, in text and LaTeX."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from autograd.draw.equation import equation
from autograd.draw.explanation import Explanation, Factor, Path
from autograd.draw.formula import Symbol, fresh_names, number
from autograd.draw.replay import replay
from autograd.draw.snapshot import Snapshot, inputs_first, snapshot
from autograd.draw.switches import at_least, one_of
from autograd.graph import RELEASED, Node
from autograd.tensor import Tensor

__all__ = ["explain"]


def explain(
    loss: Tensor,
    wrt: Tensor,
    names: Mapping[str, Any] | None = None,
    *,
    gradient: Any = None,
    every_step: bool | None = None,
    max_paths: int = 16,
    max_size: int = 16,
) -> Explanation:
    """The chain rule for ``∂loss/∂wrt``: the derivatives along every path, multiplied, and the paths added up.

    Parameters
    ----------
    loss, wrt : Tensor
        A computed tensor, and one that it depends on.
    names : mapping of str to Tensor, array or module, optional
        What tensors are called. Named tensors between ``loss`` and ``wrt`` are the stations of the chain:
        with ``{"ŷ": prediction, "z": z}`` the factors are ∂L/∂ŷ, ∂ŷ/∂z and ∂z/∂w.
    gradient : array, optional
        The cotangent of ``loss``, needed where that is no scalar.
    every_step : bool, optional
        Whether each operation is a station, those without a name being called z₁, z₂, …; by default only
        if ``names`` has nothing that lies between.
    max_paths : int
        How many paths are written out; what the others add is given as one number.
    max_size : int
        The largest number of entries of an array that are written out.

    Returns
    -------
    Explanation
        ``print`` shows it as text, a notebook as mathematics; ``.text``, ``.latex``, ``.paths``, ``.factors`` and
        ``.gradient`` are its parts.

    Raises
    ------
    TypeError
        For anything but Tensors, or names of something else.
    ValueError
        If ``loss`` does not depend on ``wrt``, the gradient has another shape than the loss, or a switch does not
        have the value.
    RuntimeError
        If ``loss`` is no scalar and ``gradient`` is not given, or a backward pass has released the graph.

    Notes
    -----
    For ``L = f(z)``, ``z = g(w)`` the chain rule is ``∂L/∂w = ∂L/∂z · ∂z/∂w``; where several paths lead from ``w`` to
    ``L``, their products are added (Griewank & Walther, *Evaluating Derivatives*, 2nd ed., ch. 2). Nothing is changed:
    neither ``.grad`` nor what backward needs.

    Examples
    --------
    >>> from autograd import Tensor, explain
    >>> w = Tensor(3.0, requires_grad=True, name="w")
    >>> print(explain((2.0 * w).exp(), w).text.splitlines()[0])
    ∂L/∂w = ∂L/∂z₁ · ∂z₁/∂w
    """
    for tensor in (loss, wrt):
        if not isinstance(tensor, Tensor):
            raise TypeError(f"explain(loss, wrt) takes two Tensors; got {type(tensor).__name__}")
    one_of("every_step", every_step, (None, True, False))
    at_least("max_paths", max_paths, 1)
    at_least("max_size", max_size, 0)
    if loss._node is None:
        raise ValueError("the loss does not require a gradient: no tensor with requires_grad=True went into it")
    if wrt._node is None:
        raise ValueError("wrt does not require a gradient; set requires_grad=True before computing the loss")
    chain = _Chain(loss._node, wrt._node, snapshot([loss], names))
    chain.choose_stations(every_step)
    seed = _seed(loss, gradient)
    paths = list(chain.paths(max_paths))
    factors = chain.factors(paths, max_size)
    total = chain.gradient(seed)
    listed = []
    for path in paths:
        steps = list(pairwise(path))
        if _all_numbers([factors[step] for step in steps]):
            contribution = np.asarray(seed)
            for step in steps:
                contribution = contribution * factors[step].value
        else:
            contribution = chain.along(path, seed)
        listed.append(Path([factors[step] for step in steps], contribution))
    left_out = chain.count() - len(paths)
    rest = (
        total - sum((path.contribution for path in listed), np.zeros_like(total)) if left_out else np.zeros_like(total)
    )
    symbol = Symbol.partial(Symbol(chain.labels[loss._node]), Symbol(chain.labels[wrt._node]))
    return Explanation(symbol, listed, left_out, rest, total, max_size, list(factors.values()))


def _seed(loss: Tensor, gradient: Any) -> Any:
    if gradient is None:
        if loss.size != 1:
            raise RuntimeError(
                f"explain() of a loss of shape {loss.shape} needs a gradient of that shape (gradient=…); for a chain "
                "rule without one, reduce to a scalar first (loss.sum())"
            )
        return np.ones(loss.shape, loss.dtype)
    seed = np.asarray(gradient._data if isinstance(gradient, Tensor) else gradient)
    if seed.shape != loss.shape:
        raise ValueError(f"a gradient of shape {seed.shape} for a loss of shape {loss.shape}")
    return seed.astype(loss.dtype, copy=False)


def _all_numbers(factors: Sequence[Factor]) -> bool:
    return all(factor.shape == () and factor.value is not None for factor in factors)


class _Chain:
    """The part of a graph between a loss and a tensor, and the stations at which its paths are told apart."""

    def __init__(self, loss: Node, wrt: Node, seen: Snapshot) -> None:
        between: set[Node] = {wrt}
        order = inputs_first([loss])
        if wrt not in set(order):
            raise ValueError("the loss does not depend on wrt: no path leads from one to the other")
        for node in order:
            if any(parent in between for parent in node.parents):
                between.add(node)
        if wrt is loss:
            raise ValueError("the loss and wrt are the same tensor: its derivative by itself is 1")
        released = next((n for n in order if n in between and n is not wrt and n.saved is RELEASED), None)
        if released is not None:
            raise RuntimeError(
                f"what '{released.primitive.name}' had saved was released by a backward pass. Call backward() with "
                "retain_graph=True, or explain before it."
            )
        self.loss, self.wrt = loss, wrt
        self.order = [node for node in order if node in between]
        self.between = frozenset(between)
        self.snapshot = seen
        self.labels = {box.node: box.label for box in seen.boxes if box.node in between and box.label}
        self.stations: frozenset[Node] = frozenset()
        self.next: dict[Node, dict[Node, list[str]]] = {}

    def choose_stations(self, every_step: bool | None) -> None:
        """Named nodes, or every node; and what each is called."""
        ends = {self.loss, self.wrt}
        inner = [n for n in self.order if n not in ends and not isinstance(n.dtype, tuple)]
        named = [n for n in inner if n in self.labels]
        chosen = inner if every_step or (every_step is None and not named) else named
        self.stations = frozenset(ends.union(chosen))
        for node, default in ((self.loss, "L"), (self.wrt, "w")):
            self.labels.setdefault(node, default if default not in self.labels.values() else f"{default}′")
        unused = fresh_names("z", set(self.labels.values()))
        for node in chosen:
            if node not in self.labels:
                self.labels[node] = next(unused)
        self._connect()

    def _connect(self) -> None:
        """For each station the next ones on the way to ``wrt``, with the operations between."""
        for station in self.stations - {self.wrt}:
            region, stack = {station}, [station]
            while stack:
                for parent in stack.pop().parents:
                    if parent in self.between and parent not in self.stations and parent not in region:
                        region.add(parent)
                        stack.append(parent)
            reached: dict[Node, set[Node]] = {}
            for node in sorted(region, key=lambda n: -n.order):  # the oldest first
                reached[node] = set()
                for parent in node.parents:
                    if parent in self.between:
                        reached[node] |= {parent} if parent in self.stations else reached[parent]
            youngest_first = sorted(region, key=lambda n: n.order)
            self.next[station] = {
                following: [n.primitive.name for n in youngest_first if following in reached[n]]
                for following in reached[station]
            }
        self.next[self.wrt] = {}

    def count(self) -> int:
        """The number of paths over stations."""
        ways: dict[Node, int] = {self.wrt: 1}
        for node in self.order:
            if node in self.stations and node is not self.wrt:
                ways[node] = sum(ways[n] for n in self.next[node])
        return ways[self.loss]

    def paths(self, limit: int) -> Iterator[list[Node]]:
        """Up to ``limit`` paths, each from the loss to ``wrt``."""
        path = [self.loss]
        choices = [self._ordered(self.loss)]
        while choices and limit > 0:
            following = next(choices[-1], None)
            if following is None:
                choices.pop()
                path.pop()
            elif following is self.wrt:
                limit -= 1
                yield [*path, following]
            else:
                path.append(following)
                choices.append(self._ordered(following))

    def _ordered(self, station: Node) -> Iterator[Node]:
        return iter(sorted(self.next[station], key=lambda n: n.order))

    def gradient(self, seed: Any) -> Any:
        """The sum over all paths, as the engine computes it."""
        arrived = self._arrived(self.loss, seed, stops=(self.wrt,))
        return arrived[self.wrt]

    def along(self, path: Sequence[Node], g: Any) -> Any:
        """What one path carries back to ``wrt``."""
        for station, following in pairwise(path):
            g = self._arrived(station, g, self.stations)[following]
        return g

    def _arrived(self, station: Node, g: Any, stops: Collection[Node]) -> dict[Node, Any]:
        steps = replay([(station, g)], stops, self.between)
        return {step.node: step.cotangent for step in steps if step.node in stops and step.node is not station}

    def factors(self, paths: Sequence[Sequence[Node]], max_size: int) -> dict[tuple[Node, Node], Factor]:
        """Every factor of ``paths``."""
        wanted = dict.fromkeys(step for path in paths for step in pairwise(path))
        made: dict[tuple[Node, Node], Factor] = {}
        jacobians: dict[Node, dict[Node, Any]] = {}
        for above, below in wanted:
            if above not in jacobians:
                jacobians[above] = self._jacobians(above, max_size)
            made[above, below] = self._factor(above, below, jacobians[above].get(below))
        return made

    def _jacobians(self, station: Node, max_size: int) -> dict[Node, Any]:
        """Derivatives by the next stations, for as many entries as will be looked at."""
        size = int(np.prod(station.shape, dtype=int))
        small = [n for n in self.next[station] if size * np.prod(n.shape, dtype=int) <= max(max_size, 1)]
        if not small or any(n.dtype.kind == "c" for n in (station, *self.next[station])):
            return {}
        units = np.eye(size, dtype=station.dtype).reshape(size, *station.shape)
        rows = [self._arrived(station, unit, self.stations) for unit in units]
        return {n: np.reshape([row[n] for row in rows], (*station.shape, *n.shape)) for n in small}

    def _factor(self, above: Node, below: Node, value: Any) -> Factor:
        symbol = Symbol.partial(Symbol(self.labels[above]), Symbol(self.labels[below]))
        shape = (*above.shape, *below.shape)
        operations = list(dict.fromkeys(self.next[above][below]))
        rule = filled = ""
        positions = [i for i, parent in enumerate(above.parents) if parent is below]
        if len(self.next[above][below]) == 1 and len(positions) == 1:
            made = equation(above, positions[0], labels=self._labels(above), loss=self.labels[self.loss])
            if shape == ():
                rule, filled = made.factor("text"), made.factor("text", digits=4)
            else:
                rule = f"from {made.text}"
        return Factor(symbol, value, shape, rule, filled, operations)

    def _labels(self, node: Node) -> dict[str, str]:
        """Labels of the arguments and of the output of an operation."""
        return {**self._inputs.get(node, {}), "out": self.labels.get(node, "")}

    @property
    def _inputs(self) -> dict[Node, dict[str, str]]:
        if not hasattr(self, "_known_inputs"):
            boxes = {box.id: box for box in self.snapshot.boxes}
            self._known_inputs: dict[Node, dict[str, str]] = {}
            for edge in self.snapshot.edges:
                source, target = boxes[edge.source], boxes[edge.target].node
                label = self.labels.get(source.node, source.label) if source.node else source.label
                if source.node is None and not label and np.size(source.value) == 1:
                    label = number(source.value)
                if target is not None and label:
                    self._known_inputs.setdefault(target, {})[edge.argument] = label
        return self._known_inputs
