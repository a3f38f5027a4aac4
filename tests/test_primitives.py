"""The sweep: every primitive of the library, on generated inputs, in every mode and order."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd import Tensor
from autograd.cases import CASES as OF_AUTOGRAD
from autograd.cases import Case
from autograd.dispatch import bare
from autograd.gradcheck import gradcheck, gradgradcheck
from autograd.tree import flatten
from nn.cases import CASES as OF_NN

ROOT = Path(__file__).resolve().parent.parent

CASES = {**OF_AUTOGRAD, **OF_NN}

# In a fresh interpreter, since tests declare primitives of their own.
LIST_DECLARED = """
import importlib, pkgutil
for package in ("autograd", "nn", "optim"):
    top = importlib.import_module(package)
    for module in pkgutil.walk_packages(top.__path__, package + "."):
        importlib.import_module(module.name)
from autograd import registry
print(*registry, sep="\\n")
"""


def test_every_primitive_has_a_case():
    listed = subprocess.run(
        [sys.executable, "-c", LIST_DECLARED], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    declared = set(listed.stdout.split("\n")) - {""}
    assert declared
    without = ", ".join(sorted(declared - CASES.keys()))
    unknown = ", ".join(sorted(CASES.keys() - declared))
    assert not without, f"primitives without a case: {without}"
    assert not unknown, f"cases of primitives that are not declared: {unknown}"


# ---------------------------------------------------------------------- what must hold of a case


def outputs_of(function: Callable[..., Any], values: Sequence[Any]) -> list[Any]:
    return flatten(function(*values))[0]


def gradients_of(function: Callable[..., Any], arrays: Sequence[np.ndarray], seed: int = 0) -> list[np.ndarray]:
    """Gradients for cotangents that depend on the outputs' shapes alone."""
    leaves = [Tensor(x, requires_grad=True) for x in arrays]
    rng = np.random.default_rng(seed)
    for y in outputs_of(function, leaves):
        v = rng.standard_normal(np.shape(y))
        if isinstance(y, Tensor) and y.requires_grad:
            y.backward(v.astype(y.dtype), retain_graph=True)
    return [np.zeros(x.shape, x.dtype) if x.grad is None else x.grad.numpy() for x in leaves]


def single(case: Case) -> list[np.ndarray]:
    return [np.asarray(x, np.float32) for x in case.inputs]


def tensors_compute_what_arrays_do(case: Case) -> None:
    for inputs in (case.inputs, single(case)):
        plain = outputs_of(case.function, inputs)
        recorded = outputs_of(case.function, [Tensor(x, requires_grad=True) for x in inputs])
        assert not any(isinstance(y, Tensor) for y in plain)
        for expected, got in zip(plain, map(bare, recorded), strict=True):
            assert np.asarray(got).dtype == np.asarray(expected).dtype
            np.testing.assert_allclose(got, expected, rtol=1e-12 if inputs is case.inputs else 1e-4, atol=1e-6)


def gradients_agree_with_differences_and_forward_mode(case: Case) -> None:
    gradcheck(case.function, case.inputs, forward=True)


def gradients_of_gradients_agree(case: Case) -> None:
    gradgradcheck(case.function, case.inputs, forward=True)


def float32_stays_float32(case: Case) -> None:
    low = single(case)
    if any(np.asarray(y).dtype == np.float64 for y in outputs_of(case.function, low)):
        return  # the function itself computes in float64
    wide = [x.astype(np.float64) for x in low]
    exact = gradients_of(case.function, wide)
    # What a relative change of the inputs by float32's rounding does to the gradient is not the rules' doing.
    nudged = gradients_of(case.function, [x * (1 + 1e-7 * np.cos(np.arange(x.size)).reshape(x.shape)) for x in wide])
    for g, expected, moved in zip(gradients_of(case.function, low), exact, nudged, strict=True):
        assert g.dtype == np.float32
        largest = np.max(np.abs(expected), initial=0.0)
        condition = np.max(np.abs(moved - expected), initial=0.0)
        np.testing.assert_allclose(g, expected, rtol=1e-4, atol=1e-4 * largest + 100 * condition)


def layouts_do_not_matter(case: Case) -> None:
    expected = gradients_of(case.function, case.inputs)
    for layout in (transposed, spread, reversed_):
        for g, same in zip(gradients_of(case.function, [layout(x) for x in case.inputs]), expected, strict=True):
            np.testing.assert_allclose(g, same, rtol=1e-9, atol=1e-9 * np.max(np.abs(same), initial=0.0))


def transposed(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(x.T).T.reshape(x.shape)


def spread(x: np.ndarray) -> np.ndarray:
    return np.stack([x, np.full_like(x, np.nan)], axis=-1)[..., 0]


def reversed_(x: np.ndarray) -> np.ndarray:
    backwards = (..., *[slice(None, None, -1)] * x.ndim)
    return x[backwards].copy()[backwards]


CHECKS = [
    tensors_compute_what_arrays_do,
    gradients_agree_with_differences_and_forward_mode,
    gradients_of_gradients_agree,
    float32_stays_float32,
    layouts_do_not_matter,
]

over_all = pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
of_all = pytest.mark.parametrize("name", sorted(CASES))


@of_all
@over_all
@settings(print_blob=True)
@given(data=st.data())
def test_primitive(name: str, check: Callable[[Case], None], data: Any) -> None:
    check(data.draw(CASES[name]))


@pytest.mark.slow
@of_all
@over_all
@settings(print_blob=True, max_examples=150)
@given(data=st.data())
def test_primitive_at_length(name: str, check: Callable[[Case], None], data: Any) -> None:
    check(data.draw(CASES[name]))
