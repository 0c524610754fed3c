"""What a manifest says of its inputs and of itself, and what leads to it, against what the store holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from o1_assets.audit.result import Part
from o1_assets.audit.walk import Visited
from o1_assets.store.manifest import Manifest
from o1_assets.store.store import ArtifactStore, StoreError, manifest_cache_key

Ancestors = Mapping[tuple[str, str], Visited]


def input_faults(manifest: Manifest, ancestors: Ancestors) -> Iterator[tuple[Part, str]]:
    """Each recorded input against the manifest it names, and the recorded cache key against all of them.

    An input whose manifest cannot be read is that version's fault and is not said again.
    """
    for name, item in manifest.inputs.items():
        made = ancestors[item.key, item.version].manifest
        if made is None:
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


@dataclass(frozen=True)
class Pointed:
    """remark: what is worth knowing and is not broken."""

    faults: tuple[tuple[Part, str], ...] = ()
    remark: str = ""


def pointed_at(store: ArtifactStore, manifest: Manifest) -> Pointed:
    """The head of its key, and the entry of the cache index for its computation. Neither has to be there."""
    faults: list[tuple[Part, str]] = []
    try:
        store.head(manifest.key)
    except StoreError as error:
        faults.append(("head", str(error)))
    try:
        found = store.cached(manifest.cache_key)
    except StoreError as error:
        return Pointed((*faults, ("cache", str(error))))
    other = found is not None and found.digest != manifest.digest
    remark = f"the same computation gave other bytes: {found.digest[:12]}" if found and other else ""
    return Pointed(tuple(faults), remark)


def _before(earlier: str, later: str) -> bool:
    try:
        return datetime.fromisoformat(earlier) <= datetime.fromisoformat(later)
    except (ValueError, TypeError):
        return False
