"""What a configuration does not say and a plan has to know: how long problems and solutions are, how alike, how often
wrong. Each set says where its numbers come from; `--assume solution_tokens=300` replaces one."""

from __future__ import annotations

from pydantic import Field, ValidationError

from o1_assets.artifact import StageConfig
from o1_assets.plan.gpus import PlanError
from o1_assets.problems.config import ProblemsConfig

SHARPENING = 0.8
"""Each round of RL brings `novelty` so much nearer to its last value (nano's rounds: 0.73, 0.65, 0.62, 0.57, ...)."""


class Typical(StageConfig):
    """Means over problems and sampled solutions."""

    source: str = Field(description="where the numbers come from")
    question_tokens: float = Field(gt=0, description="of a question, without the template around it")
    letters_a_token: float = Field(gt=0, description="for the template around the question")
    solution_tokens: float = Field(gt=0, description="of a sampled solution, its end token included")
    corpus_tokens: float = Field(0, ge=0, description="prompt and solution in the pre-training corpus")
    steps: float = Field(gt=0, description="steps of a sampled solution")
    kept_share: float = Field(gt=0, le=1, description="share of the base's samples that the SFT set keeps")
    novelty_first: float = Field(
        ge=0,
        le=1,
        description="b: N samples of GPT* on one problem share prefixes so that N**b solutions' tokens are distinct",
    )
    novelty_last: float = Field(ge=0, le=1, description="b of a policy after many rounds of RL")
    rated_first: float = Field(
        gt=0, le=1, description="share of a solution's steps that are rated, uniform choice"
    )
    rated_later: float = Field(gt=0, le=1, description="the same of convincing wrong answers")
    new_alternatives: float = Field(ge=0, le=1, description="share of drawn alternatives that are new")
    seconds_a_rating: float = Field(gt=0, description="a person's time for one rating")
    bytes_a_token: float = Field(gt=0, description="of a distinct solution's text and token ids, compressed")

    def prompt_tokens(self, template: str) -> float:
        return self.question_tokens + len(template.replace("{question}", "")) / self.letters_a_token

    @property
    def step_tokens(self) -> float:
        return self.solution_tokens / self.steps

    def novelty(self, rounds_of_rl: int) -> float:
        """b of the policy after so many rounds of RL; 0 rounds: GPT*."""
        return self.novelty_last + (self.novelty_first - self.novelty_last) * SHARPENING**rounds_of_rl


_RATING_OF_MATH = (
    "16 s a rating: the three records printed in PRM800K's description took 550 s (total_time) for 35 ratings, which "
    "is a small sample"
)
ARITHMETIC = Typical(
    source="measured on a nano run: `o1 plan --check` and its tables; 5 s a rating is an assumption",
    question_tokens=9.9,
    letters_a_token=2.4,
    solution_tokens=26.8,
    corpus_tokens=27.5,
    steps=4.2,
    kept_share=0.146,
    novelty_first=0.77,
    novelty_last=0.40,
    rated_first=0.52,
    rated_later=0.66,
    new_alternatives=0.35,
    seconds_a_rating=5,
    bytes_a_token=1.9,
)
GRADE_SCHOOL = Typical(
    source="GSM8K's train set has questions of 235 letters and solutions of 3 to 4 lines; the rest is assumed, "
    + _RATING_OF_MATH,
    question_tokens=60,
    letters_a_token=4,
    solution_tokens=110,
    steps=5,
    kept_share=0.05,
    novelty_first=0.95,
    novelty_last=0.85,
    rated_first=0.6,
    rated_later=0.66,
    new_alternatives=0.9,
    seconds_a_rating=16,
    bytes_a_token=6,
)
COMPETITION = Typical(
    source="assumed for MATH: solutions of 450 tokens in 12 steps; " + _RATING_OF_MATH,
    question_tokens=75,
    letters_a_token=4,
    solution_tokens=450,
    steps=12,
    kept_share=0.4,
    novelty_first=0.97,
    novelty_last=0.9,
    rated_first=0.7,
    rated_later=0.6,
    new_alternatives=0.95,
    seconds_a_rating=16,
    bytes_a_token=6,
)


def typical_of(problems: ProblemsConfig, assume: list[str] | tuple[str, ...] = ()) -> Typical:
    """The set that fits the problem source, with NAME=VALUE pairs applied. Raises PlanError."""
    kind = problems.source.kind
    chosen = {"reasoning_gym": ARITHMETIC, "gsm8k": GRADE_SCHOOL}.get(kind, COMPETITION)
    given = {}
    for pair in assume:
        name, equals, value = pair.partition("=")
        if not equals or name not in Typical.model_fields or name == "source":
            names = ", ".join(name for name in Typical.model_fields if name != "source")
            raise PlanError(f"--assume {pair!r} names no assumption; there is {names}")
        given[name] = value
    try:
        return Typical.model_validate({**chosen.model_dump(), **given})
    except ValidationError as error:
        first = error.errors()[0]
        raise PlanError(f"--assume {first['loc'][0]}={first['input']}: {first['msg']}") from None
