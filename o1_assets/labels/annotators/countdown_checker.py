"""Rates the steps of a countdown solution exactly: +1 the target can still be reached, 0 nothing gained, -1 wrong.

    7-3=4 left 8 2      right if both numbers are there, the result is true, the other numbers are listed, and the
                        target can still be reached. A true step into a dead end is wrong: what PRM800K calls
                        neutral is a step that is ambiguous or leads nowhere new, not one after which nothing helps
    check 7-3=4         neutral if that operation was done before, rightly
    wait 8-7=1 left ... replaces the operation step before it: right if that was wrong and this one is right in
                        the state before it; neutral if there was nothing to correct
    answer (7-3)*8-2    right if it uses each number once and reaches the target, whatever came before

Everything else, and everything after an answer, is wrong. After a wrong operation no operation is right until a
`wait` has replaced it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from o1_assets.labels.annotators.arithmetic_checker import MAX_STEP_CHARS, Verdict
from o1_assets.problems.countdown import Countdown, combine, moves, reachable

_ANSWER = re.compile(r"answer (.+)")
_NUMBER = r"(0|[1-9][0-9]{0,5})"
_STEP = re.compile(
    rf"(?:(check|wait) )?{_NUMBER}([-+*/]){_NUMBER}=(-?[0-9]{{1,9}})(?: left ((?:[0-9]{{1,6}} ?)+))?"
)

LARGEST_WRITTEN = 99
"""The largest number of the corpus' vocabulary."""

Operation = tuple[int, str, int, int]
Values = tuple[int, ...]


def rate(problem: Mapping[str, Any], prefix: Sequence[str], text: str) -> int:
    """Rating of one step after the steps before it. Never raises; a problem of another kind gives -1."""
    countdown = countdown_of(problem)
    return -1 if countdown is None else take_step(_working_after(countdown, tuple(prefix)), text)[1].rating


def rate_steps(problem: Mapping[str, Any], steps: Sequence[str]) -> list[int]:
    """Ratings of all steps of a solution, each after those before it."""
    countdown = countdown_of(problem)
    if countdown is None:
        return [-1] * len(steps)
    working, ratings = start(countdown), []
    for text in steps:
        working, verdict = take_step(working, text)
        ratings.append(verdict.rating)
    return ratings


def right_next_steps(problem: Mapping[str, Any], prefix: Sequence[str]) -> list[str]:
    """The operations after which the target can still be reached, first those on the newest result, as the corpus goes
    on; or the answer where none is left. Empty after an answer, and after a wrong operation."""
    countdown = countdown_of(problem)
    working = None if countdown is None else _working_after(countdown, tuple(prefix))
    if working is None or working.answered or not working.values:
        return []
    if len(working.values) == 1:
        return [f"answer {_expression(working)}"]
    steps = []
    newest = working.done[-1][3] if working.done else None
    for a, op, b, left in moves(working.values):
        # Without fractions and negative numbers, which the corpus does not write.
        if left[-1] >= 1 and reachable(left, working.countdown.target, LARGEST_WRITTEN):
            if op in "+*" and b == newest:
                a, b = b, a
            rest = list(working.values)
            rest.remove(a)
            rest.remove(b)
            others = " left " + " ".join(map(str, rest)) if rest else ""
            steps.append((newest not in (None, a), f"{a}{op}{b}={combine(a, op, b)}{others}"))
    return [step for _, step in sorted(dict.fromkeys(steps), key=lambda step: step[0])]


def _expression(working: Working) -> str:
    """The right operations that stand, put into each other."""
    terms = [(number, str(number)) for number in working.countdown.numbers]
    for a, op, b, result in working.done:
        # The newest of equal values: which of them is meant does not matter, as long as it is taken once.
        left = next(term for term in reversed(terms) if term[0] == a)
        terms.remove(left)
        right = next(term for term in reversed(terms) if term[0] == b)
        terms.remove(right)
        parts = [text if text.isdigit() else f"({text})" for _, text in (left, right)]
        terms.append((result, op.join(parts)))
    return terms[-1][1]


