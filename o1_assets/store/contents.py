"""The bytes of one object, read and compared with its list of files; and how to tell that they changed since.

Reading every byte of a store takes minutes where its models are large. So whoever has compared an object remembers
size, inode and times of its files, and as long as those are the same its bytes are taken to be the same.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import stat
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal, cast
from urllib.parse import quote

from o1_assets.core.files import NotAFile, open_regular
from o1_assets.store.backend import Backend
from o1_assets.store.digest import TREE
from o1_assets.store.kinds import HEAD, refusal

# How many bytes are read at once: several threads hash checkpoints, which do not all fit into memory.
CHUNK = 1 << 20

# A change so soon after another may leave a file with the same times: the system counts them in steps of up to 10 ms,
# some disks in whole seconds.
STEP_NS, COARSE_STEP_NS = 50_000_000, 2_000_000_000


# What does not fit: the object's list of files or a file's kind, and a clause.
Fault = tuple[Literal["object", "kind"], str]


@dataclass(frozen=True)
class Contents:
    """files: path, size and SHA-256 of each file as it is now. faults: what does not fit."""

    files: tuple[dict[str, Any], ...]
    faults: tuple[Fault, ...]


def read_contents(backend: Backend, name: str, recorded: list[dict[str, Any]] | None) -> Contents:
    """Reads every byte of the object in the folder `name`.

    recorded: its list of files, which fits its digest; None compares nothing. Raises StoreError, OSError.
    """
    digest = name.rpartition("/")[2]
    faults: list[Fault] = []
    actual: dict[str, Any] = {}
    files, folders = _names(backend, name)
    for file in files:
        try:
            actual[file], why = _file(backend, f"{backend.place(name)}/{file}", file)
        except (NotAFile, OSError) as error:
            faults.append(("object", f"{file} of object {digest} cannot be read: {error}"))
            continue
        if why:
            faults.append(("kind", f"object {digest} holds what no artifact may hold: {why}"))
    if recorded is None:
        return Contents(tuple(actual.values()), tuple(faults))
    expected = {entry["path"]: entry for entry in recorded}
    for file in sorted(expected.keys() | actual.keys()):
        if file not in expected:
            faults.append(("object", f"object {digest} holds {file}, which was never stored in it"))
        elif file not in files:
            faults.append(("object", f"{file} of object {digest} is missing"))
        elif file in actual and actual[file] != expected[file]:
            faults.append(("object", f"{file} of object {digest} is not what was stored"))
    needed = {parent.as_posix() for file in expected for parent in PurePosixPath(file).parents}
    for folder in sorted(folders - needed):
        faults.append(("object", f"object {digest} holds the folder {folder}, which was never stored in it"))
    return Contents(tuple(actual.values()), tuple(faults))


def _names(backend: Backend, name: str) -> tuple[list[str], set[str]]:
    """The names of everything in the object except tree.json: what is no folder, and the folders. Raises OSError."""
    place = backend.checked_place(name)
    if not backend.local:
        root = backend.fs._strip_protocol(place)
        paths = (str(path).removeprefix(f"{root}/") for path in backend.fs.find(place))
        return sorted(path for path in paths if path != TREE), set()
    entries = dict(_entries(place))
    # A link to a folder is no folder: what it leads to is not in the store.
    folders = {path for path, info in entries.items() if stat.S_ISDIR(info.st_mode)}
    return sorted(path for path in entries.keys() - folders if path != TREE), folders


def _file(backend: Backend, place: str, name: str) -> tuple[dict[str, Any], str | None]:
    """A file's path, size and SHA-256, and why no artifact may hold it. No pickle is ever opened."""
    opened = open_regular(Path(place)) if backend.local else backend.fs.open(place, "rb")
    with cast(IO[bytes], opened) as file:
        chunk = file.read(CHUNK)
        # By name and by first bytes: a pickle that is called model.safetensors is a pickle.
        why, size, sha = refusal(name, chunk[:HEAD]), 0, hashlib.sha256()
        while chunk:
            sha.update(chunk)
            size += len(chunk)
            chunk = file.read(CHUNK)
    return {"path": name, "size": size, "sha256": sha.hexdigest()}, why


