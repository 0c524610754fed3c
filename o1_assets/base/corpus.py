"""The corpus: expressions drawn here, never from the problem set, each with one written solution."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from random import Random

from o1_assets.base.config import CorpusConfig
from o1_assets.base.teacher import Teacher
from o1_assets.problems.expression import Expression

# The wordings are those of reasoning_gym's basic_arithmetic.
WORDINGS = ("Calculate {}.", "What is {}?", "Solve {}.", "Compute {}.", "Evaluate: {}.")


LARGEST_WRITTEN = 999
"""A wrong solution may leave the range of the right ones, but not the corpus' three digits."""


_NUMBER = re.compile(r"\d+")


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
    """Terms of the longest expression at this share of the corpus."""
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


def draw_corpus(config: CorpusConfig, seed: int, exclude: Collection[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield config.solutions pairs (question, steps), short ones first (config.curriculum).

    exclude: expressions without spaces that must not occur (the test problems).
    """
    rng = Random(seed)
    written = 0
    while written < config.solutions:
        expression = draw_expression(config, rng, _most_terms(config, written / config.solutions))
        if str(expression).replace(" ", "") in exclude:
            continue
        steps = Teacher(config, rng).solve(expression)
        if any(int(n) > LARGEST_WRITTEN for step in steps for n in _NUMBER.findall(step)):
            continue
        yield rng.choice(WORDINGS).format(expression), steps
        written += 1
