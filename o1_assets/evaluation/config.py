"""What evaluation measures, and how much of it."""

from __future__ import annotations

from pydantic import Field

from o1_assets.core.artifact import StageConfig


class RoundEvalConfig(StageConfig):
    """rNN/eval, and the same for GPT* itself: held-out problems solved many times, scored, and judged."""

    problems: int = Field(gt=1, description="held-out problems, the same in every round")
    samples: int = Field(default=64, gt=0, description="solutions a problem and seed; also the largest N")
    seeds: int = Field(default=1, gt=0, description="independent sampling seeds; 3 for the headline figures")
    subsets: int = Field(default=400, gt=0, description="random subsets for each N")
    fooled_n: int = Field(default=16, gt=1, description="subset size of the fresh fooled rate")
    step_samples: int = Field(
        default=16, gt=0, description="solutions a problem whose steps the oracle rates"
    )
    max_tokens: int = Field(gt=0, description="longest solution, in tokens")
    temperature: float = Field(default=1.0, gt=0)
    prompt_template: str = "{question}\n"
    answer_prefix: str = "answer"
    correction_word: str = Field(
        default="wait", description="a step that begins with it corrects the one before"
    )


class SummaryConfig(StageConfig):
    """eval/summary: all rounds side by side."""

    pool_solutions: int = Field(
        default=200, gt=1, description="solutions a round in the fixed pool, right and wrong alike"
    )
    example_steps: int = Field(default=9, gt=1, description="longest solution shown in the report, in steps")
    prompt_template: str = "{question}\n"
    correction_word: str = Field(default="wait", description="as in RoundEvalConfig")
