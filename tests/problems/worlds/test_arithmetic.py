"""The exact checker of arithmetic steps."""

from __future__ import annotations

import random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from o1_assets.labels.annotators.exact_checker import error_kind, first_error, rate, rate_steps
from o1_assets.problems.expression import Expression, Operation, apply
from o1_assets.problems.worlds.arithmetic.world import WORLD, expression_of
from tests.labels.world import problem


@pytest.mark.parametrize(
    ("expression", "steps", "ratings"),
    [
        ("3 * 4 - 5", "3*4=12; 12-5=7; answer 7", [1, 1, 1]),
        ("3 * 4 - 5", "answer 7", [1]),
        ("3 * 4 - 5", "answer 8", [-1]),
        ("3 * 4 - 5", "3*4=12; answer 7", [1, 1]),
        # Order: any order that keeps the value is right, not only the standard one.
        ("1 + 2 + 3 * 4", "1+2=3; 3*4=12; 3+12=15; answer 15", [1, 1, 1, 1]),
        ("9 - 2 - 3", "9-2=7; 7-3=4; answer 4", [1, 1, 1]),
        ("1 + 9 - 2", "9-2=7; 1+7=8; answer 8", [1, 1, 1]),
        ("2 * 3 * 4", "3*4=12; 2*12=24; answer 24", [1, 1, 1]),
        ("2 + 3 * 4", "2+3=5; 5*4=20; answer 20", [-1, -1, -1]),
        ("9 - 2 - 3", "2-3=-1; 9--1=10; answer 10", [-1, -1, -1]),
        ("9 - 2 + 3", "2+3=5; 9-5=4; answer 4", [-1, -1, -1]),
        # Negative numbers as the grammar writes them.
        ("-4 - 5", "-4-5=-9; answer -9", [1, 1]),
        ("2 - 5 - -4", "2-5=-3; -3--4=1; answer 1", [1, 1, 1]),
        ("1 - 2 + 0 * 3", "0*3=0; 1-2=-1; -1+0=-1; answer -1", [1, 1, 1, 1]),
        # Checks.
        ("3 * 4 - 5", "check 3*4=12; 3*4=12; check 3*4=12; check 3*4=12; 12-5=7; answer 7", [-1, 1, 0, 0, 1, 1]),
        ("3 * 4 - 5", "3*4=12; check 12-5=7; check 3*4=13", [1, -1, -1]),
        ("3 * 4 - 5", "3*4=13; check 3*4=13; wait 3*4=12", [-1, -1, 1]),
        # Corrections.
        ("3 * 4 - 5", "3*4=13; wait 3*4=12; 12-5=7; answer 7", [-1, 1, 1, 1]),
        ("2 + 3 * 4", "2+3=5; wait 3*4=12; 2+12=14; answer 14", [-1, 1, 1, 1]),
        ("2 + 3 * 4", "2+3=5; wait 3*4=11; wait 3*4=12; check 3*4=12; 2+12=14", [-1, -1, 1, 0, 1]),
        ("3 * 4 - 5", "3*4=13; wait 12-5=7; answer 7", [-1, -1, 1]),
        ("3 * 4 - 5", "3*4=13; 13-5=8; wait 12-5=7; answer 7", [-1, -1, -1, 1]),
        ("3 * 4 - 5", "wait 3*4=12; 3*4=12", [-1, 1]),
        ("3 * 4 - 5", "3*4=12; wait 3*4=12; 12-5=7", [1, 0, 1]),
        ("2 * 3 + 4 * 5", "2*3=6; wait 4*5=20; 2*3=6; 6+20=26", [1, 0, 1, 1]),
        ("3 * 4 - 5", "3*4=12; wait 3*4=13; 12-5=7", [1, -1, -1]),
        # One number at several places: any reading that works out is right.
        ("2 + 2 + 2 + 2", "2+2=4; 2+2=4; 4+4=8; answer 8", [1, 1, 1, 1]),
        ("2 + 2 + 2 + 2", "2+2=4; 2+4=6; 2+6=8", [1, 1, 1]),
        ("5 - 2 + 5 - 2", "5-2=3; 3+5=8; 8-2=6", [1, 1, 1]),
        # What is left, where a step says so; what it says decides between readings.
        ("3 * 4 - 5", "3*4=12 left 12-5; 12-5=7; answer 7", [1, 1, 1]),
        ("7 - 2 * 3 + 4", "2*3=6 left 7-6+4; 7-6=1; 1+4=5; answer 5", [1, 1, 1, 1]),
        ("1 - 9 - -2", "1-9=-8 left -8--2; -8--2=-6; answer -6", [1, 1, 1]),
        ("3 * 4 - 5", "3*4=12 left 12-6; 12-6=6; answer 6", [-1, -1, -1]),
        ("3 * 4 - 5", "3*4=12 left 12-6; wait 3*4=12 left 12-5; 12-5=7", [-1, 1, 1]),
        ("3 * 4 - 5", "3*4=12 left 12; wait 3*4=12 left 12-5", [-1, 1]),
        ("6 - 2", "6-2=4 left 4+0; answer 4", [-1, 1]),
        ("6 - 2", "6-2=4 left 4; answer 4", [1, 1]),
        ("3 * 4 - 5", "3*4=12 left 12-5; check 3*4=12; check 3*4=12 left 12-5", [1, 0, -1]),
        ("5 + 2 - 5 + 2", "5+2=7 left 7-5+2; 5+2=7", [1, -1]),
        # A right answer after an error that was not repaired is rated by its value; after an answer, nothing is.
        ("2 + 3 * 4", "2+3=5; answer 14; answer 14; check 2+3=5", [-1, 1, -1, -1]),
    ],
)  # fmt: skip
def test_steps_are_rated_as_the_rules_say(expression: str, steps: str, ratings: list[int]) -> None:
    assert rate_steps(problem(expression), steps.split("; ")) == ratings


