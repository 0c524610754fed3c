"""Garbage collection: finds the versions, objects and pointers of a store that nothing needs, and removes them.

The roots are today's version of every key, pinned versions and young ones. They are kept with their whole ancestry,
manifests and objects, so that an audit of a kept version stays complete.

It may be killed at any moment. Pointers to unreachable versions and model cards are removed first, then manifests,
each before those that it names as inputs, then objects. So a manifest that is still there always has its ancestry, and
the next call finds what was left over.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from graphlib import CycleError, TopologicalSorter
from typing import Any

from o1_assets.store.backend import Backend, Stored, StoreError
from o1_assets.store.digest import TREE
from o1_assets.store.manifest import Manifest
from o1_assets.store.objects import object_name
from o1_assets.store.pins import pins
from o1_assets.store.scratch import DAY
from o1_assets.store.store import ArtifactStore

# Key and version.
Name = tuple[str, str]

_SMALL_FILES = ("heads", "manifests", "cache", "cards", "pins")
_OBJECT = re.compile(r"objects/[0-9a-f]{2}/([0-9a-f]{64})/.+")


@dataclass(frozen=True)
class Upload:
    """An upload of a large file that was cut off: the file's key in the bucket, and the upload's id."""

    key: str
    number: str


@dataclass
class Removable:
    """versions: how many of a key are removed. bytes: of their manifests, and of objects that no other version has."""

    versions: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class Garbage:
    """What can be removed, and what is kept.

    pointers: entries of the cache index. cards: model cards. manifests: each before its inputs. objects: digest ->
    bytes, of the removed versions. orphans: digest -> bytes of objects that no version names. temporary: half-written
    small files. keys: what is removed of each key. roots: reason -> how many versions are kept for it. heads: today's
    versions. reachable: all that is kept, the roots with their ancestry.
    """

    pointers: list[str]
    cards: list[str]
    manifests: list[Name]
    objects: dict[str, int]
    orphans: dict[str, int]
    temporary: list[Stored]
    uploads: list[Upload]
    keys: dict[str, Removable]
    roots: dict[str, int]
    heads: set[Name]
    reachable: dict[Name, Manifest] = field(repr=False)


def find_garbage(store: ArtifactStore, keep_days: float, now: float) -> Garbage:
    """Everything in the store that is not needed. keep_days: younger versions are kept. now: seconds since 1970.

    Raises StoreError when a kept version's ancestry is not complete or any manifest is damaged, because what is needed
    is then not known.
    """
    # Half-written files, orphans and uploads of less than a day may belong to another machine that is writing them.
    listed = dict(_versions(store))
    today = _heads(store, {key for key, _ in listed})
    pinned = {(entry.key, entry.version) for entry in pins(store)}
    young = {name for name in listed if _recorded(store, name) > now - keep_days * DAY}
    reachable = _with_ancestry(store, [*today, *pinned, *young])
    unreachable = _read_raw(store, [name for name in listed if name not in reachable])

    keys: dict[str, Removable] = defaultdict(Removable)
    sizes, changed = _objects(store)
    # Several versions may share an object. It goes only if no kept version has it, and its bytes count once.
    needed = {manifest.digest for manifest in reachable.values()}
    objects: dict[str, int] = {}
    for name in sorted(unreachable):
        key = keys[name[0]]
        digest = unreachable[name]["digest"]
        key.versions += 1
        key.bytes += listed[name]
        if digest in sizes and digest not in needed and digest not in objects:
            objects[digest] = sizes[digest]
            key.bytes += sizes[digest]
    orphans = {
        digest: size
        for digest, size in sizes.items()
        if digest not in needed and digest not in objects and changed[digest] < now - DAY
    }
    return Garbage(
        pointers=_pointers(store, unreachable, reachable),
        cards=_cards(store, unreachable, reachable),
        manifests=_children_first(unreachable),
        objects=objects,
        orphans=orphans,
        temporary=[entry for entry in _temporary(store) if entry.modified < now - DAY],
        uploads=_cut_off_uploads(store.backend, now - DAY),
        keys=dict(keys),
        roots={"today": len(today), "pinned": len(pinned), "young": len(young - today - pinned)},
        heads=today,
        reachable=reachable,
    )


def remove_garbage(store: ArtifactStore, garbage: Garbage) -> None:
    """Removes what `find_garbage` found, in the order that keeps the store consistent if it is killed."""
    # Pointers first, and manifests before objects: whatever a kill leaves, nothing points to what is gone.
    store.backend.remove([*garbage.pointers, *garbage.cards])
    store.backend.remove([_manifest_file(*name) for name in garbage.manifests])
    for digest in [*garbage.objects, *garbage.orphans]:
        store.backend.remove_folder(object_name(digest), first=TREE)
    store.marks.forget([*garbage.objects, *garbage.orphans])
    store.backend.remove([entry.name for entry in garbage.temporary])
    _abort_uploads(store.backend, garbage.uploads)


def _children_first(unreachable: dict[Name, dict[str, Any]]) -> list[Name]:
    order: TopologicalSorter[Name] = TopologicalSorter()
    for name, manifest in unreachable.items():
        order.add(name)
        for parent in manifest["inputs"]:
            if parent in unreachable:
                order.add(parent, name)
    try:
        return list(order.static_order())
    except CycleError as error:
        raise StoreError(
            f"versions of {error.args[1][0][0]} name each other as inputs; run `o1 audit`"
        ) from None


def _pointers(
    store: ArtifactStore, unreachable: dict[Name, Any], reachable: dict[Name, Manifest]
) -> list[str]:
    """Entries of the cache index that lead to an unreachable or missing version, and those that are damaged."""
    files = [e.name for e in store.backend.walk("cache") if not e.name.rpartition("/")[2].startswith(".")]
    useless = []
    for file, content in store.backend.read_many(files):
        try:
            pointer = json.loads(content)
            gone = _is_gone(store, (str(pointer["key"]), str(pointer["version"])), unreachable, reachable)
        except (ValueError, TypeError, KeyError):
            gone = True
        if gone:
            useless.append(file)
    return useless


def _cards(store: ArtifactStore, unreachable: dict[Name, Any], reachable: dict[Name, Manifest]) -> list[str]:
    """Model cards of unreachable and missing versions."""
    useless = []
    for entry in store.backend.walk("cards"):
        key, _, file = entry.name.removeprefix("cards/").rpartition("/")
        if not file.startswith(".") and _is_gone(
            store, (key, file.removesuffix(".md")), unreachable, reachable
        ):
            useless.append(entry.name)
    return useless


def _is_gone(
    store: ArtifactStore, name: Name, unreachable: dict[Name, Any], reachable: dict[Name, Manifest]
) -> bool:
    """Whether a version is unreachable or missing."""
    # Asked for by name: a version that was recorded since the listing is not in it, and is there.
    return name in unreachable or (name not in reachable and not store.backend.exists(_manifest_file(*name)))


def _temporary(store: ArtifactStore) -> Iterable[Stored]:
    for folder in _SMALL_FILES:
        for entry in store.backend.walk(folder):
            if entry.name.rpartition("/")[2].startswith("."):
                yield entry


# What a store holds, listed and read in bulk: one by one a remote store would take a round trip for each.


def _versions(store: ArtifactStore) -> Iterable[tuple[Name, int]]:
    """Every recorded version, and the size of its manifest in bytes."""
    for entry in store.backend.walk("manifests"):
        folder, _, file = entry.name.removeprefix("manifests/").rpartition("/")
        if folder and file.endswith(".json") and not file.startswith("."):
            yield (folder, file.removesuffix(".json")), entry.size


def _heads(store: ArtifactStore, keys: set[str]) -> set[Name]:
    """Today's version of every key."""
    # Asked for by name: a listing of an object store may lag behind, and a head that it misses would be removed.
    listed = {
        entry.name.removeprefix("heads/").removesuffix(".json") for entry in store.backend.walk("heads")
    }
    named = {key for key in listed | keys if not key.rpartition("/")[2].startswith(".")}
    heads = (store.head(key) for key in sorted(named))
    return {(head.key, head.version) for head in heads if head is not None}


