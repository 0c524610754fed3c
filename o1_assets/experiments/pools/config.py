"""What the experiments are evaluated on: problems unlike those of training, and how often GPT* solves each."""

from __future__ import annotations

from pydantic import Field

from o1_assets.core.artifact import StageConfig
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.problems.config import ArithmeticFilter, Generator, ProblemsConfig, ReasoningGymSource

EXPRESSION = "{expression}"


class OodKind(StageConfig):
    """One way of being out of distribution.

    problems: of which the test side is taken, `problems.test` of them. wording: asks for the problem's expression
    instead of its own question, because a small tokenizer knows only the words of its corpus. beyond: kept are only
    expressions outside of `OodConfig.corpus`; without it the wording has to be one that the corpus does not have.
    """

    name: str
    """What the report calls it."""
    problems: ProblemsConfig
    wording: str | None = Field(None, pattern=r"\{expression\}")
    """Asks "{expression}" so, in place of the problem's own question."""
    beyond: bool = True
    """Keep only expressions outside of the corpus' limits."""


class OodConfig(StageConfig):
    """problems/ood. corpus: limits that all expressions of the base's corpus keep, in the graph those of its base."""

    kinds: tuple[OodKind, ...] = Field(min_length=1)
    """Ways of being out of distribution."""
    longer: int = Field(
        50,
        gt=0,
        description="problems of one more kind, longer: those of problems/longer, where there are such",
    )
    corpus: ArithmeticFilter = ArithmeticFilter(min_terms=2, max_terms=5, max_value=60, max_factor=4)


class PoolConfig(StageConfig):
    """GPT*'s solutions of held-out problems: sampled once, scored by the verifiers of every experiment."""

    problems: int = Field(gt=1, description="how many, the first by problem id, which is a hash")
    samples: int = Field(gt=0, description="solutions a problem")
    prompt: PromptFormat = PromptFormat()
    temperature: float = Field(1.0, gt=0)


def larger(low: int, high: int, max_value: int, max_factor: int) -> OodKind:
    """Expressions of low to high terms with a factor or a value on the way above the corpus' limits, at most max_value
    and max_factor."""
    # Written numbers above 10 were tried with nano: GPT* copies them wrongly, 2% of its solutions are right.
    return _expressions("larger", (low, high), ("+", "-", "*"), max_value, max_factor)


def other(terms: int) -> OodKind:
    """Another generator of reasoning_gym, chain_sum, asked in a wording that the corpus does not have.

    terms: long enough that the corpus has next to none of these sums, in any wording. (Nine tenths of the sums of three
    terms are in nano's corpus.)
    """
    parameters = {"min_terms": terms, "max_terms": terms, "min_digits": 1, "max_digits": 1}
    return OodKind(
        name="chain_sum",
        problems=ProblemsConfig(
            source=ReasoningGymSource(generators=(Generator(name="chain_sum", parameters=parameters),)),
            train=1,
            test=50,
            arithmetic=ArithmeticFilter(min_terms=terms, max_terms=terms),
        ),
        # Of the generator's own wording nano's tokenizer knows the expression and the equals sign alone, and GPT*
        # answers nothing to the rest.
        wording=f"{EXPRESSION} =",
        beyond=False,
    )


def _expressions(
    name: str,
    terms: tuple[int, int],
    operators: tuple[str, ...],
    max_value: int,
    max_factor: int,
) -> OodKind:
    """operators: drawn alike, so that one which stands there three times is three times as frequent."""
    low, high = terms
    parameters = {
        "min_terms": low, "max_terms": high, "min_digits": 1, "max_digits": 1, "operators": list(operators),
        "allow_parentheses": False, "allow_negation": False, "format_style": "natural",
    }  # fmt: skip
    generator = Generator(name="basic_arithmetic", parameters=parameters)
    return OodKind(
        name=name,
        problems=ProblemsConfig(
            source=ReasoningGymSource(generators=(generator,)),
            train=1,
            test=50,
            arithmetic=ArithmeticFilter(
                min_terms=low, max_terms=high, max_value=max_value, max_factor=max_factor
            ),
        ),
    )


NANO_KINDS = (larger(3, 4, 100, 10), other(5))


class PoolsConfig(StageConfig):
    """problems/ood, ablations/pools/test and ablations/pools/ood.

    How solutions are prompted and read is as in `ablations.judge`.
    """

    ood: OodConfig = OodConfig(kinds=NANO_KINDS)
    problems: int = Field(200, gt=1, description="of problems/test")
    ood_problems: int = Field(150, gt=1, description="of problems/ood")
    samples: int = Field(256, gt=0, description="solutions a problem: the largest N")
    longer: float = Field(
        1.5, ge=1, description="a solution of problems/ood may be longer than others by this factor"
    )
