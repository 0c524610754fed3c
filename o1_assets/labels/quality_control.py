"""Quality control: unusable records are dropped, then the labellers who fail on solutions with known ratings.

After Lightman et al. 2023: a labeller who agrees with less than 75% of the ratings of the screening problems does not
enter, and gold problems among those of every generation show who drifts. Gold and screening solutions follow from the
selection alone, so an export and the assessment always agree on which they are. Everybody rates a gold solution, and
it becomes no label; a solution shown in screening is labelled as usual too.

All of it is counted per completion, never per pair of labellers: a million ratings take a second.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from o1_assets.core.artifact import Figures
from o1_assets.core.tables import read_parquet
from o1_assets.labels.annotators.annotator import rate_selection
from o1_assets.labels.annotators.oracle import Oracle
from o1_assets.labels.config import QualityConfig
from o1_assets.labels.inbox.batch import batch_sources
from o1_assets.labels.inbox.reader import PEOPLE
from o1_assets.labels.protocol import Protocol
from o1_assets.labels.schema import WITHDRAWN
from o1_assets.labels.selection import KEY, Selection, with_completion_id

GOLD: dict[str, Any] = {
    "solution_id": pl.String, "step": pl.Int32, "completion": pl.Int32, "rating": pl.Int8,
}  # fmt: skip
"""Known ratings: columns of gold.parquet in a folder of rNN/label_batches."""
GOLD_FILE = "gold.parquet"

LARGEST_SHARE = 0.1
"""The largest share of a round's solutions that are gold: gold must not cost a small round its labels."""

QUALITY: dict[str, Any] = {
    "labeler": pl.String, "ratings": pl.Int64, "gold_ratings": pl.Int64, "gold_agreement": pl.Float64,
    "gold_alpha": pl.Float64, "screening_ratings": pl.Int64, "screening_agreement": pl.Float64,
    "shared_ratings": pl.Int64, "peer_agreement": pl.Float64, "peer_alpha": pl.Float64,
    "excluded": pl.Boolean, "reason": pl.String,
}  # fmt: skip
"""quality.parquet, a row per labeller. ratings: those that may become labels. gold_*: on gold solutions of the
round. screening_*: on screening problems. shared_*, peer_*: see `with_peers`. reason: why excluded."""


class Checks(NamedTuple):
    """A round's solutions whose ratings the exact checker knows. gold: every labeller rates them, at most a tenth of
    the round. screening: a new labeller is tried on them; none of them is gold."""

    gold: frozenset[str]
    screening: frozenset[str]

    @property
    def known(self) -> frozenset[str]:
        return self.gold | self.screening


def check_solutions(selection: Selection, config: QualityConfig) -> Checks:
    """config.gold and config.screening solutions of the selection, as many as the exact checker covers."""
    oracle, solutions = Oracle(), selection.solution_ids
    # The gold solutions come first in the order, so changing the number of screening solutions does not change them.
    gold = min(config.gold, int(LARGEST_SHARE * len(solutions)))
    problems = {name for name, problem in selection.problems.items() if oracle.covers(problem)}
    covered = [s for s in solutions if selection.problem_ids[s] in problems] if problems else []
    # A hash orders them in a way that has nothing to do with their content.
    covered.sort(key=lambda solution: hashlib.sha256(f"gold {solution}".encode()).digest())
    chosen = covered[: gold + config.screening]
    return Checks(frozenset(chosen[:gold]), frozenset(chosen[gold:]))


def exact_ratings(selection: Selection, protocol: Protocol, solutions: Collection[str]) -> pl.DataFrame:
    """The exact checker's ratings of the solutions, as far as the protocol asks: columns of GOLD."""
    rows = [
        (solution, *slot, rating)
        for solution, ratings in rate_selection(selection, protocol, Oracle(), solutions).items()
        for slot, rating in ratings.items()
        if rating is not None
    ]
    return pl.DataFrame(rows, schema=GOLD, orient="row").sort(KEY)


def read_gold(batches: Path) -> pl.DataFrame:
    """gold.parquet of a folder of rNN/label_batches, empty where there is none."""
    file = batches / GOLD_FILE
    return read_parquet(file) if file.is_file() else pl.DataFrame(schema=GOLD)


def digests_from(batches: Path, source: str = PEOPLE) -> set[str]:
    """Digests of the batches in a folder of rNN/label_batches that people, or a machine, filed."""
    return {digest for digest, filed_by in batch_sources(batches).items() if filed_by == source}


