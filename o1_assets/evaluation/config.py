"""What evaluations measure, and on how many problems, samples and subsets."""

from __future__ import annotations

from pydantic import Field

from o1_assets.core.artifact import StageConfig
from o1_assets.core.prompt_format import PromptFormat


class SamplingConfig(StageConfig):
    """How held-out problems are solved, in every evaluation of a policy."""

    problems: int = Field(gt=1, description="held-out problems, the same for every policy")
    # At 64 samples nano's prototype chose right: majority .835, ORM .915, PRM .945; any right .985.
    samples: int = Field(default=64, gt=0, description="solutions a problem and seed; also the largest N")
    subsets: int = Field(default=400, gt=0, description="random subsets for each N")
    temperature: float = Field(default=1.0, gt=0)
    """Sampling temperature."""
    prompt: PromptFormat = PromptFormat()


class RoundEvalConfig(SamplingConfig):
    """rNN/eval, and the same for GPT* itself."""

    seeds: int = Field(default=1, gt=0, description="independent sampling seeds; 3 for the headline figures")
    # The charts call this rate "best of 16".
    fooled_n: int = Field(default=16, gt=1, description="subset size of the fresh fooled rate")
    step_samples: int = Field(
        default=16, gt=0, description="solutions a problem whose steps the oracle rates"
    )
    correction_word: str = Field(
        default="wait", description="a step that begins with it corrects the one before"
    )


class EvalConfig(SamplingConfig):
    """How the policies of an experiment are evaluated: the same held-out problems for all of them."""

    problems: int = Field(default=150, gt=2, description="held-out problems")
    samples: int = Field(
        default=16, gt=1, description="solutions a problem and training seed; also the N of best-of-N"
    )
    subsets: int = Field(
        default=100,
        gt=0,
        description="random subsets for each N; of N samples there is one, and they only break ties",
    )
    resamples: int = Field(default=2000, gt=0, description="bootstrap samples of problems and seeds")


# Best of N on GPT*'s samples draws its subsets from a pool of 2N samples; a pool of N has only one subset.
SUBSETS_OF = 2


class SummaryConfig(StageConfig):
    """eval/summary: all rounds side by side."""

    pool_solutions: int = Field(
        default=200, gt=1, description="solutions a round in the fixed pool, right and wrong alike"
    )
    example_steps: int = Field(default=9, gt=1, description="longest solution shown in the report, in steps")
    prompt: PromptFormat = PromptFormat()
    correction_word: str = Field(default="wait", description="as in RoundEvalConfig")
