"""Tells which artifacts are fresh, stale, missing or damaged and why, from the store alone, inputs before others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from o1_assets.core.artifact import Artifact
from o1_assets.core.errors import O1Error
from o1_assets.execution.differences import compare
from o1_assets.execution.outline import Outline, outline
from o1_assets.graph import asked_for, descendants
from o1_assets.store.manifest import Manifest, ManifestInput
from o1_assets.store.objects import ObjectStates
from o1_assets.store.store import ArtifactStore, DamagedError, Heads, cache_key, inputs_of

State = Literal["fresh", "stale", "missing", "damaged"]


@dataclass(frozen=True)
class Status:
    """The state of one artifact. reason: a clause, empty when fresh. manifest: of today's version, if there is one.

    refused: why a damaged artifact cannot be made again, a sentence; empty where it can. whole: whether the object of
    today's version is there, undamaged.
    """

    key: str
    state: State
    reason: str
    manifest: Manifest | None
    refused: str = ""
    whole: bool = True


def graph_status(
    graph: Mapping[str, Artifact],
    store: ArtifactStore,
    *,
    every_byte: bool = False,
    on_reading: Callable[[str], object] = lambda line: None,
) -> dict[str, Status]:
    """As `outline_status`, of a graph."""
    outlines = {key: outline(artifact) for key, artifact in graph.items()}
    return outline_status(outlines, store, every_byte=every_byte, on_reading=on_reading)


def outline_status(
    outlines: Mapping[str, Outline],
    store: ArtifactStore,
    *,
    every_byte: bool = False,
    on_reading: Callable[[str], object] = lambda line: None,
) -> dict[str, Status]:
    """One Status for each key. Staleness propagates: a descendant of anything that is not fresh is stale.

    every_byte: compare every byte of today's versions, and not only those whose files changed since they were compared.
    on_reading: told of a comparison that takes a while.
    """
    # Few reads of many names each: one by one, a remote store would take a round trip for each of some hundred keys.
    heads = store.read_heads(outlines)
    objects = store.states(
        {head.digest for head in heads.manifests.values()}, every_byte=every_byte, on_reading=on_reading
    )
    result: dict[str, Status] = {}
    # Dagster's own staleness sees one hop and ignores configuration; here each status reads those of its inputs.
    for key, each in outlines.items():
        result[key] = _damage(key, heads, objects) or _status(each, heads.manifests, objects.gone, result)
    return result


def damaged(status: Mapping[str, Status]) -> O1Error | None:
    """The error to raise if anything is damaged, which names it and the remedy."""
    keys = [key for key, each in status.items() if each.state == "damaged"]
    if not keys:
        return None
    refused = [status[key].refused for key in keys if status[key].refused]
    some = ", ".join(keys[:6]) + (f" and {len(keys) - 6} more" if len(keys) > 6 else "")
    remedy = (
        "`o1 run` makes what is damaged again, and what was made from it is kept if the same bytes come out; or bring "
        "it back from a backup"
    )
    return Damaged(refused[0] if refused else f"damaged: {some}; {remedy}")


class Damaged(O1Error):
    """Artifacts are damaged; the message names them and says what to do."""


def _damage(key: str, heads: Heads, objects: ObjectStates) -> Status | None:
    error, head = heads.faults.get(key), heads.manifests.get(key)
    if error is not None:
        refused = "" if isinstance(error, DamagedError) else str(error)
        return Status(key, "damaged", str(error), None, refused, whole=False)
    if key in heads.lost:
        return Status(key, "missing", heads.lost[key], None)
    if head is not None and head.digest in objects.damaged:
        return Status(
            key, "damaged", f"{objects.damaged[head.digest]}; `o1 run` makes it again", head, whole=False
        )
    return None


def makeable(graph: Mapping[str, Artifact], store: ArtifactStore, keys: set[str]) -> list[str]:
    """`keys` and all their descendants, in the order of the data, except optional parts and whatever lacks an input."""
    wanted = descendants(graph, keys) & asked_for(graph)
    heads, chosen = store.read_heads(graph).manifests, list[str]()
    for key in graph:
        if key in wanted:
            inputs = graph[key].inputs.values()
            if all(i in (chosen if i in wanted else heads) for i in inputs):
                chosen.append(key)
    return chosen


def behind(graph: Mapping[str, Artifact], store: ArtifactStore, keys: Iterable[str]) -> list[str]:
    """Those of `keys` whose newest version was not made of the newest inputs; code and profile are not compared."""
    # The sensor asks whether new labels were used. Changed code is for whoever changed it to run.
    # A damaged version counts as none.
    heads, late = store.read_heads(graph).manifests, []
    for key in keys:
        head, artifact = heads.get(key), graph[key]
        if head is None or (artifact.external and head.external != artifact.external()):
            late.append(key)
            continue
        newest = {name: heads.get(i) for name, i in artifact.inputs.items()}
        if any(
            name not in head.inputs or version is None or head.inputs[name].digest != version.digest
            for name, version in newest.items()
        ):
            late.append(key)
    return late


def _status(
    artifact: Outline, heads: Mapping[str, Manifest], gone: set[str], known: dict[str, Status]
) -> Status:
    head = heads.get(artifact.key)
    if head is None:
        why = f"optional: `o1 run --with {artifact.part}`" if artifact.part else "never made"
        return Status(artifact.key, "missing", why, None)
    whole = head.digest not in gone
    upstream = [key for key in artifact.inputs.values() if known[key].state != "fresh"]
    if upstream:
        return Status(
            artifact.key, "stale", f"{upstream[0]} is {known[upstream[0]].state}", head, whole=whole
        )
    inputs = inputs_of(artifact.key, artifact.inputs, heads)
    if head.cache_key == _cache_key(artifact, inputs):
        if not whole:
            return Status(
                artifact.key,
                "missing",
                "its object is gone from the store; `o1 run` makes it again",
                head,
                whole=False,
            )
        return Status(artifact.key, "fresh", "", head)
    return Status(artifact.key, "stale", _difference(artifact, head, inputs), head, whole=whole)


def _cache_key(artifact: Outline, inputs: Mapping[str, ManifestInput]) -> str:
    digests = {name: item.digest for name, item in inputs.items()}
    external = artifact.external() if artifact.external else None
    return cache_key(artifact.key, artifact.code(), artifact.config(), artifact.seed, digests, external)


def _difference(artifact: Outline, head: Manifest, inputs: dict[str, ManifestInput]) -> str:
    if head.inputs.keys() != inputs.keys():
        return "it has other inputs now"
    changed = [item.key for name, item in inputs.items() if head.inputs[name].digest != item.digest]
    if changed:
        return f"{', '.join(changed)} changed"
    other = compare(head, artifact.config(), artifact.seed, artifact.code())
    if other.config:
        return f"the profile's {', '.join(other.config)} changed"
    if fields := ", ".join(other.fields()):
        return f"it was {fields}"
    if other.seed:
        return "the seed changed"
    if other.code:
        return "its code changed"
    # The cache key is made of all these and of what lies outside of the graph, which is what is left.
    return "new label batches" if artifact.rated else "what it reads from outside of the graph changed"
