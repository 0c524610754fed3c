from __future__ import annotations

import random
import time

from benchmarks.grading_plain import plain_answers
from benchmarks.hostile_answers import FAMILIES
from o1_assets.problems.grading import grade


def test_no_family_of_hostile_answers_is_right_or_raises_or_takes_long() -> None:
    draw = random.Random(3)
    row = {"answer": r"\sqrt{11} + 7y", "metadata": "{}"}
    for family in FAMILIES:
        answer = family(draw)
        start = time.perf_counter()
        assert not grade("math", answer, row), answer
        assert time.perf_counter() - start < 10, f"1 s, the start of the workers and a busy machine: {answer}"


def test_about_half_of_the_plain_answers_are_right() -> None:
    pairs = list(plain_answers(400, seed=0))
    right = sum(grade("math", answer, {"answer": gold, "metadata": "{}"}) for gold, answer in pairs)
    assert 120 < right < 280
