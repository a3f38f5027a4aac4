"""``Tensor``: an array, its gradient, and the node that made it.

Operators and array methods are given to the class by the modules of ``autograd.numpy``.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

import numpy as np

from autograd.dispatch import Differentiable, bare
from autograd.graph import Leaf, Node, propagate, recording
from autograd.memory import Family, touch

__all__ = ["HookHandle", "Tensor", "backward", "share", "wrap"]

_RETAIN = -1  # the key, among a node's hooks, of the one that fills `.grad` of a tensor that is no leaf
_hook_keys = count()


class Tensor(Differentiable):
    """An array that records what is computed from it.

    Parameters
    ----------
    data : array_like
        Held as ``np.asarray(data)`` holds it: same dtype, no copy of an ndarray.
    requires_grad : bool
        Record operations on this tensor so that ``backward()`` can fill ``.grad``.
        Float and complex dtypes only.
    dtype : optional
        Converts ``data``, as in ``np.asarray(data, dtype)``.
    name : str, optional
        Shown in graphs and error messages.

    Raises
    ------
    TypeError
        If ``data`` is not numeric, or requires a gradient itself (detach it first), or if
        ``requires_grad`` is asked of integers.

    Notes
    -----
    Reverse mode accumulates ``∂L/∂x = Σ_y (∂y/∂x)ᵀ ∂L/∂y`` over the operations ``y`` that used ``x``
    (Rumelhart, Hinton & Williams 1986; Baydin et al. 2018, JMLR 18).
    """

    __slots__ = ("__weakref__", "_data", "_family", "_grad", "_node", "name")

    _data: Any
    _node: Node | None
    _grad: Tensor | None
    _family: Family | None
    name: str | None

    def __init__(self, data: Any, requires_grad: bool = False, *, dtype: Any = None, name: str | None = None) -> None:
        if isinstance(data, Differentiable) and getattr(data, "requires_grad", False):
            raise TypeError(
                "Tensor(t) would drop the graph of t; write Tensor(t.detach()), or use t itself. "
                "To build one tensor from several, use autograd.numpy.array or np.stack."
            )
        data = bare(data)
        array = data if hasattr(data, "dtype") and dtype is None else np.asarray(data, dtype=dtype)
        if array.dtype.kind not in "biufc":
            raise TypeError(f"a Tensor holds numbers; got {type(data).__name__} of dtype {array.dtype}")
        self._data = array
        self._node = None
        self._grad = None
        self._family = None
        self.name = name
        if requires_grad:
            self.requires_grad = True

    # ------------------------------------------------------------------ the array

    def _bare(self) -> Any:
        return self._data

    @property
    def shape(self) -> tuple[int, ...]:
        return self._data.shape

    @property
    def dtype(self) -> Any:
        return self._data.dtype

    @property
    def ndim(self) -> int:
        return self._data.ndim

    @property
    def size(self) -> int:
        return self._data.size

    @property
    def itemsize(self) -> int:
        return self._data.itemsize

    @property
    def nbytes(self) -> int:
        return self._data.nbytes

    @property
    def data(self) -> Tensor:
        """The same memory without the graph, as ``detach()``. Assigning replaces the array of a leaf."""
        return self.detach()

    @data.setter
    def data(self, value: Any) -> None:
        array = np.asarray(bare(value))
        if self._node is not None and not self.is_leaf:
            raise RuntimeError("only the data of a leaf tensor can be replaced; this one was computed")
        if self._node is not None and (array.shape != self.shape or array.dtype != self.dtype):
            raise ValueError(
                f"data of shape {array.shape} and dtype {array.dtype} for a tensor that requires a gradient, "
                f"of shape {self.shape} and dtype {self.dtype}"
            )
        self._data = array
        self._family = None

    def numpy(self) -> np.ndarray[Any, Any]:
        """The array itself, sharing memory, without the graph."""
        return np.asarray(self._data)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        if self._node is not None:
            raise TypeError(
                "a tensor that requires a gradient does not turn into a plain array by itself, since its graph "
                "would be lost; write t.numpy() or t.detach()"
            )
        return np.array(self._data, dtype=dtype, copy=copy)

    def item(self, *index: int) -> Any:
        """The only element (or the element at ``index``) as a Python number."""
        return self._data.item(*index)

    def tolist(self) -> Any:
        """Nested lists of Python numbers."""
        return self._data.tolist()

    def __len__(self) -> int:
        if not self._data.shape:
            raise TypeError("len() of a 0-d tensor")
        return len(self._data)

    def __iter__(self) -> Iterator[Any]:
        if not self._data.shape:
            raise TypeError("iteration over a 0-d tensor")
        return (self[i] for i in range(len(self._data)))

    def __contains__(self, item: Any) -> bool:
        return bool(np.any(self._data == bare(item)))

    def __bool__(self) -> bool:
        return bool(self._data)

    def __float__(self) -> float:
        return float(self._data)

    def __int__(self) -> int:
        return int(self._data)

    def __complex__(self) -> complex:
        return complex(self._data)

    def __index__(self) -> int:
        return self._data.__index__()

    def __format__(self, spec: str) -> str:
        return format(self._data.item(), spec) if spec and self.size == 1 else format(str(self), spec)

    def __repr__(self) -> str:
        text = np.array2string(np.asarray(self._data), separator=", ", prefix="Tensor(")
        notes = [] if self.size else [f"shape={self.shape}"]
        if self.name is not None:
            notes.append(f"name={self.name!r}")
        if str(self.dtype) not in ("float64", "int64", "bool", "complex128"):
            notes.append(f"dtype={self.dtype}")
        if self._node is not None:
            notes.append("requires_grad=True" if self.is_leaf else f"made by {self._node.primitive.name}")
        return f"{type(self).__name__}({', '.join([text, *notes])})"

    # ------------------------------------------------------------------ the graph

    @property
    def requires_grad(self) -> bool:
        """Whether operations on this tensor are recorded."""
        return self._node is not None

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if bool(value) == (self._node is not None):
            return
        if not value:
            if not self.is_leaf:
                raise RuntimeError("requires_grad of a computed tensor cannot be turned off; use t.detach()")
            self._node = None
            return
        if self.dtype.kind not in "fc":
            raise TypeError(
                f"only float and complex tensors can require gradients; this one has dtype {self.dtype}. "
                "Convert it first: Tensor(x, dtype=float, requires_grad=True) or x.astype(float)"
            )
        self._node = Leaf(weakref.ref(self), self.shape, self.dtype)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set ``requires_grad`` in place and return the tensor."""
        self.requires_grad = requires_grad
        return self

    @property
    def is_leaf(self) -> bool:
        """True unless an operation recorded this tensor."""
        return self._node is None or isinstance(self._node, Leaf)

    @property
    def grad(self) -> Tensor | None:
        """The gradient accumulated by ``backward()``: shape and dtype of the tensor, or None."""
        return self._grad

    @grad.setter
    def grad(self, value: Any) -> None:
        if value is not None:
            if not isinstance(value, Tensor):
                value = Tensor(value)
            if value.shape != self.shape or value.dtype != self.dtype:
                raise ValueError(
                    f"a gradient of shape {value.shape} and dtype {value.dtype} "
                    f"for a tensor of shape {self.shape} and dtype {self.dtype}"
                )
            value._data = np.asarray(value._data)  # a NumPy scalar has no memory that could be changed
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self._grad = None

    def detach(self) -> Tensor:
        """The same memory as a tensor without a graph."""
        detached = wrap(self._data, None)
        detached.name = self.name
        share(self, detached)
        return detached

    def retain_grad(self) -> None:
        """Keep the gradient of a computed tensor in ``.grad`` too; no effect on leaves.

        Raises RuntimeError if the tensor does not require a gradient.
        """
        node = self._node
        if node is None:
            raise RuntimeError("retain_grad() on a tensor that does not require a gradient")
        if isinstance(node, Leaf):
            return
        this = weakref.ref(self)

        def keep(g: Any) -> None:
            tensor = this()
            if tensor is not None:
                _accumulate(tensor, g, owned=False)

        node.hooks = {**(node.hooks or {}), _RETAIN: keep}

    def register_hook(self, hook: Callable[[Tensor], Any]) -> HookHandle:
        """Call ``hook(gradient)`` when the gradient of this tensor is known; a returned value replaces it.

        Returns a handle whose ``remove()`` takes the hook away. Raises RuntimeError if the tensor
        does not require a gradient, and ValueError in backward for a replacement of another shape.
        """
        node = self._node
        if node is None:
            raise RuntimeError("register_hook() on a tensor that does not require a gradient")

        def call(g: Any) -> Any:
            replaced = hook(g if isinstance(g, Tensor) else wrap(g, None))
            if replaced is None:
                return None
            if np.shape(replaced) != node.shape:
                raise ValueError(
                    f"a hook returned a gradient of shape {np.shape(replaced)} for a tensor of shape {node.shape}"
                )
            if isinstance(g, Tensor):
                return replaced if isinstance(replaced, Tensor) else wrap(np.asarray(replaced, node.dtype), None)
            return np.asarray(bare(replaced), node.dtype)

        key = next(_hook_keys)
        hooks = {**(node.hooks or {}), key: call}
        if _RETAIN in hooks:  # what is retained is the gradient after all hooks
            hooks[_RETAIN] = hooks.pop(_RETAIN)
        node.hooks = hooks
        return HookHandle(node, key)

    def backward(
        self,
        gradient: Any = None,
        retain_graph: bool = False,
        create_graph: bool = False,
        inputs: Sequence[Tensor] | None = None,
    ) -> None:
        """Add the gradient of this tensor to ``.grad`` of every leaf it was computed from.

        Parameters
        ----------
        gradient : array_like, optional
            The cotangent: shape of this tensor, dtype convertible to its dtype. One for a tensor with
            one element; required otherwise.
        retain_graph : bool
            Keep what the graph has saved, for another pass.
        create_graph : bool
            Record the backward pass itself, for gradients of gradients; keeps the graph.
        inputs : sequence of tensors, optional
            Fill ``.grad`` of these tensors only.

        Raises
        ------
        RuntimeError
            If the tensor does not require a gradient, if it has several elements and no ``gradient``
            is given, if the graph was released, or if a saved array was changed in place.
        ValueError, TypeError
            If ``gradient`` has another shape, a dtype that does not convert, or a NaN.
        """
        backward(self, gradient, retain_graph, create_graph, inputs)

    # ------------------------------------------------------------------ change in place

    def _update(self, operation: str, function: Callable[..., Any], ufunc: Any, other: Any) -> Tensor:
        """``self = ufunc(self, other)`` in place: recorded where a gradient needs it, else in memory."""
        if self._records(other):
            return self._rebind(operation, function(self, other))
        other = bare(other)
        if not isinstance(self._data, np.ndarray):  # a NumPy scalar, which has no memory to change
            self._data = np.array(self._data)
        ufunc(self._data, other, out=self._data)
        touch(self._data, operation=operation)
        return self

    def _records(self, other: Any) -> bool:
        """Whether changing this tensor by ``other`` must be recorded."""
        return recording.get() and (self._node is not None or getattr(other, "requires_grad", False))

    def _rebind(self, operation: str, result: Any) -> Tensor:
        """Make this tensor the recorded ``result``: new memory, so nothing that was saved changes."""
        if not isinstance(result, Tensor):
            raise TypeError(
                f"'{operation}' cannot put a forward-mode value into a Tensor; write x = x + y instead of x += y"
            )
        if isinstance(self._node, Leaf):
            raise RuntimeError(
                f"'{operation}' would change a leaf tensor that requires a gradient while recording. "
                "Do it inside no_grad(), or on a copy (x = x.copy())."
            )
        relatives = self._family.others(self) if self._family is not None else 0
        if relatives:
            raise RuntimeError(
                f"'{operation}' has to be recorded, and {relatives} other live tensor(s) share this tensor's "
                "memory (views of it, or the tensor it is a view of), which would not see the change. "
                "Write x = x + y instead of x += y, h[i] = h[i] + y instead of h[i] += y, or take copies (t.copy()) "
                "instead of views."
            )
        if result.shape != self.shape:
            raise ValueError(f"'{operation}' cannot put a result of shape {result.shape} into shape {self.shape}")
        if result.dtype != self.dtype:
            if not np.can_cast(result.dtype, self.dtype, "same_kind"):
                raise TypeError(f"'{operation}' cannot put a result of dtype {result.dtype} into {self.dtype}")
            result = result.astype(self.dtype)
        retained = self._node is not None and _RETAIN in (self._node.hooks or {})
        if retained:
            self._node.hooks.pop(_RETAIN)  # type: ignore[union-attr]
        self._data = result._data
        self._node = result._node
        self._family = None
        if retained:
            self.retain_grad()
        return self

    # ------------------------------------------------------------------ copies

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        self._refuse_computed("deepcopy")
        twin = _rebuild(type(self), self._data.copy(), self.requires_grad, self.name)
        if self._grad is not None:
            twin._grad = wrap(self._grad._data.copy(), None)
        twin.__setstate__(getattr(self, "__dict__", {}))
        memo[id(self)] = twin
        return twin

    def __reduce_ex__(self, protocol: Any) -> Any:
        self._refuse_computed("pickle")
        state = getattr(self, "__dict__", None) or None
        return _rebuild, (type(self), self._data, self.requires_grad, self.name), state

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)

    def _refuse_computed(self, what: str) -> None:
        if not self.is_leaf:
            raise RuntimeError(f"only leaf tensors can be copied or pickled ({what}); use t.detach() first")