@dataclass(frozen=True)
class FilteredLabels:
    """A round's records and ratings after quality control.

    records: those whose ratings may become labels; counted_records: without those of excluded labellers; rejected: the
    others, with the reason (column `rejected`).
    rated: ratings that are no checks of labellers; counted: those of them that become labels. Both have KEY and
    completion_id. quality: columns of QUALITY, people only. figures: empty without people. dropped: how many
    records were dropped, by reason.
    """

    records: pl.DataFrame
    counted_records: pl.DataFrame
    rejected: pl.DataFrame
    rated: pl.DataFrame
    counted: pl.DataFrame
    quality: pl.DataFrame
    figures: Figures
    dropped: Counter[str]

    @property
    def excluded(self) -> int:
        """The number of labellers who are excluded."""
        return self.quality.filter("excluded").height


def apply_quality_control(
    ratings: pl.DataFrame,
    records: pl.DataFrame,
    gold: pl.DataFrame,
    selection: Selection,
    people: Collection[str],
    config: QualityConfig,
    judged: Collection[str] = (),
) -> FilteredLabels:
    """Leaves out checks of labellers, records that do not count, and all ratings of excluded labellers.

    ratings, records: as in a folder of rNN/label_batches. people: digests of the batches that people sent. judged: of a
    judge's, which is assessed as people are and never excluded: the profile chose it. Other machines are not assessed.
    gold: columns of GOLD. The leads' ratings are gold too and take precedence over it.
    """
    records = records.with_columns(
        rejected=pl.when("screening")
        .then(pl.lit("screening"))
        .when("quality_control")
        .then(pl.lit("quality_control"))
        .when(pl.col("misfit") != "")
        .then(pl.col("misfit"))
        .when(pl.col("finish_reason").is_in(WITHDRAWN))
        .then(pl.col("finish_reason"))
    )
    usable = records.filter(pl.col("rejected").is_null())
    rejected = records.filter(pl.col("rejected").is_not_null())
    dropped = Counter({f"{name}_records": n for name, n in rejected.group_by("rejected").len().iter_rows()})
    dropped["not_rated_yet"] = int(usable["not_rated"].sum())
    # A check of a labeller becomes no label, but it is needed for the assessment, unless the labeller withdrew it.
    is_check = pl.col("quality_control") | pl.col("screening")
    unused = rejected.filter(~is_check | pl.col("finish_reason").is_in(WITHDRAWN).fill_null(False))
    if unused.height:
        ratings = ratings.join(unused, on=["batch", "line"], how="anti")
    events = with_completion_id(ratings, selection.numbers)

    # By batch and not by name: a person could call themselves "oracle".
    by_people = pl.col("batch").is_in(list(people))
    latest = latest_ratings(events.filter(by_people))
    leads = lead_gold(latest, config.leads)
    known = pl.concat([leads, gold.join(leads, on=KEY, how="anti")])
    quality = assess_labelers(latest, known, config)
    rated = events.filter(~is_check)
    excluded = quality.filter("excluded")["labeler"].to_list()
    # `rated` is kept too: how the table would look with everybody shows what the exclusion did.
    counts = ~(by_people & pl.col("labeler").is_in(excluded))
    counted = rated.filter(counts)
    figures: Figures = {}
    if latest.height:
        figures = {**agreement_figures(latest, quality), "excluded_ratings": rated.height - counted.height}
    if judged:
        row = _assess_judge(events.filter(pl.col("batch").is_in(list(judged))), known, config)
        figures |= {
            f"judge_{name}": row[name].item() for name in ("gold_ratings", "gold_agreement", "gold_alpha")
        }
        quality = pl.concat([quality, row]).sort("labeler")
    return FilteredLabels(usable, usable.filter(counts), rejected, rated, counted, quality, figures, dropped)


