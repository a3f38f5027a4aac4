"""``Optimizer``: parameters in groups, their state, and the step that updates them in place."""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from numbers import Real
from typing import Any

import numpy as np

from autograd import Tensor, enable_grad
from autograd.dispatch import bare
from autograd.kernels import is_fusable
from autograd.memory import touch
from nn.hooks import Handle, Hooks
from optim.bundle import Single, bundles, working_dtype

__all__ = ["Optimizer", "check_betas", "check_fraction", "check_not_negative", "prepared"]


class Optimizer:
    """Base class of optimisers.

    Parameters
    ----------
    params : iterable of Tensor, of (name, Tensor) pairs, or of dicts
        Leaf tensors, or groups: dicts with the key "params" and options that differ from the defaults.
    defaults : dict
        Options of groups that do not give their own.

    Raises
    ------
    TypeError
        For what is no float or complex tensor, a set (it has no order), an option that does not exist.
    ValueError
        For no parameters, a computed tensor, a parameter given twice, an option out of range.

    Notes
    -----
    ``param_groups`` is a list of dicts whose options may be changed between steps. ``state[p]`` is a dict
    of the arrays that ``state_names`` lists, in the parameter's shape, and the number of steps taken. A
    subclass defines ``state_names`` and ``update``; marked with :func:`autograd.kernels.fusable`, ``update`` runs in
    one pass over memory where the compiled kernels are there. Parameters of dtype float16 are updated in float32
    and keep their state in it.
    """

    whole = False  # whether ``update`` sees each parameter by itself, in its shape, rather than pieces of vectors
    derived_state: tuple[str, ...] = ()  # entries of PyTorch's states that follow from the number of steps

    def __init__(self, params: Iterable[Any], defaults: Mapping[str, Any]) -> None:
        if isinstance(params, (Tensor, np.ndarray, str)):
            raise TypeError(f"params is an iterable of tensors or of dicts, not one {type(params).__name__}")
        self.defaults = dict(defaults)
        self.param_groups: list[dict[str, Any]] = []
        self.state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        self._before_step: dict[int, Any] = {}
        self._after_step: dict[int, Any] = {}
        self._plans: dict[int, tuple[list[Any], tuple[tuple[str, ...], bool], list[Any]]] = {}
        entries = _ordered(params)
        if not entries:
            raise ValueError("the optimizer got no parameters; was the iterator used up before?")
        for group in entries if isinstance(entries[0], Mapping) else [{"params": entries}]:
            self.add_param_group(group)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_plans": {}}  # whose arrays are views of each other, which a pickle forgets

    # ------------------------------------------------------------------ what a subclass defines

    def check(self, options: Mapping[str, Any]) -> None:
        """Raise ValueError for options out of range."""

    def state_names(self, options: Mapping[str, Any]) -> tuple[str, ...]:
        """Names of the arrays kept for every parameter; they start at zero."""
        return ()

    def fresh_state(self, p: Tensor, options: Mapping[str, Any]) -> dict[str, Any]:
        """The arrays that the state of a parameter starts from, where an update sees it as a ``whole``."""
        return {name: np.zeros(p.shape, working_dtype(p.dtype)) for name in self.state_names(options)}

    def update(self, w: Any, g: Any, state: dict[str, Any], step: int, options: Mapping[str, Any]) -> None:
        """Change the weights ``w`` and the arrays of ``state`` in place, given the gradient ``g`` to leave alone.

        All are real vectors of one length, a piece of one parameter or several, or stand-ins for them where
        :func:`autograd.kernels.fusable` marks it; or where the class says ``whole`` of the parameter's shape.
        ``step`` counts from 1.
        """
        raise NotImplementedError(f"{type(self).__name__} defines no update()")

    # ------------------------------------------------------------------ steps

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient; returns what ``closure`` returns.

        ``closure`` clears the gradients, computes the loss, calls ``backward()`` and returns the loss.
        Raises ValueError, before anything is changed, for a parameter whose memory is read-only and for a
        gradient that does not fit its parameter.
        """
        for hook in list(self._before_step.values()):
            hook(self)
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        plans = [self._plan(i, group) for i, group in enumerate(self.param_groups)]
        for group, plan in zip(self.param_groups, plans, strict=True):
            for bundle in plan:
                bundle.update(partial(self.update, options=group))
        changed = [p._data for group in self.param_groups for p in group["params"] if p._grad is not None]
        touch(*changed, operation=f"{type(self).__name__}.step")
        for hook in list(self._after_step.values()):
            hook(self)
        return loss

    def register_step_pre_hook(self, hook: Callable[[Optimizer], Any]) -> Handle:
        """Call ``hook(optimizer)`` before every step; the handle's ``remove()`` ends that."""
        return Hooks.add(self._before_step, hook, prepend=False)

    def register_step_post_hook(self, hook: Callable[[Optimizer], Any]) -> Handle:
        """Call ``hook(optimizer)`` after every step; the handle's ``remove()`` ends that."""
        return Hooks.add(self._after_step, hook, prepend=False)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients, or replace them by zeros."""
        for p in chain.from_iterable(group["params"] for group in self.param_groups):
            if p.grad is not None:
                p.grad = None if set_to_none else np.zeros(p.shape, p.dtype)

    def _plan(self, index: int, group: dict[str, Any]) -> list[Any]:
        """Bundles of the group's parameters that have gradients: the last step's if nothing is different."""
        active = [p for p in group["params"] if p._grad is not None]
        states = [self.state[p] for p in active]
        memory = [*[p._data for p in active], *states]
        names, mark = self.state_names(group), is_fusable(self.update)
        plan: list[Any]
        known_memory, known, plan = self._plans.get(index, (None, None, []))
        if not _same(memory, known_memory) or (names, mark) != known or not all(b.is_current() for b in plan):
            for p in active:
                _check_updatable(p)
            if self.whole:
                pairs = zip(active, states, strict=True)
                plan = [Single(p, state, self.fresh_state(p, group)) for p, state in pairs]
            else:
                plan = list(bundles(active, states, names, mark))
            self._plans[index] = memory, (names, mark), plan
        return plan

    # ------------------------------------------------------------------ groups

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Add parameters with options of their own; raises as the constructor does, changing nothing."""
        if not isinstance(param_group, Mapping) or "params" not in param_group:
            raise TypeError('a parameter group is a dict with the key "params"')
        unknown = param_group.keys() - self.defaults.keys() - {"params", "param_names", "initial_lr"}
        if unknown:
            raise TypeError(f"{type(self).__name__} has no option {', '.join(sorted(unknown))}")
        group = {**param_group, **_named(param_group["params"])}
        for name, default in self.defaults.items():
            group.setdefault(name, default)
        self.check(group)
        known = {id(p) for g in self.param_groups for p in g["params"]}
        for p in group["params"]:
            _check_parameter(p)
            if id(p) in known:
                raise ValueError(f"a parameter of shape {p.shape} is given twice")
            known.add(id(p))
        for p in group["params"]:
            p._data = np.asarray(p._data)  # a NumPy scalar has no memory that could be changed
        self.param_groups.append(group)

    # ------------------------------------------------------------------ state

    def state_dict(self) -> dict[str, Any]:
        """Options and state, parameters numbered in the order of the groups; the arrays are not copied."""
        params = [p for group in self.param_groups for p in group["params"]]
        number = {id(p): i for i, p in enumerate(params)}
        return {
            "state": {number[id(p)]: dict(state) for p, state in self.state.items() if state},
            "param_groups": [
                {**group, "params": [number[id(p)] for p in group["params"]]} for group in self.param_groups
            ],
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over options and copies of the state from ``state_dict()`` of an optimiser of like groups.

        Options that it lacks stay as they are. Raises ValueError, before anything is changed, for other numbers of
        groups or parameters, arrays of another shape than their parameter, and the state of another kind of optimiser.
        """
        if not isinstance(state_dict, Mapping) or not {"state", "param_groups"} <= state_dict.keys():
            raise ValueError('load_state_dict() takes what state_dict() gave: a dict with "state" and "param_groups"')
        groups = [{**ours, **new} for ours, new in self._paired(state_dict["param_groups"])]
        loaded = {}
        for ours, new in zip(self.param_groups, groups, strict=True):
            self.check(new)
            for i, p in zip(new["params"], ours["params"], strict=True):
                loaded[p] = self._entries(self._own(state_dict["state"].get(i, {}), p, new), p)
        self.state = defaultdict(dict, {p: state for p, state in loaded.items() if state})
        for ours, new in zip(self.param_groups, groups, strict=True):
            ours.update({name: value for name, value in new.items() if name != "params"})

    def _paired(self, groups: Sequence[Mapping[str, Any]]) -> Iterator[tuple[dict[str, Any], Mapping[str, Any]]]:
        ours = [len(group["params"]) for group in self.param_groups]
        theirs = [len(group["params"]) for group in groups]
        if ours != theirs:
            raise ValueError(f"the state is of groups of {theirs} parameters; this optimizer has groups of {ours}")
        return zip(self.param_groups, groups, strict=True)

    def _own(self, state: Mapping[str, Any], p: Tensor, options: Mapping[str, Any]) -> dict[str, Any]:
        """The entries of a loaded state but for what follows from the number of steps."""
        own = {name: x for name, x in state.items() if x is not None and name not in self.derived_state}
        known = {"step", *self.fresh_state(p, options)}
        if not own.keys() <= known:
            raise ValueError(
                f"the state has {', '.join(sorted(own.keys() - known))}, which {type(self).__name__} does not keep: "
                "it is that of another optimizer"
            )
        return own

    def state_shape(self, name: str, p: Tensor) -> tuple[int, ...]:
        """The shape of an entry of a parameter's state."""
        return p.shape

    def _entries(self, state: Mapping[str, Any], p: Tensor) -> dict[str, Any]:
        """A loaded state of one parameter: the number of steps as an int, everything else as copied arrays."""
        loaded: dict[str, Any] = {"step": int(bare(state.get("step", 1)))} if state else {}
        for name, value in state.items():
            if name == "step" or value is None:
                continue
            array = np.asarray(bare(value)).astype(working_dtype(p.dtype))
            if array.shape != self.state_shape(name, p):
                raise ValueError(f"state '{name}' has shape {array.shape}; its parameter has {p.shape}")
            loaded[name] = array
        return loaded

    def __repr__(self) -> str:
        lines = []
        for i, group in enumerate(self.param_groups):
            count = sum(p.size for p in group["params"])
            lines.append(f"  group {i}: {len(group['params'])} tensors, {count:,} parameters")
            lines += [f"    {name}: {value}" for name, value in group.items() if not name.startswith("param")]
        return "\n".join([f"{type(self).__name__}(", *lines, ")"])


# ---------------------------------------------------------------------- what updates share


def prepared(w: Any, g: Any, options: Mapping[str, Any]) -> Any:
    """The gradient with the options' sign and L2 penalty; decoupled weight decay shrinks ``w`` in place instead."""
    if options["maximize"]:
        g = -g
    decay = float(options["weight_decay"])
    if not decay:
        return g
    if options.get("decoupled_weight_decay"):
        w *= 1 - float(options["lr"]) * decay
        return g
    return g + decay * w


# ---------------------------------------------------------------------- checks


def check_not_negative(options: Mapping[str, Any], *names: str) -> None:
    """Raise ValueError unless these options are numbers, zero or more."""
    for name in names:
        value = options[name]
        if not isinstance(value, Real) or not float(value) >= 0:
            raise ValueError(f"{name} is a number, 0 or more; got {value!r}")


def check_fraction(name: str, value: Any) -> None:
    """Raise ValueError unless ``0 ≤ value < 1``."""
    if not isinstance(value, Real) or not 0 <= float(value) < 1:
        raise ValueError(f"{name} lies in [0, 1); got {value!r}")


def check_betas(options: Mapping[str, Any]) -> None:
    """Raise ValueError unless ``betas`` are two numbers in [0, 1)."""
    beta1, beta2 = options["betas"]
    check_fraction("betas[0]", beta1)
    check_fraction("betas[1]", beta2)


def _check_parameter(p: Any) -> None:
    if not isinstance(p, Tensor):
        raise TypeError(f"an optimizer takes Tensors; got {type(p).__name__}")
    if p.dtype.kind not in "fc":
        raise TypeError(f"an optimizer takes float or complex tensors; got dtype {p.dtype}")
    if not p.is_leaf:
        raise ValueError("an optimizer cannot change a computed tensor; give it the leaves, such as model.parameters()")


def _check_updatable(p: Tensor) -> None:
    if not p._data.flags.writeable:
        raise ValueError(f"a parameter of shape {p.shape} lies in read-only memory; give the model a copy of the array")
    if p.grad is not None and (p.grad.shape != p.shape or p.grad.dtype != p.dtype):
        raise ValueError(
            f"a gradient of shape {p.grad.shape} and dtype {p.grad.dtype} is left over for a parameter that now has "
            f"shape {p.shape} and dtype {p.dtype}; call zero_grad() first"
        )


def _same(memory: list[Any], known: list[Any] | None) -> bool:
    """Whether these are the very arrays and states of the last step; their shapes and dtypes need no look then."""
    return known is not None and len(memory) == len(known) and all(map(operator.is_, memory, known))


def _ordered(params: Iterable[Any]) -> list[Any]:
    if isinstance(params, (set, frozenset)):
        raise TypeError("a set of parameters has no fixed order; give a list")
    return list(params)


def _named(params: Any) -> dict[str, Any]:
    """``params`` as a list, and ``param_names`` where (name, parameter) pairs were given."""
    entries = [params] if isinstance(params, Tensor) else _ordered(params)
    if entries and all(isinstance(entry, tuple) for entry in entries):
        return {"params": [p for _, p in entries], "param_names": [name for name, _ in entries]}
    return {"params": entries}
