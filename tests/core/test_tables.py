"""Tables in folders whose names are patterns to polars and DuckDB, beside folders that the patterns match."""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl
import pytest

from o1_assets.core.tables import column_names, duckdb_pattern, read_parquet, scan_parquet

DECOYS = ("home", "home2", "a", "we-ird", "week=1")


@pytest.mark.parametrize(
    "name", ["home*", "[ahw]*", "we?ird", "week=*", "k=1", "{a,home}", "%41 'q' \"ü\n[]"]
)
def test_exactly_one_file_is_read(tmp_path: Path, name: str) -> None:
    for number, folder in enumerate((name, *DECOYS)):
        (tmp_path / folder).mkdir()
        pl.DataFrame({"x": [number]}).write_parquet(tmp_path / folder / "t.parquet")
    file = tmp_path / name / "t.parquet"
    expected = pl.DataFrame({"x": [0]})
    assert read_parquet(file).equals(expected) and scan_parquet(file).collect().equals(expected)
    assert column_names(file) == ["x"]
    rows = duckdb.read_parquet(duckdb_pattern(file), hive_partitioning=False)
    assert (rows.columns, rows.fetchall()) == (["x"], [(0,)])
