"""Every number of ablations/chains: what is written for the policy to learn from, instead of what it found itself."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from o1_assets.base.config import CorpusConfig
from o1_assets.core.artifact import StageConfig
from o1_assets.policy.config import PolicyConfig

Source = Literal["written", "written_few", "own"]
SOURCES: tuple[Source, ...] = ("own", "written_few", "written")


class ChainSetConfig(StageConfig):
    """The solutions of one SFT, as many as RL made, of the problems that RL drew.

    policy: RL's, for what it drew and how it sampled. teacher: who writes. few: how many different solutions
    `written_few` has, one a problem: as many as people had rated for RL's reward models.
    """

    source: Source
    policy: PolicyConfig
    teacher: CorpusConfig
    few: int = Field(gt=0)
    tries: int = Field(
        2, gt=0, description="own: so many times RL's samples of a problem are drawn, right ones kept"
    )


class ChainsConfig(StageConfig):
    """ablations/chains. Its RL is an arm of ablations/rl."""

    arm: str = Field("both_sum", description="of ablations/rl: what stands for RL")
    tries: int = Field(
        2, gt=0, description="samples a problem for GPT*'s own right solutions, in RL's groups"
    )
