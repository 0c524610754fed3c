"""Compares a plan with what a run really took, from the manifests of a store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from string import digits

from o1_assets.core.artifact import Artifact, Cost
from o1_assets.core.estimate import Estimate
from o1_assets.experiments.variants import PART
from o1_assets.store.manifest import Manifest
from o1_assets.store.store import ArtifactStore

# A stage's estimate is good if it is off by less than this factor, either way.
WITHIN = 1.5

QUANTITIES = {
    "tokens generated": lambda estimate: estimate.cost.tokens_generated,
    "tokens scored": lambda estimate: estimate.cost.tokens_scored,
    "tokens trained on": lambda estimate: estimate.cost.tokens_trained,
    "FLOPs": lambda estimate: estimate.cost.flops,
    "labels": lambda estimate: estimate.labels,
    "bytes": lambda estimate: estimate.stored,
}


@dataclass(frozen=True)
class Usage:
    """What a store's artifacts really took.

    made: key -> what it took. seconds: key -> seconds of computing. left_out: keys that were never made, or made with
    another configuration.
    """

    made: Mapping[str, Estimate]
    seconds: Mapping[str, float]
    left_out: list[str]

    def flops_a_second(self) -> float | None:
        """FLOP/s of all artifacts that computed with a model; None if none did."""
        # An artifact that only reads tables takes seconds and no FLOPs: it says nothing about the machine's speed.
        keys = [key for key, estimate in self.made.items() if estimate.cost.flops]
        seconds = sum(self.seconds[key] for key in keys)
        return sum(self.made[key].cost.flops for key in keys) / seconds if seconds else None


def usage(store: ArtifactStore, graph: Mapping[str, Artifact]) -> Usage:
    """What today's versions took, as far as they were made with today's configuration."""
    heads = store.heads(graph)
    made, seconds, left_out = {}, {}, []
    for key, artifact in graph.items():
        head = heads.get(key)
        # Another configuration took something else than today's plan is about.
        if head is None or head.config != artifact.config.model_dump(mode="json"):
            left_out.append(key)
            continue
        made[key], seconds[key] = _from_manifest(store, head), head.cost.seconds
    return Usage(made, seconds, left_out)


def _from_manifest(store: ArtifactStore, manifest: Manifest) -> Estimate:
    cost, labels = manifest.cost, manifest.figures.get("labels")
    # The content may have been collected while the manifest stays; then nothing is stored any more.
    entries = store.tree(manifest.digest) if store.present(manifest.digest) else ()
    return Estimate(
        cost=Cost(cost.flops, cost.tokens_generated, cost.tokens_scored, cost.tokens_trained),
        labels=float(labels) if manifest.key.endswith("/labels") and isinstance(labels, int) else 0.0,
        stored=float(sum(entry["size"] for entry in entries)),
    )


@dataclass(frozen=True)
class Comparison:
    """One quantity of one stage, planned and used. Where only one of the two is zero, the plan missed it altogether."""

    stage: str
    quantity: str
    planned: float
    used: float

    @property
    def factor(self) -> float:
        """The larger over the smaller, at least 1; infinite if one of them is nothing."""
        small, large = sorted((self.planned, self.used))
        return large / small if small else float("inf")

    @property
    def good(self) -> bool:
        return self.factor <= WITHIN


def compare(planned: Mapping[str, Estimate], used: Mapping[str, Estimate]) -> list[Comparison]:
    """Every quantity of every stage, over the artifacts that are in both, and in the sum of all stages."""
    both = [key for key in planned if key in used]
    stages: dict[str, list[str]] = {}
    for key in both:
        stages.setdefault(stage_of(key), []).append(key)
    stages["all"] = both
    return [
        comparison
        for stage, keys in stages.items()
        for comparison in _comparisons(stage, _sum(planned, keys), _sum(used, keys))
    ]


def _sum(estimates: Mapping[str, Estimate], keys: Iterable[str]) -> Estimate:
    return sum((estimates[key] for key in keys), Estimate())


def _comparisons(stage: str, planned: Estimate, used: Estimate) -> Iterator[Comparison]:
    for name, value in QUANTITIES.items():
        expected, actual = float(value(planned)), float(value(used))
        if expected or actual:
            yield Comparison(stage, name, expected, actual)


def stage_of(key: str) -> str:
    """The row of a plan that an artifact belongs to.

    r00's stages are rows of their own; those of later rounds share one. So do all seeds of an experiment's arm, with
    every stage of its variant of the graph: nano's experiments have 579 stages, which no table shows.
    """
    group, _, stage = key.partition("/")
    if group == PART:
        experiment, arm = stage.split("/")[:2]
        return f"{experiment}  {arm.rstrip(digits).removesuffix('_')}"
    if not group[1:].isdigit():
        return key
    # Ten rounds of equal stages would be eighty rows that say the same.
    return f"phase 1  {stage}" if group == "r00" else f"phase 2  {stage}"
