"""Many people's ratings to one rating a completion. A pure function of the set of ratings, not of their order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import polars as pl

Event = tuple[str, int, int, str, int, str, int, int | None, bool]
"""solution_id, step, completion, labeler, moment (microseconds since 1970), batch, line, rating, flagged."""
Withdrawal = tuple[str, str, int]
"""solution_id, labeler, moment: the labeller called it a bad problem or gave it up; earlier ratings fall."""

EVENT = {
    "solution_id": pl.String, "step": pl.Int32, "completion": pl.Int32, "labeler": pl.String, "moment": pl.Int64,
    "batch": pl.String, "line": pl.Int32, "rating": pl.Int8, "flagged": pl.Boolean,
}  # fmt: skip
SLOT = ["solution_id", "step", "completion"]


def merge(events: Sequence[Event], withdrawals: Sequence[Withdrawal]) -> tuple[pl.DataFrame, Counter[str]]:
    """Columns of EVENT without moment and flagged, one row a slot; and how many ratings were dropped, by reason.

    The row of a slot names the newest of the ratings that agree with the majority.
    """
    dropped: Counter[str] = Counter()
    said = pl.DataFrame(events, schema=EVENT, orient="row").sort("moment", "batch", "line")

    def keep(rows: pl.DataFrame, kept: pl.DataFrame, reason: str) -> pl.DataFrame:
        if kept.height < rows.height:
            dropped[reason] += rows.height - kept.height
        return kept

    latest = keep(
        said, said.unique([*SLOT, "labeler"], keep="last", maintain_order=True), "superseded_ratings"
    )
    standing = keep(latest, _not_withdrawn(latest, withdrawals), "withdrawn_ratings")
    votes = keep(standing, standing.filter(~pl.col("flagged")), "flagged_ratings")
    counted = votes.group_by(*SLOT, "rating").agg(
        pl.len().alias("votes"), pl.col("labeler", "moment", "batch", "line").last()
    )
    top = counted.filter(pl.col("votes") == pl.col("votes").max().over(SLOT))
    decided = top.filter(pl.len().over(SLOT) == 1)
    if tied := top.select(SLOT).n_unique() - decided.height:
        dropped["tied_completions"] += tied
    unbroken = keep(decided, _on_labelled_path(decided), "after_undecided_completions")
    return unbroken.select([*SLOT, "rating", "labeler", "batch", "line"]).sort(SLOT), dropped


def _not_withdrawn(rows: pl.DataFrame, withdrawals: Sequence[Withdrawal]) -> pl.DataFrame:
    schema = {"solution_id": pl.String, "labeler": pl.String, "fell": pl.Int64}
    fell = (
        pl.DataFrame(withdrawals, schema=schema, orient="row")
        .group_by("solution_id", "labeler")
        .agg(pl.col("fell").max())
    )
    joined = rows.join(fell, on=["solution_id", "labeler"], how="left", maintain_order="left")
    return joined.filter(pl.col("fell").is_null() | (pl.col("moment") > pl.col("fell"))).drop("fell")


def _on_labelled_path(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows whose prefix is known to be right: all own steps before them are rated, none negative."""
    right = rows.filter((pl.col("completion") == 0) & (pl.col("rating") >= 0)).sort("solution_id", "step")
    leading = right.filter(pl.col("step") == pl.int_range(pl.len()).over("solution_id"))
    known = leading.group_by("solution_id").agg(pl.len().alias("known"))
    joined = rows.join(known, on="solution_id", how="left", maintain_order="left")
    return joined.filter(pl.col("step") <= pl.col("known").fill_null(0)).drop("known")
