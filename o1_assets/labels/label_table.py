"""rNN/labels: all accepted batches merged into one rating per completion, whatever the order they came in.

Of two ratings by the same labeller the later one counts. Where labellers disagree the majority counts, and ties are
dropped. Left out, and counted: quality-control and screening records, ratings that are null or flagged, and all
ratings that a labeller gave to a solution before calling it a bad problem or giving it up. The labelled path stays
unbroken: no row stands after an own step that is negative, tied or left out. An own step that a labeller wrote has a
row without a rating. A completion's prefix is the own steps before its step.
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
from o1_assets.core.artifact import Check, CheckContext, Figures, Finding, Outcome, Task, Waiting
from o1_assets.core.plots import Axis, Series, save_png
from o1_assets.core.tables import read_parquet, scan_parquet
from o1_assets.labels.config import LabelsConfig
from o1_assets.labels.inbox.batch import RATINGS, RECORDS
from o1_assets.labels.inbox.reader import JUDGE
from o1_assets.labels.inbox.tables import with_written
from o1_assets.labels.quality_control import (
    FilteredLabels,
    apply_quality_control,
    digests_from,
    exclusion_figures,
    read_gold,
)
from o1_assets.labels.schema import WITHDRAWN
from o1_assets.labels.selection import COMPLETION, SOLUTION, STEP, Selection, with_completion_id
from o1_assets.labels.written import FILE as WRITTEN_FILE
from o1_assets.labels.written import written_figures, written_paths

COLUMNS = (
    "solution_id", "problem_id", "question", "step", "completion", "text",
    "rating", "labeler", "batch", "line",
)  # fmt: skip
# rNN/selection keeps these columns; repeating them would make every version of the labels as large as it.
LONG = ("text", "steps", "token_ids")

NAMES = 8
"""Labellers named below the axis; more are numbered, in the order of quality.parquet sorted by agreement."""

# By these columns equal ratings are put in one order, and the last row is taken.
_ORDER = ["moment", "rating", "flagged", "labeler", "batch", "line"]
_MERGED = ["completion_id", "rating", "labeler", "batch", "line"]


def make_labels(task: Task, config: LabelsConfig) -> Outcome:
    """Inputs: selection, batches. Writes labels.parquet (a row per completion), solutions.parquet, quality.parquet.

    written.parquet: a row for each solution that a labeller wrote steps of, if there is any. solutions.parquet has the
    labelled solutions, without the long columns that rNN/selection has.
    """
    selection = Selection.load(task.inputs["selection"])
    batches = task.inputs["batches"]
    merged = labels_of(batches, selection, config, digests_from(batches), digests_from(batches, JUDGE))
    labels, quality = merged.table, merged.filtered.quality
    # An empty table would end the run in the PRM's training; a round that waits is a run that succeeds.
    if labels.is_empty() and merged.filtered.excluded:
        raise Waiting(_what_to_do(config, quality))
    selected = scan_parquet(selection.folder / "solutions.parquet").drop(LONG, strict=False).collect()
    solutions = selected.join(labels.select("solution_id").unique(), on="solution_id", how="semi")
    # A million labels are written again for every batch: the quickest level is as small within a twentieth.
    labels.write_parquet(task.out / "labels.parquet", compression="zstd", compression_level=1)
    solutions.write_parquet(task.out / "solutions.parquet", compression="zstd", compression_level=1)
    quality.write_parquet(task.out / "quality.parquet")
    if merged.paths.height:
        merged.paths.write_parquet(task.out / WRITTEN_FILE)
    if chart := quality_chart(quality, config.quality.min_agreement):
        save_png(task.out / "plots" / "labellers.png", *chart)
    written = merged.paths if merged.paths.height or selection.writing else None
    return Outcome(
        figures={
            **label_figures(labels, written),
            "solutions_not_labelled": selected.height - solutions.height,
            **merged.filtered.figures,
            **merged.effect,
            **{f"dropped_{reason}": count for reason, count in sorted(merged.dropped.items())},
        },
        rows=labels.height,
        sample=labels.head(5)
        .select("question", "step", "completion", "text", "rating", "labeler")
        .to_dicts(),
    )


def label_figures(labels: pl.DataFrame, written: pl.DataFrame | None) -> Figures:
    """What is in a label table. written: columns of written.parquet; None where nobody was asked to write."""
    rating, is_own = labels["rating"], labels["completion"] == 0
    return {
        "labels": rating.count(),
        "positive": int((rating == 1).sum()),
        "neutral": int((rating == 0).sum()),
        "negative": int((rating == -1).sum()),
        "solutions": labels["solution_id"].n_unique(),
        "solutions_with_error": int(((rating == -1) & is_own).sum()),
        **({} if written is None else written_figures(written)),
    }


def _what_to_do(config: LabelsConfig, quality: pl.DataFrame) -> str:
    excluded = quality.filter("excluded")
    return (
        f"{config.round} waits for labellers who pass quality control: all ratings came from {excluded.height} "
        f"labellers who agree with less than {config.quality.min_agreement:.0%} of the known ratings "
        f"({', '.join(excluded['labeler'].head(5))}); have others rate, or lower quality.min_agreement"
    )


@dataclass(frozen=True)
class LabelTable:
    """table: labels.parquet. paths: written.parquet. dropped: ratings and records that became no label, by reason.
    effect: how the exclusion of labellers changed the table, empty if nobody was excluded."""

    table: pl.DataFrame
    paths: pl.DataFrame
    dropped: Counter[str]
    filtered: FilteredLabels
    effect: Figures


def labels_of(
    batches: Path,
    selection: Selection,
    config: LabelsConfig,
    people: Collection[str],
    judged: Collection[str] = (),
) -> LabelTable:
    """The label table of a folder of rNN/label_batches, after quality control.

    people, judged: digests of the batches that people, and a judge, filed.
    """
    numbers = selection.numbers
    # A million texts are read in a thread while the ratings are filtered.
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(lambda: with_completion_id(selection.completions, numbers))
        ratings, records = read_parquet(batches / RATINGS), with_written(read_parquet(batches / RECORDS))
        filtered = apply_quality_control(
            ratings, records, read_gold(batches), selection, people, config.quality, judged
        )
        completions = reading.result()
    if not completions["completion_id"].is_sorted():
        completions = completions.sort("completion_id")
    withdrawals = filtered.rejected.filter(pl.col("rejected").is_in(WITHDRAWN))
    withdrawals = withdrawals.select("solution_id", "labeler", "moment")
    written = completions.filter(pl.col("written"))["completion_id"]

    merged, dropped = merge(filtered.counted, withdrawals, written)
    effect: Figures = {}
    if filtered.excluded:
        effect = exclusion_figures(merge(filtered.rated, withdrawals, written)[0], merged)
    # Both are sorted by completion_id: looking a row up is quicker than joining.
    texts = completions.drop("completion_id")[
        completions["completion_id"].search_sorted(merged["completion_id"])
    ]
    # All records of a solution have its question; min picks one of them independently of their order.
    questions = filtered.records.group_by("solution_id").agg(pl.col("question").min())
    by_number = numbers.join(questions, on="solution_id", how="left", maintain_order="left")["question"]
    question = by_number[merged.select(SOLUTION).to_series()].to_frame("question")
    table = pl.concat([merged.drop("completion_id"), texts, question], how="horizontal")
    table = table.select(COLUMNS)
    asked = pl.col("solution_id").is_in(list(selection.writing))
    records = _not_withdrawn(filtered.counted_records.filter(asked), withdrawals)
    # Who corrects a solution has written what stands in the newest record, or nothing any more.
    newest = records.sort("moment", "batch", "line").unique(
        ["solution_id", "labeler"], keep="last", maintain_order=True
    )
    with_steps = newest.filter(pl.col("written").is_not_null())
    paths = written_paths(table, with_steps, selection)
    dropped["written_paths"] = with_steps.join(paths, on=["batch", "line"], how="anti").height
    return LabelTable(table, paths, +(filtered.dropped + dropped), filtered, effect)


def merge(
    events: pl.DataFrame, withdrawals: pl.DataFrame, written: pl.Series
) -> tuple[pl.DataFrame, Counter[str]]:
    """One row per completion (completion_id, rating, labeler, batch, line); how many ratings were dropped, by reason.

    events: columns of EVENT, and completion_id. withdrawals: solution_id, labeler, moment; the labeller called it a
    bad problem or gave it up, so ratings until then are dropped. written: completion_id of own steps that a labeller
    wrote: never rated, and right because a labeller wrote them.

    The row of a completion names the newest of the ratings that agree with the majority. It is a pure function of
    the set of ratings: two ratings of one labeller at the same moment are settled by content (the better one), never
    by their place in a batch, so how ratings are cut into batches changes nothing.
    """
    dropped: Counter[str] = Counter()
    is_written = pl.col("completion_id").is_in(written.implode())

    def drop(rows: pl.DataFrame, kept: pl.DataFrame, reason: str) -> pl.DataFrame:
        dropped[reason] += rows.height - kept.height
        return kept

    def valid(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Ratings that count, and rows of written steps."""
        rows = drop(rows, _not_withdrawn(rows, withdrawals), "withdrawn_ratings")
        rated = rows.filter(~is_written)
        votes = drop(rated, rated.filter(~pl.col("flagged")), "flagged_ratings")
        votes = drop(votes, votes.filter(pl.col("rating").is_not_null()), "null_ratings")
        return votes, rows.filter(is_written)

    # Most completions have one rating, which needs no comparing with others.
    is_alone = events["completion_id"].is_unique()
    alone, several = events.filter(is_alone), events.filter(~is_alone)
    single, single_written = valid(alone)
    votes, more_written = valid(drop(several, _latest(several), "superseded_ratings"))
    decided, dropped["tied_completions"] = _majority(votes)
    written_rows = pl.concat([single_written, more_written]).sort(_ORDER).unique("completion_id", keep="last")
    rows = pl.concat([single.select(_MERGED), decided, written_rows.select(_MERGED)]).sort("completion_id")
    unbroken = drop(rows, _on_labelled_path(rows, written), "after_undecided_completions")
    return unbroken, +dropped


