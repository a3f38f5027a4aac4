"""Memory that arrays give back stays with the process, for the next arrays.

The C library hands blocks above some threshold back to the operating system at once, and takes fresh pages for the
next array, which the system has to clear and to map, one after the other. In a training loop, where arrays of the
same sizes come and go, that costs more than the arithmetic on them. In return the process may hold more memory than it
uses: what lies before something that is still in use is not handed back.
"""

from __future__ import annotations

import ctypes
import os

__all__ = ["keep_freed_memory"]

KEPT = 256 << 20  # bytes at the end of the heap that are not handed back
MAPPED = 32 << 20  # bytes from which an array has pages of its own, as before: the most that the library allows

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # the numbers of these parameters in glibc's malloc.h


def keep_freed_memory() -> bool:
    """Tell the C library to keep freed memory; returns whether it does.

    True with glibc alone, and where nobody has set one of the two parameters in the environment
    (``MALLOC_TRIM_THRESHOLD_``, ``MALLOC_MMAP_THRESHOLD_`` or the same in ``GLIBC_TUNABLES``).
    """
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    for name in ("trim", "mmap"):
        if f"MALLOC_{name.upper()}_THRESHOLD_" in os.environ or f"glibc.malloc.{name}_threshold" in tunables:
            return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        return False
    return bool(mallopt(_MMAP_THRESHOLD, MAPPED) and mallopt(_TRIM_THRESHOLD, KEPT))
