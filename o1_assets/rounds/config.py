"""What a round samples and what it sends to be labelled."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from o1_assets.core.artifact import StageConfig
from o1_assets.core.prompt_format import PromptFormat


class SolutionsConfig(StageConfig):
    """rNN/solutions: how many problems the newest policy solves, and how often each."""

    problems: int = Field(gt=0, description="train problems drawn for the round")
    samples: int = Field(gt=0, description="solutions a problem")
    temperature: float = Field(default=1.0, ge=0)
    prompt: PromptFormat = PromptFormat()


class SelectionConfig(StageConfig):
    """rNN/selection: which solutions are sent to be labelled, and with how many alternatives a step."""

    strategy: Literal["uniform", "convincing_wrong"]
    solutions: int = Field(gt=0, description="solutions chosen in the round")
    per_problem: int = Field(gt=0, description="at most so many of one problem")
    wrong_share: float = Field(
        default=0.8,
        ge=0,
        le=1,
        description="share of convincing wrong answers (Lightman et al. 2023, section 4.2)",
    )
    completions: int = Field(gt=0, description="completions a step, the solution's own included")
    max_step_tokens: int = Field(gt=0, description="longest alternative, in tokens")
    written_steps: Literal["none", "step", "solution"] = Field(
        default="none",
        description="what labellers write where a step is wrong: nothing; the step, if no completion of it is right; "
        "or the rest of the solution, which then also follows a right alternative",
    )
    # Writing costs people several times what rating does.
    most_written: int = Field(default=40, gt=0, description="solutions of the round that may be written in")
    temperature: float = Field(default=1.0, ge=0)
    prompt: PromptFormat = PromptFormat()
