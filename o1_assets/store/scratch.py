"""Folders that artifacts are made in: whose each is, whether it is still whole, and what killed processes left."""

from __future__ import annotations

import os
import shutil
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

from o1_assets.core.errors import O1Error

if TYPE_CHECKING:
    from o1_assets.store.store import ArtifactStore


FORGOTTEN_SECONDS = 30 * 86_400.0
"""A training that nobody took up again for so long is given up; so is scratch of other machines."""


class ScratchLost(O1Error):
    """The folder that an artifact was being made in was removed; nothing of it was stored."""


class Scratch:
    """A folder in use. Its handle keeps the system from giving its number to a folder made in its place."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
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
    """Whether the process that made the folder is gone."""
    host, _, pid = path.name.rpartition(".")[0].rpartition(".")
    if host != socket.gethostname() or not pid.isdigit():
        return _age(path) > FORGOTTEN_SECONDS
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False


def tidy(store: ArtifactStore) -> None:
    """Removes what killed processes left in the work folder; to be called under the run lock.

    A training's last state stays for whoever goes on with it, unless its artifact was stored after all.
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
