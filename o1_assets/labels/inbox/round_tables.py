"""The tables of all batches of a round together, each record compared with the selection of today."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from o1_assets.labels.inbox.batch import RATINGS, RECORDS
from o1_assets.labels.inbox.reader import BatchReader
from o1_assets.labels.inbox.tables import EVENT, MISFIT
from o1_assets.labels.selection import Selection


def tables_of_round(
    batches: Sequence[tuple[BatchReader, str]], round_name: str, selection: Selection
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The ratings (EVENT) and records (MISFIT) of several batches, in the order given and then of their lines."""
    # Empty tables come first, so a round without batches has the right columns.
    ratings, records = [pl.DataFrame(schema=EVENT)], [pl.DataFrame(schema=MISFIT)]
    for reader, digest in batches:
        batch_ratings, batch_records = reader.tables(round_name, digest)
        checked_against = reader.manifest(round_name, digest).selection
        ratings.append(batch_ratings)
        # The selection may have changed since the batch was accepted.
        is_current = checked_against == selection.digest
        records.append(_with_misfit(batch_records, None if is_current else selection))
    # Only some batches have the columns of written steps.
    return pl.concat(ratings), pl.concat(records, how="diagonal")


def write_tables(
    batches: Sequence[tuple[BatchReader, str]], round_name: str, selection: Selection, folder: Path
) -> None:
    """Writes ratings.parquet and records.parquet of `tables_of_round`."""
    for name, table in zip((RATINGS, RECORDS), tables_of_round(batches, round_name, selection), strict=True):
        # A million ratings are written again for every batch: the quickest level is as small within a twentieth.
        table.write_parquet(folder / name, compression="zstd", compression_level=1)


def _with_misfit(records: pl.DataFrame, selection: Selection | None) -> pl.DataFrame:
    """selection: None when the records were accepted for this very selection."""
    if selection is None:
        return records.with_columns(misfit=pl.lit(""))
    contents = {"solution_id": list(selection.contents), "now": list(selection.contents.values())}
    now = pl.DataFrame(contents, schema={"solution_id": pl.String, "now": pl.String})
    misfit = (
        pl.when(pl.col("quality_control") | pl.col("screening"))
        .then(pl.lit(""))
        .when(pl.col("now").is_null())
        .then(pl.lit("unknown_solution"))
        .when(pl.col("now") != pl.col("content"))
        .then(pl.lit("changed_solution"))
        .otherwise(pl.lit(""))
    )
    joined = records.join(now, on="solution_id", how="left", maintain_order="left")
    return joined.with_columns(misfit=misfit).drop("now")
