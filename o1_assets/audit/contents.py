"""One version against what the store holds: its object's bytes, its inputs and cache key, and what points to it.

Files are read where the store keeps them and never from a local copy, which may be good where the stored one is not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, cast

from o1_assets.audit.result import Fault
from o1_assets.core.files import NotAFile, open_regular
from o1_assets.store.ancestry import Visited
from o1_assets.store.digest import TREE
from o1_assets.store.kinds import HEAD, refusal
from o1_assets.store.manifest import Manifest
from o1_assets.store.objects import object_name
from o1_assets.store.store import ArtifactStore, StoreError, manifest_cache_key

# Bytes that are read at once: a checkpoint does not fit into memory several times.
CHUNK = 1 << 20

Ancestors = Mapping[tuple[str, str], Visited]


@dataclass(frozen=True)
class Contents:
    """files: path, size and SHA-256 of each as it is now. faults: what does not fit, and of which part it is."""

    files: tuple[dict[str, Any], ...]
    faults: tuple[Fault, ...]


def read_contents(store: ArtifactStore, digest: str) -> Contents:
    """Reads every byte of the object: sizes, digests, no file more or less, tree.json itself, the files' kinds."""
    faults: list[Fault] = []
    actual: dict[str, Any] = {}
    try:
        names = _names(store, digest)
    except (StoreError, OSError) as error:
        return Contents((), (("object", str(error)),))
    for name in names:
        try:
            actual[name], why = _file(store, digest, name)
        except (NotAFile, OSError) as error:
            faults.append(("object", f"{name} of object {digest} cannot be read: {error}"))
            continue
        if why:
            faults.append(("kind", f"object {digest} holds what no artifact may hold: {why}"))
    try:
        recorded = {entry["path"]: entry for entry in store.tree(digest)}
    except StoreError as error:  # a list with another digest than the object's name is not to be believed
        return Contents(tuple(actual.values()), (("object", str(error)), *faults))
    for name in sorted(recorded.keys() | actual.keys()):
        if name not in recorded:
            faults.append(("object", f"object {digest} holds {name}, which was never stored in it"))
        elif name not in names:
            faults.append(("object", f"{name} of object {digest} is missing"))
        elif name in actual and actual[name] != recorded[name]:
            faults.append(("object", f"{name} of object {digest} is not what was stored"))
    return Contents(tuple(actual.values()), tuple(faults))


def _names(store: ArtifactStore, digest: str) -> list[str]:
    """Everything in the object that is no folder, but tree.json."""
    backend = store.backend
    place = backend.own(object_name(digest))
    if backend.local:
        folder = Path(place)
        # A link to a folder is no folder: what it leads to is not in the store.
        paths = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
        names = [path.relative_to(folder).as_posix() for path in paths]
    else:
        root = backend.fs._strip_protocol(place)
        names = [str(path).removeprefix(f"{root}/") for path in backend.fs.find(place)]
    return sorted(name for name in names if name != TREE)


def _file(store: ArtifactStore, digest: str, name: str) -> tuple[dict[str, Any], str | None]:
    """A file as it is, and why no artifact may hold it. It is told by its first bytes: no pickle is ever opened."""
    place = f"{store.backend.place(object_name(digest))}/{name}"
    opened = open_regular(Path(place)) if store.backend.local else store.backend.fs.open(place, "rb")
    with cast(IO[bytes], opened) as file:
        chunk = file.read(CHUNK)
        why, size, sha = refusal(name, chunk[:HEAD]), 0, hashlib.sha256()
        while chunk:
            sha.update(chunk)
            size += len(chunk)
            chunk = file.read(CHUNK)
    return {"path": name, "size": size, "sha256": sha.hexdigest()}, why


def input_faults(manifest: Manifest, ancestors: Ancestors) -> Iterator[Fault]:
    """Each recorded input against the manifest it names, and the recorded cache key against all of them."""
    for name, item in manifest.inputs.items():
        made = ancestors[item.key, item.version].manifest
        if made is None:  # that version's own fault, which is not named a second time
            continue
        if made.digest != item.digest:
            yield (
                "input",
                f"its input {name} is recorded as {item.key} {item.digest}, but version {item.version} of "
                f"{item.key} holds {made.digest}",
            )
        if not _before(made.finished, manifest.finished):
            yield (
                "input",
                f"its input {name} ({item.key}) was finished {made.finished}, not before {manifest.finished}, when "
                f"{manifest.key} was",
            )
    if manifest_cache_key(manifest) != manifest.cache_key:
        yield "cache key", f"its cache key {manifest.cache_key} is not what its content leads to"


def pointer_faults(store: ArtifactStore, manifest: Manifest) -> tuple[list[Fault], str]:
    """Of the head of its key and of the cache entry of its computation, neither of which has to be there.

    Also a remark, if there is one: two runs of one computation with other bytes break nothing.
    """
    faults: list[Fault] = []
    try:
        store.head(manifest.key)
    except StoreError as error:
        faults.append(("head", str(error)))
    try:
        cached = store.cached(manifest.cache_key)
    except StoreError as error:
        return [*faults, ("cache", str(error))], ""
    if cached is None or cached.digest == manifest.digest:
        return faults, ""
    return faults, f"the same computation gave other bytes: {cached.digest[:12]}"


def _before(earlier: str, later: str) -> bool:
    try:
        return datetime.fromisoformat(earlier) <= datetime.fromisoformat(later)
    except (ValueError, TypeError):
        return False
