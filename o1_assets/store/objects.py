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
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from o1_assets.core.files import publish
from o1_assets.store.backend import Backend, StoreError
from o1_assets.store.digest import TREE, folder_tree, tree_bytes, tree_digest
from o1_assets.store.kinds import check_kinds


def scratch_name() -> str:
    """A new name that contains the machine and the process that use it."""
    return f"{socket.gethostname()}.{os.getpid()}.{uuid.uuid4().hex}"


_HEX = set("0123456789abcdef")


class Objects:
    """The objects of a store. work: a local folder for scratch, and for copies where the store is remote."""

    def __init__(self, url: str, work: Path) -> None:
        self.url = url
        self.backend = Backend(url)
        self.work = work
        # Digest -> inode, size and times of its files when every byte was last compared.
        self._verified: dict[str, tuple[tuple[int, ...], ...]] = {}

    def scratch(self) -> Path:
        """A new empty folder, on the same disk as the store when that is local."""
        folder = self.work / "scratch" / scratch_name()
        folder.mkdir(parents=True)
        return folder

    def put(self, folder: Path) -> str:
        """Moves a finished local folder into the store; returns its digest. Equal content is stored once.

        Raises ValueError on a link, and StoreError on a file of a kind that no artifact holds (kinds.py) or when the
        store has equal content that was damaged since.
        """
        tree = folder_tree(folder)
        check_kinds(folder)
        digest = tree_digest(tree)
        name = object_name(digest)
        if self.present(digest):
            if self.backend.local:
                self.verified(digest)
            shutil.rmtree(folder)
            return digest
        (folder / TREE).write_bytes(tree_bytes(tree))
        if self.backend.local:
            for entry in tree:
                os.chmod(folder / entry["path"], 0o444)  # a slip in a notebook must not change an object
            if not publish(folder, Path(self.backend.place(name))):  # lost a race to an equal object
                shutil.rmtree(folder)
        else:
            # tree.json last: a server has no rename that makes a whole folder visible at once.
            for entry in [*tree, {"path": TREE}]:
                self.backend.upload(folder / entry["path"], f"{name}/{entry['path']}")
            shutil.rmtree(folder)
        return digest

    def present(self, digest: str) -> bool:
        """Whether the object is there. Its bytes are not compared."""
        return self.backend.exists(f"{object_name(digest)}/{TREE}")

    def present_of(self, digests: Iterable[str]) -> set[str]:
        """Those of `digests` whose object is there, asked for together."""
        by_name = {f"{object_name(digest)}/{TREE}": digest for digest in digests}
        if self.backend.local:
            return {digest for name, digest in by_name.items() if self.backend.exists(name)}
        return {by_name[name] for name, _ in self.backend.read_many(list(by_name))}

    def path(self, digest: str) -> Path:
        """A local folder with the object's files (a checked copy when the store is remote).

        Raises StoreError when the object is missing.
        """
        if not self.present(digest):
            raise StoreError(f"object {digest} is not in the store {self.url}; make it again with `o1 run`")
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
                    raise StoreError(f"object {digest} is not what its digest says; {self._remedy(digest)}")
                publish(scratch, copy)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
        return copy

    def verified(self, digest: str) -> Path:
        """As `path`, after every byte was compared with the digest: once a process, and again if a file changed."""
        folder = self.path(digest)
        # Times and inode tell of a change since: to hash a checkpoint again for each of its readers would add nothing.
        seen = tuple(
            (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
            for stat in (path.lstat() for path in sorted(folder.rglob("*")))
        )
        if self._verified.get(digest) != seen:
            self.verify(digest)
            self._verified[digest] = seen
        return folder

    def verify(self, digest: str) -> None:
        """Reads every byte of the object. Raises StoreError naming the first file that is not as recorded."""
        recorded = {entry["path"]: entry for entry in self.tree(digest)}
        folder = self.path(digest)
        try:
            actual = {entry["path"]: entry for entry in folder_tree(folder)}
        except ValueError as error:
            raise StoreError(f"{error}; {self._remedy(digest)}") from None
        for name in sorted(recorded.keys() | actual.keys()):
            if recorded.get(name) != actual.get(name):
                raise StoreError(f"{name} of object {digest} is not what was stored; {self._remedy(digest)}")
        check_kinds(folder)

    def tree(self, digest: str) -> list[dict[str, Any]]:
        """The object's files as tree.json lists them: path, size, sha256. Raises StoreError if it is damaged.

        The object's digest is the digest of this list, which is compared byte for byte before it is used.
        """
        text = self.backend.read(f"{object_name(digest)}/{TREE}")
        if text is None:
            raise StoreError(f"object {digest} is not in the store {self.url}; make it again with `o1 run`")
        try:
            tree: list[dict[str, Any]] = json.loads(text)
            paths = [PurePosixPath(entry["path"]) for entry in tree]
        except (ValueError, TypeError, KeyError):
            raise StoreError(f"tree.json of object {digest} is damaged; {self._remedy(digest)}") from None
        for path in paths:
            if path.is_absolute() or ".." in path.parts:
                raise StoreError(f"object {digest} lists {str(path)!r}, a path outside of itself")
        if text != tree_bytes(tree) or tree_digest(tree) != digest:
            raise StoreError(f"tree.json of object {digest} is damaged; {self._remedy(digest)}")
        return tree

    def _remedy(self, digest: str) -> str:
        return (
            f"bring {self.backend.place(object_name(digest))} back from a backup, or remove it and `o1 run`"
        )


def object_name(digest: str) -> str:
    """Where an object lies in its store. Raises StoreError on what is not 64 hex digits."""
    if len(digest) != 64 or not set(digest) <= _HEX:
        raise StoreError(f"{digest!r} is not a digest")
    return f"objects/{digest[:2]}/{digest}"
