"""What a plan assumes about a profile's problems and solutions: one set for each kind of problem, each with its source.

`--assume solution_tokens=300` replaces one number.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from o1_assets.base.config import BaseConfig, CorpusConfig, WorldBase
from o1_assets.core.estimate import Assumptions
from o1_assets.core.validation import first_problem
from o1_assets.plan import PlanError
from o1_assets.problems.config import ProblemsConfig
from o1_assets.profiles.profile import Profile

# Numbers in a problem of nano's, where a profile's own problems do not say.
NANO_TERMS = 4.0

_RATING_OF_MATH = (
    "16 s a rating: the three records printed in PRM800K's description took 550 s (total_time) for 35 ratings, which "
    "is a small sample"
)


def arithmetic(problem_terms: float, corpus_terms: float) -> Assumptions:
    """Assumptions for expressions with so many numbers on average.

    Tokens: lines through a nano run (4 numbers in a problem, 3.5 in the corpus), and through corpora of 2.5 and 6, in
    which steps did not say what is left. Where a number is one token that is n² - n - 2 in all steps; .7 of it in a
    corpus, which begins with short expressions. A question of n has 2n + 1, an operation 6, an answer with its end 4.
    """

    def left(terms: float) -> float:
        return max(0.0, terms**2 - terms - 2)

    return Assumptions(
        source=f"nano's runs, measured, for problems of {problem_terms:.1f} terms; 5 s a rating is an assumption",
        question_tokens=1.6 + 2 * problem_terms,
        letters_a_token=2.4,
        solution_tokens=5.9 * problem_terms + left(problem_terms),
        corpus_tokens=6 * corpus_terms + 4.5 + 0.7 * left(corpus_terms),
        steps=problem_terms + 0.2,
        kept_share=0.146,
        novelty_first=0.71,
        novelty_last=0.26,
        rated_first=0.52,
        rated_later=0.66,
        new_alternatives=0.35,
        seconds_a_rating=5,
        bytes_a_token=2.4,
    )


COUNTDOWN = Assumptions(
    source="a base of countdown and GPT*, measured; 5 s a rating is an assumption",
    question_tokens=10.5,
    letters_a_token=2.4,
    solution_tokens=34,
    corpus_tokens=38.5,
    steps=3.8,
    kept_share=0.2,
    novelty_first=0.9,
    novelty_last=0.6,
    rated_first=0.6,
    rated_later=0.5,
    new_alternatives=0.7,
    seconds_a_rating=5,
    bytes_a_token=1.9,
)

CODE = Assumptions(
    source="a base of code and GPT*, measured; 10 s a rating is an assumption",
    question_tokens=22,
    letters_a_token=2.4,
    solution_tokens=155,
    corpus_tokens=132,
    steps=10,
    kept_share=0.18,
    novelty_first=0.9,
    novelty_last=0.6,
    rated_first=0.6,
    rated_later=0.5,
    new_alternatives=0.7,
    seconds_a_rating=10,
    bytes_a_token=1.9,
)

_TEACHERS = "tokens and steps are those of the corpus' teachers, the rest is countdown's"

OF_WORLDS = {
    "code": CODE,
    "countdown": COUNTDOWN,
    "letters": COUNTDOWN.model_copy(
        update={
            "source": _TEACHERS,
            "question_tokens": 26,
            "letters_a_token": 1.3,
            "solution_tokens": 40,
            "corpus_tokens": 64,
            "steps": 8.3,
        }
    ),
    "tic-tac-toe": COUNTDOWN.model_copy(
        update={
            "source": _TEACHERS,
            "question_tokens": 29,
            "letters_a_token": 1.5,
            "solution_tokens": 52,
            "corpus_tokens": 77,
            "steps": 6.2,
        }
    ),
    "sudoku": COUNTDOWN.model_copy(
        update={
            "source": _TEACHERS,
            "question_tokens": 33,
            "letters_a_token": 2.5,
            "solution_tokens": 76,
            "corpus_tokens": 110,
            "steps": 7.5,
        }
    ),
}

GRADE_SCHOOL = Assumptions(
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

ONE_OR_TWO_STEPS = GRADE_SCHOOL.model_copy(
    update={
        "source": "SmolLM2 on MAWPS and ASDiv-A, measured; 8 s a rating is an assumption",
        "question_tokens": 38,
        "solution_tokens": 22,
        "steps": 2.4,
        "kept_share": 0.045,
        "rated_first": 0.53,
        "new_alternatives": 0.77,
        "seconds_a_rating": 8,
    }
)

COMPETITION = Assumptions(
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

OF_PUBLISHED = {"gsm8k": GRADE_SCHOOL, "word_problems": ONE_OR_TWO_STEPS}


def assumptions_of(
    profile: Profile, assume: Sequence[str] = (), problems: ProblemsConfig | None = None
) -> Assumptions:
    """The set that fits these problems, the profile's own if none are given, with NAME=VALUE pairs applied.

    Raises PlanError.
    """
    problems = problems or profile.problems
    # By the kind of problem and not by the profile: a profile of somebody else has one of these too.
    kind = problems.source.kind
    world = profile.base.world if isinstance(profile.base, WorldBase) else ""
    if world in OF_WORLDS:
        chosen = OF_WORLDS[world]
    elif kind == "reasoning_gym":
        chosen = arithmetic(problem_terms(problems), corpus_terms(profile.base))
    else:
        chosen = OF_PUBLISHED.get(kind, COMPETITION)
    # Values stay text here: pydantic reads them as numbers and names what is out of range.
    given = {}
    for pair in assume:
        name, equals, value = pair.partition("=")
        if not equals or name not in Assumptions.model_fields or name == "source":
            names = ", ".join(name for name in Assumptions.model_fields if name != "source")
            raise PlanError(f"--assume {pair!r} names no assumption; there is {names}")
        given[name] = value
    values = {**chosen.model_dump(), **given}
    try:
        return Assumptions.model_validate(values)
    except ValidationError as error:
        raise PlanError(f"--assume: {first_problem(error, values)}") from None


def problem_terms(problems: ProblemsConfig) -> float:
    """Numbers in a problem's expression on average, by the profile's shares, else half-way between its limits."""
    if problems.shares:
        return sum(level * share for level, share in problems.shares.items()) / sum(problems.shares.values())
    limits = problems.arithmetic
    return (limits.min_terms + limits.max_terms) / 2 if limits else NANO_TERMS


def corpus_terms(base: object) -> float:
    """Numbers in an expression of the corpus on average; nano's if the base was not pre-trained on a corpus."""
    corpus = base.corpus if isinstance(base, BaseConfig) else CorpusConfig()
    return (corpus.min_terms + corpus.max_terms) / 2
