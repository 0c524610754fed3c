"""The corpus: expressions that are drawn here, never from the problem set, each with one solution by a `Teacher`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from random import Random

from pydantic import Field

from o1_assets.problems.expression import Expression, Operation, apply
from o1_assets.problems.worlds.arithmetic.misconceptions import (
    ORDER,
    RESULT,
    OrderMisconception,
    ResultMisconception,
)
from o1_assets.problems.worlds.world import Corpus, Solved, Vocabulary

# Those of reasoning_gym's basic_arithmetic, whose problems the base has to read.
WORDINGS = ("Calculate {}.", "What is {}?", "Solve {}.", "Compute {}.", "Evaluate: {}.")

LARGEST_WRITTEN = 99
"""A wrong solution may leave the range of the right ones, but not the numbers that the tokenizer knows whole."""

_NUMBER = re.compile(r"\d+")

ARITHMETIC = Vocabulary(
    symbols=("\n", *map(str, range(-99, 100)), *"+-*=", ".", "?"),
    words=(
        "Calculate ",
        "What is ",
        "Solve ",
        "Compute ",
        "Evaluate: ",
        " left ",
        "check ",
        "wait ",
        "answer ",
    ),
)


class CorpusConfig(Corpus):
    """A generated corpus of worked arithmetic, wrong the way people are."""

    min_terms: int = Field(2, ge=2, description="numbers in the shortest expression")
    max_terms: int = Field(5, ge=2, description="numbers in the longest expression")
    curriculum: float = Field(
        0.3,
        ge=0,
        le=1,
        description="share of the corpus over which the longest expression grows to max_terms",
    )
    min_number: int = Field(0, description="smallest number in an expression")
    max_number: int = Field(10, description="largest number in an expression")
    max_value: int = Field(100, gt=0, description="largest absolute intermediate value of a right solution")
    max_factor: int = Field(5, gt=0, description="largest written factor of a product")
    # How often misconceptions are held decides whether reward models matter. At 1.0 majority voting was as good as the
    # PRM; at 1.5, which nano takes, the PRM is .11 better (docs/decisions/nano.md).
    misconception_scale: float = Field(1.0, ge=0, description="factor on every misconception's rate")
    slip_rate: float = Field(
        0.01, ge=0, le=1, description="chance that an operation's result is a random slip"
    )
    direct_rate: float = Field(0.04, ge=0, le=1, description="chance that a solution is the answer alone")
    direct_right_rate: float = Field(0.6, ge=0, le=1, description="chance that a direct answer is right")
    check_rate: float = Field(
        0.05, ge=0, le=1, description="chance that a step is followed by a `check` of it"
    )
    notice_rate: float = Field(
        0.15, ge=0, le=1, description="chance that a wrong step is followed by a `wait`"
    )
    free_order_rate: float = Field(
        0.05, ge=0, le=1, description="chance of another legal order than the usual one"
    )


def draw_expression(config: CorpusConfig, rng: Random, most_terms: int | None = None) -> Expression:
    """An expression whose factors and right intermediate values all stay within the config's limits."""
    while True:
        terms = rng.randint(config.min_terms, most_terms or config.max_terms)
        expression = Expression(
            tuple(rng.randint(config.min_number, config.max_number) for _ in range(terms)),
            tuple(rng.choice("+-*") for _ in range(terms - 1)),
        )
        if _factors_within(expression, config.max_factor) and _stays_within(expression, config.max_value):
            return expression


def _most_terms(config: CorpusConfig, progress: float) -> int:
    """Terms of the longest expression at this share of the corpus: it grows until config.curriculum is read."""
    grown = min(1.0, progress / config.curriculum) if config.curriculum else 1.0
    return min(config.min_terms + 1 + int(grown * (config.max_terms - config.min_terms)), config.max_terms)


def _factors_within(expression: Expression, limit: int) -> bool:
    pairs = zip(expression.ops, expression.numbers, expression.numbers[1:], strict=False)
    return all(max(a, b) <= limit for op, a, b in pairs if op == "*")


