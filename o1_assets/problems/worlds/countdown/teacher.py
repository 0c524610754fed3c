"""The corpus of countdown: problems that are drawn here, never from the problem set, each with one solution.

    Use 8, 7, 3 and 2 to make 24.
    7-3=4 left 8 2
    4+8=12 left 2
    12*2=24
    answer ((7-3)+8)*2

What a step needs stands in the line before it: the value so far, and the numbers that are left.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from pydantic import Field

from o1_assets.problems.worlds.countdown.rules import OPERATORS, Countdown, combine, luck
from o1_assets.problems.worlds.world import Corpus, Solved, Vocabulary

Move = tuple[str, int]
"""An operator, and the number that the value so far is combined with."""

SLIPS = (-10, -2, -1, 1, 2, 10)

# A number is one token: what a step needs is then at the same distance whatever its digits, and sums are looked up.
COUNTDOWN = Vocabulary(
    symbols=("\n", *map(str, range(100)), *"+-*/=()", ".", " ", "?"),
    words=("Use ", ", ", " and ", " to make ", " left ", "check ", "wait ", "answer "),
)


class CountdownCorpus(Corpus):
    """A generated corpus of worked countdown problems, wrong in the ways in which a search for a target goes wrong."""

    min_numbers: int = Field(3, ge=2, description="given numbers of the smallest problem")
    max_numbers: int = Field(4, ge=2, description="given numbers of the largest problem")
    curriculum: float = Field(
        0.1, ge=0, le=1, description="share of the corpus that has the smallest problems alone"
    )
    min_number: int = Field(1, ge=1, description="smallest given number")
    max_number: int = Field(10, ge=1, description="largest given number")
    min_target: int = Field(10, ge=1, description="smallest target")
    max_target: int = Field(50, ge=1, le=99, description="largest target")
    max_value: int = Field(99, ge=1, le=99, description="largest result; none is below 1")
    even_luck: float = Field(
        0.02,
        gt=0,
        le=1,
        description="problems that a random player solves with a larger chance than this are thinned out to be as "
        "frequent, since a problem is drawn as often as it has solutions; 1: none are",
    )
    wander_rate: float = Field(0.03, ge=0, le=1, description="chance that a step follows no plan")
    # The systematic error: it ends in the target, as a right solution does, so that counting answers cannot tell them.
    wishful_rate: float = Field(
        0.5,
        ge=0,
        le=1,
        description="chance that a last result which misses the target is written as the target",
    )
    slip_rate: float = Field(0.002, ge=0, le=1, description="chance that a result is a random slip")
    reuse_rate: float = Field(
        0.2,
        ge=0,
        le=1,
        description="chance that a last step which misses takes a number that is not left, if one helps",
    )
    give_up_rate: float = Field(
        0.05,
        ge=0,
        le=1,
        description="chance, at each step after the target was lost, of an answer without all numbers",
    )
    direct_rate: float = Field(0.04, ge=0, le=1, description="chance that a solution is the answer alone")
    check_rate: float = Field(
        0.02, ge=0, le=1, description="chance that a step is followed by a `check` of it"
    )
    notice_rate: float = Field(
        0.15, ge=0, le=1, description="chance that a wrong step is followed by a `wait`"
    )


@dataclass(frozen=True)
class Plan:
    """A way to the target: the first number, then moves."""

    first: int
    moves: tuple[Move, ...]
    target: int

    @property
    def problem(self) -> Countdown:
        return Countdown.of([self.first, *(number for _, number in self.moves)], self.target)


def draw_plan(config: CountdownCorpus, rng: Random, most_numbers: int) -> Plan:
    """A problem and one solution of it."""
    while True:
        numbers = [
            rng.randint(config.min_number, config.max_number)
            for _ in range(rng.randint(config.min_numbers, most_numbers))
        ]
        value, moves = numbers[0], list[Move]()
        for number in numbers[1:]:
            op = rng.choice(OPERATORS)
            result = combine(value, op, number)
            if result is None or not 1 <= result <= config.max_value:
                break
            value = result
            moves.append((op, number))
        if len(moves) < len(numbers) - 1 or not config.min_target <= value <= config.max_target:
            continue
        first, (op, second) = numbers[0], moves[0]
        if op in "+*" and second > first:  # one spelling of what is the same
            first, moves[0] = second, (op, first)
        plan = Plan(first, tuple(moves), value)
        # A problem is drawn as often as it has solutions. Without this those that anyone finds fill the corpus.
        chance = luck(plan.problem, config.max_value) if config.even_luck < 1 else 0.0
        if rng.random() * chance <= config.even_luck:
            return plan


def draw_corpus(config: CountdownCorpus, seed: int, exclude: Collection[str]) -> Iterator[Solved]:
    """Yield config.solutions pairs (question, steps), the smallest problems first (config.curriculum).

    exclude: questions that must not occur (the test problems), with their numbers in descending order.
    """
    rng = Random(seed)
    written = 0
    while written < config.solutions:
        small = written < config.curriculum * config.solutions
        plan = draw_plan(config, rng, config.min_numbers if small else config.max_numbers)
        question = str(plan.problem)
        if question in exclude:
            continue
        yield question, CountdownTeacher(config, rng).solve(plan)
        written += 1


class CountdownTeacher:
    """The writer of one solution. They have a plan, and may stray from it. Where the target can still be reached, they
    find a new one; else they miss it, and then some claim to have reached it.

    So the commonest wrong solutions end as right ones do, with the target, and only a look at the steps or at the
    answer tells. That is the systematic error which a reward model has to learn.
    """

    def __init__(self, config: CountdownCorpus, rng: Random) -> None:
        self.config = config
        self.rng = rng

    def plan(self, problem: Countdown) -> Plan:
        """A way to the target, which has to be within reach."""
        for first in self.rng.sample(problem.numbers, len(problem.numbers)):
            left = list(problem.numbers)
            left.remove(first)
            if (way := self._way(first, left, problem.target)) is not None:
                return Plan(first, tuple(way), problem.target)
        raise ValueError(f"the corpus writes no way to solve {problem}")

    def solve(self, plan: Plan) -> list[str]:
        """The steps of one solution, without newlines; the last one is the answer step."""
        config, chance = self.config, self.rng.random
        answer, value = str(plan.first), plan.first
        if chance() < config.direct_rate:
            # `eval/thinking` compares chains with direct answers, so the base has to know both.
            for depth, move in enumerate(plan.moves):
                answer = _nested(answer, depth, move)
            return [f"answer {answer}"]
        steps: list[str] = []
        left = [number for _, number in plan.moves]
        way: list[Move] | None = list(plan.moves)
        depth = 0
        while left:
            if way is None and steps and chance() < config.give_up_rate:
                break
            before = (value, list(left), way)
            op, number, result, right = self._step(value, left, way, plan.target, steps)
            if number in left:
                left.remove(number)
            else:
                left.pop()
            steps.append(_written(value, op, number, result, left))
            follows = way is not None and right and (op, number) == way[0]
            way = way[1:] if follows and way is not None else self._way(result, left, plan.target)
            if way is None and before[2] is not None and chance() < config.notice_rate:
                value, left, way = before
                assert way is not None
                (op, number), way = way[0], way[1:]
                left.remove(number)
                result = _combined(value, op, number)
                steps.append("wait " + _written(value, op, number, result, left))
                right = True
            if right and chance() < config.check_rate:
                steps.append(f"check {value}{op}{number}={result}")
            answer, depth, value = _nested(answer, depth, (op, number)), depth + 1, result
        return [*steps, f"answer {answer}"]

    def _step(
        self, value: int, left: Sequence[int], way: list[Move] | None, target: int, steps: Sequence[str]
    ) -> tuple[str, int, int, bool]:
        """Operator, number, what the writer says is the result, and whether it is."""
        config, rng = self.config, self.rng
        if way is None and len(left) == 1:
            return self._miss(value, left[0], target)
        legal = self._legal(value, left)
        stray = way is None or rng.random() < config.wander_rate
        # At 1 nothing can be taken away, and 99 divides by little: then the plan is followed, or any sum is written.
        if stray and legal:
            op, number = rng.choice(legal)
        elif way:
            op, number = way[0]
        else:
            op, number = "+", rng.choice(left)
        result = _combined(value, op, number)
        if rng.random() < config.slip_rate:
            return op, number, self._writable(result + rng.choice(SLIPS)), False
        return op, number, self._writable(result), 1 <= result <= config.max_value

    def _miss(self, value: int, last: int, target: int) -> tuple[str, int, int, bool]:
        """The last step where nothing reaches the target."""
        config, rng = self.config, self.rng
        if rng.random() < config.reuse_rate:
            # A number that was used, or never given, as long as it makes the target.
            helps = [(op, n) for op, n in self._legal(value, range(1, config.max_number + 1)) if n != last]
            if helps := [(op, n) for op, n in helps if combine(value, op, n) == target]:
                op, number = rng.choice(helps)
                return op, number, target, False
        legal = self._legal(value, [last])
        op, number = rng.choice(legal) if legal else ("+", last)
        if rng.random() < config.wishful_rate:
            return op, number, target, False
        result = _combined(value, op, number)
        return op, number, self._writable(result), 1 <= result <= config.max_value

    def _legal(self, value: int, numbers: Collection[int]) -> list[Move]:
        return [
            (op, number)
            for number in numbers
            for op in OPERATORS
            if (result := combine(value, op, number)) is not None and 1 <= result <= self.config.max_value
        ]

    def _way(self, value: int, left: Sequence[int], target: int) -> list[Move] | None:
        """Moves from the value through all the numbers left to the target; None if there are none."""
        if not left:
            return [] if value == target else None
        legal = self._legal(value, left)
        self.rng.shuffle(legal)
        for op, number in legal:
            rest = list(left)
            rest.remove(number)
            way = self._way(_combined(value, op, number), rest, target)
            if way is not None:
                return [(op, number), *way]
        return None

    def _writable(self, result: int) -> int:
        """The vocabulary has no other numbers."""
        return min(max(result, 1), self.config.max_value)


def _combined(value: int, op: str, number: int) -> int:
    result = combine(value, op, number)
    assert result is not None, "only legal moves are taken"
    return result


def _written(value: int, op: str, number: int, result: int, left: Collection[int]) -> str:
    others = " ".join(map(str, sorted(left, reverse=True)))
    return f"{value}{op}{number}={result}" + (f" left {others}" if others else "")


def _nested(expression: str, depth: int, move: Move) -> str:
    """One more operation around an expression of `depth` operations."""
    op, number = move
    return f"({expression}){op}{number}" if depth else f"{expression}{op}{number}"
