"""SVAMP, MAWPS and ASDiv-A: from the published files to problems, their solutions, and which steps are right."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from o1_assets.labels.annotators.exact_checker import covers, rate_steps, right_next_steps
from o1_assets.problems import word_problems
from o1_assets.problems.config import ProblemsConfig, WordProblemsSource
from o1_assets.problems.equation import Equation, NoEquation
from o1_assets.problems.problem import LeftOut, ProblemError, RawProblem
from o1_assets.problems.rows import Row
from o1_assets.problems.sources import external_version
from o1_assets.problems.split import take
from o1_assets.problems.word_problems import WordProblems, mawps_problem, svamp_problem, unavailable
from tests.profiles.tiny import save_word_problems


def of_mawps(question: str, numbers: str, equation: str, answer: object) -> RawProblem:
    row = {"Question": question, "Numbers": numbers, "Equation": equation, "Answer": answer}
    return mawps_problem(Row("row 1", row))


def of_svamp(**changes: Any) -> RawProblem:
    item = {
        "Body": "A pack costs 76 dollars. If there is a discount of 25 dollars",
        "Question": "What do you pay?",
        "Equation": "( 76.0 - 25.0 )",
        "Answer": 51.0,
    }
    return svamp_problem(Row("item 1", {**item, **changes}))


def test_words_that_were_taken_apart_are_joined_and_the_equation_is_solved_line_by_line() -> None:
    problem = of_mawps(
        "tom 's box holds number0 eggs , at $ number1 each . how much are number2 boxes ?",
        "12.0 0.25 3",
        "* number2 * number0 number1",
        9.0,
    )
    assert problem.question == "Tom's box holds 12 eggs, at $0.25 each. How much are 3 boxes?"
    assert json.loads(json.dumps(problem.metadata))["solution"] == "12 * 0.25 = 3\n3 * 3 = 9"
    assert (problem.answer, problem.difficulty, problem.split) == ("9", 2, None)


def test_a_problem_of_svamp_is_a_test_problem() -> None:
    problem = of_svamp()
    assert problem.question == (
        "A pack costs 76 dollars. If there is a discount of 25 dollars, what do you pay?"
    )
    assert (problem.answer, problem.split) == ("51", "test")


@pytest.mark.parametrize(
    ("equation", "answer", "says"),
    [
        ("8.0", 8.0, "calculates nothing"),
        ("( 60.0 * ( 55.0 / 15.0 ) )", 220.0, "digits never end"),
        ("( 4.0 / 0.0 )", 0.0, "divides by zero"),
        ("( 4.0 - 1.0 )", 2.0, "does not give its answer"),
        ("x + 1", 2.0, "not written as numbers"),
        ("( 2 ** 3 )", 8.0, "not written as numbers"),
    ],
)
def test_what_cannot_be_solved_by_its_equation_is_left_out(equation: str, answer: float, says: str) -> None:
    with pytest.raises(LeftOut, match=says):
        of_svamp(Equation=equation, Answer=answer)


@pytest.mark.parametrize("text", ["+ number0", "number0 number1", "+ number0 number7", "", "+ number0 x"])
def test_a_prefix_equation_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(NoEquation):
        Equation.prefix(text, ["1", "2"])
    with pytest.raises(LeftOut):
        of_mawps("How many are number0 and number1 ?", "1 2", text or " ", 3.0)


def test_no_train_problem_differs_from_a_test_problem_in_its_numbers_only(tmp_path: Path) -> None:
    folder = save_word_problems(tmp_path, 60)
    rows = list(csv.DictReader((folder / "mawps-asdiv-a-train.csv").open()))
    # A variant of a problem of SVAMP.
    rows.append({**rows[5], "Question": "Tom has number0 apples and gets number1 aa . so then ?"})
    with (folder / "mawps-asdiv-a-train.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    source = WordProblemsSource(folder=str(folder))
    config = ProblemsConfig(source=source, train=20, test=60, test_fraction=0.3)
    drawn = {
        side: take(WordProblems(source), config, side, getattr(config, side), 0).problems
        for side in ("train", "test")
    }
    groups = {side: {problem.group for problem in problems} for side, problems in drawn.items()}
    assert len(groups["train"]) == 20 and not groups["train"] & groups["test"]
    assert {problem.source for problem in drawn["test"]} == {"svamp", "mawps_asdiv"}
    assert {problem.source for problem in drawn["train"]} == {"mawps_asdiv"}
    everything = list(WordProblems(source).problems(0))
    (variant,) = (
        p
        for p in everything
        if isinstance(p, RawProblem) and p.source == "mawps_asdiv" and "apples" in p.question
    )
    assert variant.split == "test"
    alone = WordProblems(source.model_copy(update={"held_out": False})).problems(0)
    sides = {(p.source, p.split) for p in alone if isinstance(p, RawProblem) and p != variant}
    assert sides == {("svamp", "test"), ("mawps_asdiv", "train")}


def test_files_that_are_absent_or_changed_are_said_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = WordProblemsSource(folder=str(tmp_path))
    (sentence,) = unavailable(here)
    assert "SVAMP.json and data/mawps-asdiv-a_svamp/train.csv are not in" in sentence
    assert "problems.source.folder" in sentence
    with pytest.raises(ProblemError, match=r"SVAMP\.json cannot be read"):
        list(WordProblems(here).problems(0))
    before = external_version(here)
    save_word_problems(tmp_path, 3)
    assert list(unavailable(here)) == [] and external_version(here) != before

    monkeypatch.setattr(word_problems, "urlopen", lambda url, timeout: (tmp_path / "SVAMP.json").open("rb"))
    with pytest.raises(ProblemError, match="not the file that was pinned"):
        list(WordProblems(WordProblemsSource()).problems(0))

    def unreachable(url: str, timeout: float) -> None:
        raise OSError("no network")

    monkeypatch.setattr(word_problems, "urlopen", unreachable)
    (sentence,) = unavailable(WordProblemsSource())
    assert "could not be loaded from GitHub (no network)" in sentence


SOLVED = {"metadata": json.dumps({"solution": "9 - 3 = 6\n6 * 2 = 12"})}


@pytest.mark.parametrize(
    ("steps", "ratings"),
    [
        (["9 - 3 = 6", "6 * 2 = 12", "#### 12"], [1, 1, 1]),
        (["9 - 3 = 6", "2*6=12", "#### 12.0"], [1, 1, 1]),
        (["9 - 3 = 6", "9 - 3 = 6", "#### 12"], [1, 0, 1]),
        (["3 - 9 = 6", "#### 12"], [-1, 1]),
        (["9 - 3 = 5", "5 * 2 = 10", "#### 10"], [-1, -1, -1]),
        (["9 + 3 = 12", "#### 12"], [-1, 1]),
        (["9 / 0 = 0", "so", "#### 12", "#### 12"], [-1, -1, 1, -1]),
        (["x" * 300, "9" * 190 + " - 3 = 6"], [-1, -1]),
    ],
)
def test_steps_are_rated_by_the_equation(steps: list[str], ratings: list[int]) -> None:
    assert rate_steps(SOLVED, steps) == ratings


def test_right_steps_lead_to_the_answer_and_other_solutions_are_not_covered() -> None:
    assert right_next_steps(SOLVED, []) == ["9 - 3 = 6"]
    assert right_next_steps(SOLVED, ["9 - 3 = 6", "6 * 2 = 12"]) == ["#### 12"]
    assert right_next_steps(SOLVED, ["9 - 3 = 6", "6 * 2 = 12", "#### 12"]) == []
    for other in ("Tom has 9 - 3 = 6", "9 - 3 = 7", "", "9 / 0 = 1"):
        assert not covers({"metadata": json.dumps({"solution": other})})
    assert not covers({"metadata": "[1]"})
