"""What `ablations/verifiers` asks: which verifier finds the right one among N solutions, and what it has to be told.

The arms are reward models, each named by what it is and by how many labelled solutions it learns from.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from o1_assets.core.artifact import StageConfig
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.reward.config import ORMConfig, PRMConfig

Supervision = Literal["labels", "large_steps", "large_outcome", "answer"]


class VerifiersConfig(StageConfig):
    """ablations/verifiers. What is not said here is as in the profile's first_prm and first_orm."""

    sizes: tuple[int, ...] = Field(
        (100, 300, 1000), min_length=1, description="labelled solutions, rising; the last is the main models'"
    )
    compared: tuple[int, ...] = Field(
        (100, 1000), min_length=1, description="those of sizes at which the large PRM supervises"
    )
    updates: int = Field(240, gt=0, description="of every model")
    threshold: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="the large PRM calls a step wrong where P(negative) is above this (Lightman et al., appendix H)",
    )
    n: int = Field(64, gt=0, description="the N of the claims, and the samples that all models score")
    problems: int = Field(120, gt=1, description="problems of each pool that all models score")
    subsets: int = Field(200, gt=0, description="random subsets for each N")


class TrainingConfig(StageConfig):
    """One training of one arm.

    supervision: what the model learns from. labels: ratings as the annotators gave them; large_steps, large_outcome:
    the large PRM's judgement of each step, or whether it calls all steps right; answer: whether the final answer is.
    solutions: how many labelled solutions; None: all that were sampled (outcomes cost no labels).
    """

    supervision: Supervision
    solutions: int | None = Field(gt=0)
    threshold: float
    training: PRMConfig | ORMConfig


class ScoresConfig(StageConfig):
    """The scores of all models of one training seed. main: those that score whole pools."""

    arms: tuple[str, ...]
    main: tuple[str, ...]
    problems: int
    samples: int
    prompt: PromptFormat = PromptFormat()


class VerifiersResultConfig(StageConfig):
    """The judgement of all seeds."""

    sizes: tuple[int, ...]
    compared: tuple[int, ...]
    seeds: int
    n: int
    problems: int
    subsets: int
    resamples: int


EVERY = "orm_all"
"""The best supplied ORM: the outcomes of all sampled solutions."""


def prm(size: int) -> str:
    return f"prm_{size}"


def orm(size: int) -> str:
    """On the solutions of prm(size), supervised by the final answer."""
    return f"orm_{size}"


def bare(size: int) -> str:
    """prm(size) without the probability feature."""
    return f"prm_bare_{size}"


def large_process(size: int) -> str:
    return f"prm_by_large_{size}"


def large_outcome(size: int) -> str:
    return f"orm_by_large_{size}"


def trainings(
    config: VerifiersConfig, prm_config: PRMConfig, orm_config: ORMConfig
) -> dict[str, TrainingConfig]:
    """Arm -> its training. All problems are trained on: what is held out for judging is in other tables."""
    same = {"updates": config.updates, "holdout": 0.0}
    process = prm_config.model_copy(update=same)
    outcome = orm_config.model_copy(update={**same, "solutions": None})

    def arm(supervision: str, size: int | None, training: PRMConfig | ORMConfig) -> TrainingConfig:
        return TrainingConfig.model_validate(
            {
                "supervision": supervision,
                "solutions": size,
                "threshold": config.threshold,
                "training": training,
            }
        )

    largest = config.sizes[-1]
    without = process.model_copy(update={"probability_feature": False})
    return {
        **{prm(size): arm("labels", size, process) for size in config.sizes},
        **{orm(size): arm("answer", size, outcome) for size in config.sizes},
        EVERY: arm("answer", None, outcome),
        bare(largest): arm("labels", largest, without),
        **{large_process(size): arm("large_steps", size, process) for size in config.compared},
        **{large_outcome(size): arm("large_outcome", size, outcome) for size in config.compared},
    }
