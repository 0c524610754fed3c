"""What a configuration does not say and a plan has to know: how long problems and solutions are, how alike, how often
wrong. Each set says where its numbers come from; `--assume solution_tokens=300` replaces one."""

from __future__ import annotations

from pydantic import Field, ValidationError

from o1_assets.base.config import BaseConfig, CorpusConfig
from o1_assets.core.artifact import StageConfig
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.plan.gpus import PlanError
from o1_assets.problems.config import ProblemsConfig
from o1_assets.profiles.profile import Profile

SHARPENING = 0.72
"""Each round of RL leaves so much of the distance of `novelty` to its last value (nano, GPT* and after each round:
0.74, 0.58, 0.47, 0.41, 0.37, 0.33, 0.31, 0.32, 0.22, 0.24, 0.22)."""


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

    def prompt_tokens(self, prompt: PromptFormat) -> float:
        return self.question_tokens + len(prompt.render("")) / self.letters_a_token

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


def arithmetic(problem_terms: float, corpus_terms: float) -> Typical:
    """Of expressions with so many numbers on average: lines through a nano run (4 and 3.5) and one of 2.5 terms."""
    return Typical(
        source=f"nano's runs, measured, for problems of {problem_terms:.1f} terms; 5 s a rating is an assumption",
        question_tokens=1.9 + 2 * problem_terms,
        letters_a_token=2.4,
        solution_tokens=6.6 * problem_terms + 0.4,
        corpus_tokens=6.7 * corpus_terms + 4.4,
        steps=problem_terms + 0.2,
        kept_share=0.146,
        novelty_first=0.77,
        novelty_last=0.26,
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


def typical_of(profile: Profile, assume: list[str] | tuple[str, ...] = ()) -> Typical:
    """The set that fits the profile's problems, with NAME=VALUE pairs applied. Raises PlanError."""
    kind = profile.problems.source.kind
    if kind == "reasoning_gym":
        chosen = arithmetic(problem_terms(profile.problems), corpus_terms(profile.base))
    else:
        chosen = GRADE_SCHOOL if kind == "gsm8k" else COMPETITION
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


def problem_terms(problems: ProblemsConfig) -> float:
    """Numbers in a problem's expression, on average: of the shares that are wanted, else half-way."""
    if problems.shares:
        return sum(level * share for level, share in problems.shares.items()) / sum(problems.shares.values())
    limits = problems.arithmetic
    return (limits.min_terms + limits.max_terms) / 2 if limits else NANO_TERMS


NANO_TERMS = 4.0


def corpus_terms(base: object) -> float:
    """Numbers in an expression of the corpus; nano's where the base was not pre-trained on one."""
    corpus = base.corpus if isinstance(base, BaseConfig) else CorpusConfig()
    return (corpus.min_terms + corpus.max_terms) / 2
