"""What an experiment is: a question, and arms that differ in their configuration alone.

Every arm is trained with several seeds. What a training makes is part of the graph, so that an arm that is added or
changed trains nothing else; `ablations/<experiment>/result` only compares what was measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from o1_assets.base.config import BaseConfig
from o1_assets.core.artifact import Artifact, Compute, Estimator, StageConfig
from o1_assets.core.estimate import CHART, TABLES, Estimate, EstimateContext
from o1_assets.experiments.variants import PART

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile


def base_of(profile: Profile) -> BaseConfig:
    """How the base was pre-trained. Raises TypeError where that is not known."""
    if not isinstance(profile.base, BaseConfig):
        raise TypeError(
            f"the base of profile {profile.name} was pre-trained elsewhere, its corpus is not known"
        )
    return profile.base


def ablation(
    profile: Profile,
    key: str,
    compute: Compute,
    config: StageConfig,
    inputs: Mapping[str, str],
    description: str,
    *,
    seed_of: str = "",
    trains: bool = False,
    opens_models: bool = True,
    estimate: Estimator | None = None,
) -> Artifact:
    """An artifact of the part that the loop has no stage for, grouped by its experiment.

    seed_of: what its seed is derived from, by default the key; equal for arms that are to draw alike.
    trains: a checkpoint comes out of it, else tables. opens_models: False for what reads tables alone.
    """
    return Artifact(
        key=key,
        compute=compute,
        config=config,
        inputs=inputs,
        description=description,
        # Everything of an experiment is one group in the UI, however deep the keys of its variants are.
        group="/".join(key.split("/")[:2]),
        seed=profile.seed_of(seed_of or key),
        kinds=("pytorch", "huggingface") if trains else ("parquet", "polars"),
        # A result that reads tables does not have to wait for the GPU.
        resource_class=profile.model_class if opens_models else "cpu",
        part=PART,
        estimate=estimate,
    )


def estimate_tables(context: EstimateContext, config: StageConfig) -> Estimate:
    """A result that reads tables and opens no model: charts and a document."""
    return Estimate(stored=4 * CHART + 4 * TABLES)


@dataclass(frozen=True)
class Training:
    """One training of an arm. artifacts: what it adds to the graph. read: what the result reads of it, name -> key; the
    name "" stands for the arm itself."""

    artifacts: Sequence[Artifact]
    read: Mapping[str, str]


@dataclass(frozen=True)
class Arm:
    """name: part of a key. says: what is done, in a few words. train: the training with a seed's number."""

    name: str
    says: str
    train: Callable[[int], Training]
    seeds: int


@dataclass(frozen=True)
class Experiment:
    """arms: from the simplest to the most complicated; the first is the control.

    compute, config: make the result. inputs: of the result beside what it reads of the trainings. An input of the
    training with seed s of arm a is called `<a>_<s>`, and `<a>_<s>_<name>` where it reads several.
    """

    name: str
    question: str
    arms: Sequence[Arm]
    compute: Compute
    config: StageConfig
    inputs: Mapping[str, str]
    opens_models: bool = False
    estimate: Estimator = estimate_tables


def experiment_artifacts(experiment: Experiment, profile: Profile) -> list[Artifact]:
    """The trainings of all arms, and the result after them."""
    artifacts: list[Artifact] = []
    inputs = dict(experiment.inputs)
    for arm in experiment.arms:
        for seed in range(arm.seeds):
            training = arm.train(seed)
            artifacts += training.artifacts
            for name, key in training.read.items():
                # The result finds what it reads by these names, whatever the keys of the artifacts are.
                inputs[f"{arm.name}_{seed}_{name}" if name else f"{arm.name}_{seed}"] = key
    result = ablation(
        profile,
        f"{PART}/{experiment.name}/result",
        experiment.compute,
        experiment.config,
        inputs,
        experiment.question,
        opens_models=experiment.opens_models,
        estimate=experiment.estimate,
    )
    return [*artifacts, result]
