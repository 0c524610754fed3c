"""The audit of one version of one artifact: everything it was made from, down to the line that a labeller sent.

It reads its own ancestry and nothing else of the store, and changes nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from polars.exceptions import PolarsError

from o1_assets.audit.contents import Ancestors, Contents, Pointed, contents, input_faults, pointed_at
from o1_assets.audit.differences import Today, differences
from o1_assets.audit.lines import Faults, Homes, batch_trail, row_trail
from o1_assets.audit.result import Audit, Audited, Broken, LabelTrail
from o1_assets.store.ancestry import Visited, find_version, walk
from o1_assets.store.manifest import Manifest
from o1_assets.store.store import ArtifactStore, StoreError

LABELS, BATCHES = "/labels", "/label_batches"


def audit(
    store: ArtifactStore,
    key: str,
    version: str | None = None,
    *,
    today: Today | None = None,
    homes: Homes | None = None,
) -> Audit:
    """Verifies `version` of `key` (as `find_version` takes it) and its whole ancestry.

    today: what to compare code, configuration and environment with. homes: where label batches lie; without
    it they are not looked at. Raises StoreError when there is no such version; what is damaged is in the result.
    """
    started = time.perf_counter()
    name = _find(store, key, version)
    ancestors = {(visited.key, visited.version): visited for visited in walk(store, key, name)}
    # Hashing and waiting for a remote store leave the interpreter free, so threads help.
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1 if store.backend.local else 16) as pool:
        made = [one.manifest for one in ancestors.values() if one.manifest]
        digests = list(dict.fromkeys(manifest.digest for manifest in made))
        held = dict(zip(digests, pool.map(lambda digest: contents(store, digest), digests), strict=True))
        led = dict(
            zip(
                (manifest.version for manifest in made),
                pool.map(lambda manifest: pointed_at(store, manifest), made),
                strict=True,
            )
        )
    versions = tuple(
        _audited(store, visited, ancestors, held, led, today, homes) for visited in ancestors.values()
    )
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


def _audited(
    store: ArtifactStore,
    visited: Visited,
    ancestors: Ancestors,
    held: Mapping[str, Contents],
    led: Mapping[str, Pointed],
    today: Today | None,
    homes: Homes | None,
) -> Audited:
    key, version, manifest = visited.key, visited.version, visited.manifest
    if manifest is None:
        return Audited(key, version, None, (Broken(key, version, "manifest", visited.error),))
    content = held[manifest.digest]
    pointed = led[version]
    faults: Faults = [*content.faults, *input_faults(manifest, ancestors), *pointed.faults]
    trail = None
    if homes is not None and not content.faults:
        trail, found = _labels(store, manifest, ancestors, held, homes)
        faults += found
    remarks = list(differences(manifest, today)) if today else []
    if pointed.remark:
        remarks.append(pointed.remark)
    for batch in trail.batches if trail else ():
        if batch.place == "withdrawn":
            remarks.append(f"label batch {batch.digest[:12]} has been withdrawn since")
    return Audited(
        key,
        version,
        manifest,
        tuple(Broken(key, version, part, message) for part, message in faults),
        tuple(remarks),
        content.files,
        trail,
    )


def _labels(
    store: ArtifactStore, manifest: Manifest, ancestors: Ancestors, held: Mapping[str, Contents], homes: Homes
) -> tuple[LabelTrail | None, Faults]:
    """None for what holds no labels, and where the batches that labels were made from cannot be read."""
    try:
        if manifest.key.endswith(BATCHES):
            return batch_trail(store.path(manifest.digest), manifest, homes)
        if manifest.key.endswith(LABELS):
            batches = _batches_of(manifest, ancestors)
            if batches is None or held[batches.digest].faults:
                return None, []
            return row_trail(_folder(store, manifest), _folder(store, batches))
    except (OSError, ValueError, KeyError, TypeError, PolarsError) as error:
        return None, [
            ("batch" if manifest.key.endswith(BATCHES) else "label", f"its tables cannot be read: {error}")
        ]
    return None, []


def _batches_of(manifest: Manifest, ancestors: Ancestors) -> Manifest | None:
    for item in manifest.inputs.values():
        if item.key.endswith(BATCHES):
            return ancestors[item.key, item.version].manifest
    return None


def _folder(store: ArtifactStore, manifest: Manifest) -> Path:
    return store.path(manifest.digest)
