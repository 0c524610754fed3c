"""The content-addressed store: immutable objects, one manifest a materialization, heads, and the cache index.

    objects/<aa>/<digest>/...     an artifact's files and tree.json, which lists them; never changed
    manifests/<key>/<time>-<digest>.json   how one version was made; only ever added to
    heads/<key>.json              which manifest is today's version of a key
    cache/<aa>/<cache key>.json   which manifest a computation led to

Everything becomes visible by one atomic step: a rename on a disk, a single PUT elsewhere (an object counts
as present when its tree.json is there, which is written last).
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec

from o1_assets.store.digest import TREE, folder_tree, sha256_json, tree_digest
from o1_assets.store.manifest import Manifest

_KEY_LETTERS = set("abcdefghijklmnopqrstuvwxyz0123456789_-.")


class StoreError(Exception):
    """Something in the store is missing or is not what its digest says."""


class ArtifactStore:
    """Artifacts under `url`, a folder or any fsspec URL; `work` is a local folder for scratch and copies."""

    def __init__(self, url: str, work: Path):
        self.url = url
        self.fs, self.root = fsspec.core.url_to_fs(url)
        self.work = work
        self.local = isinstance(self.fs, fsspec.implementations.local.LocalFileSystem)

    def scratch(self) -> Path:
        """A new empty folder beside nothing else, on the same disk as the store when that is local."""
        folder = self.work / "scratch" / uuid.uuid4().hex
        folder.mkdir(parents=True)
        return folder

    def put(self, folder: Path) -> str:
        """Moves a finished local folder into the store; returns its digest. Equal content is stored once."""
        tree = folder_tree(folder)
        digest = tree_digest(tree)
        target = self._object(digest)
        if self.fs.exists(f"{target}/{TREE}"):
            shutil.rmtree(folder)
            return digest
        (folder / TREE).write_text(json.dumps(tree, indent=1))
        if self.local:
            for entry in tree:
                os.chmod(folder / entry["path"], 0o444)
            Path(target).parent.mkdir(parents=True, exist_ok=True)
            try:
                os.rename(folder, target)
            except OSError:
                if not self.fs.exists(f"{target}/{TREE}"):  # lost a race to an equal object: fine
                    raise
                shutil.rmtree(folder)
        else:
            for entry in tree:
                self.fs.put_file(str(folder / entry["path"]), f"{target}/{entry['path']}")
            self.fs.put_file(str(folder / TREE), f"{target}/{TREE}")
            shutil.rmtree(folder)
        return digest

    def path(self, digest: str) -> Path:
        """A local folder with the object's files (a checked copy when the store is remote).

        Raises StoreError when the object is missing.
        """
        source = self._object(digest)
        if not self.fs.exists(f"{source}/{TREE}"):
            raise StoreError(f"object {digest} is not in the store {self.url}; make it again with `o1 run`")
        if self.local:
            return Path(source)
        copy = self.work / "copies" / digest
        if not copy.exists():
            scratch = self.scratch()
            for entry in self._tree(digest):
                (scratch / entry["path"]).parent.mkdir(parents=True, exist_ok=True)
                self.fs.get_file(f"{source}/{entry['path']}", str(scratch / entry["path"]))
            if tree_digest(folder_tree(scratch)) != digest:
                raise StoreError(
                    f"object {digest} in {self.url} does not have the bytes that its digest says"
                )
            copy.parent.mkdir(parents=True, exist_ok=True)
            os.rename(scratch, copy)
        return copy

    def verify(self, digest: str) -> None:
        """Reads every byte of the object. Raises StoreError naming the first file that is not as recorded."""
        recorded = {entry["path"]: entry for entry in self._tree(digest)}
        actual = {entry["path"]: entry for entry in folder_tree(self.path(digest))}
        for name in sorted(recorded.keys() | actual.keys()):
            if recorded.get(name) != actual.get(name):
                raise StoreError(f"{name} of object {digest} is not what its tree.json says")
        if tree_digest(list(recorded.values())) != digest:
            raise StoreError(f"tree.json of object {digest} does not have that digest")

    def record(self, manifest: Manifest) -> None:
        """Adds the manifest, makes it the head of its key and the answer to its cache key."""
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        name = f"manifests/{_checked(manifest.key)}/{stamp}-{manifest.digest[:12]}.json"
        self._write(name, manifest.model_dump(mode="json"))
        self._write(self._cache(manifest.cache_key), {"manifest": name})
        self._point_head(manifest.key, name)

    def head(self, key: str) -> Manifest | None:
        """Today's version of `key`, or None when there is none."""
        return self._follow(f"heads/{_checked(key)}.json")

    def cached(self, cache_key: str) -> Manifest | None:
        """The manifest of an equal computation whose object is still there, or None."""
        manifest = self._follow(self._cache(cache_key))
        return manifest if manifest and self.fs.exists(f"{self._object(manifest.digest)}/{TREE}") else None

    def adopt(self, manifest: Manifest) -> None:
        """Makes an earlier computation's result today's version of its key."""
        entry = self._read(self._cache(manifest.cache_key))
        assert entry is not None, "adopt takes what cached() returned"
        current = self._read(f"heads/{_checked(manifest.key)}.json")
        if current != entry:
            self._point_head(manifest.key, entry["manifest"])

    def history(self, key: str) -> Iterator[Manifest]:
        """Every recorded version of `key`, oldest first."""
        folder = f"{self.root}/manifests/{_checked(key)}"
        if self.fs.isdir(folder):
            for path in sorted(self.fs.ls(folder, detail=False)):
                with self.fs.open(path, "rb") as file:
                    yield Manifest.model_validate_json(file.read())

    def _tree(self, digest: str) -> list[dict[str, Any]]:
        with self.fs.open(f"{self._object(digest)}/{TREE}", "rb") as file:
            tree: list[dict[str, Any]] = json.loads(file.read())
        for entry in tree:
            path = PurePosixPath(entry["path"])
            if path.is_absolute() or ".." in path.parts:
                raise StoreError(f"object {digest} lists {entry['path']!r}, a path outside of itself")
        return tree

    def _point_head(self, key: str, manifest_name: str) -> None:
        self._write(f"heads/{_checked(key)}.json", {"manifest": manifest_name})

    def _follow(self, pointer: str) -> Manifest | None:
        entry = self._read(pointer)
        content = self._read(entry["manifest"]) if entry else None
        return Manifest.model_validate(content) if content else None

    def _object(self, digest: str) -> str:
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            raise StoreError(f"{digest!r} is not a digest")
        return f"{self.root}/objects/{digest[:2]}/{digest}"

    def _cache(self, cache_key: str) -> str:
        return f"cache/{cache_key[:2]}/{cache_key}.json"

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            with self.fs.open(f"{self.root}/{name}", "rb") as file:
                content: dict[str, Any] = json.loads(file.read())
                return content
        except FileNotFoundError:
            return None

    def _write(self, name: str, content: dict[str, Any]) -> None:
        text = json.dumps(content, indent=1, sort_keys=True).encode()
        path = f"{self.root}/{name}"
        if not self.local:
            self.fs.pipe_file(path, text)
            return
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        with temporary.open("wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)


def cache_key(
    key: str,
    code_version: str,
    config: dict[str, Any],
    seed: int,
    inputs: dict[str, str],
    external: str | None,
) -> str:
    """What a result depends on, as one digest. inputs: short name -> digest."""
    return sha256_json(["o1-cache-1", key, code_version, config, seed, inputs, external])


def _checked(key: str) -> str:
    parts = key.split("/")
    if not all(part and set(part) <= _KEY_LETTERS and part.strip(".") for part in parts):
        raise StoreError(
            f"{key!r} is not an artifact key: lower-case letters, digits, _ - . in parts joined by /"
        )
    return key
