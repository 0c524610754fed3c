"""Every number of the Q-value model."""

from __future__ import annotations

from pydantic import Field

from o1_assets.reward.config import RewardModelConfig


class QValueConfig(RewardModelConfig):
    """What it learns from: solutions sampled to their end, and search trees, of train problems."""

    updates: int = Field(100, gt=0, description="optimizer updates of the first fit, to returns")
    problems: int = Field(400, gt=0, description="train problems, drawn at random")
    chains: int = Field(8, gt=0, description="solutions sampled to their end, a problem")
    tree_tokens: int = Field(200, ge=0, description="tokens of the search tree of each problem; 0: no tree")
    branch: int = Field(4, gt=0, description="steps sampled at a node of the tree")
    iterations: int = Field(
        1,
        ge=0,
        description="times the targets are set anew from the model and fitted again; each made the chances of nano "
        "worse (300 problems: AUC .815, .799, .791 after 0, 1, 2; expected calibration error .059, .066, .088)",
    )
    iteration_updates: int = Field(30, gt=0, description="optimizer updates of each of them")
    max_steps: int = Field(16, gt=0)
    """Most steps of a solution in a tree."""
    step_tokens: int = Field(32, gt=0)
    """Most tokens of a step in a tree."""
    temperature: float = Field(1.0, gt=0)
    """Sampling temperature."""
    holdout: float = Field(
        0.25,
        ge=0,
        lt=1,
        description="share of the problems kept: half of them to scale the chances by, half to judge them on",
    )
    start_holdout: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="share of all problems that what it starts from was not trained on, in the graph that of the ORM; "
        "those that are kept are of them",
    )
    calibrate: bool = Field(
        True, description="scale the chances so that they come true on problems that were not trained on"
    )
    bins: int = Field(10, gt=1, description="bins of the calibration curve")
