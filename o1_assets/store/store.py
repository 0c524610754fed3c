"""The content-addressed store: immutable objects, one manifest a materialization, heads, and the cache index.

    objects/<aa>/<digest>/...         an artifact's files (objects.py)
    manifests/<key>/<time>-<id>.json  how one version was made; only ever added to. id: SHA-256 of the file
    heads/<key>.json                  which manifest is today's version of a key
    cache/<aa>/<cache key>.json       which manifest a computation led to

A manifest names the manifests of its inputs, so whoever trusts one can trust its whole ancestry: a byte that was
changed anywhere in it no longer fits a name. Heads and cache entries only point, and what they point to is compared
with what was asked for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from o1_assets.core.errors import O1Error
from o1_assets.core.files import json_bytes
from o1_assets.store.backend import DamagedError, StoreError
from o1_assets.store.digest import sha256_json
from o1_assets.store.manifest import Manifest, ManifestInput
from o1_assets.store.objects import Objects

_KEY_LETTERS = set("abcdefghijklmnopqrstuvwxyz0123456789_-.")
_VERSION_LETTERS = set("0123456789abcdefTZ.-")


# A record of how something was made cannot be made again, only the thing itself.
MADE_AGAIN = (
    "bring it back from a backup: without it `o1 run` makes the artifact again, and audits of what was made from the "
    "lost version name it as broken"
)


class OtherRelease(StoreError):
    """A manifest has other fields than this release writes. It is not damaged, so nothing replaces it."""


class ArtifactStore(Objects):
    """Artifacts under `url`, a folder or any fsspec URL; `work` is a local folder for scratch and copies."""

    def record(self, manifest: Manifest) -> Manifest:
        """Adds the manifest and points its key's head and its cache key to it. Returns it with its version."""
        content = json_bytes(manifest.model_dump(mode="json"))
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        manifest = manifest.model_copy(update={"version": f"{stamp}-{hashlib.sha256(content).hexdigest()}"})
        # The manifest first: a writer that is killed in between leaves a version that `recorded` finds, and never a
        # pointer to nothing.
        self.backend.write(manifest_name(manifest.key, manifest.version), content)
        self._point(manifest)
        return manifest

    def head(self, key: str) -> Manifest | None:
        """Today's version of `key`, or None when there is none. Raises StoreError when it is damaged."""
        name = _head_name(key)
        pointer = self._pointer(name)
        if pointer is None:
            return None
        if pointer.key != key:
            raise self._damaged(name)
        return self._pointed_to(name, pointer, self._content(pointer))

    def heads(self, keys: Iterable[str]) -> dict[str, Manifest]:
        """Today's version of each key that has one. Raises StoreError when any is damaged."""
        heads = self.read_heads(keys)
        for fault in heads.faults.values():
            raise fault
        return heads.manifests

    def read_heads(self, keys: Iterable[str]) -> Heads:
        """Today's versions and the damaged ones, read together: a remote store answers many at once."""
        # Two rounds of requests, first pointers and then manifests, however many keys there are.
        heads, pointed = Heads({}, {}, {}), dict[str, ManifestPointer]()
        by_name = {_head_name(key): key for key in keys}
        for name, content in self.backend.read_each(list(by_name)):
            key = by_name[name]
            try:
                pointed[key] = pointer = self._parsed(name, content)
                if pointer.key != key:
                    raise self._damaged(name)
            except StoreError as error:
                pointed.pop(key, None)
                heads.faults[key] = error
        files = {manifest_name(p.key, p.version): p for p in pointed.values()}
        read = dict(self.backend.read_each(list(files)))
        for file, pointer in files.items():
            try:
                heads.manifests[pointer.key] = self._pointed_to(
                    _head_name(pointer.key), pointer, read.get(file)
                )
            except StoreError as error:
                heads.faults[pointer.key] = error
        # On a server each would be a listing, and `o1 audit` asks for those that matter.
        for key in by_name.values() if self.backend.local else ():
            if key not in heads.manifests and key not in heads.faults:
                try:
                    if lost := self.lost_head(key):
                        heads.lost[key] = lost
                except StoreError as error:
                    heads.faults[key] = error
        return heads

    def lost_head(self, key: str) -> str:
        """What to say of a key that has versions and no head; empty if it has neither, or both."""
        versions = self.versions(key)
        if not versions or self.backend.exists(_head_name(key)):
            return ""
        place = self.backend.place(_head_name(key))
        count = "1 version is" if len(versions) == 1 else f"{len(versions)} versions are"
        return f"{place} is gone, though {count} recorded; `o1 run` writes it again"

    def cached(self, cache_key: str) -> Manifest | None:
        """The manifest of an equal computation whose object is still there, or None."""
        name = _cache_name(cache_key)
        pointer = self._pointer(name)
        if pointer is None:
            return None
        manifest = self._pointed_to(name, pointer, self._content(pointer))
        if not _result_of(manifest, cache_key):
            raise self._damaged(name)
        return manifest if self.present(manifest.digest) else None

    def recorded(self, key: str, cache_key: str) -> Manifest | None:
        """The newest manifest of `key` if it is of an equal computation, else None. Its pointers are written again.

        `cached` misses a manifest whose writer was killed before it wrote the cache entry.
        """
        versions = self.versions(key)
        manifest = self.manifest(key, versions[-1]) if versions else None
        if manifest is None or not _result_of(manifest, cache_key) or not self.present(manifest.digest):
            return None
        self._point(manifest)
        return manifest

    def knows(self, cache_key: str) -> bool:
        """Whether a result of the computation was ever recorded."""
        return self.backend.exists(_cache_name(cache_key))

    def adopt(self, manifest: Manifest) -> None:
        """Makes an earlier computation's result today's version of its key."""
        pointer = ManifestPointer(manifest.key, manifest.version).to_bytes()
        # The head may be this one already; then nothing is written.
        if self.backend.read(_head_name(manifest.key)) != pointer:
            self.backend.write(_head_name(manifest.key), pointer)

    def history(self, key: str) -> Iterator[Manifest]:
        """Every recorded version of `key`, oldest first."""
        for version in self.versions(key):
            yield self.manifest(key, version)

    def versions(self, key: str) -> list[str]:
        """Names of every recorded version of `key`, oldest first."""
        names = self.backend.names(f"manifests/{_checked(key)}")
        return [name.removesuffix(".json") for name in names if name.endswith(".json")]

    def manifest(self, key: str, version: str) -> Manifest:
        """One version of `key`. Raises StoreError when it is missing or not what its name says."""
        content = self.backend.read(manifest_name(key, version))
        manifest = self._checked_manifest(key, version, content)
        if manifest is None:
            place = self.backend.place(manifest_name(key, version))
            raise DamagedError(f"{place} is missing; {MADE_AGAIN}")
        return manifest

    def _checked_manifest(
        self, key: str, version: str, content: bytes | StoreError | None
    ) -> Manifest | None:
        name = manifest_name(key, version)
        if content is None:
            return None
        if isinstance(content, StoreError):
            raise content
        if hashlib.sha256(content).hexdigest() != version.rpartition("-")[2]:
            raise self._damaged(name)
        try:
            manifest = Manifest.model_validate_json(content)
        except ValidationError as error:
            raise OtherRelease(self._of_release(name, _release(content, error))) from None
        if manifest.key != key:
            raise self._damaged(name)
        return manifest.model_copy(update={"version": version})

    def _point(self, manifest: Manifest) -> None:
        pointer = ManifestPointer(manifest.key, manifest.version).to_bytes()
        self.backend.write(_cache_name(manifest.cache_key), pointer)
        self.backend.write(_head_name(manifest.key), pointer)

    def _pointer(self, name: str) -> ManifestPointer | None:
        content = self.backend.read(name)
        return None if content is None else self._parsed(name, content)

    def _parsed(self, name: str, content: bytes | StoreError) -> ManifestPointer:
        if isinstance(content, StoreError):
            raise content
        try:
            entry = json.loads(content)
            if entry.keys() == {"manifest"}:
                raise OtherRelease(self._of_release(name, "an early version of o1-assets (format 1)"))
            pointer = ManifestPointer(str(entry["key"]), str(entry["version"]))
            # Byte for byte: two spellings of one pointer would let somebody change a store unnoticed.
            whole = content == pointer.to_bytes() and bool(manifest_name(pointer.key, pointer.version))
        except OtherRelease:
            raise
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, StoreError):
            whole = False
        if not whole:
            raise self._damaged(name)
        return pointer

    def _content(self, pointer: ManifestPointer) -> bytes | None:
        return self.backend.read(manifest_name(pointer.key, pointer.version))

    def _pointed_to(
        self, name: str, pointer: ManifestPointer, content: bytes | StoreError | None
    ) -> Manifest:
        manifest = self._checked_manifest(pointer.key, pointer.version, content)
        if manifest is None:
            raise DamagedError(
                f"{self.backend.place(name)} leads to {manifest_name(pointer.key, pointer.version)}, which is not "
                f"there; {MADE_AGAIN}"
            )
        return manifest

    def _of_release(self, name: str, which: str) -> str:
        return (
            f"{self.backend.place(name)} was written by {which}; use that one for this store, which is as it was, or a "
            "new O1_HOME"
        )

    def _damaged(self, name: str) -> DamagedError:
        # A run looks at heads and their manifests, and at a cache entry only when it needs it.
        advice = {"manifests": MADE_AGAIN, "heads": "`o1 run` writes it again"}.get(
            name.partition("/")[0], "remove it, with which nothing is lost"
        )
        return DamagedError(f"{self.backend.place(name)} is damaged; {advice}")


