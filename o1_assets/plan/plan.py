"""The whole plan of a profile: an estimate of every artifact, and their sums by stage. Opens no model and no store."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from string import digits

from o1_assets.core.artifact import Artifact
from o1_assets.core.settings import Settings
from o1_assets.experiments.experiment import PART
from o1_assets.graph import asked_for, build_graph
from o1_assets.plan.estimate import Estimate
from o1_assets.plan.gpus import PlanError
from o1_assets.plan.known import Known
from o1_assets.plan.shape import Shape, shape_from
from o1_assets.plan.stages import estimator_of
from o1_assets.plan.typical import Typical, typical_of
from o1_assets.profiles.profile import Profile


@dataclass(frozen=True)
class Plan:
    """made: key -> estimate, in the order of the data. unknown: keys whose stage has none."""

    profile: Profile
    typical: Typical
    shape: Shape
    made: Mapping[str, Estimate]
    unknown: list[str]

    def rows(self) -> dict[str, Estimate]:
        """By stage, as `stage_of` names them."""
        rows: dict[str, Estimate] = {}
        for key, estimate in self.made.items():
            rows[stage_of(key)] = rows.get(stage_of(key), Estimate()) + estimate
        return rows

    def total(self) -> Estimate:
        return sum(self.made.values(), Estimate())


def make_plan(
    profile: Profile,
    settings: Settings,
    parts: Collection[str] = (),
    assume: list[str] | tuple[str, ...] = (),
) -> Plan:
    """parts: optional ones to count as well. assume: NAME=VALUE for `Typical`. Raises PlanError, ValueError."""
    graph = build_graph(profile, settings)
    wanted = asked_for(graph, parts)
    typical, shape = typical_of(profile, assume), shape_of(profile)
    made: dict[str, Estimate] = {}
    unknown = []
    weights = 2 if getattr(profile.base, "weights", "float32") == "bfloat16" else 4
    known = Known(profile, typical, shape, made, weights)
    for key, artifact in graph.items():
        if key in wanted:
            estimate = _estimate(artifact, known)
            made[key] = estimate or Estimate()
            if estimate is None:
                unknown.append(key)
    return Plan(profile, typical, shape, made, unknown)


def _estimate(artifact: Artifact, known: Known) -> Estimate | None:
    estimator = estimator_of(artifact.config)
    return None if estimator is None else estimator(artifact, artifact.config, known)


def shape_of(profile: Profile) -> Shape:
    """Of the profile's base: from its own numbers, or of the published model that it names. Raises PlanError."""
    base = profile.base
    found = shape_from(base)
    if found is not None:
        return found
    fields = ("hidden_size", "intermediate_size", "layers", "heads")
    if not all(hasattr(base, name) for name in fields):
        raise PlanError(
            f"the shape of profile {profile.name}'s base is not known; name a model of o1_assets/plan/shape.py, or "
            "a folder with its config.json"
        )
    width, inner, layers, heads = (int(getattr(base, name)) for name in fields)
    return Shape(width, inner, layers, heads, heads, CHARACTERS, tied=False)


CHARACTERS = 29
"""Vocabulary of the tokenizer that comes with a base pre-trained here (base/tokenizer.py)."""


def stage_of(key: str) -> str:
    """The row of a plan that an artifact belongs to: r00's stages one by one, those of later rounds together, and the
    trainings of an ablation's arm."""
    group, _, stage = key.partition("/")
    if group == PART:
        experiment, _, name = stage.partition("/")
        return f"{experiment}  {name.rstrip(digits).removesuffix('_')}"
    if not group[1:].isdigit():
        return key
    return f"phase 1  {stage}" if group == "r00" else f"phase 2  {stage}"
