"""What a store's artifacts really took, from their manifests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from o1_assets.core.artifact import Artifact, Cost
from o1_assets.plan.estimate import Estimate
from o1_assets.store.manifest import Manifest
from o1_assets.store.store import ArtifactStore


@dataclass(frozen=True)
class Used:
    """made: key -> what it took. seconds: of computing. left_out: never made, or with another configuration."""

    made: Mapping[str, Estimate]
    seconds: Mapping[str, float]
    left_out: list[str]

    def flops_a_second(self) -> float | None:
        """Of all that computed with a model; None if nothing did."""
        keys = [key for key, one in self.made.items() if one.cost.flops]
        seconds = sum(self.seconds[key] for key in keys)
        return sum(self.made[key].cost.flops for key in keys) / seconds if seconds else None


def used(store: ArtifactStore, graph: Mapping[str, Artifact]) -> Used:
    """Of today's versions of the graph's artifacts, as far as they were made with today's configuration."""
    heads = store.heads(graph)
    made, seconds, left_out = {}, {}, []
    for key, artifact in graph.items():
        head = heads.get(key)
        if head is None or head.config != artifact.config.model_dump(mode="json"):
            left_out.append(key)
            continue
        made[key], seconds[key] = _taken(store, head), head.cost.seconds
    return Used(made, seconds, left_out)


def _taken(store: ArtifactStore, manifest: Manifest) -> Estimate:
    cost, figures = manifest.cost, manifest.figures
    stored = (
        sum(entry["size"] for entry in store.tree(manifest.digest)) if store.present(manifest.digest) else 0
    )
    labels = figures.get("labels")
    return Estimate(
        cost=Cost(cost.flops, cost.tokens_generated, cost.tokens_scored, cost.tokens_trained),
        labels=float(labels) if manifest.key.endswith("/labels") and isinstance(labels, int) else 0.0,
        stored=float(stored),
    )
