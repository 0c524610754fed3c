"""Which versions, objects and pointers of a store nothing needs, and their removal.

Kept is what a person can ask about: today's version of every key, pinned and young versions, and the whole
ancestry of all of these, manifests and objects, so that an audit of a kept version stays complete.

It may be killed at any moment. Pointers into what goes and model cards are removed first, then manifests, each
before those that it names as inputs, then objects: a manifest that is still there always has its ancestry, and
what was not reached is found again.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

from o1_assets.store.backend import Backend, Stored, StoreError
from o1_assets.store.digest import TREE
from o1_assets.store.gc import contents
from o1_assets.store.gc.contents import Name
from o1_assets.store.manifest import Manifest
from o1_assets.store.objects import object_name
from o1_assets.store.pins import pins
from o1_assets.store.store import ArtifactStore

# Uploads to S3 that were cut off: parts of a large file that no listing shows and somebody pays for.


@dataclass(frozen=True)
class Upload:
    """A file that was to be `key` in the bucket, and the number of the attempt."""

    key: str
    number: str


def cut_off(backend: Backend, before: float) -> list[Upload]:
    """Those of this store that were begun before a time (seconds since 1970). None where nobody may ask for them."""
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


def give_up(backend: Backend, uploads: list[Upload]) -> None:
    bucket = backend.root.partition("/")[0]
    for upload in uploads:
        backend.fs.abort_mpu(bucket, upload.key, upload.number)


DAY = 86400.0


_SMALL_FILES = ("heads", "manifests", "cache", "cards", "pins")


@dataclass
class Removable:
    """versions: how many of a key go. bytes: of their manifests and of the objects that no other version holds."""

    versions: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class Garbage:
    """What can go. cards: model cards. manifests: each before its inputs. objects: digest -> bytes, of what goes.

    orphans: digest -> bytes of objects that no version names. temporary: half-written small files; uploads: cut off.
    roots: why versions are kept -> how many; kept: how many in all, with what they were made from.
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
    kept: dict[Name, Manifest] = field(repr=False)


def find_garbage(store: ArtifactStore, keep_days: float, now: float) -> Garbage:
    """now: seconds since 1970. What another machine may be writing, whatever is younger than a day, is no garbage.

    Raises StoreError when a kept version's ancestry is not complete or any manifest is damaged: then nobody can
    say what is needed.
    """
    listed = dict(contents.versions(store))
    today = contents.heads(store, {key for key, _ in listed})
    pinned = {(entry.key, entry.version) for entry in pins(store)}
    young = {name for name in listed if contents.recorded(store, name) > now - keep_days * DAY}
    kept = contents.with_ancestry(store, [*today, *pinned, *young])
    going = contents.read_raw(store, [name for name in listed if name not in kept])

    keys: dict[str, Removable] = defaultdict(Removable)
    sizes, changed = contents.objects(store)
    needed = {manifest.digest for manifest in kept.values()}
    objects: dict[str, int] = {}
    for name in sorted(going):
        key = keys[name[0]]
        digest = going[name]["digest"]
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
        pointers=_pointers(store, going, kept),
        cards=_cards(store, going, kept),
        manifests=_children_first(going),
        objects=objects,
        orphans=orphans,
        temporary=[entry for entry in _temporary(store) if entry.modified < now - DAY],
        uploads=cut_off(store.backend, now - DAY),
        keys=dict(keys),
        roots={"today": len(today), "pinned": len(pinned), "young": len(young - today - pinned)},
        heads=today,
        kept=kept,
    )


def remove_garbage(store: ArtifactStore, garbage: Garbage) -> None:
    """Removes what `find_garbage` found, in the order that keeps the store consistent if it is killed."""
    store.backend.remove([*garbage.pointers, *garbage.cards])
    store.backend.remove([contents.manifest_file(*name) for name in garbage.manifests])
    for digest in [*garbage.objects, *garbage.orphans]:
        store.backend.remove_folder(object_name(digest), first=TREE)
    store.backend.remove([entry.name for entry in garbage.temporary])
    give_up(store.backend, garbage.uploads)


def _children_first(going: dict[Name, dict[str, Any]]) -> list[Name]:
    order: TopologicalSorter[Name] = TopologicalSorter()
    for name, manifest in going.items():
        order.add(name)
        for parent in manifest["inputs"]:
            if parent in going:
                order.add(parent, name)
    try:
        return list(order.static_order())
    except CycleError as error:
        raise StoreError(
            f"versions of {error.args[1][0][0]} name each other as inputs; run `o1 audit`"
        ) from None


def _pointers(store: ArtifactStore, going: dict[Name, Any], kept: dict[Name, Manifest]) -> list[str]:
    """Cache pointers to a version that goes or that is not there; a damaged one answers nothing either."""
    files = [e.name for e in store.backend.walk("cache") if not e.name.rpartition("/")[2].startswith(".")]
    useless = []
    for file, content in store.backend.read_many(files):
        try:
            pointer = json.loads(content)
            gone = _gone(store, (str(pointer["key"]), str(pointer["version"])), going, kept)
        except (ValueError, TypeError, KeyError):
            gone = True
        if gone:
            useless.append(file)
    return useless


def _cards(store: ArtifactStore, going: dict[Name, Any], kept: dict[Name, Manifest]) -> list[str]:
    """Model cards of versions that go or that are not there."""
    useless = []
    for entry in store.backend.walk("cards"):
        key, _, file = entry.name.removeprefix("cards/").rpartition("/")
        if not file.startswith(".") and _gone(store, (key, file.removesuffix(".md")), going, kept):
            useless.append(entry.name)
    return useless


def _gone(store: ArtifactStore, name: Name, going: dict[Name, Any], kept: dict[Name, Manifest]) -> bool:
    """Whether a version goes or is not there; one that was recorded since the listing is."""
    return name in going or (name not in kept and not store.backend.exists(contents.manifest_file(*name)))


def _temporary(store: ArtifactStore) -> Iterable[Stored]:
    for folder in _SMALL_FILES:
        for entry in store.backend.walk(folder):
            if entry.name.rpartition("/")[2].startswith("."):
                yield entry
