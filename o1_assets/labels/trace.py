"""Which labels are in an artifact: those of every rNN/labels in its ancestry, by the versions that were recorded.

Today's heads play no part: a checkpoint of a year ago is traced to the label tables of a year ago. Of a round whose
table is in the ancestry in several versions, the one that the artifact itself was made of counts; what only an earlier
one has, which an ancestor learned from, is named apart. Every table is compared with its digest before it is read, and
read by column: a million rows take seconds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from o1_assets.core.tables import scan_parquet
from o1_assets.labels.inbox.batch import RATINGS, batch_sources
from o1_assets.labels.written import read_written, written_rows
from o1_assets.store.ancestry import ancestry
from o1_assets.store.manifest import Manifest
from o1_assets.store.store import ArtifactStore

_LABELS = re.compile(r"(r\d\d)/labels", re.ASCII)
_WHO = ["batch", "labeler"]

COUNTS = {
    "round": pl.String, "version": pl.String, "batch": pl.String, "source": pl.String, "labeler": pl.String,
    "ratings": pl.Int64, "labels": pl.Int64, "positive": pl.Int64, "neutral": pl.Int64, "negative": pl.Int64,
    "written": pl.Int64,
}  # fmt: skip
"""A row for each labeller of a batch of a label table. version: of rNN/labels. ratings: the labeller's, in the batches
that the table was made of. labels: rows of the table that name the labeller, and steps that they wrote (written). A
rating becomes no label if a newer one of somebody else agrees with it, or if it was corrected, outvoted or left out."""

LINES = {
    "round": pl.String, "version": pl.String, "batch": pl.String, "line": pl.Int32, "labeler": pl.String,
    "solution_id": pl.String, "step": pl.Int32, "completion": pl.Int32, "rating": pl.Int8, "text": pl.String,
}  # fmt: skip
"""A row per label. line: in the batch, from 1. completion null: a step that the labeller wrote."""


@dataclass(frozen=True)
class LabelTrace:
    """key, version, digest: of the artifact. tables: the version of each rNN/labels in it. counts: COUNTS;
    lines: LINES.

    earlier: other versions of these tables in the ancestry, and how many labels only they have.
    """

    key: str
    version: str
    digest: str
    tables: list[Manifest]
    counts: pl.DataFrame
    lines: pl.DataFrame | None
    earlier: list[tuple[Manifest, int]]


def trace(
    store: ArtifactStore,
    key: str,
    version: str | None = None,
    *,
    labeler: str | None = None,
    batch: str | None = None,
    lines: bool = False,
) -> LabelTrace:
    """version: as `find_version` takes it, None for today's. batch: the beginning of a digest.

    lines: returns each label too, not only their number. Raises StoreError if a manifest or a table is missing or
    damaged.
    """
    # The artifact itself is the last.
    manifests = ancestry(store, key, version)
    tables, others = _tables(manifests)
    is_wanted = pl.lit(True)
    if labeler is not None:
        is_wanted &= pl.col("labeler") == labeler
    if batch is not None:
        is_wanted &= pl.col("batch").str.starts_with(batch)
    # An artifact without label tables has empty ones.
    counts, label_lines = [pl.DataFrame(schema=COUNTS)], [pl.DataFrame(schema=LINES)]
    for manifest in tables.values():
        # The batches of that time, too: one that was withdrawn since is still in the artifact.
        batches = store.verified(manifest.inputs["batches"].digest)
        ratings = scan_parquet(batches / RATINGS).filter(is_wanted)
        labels = _with_written(store.verified(manifest.digest)).filter(is_wanted)
        origin = [
            pl.lit(manifest.key.split("/")[0]).alias("round"),
            pl.lit(manifest.version).alias("version"),
        ]
        counts.append(_counts(labels, ratings, batch_sources(batches), origin))
        if lines:
            label_lines.append(_typed(labels.with_columns(origin), LINES))
    earlier = [
        (manifest, only)
        for manifest in others
        if (only := _only_in(store, manifest, tables[manifest.key], is_wanted))
    ]
    order = ["round", "version", "batch", "line", "solution_id", "step", "completion"]
    artifact = manifests[-1]
    return LabelTrace(
        key,
        artifact.version,
        artifact.digest,
        list(tables.values()),
        pl.concat(counts),
        pl.concat(label_lines).sort(order) if lines else None,
        earlier,
    )


def _tables(manifests: list[Manifest]) -> tuple[dict[str, Manifest], list[Manifest]]:
    """Of each rNN/labels the version that counts, by its key, and the others. manifests: an ancestry.

    It is the one with the fewest steps to the artifact, which is the last manifest; the newest of equals.
    """
    by_name = {(manifest.key, manifest.version): manifest for manifest in manifests}
    level, distance = [manifests[-1]], dict[tuple[str, str], int]()
    for steps in range(len(manifests)):
        new = [m for m in level if (m.key, m.version) not in distance]
        distance |= {(m.key, m.version): steps for m in new}
        level = [by_name[item.key, item.version] for m in new for item in m.inputs.values()]
    found = sorted((m for m in manifests if _LABELS.fullmatch(m.key)), key=lambda m: m.finished, reverse=True)
    found.sort(key=lambda m: (m.key, distance[m.key, m.version]))
    tables: dict[str, Manifest] = {}
    for manifest in found:
        tables.setdefault(manifest.key, manifest)
    # Made again to the same bytes, as after an upgrade, it is the same table.
    return tables, [manifest for manifest in found if manifest.digest != tables[manifest.key].digest]


def _only_in(store: ArtifactStore, earlier: Manifest, table: Manifest, is_wanted: pl.Expr) -> int:
    """How many labels an earlier version of a table has that `table` has not."""
    here, there = (_with_written(store.verified(each.digest)).filter(is_wanted) for each in (earlier, table))
    label = ["batch", "line", "solution_id", "step", "completion"]
    only = here.join(there, on=label, how="anti", nulls_equal=True)
    return int(only.select(pl.len()).collect().item())


def _with_written(folder: Path) -> pl.LazyFrame:
    """The label table, and below it the steps that labellers wrote, which are no completions."""
    labels = scan_parquet(folder / "labels.parquet")
    written = written_rows(read_written(folder)).lazy()
    # In imported rounds a written step is the solution's own and stands in the table already.
    present = labels.filter(pl.col("rating").is_null()).select("solution_id", "step")
    new = written.join(present, on=["solution_id", "step"], how="anti")
    return pl.concat([labels, new.select(labels.collect_schema().names())], how="vertical_relaxed")


def _counts(
    labels: pl.LazyFrame, ratings: pl.LazyFrame, sources: dict[str, str], origin: list[pl.Expr]
) -> pl.DataFrame:
    """COUNTS of one label table. origin: its round and version."""
    rating = pl.col("rating")
    labels_by = labels.group_by(_WHO).agg(
        labels=pl.len(),
        positive=(rating == 1).sum(),
        neutral=(rating == 0).sum(),
        negative=(rating == -1).sum(),
        written=rating.is_null().sum(),
    )
    ratings_by = ratings.group_by(_WHO).agg(ratings=rating.count())
    both = ratings_by.join(labels_by, on=_WHO, how="full", coalesce=True).with_columns(
        pl.col("ratings", "labels", "positive", "neutral", "negative", "written").fill_null(0),
        pl.col("batch").replace_strict(sources, default="", return_dtype=pl.String).alias("source"),
        *origin,
    )
    return _typed(both.sort(_WHO), COUNTS)


def _typed(rows: pl.LazyFrame, schema: dict[str, type[pl.DataType]]) -> pl.DataFrame:
    return rows.select(pl.col(name).cast(kind) for name, kind in schema.items()).collect()
