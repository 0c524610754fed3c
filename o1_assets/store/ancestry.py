"""The ancestry of one version of an artifact: every manifest it rests on, once each, inputs first.

Only the manifests on the way are read, so it takes the same time however much else the store holds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from o1_assets.core.artifact import Cost, Outcome
from o1_assets.core.errors import unique_prefix
from o1_assets.store.manifest import Manifest, ManifestInput
from o1_assets.store.store import ArtifactStore, StoreError


@dataclass(frozen=True)
class Visited:
    """One version of an ancestry. manifest: None if it cannot be read; `error` then says why in a sentence."""

    key: str
    version: str
    manifest: Manifest | None
    error: str = ""


def ancestry(store: ArtifactStore, key: str, version: str | None = None) -> list[Manifest]:
    """The manifests of a version and of all its ancestors, each after its inputs and the version itself last.

    version: as `find_version` takes it. Raises StoreError when a manifest is missing or damaged.
    """
    manifests = []
    for visited in walk(store, key, find_version(store, key, version)):
        if visited.manifest is None:
            raise StoreError(visited.error)
        manifests.append(visited.manifest)
    return manifests


def walk(store: ArtifactStore, key: str, version: str) -> Iterator[Visited]:
    """As `ancestry`, but goes on past manifests that cannot be read. version: a full name."""
    seen: set[tuple[str, str]] = set()
    todo: list[tuple[tuple[str, str], Visited | None]] = [((key, version), None)]
    while todo:
        name, visited = todo.pop()
        if visited is not None:  # its inputs have been yielded
            yield visited
        elif name not in seen:
            seen.add(name)
            visited = _visit(store, *name)
            todo.append((name, visited))
            inputs = visited.manifest.inputs.values() if visited.manifest else ()
            todo += [((item.key, item.version), None) for item in reversed(list(inputs))]


def find_version(store: ArtifactStore, key: str, wanted: str | None = None) -> str:
    """The name of a version of `key`: today's, or the one that `wanted` names.

    wanted: a content digest or a version's name, or a unique prefix of either. Of several versions with one digest it
    is the newest. Raises StoreError when none or more than one matches.
    """
    if wanted is None:
        head = store.head(key)
        if head is None:
            raise StoreError(
                f"{key} has no version in {store.url}; `o1 status` lists the keys, `o1 run` makes them"
            )
        return head.version
    versions = store.versions(key)
    if wanted in versions:  # nothing has to be read, however many versions there are
        return wanted
    names: dict[str, str] = {}
    # The oldest first, so that a digest that several versions share names the newest.
    for name in versions:
        names |= {name: name, name.rpartition("-")[2]: name, _digest(store, key, name): name}
    # A manifest that cannot be read has no digest.
    names.pop("", None)
    return unique_prefix(names, wanted, f"version of {key}", StoreError)


def _visit(store: ArtifactStore, key: str, version: str) -> Visited:
    try:
        return Visited(key, version, store.manifest(key, version))
    except StoreError as error:
        return Visited(key, version, None, str(error))


def _digest(store: ArtifactStore, key: str, version: str) -> str:
    """What a version's manifest says its content is; nothing if it cannot be read."""
    content = store.backend.read(f"manifests/{key}/{version}.json")
    try:
        digest = json.loads(content or b"")["digest"]
    except (ValueError, TypeError, KeyError):
        return ""
    return digest if isinstance(digest, str) else ""


def reports(store: ArtifactStore, item: ManifestInput) -> list[tuple[str, Outcome]]:
    """What the computations of a version and of all its ancestors reported, the version last. Raises StoreError."""
    # By key and digest, not by version: after an upgrade an artifact that was made again to the same bytes may be among
    # the ancestors in both versions. Counted twice, an upgraded store would report twice the cost of the same result.
    manifests = {
        (manifest.key, manifest.digest): manifest for manifest in ancestry(store, item.key, item.version)
    }
    return [
        (manifest.key, Outcome(manifest.figures, _cost(manifest), manifest.rows))
        for manifest in manifests.values()
    ]


def _cost(manifest: Manifest) -> Cost:
    cost = manifest.cost
    return Cost(cost.flops, cost.tokens_generated, cost.tokens_scored, cost.tokens_trained)
