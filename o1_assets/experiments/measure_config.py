"""How the policies of an experiment are measured. In a file of its own, so that no experiment's settings are part of
what another one's result depends on."""

from __future__ import annotations

from pydantic import Field

from o1_assets.core.artifact import StageConfig
from o1_assets.evaluation.config import RoundEvalConfig

SUBSETS_OF = 2
"""Best of N on GPT*'s samples draws its subsets from so many times N of them: of N there is one subset only."""


class JudgeConfig(StageConfig):
    """The same held-out problems for all policies."""

    problems: int = Field(150, gt=2, description="held-out problems")
    samples: int = Field(
        16, gt=1, description="solutions a problem and training seed; also the N of best-of-N"
    )
    subsets: int = Field(
        100,
        gt=0,
        description="random subsets for each N; of N samples there is one, and they only break ties",
    )
    resamples: int = Field(2000, gt=0, description="bootstrap samples of problems and seeds")
    max_tokens: int = Field(64, gt=0, description="longest solution, in tokens")
    temperature: float = Field(1.0, gt=0)
    prompt_template: str = "{question}\n"
    answer_prefix: str = "answer"

    def sampling(self) -> RoundEvalConfig:
        return RoundEvalConfig(
            problems=self.problems,
            samples=self.samples,
            max_tokens=self.max_tokens,
            temperature=self.temperature,
            prompt_template=self.prompt_template,
            answer_prefix=self.answer_prefix,
        )
