"""People who look for a function: they guess its first line, see what is then missing, and ask what that could be."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from pydantic import Field

from o1_assets.problems.worlds.code.rules import (
    FAREST,
    FIRST_LINES,
    SECOND_LINES,
    Branch,
    Case,
    Expression,
    Program,
    Specification,
    apply,
    in_order,
    remainder_fits,
    two_lines,
)
from o1_assets.problems.worlds.world import Corpus


class CodeCorpus(Corpus):
    """Programs that were looked for, wrong in the ways in which programmers are."""

    shares: tuple[float, float] = Field((0.15, 0.85), description="shares of functions of one line, of two")
    shown: int = Field(3, ge=2, le=3, description="values of the function that are given")
    # Errors that a writer makes from beginning to end.
    swapped_rate: float = Field(0.12, ge=0, le=1, description="chance of a writer who reads a-b as b-a")
    larger_rate: float = Field(0.08, ge=0, le=1, description="chance of a writer who takes max for min")
    sign_rate: float = Field(
        0.12,
        ge=0,
        le=1,
        description="chance of a writer who takes away what is missing, and adds what is too much",
    )
    hasty_rate: float = Field(
        0.2, ge=0, le=1, description="chance of a writer who is content with the first case"
    )
    special_rate: float = Field(
        0.03, ge=0, le=1, description="chance of a program that lists the given cases and knows no other"
    )
    # Errors of a moment.
    slip_rate: float = Field(0.03, ge=0, le=1, description="chance of a remainder that is off by one")
    notice_rate: float = Field(0.3, ge=0, le=1, description="chance that a slip is noticed")
    direct_rate: float = Field(0.05, ge=0, le=1, description="chance that a solution is the answer alone")
    direct_right_rate: float = Field(0.6, ge=0, le=1, description="chance that a direct answer is right")


class Habits(NamedTuple):
    """What one writer gets wrong from beginning to end."""

    swapped: bool
    larger: bool
    sign: bool
    hasty: bool

    def value(self, line: Expression, case: Case) -> int:
        """The value that the writer finds for a first line."""
        a, b, _ = case
        x, y = (a, b) if line.x == "a" else (b, a)
        if self.swapped and line.op == "-":
            x, y = y, x
        value = apply(x, "max" if self.larger and line.op == "min" else line.op, y)
        assert value is not None, "no argument is 0"
        return value

    def answered(self, second: Expression) -> Expression:
        """The second line that the writer writes, who has found this one."""
        if self.sign and second.op:
            return Expression(second.x, "-" if second.op == "+" else "+", second.y)
        return second


def solve(problem: Specification, config: CodeCorpus, rng: Random) -> list[str]:
    """The steps of one solution, by a new writer."""
    chance = rng.random
    if chance() < config.direct_rate:
        right = chance() < config.direct_right_rate
        return [f"answer {problem.reference if right else _guess(rng)}"]
    if chance() < config.special_rate and (listed := special_cases(problem)) is not None:
        return [f"answer {listed}"]
    habits = Habits(
        chance() < config.swapped_rate,
        chance() < config.larger_rate,
        chance() < config.sign_rate,
        chance() < config.hasty_rate,
    )
    steps: list[str] = []
    for first in _order(problem, habits, rng):
        steps.append(f"try {first}")
        seconds = frozenset(SECOND_LINES)
        for number, case in enumerate(problem.shown, 1):
            value = habits.value(first, case)
            remainder = case[2] - value
            slipped = remainder + rng.choice((-1, 1))
            if chance() >= config.slip_rate:
                steps.append(looked_at(number, case, value, remainder, seconds))
            elif chance() < config.notice_rate:
                steps.append(looked_at(number, case, value, slipped, seconds))
                steps.append(f"wait {looked_at(number, case, value, remainder, seconds)}")
            else:
                remainder = slipped
                steps.append(looked_at(number, case, value, remainder, seconds))
            seconds &= remainder_fits(case, remainder)
            if not seconds or habits.hasty:
                break
        if seconds:
            return [*steps, f"answer {two_lines(first, habits.answered(in_order(seconds)[0]))}"]
    return [*steps, f"answer {_guess(rng)}"]


def _order(problem: Specification, habits: Habits, rng: Random) -> list[Expression]:
    """First lines in the order in which a writer tries them: in any, but what is too far from the first value last."""
    case = problem.shown[0]
    lines = rng.sample(FIRST_LINES, len(FIRST_LINES))
    return sorted(lines, key=lambda line: abs(case[2] - habits.value(line, case)) > FAREST)


def _guess(rng: Random) -> Program:
    return two_lines(rng.choice(FIRST_LINES), rng.choice(SECOND_LINES))


def looked_at(number: int, case: Case, value: int, remainder: int, seconds: frozenset[Expression]) -> str:
    """The step that looks at one case. value: of the first line. seconds: what fitted the cases before it."""
    a, b, expected = case
    fitting = in_order(seconds & remainder_fits(case, remainder))
    return f"({number}) f({a},{b})={expected}: {value}{remainder:+d} {' '.join(map(str, fitting)) or 'no'}"


def special_cases(problem: Specification) -> Program | None:
    """`if a==7:return 17;if a==2:return 9;return 12`, by the argument that tells the cases apart; None without one."""
    *others, last = problem.shown
    for place, letter in enumerate("ab"):
        if len({case[place] for case in problem.shown}) == len(problem.shown):
            branches = tuple(Branch(letter, "==", case[place], Expression(case[2])) for case in others)
            return Program(Expression(last[2]), None, branches)
    return None
