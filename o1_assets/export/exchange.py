"""Two folders change names in one step, so that neither name is ever free."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


def exchange(a: Path, b: Path) -> None:
    """Exchanges the names of two folders on one disk.

    Where the system cannot do that in one step (not Linux, or a file system without it), in three: whoever is killed
    between them finds b's old content under a name of its own beside it. Raises OSError.
    """
    if sys.platform == "linux" and _renameat2(a, b):
        return
    aside = a.with_name(f"{a.name}.replaced")
    os.rename(b, aside)
    os.rename(a, b)
    os.rename(aside, a)


def _renameat2(a: Path, b: Path) -> bool:
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):  # a C library without it
        return False
    return call(_AT_FDCWD, os.fsencode(a), _AT_FDCWD, os.fsencode(b), ctypes.c_uint(_RENAME_EXCHANGE)) == 0
