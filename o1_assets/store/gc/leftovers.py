"""What processes left in a profile's work folder: scratch of killed runs, checkpoints nobody goes on with, copies.

Only what lies directly in the work folder is ever removed, and never through a link.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from o1_assets.store.backend import TRASH
from o1_assets.store.scratch import abandoned

DAY = 86400.0


@dataclass(frozen=True)
class Leftover:
    """kind: scratch, unfinished, copies or trash."""

    kind: str
    path: Path
    bytes: int


def find_leftovers(
    work: Path,
    trash: Path | None,
    *,
    now: float,
    keep_days: float,
    computed: Callable[[str], bool],
    today: set[str],
) -> list[Leftover]:
    """To be called under the run lock.

    trash: where a local store puts what it is about to remove. Scratch goes when the process that used it is gone,
    the rest only after a day. computed: whether a cache key has a result; a checkpoint without one stays for
    `keep_days`, because a run may still go on with it. today: digests whose copies the next run will read.
    """
    found = []
    for kind, folder in (
        ("scratch", work / "scratch"),
        ("unfinished", work / "unfinished"),
        ("copies", work / "copies"),
        ("trash", trash),
    ):
        for path in _folders(folder):
            size, changed = _size(path)
            old = kind == "trash" or changed < now - DAY
            if kind == "scratch":
                old = abandoned(path)
            if kind == "copies":
                old = old and path.name not in today
            if kind == "unfinished" and old:
                old = changed < now - keep_days * DAY or computed(path.name)
            if old:
                found.append(Leftover(kind, path, size))
    return found


def remove_leftovers(leftovers: list[Leftover]) -> None:
    for leftover in leftovers:
        shutil.rmtree(leftover.path, ignore_errors=True)  # which refuses a link


def store_trash(root: str, local: bool) -> Path | None:
    return Path(root, TRASH) if local else None


def _folders(folder: Path | None) -> Iterator[Path]:
    if folder is None or folder.is_symlink() or not folder.is_dir():
        return
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_dir(follow_symlinks=False):
            yield Path(entry.path)


def _size(folder: Path) -> tuple[int, float]:
    """Bytes of all files, and when anything in it last changed."""
    total, changed = 0, folder.lstat().st_mtime
    for parent, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            try:
                stat = os.lstat(os.path.join(parent, name))
            except FileNotFoundError:
                continue
            total += stat.st_size if name in files else 0
            changed = max(changed, stat.st_mtime)
    return total, changed
