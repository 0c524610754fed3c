"""What is expected of artifacts: each check passes on what is right and can fail."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from o1_assets.core.artifact import Check, CheckContext, Finding
from o1_assets.labels import label_batches, label_table
from o1_assets.problems.assets import CHECKS, TEST_CHECKS
from o1_assets.reward.train import PRM_CHECKS

Row = tuple[str, int, int, int | None]


def named(checks: tuple[Check, ...], name: str) -> Check:
    (check,) = [check for check in checks if check.name == name]
    return check


def prefix_unbroken(folder: Path, rows: list[Row]) -> Finding:
    schema = {"solution_id": pl.String, "step": pl.Int32, "completion": pl.Int32, "rating": pl.Int8}
    pl.DataFrame(rows, schema=schema, orient="row").write_parquet(folder / "labels.parquet")
    return named(label_table.CHECKS, "prefix_unbroken").run(CheckContext(folder, {}))


RIGHT: list[Row] = [
    ("a", 0, 0, 1),
    ("a", 0, 1, -1),
    ("a", 1, 0, 0),
    ("a", 2, 0, -1),
    ("a", 2, 1, 1),
    ("b", 0, 0, -1),
]


def test_rows_that_were_left_out_are_a_warning_that_names_them() -> None:
    check = named(CHECKS, "every_row_used")
    assert not check.serious
    assert check.run(CheckContext(Path(), {"left_out": 0})).passed
    finding = check.run(
        CheckContext(Path("/store/ab"), {"left_out": 2, "left_out_because": "2 because not JSON (line 3)"})
    )
    assert not finding.passed and "2 because not JSON (line 3)" in finding.message
    assert "all of them: /store/ab/left_out.jsonl" in finding.message, "a path that can be opened"


def test_a_step_that_a_labeller_wrote_has_no_rating_and_breaks_nothing(tmp_path: Path) -> None:
    assert prefix_unbroken(tmp_path, [("a", 0, 0, 1), ("a", 1, 0, None), ("a", 2, 0, -1)]).passed
    assert not prefix_unbroken(tmp_path, [("a", 1, 0, None), ("a", 2, 0, -1)]).passed


def test_ratings_up_to_the_first_negative_step_are_unbroken(tmp_path: Path) -> None:
    assert prefix_unbroken(tmp_path, RIGHT[::-1]).passed
    assert prefix_unbroken(tmp_path, []).passed


@pytest.mark.parametrize(
    "row",
    [("a", 3, 0, 1), ("b", 1, 0, 1), ("b", 1, 1, 1), ("c", 1, 0, 1), ("c", 2, 1, -1)],
    ids=[
        "after a negative own step",
        "after a negative first step",
        "an alternative of one",
        "no first step",
        "none at all",
    ],
)
def test_a_rating_after_a_negative_or_missing_own_step_is_found(tmp_path: Path, row: Row) -> None:
    found = prefix_unbroken(tmp_path, [*RIGHT, row])
    assert not found.passed and found.figures == {"broken": 1}


def test_batches_say_how_much_came_back(tmp_path: Path) -> None:
    check = named(label_batches.CHECKS, "enough_rated")
    figures = {"solutions": 3, "solutions_not_rated": 1, "batches": 2}
    found = check.run(CheckContext(tmp_path, figures))
    assert found.passed and found.message == "2 of 3 solutions rated, in 2 batches"
    assert not check.run(CheckContext(tmp_path, {**figures, "solutions_not_rated": 3})).passed


def test_an_empty_label_table_is_found(tmp_path: Path) -> None:
    check = named(label_table.CHECKS, "not_empty")
    assert check.run(CheckContext(tmp_path, {"labels": 1})).passed
    assert not check.run(CheckContext(tmp_path, {"labels": 0})).passed


def test_a_test_problem_in_train_is_found(tmp_path: Path) -> None:
    for side, ids in (("test", ["a", "b"]), ("train", ["c"]), ("leaky", ["c", "b"])):
        (tmp_path / side).mkdir()
        pl.DataFrame({"problem_id": ids}).write_parquet(tmp_path / side / "problems.parquet")
    check = named(TEST_CHECKS, "none_in_train")
    assert check.run(CheckContext(tmp_path / "test", {}, {"problems/train": tmp_path / "train"})).passed
    found = check.run(CheckContext(tmp_path / "test", {}, {"problems/train": tmp_path / "leaky"}))
    assert not found.passed and found.message == "1 of 2 test problems are in train"


@pytest.mark.parametrize(("area", "passed"), [(0.8, True), (0.5, False), (0.2, False), (None, False)])
def test_a_reward_model_that_knows_nothing_is_found(tmp_path: Path, area: float | None, passed: bool) -> None:
    check = named(PRM_CHECKS, "better_than_chance")
    assert check.run(CheckContext(tmp_path, {"held_out_auc": area})).passed == passed
