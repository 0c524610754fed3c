"""Quality control on a round's batches: from all rating events to those that count, and what it changed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from o1_assets.artifact import Figures
from o1_assets.labels.agreement import last_words
from o1_assets.labels.batch import PEOPLE
from o1_assets.labels.batch_tables import batch_sources
from o1_assets.labels.config import QualityConfig
from o1_assets.labels.gold import GOLD_FILE
from o1_assets.labels.quality import (
    GOLD,
    SLOT,
    agreement_figures,
    judge_labelers,
    lead_gold,
)


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
