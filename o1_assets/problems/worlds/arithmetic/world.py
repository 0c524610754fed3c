"""Arithmetic: expressions of integers joined by + - *, worked out one operation a step.

3*4=12 left 12-5    right if some order of working may take it now, the result is true and this is left. A step may also
                    say nothing of what is left: people and other models do
answer 7            right if 7 is the expression's value
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from random import Random
from typing import Any

from o1_assets.problems.canonical import arithmetic, flat_expression
from o1_assets.problems.expression import OPERATION, Expression, Operation, apply
from o1_assets.problems.worlds.arithmetic.teacher import (
    ARITHMETIC,
    WORDINGS,
    CorpusConfig,
    Teacher,
    draw_corpus,
    draw_expression,
)
from o1_assets.problems.worlds.world import Solved, Working, World

# An expression longer than this is nobody's arithmetic.
MAX_EXPRESSION_CHARS = 200
MAX_STATES = 64
"""Readings of the steps so far that are followed."""

States = tuple[Expression, ...]
"""What may be left of the expression, each with the problem's value: several when a step can be read at several
places."""


class ArithmeticWorld(World[Expression, States, Operation, CorpusConfig]):
    name = "arithmetic"
    vocabulary = ARITHMETIC
    corpus = CorpusConfig
    step = OPERATION
    description = (
        "generated step-by-step arithmetic that is wrong the way people are. The test problems' expressions are kept "
        "out of the corpus."
    )
    usual = "What is 3 * 4 - 5?"
    unread = "it is no expression of whole numbers joined by + - *"
    answers = re.compile(r"answer (-?\d+)", re.ASCII)

    def draw(self, config: CorpusConfig, rng: Random) -> Expression:
        return draw_expression(config, rng)

    def question(self, problem: Expression) -> str:
        return f"Calculate {problem}."

    def parse(self, question: str) -> Expression | None:
        return flat_expression(arithmetic(question) or "")

    def stored(self, metadata: str) -> Expression | None:
        """The expression in reasoning_gym's entry."""
        try:
            text = json.loads(metadata)["metadata"]["expression"]
            return Expression.parse(text) if len(text) <= MAX_EXPRESSION_CHARS and text.isascii() else None
        except (ValueError, KeyError, TypeError, RecursionError):
            return None

    def content(self, problem: Expression) -> str:
        return problem.compact

    def reworded(self, problem: Expression, asked: str) -> str:
        # A question in one of the corpus's wordings stays as it is: the model has learned all of them.
        wordings = [wording.format(problem) for wording in WORDINGS]
        return asked if asked in wordings else self.question(problem)

    def solved_by(self, problem: Expression, answer: str) -> bool:
        # The value is compared, not the steps: an answer after an error can be right.
        return re.fullmatch(r"-?[0-9]+", answer) is not None and int(answer) == _value(problem)

    def solve(self, problem: Expression, config: CorpusConfig, rng: Random) -> list[str]:
        return Teacher(config, rng).solve(problem)

    def draw_corpus(self, config: CorpusConfig, seed: int, exclude: Collection[str]) -> Iterator[Solved]:
        return draw_corpus(config, seed, exclude)

    def begin(self, problem: Expression) -> States:
        return (problem,)

    def read_step(self, text: str) -> Operation | None:
        return Operation.read(text)

    def was_done(self, working: Working[Expression, States, Operation], move: Operation) -> bool:
        return not move.left and move.claim in [done.claim for done in working.done]

    def take(self, problem: Expression, state: States, move: Operation) -> tuple[States | None, str]:
        """Kinds of error: absent (no such operation is left); order (a sum before the product beside it); grouping (b-c
        taken first in a-b-c); of false results: self (a-a), zero, one (a product with it), sign, slip; left (something
        else is left)."""
        # In 2*3-2*3 the step 2*3=6 can be read at two places; both readings are followed until what is left, or a later
        # step, decides.
        matches = [(e, i) for e in state for i in e.match(move.a, move.op, move.b)]
        if not matches:
            return None, "absent"
        fitting = matches
        if move.left:
            left = Expression.parse(move.left)
            fitting = [(e, i) for e, i in matches if e.reduce(i, move.result) == left]
        # Where nothing fits what is left, that is wrong, unless the operation is as well.
        meant = fitting or matches
        legal = [(e, i) for e, i in meant if i in e.legal_indices()]
        if legal and move.is_true:
            return (_distinct(e.reduce(i) for e, i in legal), "right") if fitting else (None, "left")
        if not legal:
            products = any("*" in e.ops[max(0, i - 1) : i + 2] for e, i in meant)
            return None, "order" if products else "grouping"
        return None, _false_result(move)

    def next_steps(self, working: Working[Expression, States, Operation]) -> list[str]:
        """The operations, the leftmost first, or the answer where none is left."""
        assert working.state is not None
        # Where the steps can be read in several ways, each of them leads to the value.
        expression = working.state[0]
        if not expression.ops:
            return [f"answer {_value(working.problem)}"]
        return [str(Operation.at(expression, index)) for index in expression.legal_indices()]

    def unusual(self, problem: Expression, config: CorpusConfig) -> list[str]:
        unusual = []
        terms = len(problem.numbers)
        if not config.min_terms <= terms <= config.max_terms:
            unusual.append(f"{terms} number{'s' * (terms > 1)}, not {config.min_terms} to {config.max_terms}")
        for number in dict.fromkeys(problem.numbers):
            if not config.min_number <= number <= config.max_number:
                unusual.append(f"{number} is not from {config.min_number} to {config.max_number}")
        pairs = zip(problem.ops, problem.numbers, problem.numbers[1:], strict=False)
        factors = [max(a, b) for op, a, b in pairs if op == "*"]
        if factors and config.max_factor < max(factors) <= config.max_number:
            unusual.append(f"{max(factors)} is multiplied, and factors go to {config.max_factor}")
        largest = _largest_value(problem)
        if largest > config.max_value:
            unusual.append(f"a value on the way is {largest}, beyond {config.max_value}")
        return unusual


WORLD = ArithmeticWorld()


def expression_of(problem: Mapping[str, Any]) -> Expression | None:
    """The expression in a problem row's metadata, None if there is none."""
    return WORLD.stored(str(problem.get("metadata") or ""))


_value = lru_cache(maxsize=1 << 14)(Expression.value)


def _largest_value(state: Expression) -> int:
    """The largest absolute value of an operation's result, in the standard order."""
    largest = 0
    while state.ops:
        index = state.next_index()
        state = state.reduce(index)
        largest = max(largest, abs(state.numbers[index]))
    return largest


def _false_result(operation: Operation) -> str:
    a, op, b, result, _ = operation
    if op == "-" and a == b:
        return "self"
    if op == "*" and 0 in (a, b):
        return "zero"
    if op == "*" and 1 in (a, b):
        return "one"
    return "sign" if result == -apply(a, op, b) else "slip"


def _distinct(states: Iterable[Expression]) -> States:
    # Not a set: the order decides which readings are dropped, and it must be the same in every process.
    return tuple(dict.fromkeys(states))[:MAX_STATES]
