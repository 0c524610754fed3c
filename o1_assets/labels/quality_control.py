"""Quality control: whose ratings count. Labellers are judged on solutions whose ratings are known.

After Lightman et al. 2023: who agrees with less than 75% of the ratings of the screening problems does not
enter, and gold problems among those of every generation show who drifts. Pure functions of frames; `words` is
what `agreement.last_words` makes of the rating events, with quality_control and screening.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from o1_assets.core.artifact import Figures
from o1_assets.labels.agreement import alpha, counts_of, last_words, percent, ratings_in, with_peers
from o1_assets.labels.config import QualityConfig
from o1_assets.labels.gold import GOLD, GOLD_FILE
from o1_assets.labels.inbox.batch import PEOPLE
from o1_assets.labels.inbox.round_tables import batch_sources
from o1_assets.labels.schema import WITHDRAWN
from o1_assets.labels.selection import Selection, with_slot

SLOT = ["solution_id", "step", "completion"]


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


# Quality control on a round's batches: from all rating events to those that count, and what it changed.


@dataclass(frozen=True)
class Controlled:
    """quality: columns of QUALITY, people only. rated: events that are no checks; counted: those of them that
    become labels. figures: empty without people."""

    quality: pl.DataFrame
    rated: pl.DataFrame
    counted: pl.DataFrame
    figures: Figures

    @property
    def excluded(self) -> int:
        return self.quality.filter("excluded").height


def control(
    events: pl.DataFrame, gold: pl.DataFrame, people: Collection[str], config: QualityConfig
) -> Controlled:
    """Leaves out quality-control and screening records, and everything from people who are excluded.

    events: columns of EVENT, and slot. people: digests of the batches that people sent; machine annotators are
    not judged. What the leads say is gold and stands above `gold`.
    """
    by_people = pl.col("batch").is_in(list(people))
    from_people = events.filter(by_people)
    words = last_words(from_people)
    leads = lead_gold(words, config.leads)
    known = pl.concat([leads, gold.join(leads, on=SLOT, how="anti")])
    quality = judge_labelers(words, known, config)
    rated = events.filter(~pl.col("quality_control") & ~pl.col("screening"))
    out = quality.filter("excluded")["labeler"].to_list()
    counted = rated.filter(~(by_people & pl.col("labeler").is_in(out)))
    if from_people.is_empty():
        return Controlled(quality, rated, counted, {})
    figures = {**agreement_figures(words, quality), "excluded_ratings": rated.height - counted.height}
    return Controlled(quality, rated, counted, figures)


def read_gold(batches: Path) -> pl.DataFrame:
    """gold.parquet of a folder of rNN/label_batches, empty where there is none."""
    file = batches / GOLD_FILE
    return pl.read_parquet(file) if file.is_file() else pl.DataFrame(schema=GOLD)


def digests_from_people(batches: Path) -> set[str]:
    """Digests of the batches in a folder of rNN/label_batches that people sent."""
    return {digest for digest, source in batch_sources(batches).items() if source == PEOPLE}


# What of a round's batches is heard: which records count at all, and whose ratings quality control lets stand.


@dataclass(frozen=True)
class Heard:
    """counted: records whose ratings may become labels. gone: the others, and the reason (column `gone`).

    control: the rating events after quality control, with their slots.
    """

    counted: pl.DataFrame
    gone: pl.DataFrame
    control: Controlled
    dropped: Counter[str]


def hear(
    ratings: pl.DataFrame,
    records: pl.DataFrame,
    gold: pl.DataFrame,
    selection: Selection,
    people: Collection[str],
    config: QualityConfig,
) -> Heard:
    """ratings, records: as in a folder of rNN/label_batches. people: digests of the batches that people sent.

    gold: columns of GOLD. Machine annotators are not judged.
    """
    reason = (
        pl.when("screening")
        .then(pl.lit("screening"))
        .when("quality_control")
        .then(pl.lit("quality_control"))
        .when(pl.col("misfit") != "")
        .then("misfit")
        .when(pl.col("finish_reason").is_in(WITHDRAWN))
        .then("finish_reason")
    )
    records = records.with_columns(gone=reason)
    gone, counted = records.filter(pl.col("gone").is_not_null()), records.filter(pl.col("gone").is_null())
    dropped = Counter({f"{name}_records": count for name, count in gone.group_by("gone").len().iter_rows()})
    dropped["not_rated_yet"] = int(counted["not_rated"].sum())
    # Checks of labellers are judged before they are left out; one that was withdrawn says nothing.
    is_check = pl.col("quality_control") | pl.col("screening")
    silent = gone.filter(~is_check | pl.col("finish_reason").is_in(WITHDRAWN).fill_null(False))
    if silent.height:
        ratings = ratings.join(silent, on=["batch", "line"], how="anti")
    events = with_slot(ratings, selection.numbers)
    return Heard(counted, gone, control(events, gold, people, config), dropped)
