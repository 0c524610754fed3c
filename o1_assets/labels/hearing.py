"""What of a round's batches is heard: which records count at all, and whose ratings quality control lets stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

import polars as pl

from o1_assets.labels.config import QualityConfig
from o1_assets.labels.control import Controlled, control
from o1_assets.labels.schema import WITHDRAWN
from o1_assets.labels.selection import Selection
from o1_assets.labels.slots import with_slot


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
