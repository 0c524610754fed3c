"""How far labellers agree: percent, and Krippendorff's alpha, on one rating a labeller and completion.

All of it is counted a completion (`slots.py`), never a pair of labellers: a million ratings take a second.
"""

from __future__ import annotations

import numpy as np
import polars as pl

VALUES = (-1, 0, 1)


COUNTS = [f"rated {value}" for value in VALUES]


def last_words(events: pl.DataFrame) -> pl.DataFrame:
    """What each labeller said last of each completion; what was said in screening is kept apart.

    events: slot, labeler, moment, batch, line, rating, flagged and screening. Moments that are equal are settled
    by content, as in the label table. Most completions have one word only and need no sorting: `shared` says of a
    row whether there were others about its completion, so that nobody has to look for them again.
    """
    several = events["slot"].is_duplicated()
    alone = events.filter(~several).with_columns(shared=pl.lit(False))
    if alone.height == events.height:
        return alone
    order = ["moment", "rating", "flagged", "batch", "line"]
    newest = events.filter(several).sort(order)
    whose = [pl.col(name).rank("dense").alias(f"{name} rank") for name in ("slot", "labeler")]
    newest = newest.with_columns(whose).unique(
        ["slot rank", "labeler rank", "screening"], keep="last", maintain_order=True
    )
    return pl.concat([alone, newest.select(*events.columns, shared=pl.lit(True))])


def ratings_in(words: pl.DataFrame) -> pl.DataFrame:
    """The rows that hold a rating: what is null (unsure) or flagged says nothing."""
    return words.filter(pl.col("rating").is_not_null() & ~pl.col("flagged").fill_null(False))


def alpha(counts: pl.DataFrame) -> float | None:
    """Krippendorff's alpha at the ordinal level, from `counts_of` (or any rows with COUNTS, one a completion).

    1 is agreement, 0 what chance would give; None without two ratings of one completion and two values among
    them. Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability".
    """
    import krippendorff

    # In an order of their own: the sum of floats must not depend on that of the rows.
    alike = counts.group_by(COUNTS).agg(rows=pl.len()).sort(COUNTS)
    table = np.repeat(alike.select(COUNTS).to_numpy(), alike["rows"].to_numpy(), axis=0)
    table = table[table.sum(axis=1) > 1]
    if (table.sum(axis=0) > 0).sum() < 2:
        return None
    return float(krippendorff.alpha(value_counts=table, value_domain=VALUES, level_of_measurement="ordinal"))


def percent(counts: pl.DataFrame) -> float | None:
    """Share of all pairs of ratings of one completion that are equal, from `counts_of`; None if there are no pairs."""
    table = counts.select(COUNTS).to_numpy()
    each = table.sum(axis=1)
    pairs = int((each * (each - 1)).sum())
    return int((table * (table - 1)).sum()) / pairs if pairs else None


def counts_of(ratings: pl.DataFrame) -> pl.DataFrame:
    """A row for each completion that two or more rated: slot, and how many gave each value (COUNTS)."""
    return (
        ratings.filter(pl.col("slot").is_duplicated())
        .group_by("slot")
        .agg(
            (pl.col("rating") == value).sum().cast(pl.Int64).alias(name)
            for value, name in zip(VALUES, COUNTS, strict=True)
        )
    )


def with_peers(ratings: pl.DataFrame) -> pl.DataFrame:
    """A row a labeller: shared_ratings (on completions that another rated too), peer_agreement, peer_alpha.

    peer_agreement: share of equal pairs of one rating of the labeller's and one of another's. peer_alpha: alpha
    of everybody on the completions that the labeller shares.
    """
    shared = ratings.select("slot", "labeler", "rating").filter(pl.col("slot").is_duplicated())
    shared = shared.join(counts_of(shared), on="slot", how="inner")
    same = pl.coalesce(
        pl.when(pl.col("rating") == value).then(name) for value, name in zip(VALUES, COUNTS, strict=True)
    )
    rows = shared.group_by("labeler").agg(
        shared_ratings=pl.len().cast(pl.Int64),
        peer_agreement=(same - 1).sum() / (pl.sum_horizontal(COUNTS) - 1).sum(),
    )
    alphas = {str(who): alpha(part) for (who,), part in shared.group_by("labeler")}
    return rows.with_columns(
        peer_alpha=pl.Series([alphas[who] for who in rows["labeler"]], dtype=pl.Float64)
    ).sort("labeler")
