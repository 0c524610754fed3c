from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from o1_assets.problems.canonical import arithmetic, canonical, normalise, side

WORDINGS = [
    "Calculate {}.",
    "What is {}?",
    "Solve {}.",
    "Compute {}.",
    "Evaluate: {}.",
    "{} = ?",
    "{}",
    "State the final answer to the following arithmetic problem: {} =",
    "Solve the following multiplication: {}. Give only the result as your final answer.",
    "Find the value of {}",
    "please work out {} !",
]


@given(
    st.lists(st.integers(0, 99), min_size=2, max_size=8),
    st.lists(st.sampled_from("+-*/"), min_size=7, max_size=7),
    st.sampled_from(WORDINGS),
    st.sampled_from(WORDINGS),
)
def test_arithmetic_is_the_same_problem_in_any_wording(
    numbers: list[int], ops: list[str], one: str, other: str
) -> None:
    parts = [str(numbers[0]), *(f"{op} {n}" for op, n in zip(ops, numbers[1:], strict=False))]
    assert canonical(one.format(" ".join(parts))) == canonical(other.format("".join(parts).replace(" ", "")))
    assert canonical(one.format(" ".join(parts))) == "".join(parts).replace(" ", "")


@pytest.mark.parametrize(
    ("question", "content"),
    [
        ("What is 3 × 4 − 5?", "3*4-5"),
        ("Calculate ( 3 + 4 ) * -2.", "(3+4)*-2"),
        ("Calculate -( 3 + 4 ) * 2.", "-(3+4)*2"),
        ("Compute 1.5 + 2.25.", "1.5+2.25"),
    ],
)
def test_symbols_and_brackets_are_understood(question: str, content: str) -> None:
    assert arithmetic(question) == content


@pytest.mark.parametrize(
    "question",
    [
        "What is 12?",
        "How many divisors has 3 * 4?",
        "Solve for x: 3 * x = 12",
        "What is 1 2 + 3?",
        "",
        "Calculate.",
    ],
)
def test_what_asks_for_more_than_a_value_is_text(question: str) -> None:
    assert arithmetic(question) is None
    assert canonical(question) == normalise(question)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How many  apples?", "how many apples"),
        ("Tom\u2019s cat", "tom's cat"),
        ("ca\u0301t", "c\u00e1t"),
        ("A\n\tB .", "a b"),
    ],
)
def test_text_is_the_same_whatever_its_case_spacing_and_unicode_form(one: str, other: str) -> None:
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(
    ("question", "content"),
    [
        ("What is 10\u00b2?", "what is 10^2"),
        ("2\u00b9\u2070 and x\u207f", "2^10 and x^n"),
        ("x\u2081 + x\u2082", "x_1 + x_2"),
        ("1\u00bd cups", "1 1\u20442 cups"),
        ("\u00bd cup", "1\u20442 cup"),
        ("Step \u2460", "step (1)"),
        ("5 \u33a1", "5 m^2"),
        ("Compute 5!", "compute 5!"),
        ("How much is 3 + 4!?", "how much is 3 + 4!"),
        ("Have fun!", "have fun"),
        ("1\u00ba of May, Lego\u2122", "1o of may, legotm"),
    ],
)
def test_what_changes_the_meaning_is_written_out(question: str, content: str) -> None:
    assert canonical(question) == content


def test_different_problems_stay_different() -> None:
    questions = ["3 * 4 - 5", "3 - 4 * 5", "34 * 5", "3 + 4 - 5", "Tom has 3 cats", "Tom has 4 cats"]
    assert len({canonical(q) for q in questions}) == len(questions)


@given(st.text())
def test_any_text_has_one_side_and_keeps_it(text: str) -> None:
    assert side(canonical(text), 0.3) == side(canonical(canonical(text)), 0.3) or arithmetic(text) is not None
    if side(text, 0.2) == "test":
        assert side(text, 0.4) == "test", "a larger test side contains the smaller"


def test_the_test_side_has_the_share_asked_for() -> None:
    tests = sum(side(str(i), 0.2) == "test" for i in range(5_000))
    assert 900 < tests < 1_100
