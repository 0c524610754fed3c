"""Every number of ablations/code."""

from __future__ import annotations

from pydantic import Field

from o1_assets.core.artifact import StageConfig
from o1_assets.core.prompt_format import PromptFormat


class CodeConfig(StageConfig):
    """ablations/code: programs before and after their tests were run. Profiles of the world code alone have it."""

    problems: int = Field(200, gt=1, description="held-out problems, the same for every model")
    samples: int = Field(4, gt=0, description="solutions a problem, each repaired by itself")
    repairs: int = Field(
        2, gt=0, description="how often a program that fails a shown test goes back with what the tests said"
    )
    temperature: float = Field(1.0, gt=0, description="of the first solutions and of the repairs")
    resamples: int = Field(2000, gt=0, description="bootstrap draws of an interval")


class CodeResultConfig(CodeConfig):
    """The same, for the artifact."""

    prompt: PromptFormat = PromptFormat()
