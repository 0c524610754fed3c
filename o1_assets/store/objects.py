"""Objects: an artifact's files under the digest of their content, with tree.json, which lists them.

    objects/<aa>/<digest>/...     never changed

On a disk an object becomes visible by one rename. Elsewhere it counts as present once its tree.json is there, which is
written last.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from o1_assets.core.files import publish
from o1_assets.core.formatting import byte_size
from o1_assets.store.backend import Backend, DamagedError, StoreError
from o1_assets.store.contents import Contents, Fault, Marks, VerifiedMarks, marks_of, read_contents
from o1_assets.store.digest import TREE, folder_tree, tree_bytes, tree_digest
from o1_assets.store.kinds import check_kinds


def scratch_name() -> str:
    """A new name that contains the machine and the process that use it."""
    return f"{socket.gethostname()}.{os.getpid()}.{uuid.uuid4().hex}"


_HEX = set("0123456789abcdef")

# Bytes that take some seconds to read.
LONG_READING = 1 << 30


@dataclass(frozen=True)
class ObjectStates:
    """Of some objects: those that are gone, and why each damaged one is (a clause, by digest)."""

    gone: set[str]
    damaged: dict[str, str]


class Objects:
    """The objects of a store. work: a local folder for scratch, and for copies where the store is remote."""

    def __init__(self, url: str, work: Path) -> None:
        self.url = url
        self.backend = Backend(url)
        self.work = work
        self.marks = VerifiedMarks(work / "verified.sqlite")
        # Marks by digest of the objects of which this process has read every byte.
        self._verified: dict[str, str] = {}
        # Objects that this process found damaged on a server, where `put` cannot look for itself.
        self._damaged_remotely: set[str] = set()

    def scratch(self) -> Path:
        """A new empty folder, on the same disk as the store when that is local."""
        folder = self.work / "scratch" / scratch_name()
        folder.mkdir(parents=True)
        return folder

    def put(self, folder: Path) -> str:
        """Moves a finished local folder into the store; returns its digest. Equal content is stored once.

        Content that was damaged in the store since is replaced. Raises ValueError on a link, and StoreError on a file
        of a kind that no artifact holds (kinds.py).
        """
        tree = folder_tree(folder)
        check_kinds(folder)
        digest = tree_digest(tree)
        name = object_name(digest)
        # Asked before it is looked at: what another process stores meanwhile is good, and stays.
        damaged = self.backend.local and os.path.lexists(self.backend.place(name))
        if self._still_good(digest):
            shutil.rmtree(folder)
            return digest
        (folder / TREE).write_bytes(tree_bytes(tree))
        if self.backend.local:
            remove_empty_folders(folder)
            for entry in tree:
                os.chmod(folder / entry["path"], 0o444)  # a slip in a notebook must not change an object
            if damaged:
                self.backend.set_aside(name)
            if not publish(folder, Path(self.backend.place(name))):  # lost a race to an equal object
                shutil.rmtree(folder)
            self.marks.remember({digest: marks_of(self.backend.place(name))})
        else:
            # tree.json last: a server has no rename that makes a whole folder visible at once.
            for entry in [*tree, {"path": TREE}]:
                self.backend.upload(folder / entry["path"], f"{name}/{entry['path']}")
            shutil.rmtree(folder)
            self._damaged_remotely.discard(digest)
        return digest

    def _still_good(self, digest: str) -> bool:
        """Whether the store has this content already, undamaged."""
        if self.backend.local and not os.path.lexists(self.backend.place(object_name(digest))):
            return False
        try:
            if self.backend.local:
                self.verified(digest)
                return True
            # Every byte would have to come back from the server to be compared.
            return (
                self.present(digest)
                and digest not in self._damaged_remotely
                and self.tree(digest) is not None
            )
        except StoreError:
            return False

    def present(self, digest: str) -> bool:
        """Whether the object is there. Its bytes are not compared."""
        return self.backend.exists(f"{object_name(digest)}/{TREE}")

    def states(
        self,
        digests: Iterable[str],
        *,
        every_byte: bool = False,
        on_reading: Callable[[str], object] = lambda line: None,
    ) -> ObjectStates:
        """Which of these objects are gone or damaged, asked for together.

        On a disk those whose size, inode and times are as they were when every byte was compared are not read.
        every_byte: read all the same. On a server the list of files is compared, and every byte only if asked for.
        on_reading: told in a clause of a reading that takes a while.
        """
        wanted = list(dict.fromkeys(digests))
        if not self.backend.local:
            return self._remote_states(wanted, every_byte)
        known, folders = {} if every_byte else self.marks.known(wanted), set[str]()
        states, unread = ObjectStates(set(), {}), dict[str, Marks]()
        for digest in wanted:
            try:
                marks = marks_of(self.backend.checked_place(object_name(digest), folders))
                if known.get(digest) != marks.digest:
                    unread[digest] = marks
            except FileNotFoundError:
                states.gone.add(digest)
            except (OSError, StoreError) as error:
                states.damaged[digest] = _reason(error)
        size = sum(marks.size for marks in unread.values())
        if size > LONG_READING:
            on_reading(f"every byte of {len(unread)} artifacts is compared ({byte_size(size)})")
        if unread:
            self._read(unread, states)
        return states

    def _read(self, unread: dict[str, Marks], states: ObjectStates) -> None:
        """Reads every byte of some objects of a disk, adds what is wrong to `states`, and remembers the others."""
        # Hashing leaves the interpreter free, so threads help.
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            reasons = dict(zip(unread, pool.map(self._fault, unread), strict=True))
        states.damaged.update({digest: reason for digest, reason in reasons.items() if reason})
        self.marks.remember({digest: unread[digest] for digest, reason in reasons.items() if not reason})

    def _remote_states(self, digests: list[str], every_byte: bool) -> ObjectStates:
        by_name = {f"{object_name(digest)}/{TREE}": digest for digest in digests}
        lists = {by_name[name]: content for name, content in self.backend.read_many(list(by_name))}
        states = ObjectStates(set(digests) - lists.keys(), {})
        for digest, content in lists.items():
            try:
                self._parsed_tree(digest, content)
            except StoreError as error:
                states.damaged[digest] = _reason(error)
        if every_byte:
            whole = [digest for digest in lists if digest not in states.damaged]
            with ThreadPoolExecutor(16) as pool:
                reasons = dict(zip(whole, pool.map(self._fault, whole), strict=True))
            states.damaged.update({digest: reason for digest, reason in reasons.items() if reason})
        self._damaged_remotely |= states.damaged.keys()
        return states

    def _fault(self, digest: str) -> str:
        """The first thing that is wrong with an object, as a clause; empty if every byte is as it was stored."""
        faults = self.contents(digest).faults
        return faults[0][1] if faults else ""

    def path(self, digest: str) -> Path:
        """A local folder with the object's files (a checked copy when the store is remote).

        Raises DamagedError when the object is missing.
        """
        if not self.present(digest):
            raise self._gone(digest)
        name = object_name(digest)
        if self.backend.local:
            return Path(self.backend.place(name))
        # Copied once and kept, because several artifacts read the same checkpoint.
        copy = self.work / "copies" / digest
        if not copy.exists():
            scratch = self.scratch()
            try:
                for entry in self.tree(digest):
                    (scratch / entry["path"]).parent.mkdir(parents=True, exist_ok=True)
                    self.backend.download(f"{name}/{entry['path']}", scratch / entry["path"])
                if tree_digest(folder_tree(scratch)) != digest:
                    raise DamagedError(f"object {digest} is not what its digest says; {self.remedy(digest)}")
                publish(scratch, copy)
            except (DamagedError, FileNotFoundError) as error:
                self._damaged_remotely.add(digest)
                raise DamagedError(str(error)) from None
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
        return copy

    def verified(self, digest: str) -> Path:
        """As `path`, after every byte was compared with the digest: once a process, and again if a file changed.

        Raises DamagedError.
        """
        folder = self.path(digest)
        if not self.backend.local:
            return self._verified_copy(folder, digest)
        # To hash a checkpoint again for each of its readers would add nothing.
        marks = self._marks(folder, digest)
        if self._verified.get(digest) != marks.digest:
            self.verify(digest)
            self._verified[digest] = marks.digest
            if self.marks.known([digest]).get(digest) != marks.digest:
                self.marks.remember({digest: marks})
        return folder

    def _verified_copy(self, copy: Path, digest: str) -> Path:
        if self._verified.get(digest) != self._marks(copy, digest).digest:
            if (
                tree_digest(folder_tree(copy)) != digest
            ):  # the copy is damaged, which says nothing of the server
                shutil.rmtree(copy)
                self.path(digest)
            self._verified[digest] = self._marks(copy, digest).digest
        return copy

    def _marks(self, folder: Path, digest: str) -> Marks:
        try:
            return marks_of(str(folder))
        except OSError as error:
            raise StoreError(f"object {digest} cannot be read: {error.strerror or error}") from None

    def verify(self, digest: str) -> None:
        """Reads every byte of the object. Raises DamagedError naming the first file that is not as recorded."""
        if fault := self._fault(digest):
            raise DamagedError(f"{fault}; {self.remedy(digest)}")

    def contents(self, digest: str) -> Contents:
        """Every file of the object as it is now, and what does not fit."""
        faults: list[Fault] = []
        recorded, name = None, object_name(digest)
        try:
            recorded = self.tree(digest)
        except StoreError as error:  # a list with another digest than the object's name is not to be believed
            faults.append(("object", _reason(error)))
        try:
            actual = read_contents(self.backend, name, recorded)
        except (StoreError, OSError) as error:
            why = error.strerror if isinstance(error, OSError) else _reason(error)
            return Contents((), (*faults, ("object", f"object {digest} cannot be read: {why}"))[:1])
        return Contents(actual.files, (*faults, *actual.faults))

    def tree(self, digest: str) -> list[dict[str, Any]]:
        """The object's files as tree.json lists them: path, size, sha256. Raises DamagedError if it is damaged.

        The object's digest is the digest of this list, which is compared byte for byte before it is used.
        """
        text = self.backend.read(f"{object_name(digest)}/{TREE}")
        if text is None:
            raise self._gone(digest)
        return self._parsed_tree(digest, text)

    def _parsed_tree(self, digest: str, text: bytes) -> list[dict[str, Any]]:
        damaged = DamagedError(f"tree.json of object {digest} is damaged; {self.remedy(digest)}")
        try:
            tree: list[dict[str, Any]] = json.loads(text)
            paths = [PurePosixPath(entry["path"]) for entry in tree]
        except (ValueError, TypeError, KeyError, RecursionError):
            raise damaged from None
        for path in paths:
            if path.is_absolute() or ".." in path.parts:
                raise DamagedError(f"object {digest} lists {str(path)!r}, a path outside of itself")
        if text != tree_bytes(tree) or tree_digest(tree) != digest:
            raise damaged
        return tree

    def _gone(self, digest: str) -> DamagedError:
        return DamagedError(f"object {digest} is not in the store {self.url}; make it again with `o1 run`")

    def remedy(self, digest: str, again: bool = True) -> str:
        """What to do about a damaged object. again: whether a run would make it."""
        backup = f"bring {self.backend.place(object_name(digest))} back from a backup"
        return f"`o1 run` makes it again, unless you {backup}" if again else backup


def _reason(error: Exception) -> str:
    """What an error says, without its remedy."""
    return str(error).partition("; ")[0]


def remove_empty_folders(folder: Path) -> None:
    """Removes folders in which there is no file: no list names them, so nothing could tell one that was added."""
    for parent, _, _ in os.walk(folder, topdown=False):
        if parent != str(folder) and not os.listdir(parent):
            os.rmdir(parent)


def object_name(digest: str) -> str:
    """Where an object lies in its store. Raises StoreError on what is not 64 hex digits."""
    if len(digest) != 64 or not set(digest) <= _HEX:
        raise StoreError(f"{digest!r} is not a digest")
    return f"objects/{digest[:2]}/{digest}"
