"""Settings for all tests: the checkout is what is tested, and generated tests do not race a clock."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import autograd
from autograd import dispatch

ROOT = Path(__file__).resolve().parent.parent

if Path(autograd.__file__).resolve().parent != ROOT / "autograd":
    raise RuntimeError(f"the tests would run against {autograd.__file__}, not against this checkout")

common = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.filter_too_much]}
settings.register_profile("short", max_examples=15, **common)
settings.register_profile("long", max_examples=150, **common)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))


@pytest.fixture
def own_primitives() -> Iterator[None]:
    """Take the primitives that a test declares out of the library's tables again."""
    tables = (autograd.registry, dispatch.ufuncs, dispatch.functions, dispatch.reductions)
    before = [dict(table) for table in tables]
    yield
    for table, entries in zip(tables, before, strict=True):
        table.clear()
        table.update(entries)


@pytest.fixture
def rng() -> object:
    import numpy as np

    return np.random.default_rng(20240229)
