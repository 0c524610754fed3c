"""Countdown: make a target from given numbers, one operation a step.

7-3=4 left 8 2      right if both numbers are there, the result is true, the other numbers are listed, and the
                    target can still be reached. A true step into a dead end is wrong: what PRM800K calls
                    neutral is a step that is ambiguous or leads nowhere new, not one after which nothing helps
check 7-3=4         says nothing of what is left
answer (7-3)*8-2    right if it uses each number once and reaches the target
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from random import Random
from typing import NamedTuple

from o1_assets.problems.worlds.countdown.rules import Countdown, combine, moves, reachable
from o1_assets.problems.worlds.countdown.teacher import (
    COUNTDOWN,
    CountdownCorpus,
    CountdownTeacher,
    draw_corpus,
    draw_plan,
)
from o1_assets.problems.worlds.world import Solved, Working, World

_NUMBER = r"(0|[1-9][0-9]{0,5})"
_STEP = re.compile(rf"{_NUMBER}([-+*/]){_NUMBER}=(-?[0-9]{{1,9}})(?: left ([0-9]{{1,6}}(?: [0-9]{{1,6}})*))?")

LARGEST_WRITTEN = 99
"""The largest number of the corpus' vocabulary."""

Values = tuple[int, ...]
"""What can be combined next, descending."""


class Step(NamedTuple):
    """a op b = result, as a step claims; listed: the values it says are left."""

    a: int
    op: str
    b: int
    result: int
    listed: Values


class CountdownWorld(World[Countdown, Values, Step, CountdownCorpus]):
    name = "countdown"
    vocabulary = COUNTDOWN
    corpus = CountdownCorpus
    step = _STEP
    description = (
        "generated solutions of countdown problems, which may lose the target and claim to have reached it. The test "
        "problems are kept out of the corpus, in any order of their numbers."
    )
    usual = "Use 8, 7, 3 and 2 to make 24."
    unread = "it gives no numbers and a target to make of them"
    checkable = True

    def draw(self, config: CountdownCorpus, rng: Random) -> Countdown:
        return draw_plan(config, rng, config.max_numbers).problem

    def question(self, problem: Countdown) -> str:
        return str(problem)

    def parse(self, question: str) -> Countdown | None:
        return Countdown.parse(question)

    def stored(self, metadata: str) -> Countdown | None:
        """The numbers and the target in reasoning_gym's entry."""
        try:
            return Countdown.stored(metadata)
        except (ValueError, AttributeError, TypeError, RecursionError):
            return None

    def solved_by(self, problem: Countdown, answer: str) -> bool:
        return problem.solved_by(answer)

    def solve(self, problem: Countdown, config: CountdownCorpus, rng: Random) -> list[str]:
        teacher = CountdownTeacher(config, rng)
        return teacher.solve(teacher.plan(problem))

    def draw_corpus(self, config: CountdownCorpus, seed: int, exclude: Collection[str]) -> Iterator[Solved]:
        return draw_corpus(config, seed, exclude)

    def begin(self, problem: Countdown) -> Values:
        return problem.numbers

    def read_step(self, text: str) -> Step | None:
        match = _STEP.fullmatch(text)
        if match is None:
            return None
        a, op, b, result, left = match.groups()
        return Step(int(a), op, int(b), int(result), tuple(map(int, left.split())) if left else ())

    def was_done(self, working: Working[Countdown, Values, Step], move: Step) -> bool:
        return not move.listed and move[:4] in [done[:4] for done in working.done]

    def take(self, problem: Countdown, state: Values, move: Step) -> tuple[Values | None, str]:
        """Kinds of error: absent (a number that is not there, or no longer), result, left (a wrong list of numbers),
        dead_end."""
        rest = list(state)
        for number in (move.a, move.b):
            if number not in rest:
                return None, "absent"
            rest.remove(number)
        if combine(move.a, move.op, move.b) != move.result:
            return None, "result"
        if move.listed != tuple(rest):
            return None, "left"
        after = tuple(sorted((*rest, move.result), reverse=True))
        return (after, "right") if reachable(after, problem.target) else (None, "dead_end")

    def next_steps(self, working: Working[Countdown, Values, Step]) -> list[str]:
        """The operations after which the target can still be reached, first those on the newest result, as the corpus
        goes on; or the answer where none is left."""
        values = working.state
        assert values is not None
        if len(values) == 1:
            return [f"answer {_expression(working)}"]
        steps = []
        newest = working.done[-1].result if working.done else None
        for a, op, b, left in moves(values):
            # Without fractions and negative numbers, which the corpus does not write.
            if left[-1] >= 1 and reachable(left, working.problem.target, LARGEST_WRITTEN):
                if op in "+*" and b == newest:
                    a, b = b, a
                rest = list(values)
                rest.remove(a)
                rest.remove(b)
                others = " left " + " ".join(map(str, rest)) if rest else ""
                steps.append((newest not in (None, a), f"{a}{op}{b}={combine(a, op, b)}{others}"))
        return [step for _, step in sorted(dict.fromkeys(steps), key=lambda step: step[0])]

    def unusual(self, problem: Countdown, config: CountdownCorpus) -> list[str]:
        unusual = []
        if not config.min_numbers <= len(problem.numbers) <= config.max_numbers:
            unusual.append(
                f"{len(problem.numbers)} numbers, not {config.min_numbers} to {config.max_numbers}"
            )
        for number in dict.fromkeys(problem.numbers):
            if not config.min_number <= number <= config.max_number:
                unusual.append(f"{number} is not from {config.min_number} to {config.max_number}")
        if not config.min_target <= problem.target <= config.max_target:
            unusual.append(
                f"the target {problem.target} is not from {config.min_target} to {config.max_target}"
            )
        if not reachable(problem.numbers, problem.target):
            unusual.append("no way through whole numbers reaches the target")
        return unusual


def _expression(working: Working[Countdown, Values, Step]) -> str:
    """The right operations that stand, put into each other."""
    terms = [(number, str(number)) for number in working.problem.numbers]
    for a, op, b, result, _ in working.done:
        # The newest of equal values: which of them is meant does not matter, as long as it is taken once.
        left = next(term for term in reversed(terms) if term[0] == a)
        terms.remove(left)
        right = next(term for term in reversed(terms) if term[0] == b)
        terms.remove(right)
        parts = [text if text.isdigit() else f"({text})" for _, text in (left, right)]
        terms.append((result, op.join(parts)))
    return terms[-1][1]
