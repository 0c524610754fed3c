"""The whole plan of a profile: an estimate of every artifact, and their sums by stage. Opens no model and no store."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from o1_assets.core.artifact import Artifact
from o1_assets.core.estimate import Assumptions, Estimate, EstimateContext
from o1_assets.core.shape import DecoderShape
from o1_assets.graph import asked_for
from o1_assets.plan.assumptions import assumptions_of
from o1_assets.plan.check import stage_of
from o1_assets.problems.config import ProblemsConfig
from o1_assets.profiles.profile import Profile


@dataclass(frozen=True)
class Plan:
    """made: key -> estimate, in the order of the data. unknown: keys of artifacts that declare none."""

    profile: Profile
    assumptions: Assumptions
    made: Mapping[str, Estimate]
    unknown: list[str]

    @property
    def shape(self) -> DecoderShape:
        """The shape of the profile's base. All its models have it, except those of the experiment on model size."""
        model = self.made["base/model"].model
        assert model is not None, "base/model is estimated as a model"
        return model.shape

    def rows(self) -> dict[str, Estimate]:
        """By stage, as `stage_of` names them."""
        rows: dict[str, Estimate] = {}
        for key, estimate in self.made.items():
            rows[stage_of(key)] = rows.get(stage_of(key), Estimate()) + estimate
        return rows

    def total(self) -> Estimate:
        return sum(self.made.values(), Estimate())


def make_plan(
    profile: Profile, graph: Mapping[str, Artifact], parts: Collection[str] = (), assume: Sequence[str] = ()
) -> Plan:
    """Walk the profile's graph in the order of the data and ask each artifact.

    parts: optional ones to count as well. assume: NAME=VALUE pairs for `Assumptions`. Raises PlanError, and ValueError
    on an unknown part or a base of unknown shape.
    """
    # An optional part needs others to be made first: `asked_for` counts these too.
    wanted = asked_for(graph, parts)
    assumptions = assumptions_of(profile, assume)
    made: dict[str, Estimate] = {}
    unknown = []
    for key, artifact in graph.items():
        if key not in wanted:
            continue
        if artifact.estimate is None:
            # A new stage may come without one: the plan says so instead of failing or hiding it.
            unknown.append(key)
            made[key] = _nothing(artifact, made)
        else:
            # Held-out problems may be longer than the profile's (problems/longer), and so are their solutions.
            held_out = graph[artifact.inputs["test"]].config if "test" in artifact.inputs else None
            assumed = assumptions
            if isinstance(held_out, ProblemsConfig) and held_out != profile.problems:
                assumed = assumptions_of(profile, assume, held_out)
            context = EstimateContext(artifact, graph, made, assumed)
            made[key] = artifact.estimate(context, artifact.config)
    return Plan(profile, assumptions, made, unknown)


def _nothing(artifact: Artifact, made: Mapping[str, Estimate]) -> Estimate:
    """The estimate of a stage that declares none: no cost, and the model of its first input that is one.

    With that model the stages after it can still be planned.
    """
    # The first input is what a stage starts from: the policy, the base, the generator.
    models = (made[key].model for key in artifact.inputs.values())
    return Estimate(model=next((model for model in models if model), None))