def _recorded(store: ArtifactStore, name: Name) -> float:
    """When a version was recorded, in seconds since 1970."""
    # From its name: a copied or restored store has other modification times, and a manifest is not read for it.
    try:
        stamp = datetime.strptime(name[1].partition("-")[0], "%Y%m%dT%H%M%S.%fZ")
    except ValueError:
        raise _damaged(store, name) from None
    return stamp.replace(tzinfo=UTC).timestamp()


def _with_ancestry(store: ArtifactStore, roots: list[Name]) -> dict[Name, Manifest]:
    reachable: dict[Name, Manifest] = {}
    todo = roots
    while todo:
        name = todo.pop()
        if name not in reachable:
            reachable[name] = store.manifest(*name)
            todo += [(item.key, item.version) for item in reachable[name].inputs.values()]
    return reachable


def _read_raw(store: ArtifactStore, names: list[Name]) -> dict[Name, dict[str, Any]]:
    """Manifests that may go, compared with their names but not validated: there may be very many."""
    by_file = {_manifest_file(*name): name for name in names}
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


def _objects(store: ArtifactStore) -> tuple[dict[str, int], dict[str, float]]:
    """Digest -> bytes, and digest -> when its newest file was written, of every object, complete or not."""
    sizes: dict[str, int] = defaultdict(int)
    changed: dict[str, float] = defaultdict(float)
    for entry in store.backend.walk("objects"):
        if match := _OBJECT.fullmatch(entry.name):
            sizes[match[1]] += entry.size
            changed[match[1]] = max(changed[match[1]], entry.modified)
    return dict(sizes), dict(changed)


def _manifest_file(key: str, version: str) -> str:
    # Not `manifest_name`, which refuses odd names: here they come from a listing, and some may be odd.
    return f"manifests/{key}/{version}.json"


def _damaged(store: ArtifactStore, name: Name) -> StoreError:
    place = store.backend.place(_manifest_file(*name))
    return StoreError(
        f"{place} is damaged, so what it needs is not known and nothing is removed; bring it back from a backup "
        "or remove it"
    )


# Uploads to S3 that were cut off leave parts of a large file, which no listing shows and which still cost money.


def _cut_off_uploads(backend: Backend, before: float) -> list[Upload]:
    """Cut-off uploads to this store begun before a time (seconds since 1970); none where listing them is forbidden."""
    if not hasattr(backend.fs, "list_multipart_uploads"):
        return []
    bucket, _, prefix = backend.root.partition("/")
    begun = []
    with suppress(PermissionError, FileNotFoundError):
        begun = backend.fs.list_multipart_uploads(bucket)
    return [
        Upload(upload["Key"], upload["UploadId"])
        for upload in begun
        if upload["Key"].startswith(f"{prefix}/") and upload["Initiated"].timestamp() < before
    ]


def _abort_uploads(backend: Backend, uploads: list[Upload]) -> None:
    bucket = backend.root.partition("/")[0]
    for upload in uploads:
        backend.fs.abort_mpu(bucket, upload.key, upload.number)
