"""Every number of the generator (GPT*): how the base is sampled, what is kept, how it is fine-tuned."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from o1_assets.core.artifact import StageConfig
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.engine.training.config import TuningConfig


class SamplesConfig(StageConfig):
    """Step-by-step solutions of the train problems by the prompted base."""

    problems: int = Field(1_000, gt=0, description="train problems that are sampled, the first by problem_id")
    per_problem: int = Field(8, gt=0, description="solutions a problem")
    temperature: float = Field(1.0, ge=0, description="sampling temperature")
    prompt: PromptFormat = PromptFormat()
    template: str | None = Field(
        None,
        description="a prompt with worked examples before the question, where the base needs them; null: that of "
        "`prompt` (nano's corpus has taught the format)",
    )

    @property
    def first_prompt(self) -> PromptFormat:
        """What the base is asked with: `prompt`, with its own template where it has one."""
        return self.prompt.model_copy(update={"template": self.template}) if self.template else self.prompt


class SftSetConfig(StageConfig):
    """Which samples are worth imitating: those with the correct final answer."""

    per_problem: int = Field(
        4, gt=0, description="most solutions of one problem, so that easy ones do not dominate"
    )
    min_steps: int = Field(2, ge=1, description="fewest steps: a bare answer shows no reasoning")
    references: str | None = Field(
        None,
        description="how the publishers' own {solution} and {answer} of a train problem are written, taken where no "
        "sample of it is right: for models that solve next to nothing yet; null: own samples only",
    )


class SftConfig(StageConfig):
    """One epoch over the SFT set; it teaches the format, not the skill."""

    learning_rate: float = Field(1e-3, gt=0, description="AdamW's peak learning rate, decaying linearly")
    batch_size: int = Field(64, gt=0, description="solutions an update")
    warmup_ratio: float = Field(0.05, ge=0, lt=1, description="share of updates with rising learning rate")
    max_length: int = Field(
        512, gt=0, description="longest prompt and solution in tokens; what is longer is left out"
    )
    tuning: TuningConfig = TuningConfig()
    prompt: PromptFormat = PromptFormat()


class Band(StageConfig):
    """Of which problems the base solves neither too few samples nor too many to learn from."""

    lowest: float = Field(0.1, ge=0, le=1, description="share of a problem's samples that has to be right")
    highest: float = Field(0.9, ge=0, le=1, description="share of them that may be right at most")

    @model_validator(mode="after")
    def _it_is_not_empty(self) -> Self:
        if self.lowest > self.highest:
            raise ValueError(f"lowest is {self.lowest}, above highest, which is {self.highest}")
        return self


class DifficultyConfig(StageConfig):
    """How hard the train problems are for the base (`o1 problems difficulty`), and which of them are trained on."""

    samples: int = Field(8, gt=0, description="solutions of the base a problem, sampled as `samples` says")
    band: Band | None = Field(
        None,
        description="keeps the train problems of which the base solves such a share; null keeps all, and measures "
        "nothing unless asked. Held-out problems stay as they are",
    )
