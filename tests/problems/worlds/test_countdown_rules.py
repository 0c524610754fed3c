"""Countdown: which questions are read, which answers solve them, and what can still be reached."""

from __future__ import annotations

import json

import pytest

from o1_assets.problems.config import CountdownFilter, Generator, ProblemsConfig, ReasoningGymSource
from o1_assets.problems.grading import grade
from o1_assets.problems.reasoning_gym_source import ReasoningGymProblems, open_dataset
from o1_assets.problems.split import take
from o1_assets.problems.worlds.countdown.rules import Countdown, luck, reachable
from o1_assets.problems.worlds.registry import self_check

SMALL = {"min_numbers": 3, "max_numbers": 4, "max_value": 10, "min_target": 10, "max_target": 50}


@pytest.mark.parametrize(
    "question",
    [
        "Use 3, 7, 8 and 2 to make 24",
        "use the numbers 8 7 3 2 to get 24.",
        "Using all the numbers 3, 7, 8, 2, create an expression that equals 24.\nYou can only use each number once.",
        "Find a way to make 24 using all of these numbers: 3, 7, 8, 2.\nEach number can only be used once.",
        "Calculate 24 using all of these numbers: 3, 7, 8, 2.\nEach number may be used at most once.",
        "How can I make 24 with 2, 3, 7, and 8?",
    ],
)
def test_a_problem_is_read_in_many_wordings(question: str) -> None:
    assert Countdown.parse(question) == Countdown((8, 7, 3, 2), 24)


@pytest.mark.parametrize(
    "question",
    ["What is 3 * 4 - 5?", "Use 3.5 and 2 to make 7", "Make 24", "Use 1, 2, 3, 4, 5, 6 and 7 to make 9", ""],
)
def test_other_questions_are_none(question: str) -> None:
    assert Countdown.parse(question) is None
    assert self_check(question, "7") is None


ANSWERS = {
    "((7-3)+8)*2": True,
    "2*(8+(7-3))": True,
    "(7 - 3 + 8) * 2": True,
    "8*3": False,  # not all numbers
    "((7-3)+8)*2+0": False,
    "7-3+8*2": False,
    "8*7*3*2": False,
    "24": False,
    "((7-3)+8)*2=24": False,
    "((7-3)+8)*2)": False,
    "8**2-7*3": False,
    "7//3+8*2": False,
    "(7-3)/(8-8)*2": False,
    "print(8732)": False,
    "(" * 60: False,
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_uses_each_number_once_and_reaches_the_target(answer: str) -> None:
    row = {"answer": "", "metadata": json.dumps({"metadata": _entry([3, 7, 8, 2], 24)})}
    assert grade("reasoning_gym:countdown", answer, row) is ANSWERS[answer]
    assert self_check("Use 3, 7, 8 and 2 to make 24.", answer) is ANSWERS[answer]


def test_the_grader_agrees_with_the_scorer_of_reasoning_gym() -> None:
    dataset = open_dataset(Generator(name="countdown", parameters=SMALL), 0, 1)
    entry = {"metadata": _entry([3, 7, 8, 2], 24)}
    readable = [
        answer for answer in ANSWERS if "print" not in answer and "=" not in answer and "(((" not in answer
    ]
    for answer in readable:
        assert (dataset.score_answer(answer, entry) == 1.0) is ANSWERS[answer], answer


def _entry(numbers: list[int], target: int) -> dict[str, object]:
    return {"source_dataset": "countdown", "numbers": numbers, "target": target, "expression": "8*3"}


def test_what_can_be_reached_through_whole_numbers() -> None:
    assert reachable((8, 7, 3, 2), 24) and reachable((9, 3), 3)
    assert not reachable((8, 3), 2) and not reachable((8, 8, 3, 3), 24)  # 8/(3-8/3)
    assert reachable((60, 50, 8), 118) and not reachable((60, 50, 8), 118, 99)


def test_luck_is_the_chance_of_random_legal_moves() -> None:
    # 1 + 1, 1 * 1, 1 / 1 are legal from 1 and 1, 1 - 1 = 0 is not.
    assert luck(Countdown((1, 1), 2), 99) == pytest.approx(1 / 3)
    assert luck(Countdown((9, 2), 4), 99) == 0.0  # 9 / 2 is no whole number
    assert luck(Countdown((9, 2), 18), 99) == pytest.approx((1 / 3 + 1 / 2) / 2)  # of 2, only 2 + 9 and 2 * 9
    assert luck(Countdown((9, 2), 18), 12) == 0.0


def test_problems_are_asked_shortly_and_can_be_reached() -> None:
    config = ProblemsConfig(
        source=ReasoningGymSource(generators=(Generator(name="countdown", parameters=SMALL),)),
        train=12,
        test=1,
        countdown=CountdownFilter(max_luck=0.1),
        shares={3: 1.0, 4: 1.0},
    )
    draw = take(ReasoningGymProblems(config.source), config, "train", 12, seed=0)
    for problem in draw.problems:
        asked = Countdown.parse(problem.question)
        assert (
            asked is not None and str(asked) == problem.question and problem.difficulty == len(asked.numbers)
        )
        assert asked.solved_by(problem.answer) and reachable(asked.numbers, asked.target, 99)
        assert luck(asked, 99) <= 0.1
    assert sum(problem.difficulty == 3 for problem in draw.problems) == 6
