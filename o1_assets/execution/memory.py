"""Memory between two artifacts that are made in one process."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
from pathlib import Path

LARGE_GIB = 6.0
"""Below this nothing is given back: a collection takes .2 s with torch loaded, and nano, which holds 4, makes a hundred
artifacts."""

_STATM = Path("/proc/self/statm")


def resident_gib() -> float:
    """Memory that the process holds now; where the system does not say (macOS), the most that it has held."""
    if _STATM.exists():
        return int(_STATM.read_text().split()[1]) * resource.getpagesize() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**30


def give_back() -> None:
    """Returns to the system what a finished artifact left, from `LARGE_GIB` on.

    A trainer and its model refer to each other, so nothing but a collection frees them; and glibc keeps the pages of
    what was freed between two pieces that are still in use.
    """
    if resident_gib() < LARGE_GIB:
        return
    gc.collect()
    if os.name == "posix" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)
