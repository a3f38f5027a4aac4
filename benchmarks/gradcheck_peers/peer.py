"""What every checker's process has in common: it reads requests from standard input and answers each with a line."""

from __future__ import annotations

import importlib.util
import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy

TESTS = Path(__file__).resolve().parents[2] / "tests"
TIMED = {
    "network, 37 inputs": "network",
    "matrix product, 20 inputs": "matrix product",
    "sum over 40 inputs": "tanh, summed over 40",
    "recurrence, 12 inputs": "recurrence of 20 steps",
}


def table(name: str) -> Any:
    """A module of the tests that names no library, loaded without the folder that holds this one."""
    spec = importlib.util.spec_from_file_location(name, TESTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


bugs, functions = table("gradcheck_bugs"), table("gradcheck_functions")


def given(rule: Callable[..., Any], **values: Any) -> Any:
    """``rule`` called with those values that it names."""
    code = rule.__code__
    return rule(*(values[name] for name in code.co_varnames[: code.co_argcount]))


def names_of(function: Callable[..., Any]) -> tuple[str, ...]:
    code = function.__code__
    return code.co_varnames[: code.co_argcount]


class Library:
    """How mistakes are declared in a library; ``lacks`` are the abilities that it has not."""

    np: Any
    lacks: frozenset[str] = frozenset()

    def need(self, ability: str) -> None:
        if ability in self.lacks:
            raise bugs.NotExpressibleError(ability)


# (function, inputs, order, mode, whether rules of one's own are in it, level) ↦ None, or raises
Check = Callable[[Callable[..., Any], list[Any], int, str, bool, str], None]


def answer(request: dict[str, Any], lib: Library, check: Check) -> dict[str, Any]:
    rng = numpy.random.default_rng(request.get("seed", 0))
    numpy.random.seed(request.get("seed", 0))
    kind, level = request["kind"], request.get("level", "default")
    try:
        if kind == "bug":
            bug = bugs.BUGS[request["name"]]
            f, inputs = bug.setup(lib, rng)
            order, mode = bug.order, bug.mode
        else:
            f, inputs = functions.FUNCTIONS[TIMED.get(request["name"], request["name"])](lib, rng)
            order, mode = 1, "any"
    except bugs.NotExpressibleError as error:
        return {"inexpressible": str(error)}
    start = time.perf_counter()
    try:
        for _ in range(request.get("times", 1)):
            check(f, inputs, order, mode, kind == "bug", level)
    except bugs.NotExpressibleError as error:
        return {"inexpressible": str(error)}
    except Exception as error:
        return {"passed": False, "why": f"{type(error).__name__}: {error}"[:300]}
    return {"passed": True, "seconds": time.perf_counter() - start}


def serve(lib: Library, check: Check) -> None:
    warnings.simplefilter("ignore")
    numpy.seterr(all="ignore")
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line), lib, check)), flush=True)
