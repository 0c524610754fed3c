"""Which steps of a word problem's solution are right, by the calculations of its equation. It measures, and never
labels what a policy is trained on: `annotator=oracle` is refused for these problems.

It is strict: another right way to the answer, 9 - 3 = 6 and 6 - 2 = 4 for 9 - (3 + 2), counts as wrong.
"""

from __future__ import annotations

import json
import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from o1_assets.problems.equation import Calculation
from o1_assets.problems.worlds.world import MAX_STEP_CHARS, Verdict

_NUMBER = r"(-?\d{1,15}(?:\.\d{1,15})?)"
_CALCULATION = re.compile(rf"\s*{_NUMBER}\s*([-+*/])\s*{_NUMBER}\s*=\s*{_NUMBER}\s*")
_ANSWER = re.compile(rf"\s*####\s*{_NUMBER}\s*")


class Done(NamedTuple):
    """What is known after some steps. wrong: whether one of them was."""

    steps: tuple[Calculation, ...]
    answer: Fraction
    left: tuple[Calculation, ...]
    wrong: bool = False
    answered: bool = False


class WordSteps:
    """Checks steps as a world does (`World.take_step`)."""

    def start(self, steps: tuple[Calculation, ...]) -> Done:
        return Done(steps, steps[-1].value, steps)

    def take_step(self, done: Done, text: str) -> tuple[Done, Verdict]:
        """After one more step, and its verdict. Never raises."""
        if done.answered:
            return done, Verdict(-1, "after_answer")
        if len(text) > MAX_STEP_CHARS:
            return done._replace(wrong=True), Verdict(-1, "unreadable")
        if answer := _ANSWER.fullmatch(text):
            right = Fraction(answer[1]) == done.answer
            return done._replace(answered=True), Verdict(1, "right") if right else Verdict(-1, "answer")
        if done.wrong:
            return done, Verdict(-1, "after_error")
        verdict, left = _taken(done, text)
        return done._replace(left=left, wrong=verdict.rating < 0), verdict

    def right_next_steps(self, done: Done) -> list[str]:
        if done.answered or done.wrong:
            return []
        return [str(step) for step in done.left[:1]] or [f"#### {str(done.steps[-1]).rpartition(' ')[2]}"]


@lru_cache(maxsize=1 << 14)
def stored_calculations(metadata: str) -> tuple[Calculation, ...] | None:
    """Those of a row of problems.parquet whose worked solution is nothing else; None for any other row."""
    try:
        lines = str(json.loads(metadata)["solution"]).splitlines()
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    steps = [_read(line) for line in lines]
    if not steps or any(step is None or not step[1] for step in steps):
        return None
    return tuple(step[0] for step in steps if step is not None)


def _taken(done: Done, text: str) -> tuple[Verdict, tuple[Calculation, ...]]:
    read = _read(text)
    if read is None:
        return Verdict(-1, "unreadable"), done.left
    step, holds = read
    if not holds:
        return Verdict(-1, "arithmetic"), done.left
    for i, wanted in enumerate(done.left):
        if _same(step, wanted):
            return Verdict(1, "right"), done.left[:i] + done.left[i + 1 :]
    repeated = any(_same(step, other) for other in done.steps)
    return Verdict(0, "needless") if repeated else Verdict(-1, "operation"), done.left


def _read(line: str) -> tuple[Calculation, bool] | None:
    """The calculation of a line, and whether its result holds; None for any other line."""
    if len(line) > MAX_STEP_CHARS or not (parts := _CALCULATION.fullmatch(line)):
        return None
    step = Calculation(Fraction(parts[1]), parts[2], Fraction(parts[3]))
    try:
        return step, step.value == Fraction(parts[4])
    except ZeroDivisionError:
        return step, False


def _same(step: Calculation, wanted: Calculation) -> bool:
    if step.sign != wanted.sign:
        return False
    pair, other = (step.left, step.right), (wanted.left, wanted.right)
    return pair == other or (step.sign in "+*" and pair == other[::-1])
