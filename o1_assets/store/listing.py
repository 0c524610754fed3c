"""What lies in a store, as a listing shows it: names, sizes, and when each file was written."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Stored:
    """name: relative to the store; size: bytes; modified: seconds since 1970."""

    name: str
    size: int
    modified: float


def walk_folder(root: Path, folder: str) -> Iterator[Stored]:
    """Every file below `folder`; links, and what is behind them, are left out."""
    parts = folder.split("/")
    todo = [folder]
    if any(root.joinpath(*parts[: n + 1]).is_symlink() for n in range(len(parts))):
        return
    while todo:
        name = todo.pop()
        try:
            entries = list(os.scandir(root / name))
        except (FileNotFoundError, NotADirectoryError):
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                todo.append(f"{name}/{entry.name}")
            elif entry.is_file(follow_symlinks=False):
                try:
                    stat = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                yield Stored(f"{name}/{entry.name}", stat.st_size, stat.st_mtime)


def listed(root: str, found: dict[str, dict[str, Any]]) -> Iterator[Stored]:
    """What fsspec's `find` answers; a key with a part that a path could not have is left out."""
    for path, info in found.items():
        name = str(path).removeprefix(f"{root}/")
        if not {"", ".", ".."} & set(name.split("/")):
            yield Stored(name, int(info.get("size") or 0), _modified(info))


def _modified(info: dict[str, Any]) -> float:
    """Now, where the listing does not say it: what seems young is left alone."""
    for field in ("LastModified", "mtime", "last_modified", "updated", "created"):
        value = info.get(field)
        if isinstance(value, datetime):
            return value.timestamp()
        if isinstance(value, int | float):
            return float(value)
    return time.time()
