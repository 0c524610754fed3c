"""The graph: every artifact of a profile, in the order the data flows. Nothing here knows Dagster."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from o1_assets.core.artifact import Artifact

if TYPE_CHECKING:
    from o1_assets.core.settings import Settings
    from o1_assets.profiles.profile import Profile


def build_graph(profile: Profile, settings: Settings) -> dict[str, Artifact]:
    """Every artifact by key, each after its inputs. Raises ValueError on an input that nothing makes."""
    from o1_assets.base.assets import base_artifacts
    from o1_assets.evaluation.assets import evaluation_artifacts
    from o1_assets.experiments.assets import ablation_artifacts
    from o1_assets.generator.assets import generator_artifacts
    from o1_assets.problems.assets import problem_artifacts
    from o1_assets.rounds.factory import build_round

    artifacts = [
        *problem_artifacts(profile),
        *base_artifacts(profile),
        *generator_artifacts(profile),
        *(a for k in range(profile.rounds + 1) for a in build_round(k, profile, settings)),
        *evaluation_artifacts(profile),
        *ablation_artifacts(profile),
    ]
    graph: dict[str, Artifact] = {}
    for artifact in artifacts:
        unknown = [key for key in artifact.inputs.values() if key not in graph]
        if unknown or artifact.key in graph:
            raise ValueError(f"{artifact.key}: defined twice or before its inputs {unknown}")
        graph[artifact.key] = artifact
    return graph


def asked_for(graph: Mapping[str, Artifact], parts: Collection[str] = ()) -> set[str]:
    """Keys of what always belongs to a run, of the optional parts named, and of what these need of other parts.

    Raises ValueError on an unknown part.
    """
    known = sorted({artifact.part for artifact in graph.values()} - {""})
    for part in parts:
        if part not in known:
            raise ValueError(
                f"{part!r} is no optional part of this profile's graph; there is {', '.join(known)}"
            )
    wanted = {key for key, artifact in graph.items() if not artifact.part or artifact.part in parts}
    for key in reversed(list(graph)):  # each after what is made from it: one pass is enough
        if key in wanted:
            wanted.update(graph[key].inputs.values())
    return wanted


def descendants(graph: Mapping[str, Artifact], keys: set[str]) -> set[str]:
    """`keys` and everything made from them, directly or not."""
    reached = set(keys)
    for key, artifact in graph.items():  # in the order of the data: one pass is enough
        if reached.intersection(artifact.inputs.values()):
            reached.add(key)
    return reached
