"""GSM8K's answers, and MATH's in the split of Let's Verify Step by Step."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from o1_assets.problems.config import MathSource, ProblemsConfig
from o1_assets.problems.problem import LeftOut, ProblemError, RawProblem
from o1_assets.problems.published_source import answer_in_boxes, gsm8k_problem
from o1_assets.problems.rows import Row
from o1_assets.problems.sources import external_version, open_source
from o1_assets.problems.split import take


def row(problem: str, solution: str, **more: object) -> dict[str, object]:
    return {"problem": problem, "solution": solution, **more}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    test = [row("Find $x$ if $2x=8$.", "So $x=\\boxed{4}$.", answer="4", level=2, subject="Algebra")]
    train = [
        row("Find  $x$ if $2x=8$.", "So $x=\\boxed{4}$.", level="Level 2", type="Algebra"),
        row("What is half of 1/2?", "It is \\boxed{\\frac{1}{4}}.", level="Level ?", type="Prealgebra"),
    ]
    for name, rows in (("test", test), ("train", train)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    return tmp_path


def test_a_test_problem_is_never_a_train_problem_and_answers_come_out_of_their_box(folder: Path) -> None:
    source = MathSource(folder=str(folder))
    config = ProblemsConfig(source=source, train=1, test=1)
    (train,) = take(open_source(source), config, "train", 1, seed=0).problems
    (test,) = take(open_source(source), config, "test", 1, seed=0).problems
    assert (test.answer, test.difficulty, test.metadata["subject"]) == ("4", 2, "Algebra")
    assert (train.answer, train.difficulty, train.metadata["subject"]) == ("\\frac{1}{4}", 0, "Prealgebra")
    with pytest.raises(ProblemError, match="only 1 of the 2"):
        take(open_source(source), config, "train", 2, seed=0)


ALL, VALUE = "Find all $x$.", "Find $x$."


@pytest.mark.parametrize(
    ("question", "solution", "answer"),
    [
        (VALUE, r"It is $\boxed 2$.", "2"),
        (ALL, r"$x=\boxed{5}$ or $x=\boxed{-3}$.", "5, -3"),
        (VALUE, r"$x=\boxed{5}$ or $x=\boxed{-3}$.", "5, -3"),
        (VALUE, r"$x$ is either $\boxed{5}$ or $\boxed{-3}$.", "5, -3"),
        (ALL, r"If $r=1$, $x=\boxed{5}$. If $r=-1$, $x=\boxed{-3}$.", "5, -3"),
        (ALL, r"$x=\boxed{5}$ or $\boxed{3}$. Check: Indeed $\boxed{5}$ or $\boxed{3}$.", "5, 3"),
        (VALUE, r"$2x = \boxed{4}$, so $x = \boxed{2}$.", "2"),
        (VALUE, r"This yields $\boxed{x+1}$ or $\boxed{1+x}$.", "1+x"),
        (VALUE, r"$x=\boxed{0.5}$. Alternatively, $x=\boxed{\frac12}$.", r"\frac12"),
        (
            r"What belongs in the box: $\boxed{\phantom{2}}+1=5$?",
            r"The number in the box is $\boxed{4}$.",
            "4",
        ),
    ],
)
def test_the_boxes_of_a_solution_give_one_answer(question: str, solution: str, answer: str) -> None:
    assert answer_in_boxes(question, solution, "here") == answer


@pytest.mark.parametrize(
    ("question", "solution", "reason"),
    [
        (VALUE, "Because.", "has no .*boxed"),
        (VALUE, r"There are $\boxed{}$ primes.", "has no .*boxed"),
        (VALUE, r"It is $\boxed{3}$. Note: $\boxed{-3}$ is also accepted.", "any is right .3 or -3."),
        (VALUE, r"$\boxed{(1,0)}$ and $\boxed{(0,0)}$. (Either point is correct.)", "any is right"),
        (VALUE, r"At $\boxed{20:34}$ or $\boxed{8:34 \text{ p.m.}}$.", "any is right"),
        (r"Find $\boxed{\boxed{11}}$.", r"$\boxed{11}=2$ and $\boxed{2}=2$.", "uses boxes itself"),
    ],
)
def test_a_solution_without_a_single_answer_is_left_out(question: str, solution: str, reason: str) -> None:
    with pytest.raises(LeftOut, match=rf"here: .*{reason}.*; (add one|give the row an `answer`)"):
        answer_in_boxes(question, solution, "here")


def test_a_bad_row_is_left_out_unless_it_brings_its_answer(folder: Path) -> None:
    either = r"It is $\boxed{3}$. Note: $\boxed{-3}$ is also accepted."
    rows = [
        row("Why?", "Because."), row("Empty?", r"\boxed{}", answer="0"),
        row("Either?", either), row("Which?", either, answer="3"),
        row("Both?", r"$\boxed{5}$ and $\boxed{-3}$.", answer="-3"),
    ]  # fmt: skip
    (folder / "train.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    items = list(open_source(MathSource(folder=str(folder))).problems(0))
    answers = {p.question: p.answer for p in items if isinstance(p, RawProblem) and p.split == "train"}
    assert answers == {"Empty?": "0", "Which?": "3", "Both?": "5, -3"}
    assert [p.question for p in items if isinstance(p, RawProblem) and p.corrected] == ["Both?"]
    places = [item.place for item in items if isinstance(item, LeftOut)]
    assert [place.rpartition("/")[2] for place in places] == ["train.jsonl, line 1", "train.jsonl, line 3"]


@pytest.mark.parametrize(
    ("solution", "answer"),
    [
        ("#### 1,234", "1234"),
        ("2+2=<<2+2=4>>4\n####  $18 ", "$18"),
        ("####-5", "-5"),
        ("#### 12 apples\n", "12 apples"),
        ("#### 3, 4", "3, 4"),
        ("#### 1,234,567.50", "1234567.50"),
        ("wrong #### 5\n#### 6\nthat is all", "6"),
        ("no mark", None),
        ("#### \n", None),
    ],
)
def test_the_answer_of_gsm8k_follows_its_mark(solution: str, answer: str | None) -> None:
    bad_or_good = Row("here", {"question": "How many?", "answer": solution})
    if answer is None:
        with pytest.raises(
            LeftOut, match="here: the answer has no '#### ' with a final answer after it; add one"
        ):
            gsm8k_problem(bad_or_good, None)
    else:
        assert gsm8k_problem(bad_or_good, None).answer == answer


def test_its_files_are_part_of_the_version(folder: Path) -> None:
    source = MathSource(folder=str(folder))
    before = external_version(source)
    (folder / "test.jsonl").write_text("")
    assert before and external_version(source) != before
