"""Code: a short function of two whole numbers, from three of its values. It is graded by values that nobody is shown.

    Write f: (1) f(6,3)=15 (2) f(2,5)=9 (3) f(4,4)=12
    try a*b
    (1) f(6,3)=15: 18-3 c-b c-3
    (2) f(2,5)=9: 10-1 no
    try a+b
    (1) f(6,3)=15: 9+6 c+a c+6
    (2) f(2,5)=9: 7+2 c+a
    (3) f(4,4)=12: 8+4 c+a
    answer c=a+b;return c+a

A program is written on one line, with semicolons for its ends of lines. A solution guesses the first line, and asks of
each case what is missing after it: 15 is 9+6, and 6 is a, or 6. What fits all cases so far stands at the end of a step.
A step repeats its case, whose numbers then stand near what is computed from them.
"""

from __future__ import annotations

import re
from functools import lru_cache
from random import Random
from typing import NamedTuple

from o1_assets.problems.sandbox.unit_tests import Report, UnitTest, run_tests
from o1_assets.problems.worlds.code import teacher
from o1_assets.problems.worlds.code.rules import (
    LARGEST,
    SECOND_LINES,
    Case,
    Expression,
    Program,
    Specification,
    draw_specification,
    in_order,
    python_source,
    remainder_fits,
    table,
    two_lines,
)
from o1_assets.problems.worlds.code.teacher import CodeCorpus
from o1_assets.problems.worlds.world import Vocabulary, Working, World

_CASE = r"f\( *([1-6]) *, *([1-6]) *\) *= *(-?[1-3]?[0-9]|-?4[0-5])(?![0-9])"
_CHECK = re.compile(
    r"\(([1-3])\) f\(([1-6]),([1-6])\)=(-?[0-9]{1,2}): (-?[0-9]{1,2})([+-][0-9]{1,2})((?: c(?:[+-][ab1-9])?)+| no)"
)


class Try(NamedTuple):
    """The first line that is looked at from now on."""

    line: Expression


class Check(NamedTuple):
    """value: of the first line for the case with this number. remainder: what is missing to the case's value.
    seconds: the second lines that fit all cases so far, as they are written."""

    number: int
    case: Case
    value: int
    remainder: int
    seconds: tuple[str, ...]


class Search(NamedTuple):
    """tried: first lines, the newest last. seen: cases that were looked at with the newest. seconds: what fits them."""

    tried: tuple[Expression, ...] = ()
    seen: int = 0
    seconds: frozenset[Expression] = frozenset()


class CodeVocabulary(Vocabulary):
    """Words with parentheses; and a minus after a letter is an operator too."""

    @property
    def pattern(self) -> str:
        words = map(re.escape, sorted(self.words, key=len, reverse=True))
        return "|".join((*words, r"(?<![\dabc)])-?\d{1,2}(?!\d)", r"[\s\S]"))


