"""Quality control: whose ratings count. Labellers are judged on solutions whose ratings are known.

After Lightman et al. 2023: who agrees with less than 75% of the ratings of the screening problems does not
enter, and gold problems among those of every generation show who drifts. Pure functions of frames; `words` is
what `agreement.last_words` makes of the rating events, with quality_control and screening.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import polars as pl

from o1_assets.artifact import Figures
from o1_assets.labels.agreement import alpha, counts_of, percent, ratings_in, with_peers
from o1_assets.labels.config import QualityConfig

SLOT = ["solution_id", "step", "completion"]

GOLD: dict[str, Any] = {
    "solution_id": pl.String, "step": pl.Int32, "completion": pl.Int32, "rating": pl.Int8,
}  # fmt: skip
QUALITY: dict[str, Any] = {
    "labeler": pl.String, "ratings": pl.Int64, "gold_ratings": pl.Int64, "gold_agreement": pl.Float64,
    "gold_alpha": pl.Float64, "screening_ratings": pl.Int64, "screening_agreement": pl.Float64,
    "shared_ratings": pl.Int64, "peer_agreement": pl.Float64, "peer_alpha": pl.Float64,
    "excluded": pl.Boolean, "reason": pl.String,
}  # fmt: skip
"""quality.parquet, a row a labeller. ratings: those that may become labels. gold_*: on gold solutions of the
round. screening_*: on screening problems. shared_*, peer_*: see `agreement.with_peers`. reason: why excluded."""


def judge_labelers(words: pl.DataFrame, gold: pl.DataFrame, config: QualityConfig) -> pl.DataFrame:
    """The table QUALITY, ordered by labeller. gold: columns of GOLD.

    The leads, whose ratings are the gold, are measured but never excluded; nor is anybody on fewer than
    config.min_ratings ratings of gold, or of screening. A labeller who only did the screening is judged too.
    """
    said = ratings_in(words)
    known = gold.select(*SLOT, known=pl.col("rating"))
    near = said.filter(pl.col("solution_id").is_in(gold["solution_id"].unique().to_list()))
    compared = near.join(known, on=SLOT, how="inner").with_columns(hit=pl.col("rating") == pl.col("known"))
    on_gold = _agreement(compared.filter(~pl.col("screening")), "gold")
    on_screening = _agreement(compared.filter("screening"), "screening").drop("screening_alpha")
    working = said.filter(~pl.col("screening"))
    labels = (
        working.filter(~pl.col("quality_control")).group_by("labeler").agg(ratings=pl.len().cast(pl.Int64))
    )
    table = words.select("labeler").unique()
    for part in (labels, on_gold, on_screening, with_peers(working.filter("shared"))):
        table = table.join(part, on="labeler", how="left")
    counts = ["ratings", "gold_ratings", "screening_ratings", "shared_ratings"]
    reason = (
        pl.when(pl.col("labeler").is_in(list(config.leads)))
        .then(None)
        .when(_fails("screening", config))
        .then(pl.lit("screening"))
        .when(_fails("gold", config))
        .then(pl.lit("gold"))
    )
    return (
        table.with_columns(pl.col(counts).fill_null(0))
        .with_columns(reason=reason)
        .with_columns(excluded=pl.col("reason").is_not_null())
        .select(pl.col(name).cast(kind) for name, kind in QUALITY.items())
        .sort("labeler")
    )


def without_excluded(rows: pl.DataFrame, quality: pl.DataFrame) -> pl.DataFrame:
    """The rows of labellers who are not excluded."""
    return rows.join(quality.filter("excluded"), on="labeler", how="anti", maintain_order="left")


def agreement_figures(words: pl.DataFrame, quality: pl.DataFrame) -> Figures:
    """How many were excluded, and how far labellers agree before and after it; None without shared completions."""
    said = ratings_in(words.filter("shared")).filter(~pl.col("screening"))
    before = counts_of(said)
    after = counts_of(without_excluded(said, quality)) if quality["excluded"].any() else before
    return {
        "labelers": quality.height,
        "labelers_excluded": quality.filter("excluded").height,
        "agreement_before": percent(before),
        "agreement_after": percent(after),
        "alpha_before": alpha(before),
        "alpha_after": alpha(after),
    }


def label_figures(before: pl.DataFrame, after: pl.DataFrame) -> Figures:
    """What exclusion did to the label table. Both: one row a completion (slot and rating)."""
    both = before.join(after, on="slot", how="inner", suffix="_after")
    return {
        "labels_removed_by_exclusion": before.height - both.height,
        "labels_added_by_exclusion": after.height - both.height,
        "labels_changed_by_exclusion": both.filter(pl.col("rating") != pl.col("rating_after")).height,
    }


def lead_gold(words: pl.DataFrame, leads: Collection[str]) -> pl.DataFrame:
    """What the leads say: columns of GOLD. Where they contradict each other, it is not known."""
    said = ratings_in(words).filter(pl.col("labeler").is_in(list(leads)))
    one = said.group_by(SLOT).agg(pl.col("rating").first(), values=pl.col("rating").n_unique())
    return (
        one.filter(pl.col("values") == 1)
        .select(pl.col(name).cast(kind) for name, kind in GOLD.items())
        .sort(SLOT)
    )


def _agreement(compared: pl.DataFrame, name: str) -> pl.DataFrame:
    """A row a labeller: NAME_ratings, NAME_agreement (share of hits) and NAME_alpha (with what is known)."""
    rows = compared.group_by("labeler").agg(
        pl.len().cast(pl.Int64).alias(f"{name}_ratings"), pl.col("hit").mean().alias(f"{name}_agreement")
    )
    both = pl.concat(
        [compared.select("labeler", "slot", pl.col(c).alias("rating")) for c in ("rating", "known")]
    )
    alphas = [alpha(counts_of(both.filter(pl.col("labeler") == who))) for who in rows["labeler"]]
    return rows.with_columns(pl.Series(f"{name}_alpha", alphas, dtype=pl.Float64))


def _fails(name: str, config: QualityConfig) -> pl.Expr:
    enough = pl.col(f"{name}_ratings") >= config.min_ratings
    return enough & (pl.col(f"{name}_agreement") < config.min_agreement)
