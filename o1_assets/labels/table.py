"""rNN/labels: all accepted batches merged into one rating a completion, whatever the order they came in.

The same labeller again: the later timestamp wins. Labellers who disagree: the majority; ties are dropped.
Counted and left out: quality-control and screening records, ratings that are null or flagged, and all that
a labeller said of a solution before calling it a bad problem or giving it up. What is left keeps the labelled
own path unbroken: nothing stands after an own step that is negative, tied or left out. An own step that a
labeller wrote has a row without a rating. What stood before a completion are the own steps before its step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from o1_assets.artifact import Outcome, Task, Waiting
from o1_assets.evaluation.plots import save_png
from o1_assets.labels.config import LabelsConfig
from o1_assets.labels.control import Controlled, control, people_batches, read_gold
from o1_assets.labels.inbox import RATINGS, RECORDS
from o1_assets.labels.merge import merge
from o1_assets.labels.quality import Figures, label_figures
from o1_assets.labels.quality_chart import quality_chart
from o1_assets.labels.schema import WITHDRAWN
from o1_assets.labels.selection import Selection
from o1_assets.labels.slots import numbered, with_slot

COLUMNS = (
    "solution_id", "problem_id", "question", "step", "completion", "text",
    "rating", "labeler", "batch", "line",
)  # fmt: skip


def make_labels(task: Task, config: LabelsConfig) -> Outcome:
    """Inputs: selection, batches. Writes labels.parquet (a row a completion) and solutions.parquet (those labelled)."""
    selection = Selection.load(task.inputs["selection"])
    batches = task.inputs["batches"]
    made = labels_of(batches, selection, config, people_batches(batches))
    labels, dropped = made.table, made.dropped
    if labels.is_empty() and made.control.excluded:
        raise Waiting(_what_to_do(config, made.control.quality))
    solutions = selection.table.join(labels.select("solution_id").unique(), on="solution_id", how="semi")
    labels.write_parquet(task.out / "labels.parquet")
    solutions.write_parquet(task.out / "solutions.parquet")
    made.control.quality.write_parquet(task.out / "quality.parquet")
    if chart := quality_chart(made.control.quality, config.quality.min_agreement):
        save_png(task.out / "plots" / "labellers.png", *chart)
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
            **made.control.figures,
            **made.effect,
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
    """labels.parquet's rows from a folder of rNN/label_batches, and what was dropped, by reason.

    Nobody is judged or excluded.
    """
    made = labels_of(batches, selection, config, people=())
    return made.table, made.dropped


@dataclass(frozen=True)
class LabelTable:
    """table: labels.parquet. effect: what excluding labellers changed in it, empty if nobody was."""

    table: pl.DataFrame
    dropped: Counter[str]
    control: Controlled
    effect: Figures


def labels_of(
    batches: Path, selection: Selection, config: LabelsConfig, people: Collection[str]
) -> LabelTable:
    """The label table of a folder of rNN/label_batches, after quality control of the batches in `people`."""
    events = pl.read_parquet(batches / RATINGS)
    records = pl.read_parquet(batches / RECORDS)
    dropped = Counter[str]()
    for name in ("quality_control", "screening"):
        dropped[f"{name}_records"] = records.filter(pl.col(name)).height
    is_check = pl.col("quality_control") | pl.col("screening")
    checks, records = records.filter(is_check), records.filter(~is_check)
    for reason, count in records.filter(pl.col("misfit") != "").group_by("misfit").len().iter_rows():
        dropped[f"{reason}_records"] = count
    records = records.filter(pl.col("misfit") == "")
    for reason in WITHDRAWN:
        dropped[f"{reason}_records"] = records.filter(pl.col("finish_reason") == reason).height
    gone = pl.col("finish_reason").is_in(WITHDRAWN).fill_null(False)
    withdrawn, counted = records.filter(gone), records.filter(~gone)
    dropped["not_rated_yet"] = int(counted["not_rated"].sum())
    numbers = numbered(selection.completions["solution_id"])
    completions = with_slot(selection.completions, numbers)
    standing = _events_of(events, pl.concat([counted, checks.filter(~gone)]))
    controlled = control(with_slot(standing, numbers), read_gold(batches), people, config.quality)

    def merged_from(some: pl.DataFrame) -> tuple[pl.DataFrame, Counter[str]]:
        withdrawals = withdrawn.select("solution_id", "labeler", "moment")
        return merge(some, withdrawals, completions.filter(pl.col("written"))["slot"])

    merged, lost = merged_from(controlled.counted)
    effect: Figures = {}
    if controlled.excluded:
        effect = label_figures(merged_from(controlled.rated)[0], merged)
    questions = counted.group_by("solution_id").agg(pl.col("question").min())
    labels = (
        merged.join(completions, on="slot", how="inner", maintain_order="left")
        .join(questions, on="solution_id", how="inner", maintain_order="left")
        .select(COLUMNS)
    )
    return LabelTable(labels, +(dropped + lost), controlled, effect)


def _events_of(events: pl.DataFrame, records: pl.DataFrame) -> pl.DataFrame:
    """Ratings made in these records. One that counts for nothing is rare: its absence is quicker to look for."""
    gone = events.select("batch", "line").unique().join(records, on=["batch", "line"], how="anti")
    return events.join(gone, on=["batch", "line"], how="anti") if gone.height else events


def _what_to_do(config: LabelsConfig, quality: pl.DataFrame) -> str:
    out = quality.filter("excluded")
    return (
        f"{config.round} waits for labellers who pass quality control: all ratings came from {out.height} labellers "
        f"who agree with less than {config.quality.min_agreement:.0%} of the known ratings "
        f"({', '.join(out['labeler'].head(5))}); have others rate, or lower quality.min_agreement"
    )
