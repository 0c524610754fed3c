"""Recognises a full disk behind the errors of libraries, and says so in one sentence with the remedy."""

from __future__ import annotations

import errno
import shutil
import tempfile
from pathlib import Path

from o1_assets.core.errors import O1Error, causes

_FULL = ("No space left on device", "disk is full", "Disk quota exceeded")

# SQLite says this where it has no room for its journal, but after other failures too. It counts as a full disk only
# if the disk has less than _NO_ROOM bytes left.
_PERHAPS_FULL = ("disk I/O error", "unable to open database file")

_NO_ROOM = 1 << 20


class DiskFull(O1Error):
    """Nothing more can be written; the message names the folder and says what to do."""


def disk_full(error: BaseException, *folders: Path) -> DiskFull | None:
    """The error to raise if `error` comes from a full disk, else None. folders: those that may be on that disk."""
    # Libraries wrap the system's error in their own and may keep its text only, so the text decides as well.
    # Libraries also write to the temporary folder, which may be on another disk.
    free = {folder: _free(folder) for folder in (*folders, Path(tempfile.gettempdir()))}
    folder = min(free, key=lambda folder: free[folder])
    perhaps = free[folder] < _NO_ROOM and any(text in str(error) for text in _PERHAPS_FULL)
    if not perhaps and not any(_says_full(cause) for cause in causes(error)):
        return None
    return DiskFull(
        f"the disk that holds {folder} is full ({free[folder] / 2**20:.1f} MiB free): make room there and "
        "`o1 run` again; what was finished is kept, and it goes on from there"
    )


def _says_full(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    return any(text in str(error) for text in _FULL)


def _free(folder: Path) -> int:
    """Free bytes on the disk of a folder, which need not exist."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free
