"""After the comparisons: how many modules were held beside PyTorch's, and which were not."""

from __future__ import annotations

import sys
from typing import Any

import nn


def pytest_terminal_summary(terminalreporter: Any) -> None:
    comparison = sys.modules.get("tests.parity.modules")  # absent where PyTorch is, and in the parent of xdist
    if comparison is None or not comparison.compared:
        return
    theirs = comparison.torch.nn
    common = {name for name in nn.__all__ if isinstance(getattr(theirs, name, None), type)} - {"Module", "Parameter"}
    compared = sorted(common & comparison.compared)
    terminalreporter.write_line(f"{len(compared)} of {len(common)} modules that both have were compared with PyTorch's")
    missing = sorted(common - comparison.compared)
    if 0 < len(missing) < 20:
        terminalreporter.write_line(f"not compared: {', '.join(missing)}")
