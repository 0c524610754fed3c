"""What a person asks is put the way the model knows, and what it does not know is said."""

from __future__ import annotations

import pytest

from o1_assets.base.tokenizer import make_tokenizer
from o1_assets.profiles.load import load_profile
from o1_assets.search.question import read_question, unreadable

PROFILE = load_profile("nano", "")


@pytest.mark.parametrize("asked", ["What is 3 * 4 - 5?", "Evaluate: 1 + 2 + 3 + 4.", "Compute 10 - 9."])
def test_a_usual_question_is_asked_as_it_is(asked: str) -> None:
    question = read_question(asked, PROFILE)
    assert question.text == asked and question.warning() == ""


@pytest.mark.parametrize("asked", ["3*4-5", " what's 3 × 4 − 5 ", "3 * 4 - 5 =", "Please compute 3*4 - 5"])
def test_other_wordings_of_arithmetic_are_put_into_a_known_one(asked: str) -> None:
    question = read_question(asked, PROFILE)
    assert question.text == "Calculate 3 * 4 - 5." and question.warning() == ""


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ("What is 3 + 11?", "11 is not from 0 to 10"),
        ("What is -3 + 2?", "-3 is not from 0 to 10"),
        ("What is 9 * 3?", "9 is multiplied, and factors go to 4"),
        ("What is 4 * 4 * 4?", "a value on the way is 64, beyond 60"),
        ("What is 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1?", "9 numbers, not 2 to 8"),
        ("What is love?", "no expression of whole numbers"),
        ("What is (1 + 2) * 3?", "no expression of whole numbers"),
    ],
)
def test_what_is_unusual_is_named_once_with_a_usual_problem(asked: str, named: str) -> None:
    warning = read_question(asked, PROFILE).warning()
    assert named in warning and asked in warning and "What is 3 * 4 - 5?" in warning and "\n" not in warning


COUNTDOWN = load_profile("countdown", "")


@pytest.mark.parametrize(
    ("asked", "text", "named"),
    [
        ("Use 3, 7, 8 and 2 to make 24", "Use 8, 7, 3 and 2 to make 24.", ""),
        ("How can I make 24 with 8, 7, 3, 2?", "Use 8, 7, 3 and 2 to make 24.", ""),
        ("Use 12, 7 and 2 to make 19", "Use 12, 7 and 2 to make 19.", "12 is not from 1 to 10"),
        ("Use 1, 1, 1 and 1 to make 24", "Use 1, 1, 1 and 1 to make 24.", "no way through whole numbers"),
        ("Use 9, 9 and 2 to make 83", "Use 9, 9 and 2 to make 83.", "the target 83 is not from 10 to 50"),
        ("Use 9 and 2 to make 18", "Use 9 and 2 to make 18.", "2 numbers, not 3 to 4"),
        ("What is love?", "What is love?", "no numbers and a target"),
    ],
)
def test_countdown_is_asked_in_the_wording_of_its_corpus(asked: str, text: str, named: str) -> None:
    question = read_question(asked, COUNTDOWN)
    assert question.text == text and named in question.warning() and bool(named) == bool(question.unusual)


def test_a_function_is_asked_in_the_wording_of_its_corpus() -> None:
    code = load_profile("code", "")
    question = read_question("f(6, 3) = 15, f(2,5)=9 and f(4, 4)=12, please", code)
    assert question.text == "Write f: (1) f(6,3)=15 (2) f(2,5)=9 (3) f(4,4)=12" and not question.unusual
    assert "no three values of f" in read_question("f(6,3)=150", code).warning()


def test_unknown_pieces_and_too_long_questions_are_refused_by_name() -> None:
    tokenizer = make_tokenizer(128)

    def why(asked: str, place: str = "") -> str:
        question = read_question(asked, PROFILE, place)
        return unreadable(question, f"{question.text}\n", tokenizer, room=64)

    assert why("What is 99 * 99?") == ""
    assert 'no tokens for "love"' in why("What is love?")
    assert '"(", ")"' in why("What is (1+2)*3?")
    assert "leave no room" in why("+".join(["1"] * 60))
    assert "empty" in why("  ")
    assert why("What is love?", "line 3").startswith('line 3: "What is love?" cannot be asked')
