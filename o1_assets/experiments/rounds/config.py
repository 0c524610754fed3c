"""Every number of ablations/rounds: what the rounds of labels do, against controls."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field

from o1_assets.core.artifact import StageConfig
from o1_assets.labels.config import LabelBatchesConfig, LabelsConfig
from o1_assets.policy.config import PolicyConfig
from o1_assets.reward.config import PRMConfig
from o1_assets.rounds.config import SelectionConfig, SolutionsConfig

ArmName = Literal["rounds", "at_once", "uniform", "labels_without_rl", "rl_without_labels", "fixed_selector"]


class RoundsConfig(StageConfig):
    """What is not said here is as in the profile's own later rounds."""

    arms: tuple[ArmName, ...] = Field(get_args(ArmName), min_length=1, description="the first is the control")
    rounds: int = Field(4, ge=1, le=10, description="rounds after the finished run's round 0, of every arm")
    prm_updates: int = Field(60, gt=0, description="of the PRM, a round; equal in all arms that label")
    policy_updates: int = Field(8, gt=0, description="of RL, a round; equal in all arms with RL")
    pool_solutions: int = Field(
        120, gt=1, description="solutions of each last policy in the fixed pool, right and wrong alike"
    )
    best_of: int = Field(64, gt=1, description="N of best-of-N on GPT*'s samples")


class ArmConfig(StageConfig):
    """One arm. label: has rounds of labels; reinforce: trains the policy; at_once: all labels before all else.

    newest_selects: the newest PRM chooses what is labelled, not PRM v0. solutions, selection: of each of the rounds.
    """

    label: bool
    reinforce: bool
    at_once: bool
    newest_selects: bool
    rounds: int
    solutions: SolutionsConfig
    selection: SelectionConfig
    batches: LabelBatchesConfig
    labels: LabelsConfig
    prm: PRMConfig
    policy: PolicyConfig
