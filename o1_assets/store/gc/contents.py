"""What a store holds, read for `find_garbage`: versions, heads, manifests by the thousand, sizes of objects."""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from o1_assets.store.backend import StoreError
from o1_assets.store.manifest import Manifest
from o1_assets.store.objects import object_name
from o1_assets.store.store import ArtifactStore

_OBJECT = re.compile(r"objects/[0-9a-f]{2}/([0-9a-f]{64})/.+")


Name = tuple[str, str]
"""Key and version."""


def versions(store: ArtifactStore) -> Iterable[tuple[Name, int]]:
    """Every recorded version and its manifest's bytes."""
    for entry in store.backend.walk("manifests"):
        folder, _, file = entry.name.removeprefix("manifests/").rpartition("/")
        if folder and file.endswith(".json") and not file.startswith("."):
            yield (folder, file.removesuffix(".json")), entry.size


def heads(store: ArtifactStore, keys: set[str]) -> set[Name]:
    """Asked for by name: what a listing does not show yet is no less today's version."""
    listed = {
        entry.name.removeprefix("heads/").removesuffix(".json") for entry in store.backend.walk("heads")
    }
    named = {key for key in listed | keys if not key.rpartition("/")[2].startswith(".")}
    heads = (store.head(key) for key in sorted(named))
    return {(head.key, head.version) for head in heads if head is not None}


def recorded(store: ArtifactStore, name: Name) -> float:
    try:
        stamp = datetime.strptime(name[1].partition("-")[0], "%Y%m%dT%H%M%S.%fZ")
    except ValueError:
        raise _damaged(store, name) from None
    return stamp.replace(tzinfo=UTC).timestamp()


def with_ancestry(store: ArtifactStore, roots: list[Name]) -> dict[Name, Manifest]:
    kept: dict[Name, Manifest] = {}
    todo = roots
    while todo:
        name = todo.pop()
        if name not in kept:
            kept[name] = store.manifest(*name)
            todo += [(item.key, item.version) for item in kept[name].inputs.values()]
    return kept


def read_raw(store: ArtifactStore, names: list[Name]) -> dict[Name, dict[str, Any]]:
    """Manifests that may go, compared with their names but not validated: there may be very many."""
    by_file = {manifest_file(*name): name for name in names}
    read = {}
    for file, content in store.backend.read_many(list(by_file)):
        name = by_file[file]
        if hashlib.sha256(content).hexdigest() != name[1].rpartition("-")[2]:
            raise _damaged(store, name)
        try:
            manifest = json.loads(content)
            read[name] = {
                "digest": manifest["digest"],
                "inputs": [(item["key"], item["version"]) for item in manifest["inputs"].values()],
            }
            object_name(manifest["digest"])
        except (ValueError, TypeError, KeyError, AttributeError, StoreError):
            raise _damaged(store, name) from None
    return read


def objects(store: ArtifactStore) -> tuple[dict[str, int], dict[str, float]]:
    """Digest -> bytes, and digest -> when its newest file was written, of every object, whole or half."""
    sizes: dict[str, int] = defaultdict(int)
    changed: dict[str, float] = defaultdict(float)
    for entry in store.backend.walk("objects"):
        if match := _OBJECT.fullmatch(entry.name):
            sizes[match[1]] += entry.size
            changed[match[1]] = max(changed[match[1]], entry.modified)
    return dict(sizes), dict(changed)


def manifest_file(key: str, version: str) -> str:
    return f"manifests/{key}/{version}.json"


def _damaged(store: ArtifactStore, name: Name) -> StoreError:
    place = store.backend.place(manifest_file(*name))
    return StoreError(
        f"{place} is damaged, so what it needs is not known and nothing is removed; bring it back from a backup "
        "or remove it"
    )
