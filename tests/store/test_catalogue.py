from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import polars as pl
import pytest

from o1_assets.core.artifact import Artifact, Outcome, StageConfig, Task
from o1_assets.store.catalogue import reads_this_home, rebuild_catalogue
from o1_assets.store.manifest import Manifest
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


def rows_of(target: Path) -> object:
    with duckdb.connect(str(target), read_only=True) as connection:
        (rows,) = connection.execute('select * from "toy/table.numbers"').fetchall()
        return rows


def home_with(folder: Path, number: int) -> tuple[ArtifactStore, dict[str, Manifest]]:
    """A store with a table whose only row is this number."""
    store = ArtifactStore(str(folder / "store"), folder / "work")
    made = make(store, Artifact("toy/table", one_row, RowsConfig(rows=number), {}, "", "toy"))
    return store, {"toy/table": made.manifest}


def one_row(task: Task, config: RowsConfig) -> Outcome:
    pl.DataFrame({"x": [config.rows]}).write_parquet(task.out / "numbers.parquet")
    return Outcome(rows=1)


@pytest.mark.parametrize("name", ["home*", "[ahw]*", "k=1", "we[i]rd 'q' \"home\" a=1 {b,c} %41 ü;--"])
def test_views_read_their_own_home_whatever_its_name(tmp_path: Path, name: str) -> None:
    for number, decoy in enumerate(("home", "home2", "a", "we")):
        home_with(tmp_path / decoy, number)
    store, manifests = home_with(tmp_path / name, 77)
    target = tmp_path / name / "catalogue.duckdb"
    assert rebuild_catalogue(store, manifests, target) == ["toy/table.numbers"]
    assert rows_of(target) == (77,)


def test_a_catalogue_knows_whether_its_home_was_moved(tmp_path: Path) -> None:
    store, manifests = home_with(tmp_path / "old", 1)
    target = tmp_path / "old" / "catalogue.duckdb"
    assert not reads_this_home(store, target)
    rebuild_catalogue(store, manifests, target)
    assert reads_this_home(store, target)
    shutil.copytree(tmp_path / "old", tmp_path / "new")
    copy = ArtifactStore(str(tmp_path / "new" / "store"), tmp_path / "new" / "work")
    assert not reads_this_home(copy, tmp_path / "new" / "catalogue.duckdb")
    rebuild_catalogue(copy, manifests, tmp_path / "new" / "catalogue.duckdb")
    shutil.rmtree(tmp_path / "old")
    assert rows_of(tmp_path / "new" / "catalogue.duckdb") == (1,)
