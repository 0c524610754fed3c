"""rNN/labels: all accepted batches merged into one rating a completion, whatever the order they came in.

The same labeller again: the later timestamp wins. Labellers who disagree: the majority; ties are dropped.
Counted and left out: quality-control and screening records, ratings that are null or flagged, and all that
a labeller said of a solution before calling it a bad problem or giving it up. What is left keeps the labelled
own path unbroken: nothing stands after an own step that is negative, tied or left out. An own step that a
labeller wrote has a row without a rating. What stood before a completion are the own steps before its step.
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
from o1_assets.labels.slots import SOLUTION, number_solutions, with_slot

COLUMNS = (
    "solution_id", "problem_id", "question", "step", "completion", "text",
    "rating", "labeler", "batch", "line",
)  # fmt: skip


LONG = ("text", "steps", "token_ids")


def make_labels(task: Task, config: LabelsConfig) -> Outcome:
    """Inputs: selection, batches. Writes labels.parquet (a row a completion) and solutions.parquet.

    The latter has those that are labelled, without the long columns that rNN/selection has.
    """
    selection = Selection.load(task.inputs["selection"])
    labels, dropped = label_table(task.inputs["batches"], selection, config)
    chosen = pl.scan_parquet(selection.folder / "solutions.parquet").drop(LONG, strict=False).collect()
    solutions = chosen.join(labels.select("solution_id").unique(), on="solution_id", how="semi")
    # A million labels are written again for every batch: the quickest level is as small within a twentieth.
    labels.write_parquet(task.out / "labels.parquet", compression="zstd", compression_level=1)
    solutions.write_parquet(task.out / "solutions.parquet", compression="zstd", compression_level=1)
    rating, own = labels["rating"], labels["completion"] == 0
    return Outcome(
        figures={
            "labels": rating.count(),
            "positive": int((rating == 1).sum()),
            "neutral": int((rating == 0).sum()),
            "negative": int((rating == -1).sum()),
            "solutions": solutions.height,
            "solutions_not_labelled": chosen.height - solutions.height,
            "solutions_with_error": int(((rating == -1) & own).sum()),
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
    records, dropped = pl.read_parquet(batches / RECORDS), Counter[str]()
    reason = (
        pl.when("screening")
        .then(pl.lit("screening"))
        .when("quality_control")
        .then(pl.lit("quality_control"))
        .when(pl.col("misfit") != "")
        .then("misfit")
        .when(pl.col("finish_reason").is_in(WITHDRAWN))
        .then("finish_reason")
    )
    records = records.with_columns(gone=reason)
    gone, counted = records.filter(pl.col("gone").is_not_null()), records.filter(pl.col("gone").is_null())
    for name, count in gone.group_by("gone").len().iter_rows():
        dropped[f"{name}_records"] = count
    dropped["not_rated_yet"] = int(counted["not_rated"].sum())
    events = pl.read_parquet(batches / RATINGS)
    if gone.height:
        events = events.join(gone, on=["batch", "line"], how="anti")
    numbers = number_solutions(selection.completions["solution_id"][selection.starts])
    completions = with_slot(selection.completions, numbers).sort("slot")
    merged, lost = merge(
        with_slot(events, numbers),
        gone.filter(pl.col("gone").is_in(WITHDRAWN)).select("solution_id", "labeler", "moment"),
        completions.filter(pl.col("written"))["slot"],
    )
    questions = counted.group_by("solution_id").agg(pl.col("question").min())
    # Both are sorted by slot: looking a row up is quicker than joining.
    texts = completions.drop("slot")[completions["slot"].search_sorted(merged["slot"])]
    asked = numbers.join(questions, on="solution_id", how="left", maintain_order="left")["question"]
    question = asked[merged.select(SOLUTION).to_series()]
    labels = pl.concat([merged.drop("slot"), texts, pl.DataFrame({"question": question})], how="horizontal")
    return labels.select(COLUMNS), +(dropped + lost)
