"""What a package declares: its primitives, and their sample calls."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from importlib.util import find_spec
from types import ModuleType
from typing import Any, NamedTuple

from autograd.declare import registry

__all__ = ["Declared", "declared"]


class Declared(NamedTuple):
    """The names of a package's primitives, and its cases by name."""

    primitives: frozenset[str]
    cases: Mapping[str, Any]


def declared(package: str) -> Declared:
    """Import every module of a package, so that its primitives are declared, and find its cases.

    The cases are ``CASES`` of the module or package ``PACKAGE.cases`` where there is one, or else of
    ``PACKAGE`` itself. Raises ImportError if a module cannot be imported, or hypothesis is missing.
    """
    if find_spec("hypothesis") is None:
        raise ImportError('sample calls are drawn with hypothesis: pip install "chainrule[gradcheck]"')
    top = importlib.import_module(package)
    for module in pkgutil.walk_packages(getattr(top, "__path__", ()), f"{package}."):
        if module.name.endswith(".__main__"):
            continue  # a program, not a library
        try:
            importlib.import_module(module.name)
        except ImportError as error:
            raise ImportError(f"'{package}' cannot be swept: its module {module.name} fails: {error}") from error
    inside = f"{package}."
    primitives = {name for name, function in registry.items() if f"{function.__module__}.".startswith(inside)}
    return Declared(frozenset(primitives), _cases(top))


def _cases(top: ModuleType) -> Mapping[str, Any]:
    name = f"{top.__name__}.cases"
    holder = importlib.import_module(name) if hasattr(top, "__path__") and find_spec(name) else top
    cases = getattr(holder, "CASES", {})
    if not isinstance(cases, Mapping):
        raise TypeError(
            f"{holder.__name__}.CASES maps names of primitives to strategies; it is a {type(cases).__name__}"
        )
    return cases
