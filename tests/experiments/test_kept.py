"""Tables that are kept while a computation goes on."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from o1_assets.core.artifact import Cost, Task
from o1_assets.experiments.variants import kept
from tests.evaluation.conftest import Pupil


class Killed(Exception):
    pass


def test_a_killed_computation_makes_only_what_is_missing(tmp_path: Path) -> None:
    made: list[str] = []

    def whole(task: Task, killed_at: str = "") -> pl.DataFrame:
        tables = []
        for name in ("one", "two"):

            def make(name: str = name) -> tuple[pl.DataFrame, Cost]:
                if name == killed_at:
                    raise Killed
                made.append(name)
                return pl.DataFrame({"name": [name], "values": [[0.5, 1.5]]}), Cost(flops=7)

            table, cost = kept(task, name, make)
            assert cost == Cost(flops=7)
            tables.append(table)
        return pl.concat(tables)

    task = Task({}, tmp_path / "out", 0, open_engine=Pupil, unfinished=tmp_path / "unfinished")
    with pytest.raises(Killed):
        whole(task, killed_at="two")
    found = whole(task)
    assert made == ["one", "two"]
    assert found.equals(whole(Task({}, tmp_path / "out", 0, open_engine=Pupil)))