def assess_labelers(latest: pl.DataFrame, gold: pl.DataFrame, config: QualityConfig) -> pl.DataFrame:
    """The table QUALITY, ordered by labeller. latest: of `latest_ratings`; gold: columns of GOLD.

    The leads, whose ratings are the gold, are measured but never excluded. Nobody is excluded on fewer than
    config.min_ratings ratings of gold, or of screening. A labeller who only did the screening has a row too.
    """
    ratings = ratings_in(latest)
    known = gold.select(*KEY, known=pl.col("rating"))
    # Most ratings are of other solutions: one column filters them before three are joined.
    near = ratings.filter(pl.col("solution_id").is_in(gold["solution_id"].unique().to_list()))
    compared = near.join(known, on=KEY, how="inner").with_columns(hit=pl.col("rating") == pl.col("known"))
    on_gold = _agreement(compared.filter(~pl.col("screening")), "gold")
    on_screening = _agreement(compared.filter("screening"), "screening").drop("screening_alpha")
    working = ratings.filter(~pl.col("screening"))
    labels = working.filter(~pl.col("quality_control")).group_by("labeler").agg(ratings=pl.len())
    # Left joins keep a labeller of whom nothing but nulls came back.
    table = latest.select("labeler").unique()
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


def _assess_judge(events: pl.DataFrame, known: pl.DataFrame, config: QualityConfig) -> pl.DataFrame:
    """A judge's row of QUALITY, apart from people's, one of whom may be called as it is."""
    row = assess_labelers(latest_ratings(events), known, config)
    return row.with_columns(excluded=pl.lit(False), reason=pl.lit(None, pl.String))


def _fails(name: str, config: QualityConfig) -> pl.Expr:
    enough = pl.col(f"{name}_ratings") >= config.min_ratings
    return enough & (pl.col(f"{name}_agreement") < config.min_agreement)


def _agreement(compared: pl.DataFrame, name: str) -> pl.DataFrame:
    """A row per labeller: NAME_ratings, NAME_agreement (share of hits) and NAME_alpha (with the known ratings)."""
    rows = compared.group_by("labeler").agg(
        pl.len().alias(f"{name}_ratings"), pl.col("hit").mean().alias(f"{name}_agreement")
    )
    # For alpha, the known ratings are those of a second rater.
    both = pl.concat(
        [compared.select("labeler", "completion_id", rating=pl.col(column)) for column in ("rating", "known")]
    )
    alphas = [alpha(counts_of(both.filter(pl.col("labeler") == labeler))) for labeler in rows["labeler"]]
    return rows.with_columns(pl.Series(f"{name}_alpha", alphas, dtype=pl.Float64))


def without_excluded(rows: pl.DataFrame, quality: pl.DataFrame) -> pl.DataFrame:
    """The rows of labellers who are not excluded."""
    return rows.join(quality.filter("excluded"), on="labeler", how="anti", maintain_order="left")


def lead_gold(latest: pl.DataFrame, leads: Collection[str]) -> pl.DataFrame:
    """The leads' ratings as gold, without the completions on which they contradict each other: columns of GOLD."""
    ratings = ratings_in(latest).filter(pl.col("labeler").is_in(list(leads)))
    by_completion = ratings.group_by(KEY).agg(pl.col("rating").first(), values=pl.col("rating").n_unique())
    return (
        by_completion.filter(pl.col("values") == 1)
        .select(pl.col(name).cast(kind) for name, kind in GOLD.items())
        .sort(KEY)
    )


def agreement_figures(latest: pl.DataFrame, quality: pl.DataFrame) -> Figures:
    """How many labellers were excluded, and how far they agree before and after; None without shared completions."""
    ratings = ratings_in(latest.filter("shared")).filter(~pl.col("screening"))
    before = counts_of(ratings)
    after = counts_of(without_excluded(ratings, quality)) if quality["excluded"].any() else before
    return {
        "labelers": quality.height,
        "labelers_excluded": quality.filter("excluded").height,
        "agreement_before": percent(before),
        "agreement_after": percent(after),
        "alpha_before": alpha(before),
        "alpha_after": alpha(after),
    }


def exclusion_figures(before: pl.DataFrame, after: pl.DataFrame) -> Figures:
    """How the exclusion of labellers changed the label table. Both: a row per completion (completion_id, rating)."""
    both = before.join(after, on="completion_id", how="inner", suffix="_after")
    return {
        "labels_removed_by_exclusion": before.height - both.height,
        "labels_added_by_exclusion": after.height - both.height,
        "labels_changed_by_exclusion": both.filter(pl.col("rating") != pl.col("rating_after")).height,
    }