def _release(content: bytes, error: ValidationError) -> str:
    """Which release wrote a manifest that does not fit, in words."""
    ours, theirs = Manifest.model_fields["format"].default, None
    with suppress(ValueError, AttributeError, RecursionError):
        theirs = json.loads(content).get("format")
    if isinstance(theirs, int) and theirs != ours:
        age = "a newer" if theirs > ours else "an early"
        return f"{age} version of o1-assets (format {theirs}, where this one has {ours})"
    fields = list(dict.fromkeys(".".join(map(str, each["loc"])) for each in error.errors()))
    return f"another version of o1-assets (other fields: {', '.join(fields[:3])})"


@dataclass(frozen=True)
class Heads:
    """Today's versions by key, and why others cannot be told. lost: keys whose head is gone, and what to say of it."""

    manifests: dict[str, Manifest]
    faults: dict[str, StoreError]
    lost: dict[str, str]


@dataclass(frozen=True)
class ManifestPointer:
    """The content of a head and of an entry of the cache index."""

    key: str
    version: str

    def to_bytes(self) -> bytes:
        return json_bytes({"key": self.key, "version": self.version})


def cache_key(
    key: str,
    code_version: str,
    config: dict[str, Any],
    seed: int,
    inputs: dict[str, str],
    external: str | None,
) -> str:
    """The digest of everything that a result depends on. inputs: short name -> digest."""
    return sha256_json(["o1-cache-1", key, code_version, config, seed, inputs, external])