class CodeWorld(World[Specification, Search, Try | Check, CodeCorpus]):
    """A try is right unless something still fits the one before it; a check has to be true in all its parts."""

    name = "code"
    vocabulary = CodeVocabulary(
        symbols=("\n", *map(str, range(-LARGEST, LARGEST + 1)), *"+-*%<>=,()abc ", ";", ":"),
        words=(
            "Write f: ", "(1) f(", "(2) f(", "(3) f(", ")=", ": ", " c", " no",
            "try ", "check ", "wait ", "answer ",
            "c=", ";return ", "return ", ";if ", "if ", ":return ", "min(", "max(", "//", "==",
        ),
    )  # fmt: skip
    corpus = CodeCorpus
    description = (
        "short functions, looked for by trying first lines on three given values. The test problems are kept out of "
        "the corpus."
    )
    usual = "Write f: (1) f(6,3)=15 (2) f(2,5)=9 (3) f(4,4)=12"
    unread = "it gives no three values of f, such as f(6,3)=15"
    checkable = True

    def draw(self, config: CodeCorpus, rng: Random) -> Specification:
        return draw_specification(config.shares, config.shown, rng)[0]

    def question(self, problem: Specification) -> str:
        cases = (f"({number}) f({a},{b})={value}" for number, (a, b, value) in enumerate(problem.shown, 1))
        return "Write f: " + " ".join(cases)

    def parse(self, question: str) -> Specification | None:
        """With the cases that are shown alone, so an answer that solves it passes these."""
        cases = tuple((int(a), int(b), int(value)) for a, b, value in re.findall(_CASE, question[:200]))
        distinct = len({(a, b) for a, b, _ in cases}) == len(cases)
        return Specification(cases) if 2 <= len(cases) <= 3 and distinct else None

    def stored(self, metadata: str) -> Specification | None:
        """With its hidden cases."""
        problem = super().stored(metadata)
        return None if problem is None else problem.graded()

    def solved_by(self, problem: Specification, answer: str) -> bool:
        """Whether it passes all cases that the problem has, the hidden ones where it has them."""
        return _report(answer, (*problem.shown, *problem.hidden)).passed

    def content(self, problem: Specification) -> str:
        # The same cases in another order are the same problem.
        return str(sorted(problem.shown))

    def difficulty(self, problem: Specification) -> int:
        """Lines of the simplest program; 0 for a function of another kind."""
        reference = problem.reference
        return 0 if reference is None else 1 if reference.first is None else 2

    def solve(self, problem: Specification, config: CodeCorpus, rng: Random) -> list[str]:
        return teacher.solve(problem, config, rng)

    def begin(self, problem: Specification) -> Search:
        return Search()

    def read_step(self, text: str) -> Try | Check | None:
        if text.startswith("try "):
            line = Expression.parse(text.removeprefix("try "))
            # Its values can be computed and written, whatever the arguments.
            return Try(line) if line and "c" not in line.atoms and table(Program(line)) else None
        match = _CHECK.fullmatch(text)
        if match is None:
            return None
        number, a, b, expected, value, remainder = map(int, match.groups()[:6])
        return Check(number, (a, b, expected), value, remainder, tuple(match[7].replace(" no", "").split()))

    def take(self, problem: Specification, state: Search, move: Try | Check) -> tuple[Search | None, str]:
        """Kinds of error: unfinished (something fits the line before), repeated (a line that was tried), no_program,
        case (none, or not the next one), values (of the line, or what is missing), verdict (what fits)."""
        if isinstance(move, Try):
            if state.seconds:
                return None, "unfinished"
            if move.line in state.tried:
                return None, "repeated"
            return Search((*state.tried, move.line), 0, frozenset(SECOND_LINES)), "right"
        if not state.seconds:
            return None, "no_program"
        if state.seen == len(problem.shown) or (move.number, move.case) != (
            state.seen + 1,
            problem.shown[state.seen],
        ):
            return None, "case"
        a, b, expected = move.case
        value = state.tried[-1].value({"a": a, "b": b})
        if value is None or (move.value, move.remainder) != (value, expected - value):
            return None, "values"
        seconds = state.seconds & remainder_fits(move.case, move.remainder)
        if move.seconds != tuple(map(str, in_order(seconds))):
            return None, "verdict"
        return Search(state.tried, state.seen + 1, seconds), "right"

    def next_steps(self, working: Working[Specification, Search, Try | Check]) -> list[str]:
        problem, state = working.problem, working.state
        assert state is not None
        if not state.seconds:
            reference = problem.reference
            line = None if reference is None else reference.first or reference.result
            return [] if line is None or line in state.tried else [f"try {line}"]
        line = state.tried[-1]
        if state.seen == len(problem.shown):
            programs = [two_lines(line, second) for second in in_order(state.seconds)]
            # A program may fit what is shown and fail what is hidden.
            return [f"answer {program}" for program in programs if self.solved_by(problem, str(program))]
        case = problem.shown[state.seen]
        value = line.value({"a": case[0], "b": case[1]})
        if value is None:
            return []
        return [teacher.looked_at(state.seen + 1, case, value, case[2] - value, state.seconds)]


def failing_tests(problem: Specification, answer: str) -> list[str]:
    """What a person is told who runs the shown tests: a line for each that fails."""
    return [failure for failure in _report(answer, problem.shown).failures if failure]


# Samples of one problem repeat answers.
@lru_cache(maxsize=1 << 16)
def _report(answer: str, cases: tuple[Case, ...]) -> Report:
    return run_tests(python_source(answer), [UnitTest((a, b), value) for a, b, value in cases])