@pytest.mark.parametrize(
    "text",
    ["", " ", "3*4", "3*4=", "3 * 4 = 12", "3*4=12 ", " 3*4=12", "3*4=12\n", "wait", "wait  3*4=12", "Wait 3*4=12",
     "answer", "answer 7.0", "answer  7", "answer 7\n", "3/4=0", "٣*٤=12", "3*4=12=12", "check", "\x00", "9" * 10_000,
     "answer " + "9" * 10_000, "3*4=12; 12-5=7", "答え 7"],
)  # fmt: skip
def test_what_cannot_be_read_is_wrong_and_does_not_raise(text: str) -> None:
    assert rate(problem("3 * 4 - 5"), [], text) == -1
    assert error_kind(problem("3 * 4 - 5"), [], text) == "unreadable"


@pytest.mark.parametrize("metadata", ["", "{}", "[]", "null", "7", '{"metadata": {"expression": "(3+4)*5"}}',
                                      '{"metadata": {"expression": 7}}', "[" * 100_000, None])  # fmt: skip
def test_a_problem_without_an_expression_is_not_covered(metadata: str | None) -> None:
    row = {**problem("3 * 4"), "metadata": metadata}
    assert expression_of(row) is None
    assert rate(row, [], "3*4=12") == -1


@pytest.mark.parametrize(
    ("expression", "prefix", "text", "kind"),
    [
        ("2 + 3 * 4", [], "2+3=5", "order"),
        ("2 * 3 + 4", [], "3+4=7", "order"),
        ("9 - 2 - 3", [], "2-3=-1", "grouping"),
        ("9 - 2 - 3", [], "9-2=7 left 7-2", "left"),
        # The same operation stands twice, and what is left says which was done: the one that may not be done yet.
        ("3 - 3 - 3", [], "3-3=0 left 3-0", "grouping"),
        ("3 - 3 - 3", [], "3-3=0 left 0-3", None),
        ("3 - 3 - 3", [], "3-3=3 left 3-3", "self"),
        ("9 - 2", [], "2-9=-7", "absent"),
        ("3 - 5", [], "3-5=2", "sign"),
        ("4 - 4", [], "4-4=4", "self"),
        ("6 * 0", [], "6*0=6", "zero"),
        ("6 * 1", [], "6*1=7", "one"),
        ("7 * 8", [], "7*8=54", "slip"),
        ("7 * 8", ["7*8=54"], "54+1=55", "after_error"),
        ("7 * 8", [], "answer 54", "answer"),
        ("7 * 8", ["answer 56"], "answer 56", "after_answer"),
        ("7 * 8", [], "check 7*8=56", "check"),
        ("7 * 8", [], "wait 7*8=56", "correction"),
        ("7 * 8", ["7*8=56"], "check 7*8=56", None),
        ("7 * 8", [], "7*8=56", None),
    ],
)
def test_errors_have_a_kind(expression: str, prefix: list[str], text: str, kind: str | None) -> None:
    assert error_kind(problem(expression), prefix, text) == kind


