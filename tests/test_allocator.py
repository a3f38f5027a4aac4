"""Arrays that come and go find the memory of those before them, unless the user has other wishes."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library has its own ways")

SETTINGS = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")
FAULTS = """
import resource, numpy as np, autograd
def work():
    a = [np.zeros(3_000_000 // 4, np.float32) + 1 for _ in range(4)]
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def run(code: str, **environment: str) -> str:
    kept = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=kept | environment).stdout.strip()


def test_arrays_that_come_and_go_take_no_fresh_pages():
    pages = 20 * 4 * 3_000_000 // os.sysconf("SC_PAGE_SIZE")
    assert int(run(FAULTS)) < pages / 10


@pytest.mark.parametrize(
    "environment",
    [
        {"MALLOC_TRIM_THRESHOLD_": "131072"},
        {"MALLOC_MMAP_THRESHOLD_": "131072"},
        {"GLIBC_TUNABLES": "glibc.malloc.trim_threshold=131072"},
    ],
)
def test_what_the_user_has_set_is_left_alone(environment):
    code = "from autograd.allocator import keep_freed_memory; print(keep_freed_memory())"
    assert run(code, **environment) == "False"
    assert run(code) == run(code, GLIBC_TUNABLES="glibc.malloc.arena_max=2") == "True"


def test_very_large_arrays_are_given_back():
    code = """
import numpy as np, autograd, os
resident = lambda: int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
before = resident()
x = np.ones(100_000_000 // 8)
held = resident() - before
del x
print(held > 90_000_000, resident() - before < 10_000_000)
"""
    assert run(code) == "True True"
