"""Tells which artifacts are fresh, stale (and why) or missing, from the store alone, in the order of the data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from o1_assets.core.artifact import Artifact
from o1_assets.execution.differences import differences
from o1_assets.execution.materialize import artifact_cache_key, inputs_of
from o1_assets.graph import asked_for, descendants
from o1_assets.store.manifest import Manifest, ManifestInput
from o1_assets.store.store import ArtifactStore

State = Literal["fresh", "stale", "missing"]


@dataclass(frozen=True)
class Status:
    """The state of one artifact. reason: a clause, empty when fresh. manifest: of today's version, if there is one."""

    key: str
    state: State
    reason: str
    manifest: Manifest | None


def graph_status(graph: dict[str, Artifact], store: ArtifactStore) -> dict[str, Status]:
    """One Status for each key. Staleness propagates: a descendant of anything that is not fresh is stale."""
    # Two reads of many names each: one by one, a remote store would take a round trip for each of some hundred keys.
    heads = store.heads(graph)
    present = store.present_of({head.digest for head in heads.values()})
    result: dict[str, Status] = {}
    # Dagster's own staleness sees one hop and ignores configuration; here each status reads those of its inputs.
    for key, artifact in graph.items():
        result[key] = _status(artifact, heads, present, result)
    return result


def makeable(graph: Mapping[str, Artifact], store: ArtifactStore, keys: set[str]) -> list[str]:
    """`keys` and all their descendants, in the order of the data, except optional parts and whatever lacks an input."""
    wanted = descendants(graph, keys) & asked_for(graph)
    chosen: list[str] = []
    for key in graph:
        if key in wanted:
            inputs = graph[key].inputs.values()
            if all(i in chosen if i in wanted else store.head(i) is not None for i in inputs):
                chosen.append(key)
    return chosen


def behind(graph: Mapping[str, Artifact], store: ArtifactStore, keys: Iterable[str]) -> list[str]:
    """Those of `keys` whose newest version was not made of the newest inputs; code and profile are not compared."""
    # The sensor asks whether new labels were used. Changed code is for whoever changed it to run.
    late = []
    for key in keys:
        head, artifact = store.head(key), graph[key]
        if head is None or (artifact.external and head.external != artifact.external()):
            late.append(key)
            continue
        newest = {name: store.head(i) for name, i in artifact.inputs.items()}
        if any(
            name not in head.inputs or version is None or head.inputs[name].digest != version.digest
            for name, version in newest.items()
        ):
            late.append(key)
    return late


def _status(
    artifact: Artifact, heads: Mapping[str, Manifest], present: set[str], known: dict[str, Status]
) -> Status:
    head = heads.get(artifact.key)
    if head is None:
        why = f"optional: `o1 run --with {artifact.part}`" if artifact.part else "never made"
        return Status(artifact.key, "missing", why, None)
    upstream = [key for key in artifact.inputs.values() if known[key].state != "fresh"]
    if upstream:
        return Status(artifact.key, "stale", f"{upstream[0]} is {known[upstream[0]].state}", head)
    inputs = inputs_of(artifact, heads)
    if head.cache_key == artifact_cache_key(artifact, inputs):
        if head.digest not in present:
            return Status(artifact.key, "missing", "its object is gone from the store", head)
        return Status(artifact.key, "fresh", "", head)
    return Status(artifact.key, "stale", _difference(artifact, head, inputs), head)


def _difference(artifact: Artifact, head: Manifest, inputs: dict[str, ManifestInput]) -> str:
    if head.inputs.keys() != inputs.keys():
        return "it has other inputs now"
    changed = [item.key for name, item in inputs.items() if head.inputs[name].digest != item.digest]
    if changed:
        return f"{', '.join(changed)} changed"
    other = differences(head, artifact)
    if other.config:
        return f"the profile's {', '.join(other.config)} changed"
    if other.seed:
        return "the seed changed"
    if other.code:
        return "its code changed"
    # The cache key is made of all these and of the inbox, which is what is left.
    return "new label batches"
