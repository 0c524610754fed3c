"""Files and folders: read without following a link, written so that a crash leaves all or nothing."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import uuid
from io import BufferedReader
from pathlib import Path
from typing import Any

from o1_assets.core.errors import O1Error


class NotAFile(O1Error, ValueError):
    """The path leads to a link, a device or a pipe, and not to a file (or a folder of files)."""


def open_regular(path: Path) -> BufferedReader:
    """The file for reading, never through a link. Raises NotAFile, FileNotFoundError or another OSError."""
    if path.is_symlink():
        raise NotAFile(f"{path} is a link; links are not followed, send the file itself")
    # Without O_NONBLOCK opening a pipe would wait until somebody writes to it.
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise NotAFile(f"{path} is not a file; send a .jsonl file or a folder of them")
    return os.fdopen(handle, "rb")


def seal(folder: Path) -> None:
    """Everything in the folder is on the disk when this returns."""
    # The folder itself last: its entry for a file could otherwise reach the disk before the file's bytes.
    for path in [*(path for path in folder.rglob("*") if path.is_file()), folder]:
        sync(path)


def sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def publish(folder: Path, target: Path) -> bool:
    """Seals a folder and makes it visible by one rename. Returns False if `target` was there already."""
    seal(folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.rename(target)
    except OSError:
        # Targets are named by their content, so whoever came first wrote the same bytes.
        if target.is_dir() and not target.is_symlink():
            return False
        raise
    sync(target.parent)
    return True


def sha256(path: Path) -> str:
    """Hex digest of a file that is no link. Raises NotAFile, OSError."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def json_bytes(content: Any) -> bytes:
    """JSON with one value a line and sorted keys: people can read it, and equal content makes equal bytes."""
    return (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()


def replace_file(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Replaces a file in one step: after a crash it has its old or its new content, after the return the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # In the same folder, because a rename is atomic on one disk only; hidden, so that no listing takes it for content.
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