def countdown_of(problem: Mapping[str, Any]) -> Countdown | None:
    """The countdown problem in a problem row's metadata (reasoning_gym's entry), None if there is none."""
    return _countdown_in(str(problem.get("metadata") or ""))


@lru_cache(maxsize=1 << 14)
def _countdown_in(metadata: str) -> Countdown | None:
    try:
        return Countdown.stored(metadata)
    except (ValueError, AttributeError, RecursionError):
        return None


@dataclass(frozen=True)
class Working:
    """What is known after some steps.

    values: what can be combined next, descending; None after a wrong operation. before: the values before the newest
    operation. done: the right operations that stand.
    """

    countdown: Countdown
    values: Values | None
    before: Values | None = None
    done: tuple[Operation, ...] = ()
    answered: bool = False


def start(countdown: Countdown) -> Working:
    """Before the first step."""
    return Working(countdown, countdown.numbers)


@lru_cache(maxsize=1 << 14)
def _working_after(countdown: Countdown, prefix: tuple[str, ...]) -> Working:
    working = start(countdown)
    for text in prefix:
        working, _ = take_step(working, text)
    return working


def take_step(working: Working, text: str) -> tuple[Working, Verdict]:
    """The working after one more step, and the step's verdict.

    Kinds of error: unreadable, after_answer, after_error (an unrepaired one), answer, check, correction (of nothing),
    absent (a number that is not there, or no longer), result, left (a wrong list of numbers), dead_end.
    """
    if working.answered:
        return working, Verdict(-1, "after_answer")
    if len(text) > MAX_STEP_CHARS:
        return working, Verdict(-1, "unreadable")
    if answer := _ANSWER.fullmatch(text):
        right = working.countdown.solved_by(answer[1])
        return replace(working, answered=True), Verdict(1, "right") if right else Verdict(-1, "answer")
    match = _STEP.fullmatch(text)
    if match is None:
        return working, Verdict(-1, "unreadable")
    word, a, op, b, result, left = match.groups()
    operation = (int(a), op, int(b), int(result))
    if word == "check":
        right = operation in working.done and left is None
        return working, Verdict(0, "check") if right else Verdict(-1, "check")
    listed = tuple(map(int, left.split())) if left else ()
    if word != "wait":
        return _operate(working, operation, listed, working.values, working.done)
    if working.before is None:
        return working, Verdict(-1, "correction")
    # Only a right operation stands among those done.
    was_right = working.values is not None
    done = working.done[:-1] if was_right else working.done
    corrected, verdict = _operate(working, operation, listed, working.before, done)
    return corrected, Verdict(0, "needless") if was_right and verdict.rating > 0 else verdict


def _operate(
    working: Working, operation: Operation, listed: Values, values: Values | None, done: tuple[Operation, ...]
) -> tuple[Working, Verdict]:
    """`operation` on two of the values, after the operations in `done`; listed: the values it says are left."""
    if values is None:
        return working, Verdict(-1, "after_error")
    after, kind = _after(operation, listed, values)
    if after is not None and not reachable(after, working.countdown.target):
        after, kind = None, "dead_end"
    standing = (*done, operation) if after is not None else done
    working = replace(working, values=after, before=values, done=standing)
    return working, Verdict(1 if after is not None else -1, kind)


def _after(operation: Operation, listed: Values, values: Values) -> tuple[Values | None, str]:
    """The values after the operation, or None and the kind of error."""
    a, op, b, result = operation
    rest = list(values)
    for number in (a, b):
        if number not in rest:
            return None, "absent"
        rest.remove(number)
    if combine(a, op, b) != result:
        return None, "result"
    if listed != tuple(rest):
        return None, "left"
    return tuple(sorted((*rest, result), reverse=True)), "right"
