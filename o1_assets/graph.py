"""The graph: every artifact of a profile, in the order the data flows. Nothing here knows Dagster."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from o1_assets.core.errors import O1Error

if TYPE_CHECKING:
    from o1_assets.core.artifact import Artifact
    from o1_assets.core.settings import Settings
    from o1_assets.profiles.profile import Profile


Declare = Callable[["Profile"], "Iterable[Artifact]"]
"""How a stage or an experiment says which artifacts it adds: a function in its assets.py."""


class UnknownPart(O1Error, ValueError):
    """The graph of this profile has no optional part of that name."""


def build_graph(profile: Profile, settings: Settings, extra: Sequence[Declare] = ()) -> dict[str, Artifact]:
    """Every artifact by key, each after its inputs. Raises ValueError on an input that nothing makes.

    extra: stages and experiments of another package, after those of this one.
    """
    # Imported here, because the stages' modules load polars: `o1 --help` needs no graph.
    from o1_assets.base.assets import base_artifacts
    from o1_assets.base.config import BaseConfig
    from o1_assets.evaluation.assets import evaluation_artifacts
    from o1_assets.experiments import versions
    from o1_assets.experiments.active_learning import assets as active_learning
    from o1_assets.experiments.assistant import assets as assistant
    from o1_assets.experiments.chains import assets as chains
    from o1_assets.experiments.circle import assets as circle
    from o1_assets.experiments.code import result as code
    from o1_assets.experiments.compute_curves import result as compute_curves
    from o1_assets.experiments.error_kinds import result as error_kinds
    from o1_assets.experiments.grpo import assets as grpo
    from o1_assets.experiments.match import result as match
    from o1_assets.experiments.mini import assets as mini
    from o1_assets.experiments.model_size import assets as model_size
    from o1_assets.experiments.pools import assets as pools
    from o1_assets.experiments.puzzles import result as puzzles
    from o1_assets.experiments.rewards import assets as rewards
    from o1_assets.experiments.rounds import assets as rounds
    from o1_assets.experiments.search_in_rl import assets as search_in_rl
    from o1_assets.experiments.thinking import result as thinking
    from o1_assets.experiments.verifiers import assets as verifiers
    from o1_assets.generator.assets import difficulty_artifacts, generator_artifacts
    from o1_assets.problems.assets import problem_artifacts
    from o1_assets.problems.worlds.registry import unused_worlds
    from o1_assets.reward.assets import published_artifacts, verifier_artifacts
    from o1_assets.rounds.factory import build_round

    # A new stage is a line here, after the stages that it reads.
    artifacts = [
        *problem_artifacts(profile),
        *base_artifacts(profile),
        *difficulty_artifacts(profile),
        *verifier_artifacts(profile),
        *published_artifacts(profile),
        *assistant.stages(profile, settings),
        *generator_artifacts(profile),
        *(a for k in range(profile.rounds + 1) for a in build_round(k, profile, settings)),
        *evaluation_artifacts(profile),
    ]
    # A new experiment is a line here.
    experiments: list[Declare] = [
        compute_curves.artifacts,
        thinking.artifacts,
        pools.artifacts,
        versions.artifacts,
        error_kinds.artifacts,
        verifiers.artifacts,
        rounds.artifacts,
        rewards.artifacts,
        chains.artifacts,
        active_learning.artifacts,
        model_size.artifacts,
        search_in_rl.artifacts,
        grpo.artifacts,
        mini.artifacts,
        circle.artifacts,
    ]
    # Experiments rate steps with the exact checker and need to know what the corpus held: a base that was pre-trained
    # elsewhere has none.
    # Their arms begin again at a base, and where GPT* is made of an assistant an arm would need one of its own.
    if isinstance(profile.base, BaseConfig) and profile.starts_from == "base":
        artifacts += [artifact for declare in experiments for artifact in declare(profile)]
    artifacts += assistant.measures(profile)
    # Of the profiles of one world each.
    artifacts += [*code.artifacts(profile), *puzzles.artifacts(profile), *match.artifacts(profile)]
    artifacts += [artifact for declare in extra for artifact in declare(profile)]
    graph: dict[str, Artifact] = {}
    unused = unused_worlds(profile)
    for artifact in artifacts:
        unknown = [key for key in artifact.inputs.values() if key not in graph]
        if unknown or artifact.key in graph:
            raise ValueError(f"{artifact.key}: defined twice or before its inputs {unknown}")
        graph[artifact.key] = replace(artifact, unused=unused)
    return graph


class Node(Protocol):
    """What an artifact is to its neighbours; the fields are those of `Artifact`."""

    @property
    def part(self) -> str: ...
    @property
    def inputs(self) -> Mapping[str, str]: ...


EXPERIMENTS, EXPERIMENT_PARTS = "experiments", ("thinking", "ablations", "mini", "circle")
"""What `--with experiments` asks for: those of these parts that the graph of a profile has."""


def asked_for(graph: Mapping[str, Node], parts: Collection[str] = ()) -> set[str]:
    """Keys of what always belongs to a run, of the optional parts named, and of what these need of other parts.

    parts: each the name of a part, such as "ablations", the first names of keys, such as "ablations/rounds", or
    "experiments". Raises UnknownPart.
    """
    wanted = {key for key, artifact in graph.items() if not artifact.part}
    known_parts = {artifact.part for artifact in graph.values()} - {""}
    experiments = [part for part in EXPERIMENT_PARTS if part in known_parts]
    names = [name for asked in parts for name in (experiments if asked == EXPERIMENTS else [asked])]
    for part in names:
        named = {
            key
            for key, artifact in graph.items()
            if artifact.part == part or f"{key}/".startswith(f"{part}/")
        }
        if not named:
            raise UnknownPart(
                f"{part!r} is no optional part of this profile's graph; choose one of: "
                f"{', '.join(sorted({*known_parts, *([EXPERIMENTS] if experiments else [])}))}; or how keys "
                "of `o1 status --json` begin"
            )
        wanted |= named
    return with_ancestors(graph, wanted)


def with_ancestors(graph: Mapping[str, Node], keys: Collection[str]) -> set[str]:
    """`keys` and everything that they are made from, directly or not."""
    reached = set(keys)
    for key in reversed(list(graph)):  # each after what is made from it: one pass is enough
        if key in reached:
            reached.update(graph[key].inputs.values())
    return reached


def descendants(graph: Mapping[str, Node], keys: set[str]) -> set[str]:
    """`keys` and everything made from them, directly or not."""
    reached = set(keys)
    for key, artifact in graph.items():  # in the order of the data: one pass is enough
        if reached.intersection(artifact.inputs.values()):
            reached.add(key)
    return reached
