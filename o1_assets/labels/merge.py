"""Many people's ratings to one rating a completion. A pure function of the set of ratings, not of their order."""

from __future__ import annotations

from collections import Counter

import numpy as np
import polars as pl

from o1_assets.labels.slots import COMPLETION, SOLUTION, STEP

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
