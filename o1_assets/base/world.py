"""What a base that is pre-trained here learns of: arithmetic or countdown. A world is made from a base's config."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial

from o1_assets.base import corpus, countdown
from o1_assets.base.config import BaseConfig, TrainedBase
from o1_assets.base.tokenizer import ARITHMETIC, COUNTDOWN, Vocabulary
from o1_assets.problems.countdown import Countdown
from o1_assets.problems.problem import stored_expression

Solved = tuple[str, list[str]]
"""A question, and the steps of a solution without newlines; the last one is the answer step."""


@dataclass(frozen=True)
class World:
    """A kind of problems and the people who solve them.

    vocabulary: of questions and solutions. draw_corpus: worked solutions, by a seed, of none of the problems whose
    contents are given. content: of a test problem, by its metadata; None for one of another world. description: of the
    corpus, for people.
    """

    vocabulary: Vocabulary
    draw_corpus: Callable[[int, Collection[str]], Iterator[Solved]]
    content: Callable[[str], str | None]
    description: str


def world_of(base: TrainedBase) -> World:
    """The world that this base is pre-trained on."""
    if isinstance(base, BaseConfig):
        return World(
            ARITHMETIC,
            partial(corpus.draw_corpus, base.corpus),
            expression_of,
            "generated step-by-step arithmetic that is wrong the way people are. The test problems' expressions are "
            "kept out of the corpus.",
        )
    return World(
        COUNTDOWN,
        partial(countdown.draw_corpus, base.corpus),
        _countdown,
        "generated solutions of countdown problems, which may lose the target and claim to have reached it. The test "
        "problems are kept out of the corpus, in any order of their numbers.",
    )


def expression_of(metadata: str) -> str | None:
    """The expression of an arithmetic problem, by its metadata; None for a problem of another world."""
    expression = stored_expression(metadata)
    return expression.replace(" ", "") if expression else None


def _countdown(metadata: str) -> str | None:
    problem = Countdown.stored(metadata)
    return str(problem) if problem else None