def _rebuild(cls: type[Tensor], data: Any, requires_grad: bool, name: str | None) -> Tensor:
    tensor = cls.__new__(cls)
    Tensor.__init__(tensor, data, requires_grad, name=name)
    return tensor


class HookHandle:
    """What ``register_hook`` returns; ``remove()`` takes the hook away, once or more often."""

    __slots__ = ("_key", "_node")

    def __init__(self, node: Node, key: int) -> None:
        self._node = node
        self._key = key

    def remove(self) -> None:
        if self._node.hooks:
            self._node.hooks.pop(self._key, None)


_new = object.__new__


def wrap(data: Any, node: Node | None) -> Tensor:
    """A tensor around ``data`` as it is, without checks: for results of operations."""
    tensor = _new(Tensor)
    tensor._data = data
    tensor._node = node
    tensor._grad = None
    tensor._family = None
    tensor.name = None
    return tensor


def share(base: Any, view: Any) -> None:
    """Note that two tensors, or dual numbers, look at the same memory."""
    family = base._family
    if family is None:
        family = base._family = Family()
        family.add(base)
    family.add(view)
    view._family = family


# ---------------------------------------------------------------------- backward


def backward(
    output: Tensor,
    gradient: Any = None,
    retain_graph: bool = False,
    create_graph: bool = False,
    inputs: Sequence[Tensor] | None = None,
) -> None:
    """``output.backward(...)`` as a function; see :meth:`Tensor.backward`."""
    node = output._node
    if node is None:
        raise RuntimeError(
            "backward() on a tensor that does not require a gradient: no operation on a tensor with "
            "requires_grad=True was recorded on the way to it"
        )
    targets = None if inputs is None else _targets(inputs)
    seed = _seed(output, gradient, create_graph)
    token = recording.set(bool(create_graph))
    try:
        arrived = propagate(
            [(node, seed)], targets, release=not (retain_graph or create_graph), create_graph=create_graph
        )
    finally:
        recording.reset(token)
    handed_out = {id(seed)}  # arrays that somebody holds already; each .grad gets memory of its own
    if inputs is None:
        receivers: list[tuple[Any, Any]] = [(leaf.tensor(), leaf) for leaf in arrived if isinstance(leaf, Leaf)]
    else:
        receivers = [(x, x._node) for x in inputs if x._node in arrived]
    for tensor, leaf in receivers:
        if tensor is None:
            continue
        g = arrived[leaf]
        _accumulate(tensor, g, owned=not leaf.hooks and id(g) not in handed_out)
        handed_out.add(id(g))