def _entries(folder: str, prefix: str = "") -> Iterator[tuple[str, os.stat_result]]:
    """Path and lstat of everything below a folder of a disk, in a fixed order. Raises OSError."""
    with os.scandir(folder) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    for entry in listed:
        yield prefix + entry.name, entry.stat(follow_symlinks=False)
        if entry.is_dir(follow_symlinks=False):
            yield from _entries(entry.path, f"{prefix}{entry.name}/")


@dataclass(frozen=True)
class Marks:
    """What tells that files of a folder changed: a digest of their names, sizes, inodes and times.

    settled: whether any later change gives other marks. size: bytes of all files.
    """

    digest: str
    settled: bool
    size: int


def marks_of(folder: str) -> Marks:
    """The marks of everything in a folder of a disk. Raises OSError."""
    newest, size, lines = 0, 0, []
    for path, info in _entries(folder):
        # Of a folder only the name: its times change when a file in it is opened by some network file systems.
        if stat.S_ISDIR(info.st_mode):
            lines.append(f"{path}/")
            continue
        # The time of the last change of the inode cannot be set: a file replaced by one of the same size and
        # modification time is still told from it.
        numbers = (info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)
        lines.append(f"{path}\0{stat.S_IFMT(info.st_mode)} {numbers}")
        newest = max(newest, info.st_ctime_ns)
        size += info.st_size
    step = COARSE_STEP_NS if newest % 1_000_000_000 == 0 else STEP_NS
    text = "\n".join(lines).encode(errors="surrogateescape")
    return Marks(hashlib.sha256(text).hexdigest(), newest + step < time.time_ns(), size)


class VerifiedMarks:
    """The marks that folders had when every byte of them was compared, by digest, in one SQLite file.

    A memory and no record: without it every byte is compared once more. So nothing here raises, whether the file is
    damaged, locked or on a disk that cannot be written.
    """

    # In the work folder of a home and not in the store: inodes and times are those that one machine sees, and a
    # copied or restored store has others.

    def __init__(self, file: Path) -> None:
        self.file = file

    def known(self, digests: Sequence[str]) -> dict[str, str]:
        """Marks by digest, of those of `digests` that are remembered."""
        known: dict[str, str] = {}
        # Read-only: a home on a disk that cannot be written has a status too.
        url = f"file:{quote(str(self.file))}?mode=ro"
        with (
            suppress(sqlite3.Error, OSError),
            closing(sqlite3.connect(url, uri=True, timeout=1)) as connection,
        ):
            for start in range(0, len(digests), 500):
                chunk = digests[start : start + 500]
                places = ",".join("?" * len(chunk))
                known |= connection.execute(
                    f"select digest, marks from verified where digest in ({places})", chunk
                )
        return known

    def remember(self, marks: Mapping[str, Marks]) -> None:
        """Adds those that are settled."""
        rows = [(digest, mark.digest) for digest, mark in marks.items() if mark.settled]
        if not rows:
            return
        with suppress(OSError, sqlite3.OperationalError):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._insert(rows)
            except sqlite3.OperationalError:  # locked, full or read-only
                raise
            except sqlite3.DatabaseError:  # no database any more
                self.file.unlink()
                self._insert(rows)

    def forget(self, digests: Iterable[str]) -> None:
        url = f"file:{quote(str(self.file))}?mode=rw"  # a file that is not there is not made
        with suppress(sqlite3.Error), closing(sqlite3.connect(url, uri=True)) as connection, connection:
            connection.executemany("delete from verified where digest = ?", [(digest,) for digest in digests])

    def _insert(self, rows: list[tuple[str, str]]) -> None:
        with closing(sqlite3.connect(self.file)) as connection, connection:
            connection.execute(
                "create table if not exists verified (digest text primary key, marks text) without rowid"
            )
            connection.executemany("insert or replace into verified values (?, ?)", rows)
