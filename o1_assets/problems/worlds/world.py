"""A world: one kind of problems, its rules, and the people who solve them.

All that differs between arithmetic, countdown and any other kind stands in its `World`: how problems are drawn and
asked, how people solve them and what they get wrong, which step is right and which answer. `registry.py` lists them.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Generic, NamedTuple, TypeVar

from pydantic import Field

from o1_assets.core.artifact import StageConfig

MAX_STEP_CHARS = 600
"""Of a step that is read, more than any right one has: Python's int() of a very long text takes quadratic time."""

PAD, BOS, EOS, UNKNOWN = "<pad>", "<bos>", "<eos>", "<unk>"
SPECIAL = (PAD, BOS, EOS, UNKNOWN)

Solved = tuple[str, list[str]]
"""A question, and the steps of a solution without newlines; the last one is the answer step."""


@dataclass(frozen=True)
class Vocabulary:
    """words: tried first, each a whole token. symbols: everything else, with the numbers that are one token each."""

    symbols: tuple[str, ...]
    words: tuple[str, ...]

    @property
    def tokens(self) -> tuple[str, ...]:
        return (*SPECIAL, *self.symbols, *self.words)

    @property
    def pattern(self) -> str:
        """What is one token, the first alternative that fits: a word, a number, a character."""
        numbers = [r"\d+"] if "10" in self.symbols else []
        if "-1" in self.symbols:
            # A minus after a digit is an operator. Of more digits than two, each is a token: people type such numbers.
            numbers = [r"(?<!\d)-?\d{1,2}(?!\d)"]
        return "|".join((*self.words, *numbers, r"[\s\S]"))


class Corpus(StageConfig):
    """What every generated corpus of worked solutions has."""

    # A base that reads more is better, and so is everything after it (docs/decisions/nano.md, countdown.md).
    solutions: int = Field(60_000, gt=0, description="worked solutions in the corpus, each read once")


class Verdict(NamedTuple):
    """kind: "right", "check", "needless", or of error: unreadable; after_answer; after_error (an unrepaired one);
    answer; check (of nothing that was done rightly); correction (of nothing); and those of the world's `take`."""

    rating: int
    kind: str


Problem = TypeVar("Problem")
State = TypeVar("State")
Move = TypeVar("Move")
Config = TypeVar("Config", bound=Corpus)


@dataclass(frozen=True)
class Working(Generic[Problem, State, Move]):
    """What is known after some steps.

    state: what is left to do; None after a wrong step. before: the state before the newest one. begun: whether there
    was one. done: the right steps that stand, the newest last.
    """

    problem: Problem
    state: State | None
    before: State | None = None
    begun: bool = False
    done: tuple[Move, ...] = ()
    answered: bool = False