def _targets(inputs: Sequence[Tensor]) -> frozenset[Node]:
    if not inputs:
        raise ValueError("backward(inputs=...) needs at least one tensor")
    nodes = [x._node for x in inputs]
    if any(node is None for node in nodes):
        raise RuntimeError("backward(inputs=...) names a tensor that does not require a gradient")
    return frozenset(nodes)  # type: ignore[arg-type]


def _seed(output: Tensor, gradient: Any, create_graph: bool) -> Any:
    """The cotangent to start from: an array, or a tensor where the backward pass is recorded."""
    if gradient is None:
        if output.size != 1:
            raise RuntimeError(
                f"backward() on a tensor of shape {output.shape} needs a gradient of that shape; "
                "for a gradient without one, reduce to a scalar first (loss.sum().backward())"
            )
        if output.dtype.kind == "c":
            raise RuntimeError("backward() on a complex tensor needs a gradient; take its real part or abs first")
        one = np.ones(output.shape, output.dtype)
        return wrap(one, None) if create_graph else one
    seed = gradient if isinstance(gradient, Tensor) else Tensor(gradient)
    if seed.shape != output.shape:
        raise ValueError(f"a gradient of shape {seed.shape} for a tensor of shape {output.shape}")
    if not np.can_cast(seed.dtype, output.dtype, "same_kind"):
        raise TypeError(f"a gradient of dtype {seed.dtype} for a tensor of dtype {output.dtype}")
    if np.isnan(seed._data).any():
        raise ValueError("the gradient given to backward() contains NaN")
    if seed.dtype != output.dtype:
        seed = seed.astype(output.dtype)
    return seed if create_graph else seed._data


def _accumulate(tensor: Tensor, g: Any, *, owned: bool) -> None:
    """Add ``g`` to ``tensor.grad``. An array that others may hold is copied, so ``.grad`` can be changed in place."""
    if isinstance(g, Tensor):
        tensor._grad = g if tensor._grad is None else tensor._grad + g
        tensor._grad._data = np.asarray(tensor._grad._data)
        return
    if tensor._grad is not None:
        g = tensor._grad._data + g
    elif isinstance(g, np.ndarray) and not (owned and g.base is None and g.flags.writeable):
        g = np.array(g)
    tensor._grad = wrap(np.asarray(g), None)
