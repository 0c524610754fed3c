"""Countdown: make the target from given numbers, each used once. Finding an expression is hard, checking one is easy.

The teacher that writes the base corpus, the oracle that rates steps, the grader and the self-check of an answer all use
this module, so they agree on the rules.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from o1_assets.problems.recompute import Doubtful, exact_value

OPERATORS = "+-*/"

_NUMBER = re.compile(r"[0-9]+")
_LIST = r"(?<![\d.-])[0-9]+(?:\s*(?:,|and|,\s*and|\s)\s*[0-9]+)+"
# "Use 3, 7, 8 and 2 to make 24", and the three wordings of reasoning_gym's generator.
_REACH = r"(?:make|makes|reach|get|equals?|form|obtain)"
_QUESTIONS = tuple(
    re.compile(
        pattern.replace("LIST", f"(?P<numbers>{_LIST})").replace("TARGET", r"(?P<target>[0-9]+)\b"), re.I
    )
    for pattern in (
        # The target first: what follows the numbers may speak of numbers again.
        rf"\b(?:{_REACH}|calculate)\s+TARGET[^0-9]{{1,60}}LIST",
        rf"LIST\b[^0-9]{{1,60}}\b{_REACH}\s+TARGET",
    )
)
# Numbers, + - * / and parentheses. Not ** and //, which no problem asks for.
_EXPRESSION = re.compile(r"(?!.*(?:\*\s*\*|/\s*/))[-+*/()0-9 ]{1,100}")

MOST_NUMBERS = 6
"""Of a question that is read. Whether a target can still be reached takes a second with seven."""


def combine(a: int, op: str, b: int) -> int | None:
    """a op b for op in + - * /; None where that is no whole number, which a step could not write."""
    if op == "+":
        return a + b
    if op == "-":
        return a - b
    if op == "*":
        return a * b
    if op != "/":
        raise ValueError(f"operator {op!r} is not one of + - * /")
    return a // b if b and a % b == 0 else None


@dataclass(frozen=True)
class Countdown:
    """One problem. numbers: in descending order, so that equal problems are equal."""

    numbers: tuple[int, ...]
    target: int

    @classmethod
    def of(cls, numbers: Sequence[int], target: int) -> Countdown:
        return cls(tuple(sorted(numbers, reverse=True)), target)

    @classmethod
    def parse(cls, question: str) -> Countdown | None:
        """The problem that a question asks; None if it asks anything else.

        >>> Countdown.parse("Use 3, 7, 8 and 2 to make 24")
        Countdown(numbers=(8, 7, 3, 2), target=24)
        """
        if len(question) > 1_000:
            return None
        question = " ".join(question.split())  # else a run of spaces could be cut in many ways
        for pattern in _QUESTIONS:
            if match := pattern.search(question):
                numbers = _NUMBER.findall(match["numbers"])
                if len(numbers) <= MOST_NUMBERS and max(map(len, (*numbers, match["target"]))) <= 6:
                    return cls.of([int(number) for number in numbers], int(match["target"]))
        return None

    @classmethod
    def stored(cls, metadata: str) -> Countdown | None:
        """The problem in a row's metadata, where reasoning_gym's entry is one of countdown; else None."""
        entry = json.loads(metadata).get("metadata")
        if not isinstance(entry, dict) or entry.get("source_dataset") != "countdown":
            return None
        numbers, target = entry.get("numbers"), entry.get("target")
        if not (isinstance(numbers, list) and numbers and isinstance(target, int)):
            return None
        if len(numbers) > MOST_NUMBERS or not all(isinstance(number, int) for number in numbers):
            return None
        return cls.of(numbers, target)

    def solved_by(self, answer: str) -> bool:
        """Whether the expression uses exactly these numbers, each once, and has the target as its value."""
        if not _EXPRESSION.fullmatch(answer):
            return False
        if sorted(map(int, _NUMBER.findall(answer)), reverse=True) != list(self.numbers):
            return False
        try:
            return exact_value(answer) == self.target
        except (Doubtful, ZeroDivisionError):
            return False

    def __str__(self) -> str:
        """The question as the corpus asks it."""
        *others, last = self.numbers
        return f"Use {', '.join(map(str, others))} and {last} to make {self.target}."


def moves(values: Sequence[int]) -> Iterator[tuple[int, str, int, tuple[int, ...]]]:
    """(a, op, b, what is left after it, descending) for every operation on two of the values.

    a + b and b + a are one move, and so are a * b and b * a.
    """
    for i, a in enumerate(values):
        for j, b in enumerate(values):
            if i == j:
                continue
            rest = [value for k, value in enumerate(values) if k not in (i, j)]
            for op in OPERATORS:
                if op in "+*" and i > j:
                    continue
                result = combine(a, op, b)
                if result is not None:
                    yield a, op, b, tuple(sorted((*rest, result), reverse=True))


@lru_cache(maxsize=1 << 18)
def reachable(values: tuple[int, ...], target: int, max_value: int | None = None) -> bool:
    """Whether all the values can be combined into the target through whole numbers. values: descending.

    max_value: and through none that is below 1 or above this.
    """
    if len(values) == 1:
        return values[0] == target
    return any(
        reachable(left, target, max_value)
        for _, _, _, left in moves(values)
        if max_value is None or (left[-1] >= 1 and left[0] <= max_value)
    )


def luck(problem: Countdown, max_value: int) -> float:
    """The chance that a player who knows only the rules solves it: a random number first, then random legal moves, each
    of the value so far and another number, to a whole number from 1 to max_value."""
    numbers = problem.numbers
    firsts = [(numbers[i], numbers[:i] + numbers[i + 1 :]) for i in range(len(numbers))]
    return sum(_luck(value, left, problem.target, max_value) for value, left in firsts) / len(firsts)


@lru_cache(maxsize=1 << 18)
def _luck(value: int, left: tuple[int, ...], target: int, max_value: int) -> float:
    if not left:
        return float(value == target)
    after = [
        (result, left[:i] + left[i + 1 :])
        for i, number in enumerate(left)
        for op in OPERATORS
        if (result := combine(value, op, number)) is not None and 1 <= result <= max_value
    ]
    return sum(_luck(result, rest, target, max_value) for result, rest in after) / max(1, len(after))