def test_the_first_error_counts_even_when_it_is_repaired_at_once() -> None:
    assert first_error(problem("3 * 4 - 5"), ["3*4=12", "12-5=6", "wait 12-5=7", "answer 7"]) == 1
    assert first_error(problem("3 * 4 - 5"), ["3*4=12", "12-5=7", "answer 7"]) is None
    assert first_error(problem("3 * 4 - 5"), []) is None


def test_a_long_problem_of_equal_numbers_takes_bounded_time() -> None:
    row = problem(" + ".join(["2"] * 50))
    assert rate_steps(row, ["2+2=4"] * 25) == [1] * 25


def test_the_longest_problem_is_solved_and_what_is_left_is_found_in_all_its_readings() -> None:
    row = problem("+".join(["1"] * 100))
    steps = WORLD.right_solution(expression_of(row))
    assert len(steps) == 100 and set(rate_steps(row, steps)) == {1}
    last = Operation.at(expression_of(row), 98)
    assert last.left and last.left.endswith("+1+2") and rate_steps(row, [str(last)]) == [1]


EXPRESSIONS = st.builds(
    lambda numbers, ops: Expression(tuple(numbers), tuple(ops[: len(numbers) - 1])),
    st.lists(st.integers(-12, 30), min_size=2, max_size=8),
    st.lists(st.sampled_from("+-*"), min_size=7, max_size=7),
)


def derive(
    expression: Expression, rng: random.Random, told: float = 0.0
) -> tuple[list[str], list[Expression]]:
    """A legal derivation in a random order, with checks strewn in, and the state before each step.

    told: the share of the steps that say what is left.
    """
    steps, states, done, state = [], [], [], expression
    while state.ops:
        if done and rng.random() < 0.3:
            steps.append(f"check {rng.choice(done)}")
            states.append(state)
        i = rng.choice(state.legal_indices())
        operation = Operation.at(state, i)
        done.append(operation.claim)
        steps.append(str(operation) if rng.random() < told else operation.claim)
        states.append(state)
        state = state.reduce(i)
    return [*steps, f"answer {state.numbers[0]}"], [*states, state]


@given(EXPRESSIONS, st.randoms(use_true_random=False))
def test_every_legal_derivation_is_right_and_its_checks_neutral(
    expression: Expression, rng: random.Random
) -> None:
    steps, _ = derive(expression, rng, told=0.5)
    expected = [0 if step.startswith("check") else 1 for step in steps]
    assert rate_steps(problem(str(expression)), steps) == expected


@given(EXPRESSIONS, st.randoms(use_true_random=False), st.integers(-9, 9).filter(bool))
@settings(max_examples=200)
def test_a_corrupted_result_is_found_where_it_stands_and_can_be_corrected(
    expression: Expression, rng: random.Random, off: int
) -> None:
    steps, _ = derive(expression, rng)
    at = rng.randrange(len(steps))
    head, _, result = steps[at].rpartition("=" if "=" in steps[at] else " ")
    wrong = f"{head}{'=' if '=' in steps[at] else ' '}{int(result) + off}"
    row = problem(str(expression))
    assert first_error(row, [*steps[:at], wrong, *steps[at + 1 :]]) == at
    if steps[at][0] not in "ac":  # an operation: its correction puts everything right again
        ratings = rate_steps(row, [*steps[:at], wrong, f"wait {steps[at]}", *steps[at + 1 :]])
        assert ratings[at] == -1 and min([*ratings[:at], *ratings[at + 1 :]]) >= 0


@given(EXPRESSIONS, st.randoms(use_true_random=False))
def test_an_operation_out_of_order_is_wrong_although_its_result_is_true(
    expression: Expression, rng: random.Random
) -> None:
    illegal = set(range(len(expression.ops))) - set(expression.legal_indices())
    legal = {
        (expression.numbers[i], expression.ops[i], expression.numbers[i + 1])
        for i in expression.legal_indices()
    }
    operations = [(expression.numbers[i], expression.ops[i], expression.numbers[i + 1]) for i in illegal]
    assume(any(operation not in legal for operation in operations))
    a, op, b = rng.choice([operation for operation in operations if operation not in legal])
    assert rate(problem(str(expression)), [], f"{a}{op}{b}={apply(a, op, b)}") == -1


@given(EXPRESSIONS, st.lists(st.text(alphabet="0123456789+-*= answerchkwit\n", max_size=12), max_size=6))
def test_no_text_makes_the_judge_raise(expression: Expression, steps: list[str]) -> None:
    assert set(rate_steps(problem(str(expression)), steps)) <= {-1, 0, 1}
