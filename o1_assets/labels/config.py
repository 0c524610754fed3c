"""Who labels a round, by which protocol, and whose ratings count."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from o1_assets.core.artifact import StageConfig
from o1_assets.core.prompt_format import PromptFormat

AnnotatorName = Literal["oracle", "human", "monte_carlo"]


class OracleConfig(StageConfig):
    """The exact checker. error_rate makes it err, for experiments with labellers who are wrong."""

    error_rate: float = Field(
        default=0.0, ge=0, le=1, description="share of ratings replaced by another one; 2/3 rates at random"
    )


class MonteCarloConfig(StageConfig):
    """Ratings from rollouts of the policy: Math-Shepherd (arXiv:2312.08935) and OmegaPRM (arXiv:2406.06592)."""

    estimate: Literal["hard", "soft", "first_error"] = Field(
        default="first_error",
        description="hard: any rollout right; soft: the share that is right; first_error: hard, by binary search",
    )
    # With a weak policy more hard rollouts make the labels worse, because a wrong step is often survived.
    rollouts: int = Field(default=8, gt=0, description="rollouts after each completion")
    negative_to: float = Field(
        default=0.125, ge=0, lt=1, description="soft: a share up to this is rated negative"
    )
    positive_from: float = Field(
        default=0.25, gt=0, le=1, description="soft: a share from this on is rated positive, neutral between"
    )
    prompt: PromptFormat = PromptFormat()
    temperature: float = Field(default=1.0, gt=0)

    @model_validator(mode="after")
    def _thresholds_rise(self) -> Self:
        if self.negative_to >= self.positive_from:
            raise ValueError(
                f"negative_to {self.negative_to} is not below positive_from {self.positive_from}"
            )
        return self


class QualityConfig(StageConfig):
    """Screening and gold solutions, and which labellers they exclude (Lightman et al. 2023)."""

    gold: int = Field(
        default=0, ge=0, description="gold solutions among those of a round; at most a tenth of them"
    )
    screening: int = Field(default=30, ge=0, description="solutions to try a new labeller on")
    min_agreement: float = Field(
        default=0.75, ge=0, le=1, description="share of the known ratings that a labeller has to agree with"
    )
    min_ratings: int = Field(default=20, gt=0, description="known ratings before a labeller can be excluded")
    # A name here is as good as the exact checker: it works for problems that no checker covers.
    leads: tuple[str, ...] = Field(
        default=(), description="labellers whose ratings are gold wherever they rated"
    )


class LabelBatchesConfig(StageConfig):
    """rNN/label_batches: who rates, and by which protocol (dense in r00, sparse later).

    oracle, monte_carlo: that annotator's own settings; None stands for its defaults.
    """

    round: str = Field(pattern=r"^r\d\d$")
    protocol: Literal["dense", "sparse"]
    annotator: AnnotatorName
    oracle: OracleConfig | None = None
    monte_carlo: MonteCarloConfig | None = None
    quality: QualityConfig = QualityConfig()
    # Less than 1 goes on with a part of the labels. The rest, arriving later, then changes the next round's selection
    # under the hands of those who rate it.
    min_rated_share: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="people only: share of the selection that has to be rated to go on",
    )
    source: str | None = Field(default=None, description="imported label source whose batches count too")

    @property
    def waits_for_people(self) -> bool:
        return self.annotator == "human" and self.source is None


class LabelsConfig(StageConfig):
    """rNN/labels: the protocol that the batches have to keep to, and whose ratings count."""

    round: str = Field(pattern=r"^r\d\d$")
    protocol: Literal["dense", "sparse"]
    quality: QualityConfig = QualityConfig()
