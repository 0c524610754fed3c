"""Every number of ablations/versions: the finished run's own rounds on fixed sets."""

from __future__ import annotations

from pydantic import Field

from o1_assets.core.artifact import StageConfig
from o1_assets.core.prompt_format import PromptFormat


class VersionsConfig(StageConfig):
    """ablations/versions."""

    best_of: int = Field(64, gt=1, description="N of best-of-N on GPT*'s samples")
    subsets: int = Field(100, gt=0, description="random subsets for it")
    resamples: int = Field(2000, gt=0, description="bootstrap samples of problems")
    prompt: PromptFormat = PromptFormat()
