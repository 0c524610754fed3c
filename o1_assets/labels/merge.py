"""Many people's ratings to one rating a completion. A pure function of the set of ratings, not of their order."""

from __future__ import annotations

from collections import Counter

import polars as pl

SLOT = ["solution_id", "step", "completion"]
_SETTLED = ["moment", "rating", "flagged", "batch", "line"]


def merge(
    events: pl.DataFrame, withdrawals: pl.DataFrame, written: pl.DataFrame
) -> tuple[pl.DataFrame, Counter[str]]:
    """SLOT, rating, labeler, batch and line, one row a slot; and how many ratings were dropped, by reason.

    events: columns of EVENT. withdrawals: solution_id, labeler, moment; the labeller called it a bad problem
    or gave it up, and what they said until then falls. written: solution_id, step of own steps that a
    labeller wrote: never rated, and right by the word of who wrote them.

    The row of a slot names the newest of the ratings that agree with the majority. What one labeller says of
    one completion at one and the same moment is settled by content (the better rating), never by its place
    in a batch, so that how ratings are cut into batches changes none.
    """
    dropped: Counter[str] = Counter()
    said = events.sort([*SLOT, "labeler", *_SETTLED], nulls_last=False)

    def keep(rows: pl.DataFrame, kept: pl.DataFrame, reason: str) -> pl.DataFrame:
        if kept.height < rows.height:
            dropped[reason] += rows.height - kept.height
        return kept

    latest = keep(
        said, said.unique([*SLOT, "labeler"], keep="last", maintain_order=True), "superseded_ratings"
    )
    standing = keep(latest, _not_withdrawn(latest, withdrawals), "withdrawn_ratings")
    own_written = pl.col("completion") == 0
    standing = standing.join(written, on=["solution_id", "step"], how="left", maintain_order="left")
    by_hand = standing.filter(own_written & pl.col("written").fill_null(False))
    rated = standing.filter(~(own_written & pl.col("written").fill_null(False))).drop("written")
    votes = keep(rated, rated.filter(~pl.col("flagged")), "flagged_ratings")
    votes = keep(votes, votes.filter(pl.col("rating").is_not_null()), "null_ratings")
    counted = (
        votes.sort(_SETTLED)
        .group_by(*SLOT, "rating")
        .agg(pl.len().alias("votes"), pl.col("labeler", "batch", "line").last())
    )
    top = counted.filter(pl.col("votes") == pl.col("votes").max().over(SLOT))
    decided = top.filter(pl.len().over(SLOT) == 1)
    if tied := top.select(SLOT).n_unique() - decided.height:
        dropped["tied_completions"] += tied
    columns = [*SLOT, "rating", "labeler", "batch", "line"]
    path = pl.concat(
        [
            decided.select(columns),
            by_hand.sort(_SETTLED).unique(SLOT, keep="last", maintain_order=True).select(columns),
        ]
    )
    unbroken = keep(path, _on_labelled_path(path, written), "after_undecided_completions")
    return unbroken.sort(SLOT), dropped


def _not_withdrawn(rows: pl.DataFrame, withdrawals: pl.DataFrame) -> pl.DataFrame:
    fell = withdrawals.group_by("solution_id", "labeler").agg(pl.col("moment").max().alias("fell"))
    joined = rows.join(fell, on=["solution_id", "labeler"], how="left", maintain_order="left")
    return joined.filter(pl.col("fell").is_null() | (pl.col("moment") > pl.col("fell"))).drop("fell")


def _on_labelled_path(rows: pl.DataFrame, written: pl.DataFrame) -> pl.DataFrame:
    """Rows whose prefix is known to be right: all own steps before them are right by rating or by hand."""
    rated_right = rows.filter((pl.col("completion") == 0) & (pl.col("rating") >= 0))
    right = (
        pl.concat([rated_right.select("solution_id", "step"), written.select("solution_id", "step")])
        .unique()
        .sort("solution_id", "step")
    )
    leading = right.filter(pl.col("step") == pl.int_range(pl.len()).over("solution_id"))
    known = leading.group_by("solution_id").agg(pl.len().alias("known"))
    joined = rows.join(known, on="solution_id", how="left", maintain_order="left")
    return joined.filter(pl.col("step") <= pl.col("known").fill_null(0)).drop("known")
