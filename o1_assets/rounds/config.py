"""What a round samples and what it sends to be labelled."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from o1_assets.core.artifact import StageConfig
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.problems.solutions import SAMPLED


class SearchConfig(StageConfig):
    """One search that reads the PRM of the round before. Every solution that ends in its trees is one of the round."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="what `source` says of its solutions")
    strategy: Literal["best-of-n", "beam", "dvts", "mcts"] = "beam"
    """How the tree is searched."""
    proposer: Literal["policy", "generator", "both"] = Field(
        "policy",
        description="whose steps are tried: the newest policy's, GPT*'s, which RL has not narrowed, or both in turn",
    )
    temperature: float = Field(1.0, gt=0, description="of the proposer")
    problems: int = Field(gt=0, description="how many of the round's problems are searched")
    tokens: int = Field(gt=0, description="generated a problem, as much as is begun before they are spent")
    max_step_tokens: int = Field(16, gt=0, description="longest step")
    kept: int = Field(
        8, gt=0, description="solutions of a problem: the answer, and those the PRM errs on most"
    )


class SolutionsConfig(StageConfig):
    """rNN/solutions: how many problems the newest policy solves, and how often each."""

    problems: int = Field(gt=0, description="train problems drawn for the round")
    samples: int = Field(gt=0, description="solutions a problem")
    temperature: float = Field(default=1.0, ge=0)
    """Sampling temperature."""
    searches: tuple[SearchConfig, ...] = Field(
        default=(), description="solutions that a search finds beside those, from round 1 on"
    )
    prompt: PromptFormat = PromptFormat()

    @field_validator("searches")
    @classmethod
    def _names_differ(cls, searches: tuple[SearchConfig, ...]) -> tuple[SearchConfig, ...]:
        names = [SAMPLED, *(search.name for search in searches)]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"searches has the name {min(twice)} twice, or it is {SAMPLED}; rename one")
        return searches


class SelectionConfig(StageConfig):
    """rNN/selection: which solutions are sent to be labelled, and with how many alternatives a step."""

    strategy: Literal["uniform", "convincing_wrong"]
    """uniform: drawn alike from all. convincing_wrong: mostly wrong answers that the PRM scores highest."""
    solutions: int = Field(gt=0, description="solutions chosen in the round")
    per_problem: int = Field(gt=0, description="at most so many of one problem")
    wrong_share: float = Field(
        default=0.8,
        ge=0,
        le=1,
        description="share of convincing wrong answers (Lightman et al. 2023, section 4.2), of what condemned_share "
        "leaves",
    )
    condemned_share: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="share of right answers with the lowest scores: a PRM that doubts them costs RL as much",
    )
    # Of nano's 50 lowest right answers of a round one at most was right in every step; of the 50 lowest from .01 on,
    # 40 to 42% were (rounds 2, 5 and 9; docs/decisions/labels.md).
    condemned_floor: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="lowest score of those: below it a right answer is mostly due to errors that cancel",
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
    """Sampling temperature of the alternatives to a step."""
    prompt: PromptFormat = PromptFormat()
