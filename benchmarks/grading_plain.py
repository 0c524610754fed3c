"""Plain answers graded a second, by one caller: numbers and words as solvers write them, half of them right."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping

from benchmarks.registry import Figure

NAME = "grading_plain_per_second"

ANSWERS = 40_000
REPETITIONS = 5

NAMES = ("Evelyn", "Monday", "Saturday", "even", "odd", "east", "red", "parabola", "hyperbola", "yes", "no")


def plain_answers(count: int, seed: int) -> Iterator[tuple[str, str]]:
    """(gold answer, answer): integers, decimals, fractions and words, nearly all of them different."""
    draw = random.Random(seed)
    for _ in range(count):
        a, b = draw.randrange(-99_999, 99_999), draw.randrange(2, 999)
        other = a + draw.randrange(2)
        yield draw.choice(
            [
                (str(a), str(other)),
                (str(a), f"${other}$"),
                (f"{a:,}", str(other)),
                (str(a), f"\\boxed{{{other}}}"),
                (f"{a / 100:.2f}", f"{other / 100:.2f}"),
                (f"{a}/{b}", f"{other}/{b}"),
                (f"\\frac{{{a}}}{{{b}}}", f"\\frac{{{other}}}{{{b}}}"),
                (f"\\text{{{draw.choice(NAMES)}}}", draw.choice(NAMES)),
            ]
        )


def compare() -> Mapping[str, Figure]:
    from o1_assets.problems.grading import grade

    speeds = []
    for repetition in range(REPETITIONS + 1):
        answers = list(plain_answers(ANSWERS, repetition))
        start = time.perf_counter()
        right = sum(grade("math", answer, {"answer": gold, "metadata": "{}"}) for gold, answer in answers)
        speeds.append(ANSWERS / (time.perf_counter() - start))
        assert ANSWERS * 0.3 < right < ANSWERS * 0.7, "half of the numbers and a few of the words are right"
    speeds = sorted(speeds[1:])  # the first one imports
    median = speeds[REPETITIONS // 2]
    return {
        NAME: Figure(
            median, speeds[-1] - speeds[0], "/s", "at least 20000; integers, decimals, fractions, words"
        )
    }
