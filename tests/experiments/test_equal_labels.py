"""An arm that writes less rates more: its labels are cut to as many as the control's, written steps counted."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

from o1_assets.core.artifact import Outcome
from o1_assets.experiments.rounds import equal_labels
from o1_assets.labels.config import LabelsConfig
from o1_assets.labels.written import PATH
from tests.labels import world

CONFIG = LabelsConfig(round="r01", protocol="sparse")


def write_labels(folder: Path, solutions: dict[str, int], written: dict[str, int]) -> Path:
    """Solutions with so many ratings, and so many written steps, each."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [(name, step, 0, 1) for name, steps in solutions.items() for step in range(steps)]
    schema = {"solution_id": pl.String, "step": pl.Int32, "completion": pl.Int32, "rating": pl.Int8}
    pl.DataFrame(rows, schema=schema, orient="row").write_parquet(folder / "labels.parquet")
    pl.DataFrame({"solution_id": list(solutions)}).write_parquet(folder / "solutions.parquet")
    paths = [(s, "p", "q", ["x"] * n, [True] * n, True, "ann", "b", 1) for s, n in written.items()]
    if paths:
        pl.DataFrame(paths, schema=PATH, orient="row").write_parquet(folder / "written.parquet")
    return folder


def test_so_many_solutions_are_kept_as_the_controls_ratings_and_written_steps_pay_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = write_labels(tmp_path / "control", {f"c{i}": 4 for i in range(5)}, {"c0": 3, "c1": 2})
    rated = write_labels(tmp_path / "rated", {f"s{i}": 3 for i in range(12)}, {})

    def make_labels(task: object, config: LabelsConfig) -> Outcome:
        shutil.copytree(rated, tmp_path / "out", dirs_exist_ok=True)
        return Outcome(figures={"solutions_not_labelled": 0})

    monkeypatch.setattr(equal_labels, "make_labels", make_labels)
    outcome = equal_labels.make_equal_labels(world.task({"budget": budget}, tmp_path / "out"), CONFIG)
    # 25 labels pay for eight solutions of three ratings.
    assert outcome.figures["labels_allowed"] == 25
    assert (outcome.figures["labels"], outcome.figures["solutions"]) == (24, 8)
    kept = [
        set(pl.read_parquet(tmp_path / "out" / f)["solution_id"])
        for f in ("labels.parquet", "solutions.parquet")
    ]
    assert kept[0] == kept[1] and kept[0] != {f"s{i}" for i in range(8)}, "not simply the first ones"


def test_written_steps_cost_as_ratings_do(tmp_path: Path) -> None:
    folder = write_labels(tmp_path, {"a": 2, "b": 1}, {"a": 3})
    assert dict(equal_labels.labels_a_solution(folder).iter_rows()) == {"a": 5, "b": 1}
