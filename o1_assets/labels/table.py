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
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from o1_assets.artifact import Figures, Outcome, Task, Waiting
from o1_assets.evaluation.plots import save_png
from o1_assets.labels.batch import RATINGS, RECORDS
from o1_assets.labels.config import LabelsConfig
from o1_assets.labels.control import Controlled, digests_from_people, read_gold
from o1_assets.labels.hearing import hear
from o1_assets.labels.merge import merge
from o1_assets.labels.quality import label_figures
from o1_assets.labels.quality_chart import quality_chart
from o1_assets.labels.schema import WITHDRAWN
from o1_assets.labels.selection import Selection
from o1_assets.labels.slots import SOLUTION, with_slot

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
    batches = task.inputs["batches"]
    made = labels_of(batches, selection, config, digests_from_people(batches))
    labels, dropped = made.table, made.dropped
    if labels.is_empty() and made.control.excluded:
        raise Waiting(_what_to_do(config, made.control.quality))
    chosen = pl.scan_parquet(selection.folder / "solutions.parquet").drop(LONG, strict=False).collect()
    solutions = chosen.join(labels.select("solution_id").unique(), on="solution_id", how="semi")
    # A million labels are written again for every batch: the quickest level is as small within a twentieth.
    labels.write_parquet(task.out / "labels.parquet", compression="zstd", compression_level=1)
    solutions.write_parquet(task.out / "solutions.parquet", compression="zstd", compression_level=1)
    made.control.quality.write_parquet(task.out / "quality.parquet")
    if chart := quality_chart(made.control.quality, config.quality.min_agreement):
        save_png(task.out / "plots" / "labellers.png", *chart)
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
            **made.control.figures,
            **made.effect,
            **{f"dropped_{reason}": count for reason, count in sorted(dropped.items())},
        },
        rows=labels.height,
        sample=labels.head(5)
        .select("question", "step", "completion", "text", "rating", "labeler")
        .to_dicts(),
    )


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
    numbers = selection.numbers
    with ThreadPoolExecutor(1) as pool:  # a million texts are read meanwhile
        reading = pool.submit(lambda: with_slot(selection.completions, numbers))
        ratings, records = pl.read_parquet(batches / RATINGS), pl.read_parquet(batches / RECORDS)
        heard = hear(ratings, records, read_gold(batches), selection, people, config.quality)
        controlled, completions = heard.control, reading.result()
    if not completions["slot"].is_sorted():
        completions = completions.sort("slot")

    def merged_from(some: pl.DataFrame) -> tuple[pl.DataFrame, Counter[str]]:
        withdrawn = heard.gone.filter(pl.col("gone").is_in(WITHDRAWN))
        written = completions.filter(pl.col("written"))["slot"]
        return merge(some, withdrawn.select("solution_id", "labeler", "moment"), written)

    merged, lost = merged_from(controlled.counted)
    effect: Figures = {}
    if controlled.excluded:
        effect = label_figures(merged_from(controlled.rated)[0], merged)
    questions = heard.counted.group_by("solution_id").agg(pl.col("question").min())
    # Both are sorted by slot: looking a row up is quicker than joining.
    texts = completions.drop("slot")[completions["slot"].search_sorted(merged["slot"])]
    asked = numbers.join(questions, on="solution_id", how="left", maintain_order="left")["question"]
    question = asked[merged.select(SOLUTION).to_series()]
    labels = pl.concat([merged.drop("slot"), texts, pl.DataFrame({"question": question})], how="horizontal")
    return LabelTable(labels.select(COLUMNS), +(heard.dropped + lost), controlled, effect)


def _what_to_do(config: LabelsConfig, quality: pl.DataFrame) -> str:
    out = quality.filter("excluded")
    return (
        f"{config.round} waits for labellers who pass quality control: all ratings came from {out.height} labellers "
        f"who agree with less than {config.quality.min_agreement:.0%} of the known ratings "
        f"({', '.join(out['labeler'].head(5))}); have others rate, or lower quality.min_agreement"
    )
