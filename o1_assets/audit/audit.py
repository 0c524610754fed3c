"""The audit of one version of one artifact: everything it was made from, down to the line that a labeller sent.

For each version it verifies the object's bytes, the inputs and the cache key, whatever points to it, and its labels.
Nothing outside of the ancestry is read, and nothing is changed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from polars.exceptions import PolarsError

from o1_assets.audit.lines import Homes, batch_trail, row_trail
from o1_assets.audit.result import Audit, AuditedVersion, Broken, Fault, LabelTrail, Part
from o1_assets.core.artifact import Artifact
from o1_assets.execution.differences import commit, differences, environment_differences
from o1_assets.execution.environment import libraries
from o1_assets.store.ancestry import Visited, find_version, walk
from o1_assets.store.cards import UnsealedCard, read_card
from o1_assets.store.contents import Contents
from o1_assets.store.manifest import Environment, Manifest
from o1_assets.store.store import ArtifactStore, OtherRelease, StoreError, manifest_cache_key

LABELS, BATCHES = "/labels", "/label_batches"

# How many bytes are read at once: several threads hash checkpoints, which do not all fit into memory.
CHUNK = 1 << 20
Ancestors = Mapping[tuple[str, str], Visited]


@dataclass(frozen=True)
class Today:
    """What a version is compared with: today's graph, and this process's environment.

    environment: as it is recorded of a computation that asks for no library of its own.
    """

    graph: Mapping[str, Artifact]
    environment: Environment


def audit(
    store: ArtifactStore,
    key: str,
    version: str | None = None,
    *,
    today: Today | None = None,
    homes: Homes | None = None,
) -> Audit:
    """Verify `version` of `key` (as `find_version` takes it) and its whole ancestry.

    today: what to compare code, configuration and environment with. homes: where label batches lie; None leaves them
    out. Raises StoreError when there is no such version. Damage does not raise; it is in the result.
    """
    started = time.perf_counter()
    name = _find(store, key, version)
    ancestors = {(visited.key, visited.version): visited for visited in walk(store, key, name)}
    manifests = [visited.manifest for visited in ancestors.values() if visited.manifest]
    heads = store.read_heads({manifest.key for manifest in manifests}).manifests
    today_versions = {head.version for head in heads.values()}
    # Several versions may have one object: it is hashed once.
    digests = list(dict.fromkeys(manifest.digest for manifest in manifests))
    # Hashing and waiting for a remote store leave the interpreter free, so threads help.
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1 if store.backend.local else 16) as pool:
        contents = dict(zip(digests, pool.map(store.contents, digests), strict=True))
        checked = pool.map(lambda manifest: pointer_faults(store, manifest), manifests)
        pointers = dict(zip((manifest.version for manifest in manifests), checked, strict=True))

    def audited(visited: Visited) -> AuditedVersion:
        manifest = visited.manifest
        if manifest is None:
            broken = Broken(visited.key, visited.version, "manifest", visited.error)
            return AuditedVersion(visited.key, visited.version, None, (broken,))
        content, (faults, remarks) = contents[manifest.digest], pointers[manifest.version]
        remedy = store.remedy(manifest.digest, again=manifest.version in today_versions)
        damage = [(part, f"{why}; {remedy}") for part, why in content.faults]
        faults = [*damage, *input_faults(manifest, ancestors), *faults]
        trail = None
        if homes is not None and not content.faults:
            # Tables with other bytes than were stored say nothing about the labels that they were made from.
            trail, label_faults = _labels(store, manifest, ancestors, contents, homes)
            faults += label_faults
        return AuditedVersion(
            visited.key,
            visited.version,
            manifest,
            tuple(Broken(visited.key, visited.version, part, message) for part, message in faults),
            tuple(_remarks(manifest, today, remarks, trail)),
            content.files,
            trail,
        )

    versions = tuple(audited(visited) for visited in ancestors.values())
    return Audit(key, name, versions, time.perf_counter() - started)


def _find(store: ArtifactStore, key: str, version: str | None) -> str:
    """The version to audit. If the head is damaged, it is the newest version, and the audit names the head."""
    try:
        return find_version(store, key, version)
    except OtherRelease:
        raise
    except StoreError:
        # A version that was asked for by name and is not there is no other version.
        names = store.versions(key) if version is None else []
        if not names:
            raise
        return names[-1]


def _remarks(
    manifest: Manifest, today: Today | None, pointers: Sequence[str], trail: LabelTrail | None
) -> Iterator[str]:
    """What is worth knowing and not broken: one clause each, the same for every version of which it is true."""
    if today is not None:
        yield from _since(manifest, today)
    yield from pointers
    for batch in trail.batches if trail else ():
        if batch.place == "withdrawn":
            yield f"label batch {batch.digest[:12]} has been withdrawn since"


def _since(manifest: Manifest, today: Today) -> Iterator[str]:
    """How a version differs from today's code, configuration, seed and environment."""
    artifact, then = today.graph.get(manifest.key), manifest.environment
    if artifact is None:
        yield "no artifact of today's graph"
    else:
        other = differences(manifest, artifact)
        if other.code:
            yield f"made by other code than today's: {commit(then)}"
        if other.config:
            yield f"numbers of the profile differ from today's: {', '.join(other.config)}"
        yield from other.fields()
        if other.seed:
            yield f"the seed was {manifest.seed}, today it is {artifact.seed}"
    # Some libraries are recorded only by a configuration that asks for them, as LoRA asks for peft.
    asked_for = {**libraries(manifest.config), **today.environment.libraries}
    now = today.environment.model_copy(update={"libraries": asked_for})
    if (then.git_commit, then.git_dirty) != (now.git_commit, now.git_dirty):
        yield f"made at {commit(then)}, today {commit(now)}"
    yield from environment_differences(then, now)


