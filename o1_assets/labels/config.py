"""Who labels a round, by which protocol, and whose ratings count."""

from __future__ import annotations

from typing import Any, Literal, Self, get_args
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from o1_assets.core.artifact import StageConfig
from o1_assets.core.prompt_format import PromptFormat

MachineName = Literal["oracle", "monte_carlo", "judge"]
AnnotatorName = Literal[
    "oracle", "monte_carlo", "judge", "human", "human+oracle", "human+monte_carlo", "human+judge"
]
"""human+...: people's ratings count at once, and the machine rates what they have not."""


def machine_of(annotator: AnnotatorName) -> MachineName | None:
    """The machine that rates, alone or what people have not; None: only people."""
    return next((name for name in get_args(MachineName) if name in annotator), None)


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


class JudgeConfig(StageConfig):
    """A language model behind an OpenAI-compatible server (vLLM, Ollama, a cloud) rates the steps, with reasons.

    The key, where one is needed, is in O1_JUDGE_API_KEY and nowhere else.
    """

    url: str = Field(
        default="http://127.0.0.1:8000/v1",
        description="address of the server, to which /chat/completions is added",
    )
    model: str = Field(default="", description="the model, as the server calls it")
    template: str | None = Field(
        default=None,
        description="file with the prompt: {problem} and {steps}, and {answer}, {before} and {first} if it likes; "
        "null: o1_assets/labels/annotators/judge_prompt.txt",
    )
    shows_answer: bool = Field(
        default=True, description="whether the judge is told the right final answer, as people are"
    )
    votes: int = Field(
        default=1, ge=1, le=99, description="answers to each question; the majority rates, a tie is unsure"
    )
    temperature: float = Field(default=0.0, ge=0, description="sampling temperature of the judge")
    max_tokens: int = Field(default=2048, gt=0, description="of an answer; a thought before it counts")
    structured: Literal["json_schema", "json_object", "none"] = Field(
        default="json_schema",
        description="how the form of an answer is asked for; what a server does not know is left out by itself",
    )
    attempts: int = Field(default=3, ge=1, le=9, description="answers asked for until one can be read")
    parameters: dict[str, Any] = Field(
        default={},
        description='further fields of a request, null to leave one out, as in {"max_tokens":null,"top_p":0.9}',
    )

    @field_validator("url")
    @classmethod
    def _is_an_address_without_a_secret(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(
                f"{url!r} is no address of a server; write http://HOST:PORT/v1 or https://HOST/v1"
            )
        # It is shown in messages and kept in manifests.
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError(
                "the address of a judge holds no user, password or key; O1_JUDGE_API_KEY has the key"
            )
        return url

    @field_validator("parameters")
    @classmethod
    def _are_not_the_question(cls, parameters: dict[str, Any]) -> dict[str, Any]:
        ours = sorted({"messages", "model", "response_format", "stream", "n"} & parameters.keys())
        if ours:
            raise ValueError(f"{' and '.join(ours)} of parameters cannot be set: they make the question")
        return parameters

    @model_validator(mode="after")
    def _votes_differ(self) -> Self:
        if self.votes > 1 and self.temperature == 0:
            raise ValueError("several votes at temperature 0 are one vote; set temperature to 0.7 or so")
        return self


class JudgeLimits(StageConfig):
    """How hard a judge is asked, and how much it may cost. None of this changes a rating, so nothing becomes stale."""

    concurrency: int = Field(default=8, ge=1, le=256, description="requests at once")
    timeout: float = Field(default=120.0, gt=0, description="seconds to wait for an answer")
    retries: int = Field(
        default=6,
        ge=0,
        description="attempts after the first where a server is busy or silent, with growing waits",
    )
    first_wait: float = Field(
        default=1.0, gt=0, description="seconds before the second attempt, doubled each time"
    )
    max_calls: int | None = Field(
        default=None, ge=0, description="answers that the home may hold in all; null: no limit"
    )
    max_cost: float | None = Field(
        default=None,
        ge=0,
        description="what all answers of the home may cost, in the prices' currency; null: no limit",
    )
    price_read: float = Field(default=0.0, ge=0, description="price of a million tokens that the judge reads")
    price_written: float = Field(default=0.0, ge=0, description="price of a million tokens that it writes")

    @model_validator(mode="after")
    def _cost_has_a_price(self) -> Self:
        if self.max_cost is not None and not (self.price_read or self.price_written):
            raise ValueError("max_cost limits nothing without price_read and price_written")
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

    oracle, monte_carlo, judge: that annotator's own settings; None stands for its defaults. judge_prompt: digest of the
    judge's prompt. switched: what made the round's
    annotator another one than the profile's.
    """

    round: str = Field(pattern=r"^r\d\d$")
    protocol: Literal["dense", "sparse"]
    annotator: AnnotatorName
    oracle: OracleConfig | None = None
    monte_carlo: MonteCarloConfig | None = None
    judge: JudgeConfig | None = None
    judge_prompt: str | None = None
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
