"""The exact checker of countdown steps."""

from __future__ import annotations

import json

import pytest

from o1_assets.labels.annotators.exact_checker import covers, first_error, rate, rate_steps, right_next_steps
from o1_assets.labels.annotators.oracle import Oracle
from o1_assets.problems.worlds.countdown.rules import Countdown
from o1_assets.problems.worlds.registry import WORLDS


def problem(numbers: list[int], target: int) -> dict[str, str]:
    # reasoning_gym keeps one of the solutions, which is an expression that the checker of arithmetic would read.
    entry = {"source_dataset": "countdown", "numbers": numbers, "target": target, "expression": "8 * 3"}
    return {"metadata": json.dumps({"metadata": entry})}


ROW = problem([3, 7, 8, 2], 24)


@pytest.mark.parametrize(
    ("steps", "ratings"),
    [
        ("7-3=4 left 8 2; 4+8=12 left 2; 12*2=24; answer ((7-3)+8)*2", [1, 1, 1, 1]),
        ("answer 2*(8+7-3)", [1]),
        ("answer 8*3", [-1]),
        ("answer 8*3; answer 2*(8+7-3)", [-1, -1]),
        # Any two of the numbers may be combined, not only the newest result with another.
        ("7-3=4 left 8 2; 8*2=16 left 4; answer 2*(8+7-3)", [1, -1, 1]),
        ("8+7=15 left 3 2; 15-3=12 left 2; 12*2=24", [1, 1, 1]),
        # A true step after which the target cannot be reached is wrong, and so is all that follows.
        ("8*7=56 left 3 2; 56-3=53 left 2", [-1, -1]),
        ("7-3=5 left 8 2; 4+8=12 left 2", [-1, -1]),
        ("7-3=4 left 8; 4+8=12 left 2", [-1, -1]),
        ("7-3=4 left 8 7 2", [-1]),
        ("7-3=4 left 8 2; 4+7=11 left 8", [1, -1]),
        ("7-9=4 left 8 2", [-1]),
        ("8/3=2 left 7 2", [-1]),
        ("7-3=4 left 8 2; check 7-3=4; check 8-2=6", [1, 0, -1]),
        ("8*7=56 left 3 2; wait 7-3=4 left 8 2; 4+8=12 left 2", [-1, 1, 1]),
        ("7-3=4 left 8 2; wait 8+7=15 left 3 2; 15-3=12 left 2", [1, 0, 1]),
        ("wait 7-3=4 left 8 2", [-1]),
        ("seven minus three", [-1]),
        ("7-3=4 left 8 2" + " " * 300, [-1]),
        ("", [-1]),
    ],
)
def test_ratings(steps: str, ratings: list[int]) -> None:
    parts = steps.split("; ")
    assert rate_steps(ROW, parts) == ratings
    assert [rate(ROW, parts[:i], part) for i, part in enumerate(parts)] == ratings
    wrong = [i for i, rating in enumerate(ratings) if rating < 0]
    assert first_error(ROW, parts) == (wrong[0] if wrong else None)


def test_a_number_that_is_given_and_computed_may_be_either() -> None:
    assert rate_steps(problem([7, 6, 1, 2], 16), ["6+1=7 left 7 2", "7+7=14 left 2", "14+2=16"]) == [1, 1, 1]


def test_the_kind_of_an_error() -> None:
    world = WORLDS["countdown"]
    start = world.start(Countdown((8, 7, 3, 2), 24))
    texts = ("8*7=56 left 3 2", "8*9=72 left 3 2", "8*7=54 left 3 2", "8-7=1 left 3", "8-7")
    kinds = [world.take_step(start, text)[1].kind for text in texts]
    assert kinds == ["dead_end", "absent", "result", "left", "unreadable"]


def test_the_oracle_covers_both_worlds_and_no_other() -> None:
    arithmetic = {"metadata": json.dumps({"metadata": {"expression": "3 * 4 - 5"}})}
    assert covers(ROW) and covers(arithmetic) and not covers({"metadata": "{}"})
    assert Oracle().covers(ROW) and rate(arithmetic, [], "3*4=12") == 1
    assert rate({"metadata": "{}"}, [], "3*4=12") == -1


@pytest.mark.parametrize("numbers", [[3, 7, 8, 2], [7, 6, 1, 2], [9, 9, 10, 4], [5, 5, 5]])
def test_written_solutions_are_right_to_their_end(numbers: list[int]) -> None:
    row = problem(numbers, {4: 24, 3: 30}[len(numbers)])
    steps: list[str] = []
    while right := right_next_steps(row, steps):
        assert all(rate(row, steps, step) == 1 for step in right)
        steps.append(right[0])
    assert len(steps) == len(numbers) and steps[-1].startswith("answer ")
    assert right_next_steps(row, ["1+1=3"]) == []
