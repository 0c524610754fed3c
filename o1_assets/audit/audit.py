"""The audit of one version of one artifact: everything it was made from, down to the line that a labeller sent.

It reads its own ancestry and nothing else of the store, and changes nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from polars.exceptions import PolarsError

from o1_assets.audit.contents import Ancestors, Contents, input_faults, pointer_faults, read_contents
from o1_assets.audit.lines import Homes, batch_trail, row_trail
from o1_assets.audit.result import Audit, AuditedVersion, Broken, Fault, LabelTrail, Part
from o1_assets.core.artifact import Artifact
from o1_assets.execution.differences import commit, differences, environment_differences
from o1_assets.execution.environment import libraries
from o1_assets.store.ancestry import Visited, find_version, walk
from o1_assets.store.manifest import Environment, Manifest
from o1_assets.store.store import ArtifactStore, StoreError

LABELS, BATCHES = "/labels", "/label_batches"


@dataclass(frozen=True)
class Today:
    """Today's graph, and what this process would record as its environment of a computation that asks for no library
    of its own."""

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

    today: what to compare code, configuration and environment with. homes: where label batches lie; without
    it they are not looked at. Raises StoreError when there is no such version; what is damaged is in the result.
    """
    started = time.perf_counter()
    name = _find(store, key, version)
    ancestors = {(visited.key, visited.version): visited for visited in walk(store, key, name)}
    manifests = [visited.manifest for visited in ancestors.values() if visited.manifest]
    digests = list(dict.fromkeys(manifest.digest for manifest in manifests))
    # Hashing and waiting for a remote store leave the interpreter free, so threads help.
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1 if store.backend.local else 16) as pool:
        contents = dict(
            zip(digests, pool.map(lambda digest: read_contents(store, digest), digests), strict=True)
        )
        found = pool.map(lambda manifest: pointer_faults(store, manifest), manifests)
        pointers = dict(zip((manifest.version for manifest in manifests), found, strict=True))

    def audited(visited: Visited) -> AuditedVersion:
        manifest = visited.manifest
        if manifest is None:
            broken = Broken(visited.key, visited.version, "manifest", visited.error)
            return AuditedVersion(visited.key, visited.version, None, (broken,))
        content, (faults, remark) = contents[manifest.digest], pointers[manifest.version]
        faults = [*content.faults, *input_faults(manifest, ancestors), *faults]
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
            tuple(_remarks(manifest, today, remark, trail)),
            content.files,
            trail,
        )

    versions = tuple(audited(visited) for visited in ancestors.values())
    return Audit(key, name, versions, time.perf_counter() - started)


def _find(store: ArtifactStore, key: str, version: str | None) -> str:
    """A damaged head hides no artifact: the newest version is audited, and the head is named."""
    try:
        return find_version(store, key, version)
    except StoreError:
        names = store.versions(key) if version is None else []
        if not names:
            raise
        return names[-1]


def _remarks(
    manifest: Manifest, today: Today | None, pointer: str, trail: LabelTrail | None
) -> Iterator[str]:
    """What is worth knowing and is not broken. One clause each, the same for every version of which it is true."""
    if today is not None:
        yield from _since(manifest, today)
    if pointer:
        yield pointer
    for batch in trail.batches if trail else ():
        if batch.place == "withdrawn":
            yield f"label batch {batch.digest[:12]} has been withdrawn since"


def _since(manifest: Manifest, today: Today) -> Iterator[str]:
    """What is not as it is today."""
    artifact, then = today.graph.get(manifest.key), manifest.environment
    if artifact is None:
        yield "no artifact of today's graph"
    else:
        other = differences(manifest, artifact)
        if other.code:
            yield f"made by other code than today's: {commit(then)}"
        if other.config:
            yield f"the profile's {', '.join(other.config)} differ from today's"
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
    """None for what holds no labels, and where the batches that labels were made from cannot be read."""
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
