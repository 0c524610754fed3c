"""How a round is labelled."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from o1_assets.artifact import StageConfig

AnnotatorName = Literal["oracle", "human", "monte_carlo"]


class OracleConfig(StageConfig):
    """The exact checker, and how often it is made to err."""

    error_rate: float = Field(
        default=0.0, ge=0, le=1, description="share of ratings replaced by another one; 2/3 rates at random"
    )


class MonteCarloConfig(StageConfig):
    """Ratings from rollouts of the policy: Math-Shepherd (arXiv:2312.08935) and OmegaPRM (arXiv:2406.06592)."""

    estimate: Literal["hard", "soft", "first_error"] = Field(
        default="first_error",
        description="hard: any rollout right; soft: the share that is right; first_error: hard, by binary search",
    )
    rollouts: int = Field(default=8, gt=0, description="rollouts after each completion")
    negative_to: float = Field(
        default=0.0, ge=0, lt=1, description="soft: a share up to this is rated negative"
    )
    positive_from: float = Field(
        default=0.25, gt=0, le=1, description="soft: a share from this on is rated positive, neutral between"
    )
    max_tokens: int = Field(default=64, gt=0, description="longest rollout, in tokens")
    temperature: float = Field(default=1.0, gt=0)
    prompt_template: str = "{question}\n"
    answer_prefix: str = "answer"

    @model_validator(mode="after")
    def _thresholds_rise(self) -> Self:
        if self.negative_to >= self.positive_from:
            raise ValueError(
                f"negative_to {self.negative_to} is not below positive_from {self.positive_from}"
            )
        return self


class LabelBatchesConfig(StageConfig):
    """rNN/label_batches: who rates, and by which protocol (dense in r00, sparse later).

    oracle, monte_carlo: that annotator's own settings; None stands for its defaults.
    """

    round: str = Field(pattern=r"^r\d\d$")
    protocol: Literal["dense", "sparse"]
    annotator: AnnotatorName
    oracle: OracleConfig | None = None
    monte_carlo: MonteCarloConfig | None = None


class LabelsConfig(StageConfig):
    """rNN/labels: the protocol that the batches have to keep to."""

    round: str = Field(pattern=r"^r\d\d$")
    protocol: Literal["dense", "sparse"]
