"""All batches of a round as two tables: what rNN/label_batches holds, and labels are made of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from o1_assets.labels.inbox.batch import RATINGS, RECORDS
from o1_assets.labels.inbox.batches_on_disk import FiledBatches
from o1_assets.labels.inbox.columns import EVENT, RECORD
from o1_assets.labels.selection import Selection

INDEX = "index.json"
"""Beside the tables: round, digest of the selection, and of each batch digest, source, lines and solutions."""


MISFIT = {**RECORD, "misfit": pl.String}


def batch_sources(folder: Path) -> dict[str, str]:
    """Digest of each batch in a folder of rNN/label_batches -> who it is from."""
    return {entry["digest"]: entry["source"] for entry in json.loads((folder / INDEX).read_text())["batches"]}


def tables_of_round(
    batches: Sequence[tuple[FiledBatches, str]], round_name: str, selection: Selection
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """All batches' ratings and records as one table each, in the order given, then of line, step and completion.

    The records also say why they do not fit this selection (`misfit`, empty: they do): the selection may have
    changed since the batch was accepted.
    """
    ratings, records = [pl.DataFrame(schema=EVENT)], [pl.DataFrame(schema=MISFIT)]
    for inbox, digest in batches:
        events, lines = inbox.tables(round_name, digest)
        checked_against = inbox.manifest(round_name, digest).selection
        ratings.append(events)
        records.append(_with_misfit(lines, None if checked_against == selection.digest else selection))
    return pl.concat(ratings), pl.concat(records)


def write_tables(
    batches: Sequence[tuple[FiledBatches, str]], round_name: str, selection: Selection, out: Path
) -> None:
    """ratings.parquet and records.parquet of `tables_of_round`."""
    for name, table in zip((RATINGS, RECORDS), tables_of_round(batches, round_name, selection), strict=True):
        # A million ratings are written again for every batch: the quickest level is as small within a twentieth.
        table.write_parquet(out / name, compression="zstd", compression_level=1)


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
