"""Forward mode: dual numbers, a primal and its tangent, carried through a computation without a tape.

``f(x + ε v) = f(x) + ε J v`` with ``ε² = 0`` (Clifford 1873; Griewank & Walther, ch. 3.1). Each call
of ``jvp`` has a level of its own, so nested derivatives do not mix their tangents up (Siskind &
Pearlmutter 2005, "Perturbation confusion"). A primal may be a Tensor or a dual number of a lower
level: that is how forward mode composes with reverse mode.
"""

from __future__ import annotations

from itertools import count
from typing import Any

from autograd.dispatch import Differentiable, bare
from autograd.memory import Family

__all__ = ["Dual", "levels", "part"]

levels = count(1)


class Dual(Differentiable):
    """A value with its tangent (same shape and dtype) at one level of differentiation."""

    __slots__ = ("__weakref__", "_family", "level", "primal", "tangent")

    def __init__(self, primal: Any, tangent: Any, level: int) -> None:
        self.primal = primal
        self.tangent = tangent
        self.level = level
        self._family: Family | None = None

    def _bare(self) -> Any:
        return bare(self.primal)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.primal.shape

    @property
    def dtype(self) -> Any:
        return self.primal.dtype

    @property
    def ndim(self) -> int:
        return len(self.primal.shape)

    @property
    def size(self) -> int:
        return int(self.primal.size)

    @property
    def requires_grad(self) -> bool:
        return True

    def detach(self) -> Any:
        """The primal, without its tangent and without a graph."""
        primal = self.primal
        return primal.detach() if isinstance(primal, Differentiable) else primal

    def numpy(self) -> Any:
        return self._bare()

    def item(self) -> Any:
        return self._bare().item()

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise TypeError("a value under forward-mode differentiation is not a plain array; use .detach()")

    def __setitem__(self, index: Any, value: Any) -> None:
        if self._family is not None and self._family.others(self):
            raise RuntimeError(
                "'x[...] = y' under forward-mode differentiation, while views of x (or the array that x is a view of) "
                "are alive and would not see the change. Take copies (x.copy()) instead of views."
            )
        self._family = None
        changed = self._with_item(index, value)
        self.primal, self.tangent = changed.primal, changed.tangent

    def __len__(self) -> int:
        return len(self.primal)

    def __bool__(self) -> bool:
        return bool(self._bare())

    def __float__(self) -> float:
        return float(self._bare())

    def __int__(self) -> int:
        return int(self._bare())

    def __repr__(self) -> str:
        return f"Dual({self.primal!r}, tangent={self.tangent!r})"


def part(value: Any, level: int) -> tuple[Any, Any]:
    """Primal and tangent of ``value`` at ``level``; the tangent is None where it has none."""
    if isinstance(value, Dual) and value.level == level:
        return value.primal, value.tangent
    return value, None