class World(ABC, Generic[Problem, State, Move, Config]):
    """One kind of problems. Problems, states and moves are immutable and hashable.

    name: by which profiles and graders call it. vocabulary: of questions and solutions. description: of the corpus,
    for people. usual: a question as the corpus asks it. unread: why a question is none of this world. checkable:
    whether an answer can be checked by its question alone, without solving it. answers: what an answer step reads.
    step: how any other step is written; None where no regular expression says it.
    """

    name: str
    vocabulary: Vocabulary
    corpus: type[Config]
    description: str
    usual: str
    unread: str
    checkable = False
    answers = re.compile(r"answer (.+)")
    step: re.Pattern[str] | None = None

    # Problems.

    @abstractmethod
    def draw(self, config: Config, rng: Random) -> Problem: ...

    @abstractmethod
    def question(self, problem: Problem) -> str: ...

    @abstractmethod
    def parse(self, question: str) -> Problem | None:
        """The problem that a person's question, or a prompt, asks; None if it asks anything else."""

    @abstractmethod
    def solved_by(self, problem: Problem, answer: str) -> bool: ...

    def right_solution(self, problem: Problem) -> list[str]:
        """Right steps up to the answer."""
        steps, working = list[str](), self.start(problem)
        while right := self.right_next_steps(working):
            steps.append(right[0])
            working, _ = self.take_step(working, right[0])
        return steps

    def answer(self, problem: Problem) -> str:
        """A right answer."""
        return self.right_solution(problem)[-1].removeprefix("answer ")

    def difficulty(self, problem: Problem) -> int:
        """A level by which problems may be drawn in equal shares."""
        return 0

    def stored(self, metadata: str) -> Problem | None:
        """The problem in a row's metadata (problems.parquet); None for one of another world. Never raises."""
        try:
            entry = json.loads(metadata)
            return self.parse(entry["question"]) if entry["world"] == self.name else None
        except (ValueError, KeyError, TypeError, RecursionError):
            return None

    def content(self, problem: Problem) -> str:
        """What a corpus must not have where this problem is held out."""
        return self.question(problem)

    def contents(self, metadata: Iterable[str]) -> set[str]:
        """`content` of those rows that are of this world."""
        problems = [self.stored(row) for row in metadata]
        return {self.content(problem) for problem in problems if problem is not None}

    def reworded(self, problem: Problem, asked: str) -> str:
        """The question as the model knows it. asked: as a person did."""
        return self.question(problem)

    def picture(self, problem: Problem) -> str:
        """The problem as people draw it, in lines; "" where that adds nothing to the question."""
        return ""

    def unusual(self, problem: Problem, config: Config) -> list[str]:
        """What the problem has and the corpus never has, in words."""
        return []

    # Solutions.

    @abstractmethod
    def solve(self, problem: Problem, config: Config, rng: Random) -> list[str]:
        """The steps of one solution, by a new writer. The misconceptions that they hold are drawn first."""

    def write(self, problem: Problem, config: Config, rng: Random) -> Solved:
        """A text of the corpus."""
        return self.question(problem), self.solve(problem, config, rng)

    def draw_corpus(self, config: Config, seed: int, exclude: Collection[str]) -> Iterator[Solved]:
        """config.solutions worked solutions, of none of the problems whose contents are given."""
        rng = Random(seed)
        written = 0
        while written < config.solutions:
            problem = self.draw(config, rng)
            if self.content(problem) not in exclude:
                yield self.write(problem, config, rng)
                written += 1

    @property
    def solution_pattern(self) -> str:
        """How a solution of one step or more is written, right or wrong; "" where `step` is not known."""
        if self.step is None:
            return ""
        return rf"((check |wait )?({self.step.pattern})\n)+{self.answers.pattern}\n?"

    # Steps. `check STEP` and `wait STEP` mean the same in every world:
    #
    #     check 3*4=12    neutral if that step was done before, rightly
    #     wait 3*4=12     replaces the step before it: right if that was wrong and this one is right in the state before
    #                     it; neutral if there was nothing to correct
    #     answer 7        right if it answers the problem, whatever came before
    #
    # Everything else, and everything after an answer, is wrong. After a wrong step none is right until a `wait` has
    # replaced it.

    @abstractmethod
    def begin(self, problem: Problem) -> State:
        """What is to be done before the first step."""

    @abstractmethod
    def read_step(self, text: str) -> Move | None:
        """The step; None if it cannot be read."""

    @abstractmethod
    def take(self, problem: Problem, state: State, move: Move) -> tuple[State | None, str]:
        """What is left after the step and "right", or None and the kind of error."""

    @abstractmethod
    def next_steps(self, working: Working[Problem, State, Move]) -> list[str]:
        """The right steps, the one first that the corpus would most often have, or the answer."""

    def start(self, problem: Problem) -> Working[Problem, State, Move]:
        """Before the first step."""
        return Working(problem, self.begin(problem))

    def right_next_steps(self, working: Working[Problem, State, Move]) -> list[str]:
        """As `next_steps`; empty after an answer, and after a wrong step, from which no right one leads on."""
        return [] if working.answered or working.state is None else self.next_steps(working)

    def was_done(self, working: Working[Problem, State, Move], move: Move) -> bool:
        return move in working.done

    def take_step(
        self, working: Working[Problem, State, Move], text: str
    ) -> tuple[Working[Problem, State, Move], Verdict]:
        """The working after one more step, and the step's verdict. Never raises."""
        if working.answered:
            return working, Verdict(-1, "after_answer")
        if len(text) > MAX_STEP_CHARS:
            return working, Verdict(-1, "unreadable")
        if answer := self.answers.fullmatch(text):
            right = self.solved_by(working.problem, answer[1])
            return replace(working, answered=True), Verdict(1, "right") if right else Verdict(-1, "answer")
        checks, waits = text.startswith("check "), text.startswith("wait ")
        move = self.read_step(text.partition(" ")[2] if checks or waits else text)
        if move is None:
            return working, Verdict(-1, "unreadable")
        if checks:
            return working, Verdict(0 if self.was_done(working, move) else -1, "check")
        if not waits:
            return self._take(working, move, working.state, working.done)
        if not working.begun:
            return working, Verdict(-1, "correction")
        needless = working.state is not None
        # Only a right step stands among those done.
        corrected, verdict = self._take(
            working, move, working.before, working.done[:-1] if needless else working.done
        )
        return corrected, Verdict(0, "needless") if needless and verdict.rating > 0 else verdict

    def _take(
        self, working: Working[Problem, State, Move], move: Move, state: State | None, done: tuple[Move, ...]
    ) -> tuple[Working[Problem, State, Move], Verdict]:
        after, kind = (None, "after_error") if state is None else self.take(working.problem, state, move)
        standing = done if after is None else (*done, move)
        working = replace(working, state=after, before=state, begun=True, done=standing)
        return working, Verdict(-1 if after is None else 1, kind)
