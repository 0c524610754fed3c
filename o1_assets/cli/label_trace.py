"""`o1 labels trace`: from an artifact to the labels that are in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import polars as pl
import typer

from o1_assets.cli.common import Answer, command
from o1_assets.execution.project import Project
from o1_assets.labels.trace import LabelTrace, trace

app = typer.Typer()


@command(app, "trace")
def trace_labels(
    project: Project,
    key: Annotated[str, typer.Argument(metavar="KEY", help="any artifact, such as r07/prm")],
    labeler: Annotated[str | None, typer.Option("--labeler", help="only this labeller's")] = None,
    batch: Annotated[
        str | None, typer.Option("--batch", help="only this batch's: its digest's beginning")
    ] = None,
    lines: Annotated[bool, typer.Option("--lines", help="each label, not only how many")] = False,
    version: Annotated[
        str | None, typer.Option("--version", help="digest or name of an older version")
    ] = None,
) -> Answer:
    """Which labels are in an artifact, by round, batch and labeller: as they were when it was made."""
    traced = trace(project.store, key, version, labeler=labeler, batch=batch, lines=lines)
    return Answer(lambda: trace_document(traced), trace_lines(traced, labeler, batch))


def trace_document(traced: LabelTrace) -> bytes:
    """The trace as JSON on one line:

    {"key", "version", "digest", "tables": [{"key", "version", "digest"}], "labels": how many, "counts": [columns of
    COUNTS], "earlier": [{"key", "version", "digest", "labels": that only this version of a table has}], "lines":
    [columns of LINES], if they were asked for}
    """
    tables = [{"key": m.key, "version": m.version, "digest": m.digest} for m in traced.tables]
    content: dict[str, Any] = {
        "key": traced.key,
        "version": traced.version,
        "digest": traced.digest,
        "tables": tables,
        "labels": int(traced.counts["labels"].sum()),
        "counts": traced.counts.to_dicts(),
        "earlier": [
            {"key": m.key, "version": m.version, "digest": m.digest, "labels": labels}
            for m, labels in traced.earlier
        ],
    }
    if traced.lines is not None:
        content["lines"] = traced.lines.to_dicts()
    # msgspec and no indent: a trace may list a million labels.
    return msgspec.json.encode(content)


KINDS = ("positive", "neutral", "negative", "written")


def trace_lines(traced: LabelTrace, labeler: str | None = None, batch: str | None = None) -> Iterator[str]:
    """The lines for an auditor: one for each labeller of a batch, then one for each label if they were asked for.

    labeler, batch: whose alone were asked for.
    """
    counts = traced.counts
    total, labellers = int(counts["labels"].sum()), counts["labeler"].n_unique()
    rounds = ", ".join(dict.fromkeys(m.key.split("/")[0] for m in traced.tables))
    who = "1 labeller" if labellers == 1 else f"{labellers} labellers"
    yield f"{traced.key} {traced.version}: {total} labels by {who}, of {rounds or 'no round'}"
    if not total and (labeler or batch):
        asked = " in ".join(filter(None, (labeler and f"labeller {labeler!r}", batch and f"batch {batch!r}")))
        yield f"none is of {asked}; `o1 labels trace {traced.key}` names the labellers and batches that there are"
    if counts.height:
        numbers = "".join(f"{name:>8}" for name in ("ratings", "labels", "+1", "0", "-1", "written"))
        yield f"{'round':6}{'batch':14}{'source':12}{numbers}  labeller"
    for row in counts.iter_rows(named=True):
        numbers = "".join(f"{row[n]:8}" for n in ("ratings", "labels", *KINDS))
        yield f"{row['round']:6}{row['batch'][:12]:14}{row['source']:12}{numbers}  {row['labeler']}"
    if traced.lines is not None and traced.lines.height:
        yield "\t".join(
            ("round", "batch", "line", "solution", "step", "completion", "rating", "labeller", "text")
        )
        cells = [
            pl.col("round"), pl.col("batch").str.head(12), pl.col("line"), pl.col("solution_id"), pl.col("step"),
            pl.col("completion", "rating").cast(pl.String).fill_null("-"), pl.col("labeler"), pl.col("text"),
        ]  # fmt: skip
        # Joined by polars: a trace may list a million labels.
        yield from traced.lines.select(pl.concat_str(cells, separator="\t")).to_series()
    for manifest, labels in traced.earlier:
        yield (
            f"what it was made from learned from an earlier {manifest.key} too, of {manifest.finished[:10]}, with "
            f"{labels} label{'s' * (labels != 1)} that {'are' if labels != 1 else 'is'} not among these: "
            f"`o1 labels trace {manifest.key} --version {manifest.version}` lists them"
        )
