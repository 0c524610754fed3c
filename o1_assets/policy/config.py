"""Every number of the policy stage, once."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from o1_assets.core.artifact import StageConfig
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.engine.training.config import TuningConfig


class RewardConfig(StageConfig):
    """What a solution is rewarded for (`rewards.py`)."""

    form: Literal["both_sum", "both_minimum", "process", "outcome"] = "both_sum"
    """both_sum: the ORM rewards the last step and the PRM the others, summed; both_minimum: the same two, but
    of the PRM's rewards only the worst step's counts (PURE); process, outcome: one of the two alone."""
    outcome: Literal["orm", "grader"] = "orm"
    """Who says how good the final answer is. `grader` is ground truth: only where a profile asks for it."""
    outcome_weight: float = Field(2.0, ge=0)
    """Of the last step's reward, which lies in [-1, 1] as every step's does."""
    prefix_guard: bool = True
    """A step counts only as far as the steps before it are right."""
    neutral_cost: float = Field(0.3, ge=-1)
    """Taken from a step that the PRM is sure is neutral: an empty verification must not pay. -1 counts it as a right
    step, as a solution's score does (Lightman et al. 2023, section 2.6): the reward that is hacked in PURE."""
    repeat_limit: int = Field(2, ge=1)
    """How often the same step may occur in a solution before each further occurrence is rewarded -1."""
    minimum_temperature: float = Field(0.1, gt=0)
    """PURE's softmin temperature: near 0 all credit goes to the worst step."""


class GroupSearchConfig(StageConfig):
    """Which of a group's solutions are found by step-level tree search instead of sampled."""

    share: float = Field(0.0, ge=0, le=1)
    """Of the problems of an update, the share whose group holds searched solutions. None by default: it gained nothing
    (docs/results.md, search_in_rl)."""
    per_group: int = Field(2, ge=0)
    every: int = Field(2, ge=1)
    """Updates from one with search to the next: few large searches cost less than many small ones."""
    branch: int = Field(4, ge=1)
    """Steps sampled at each node; the PRM keeps the best (a beam of width 1)."""


class PolicyConfig(StageConfig):
    """Process-supervised GRPO from the newest policy with the round's reward models."""

    reward: RewardConfig = RewardConfig()
    search: GroupSearchConfig = GroupSearchConfig()
    updates: int = Field(14, ge=1)
    problems_per_update: int = Field(24, ge=1)
    group_size: int = Field(12, ge=2)
    learning_rate: float = Field(2e-4, gt=0)
    warmup_updates: int = Field(2, ge=0)
    final_learning_rate: float = Field(0.25, ge=0, le=1)
    """What the cosine schedule ends at, as a share of `learning_rate`. Each round starts again at the top,
    with a new optimiser."""
    max_grad_norm: float = Field(1.0, gt=0)
    temperature: float = Field(1.0, gt=0)
    prompt: PromptFormat = PromptFormat()
    max_steps: int = Field(16, ge=1)
    """Of a searched solution."""
    kl_coefficient: float = Field(0.0, ge=0)
    """TRL's beta, the pull towards the checkpoint that this round starts from. 0 needs no reference model."""
    std_floor: float = Field(0.1, gt=0)
    """Rewards of a group that differ by less than this are noise of the reward model and are not blown up to
    unit variance."""
    advantage_clip: float = Field(5.0, gt=0)
    chunks: int = Field(4, ge=1)
    """The batch is sorted by length and sent through the model in so many pieces, to compute less padding."""
    tuning: TuningConfig = TuningConfig()