def latest_ratings(events: pl.DataFrame) -> pl.DataFrame:
    """The latest rating of each completion by each labeller; ratings in screening are kept apart.

    events: columns of EVENT, and completion_id. Adds `shared`: whether there are other events about the completion.
    """
    # Most completions have one event only, which needs no sorting.
    several = events["completion_id"].is_duplicated()
    alone = events.filter(~several).with_columns(shared=pl.lit(False))
    if alone.height == events.height:
        return alone
    # Equal moments are settled by content, as in the label table.
    order = ["moment", "rating", "flagged", "batch", "line"]
    ranks = [pl.col(name).rank("dense").alias(f"{name} rank") for name in ("completion_id", "labeler")]
    latest = (
        events.filter(several)
        .sort(order)
        .with_columns(ranks)
        .unique(["completion_id rank", "labeler rank", "screening"], keep="last", maintain_order=True)
    )
    return pl.concat([alone, latest.select(*events.columns, shared=pl.lit(True))])


def ratings_in(latest: pl.DataFrame) -> pl.DataFrame:
    """The rows that hold a rating: a null (unsure) or flagged one is none."""
    return latest.filter(pl.col("rating").is_not_null() & ~pl.col("flagged").fill_null(False))


VALUES = (-1, 0, 1)
COUNTS = [f"rated {value}" for value in VALUES]


def counts_of(ratings: pl.DataFrame) -> pl.DataFrame:
    """A row for each completion that two or more rated: completion_id, and how many gave each value (COUNTS)."""
    return (
        ratings.filter(pl.col("completion_id").is_duplicated())
        .group_by("completion_id")
        .agg(
            (pl.col("rating") == value).sum().cast(pl.Int64).alias(name)
            for value, name in zip(VALUES, COUNTS, strict=True)
        )
    )


def alpha(counts: pl.DataFrame) -> float | None:
    """Krippendorff's alpha at the ordinal level, from `counts_of` (or any rows with COUNTS, one per completion).

    1 is agreement, 0 is what chance would give. None without two ratings of one completion and two values among
    them. Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability".
    """
    # Imported here: `o1 status` reads this module and measures nothing.
    import krippendorff

    # Sorted, because a sum of floats depends on their order and group_by gives any order.
    equal_rows = counts.group_by(COUNTS).agg(rows=pl.len()).sort(COUNTS)
    table = np.repeat(equal_rows.select(COUNTS).to_numpy(), equal_rows["rows"].to_numpy(), axis=0)
    table = table[table.sum(axis=1) > 1]  # (completions, values)
    if (table.sum(axis=0) > 0).sum() < 2:
        return None
    return float(krippendorff.alpha(value_counts=table, value_domain=VALUES, level_of_measurement="ordinal"))


def percent(counts: pl.DataFrame) -> float | None:
    """Share of equal pairs among all pairs of ratings of one completion, from `counts_of`; None without pairs."""
    table = counts.select(COUNTS).to_numpy()
    ratings = table.sum(axis=1)
    # n ratings make n(n-1) ordered pairs; those of equal value are counted the same way.
    pairs = int((ratings * (ratings - 1)).sum())
    return int((table * (table - 1)).sum()) / pairs if pairs else None


def with_peers(ratings: pl.DataFrame) -> pl.DataFrame:
    """A row per labeller: shared_ratings (on completions that another rated too), peer_agreement, peer_alpha.

    peer_agreement: share of equal pairs of one rating of the labeller's and one of another's. peer_alpha: alpha of
    everybody on the completions that the labeller shares.
    """
    shared = ratings.select("completion_id", "labeler", "rating").filter(
        pl.col("completion_id").is_duplicated()
    )
    shared = shared.join(counts_of(shared), on="completion_id", how="inner")
    # How many gave the same rating as this row, itself included.
    same = pl.coalesce(
        pl.when(pl.col("rating") == value).then(name) for value, name in zip(VALUES, COUNTS, strict=True)
    )
    rows = shared.group_by("labeler").agg(
        shared_ratings=pl.len(),
        peer_agreement=(same - 1).sum() / (pl.sum_horizontal(COUNTS) - 1).sum(),
    )
    # Krippendorff's alpha has no aggregate in Polars: one call per labeller, each on counts.
    alphas = {str(labeler): alpha(part) for (labeler,), part in shared.group_by("labeler")}
    peer_alpha = pl.Series([alphas[labeler] for labeler in rows["labeler"]], dtype=pl.Float64)
    return rows.with_columns(peer_alpha=peer_alpha).sort("labeler")
