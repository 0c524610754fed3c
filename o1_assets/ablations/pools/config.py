"""What the experiments judge on: problems unlike those of training, and how often GPT* solves each."""

from __future__ import annotations

from pydantic import Field

from o1_assets.artifact import StageConfig
from o1_assets.problems.config import (
    ArithmeticFilter,
    Generator,
    ProblemsConfig,
    ReasoningGymSource,
)

EXPRESSION = "{expression}"


class OodKind(StageConfig):
    """One way of being out of distribution.

    problems: of which the test side is taken, `problems.test` of them. wording: asks for the problem's expression
    instead of its own question, because a small tokenizer knows only the words of its corpus.
    """

    name: str
    problems: ProblemsConfig
    wording: str | None = Field(None, pattern=r"\{expression\}")


class OodConfig(StageConfig):
    """problems/ood: kept are only expressions that the base's corpus cannot hold: longer, or with a larger number."""

    kinds: tuple[OodKind, ...] = Field(min_length=1)
    beyond_terms: int = Field(5, ge=0, description="the most terms that an expression of the corpus has")
    beyond_number: int = Field(10, ge=0, description="the largest number in an expression of the corpus")


class PoolConfig(StageConfig):
    """GPT*'s solutions of held-out problems: sampled once, judged by every experiment."""

    problems: int = Field(gt=1, description="the first so many by problem id, which is a hash")
    samples: int = Field(gt=0, description="solutions a problem")
    max_tokens: int = Field(gt=0, description="longest solution, in tokens")
    temperature: float = Field(1.0, gt=0)
    prompt_template: str = "{question}\n"
    answer_prefix: str = "answer"


def _kind(
    name: str, generator: Generator, limits: ArithmeticFilter, wording: str | None = None, count: int = 50
) -> OodKind:
    source = ReasoningGymSource(generators=(generator,))
    problems = ProblemsConfig(source=source, train=1, test=count, arithmetic=limits)
    return OodKind(name=name, problems=problems, wording=wording)


def _basic(terms: tuple[int, int], digits: int, operators: tuple[str, ...]) -> Generator:
    low, high = terms
    return Generator(
        name="basic_arithmetic",
        parameters={
            "min_terms": low, "max_terms": high, "min_digits": 1, "max_digits": digits,
            "operators": list(operators), "allow_parentheses": False, "allow_negation": False,
            "format_style": "natural",
        },
    )  # fmt: skip


LONGER = _kind(
    "longer",
    _basic((6, 7), 1, ("+", "+", "+", "-", "*")),
    ArithmeticFilter(min_terms=6, max_terms=7, max_value=60, max_factor=4),
)
"""6 and 7 terms, where the corpus ends at 5."""
LARGER = _kind(
    "larger",
    _basic((3, 4), 2, ("+", "-", "*")),
    ArithmeticFilter(min_terms=3, max_terms=4, max_value=60, max_factor=4),
)
"""Numbers above 10, where the corpus ends at 10."""
OTHER = _kind(
    "chain_sum",
    Generator(
        name="chain_sum", parameters={"min_terms": 2, "max_terms": 3, "min_digits": 1, "max_digits": 2}
    ),
    ArithmeticFilter(min_terms=2, max_terms=3, max_value=60),
    wording=f"{EXPRESSION} =",
)
"""Another generator. Of its own wording nano's tokenizer knows the expression alone, and GPT* answers nothing; this is
what it can read of it, and a wording that no problem of its corpus has."""


class PoolsConfig(StageConfig):
    """problems/ood, ablations/pools/test and ablations/pools/ood.

    How solutions are prompted and read is as in `ablations.judge`.
    """

    ood: OodConfig = OodConfig(kinds=(LONGER, LARGER, OTHER))
    problems: int = Field(200, gt=1, description="of problems/test")
    ood_problems: int = Field(150, gt=1, description="of problems/ood")
    samples: int = Field(256, gt=0, description="solutions a problem: the largest N")
    longer: float = Field(
        1.5, ge=1, description="a solution of problems/ood may be longer than others by this factor"
    )
