"""Code: a short function of two whole numbers, from three of its values. It is graded by values that nobody is shown.

    Write f: (1) f(6,3)=15 (2) f(2,5)=9 (3) f(4,4)=12
    try c=a+b;return c+2
    (1) f(6,3): 9,11 of 15 no
    try c=a*2;return c+b
    (1) f(6,3): 12,15 of 15 ok
    (2) f(2,5): 4,9 of 9 ok
    (3) f(4,4): 8,12 of 12 ok
    answer c=a*2;return c+b

A program is written on one line, with semicolons for its ends of lines. A solution runs each try in its head, and
repeats a case with its number where it does: what a step needs then stands near it. The value that is asked for comes
after the computed one, which would else be copied from it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import lru_cache
from random import Random
from typing import NamedTuple

from o1_assets.core.seeds import derive_seed
from o1_assets.problems.sandbox.unit_tests import Report, UnitTest, run_tests
from o1_assets.problems.worlds.code import teacher
from o1_assets.problems.worlds.code.rules import (
    LARGEST,
    Case,
    Program,
    Specification,
    Values,
    draw_specification,
    python_source,
)
from o1_assets.problems.worlds.code.teacher import CodeCorpus, check_text
from o1_assets.problems.worlds.world import Solved, Vocabulary, Working, World

_CASE = r"f\( *([1-6]) *, *([1-6]) *\) *= *(-?[1-3]?[0-9]|-?40)(?![0-9])"
_CHECK = re.compile(
    r"\(([1-3])\) f\(([1-6]),([1-6])\): (-?[0-9]{1,2}(?:,-?[0-9]{1,2})?) of (-?[0-9]{1,2}) (ok|no)"
)


class Try(NamedTuple):
    """The program that is looked at from now on."""

    program: Program


class Check(NamedTuple):
    """What it gives for the case with this number, and whether that is what was asked for."""

    number: int
    case: Case
    values: Values
    right: bool


class Search(NamedTuple):
    """tried: programs, the newest last. passed: cases that the newest passed. failed: whether it then failed one."""

    tried: tuple[Program, ...] = ()
    passed: int = 0
    failed: bool = False


class CodeVocabulary(Vocabulary):
    """Words with parentheses; and a minus after a letter is an operator too."""

    @property
    def pattern(self) -> str:
        words = map(re.escape, sorted(self.words, key=len, reverse=True))
        return "|".join((*words, r"(?<![\dabc)])-?\d{1,2}(?!\d)", r"[\s\S]"))


class CodeWorld(World[Specification, Search, Try | Check, CodeCorpus]):
    """A try is right unless the one before it is unfinished or was right; a check has to give the true values."""

    name = "code"
    vocabulary = CodeVocabulary(
        symbols=("\n", *map(str, range(-LARGEST, LARGEST + 1)), *"+-*%<>=,()abc ", ";", ":"),
        words=(
            "Write f: ", "(1) f(", "(2) f(", "(3) f(", ")=", "): ", " of ", " ok", " no",
            "try ", "check ", "wait ", "answer ",
            "c=", ";return ", "return ", ";if ", "if ", ":return ", "min(", "max(", "//", "==",
        ),
    )  # fmt: skip
    corpus = CodeCorpus
    description = (
        "short functions, looked for by trying programs on three given values. The test problems are kept out of the "
        "corpus."
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
        """1, 2 or 3: a line, two lines, a branch; 0 for a function of none of these kinds."""
        reference = problem.reference
        if reference is None:
            return 0
        return 3 if reference.branches else 2 if reference.first else 1

    def draw_corpus(self, config: CodeCorpus, seed: int, exclude: Collection[str]) -> Iterator[Solved]:
        """As any world's, functions of one line first: what they are made of is learned there."""
        easy = round(config.curriculum * config.solutions)
        for solutions, shares in ((easy, (1.0, 0.0, 0.0)), (config.solutions - easy, config.shares)):
            part = config.model_copy(update={"solutions": solutions, "shares": shares})
            yield from super().draw_corpus(part, derive_seed(seed, solutions), exclude)

    def solve(self, problem: Specification, config: CodeCorpus, rng: Random) -> list[str]:
        return teacher.solve(problem, config, rng)

    def begin(self, problem: Specification) -> Search:
        return Search()

    def read_step(self, text: str) -> Try | Check | None:
        if text.startswith("try "):
            program = Program.parse(text.removeprefix("try "))
            return Try(program) if program else None
        match = _CHECK.fullmatch(text)
        if match is None:
            return None
        number, a, b, expected = (int(match[group]) for group in (1, 2, 3, 5))
        values = tuple(int(value) for value in match[4].split(","))
        return Check(number, (a, b, expected), values, match[6] == "ok")

    def take(self, problem: Specification, state: Search, move: Try | Check) -> tuple[Search | None, str]:
        """Kinds of error: unfinished (the program before it has not failed yet), repeated (a program that was tried),
        no_program, case (none, or not the next one), values, verdict."""
        if isinstance(move, Try):
            if state.tried and not state.failed:
                return None, "unfinished"
            if move.program in state.tried:
                return None, "repeated"
            return Search((*state.tried, move.program)), "right"
        if not state.tried or state.failed:
            return None, "no_program"
        number, case, values, right = move
        if state.passed == len(problem.shown) or (number, case) != (
            state.passed + 1,
            problem.shown[state.passed],
        ):
            return None, "case"
        if values != state.tried[-1].trace(*case[:2]):
            return None, "values"
        if right != (values[-1] == case[2]):
            return None, "verdict"
        return state._replace(passed=state.passed + right, failed=not right), "right"

    def next_steps(self, working: Working[Specification, Search, Try | Check]) -> list[str]:
        problem, state = working.problem, working.state
        assert state is not None
        if state.tried and not state.failed:
            program = state.tried[-1]
            if state.passed == len(problem.shown):
                # A program may fit what is shown and fail what is hidden; then nothing right can be answered.
                return [f"answer {program}"] if self.solved_by(problem, str(program)) else []
            case = problem.shown[state.passed]
            values = program.trace(*case[:2])
            return (
                [] if values is None else [check_text(state.passed + 1, case, values, values[-1] == case[2])]
            )
        reference = problem.reference
        return [] if reference is None or reference in state.tried else [f"try {reference}"]


def failing_tests(problem: Specification, answer: str) -> list[str]:
    """What a person is told who runs the shown tests: a line for each that fails."""
    return [failure for failure in _report(answer, problem.shown).failures if failure]


# Samples of one problem repeat answers.
@lru_cache(maxsize=1 << 16)
def _report(answer: str, cases: tuple[Case, ...]) -> Report:
    return run_tests(python_source(answer), [UnitTest((a, b), value) for a, b, value in cases])