def _result_of(manifest: Manifest, cache_key: str) -> bool:
    # Both: a pointer may lead to another computation, and a manifest may claim a key that its fields do not give.
    return manifest.cache_key == cache_key == manifest_cache_key(manifest)


def manifest_cache_key(manifest: Manifest) -> str:
    """The cache key computed from a manifest's own fields."""
    digests = {name: item.digest for name, item in manifest.inputs.items()}
    return cache_key(
        manifest.key, manifest.code_version, manifest.config, manifest.seed, digests, manifest.external
    )


def _head_name(key: str) -> str:
    return f"heads/{_checked(key)}.json"


def _cache_name(cache_key: str) -> str:
    return f"cache/{cache_key[:2]}/{cache_key}.json"


def manifest_name(key: str, version: str) -> str:
    if not version or not set(version) <= _VERSION_LETTERS or not version.strip("."):
        raise StoreError(f"{version!r} is not a version")
    return f"manifests/{_checked(key)}/{version}.json"


def _checked(key: str) -> str:
    # Keys become paths and parts of URLs, and some file systems do not tell upper case from lower case.
    parts = key.split("/")
    if not all(part and set(part) <= _KEY_LETTERS and part.strip(".") for part in parts):
        raise StoreError(
            f"{key!r} is not an artifact key: lower-case letters, digits, _ - . in parts joined by /"
        )
    return key


class MissingInput(O1Error):
    """An input has no version yet."""


def inputs_of(key: str, inputs: Mapping[str, str], heads: Mapping[str, Manifest]) -> dict[str, ManifestInput]:
    """The newest version of each input of `key`. inputs: short name -> key. heads: key -> newest version.

    Raises MissingInput when one was never made.
    """
    versions = {}
    for name, needed in inputs.items():
        head = heads.get(needed)
        if head is None:
            raise MissingInput(f"{key} needs {needed}, which has not been made; run `o1 run`")
        versions[name] = ManifestInput(key=needed, digest=head.digest, version=head.version)
    return versions
