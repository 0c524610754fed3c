"""rNN/labels: all accepted batches merged into one rating a completion, whatever the order they came in.

The same labeller again: the later timestamp wins. Labellers who disagree: the majority; ties are dropped.
Counted and left out: quality-control and screening records, ratings that are null or flagged, and all that
a labeller said of a solution before calling it a bad problem or giving it up. What is left keeps the labelled
own path unbroken: nothing stands after an own step that is negative, tied or left out. An own step that a
labeller wrote has a row without a rating.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import polars as pl

from o1_assets.artifact import Outcome, Task
from o1_assets.labels.config import LabelsConfig
from o1_assets.labels.inbox import RATINGS, RECORDS
from o1_assets.labels.merge import merge
from o1_assets.labels.schema import WITHDRAWN
from o1_assets.labels.selection import Selection

COLUMNS = (
    "solution_id", "problem_id", "question", "step", "completion", "text", "prefix",
    "rating", "labeler", "batch", "line",
)  # fmt: skip


def make_labels(task: Task, config: LabelsConfig) -> Outcome:
    """Inputs: selection, batches. Writes labels.parquet (a row a completion) and solutions.parquet (those labelled)."""
    selection = Selection.load(task.inputs["selection"])
    labels, dropped = label_table(task.inputs["batches"], selection, config)
    solutions = selection.table.join(labels.select("solution_id").unique(), on="solution_id", how="semi")
    labels.write_parquet(task.out / "labels.parquet")
    solutions.write_parquet(task.out / "solutions.parquet")
    own = labels.filter(pl.col("completion") == 0)
    return Outcome(
        figures={
            "labels": labels.height,
            "positive": labels.filter(pl.col("rating") == 1).height,
            "neutral": labels.filter(pl.col("rating") == 0).height,
            "negative": labels.filter(pl.col("rating") == -1).height,
            "solutions": solutions.height,
            "solutions_not_labelled": selection.table.height - solutions.height,
            "solutions_with_error": own.filter(pl.col("rating") < 0).height,
            **{f"dropped_{reason}": count for reason, count in sorted(dropped.items())},
        },
        rows=labels.height,
        sample=labels.head(5)
        .select("question", "step", "completion", "text", "rating", "labeler")
        .to_dicts(),
    )


def label_table(
    batches: Path, selection: Selection, config: LabelsConfig
) -> tuple[pl.DataFrame, Counter[str]]:
    """labels.parquet's rows from a folder of rNN/label_batches, and what was dropped, by reason."""
    events = pl.read_parquet(batches / RATINGS)
    records = pl.read_parquet(batches / RECORDS)
    dropped = Counter[str]()
    checks = pl.col("quality_control") | pl.col("screening")
    for name in ("quality_control", "screening"):
        dropped[f"{name}_records"] = records.filter(pl.col(name)).height
    events, records = events.filter(~checks), records.filter(~checks)
    known, gone = _of_this_selection(records, selection)
    dropped.update(gone)
    withdrawn = known.filter(pl.col("finish_reason").is_in(WITHDRAWN))
    for reason in WITHDRAWN:
        dropped[f"{reason}_records"] = known.filter(pl.col("finish_reason") == reason).height
    counted = known.filter(pl.col("finish_reason").is_in(WITHDRAWN).not_().fill_null(True))
    dropped["not_rated_yet"] = int(counted["not_rated"].sum())
    events = events.join(counted.select("batch", "line"), on=["batch", "line"], how="semi")
    merged, lost = merge(
        events,
        withdrawn.select("solution_id", "labeler", "moment"),
        selection.completions.filter(pl.col("written")).select("solution_id", "step", "written"),
    )
    questions = counted.group_by("solution_id").agg(pl.col("question").min())
    return _with_texts(merged, selection, questions), +(dropped + lost)


def _of_this_selection(records: pl.DataFrame, selection: Selection) -> tuple[pl.DataFrame, Counter[str]]:
    """The records that show just what the selection holds; it may have changed since they were accepted."""
    contents = pl.DataFrame(
        {"solution_id": list(selection.contents), "now": list(selection.contents.values())},
        schema={"solution_id": pl.String, "now": pl.String},
    )
    joined = records.join(contents, on="solution_id", how="left", maintain_order="left")
    unknown, changed = pl.col("now").is_null(), pl.col("now") != pl.col("content")
    gone = Counter(
        unknown_solution_records=joined.filter(unknown).height,
        changed_solution_records=joined.filter(changed).height,
    )
    return joined.filter(~unknown & ~changed).drop("now"), gone


def _with_texts(merged: pl.DataFrame, selection: Selection, questions: pl.DataFrame) -> pl.DataFrame:
    """Adds what each rating is about; rows in the order of solution id, step and completion."""
    own = selection.completions.filter(pl.col("completion") == 0).group_by("solution_id", maintain_order=True)
    paths = own.agg(pl.col("text").alias("path"))
    return (
        merged.join(selection.completions, on=["solution_id", "step", "completion"], how="inner")
        .join(paths, on="solution_id", how="inner")
        .join(questions, on="solution_id", how="inner")
        .with_columns(prefix=pl.col("path").list.head(pl.col("step")))
        .sort("solution_id", "step", "completion")
        .select(COLUMNS)
    )