def _latest(events: pl.DataFrame) -> pl.DataFrame:
    """The latest event of each labeller on each completion."""
    # A null sorts before every rating, so at equal moments a rating counts rather than "unsure".
    ordered = events.sort(_ORDER, nulls_last=False)
    return ordered.unique(["completion_id", "labeler"], keep="last", maintain_order=True)


def _majority(votes: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """One row for each completion that has a majority, and the number of completions that are tied."""
    counted = (
        votes.sort(_ORDER)
        .group_by("completion_id", "rating")
        .agg(pl.len().alias("votes"), pl.col("labeler", "batch", "line").last())
    )
    # Of three values two can have the most votes: then the completion is tied.
    top = counted.filter(pl.col("votes") == pl.col("votes").max().over("completion_id"))
    decided = top.filter(pl.len().over("completion_id") == 1)
    return decided.select(_MERGED), top["completion_id"].n_unique() - decided.height


def _not_withdrawn(rows: pl.DataFrame, withdrawals: pl.DataFrame) -> pl.DataFrame:
    if not withdrawals.height:
        return rows
    until = withdrawals.group_by("solution_id", "labeler").agg(until=pl.col("moment").max())
    joined = rows.join(until, on=["solution_id", "labeler"], how="left", maintain_order="left")
    # A labeller who comes back to the solution later rates it anew.
    return joined.filter(pl.col("until").is_null() | (pl.col("moment") > pl.col("until"))).drop("until")


def _on_labelled_path(rows: pl.DataFrame, written: pl.Series) -> pl.DataFrame:
    """Rows whose prefix is known to be right: all own steps before them are rated right or were written.

    rows: sorted by completion_id.
    """
    key = rows.select(SOLUTION.alias("solution"), STEP.alias("step"), COMPLETION.alias("completion"))
    solution, step, completion = (key[name].to_numpy() for name in key.columns)  # (rows,) each
    right = (completion == 0) & rows.select(
        (pl.col("rating") >= 0).fill_null(False) | pl.col("completion_id").is_in(written.implode())
    ).to_series().to_numpy()
    solutions, steps = solution[right], step[right]  # (right own steps,)
    # The right own steps of a solution are unbroken for as long as the k-th of them is step k.
    first = np.searchsorted(solutions, solutions)
    unbroken = steps == np.arange(len(steps)) - first
    # known[i]: how many own steps of solution i are right from the first one on.
    known = np.bincount(solutions[unbroken], minlength=int(solution.max(initial=0)) + 1)  # (solutions,)
    return rows.filter(pl.Series(step <= known[solution]))


def quality_chart(quality: pl.DataFrame, min_agreement: float) -> tuple[list[Series], Axis] | None:
    """Labellers from the lowest agreement to the highest; None if nobody rated gold or screening solutions."""
    assessed = quality.with_columns(
        agreement=pl.when(pl.col("reason") == "screening")
        .then("screening_agreement")
        .otherwise(pl.coalesce("gold_agreement", "screening_agreement"))
    )
    rows = assessed.drop_nulls("agreement").sort("agreement", "labeler")
    if rows.is_empty():
        return None
    x = list(range(1, rows.height + 1))

    def column(name: str, where: pl.Expr) -> list[float | None]:
        return rows.select(pl.when(where).then(name)).to_series().to_list()

    excluded, everybody = pl.col("excluded"), pl.lit(True)
    series = [
        Series("threshold", [0.5, rows.height + 0.5], [min_agreement] * 2, plots.GREY, style="dashed"),
        Series("with others", x, column("peer_agreement", everybody), plots.SKY, style="points"),
        Series("with gold", x, column("agreement", ~excluded), plots.BLUE, style="points"),
        Series("excluded", x, column("agreement", excluded), plots.RED, style="points"),
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
    return [each for each in series if any(y is not None for y in each.y)], axis


def broken_prefixes(labels: pl.DataFrame) -> int:
    """The number of rows before which an own step (completion 0) is missing or negative."""
    right = (
        # An own step without a rating was written by a labeller, and counts as right.
        labels.filter((pl.col("completion") == 0) & (pl.col("rating").is_null() | (pl.col("rating") >= 0)))
        .select("solution_id", "step")
        .unique()
        .sort("solution_id", "step")
    )
    # Sorted and counted from zero, a step is its own number for as long as none is missing.
    reach = (
        right.with_columns(number=pl.int_range(pl.len()).over("solution_id"))
        .filter(pl.col("number") == pl.col("step"))
        .group_by("solution_id")
        .agg(reach=pl.len())
    )
    joined = labels.join(reach, on="solution_id", how="left")
    return joined.filter(pl.col("step") > pl.col("reach").fill_null(0)).height


def _not_empty(context: CheckContext) -> Finding:
    labels = int(context.figures["labels"] or 0)
    return Finding(labels > 0, f"{labels} labels", {"labels": labels})


def _prefix_unbroken(context: CheckContext) -> Finding:
    broken = broken_prefixes(read_parquet(context.folder / "labels.parquet"))
    message = f"{broken} ratings stand after an own step that is negative or not rated"
    return Finding(broken == 0, message, {"broken": broken})


CHECKS = (
    Check("not_empty", "There is something to learn from.", _not_empty),
    Check(
        "prefix_unbroken",
        "Every rating stands after own steps that are all rated and not negative: what it was rated against.",
        _prefix_unbroken,
    ),
)
