"""Writes the folder of an export: it appears as a whole, and it never replaces anything but an earlier export.

EXPORT_FILE lists the export's files with their digests. A folder may be replaced if it holds exactly what its own list
says. Whatever a person added or changed is not removed.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from o1_assets.core.errors import O1Error
from o1_assets.core.files import json_bytes, seal, sync
from o1_assets.store.digest import folder_tree
from o1_assets.store.objects import scratch_name
from o1_assets.store.scratch import abandoned

EXPORT_FILE = "o1_export.json"
FORMAT = "o1-export-1"

# Arguments of Linux's renameat2(2), which Python does not offer.
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


class ExportError(O1Error):
    """An artifact cannot be exported, or not into that folder; the message says why and what to do."""


def check_target(target: Path) -> None:
    """Raises ExportError if `target` is neither free, nor an empty folder, nor an export as we left it."""
    if target.is_symlink():
        raise ExportError(f"{target} is a link; name the folder itself")
    if not target.exists():
        return
    if not target.is_dir():
        raise ExportError(f"{target} is a file; name a folder that is empty or not there yet")
    if any(target.iterdir()):
        why = foreign(target)
        if why:
            raise ExportError(f"{target} {why}; export into another folder, or empty this one yourself")


def foreign(folder: Path) -> str:
    """Why a folder that is not empty is no untouched export of ours; empty if it is one."""
    try:
        listed = json.loads((folder / EXPORT_FILE).read_text())
        files = {entry["path"]: entry for entry in listed["files"]} if listed["format"] == FORMAT else None
    except (OSError, ValueError, TypeError, KeyError):
        files = None
    if files is None:
        return "is not empty and no earlier export"
    try:
        there = {entry["path"]: entry for entry in folder_tree(folder) if entry["path"] != EXPORT_FILE}
    except ValueError as error:
        return f"holds what no export wrote ({error})"
    for name in sorted(there.keys() | files.keys()):
        if name not in files:
            return f"holds {name}, which no export wrote"
        if name not in there:
            return f"has lost {name} since it was exported"
        if there[name] != files[name]:
            return f"was changed since it was exported ({name})"
    return ""


def write_folder(target: Path, fill: Callable[[Path], None], about: dict[str, Any]) -> bool:
    """Makes `target` hold what `fill` writes into an empty folder, and EXPORT_FILE with `about` and the list of it.

    The new folder is on the disk before one rename makes it visible; an earlier export is exchanged for it. Returns
    False if the target held the very same bytes already. Raises ExportError, OSError.
    """
    check_target(target)
    target = target.absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    _tidy(target)
    # Beside the target, because a rename is one step on one disk only.
    stage = target.parent / f".{target.name}.{scratch_name()}"
    stage.mkdir()
    try:
        fill(stage)
        listed = {"format": FORMAT, **about, "files": folder_tree(stage)}
        (stage / EXPORT_FILE).write_bytes(json_bytes(listed))
        if target.is_dir() and any(target.iterdir()):
            # The list has the digest of every file, and `check_target` has compared the folder with its own list.
            if (target / EXPORT_FILE).read_bytes() == (stage / EXPORT_FILE).read_bytes():
                return False
            seal(stage)
            # Not removed and renamed: whoever is killed in between would have lost the earlier export.
            exchange(stage, target)
        else:
            seal(stage)
            os.rename(stage, target)
        sync(target.parent)
        return True
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _tidy(target: Path) -> None:
    """Removes what killed exports of this machine left beside the target."""
    prefix = f".{target.name}."
    for left in target.parent.glob(f"{prefix}*"):
        if left.is_dir() and not left.is_symlink() and abandoned(Path(left.name.removeprefix(prefix))):
            shutil.rmtree(left, ignore_errors=True)


def exchange(a: Path, b: Path) -> None:
    """Exchanges the names of two folders on one disk, so that neither name is ever free.

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
