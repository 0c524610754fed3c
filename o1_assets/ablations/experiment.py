"""What an experiment is: a question, and arms that differ in their configuration alone.

Each training of an arm is an artifact, `ablations/<experiment>/<arm>_<seed>`, so that an arm that is added or
changed trains nothing else, and `ablations/<experiment>/result` judges them all together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from o1_assets.ablations.arms import ArmWords
from o1_assets.ablations.declare import PART, ablation
from o1_assets.ablations.judge import ResultConfig, make_result
from o1_assets.artifact import Artifact, Compute, StageConfig

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile


@dataclass(frozen=True)
class Arm:
    """name: part of a key. says: what is done, in a few words. train: makes a policy, and `cost.json` (spent.py)."""

    name: str
    says: str
    train: Compute
    config: StageConfig


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
    )
    return [*trained.values(), result]