def _labels(
    store: ArtifactStore,
    manifest: Manifest,
    ancestors: Ancestors,
    contents: Mapping[str, Contents],
    homes: Homes,
) -> tuple[LabelTrail | None, list[Fault]]:
    """The trail of a version's labels, and its faults. No trail if it has no labels or their batches are damaged."""
    if not manifest.key.endswith((LABELS, BATCHES)):
        return None, []
    folder = store.path(manifest.digest)
    try:
        if manifest.key.endswith(BATCHES):
            return batch_trail(folder, manifest, homes)
        batches = next((i for i in manifest.inputs.values() if i.key.endswith(BATCHES)), None)
        made = ancestors[batches.key, batches.version].manifest if batches else None
        # Damaged batches are a fault of theirs, which is named there.
        if made is None or contents[made.digest].faults:
            return None, []
        return row_trail(folder, store.path(made.digest))
    except (OSError, ValueError, KeyError, TypeError, PolarsError) as error:
        part: Part = "batch" if manifest.key.endswith(BATCHES) else "label"
        return None, [(part, f"its tables cannot be read: {error}")]


def input_faults(manifest: Manifest, ancestors: Ancestors) -> Iterator[Fault]:
    """Compares each recorded input with the manifest that it names, and the cache key with all recorded fields."""
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
    # A manifest with another configuration would otherwise be found as the result of that computation.
    if manifest_cache_key(manifest) != manifest.cache_key:
        yield "cache key", f"its cache key {manifest.cache_key} is not what its content leads to"


def pointer_faults(store: ArtifactStore, manifest: Manifest) -> tuple[list[Fault], list[str]]:
    """Faults of the key's head, of the version's model card and of the computation's cache entry; and remarks.

    Card and cache entry need not exist.

    The remarks tell of an equal computation that gave other bytes, and of a card that cannot be compared with anything;
    neither breaks anything.
    """
    faults, remarks = list[Fault](), list[str]()
    try:
        if store.head(manifest.key) is None and (lost := store.lost_head(manifest.key)):
            faults.append(("head", lost))
    except StoreError as error:
        faults.append(("head", str(error)))
    try:
        read_card(store.backend, manifest.key, manifest.version)
    except UnsealedCard as unsealed:
        remarks.append(str(unsealed))
    except StoreError as error:
        faults.append(("card", str(error)))
    try:
        cached = store.cached(manifest.cache_key)
        if cached is not None and cached.digest != manifest.digest:
            remarks.append(f"the same computation gave other bytes: {cached.digest[:12]}")
    except StoreError as error:
        faults.append(("cache", str(error)))
    return faults, remarks


def _before(earlier: str, later: str) -> bool:
    try:
        return datetime.fromisoformat(earlier) <= datetime.fromisoformat(later)
    except (ValueError, TypeError):  # no time at all, or one with a time zone and one without
        return False
