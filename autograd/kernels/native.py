"""The compiled kernels, or None: where they were not built, or from other sources than these, or are not wanted.

``CHAINRULE_KERNELS=numpy`` in the environment leaves them alone.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["compiled"]

VERSION = 2  # of what Python and the kernels expect of each other


def _is_older(built: str) -> bool:
    """Whether a source beside the module was changed after the module was built, as in a checkout that moved on."""
    time = Path(built).stat().st_mtime
    sources = [path for path in Path(__file__).parent.iterdir() if path.suffix in (".c", ".h")]
    return any(path.stat().st_mtime > time for path in sources)


compiled: Any = None
if os.environ.get("CHAINRULE_KERNELS") != "numpy":
    with suppress(ImportError):  # no C compiler at install
        from autograd.kernels import compiled
if compiled is not None and (compiled.VERSION != VERSION or _is_older(compiled.__file__)):
    compiled = None
