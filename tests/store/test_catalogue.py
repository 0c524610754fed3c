from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl

from o1_assets.core.artifact import Artifact, Outcome, StageConfig, Task
from o1_assets.store.catalogue import rebuild_catalogue
from o1_assets.store.store import ArtifactStore
from tests.execution.toy import make


class RowsConfig(StageConfig):
    rows: int


def table(task: Task, config: RowsConfig) -> Outcome:
    pl.DataFrame({"x": list(range(config.rows))}).write_parquet(task.out / "numbers.parquet")
    return Outcome(rows=config.rows)


def test_views_show_the_newest_version_and_the_catalogue_can_be_rebuilt_over_itself(tmp_path: Path) -> None:
    store = ArtifactStore(str(tmp_path / "store"), tmp_path / "work")
    target = tmp_path / "catalogue.duckdb"
    for rows in (2, 5):
        made = make(store, Artifact("toy/table", table, RowsConfig(rows=rows), {}, "", "toy"))
        views = rebuild_catalogue(store, {"toy/table": made.manifest}, target)
        assert views == ["toy/table.numbers"]
        with duckdb.connect(str(target), read_only=True) as connection:
            assert connection.execute('select count(*) from "toy/table.numbers"').fetchone() == (rows,)
            assert connection.execute("select rows from artifacts").fetchone() == (rows,)


def without_columns(task: Task, config: StageConfig) -> Outcome:
    pl.DataFrame([]).write_parquet(task.out / "nothing.parquet")
    return Outcome(rows=0)


def test_a_table_without_columns_has_no_view_and_hides_no_other(tmp_path: Path) -> None:
    store = ArtifactStore(str(tmp_path / "store"), tmp_path / "work")
    empty = make(store, Artifact("toy/empty", without_columns, StageConfig(), {}, "", "toy"))
    full = make(store, Artifact("toy/table", table, RowsConfig(rows=1), {}, "", "toy"))
    manifests = {"toy/empty": empty.manifest, "toy/table": full.manifest}
    assert rebuild_catalogue(store, manifests, tmp_path / "catalogue.duckdb") == ["toy/table.numbers"]
