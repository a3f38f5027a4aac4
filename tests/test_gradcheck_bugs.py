"""The gradient check's own test: every injected bug is found, whatever the seed."""

from __future__ import annotations

import numpy as np
import pytest

from autograd.gradcheck import gradcheck
from tests.gradcheck_bugs import BUGS
from tests.gradcheck_library import Chainrule

FEW, MANY = range(2), range(30)


pytestmark = pytest.mark.usefixtures("own_primitives")


def is_caught(name: str, seed: int) -> None:
    bug = BUGS[name]
    f, inputs = bug.setup(Chainrule(), np.random.default_rng(seed))
    result = gradcheck(f, tuple(inputs), order=bug.order, raise_exception=False)
    assert not result, result
    assert bug.verdict in result.verdicts, result
    assert any(bug.cause in finding.cause for finding in result.findings), result


def test_there_are_enough():
    assert len(BUGS) >= 25


@pytest.mark.parametrize("name", BUGS)
def test_catches(name):
    for seed in FEW:
        is_caught(name, seed)


@pytest.mark.slow
@pytest.mark.parametrize("name", BUGS)
def test_always_catches(name):
    for seed in MANY:
        is_caught(name, seed)