def _stays_within(state: Expression, limit: int) -> bool:
    while state.ops:
        index = state.next_index()
        state = state.reduce(index)
        if abs(state.numbers[index]) > limit:
            return False
    return True


def draw_corpus(config: CorpusConfig, seed: int, exclude: Collection[str]) -> Iterator[Solved]:
    """Yield config.solutions pairs (question, steps), short ones first (config.curriculum).

    exclude: expressions without spaces that must not occur (the test problems). In any wording: what the base has read
    the answer of is no test of it.
    """
    rng = Random(seed)
    written = 0
    while written < config.solutions:
        expression = draw_expression(config, rng, _most_terms(config, written / config.solutions))
        if expression.compact in exclude:
            continue
        steps = Teacher(config, rng).solve(expression)  # a new one each time: one person wrote one solution
        if any(int(n) > LARGEST_WRITTEN for step in steps for n in _NUMBER.findall(step)):
            continue
        yield rng.choice(WORDINGS).format(expression), steps
        written += 1


class Teacher:
    """The writer of one solution. Which misconceptions they hold is drawn once, and they follow them to the end.

    So errors are systematic: with random slips alone majority voting is nearly unbeatable, and no reward model has
    anything to teach. A writer who notices an error (`wait`) drops the misconception that caused it.
    """

    def __init__(self, config: CorpusConfig, rng: Random) -> None:
        self.config = config
        self.rng = rng
        self._held: dict[str, bool] = {}

    def solve(self, expression: Expression) -> list[str]:
        """The steps of one solution, without newlines; the last one is the answer step."""
        if self.rng.random() < self.config.direct_rate:
            # The answer alone: `eval/thinking` compares chains with direct answers, so the base has to know both.
            return [f"answer {self._direct_answer(expression)}"]
        steps: list[str] = []
        state = expression
        while state.ops:
            before = state
            index, order_error = self.next_index(state)
            result, result_error = self.result(state, index)
            written = Operation.at(state, index, result)
            steps.append(str(written))
            state = state.reduce(index, result)
            wrong = order_error or result_error
            if wrong and self.rng.random() < self.config.notice_rate:
                self._held[wrong] = False
                index = before.legal_indices()[0]
                state = before.reduce(index)
                written = Operation.at(before, index)
                steps.append(f"wait {written}")
            if self.rng.random() < self.config.check_rate:
                steps.append(f"check {written.claim}")
        return [*steps, f"answer {state.numbers[0]}"]

    def holds(self, misconception: OrderMisconception | ResultMisconception) -> bool:
        name = misconception.name
        if name not in self._held:
            self._held[name] = self.rng.random() < misconception.rate * self.config.misconception_scale
        return self._held[name]

    def next_index(self, state: Expression) -> tuple[int, str | None]:
        """Operator to work on, and the name of the misconception that chose it if the choice is wrong."""
        # From the left, and a product when they come to it. So what a step needs is never far back: a small model could
        # not copy it.
        legal = state.legal_indices()
        for misconception in ORDER:
            index = misconception.rule(state)
            if index is not None and index not in legal and self.holds(misconception):
                return index, misconception.name
        if self.rng.random() < self.config.free_order_rate:
            return self.rng.choice(legal), None
        return legal[0], None

    def result(self, state: Expression, index: int) -> tuple[int, str | None]:
        """What the writer thinks the operation gives, and why if that is wrong."""
        a, op, b = state.numbers[index], state.ops[index], state.numbers[index + 1]
        right = apply(a, op, b)
        for misconception in RESULT:
            if misconception.op == op:
                wrong = misconception.rule(a, b)
                if wrong is not None and wrong != right and self.holds(misconception):
                    return wrong, misconception.name
        if self.rng.random() < self.config.slip_rate:
            return right + self.rng.choice((-10, -2, -1, 1, 2, 10)), "slip"
        return right, None

    def _direct_answer(self, expression: Expression) -> int:
        value = expression.value()
        if self.rng.random() < self.config.direct_right_rate:
            return value
        return value + self.rng.choice((-10, -5, -3, -2, -1, 1, 2, 3, 5, 10))
