"""Every number of ablations/rounds: what the rounds of labels do, against controls."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from o1_assets.core.artifact import StageConfig
from o1_assets.reward.config import PRMConfig
from o1_assets.rounds.config import SearchConfig

ArmName = Literal[
    "rounds",
    "at_once",
    "uniform",
    "labels_without_rl",
    "rl_without_labels",
    "fixed_selector",
    "without_search",
    "without_condemned",
    "without_written",
]


# Trained unless more is asked for: the rounds, and the controls whose differences to them are beyond noise
# (docs/decisions/experiments.md). What the others go without showed nothing.
USUAL: tuple[ArmName, ...] = ("rounds", "uniform", "labels_without_rl", "rl_without_labels")


class RoundsConfig(StageConfig):
    """Everything else is as in the profile's later rounds."""

    arms: tuple[ArmName, ...] = Field(
        USUAL,
        min_length=1,
        description="the first is the control; an arm that switches off what the profile does not have is left out",
    )
    rounds: int = Field(4, ge=1, le=10, description="rounds after the finished run's round 0, of every arm")
    prm_updates: int = Field(60, gt=0, description="of the PRM, a round; equal in all arms that label")
    policy_updates: int = Field(8, gt=0, description="of RL, a round; equal in all arms with RL")
    pool_solutions: int = Field(
        120, gt=1, description="solutions of each last policy in the fixed pool, right and wrong alike"
    )
    best_of: int = Field(64, gt=1, description="N of best-of-N on GPT*'s samples")
    searches: tuple[SearchConfig, ...] = Field(
        (), description="searches of held-out problems in which every arm's last PRM is measured"
    )
    detect: float | None = Field(
        None, gt=0, description="a difference of which the result states how many trainings it needs"
    )


class AtOncePRMConfig(PRMConfig):
    """PRM v1 to v<rounds> on labels that were all collected before the first of them."""

    rounds: int
