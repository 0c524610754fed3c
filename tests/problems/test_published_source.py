"""MATH in the split of Let's Verify Step by Step."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from o1_assets.problems.config import MathSource, ProblemsConfig
from o1_assets.problems.problem import ProblemError
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


def test_a_solution_without_a_box_is_named(folder: Path) -> None:
    (folder / "train.jsonl").write_text(json.dumps(row("Why?", "Because.")) + "\n")
    with pytest.raises(ProblemError, match=r"train\.jsonl, line 1: the solution has no"):
        list(open_source(MathSource(folder=str(folder))).problems(0))


def test_its_files_are_part_of_the_version(folder: Path) -> None:
    source = MathSource(folder=str(folder))
    before = external_version(source)
    (folder / "test.jsonl").write_text("")
    assert before and external_version(source) != before
