"""`o1 labels trace`: from an artifact to the labels that are in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import polars as pl

from o1_assets.labels.trace import Trace, trace
from o1_assets.settings import Settings
from o1_assets.store.store import ArtifactStore


def trace_labels(
    settings: Settings,
    key: str,
    version: str | None,
    labeler: str | None,
    batch: str | None,
    lines: bool,
) -> Trace:
    """Raises StoreError."""
    store = ArtifactStore(settings.store, settings.work)
    return trace(store, key, version, labeler=labeler, batch=batch, lines=lines)


def trace_json(found: Trace) -> str:
    """On one line, as there may be a million labels.

    {"key", "version", "digest", "tables": [{"key", "version", "digest"}], "labels": how many, "counts": [columns of
    COUNTS], "lines": [columns of LINES], if they were asked for}
    """
    tables = [{"key": m.key, "version": m.version, "digest": m.digest} for m in found.tables]
    content: dict[str, Any] = {
        "key": found.key,
        "version": found.version,
        "digest": found.digest,
        "tables": tables,
        "labels": int(found.counts["labels"].sum()),
        "counts": found.counts.to_dicts(),
    }
    if found.lines is not None:
        content["lines"] = found.lines.to_dicts()
    return msgspec.json.encode(content).decode()


def trace_lines(found: Trace) -> Iterator[str]:
    """What an auditor reads: a line a labeller of a batch, then a line a label if they were asked for."""
    counts = found.counts
    total, labellers = int(counts["labels"].sum()), counts["labeler"].n_unique()
    rounds = ", ".join(dict.fromkeys(m.key.split("/")[0] for m in found.tables))
    yield f"{found.key} {found.version}: {total} labels by {labellers} labellers, of {rounds or 'no round'}"
    several = len({m.key for m in found.tables}) < len(found.tables)
    if counts.height:
        yield f"{'round':6}{'batch':14}{'source':12}{'ratings':>8}{'labels':>8}{'+1':>8}{'0':>8}{'-1':>8}  labeller"
    for row in counts.iter_rows(named=True):
        numbers = "".join(f"{row[n]:8}" for n in ("ratings", "labels", "positive", "neutral", "negative"))
        of = f"  (of {row['version']})" if several else ""
        yield f"{row['round']:6}{row['batch'][:12]:14}{row['source']:12}{numbers}  {row['labeler']}{of}"
    if found.lines is not None and found.lines.height:
        yield "\t".join(
            ("round", "batch", "line", "solution", "step", "completion", "rating", "labeller", "text")
        )
        cells = [
            pl.col("round"), pl.col("batch").str.head(12), pl.col("line"), pl.col("solution_id"), pl.col("step"),
            pl.col("completion"), pl.col("rating").cast(pl.String).fill_null("-"), pl.col("labeler"), pl.col("text"),
        ]  # fmt: skip
        yield from found.lines.select(pl.concat_str(cells, separator="\t")).to_series()
