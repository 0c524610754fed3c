"""Reads Parquet files by their names, whatever letters are in the path.

polars and DuckDB take a path for a pattern: in a folder named `home*` they also read the tables of `home2`, and a
folder named `a=1` becomes a column.
"""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl


def read_parquet(file: Path, columns: list[str] | None = None) -> pl.DataFrame:
    """The table in exactly this file. columns: only these."""
    return pl.read_parquet(file, columns=columns, glob=False, hive_partitioning=False)


def scan_parquet(file: Path) -> pl.LazyFrame:
    """As `read_parquet`, read when it is collected."""
    return pl.scan_parquet(file, glob=False, hive_partitioning=False)


def column_names(file: Path) -> list[str]:
    """The names of the table's columns, from the file's footer alone."""
    return scan_parquet(file).collect_schema().names()


def duckdb_pattern(file: Path) -> str:
    """The pattern that DuckDB's `read_parquet` takes for this file and no other."""
    return re.sub(r"[*?\[]", r"[\g<0>]", str(file))
