"""Every number of the experiment `verifiers`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from o1_assets.artifact import StageConfig
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
    prompt_template: str


class VerifiersResultConfig(StageConfig):
    """The judgement of all seeds."""

    sizes: tuple[int, ...]
    compared: tuple[int, ...]
    seeds: int
    n: int
    problems: int
    subsets: int
    resamples: int
