"""What is checked: a function of arrays, each with a name for the report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograd.dispatch import bare
from autograd.gradcheck.parameters import Parameters
from autograd.gradcheck.state import State
from autograd.gradcheck.vectors import Array, Function, Map, Run, dtype_of
from autograd.graph import enable_grad, no_grad
from autograd.tensor import Tensor
from autograd.transforms import vjp
from autograd.tree import flatten

__all__ = ["Problem", "opened"]


@dataclass
class Problem:
    """A function of differentiable arrays alone.

    Attributes
    ----------
    function : takes the arrays, or tensors or dual numbers in their place; returns a list
    arrays : the point at which it is checked
    names : what the report calls them
    outputs : what the report calls the outputs; None for the numbers 0, 1, …
    fixed : positions that forward mode cannot reach
    given : how many of the arrays are arguments of the user's function
    state : what is put back after each call
    known : a dtype that the function computes in, though it may return wider ones
    """

    function: Function
    arrays: list[Array]
    names: list[str]
    outputs: list[str] | None = None
    fixed: frozenset[int] = frozenset()
    given: int = 0
    state: State | None = None
    known: Any = np.float64

    def gradient(self, cotangents: Sequence[Array]) -> Problem:
        """``(x, v) ↦ vᵀ J(x)``, to be differentiated in turn."""
        with no_grad():
            known = Map(self.function, self.arrays, self.known).precision
        function, arguments = self.function, len(self.arrays)

        def gradient(values: Sequence[Any]) -> list[Any]:
            with enable_grad():
                _, pull = vjp(lambda *xs: function(xs), *values[:arguments])
            return list(pull(list(values[arguments:])))

        several = len(cotangents) > 1
        names = [f"cotangent {k}" if several else "cotangent" for k in range(len(cotangents))]
        return Problem(
            gradient,
            [*self.arrays, *cotangents],
            [*self.names, *names],
            [f"gradient of {name}" for name in self.names],
            self.fixed,
            self.given,
            self.state,
            known,
        )


def opened(f: Callable[..., Any], inputs: Any, *, parameters: bool) -> Problem:
    """``f`` as a function of its float arguments, and of the parameters that it is closed over.

    A Tensor that stands in several places is one argument. Integers and whatever is no number stay.
    """
    leaves, rebuild = flatten(tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,))
    arrays: list[Array] = []
    places: list[int | None] = []
    known: dict[int, int] = {}
    for leaf in leaves:
        if isinstance(leaf, Tensor) and id(leaf) in known:
            places.append(known[id(leaf)])
        elif leaf is not None and not isinstance(leaf, str) and dtype_of(leaf).kind in "fc":
            known[id(leaf)] = len(arrays)
            places.append(len(arrays))
            arrays.append(np.array(bare(leaf), order="K"))
        else:
            places.append(None)
    state = State(f)

    def function(values: Sequence[Any]) -> list[Any]:
        full = [leaf if p is None else values[p] for leaf, p in zip(leaves, places, strict=True)]
        with state:
            outputs = [y for y in flatten(f(*rebuild(full)))[0] if dtype_of(y).kind in "fcO"]
        if not outputs or any(dtype_of(y).kind == "O" for y in outputs):
            raise TypeError("gradcheck() needs a function with float or complex outputs, alone or in containers")
        return outputs

    problem = Problem(function, arrays, [f"input {i}" for i in range(len(arrays))], given=len(arrays), state=state)
    if parameters:
        first = Run(function, [a.copy() for a in arrays])
        found = Parameters(f, first.outputs, first.leaves)
        problem = _with_parameters(problem, found) if found.tensors else problem
    if not problem.arrays:
        raise TypeError("gradcheck() needs a float or complex input; convert it first: np.asarray(x, dtype=float)")
    return problem


def _with_parameters(problem: Problem, found: Parameters) -> Problem:
    count = len(problem.arrays)

    def function(values: Sequence[Any]) -> list[Any]:
        with found.set_to(values[count:]):
            return problem.function(values[:count])

    fixed = [count + i for i, places in enumerate(found.places) if not places]
    names = [f"parameter {name}" for name in found.names]
    arrays = [np.array(t.detach().numpy(), order="K") for t in found.tensors]
    return Problem(
        function,
        [*problem.arrays, *arrays],
        [*problem.names, *names],
        fixed=frozenset(fixed),
        given=problem.given,
        state=problem.state,
    )
