"""What an experiment is: a question, and arms that differ in their configuration alone.

Each training of an arm is an artifact, `ablations/<experiment>/<arm>_<seed>`, so that an arm that is added or
changed trains nothing else, and `ablations/<experiment>/result` judges them all together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from o1_assets.base.config import BaseConfig
from o1_assets.core.artifact import Artifact, Compute, Estimator, StageConfig
from o1_assets.experiments.arms import ArmWords
from o1_assets.experiments.estimate import estimate_judged
from o1_assets.experiments.measure import ResultConfig, make_result

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile


# How an experiment's artifacts are declared: all of them alike.

PART = "ablations"


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
    """An artifact of the part, grouped by what stands before its name.

    seed_of: what its seed is derived from, the key where nothing is said; equal for arms that are to draw alike.
    trains: a checkpoint comes out of it, else tables. opens_models: False for what reads tables alone.
    """
    return Artifact(
        key=key,
        compute=compute,
        config=config,
        inputs=inputs,
        description=description,
        group=key.rpartition("/")[0],
        seed=profile.seed_of(seed_of or key),
        kinds=("pytorch", "huggingface") if trains else ("parquet", "polars"),
        resource_class=profile.model_class if opens_models else "cpu",
        part=PART,
        estimate=estimate,
    )


@dataclass(frozen=True)
class Arm:
    """name: part of a key. says: what is done, in a few words. train: makes a policy, and `cost.json` (spent.py)."""

    name: str
    says: str
    train: Compute
    config: StageConfig
    estimate: Estimator | None = None


@dataclass(frozen=True)
class Experiment:
    """arms: from the simplest to the most complicated; the first is the control.

    inputs: short name -> key, of every training. Among them prm, orm and generator, which judge too. today: the arm
    that is the profile's present way.
    """

    name: str
    title: str
    question: str
    arms: tuple[Arm, ...]
    inputs: Mapping[str, str]
    today: str


def experiment_artifacts(experiment: Experiment, profile: Profile) -> list[Artifact]:
    """The trainings and the result. Equal seeds of different arms draw the same problems in the same order."""
    settings, name = profile.ablations, experiment.name
    trained = {
        f"{arm.name}_{seed}": ablation(
            profile,
            f"{PART}/{name}/{arm.name}_{seed}",
            arm.train,
            arm.config,
            experiment.inputs,
            f"{experiment.title}: {arm.says}, training {seed + 1} of {settings.seeds}.",
            seed_of=f"{PART}/{name}/{seed}",
            trains=True,
            estimate=arm.estimate,
        )
        for arm in experiment.arms
        for seed in range(settings.seeds)
    }
    judges = {role: experiment.inputs[role] for role in ("generator", "prm", "orm")}
    result = ablation(
        profile,
        f"{PART}/{name}/result",
        make_result,
        ResultConfig(
            name=name,
            title=experiment.title,
            question=experiment.question,
            arms=tuple(ArmWords(name=arm.name, says=arm.says) for arm in experiment.arms),
            today=experiment.today,
            seeds=settings.seeds,
            judge=settings.judge,
        ),
        {**judges, "test": "problems/test", **{arm: a.key for arm, a in trained.items()}},
        experiment.question,
        estimate=estimate_judged,
    )
    return [*trained.values(), result]
