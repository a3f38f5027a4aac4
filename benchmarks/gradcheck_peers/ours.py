"""This library's checker."""

from __future__ import annotations

import sys
from pathlib import Path

from peer import serve

sys.path.insert(1, str(Path(__file__).resolve().parents[2]))

from autograd.gradcheck import gradcheck
from tests.gradcheck_library import Chainrule


def check(f, inputs, order, mode, own_rules, level):
    gradcheck(f, tuple(inputs), order=order)


serve(Chainrule(), check)
