"""The work folder: the folders that artifacts are made in, and what killed processes left there.

Only folders directly in the work folder are ever removed, and never through a link.
"""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from o1_assets.core.errors import O1Error
from o1_assets.store.backend import TRASH

if TYPE_CHECKING:
    from o1_assets.store.store import ArtifactStore


DAY = 86400.0

# The state of a training that nobody continued for so long is removed; so is scratch of other machines.
FORGOTTEN_SECONDS = 30 * DAY


class ScratchLost(O1Error):
    """The folder that an artifact was being made in was removed; nothing of it was stored."""


class Scratch:
    """A folder in use."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # While it is open, the system gives the folder's inode number to no folder that is made in its place.
        self._handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)

    def lost(self) -> bool:
        """Whether the folder was removed since, even if another has its name now: files of it may be missing."""
        try:
            return not os.path.samestat(os.stat(self.folder), os.fstat(self._handle))
        except FileNotFoundError:
            return True

    def require(self) -> None:
        """Raises FileNotFoundError if the folder was removed."""
        if self.lost():
            raise FileNotFoundError(f"{self.folder} is gone")

    def remove(self) -> None:
        os.close(self._handle)
        shutil.rmtree(self.folder, ignore_errors=True)


def abandoned(path: Path) -> bool:
    """Whether the process that made the folder has ended. Of another machine's folder only its age is known."""
    host, _, pid = path.name.rpartition(".")[0].rpartition(".")
    if host != socket.gethostname() or not pid.isdigit():
        return _age(path) > FORGOTTEN_SECONDS
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # the process lives, and belongs to somebody else
        pass
    return False


def tidy(store: ArtifactStore) -> None:
    """Removes what killed processes left in the work folder; to be called under the run lock.

    A training's last state stays for whoever continues it, unless its artifact was stored after all.
    """
    for path in _entries(store.work / "scratch"):
        if abandoned(path):
            shutil.rmtree(path, ignore_errors=True)
    for path in _entries(store.work / "unfinished"):
        if store.knows(path.name) or _age(path) > FORGOTTEN_SECONDS:
            shutil.rmtree(path, ignore_errors=True)


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


# What garbage collection finds in the work folder.


@dataclass(frozen=True)
class Leftover:
    """A folder that can be removed. kind: scratch, unfinished, copies or trash."""

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
    """Folders that can be removed. To be called under the run lock.

    trash: where a local store puts what it is about to remove. computed: whether a cache key has a result. today:
    digests whose copies the next run will read. Scratch is a leftover once the process that used it has ended, and
    copies after a day. The checkpoint of a training without a result stays for `keep_days`, because a run may continue
    from it.
    """
    leftovers = []
    for kind, folder in (
        ("scratch", work / "scratch"),
        ("unfinished", work / "unfinished"),
        ("copies", work / "copies"),
        ("trash", trash),
    ):
        for path in _folders(folder):
            size, changed = _size(path)
            # A kill between rename and removal leaves trash; nothing refers to it, so its age does not matter.
            old = kind == "trash" or changed < now - DAY
            if kind == "scratch":
                old = abandoned(path)
            if kind == "copies":
                old = old and path.name not in today
            if kind == "unfinished" and old:
                old = changed < now - keep_days * DAY or computed(path.name)
            if old:
                leftovers.append(Leftover(kind, path, size))
    return leftovers


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
    """The bytes of all files in a folder, and when anything in it last changed."""
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
