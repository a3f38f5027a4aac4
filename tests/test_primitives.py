"""The sweep: every primitive of the library, on generated inputs, in every mode and order."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
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
from autograd.gradcheck.columns import COLUMNS, Undefined, gradients_of, outputs_of, single
from nn.cases import CASES as OF_NN

ROOT = Path(__file__).resolve().parent.parent

CASES = {**OF_AUTOGRAD, **OF_NN}

# In a fresh interpreter, since tests declare primitives of their own.
COMPARE_WITH_DECLARED = """
from autograd.gradcheck.packages import declared
for package in ("autograd", "nn", "optim"):
    primitives, cases = declared(package)
    print(package, len(primitives), sorted(primitives ^ cases.keys()))
"""


def test_every_primitive_has_a_case_in_its_own_package():
    listed = subprocess.run(
        [sys.executable, "-c", COMPARE_WITH_DECLARED], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    expected = [f"autograd {len(OF_AUTOGRAD)} []", f"nn {len(OF_NN)} []", "optim 0 []"]
    assert listed.stdout.splitlines() == expected


# ---------------------------------------------------------------------- what must hold of a case


def tensors_compute_what_arrays_do(case: Case) -> None:
    for inputs in (case.inputs, single(case.inputs)):
        plain = outputs_of(case.function, inputs)
        recorded = outputs_of(case.function, [Tensor(x, requires_grad=True) for x in inputs])
        assert not any(isinstance(y, Tensor) for y in plain)
        for expected, got in zip(plain, map(bare, recorded), strict=True):
            assert np.asarray(got).dtype == np.asarray(expected).dtype
            np.testing.assert_allclose(got, expected, rtol=1e-12 if inputs is case.inputs else 1e-4, atol=1e-6)


def gradients_agree_with_differences_and_forward_mode(case: Case) -> None:
    gradcheck(case.function, case.inputs)


def gradients_of_gradients_agree(case: Case) -> None:
    gradgradcheck(case.function, case.inputs)


def float32_stays_float32(case: Case) -> None:
    with suppress(Undefined):
        COLUMNS["float32"](case.function, case.inputs, 0)


def complex_inputs_have_gradients_too(case: Case) -> None:
    with suppress(Undefined):
        COLUMNS["complex"](case.function, case.inputs, 0)


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
    complex_inputs_have_gradients_too,
    layouts_do_not_matter,
]


def over_all_primitives(check: Callable[[Case], None], **options: Any) -> Callable[..., None]:
    """A test of ``check`` on generated calls of each primitive."""

    @pytest.mark.parametrize("name", sorted(CASES))
    @settings(print_blob=True, **options)
    @given(data=st.data())
    def test(name: str, data: Any) -> None:
        check(data.draw(CASES[name]))

    return test


# A test for each statement, not one for all: Hypothesis nests the settings of a parametrised test at every call.
for check in CHECKS:
    globals()[f"test_{check.__name__}"] = over_all_primitives(check)
    globals()[f"test_{check.__name__}_at_length"] = pytest.mark.slow(over_all_primitives(check, max_examples=150))
