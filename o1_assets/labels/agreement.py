"""How far labellers agree: percent, and Krippendorff's alpha, on one rating a labeller and completion.

Ratings are frames with a row a rating: solution_id, step, completion, labeler, rating (-1, 0 or 1). All of it
is counted a completion, never a pair of labellers, so a million ratings take a second.
"""

from __future__ import annotations

import polars as pl

SLOT = ["solution_id", "step", "completion"]
VALUES = (-1, 0, 1)


def standing(events: pl.DataFrame) -> pl.DataFrame:
    """What each labeller says last of each completion; what is null (unsure) or flagged says nothing.

    events: also moment, batch, line, flagged and screening. What was said in screening is kept apart.
    """
    return (
        events.sort("moment", "rating", "flagged", "batch", "line")
        .unique([*SLOT, "labeler", "screening"], keep="last", maintain_order=True)
        .filter(pl.col("rating").is_not_null() & ~pl.col("flagged").fill_null(False))
    )


def alpha(ratings: pl.DataFrame) -> float | None:
    """Krippendorff's alpha at the ordinal level; None unless a completion has two ratings and two values occur.

    1 is agreement, 0 what chance would give. Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability".
    """
    import krippendorff

    counts = _counts(ratings).filter(pl.col("raters") > 1)
    table = counts.select(str(value) for value in VALUES).to_numpy()
    if (table.sum(axis=0) > 0).sum() < 2:
        return None
    return float(krippendorff.alpha(value_counts=table, value_domain=VALUES, level_of_measurement="ordinal"))


def percent(ratings: pl.DataFrame) -> float | None:
    """Share of all pairs of ratings of one completion that are equal; None if there are no pairs."""
    counts = _counts(ratings)
    pairs = int((counts["raters"] * (counts["raters"] - 1)).sum())
    equal = sum(int((counts[str(value)] * (counts[str(value)] - 1)).sum()) for value in VALUES)
    return equal / pairs if pairs else None


def with_peers(ratings: pl.DataFrame) -> pl.DataFrame:
    """A row a labeller: shared_ratings (on completions that another rated too), peer_agreement, peer_alpha.

    peer_agreement: share of equal pairs of one rating of the labeller's and one of another's. peer_alpha: alpha
    of everybody on the completions that the labeller shares.
    """
    shared = ratings.with_columns(
        others=pl.len().over(SLOT).cast(pl.Int64) - 1,
        equal=pl.len().over(*SLOT, "rating").cast(pl.Int64) - 1,
    ).filter(pl.col("others") > 0)
    rows = shared.group_by("labeler").agg(
        shared_ratings=pl.len().cast(pl.Int64), peer_agreement=pl.col("equal").sum() / pl.col("others").sum()
    )
    alphas = [
        alpha(shared.join(shared.filter(pl.col("labeler") == who), on=SLOT, how="semi"))
        for who in rows["labeler"]
    ]
    return rows.with_columns(peer_alpha=pl.Series(alphas, dtype=pl.Float64)).sort("labeler")


def _counts(ratings: pl.DataFrame) -> pl.DataFrame:
    """A row a completion: how many gave each value, named by it, and raters, how many there are."""
    values = [(pl.col("rating") == value).sum().cast(pl.Int64).alias(str(value)) for value in VALUES]
    return ratings.group_by(SLOT).agg(*values, raters=pl.len().cast(pl.Int64))
