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

import numpy as np
import polars as pl

from o1_assets.core import plots
from o1_assets.core.artifact import Figures, Outcome, Task, Waiting
from o1_assets.core.plots import Axis, Series, save_png
from o1_assets.labels.config import LabelsConfig
from o1_assets.labels.inbox.batch import RATINGS, RECORDS
from o1_assets.labels.quality_control import Controlled, digests_from_people, hear, label_figures, read_gold
from o1_assets.labels.schema import WITHDRAWN
from o1_assets.labels.selection import COMPLETION, SOLUTION, STEP, Selection, with_slot

# Many people's ratings to one rating a completion. A pure function of the set of ratings, not of their order.

_SETTLED = ["moment", "rating", "flagged", "labeler", "batch", "line"]


_KEPT = ["slot", "rating", "labeler", "batch", "line"]


def merge(
    events: pl.DataFrame, withdrawals: pl.DataFrame, written: pl.Series
) -> tuple[pl.DataFrame, Counter[str]]:
    """slot, rating, labeler, batch and line, one row a slot; and how many ratings were dropped, by reason.

    events: columns of EVENT, and slot. withdrawals: solution_id, labeler, moment; the labeller called it a bad
    problem or gave it up, and what they said until then falls. written: slots of own steps that a labeller
    wrote: never rated, and right by the word of who wrote them.

    The row of a slot names the newest of the ratings that agree with the majority. What one labeller says of
    one completion at one and the same moment is settled by content (the better rating), never by its place
    in a batch, so that how ratings are cut into batches changes none.
    """
    dropped: Counter[str] = Counter()
    by_hand = pl.col("slot").is_in(written.implode())

    def keep(rows: pl.DataFrame, kept: pl.DataFrame, reason: str) -> pl.DataFrame:
        dropped[reason] += rows.height - kept.height
        return kept

    def standing(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        rows = keep(rows, _not_withdrawn(rows, withdrawals), "withdrawn_ratings")
        rated = rows.filter(~by_hand)
        votes = keep(rated, rated.filter(~pl.col("flagged")), "flagged_ratings")
        return keep(votes, votes.filter(pl.col("rating").is_not_null()), "null_ratings"), rows.filter(by_hand)

    # Most slots have one rating, which needs no comparing with others.
    is_alone = events["slot"].is_unique()
    alone, several = events.filter(is_alone), events.filter(~is_alone)
    single, hand = standing(alone)
    votes, hands = standing(keep(several, _latest(several), "superseded_ratings"))
    decided, dropped["tied_completions"] = _majority(votes)
    own = pl.concat([hand, hands]).sort(_SETTLED).unique("slot", keep="last")
    path = pl.concat([single.select(_KEPT), decided, own.select(_KEPT)]).sort("slot")
    unbroken = keep(path, _on_labelled_path(path, written), "after_undecided_completions")
    return unbroken, +dropped


def _latest(events: pl.DataFrame) -> pl.DataFrame:
    """The newest word of each labeller on each slot."""
    ordered = events.sort(_SETTLED, nulls_last=False)
    return ordered.unique(["slot", "labeler"], keep="last", maintain_order=True)


def _majority(votes: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """One row for each slot that has a majority, and the number of slots that are tied."""
    counted = (
        votes.sort(_SETTLED)
        .group_by("slot", "rating")
        .agg(pl.len().alias("votes"), pl.col("labeler", "batch", "line").last())
    )
    top = counted.filter(pl.col("votes") == pl.col("votes").max().over("slot"))
    decided = top.filter(pl.len().over("slot") == 1)
    return decided.select(_KEPT), top["slot"].n_unique() - decided.height


def _not_withdrawn(rows: pl.DataFrame, withdrawals: pl.DataFrame) -> pl.DataFrame:
    if not withdrawals.height:
        return rows
    fell = withdrawals.group_by("solution_id", "labeler").agg(pl.col("moment").max().alias("fell"))
    joined = rows.join(fell, on=["solution_id", "labeler"], how="left", maintain_order="left")
    return joined.filter(pl.col("fell").is_null() | (pl.col("moment") > pl.col("fell"))).drop("fell")


def _on_labelled_path(rows: pl.DataFrame, written: pl.Series) -> pl.DataFrame:
    """Rows whose prefix is known to be right: all own steps before them are right by rating or by hand.

    rows: sorted by slot.
    """
    place = rows.select(SOLUTION.alias("solution"), STEP.alias("step"), COMPLETION.alias("completion"))
    solution, step, completion = (place[name].to_numpy() for name in place.columns)
    right = (completion == 0) & rows.select(
        (pl.col("rating") >= 0).fill_null(False) | pl.col("slot").is_in(written.implode())
    ).to_series().to_numpy()
    solutions, steps = solution[right], step[right]
    first = np.searchsorted(solutions, solutions)
    unbroken = steps == np.arange(len(steps)) - first
    known = np.bincount(solutions[unbroken], minlength=int(solution.max(initial=0)) + 1)
    return rows.filter(pl.Series(step <= known[solution]))


# A round's labellers side by side: how far each agrees with what is known, and who is excluded.

NAMES = 8
"""Labellers named below the axis; more are numbered, in the order of quality.parquet sorted by agreement."""


def quality_chart(quality: pl.DataFrame, min_agreement: float) -> tuple[list[Series], Axis] | None:
    """Labellers from the lowest agreement to the highest; None if nobody rated gold or screening solutions."""
    judged = quality.with_columns(
        agreement=pl.when(pl.col("reason") == "screening")
        .then("screening_agreement")
        .otherwise(pl.coalesce("gold_agreement", "screening_agreement"))
    )
    rows = judged.drop_nulls("agreement").sort("agreement", "labeler")
    if rows.is_empty():
        return None
    x = list(range(1, rows.height + 1))

    def column(name: str, where: pl.Expr) -> list[float | None]:
        return rows.select(pl.when(where).then(name)).to_series().to_list()

    out, everybody = pl.col("excluded"), pl.lit(True)
    series = [
        Series("threshold", [0.5, rows.height + 0.5], [min_agreement] * 2, plots.GREY, style="dashed"),
        Series("with others", x, column("peer_agreement", everybody), plots.SKY, style="points"),
        Series("with gold", x, column("agreement", ~out), plots.BLUE, style="points"),
        Series("excluded", x, column("agreement", out), plots.RED, style="points"),
    ]
    named = rows.height <= NAMES
    axis = Axis(
        f"{rows['excluded'].sum()} of {rows.height} labellers excluded",
        "labeller" if named else "labeller, by agreement",
        "ratings that agree",
        ticks=x if named else None,
        tick_labels=[str(name)[:10] for name in rows["labeler"]] if named else None,
        from_zero=True,
    )
    return [one for one in series if any(y is not None for y in one.y)], axis


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
