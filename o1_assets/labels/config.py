"""Who labels a round, by which protocol, and whose ratings count."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from o1_assets.core.artifact import StageConfig
from o1_assets.core.prompt_format import PromptFormat

MachineName = Literal["oracle", "monte_carlo"]
AnnotatorName = Literal["oracle", "monte_carlo", "human", "human+oracle", "human+monte_carlo"]
"""human+...: people's ratings count at once, and the machine rates what they have not."""


def machine_of(annotator: AnnotatorName) -> MachineName | None:
    """The machine that rates, alone or what people have not; None: only people."""
    return "oracle" if "oracle" in annotator else "monte_carlo" if "monte_carlo" in annotator else None


class Switch(StageConfig):
    """A round was switched to another annotator: to whom, by whom, when (ISO 8601, UTC) and why."""

    annotator: AnnotatorName | Literal["profile"] = Field(description="profile: whom the profile names")
    who: str
    when: str
    why: str = ""

    def __str__(self) -> str:
        return f"switched to {self.annotator} by {self.who} on {self.when}" + (
            f" ({self.why})" if self.why else ""
        )


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
    """Sampling temperature of the rollouts."""

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

    oracle, monte_carlo: that annotator's own settings; None stands for its defaults. switched: what made the round's
    annotator another one than the profile's.
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

    switched: Switch | None = None

    @property
    def waits_for_people(self) -> bool:
        return self.annotator == "human" and self.source is None

    @property
    def uses_people(self) -> bool:
        """Whether what people send becomes labels. Where a machine rates alone it is kept; an import is corrected."""
        return "human" in self.annotator or self.source is not None


class LabelsConfig(StageConfig):
    """rNN/labels: the protocol that the batches have to keep to, and whose ratings count."""

    round: str = Field(pattern=r"^r\d\d$")
    protocol: Literal["dense", "sparse"]
    quality: QualityConfig = QualityConfig()
