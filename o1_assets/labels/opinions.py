"""Who has rated what in a round so far, where they disagree, and how their agreement went: what the inbox knows.

Only ratings that count are compared: of labellers who are not excluded, none of gold or screening solutions.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from o1_assets.labels.config import LabelBatchesConfig
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.inbox.reader import PEOPLE, lead_batches
from o1_assets.labels.inbox.round_tables import tables_of_round
from o1_assets.labels.inbox.validate import read_lines
from o1_assets.labels.protocol import PROTOCOLS
from o1_assets.labels.quality_control import (
    FilteredLabels,
    alpha,
    apply_quality_control,
    check_solutions,
    counts_of,
    exact_ratings,
    latest_ratings,
    percent,
    ratings_in,
)
from o1_assets.labels.selection import COMPLETION, STEP, Selection


@dataclass(frozen=True)
class Opinion:
    """A labeller's rating of a completion, None for unsure, and what they remarked on the solution."""

    labeler: str
    rating: int | None
    note: str | None


@dataclass(frozen=True)
class Disagreement:
    """A completion that labellers rate differently. settled: what the majority says, None while there is none."""

    solution: str
    question: str
    answer: str
    before: list[str]
    step: int
    completion: int
    text: str
    opinions: list[Opinion]
    settled: int | None

    def to_json(self) -> dict[str, Any]:
        return {**self.__dict__, "opinions": [opinion.__dict__ for opinion in self.opinions]}


@dataclass(frozen=True)
class Opinions:
    """records: of people, columns of MISFIT. filtered: after quality control. leads: digests of the leads' batches."""

    config: LabelBatchesConfig
    selection: Selection
    inbox: Inbox
    records: pl.DataFrame
    filtered: FilteredLabels
    leads: frozenset[str]

    @classmethod
    def read(cls, config: LabelBatchesConfig, selection: Selection, inbox: Inbox) -> Opinions:
        """selection: with its problems."""
        digests = inbox.accepted(config.round, PEOPLE)
        ratings, records = tables_of_round([(inbox, digest) for digest in digests], config.round, selection)
        checks = check_solutions(selection, config.quality)
        gold = exact_ratings(selection, PROTOCOLS[config.protocol], checks.known)
        filtered = apply_quality_control(ratings, records, gold, selection, digests, config.quality)
        leads = frozenset(lead_batches(inbox, config.round, config.quality))
        return cls(config, selection, inbox, records, filtered, leads)

    @cached_property
    def returned(self) -> pl.DataFrame:
        """Columns solution_id and labeler: who has returned what, without those who are excluded.

        As in `round_progress`, a solution that was given up or called a bad problem has come back, and the leads'
        batches become gold. Screening becomes no labels, nor does a record of a solution that has changed since.
        """
        excluded = self.filtered.quality.filter("excluded")["labeler"]
        return self.records.filter(
            ~pl.col("screening")
            & (pl.col("misfit") == "")
            & ~pl.col("batch").is_in(list(self.leads))
            & ~pl.col("labeler").is_in(excluded.implode())
        ).select("solution_id", "labeler")

    @cached_property
    def missing(self) -> frozenset[str]:
        """Solutions that never came back, whose batches were withdrawn, or whose raters are all excluded."""
        return frozenset(self.selection.solution_ids).difference(self.returned["solution_id"].to_list())

    @cached_property
    def labelers(self) -> dict[str, set[str]]:
        """Solution -> who has returned it."""
        by_solution: dict[str, set[str]] = defaultdict(set)
        for solution, labeler in self.returned.iter_rows():
            by_solution[solution].add(labeler)
        return by_solution

    @cached_property
    def _latest(self) -> pl.DataFrame:
        return latest_ratings(self.filtered.counted)

    @cached_property
    def _disputed(self) -> pl.DataFrame:
        """The latest ratings of completions that got different ones; unsure is one of them."""
        votes = self._latest.filter(~pl.col("flagged").fill_null(False))
        several = votes.filter(pl.col("rating").drop_nulls().n_unique().over("completion_id") > 1)
        return several.sort("completion_id", "moment", "labeler")

    @cached_property
    def unsettled(self) -> frozenset[str]:
        """Solutions with a completion on which no rating has a majority: another labeller has to settle it."""
        groups = self._disputed.group_by("solution_id", "completion_id").agg(pl.col("rating"))
        rows = groups.select("solution_id", "rating").iter_rows()
        return frozenset(solution for solution, ratings in rows if _majority(ratings) is None)

    def disagreements(self) -> list[Disagreement]:
        """All that labellers rate differently, what nobody has settled first."""
        selection, notes = self.selection, self._notes()
        rows = self._disputed.with_columns(place_step=STEP, place_completion=COMPLETION)
        disagreements = []
        for _, votes in rows.group_by("completion_id", maintain_order=True):
            solution, step, completion = votes.select("solution_id", "place_step", "place_completion").row(0)
            steps, problem = selection.steps[solution], selection.problem_of[solution]
            opinions = [
                Opinion(labeler, rating, notes.get((batch, line)))
                for labeler, rating, batch, line in votes.select(
                    "labeler", "rating", "batch", "line"
                ).iter_rows()
            ]
            disagreements.append(
                Disagreement(
                    solution,
                    problem["question"],
                    problem["answer"],
                    [texts[0] for texts in steps[:step]],
                    step,
                    completion,
                    steps[step][completion],
                    opinions,
                    _majority([opinion.rating for opinion in opinions]),
                )
            )
        return sorted(disagreements, key=lambda each: each.settled is not None)

    def _notes(self) -> dict[tuple[str, int], str]:
        """Batch and line of a disputed record -> what its labeller remarked."""
        notes = {}
        for (batch,), rows in self._disputed.select("batch", "line").unique().group_by("batch"):
            lines = set(rows["line"])
            # A damaged batch may have tables and no lines: then the reasons are missing, and the ratings are not.
            file = self.inbox.batch(self.config.round, str(batch))
            for number, line in enumerate(read_lines(file) if file.is_file() else (), 1):
                if number in lines and line.record and line.record.o1 and line.record.o1.note:
                    notes[str(batch), number] = line.record.o1.note
        return notes

    def agreement_by_day(self) -> list[dict[str, Any]]:
        """A row a day (UTC), the oldest first: {"day", "ratings", "shared", "agreement", "alpha"}.

        shared: completions that two or more have rated, at the day of the later rating; agreement: the share of equal
        pairs among them; alpha: Krippendorff's.
        """
        ratings = ratings_in(self._latest)
        if ratings.is_empty():
            return []
        days = ratings.with_columns(day=pl.from_epoch("moment", "us").dt.date().cast(pl.String))
        # A pair belongs to the day on which it became one.
        together = days.with_columns(pair_day=pl.col("day").max().over("completion_id"))
        rows = []
        for day in days["day"].unique().sort():
            counts = counts_of(together.filter(pl.col("pair_day") == day))
            rows.append(
                {
                    "day": day,
                    "ratings": int((days["day"] == day).sum()),
                    "shared": counts.height,
                    "agreement": percent(counts),
                    "alpha": alpha(counts) if counts.height else None,
                }
            )
        return rows


def _majority(ratings: list[int | None]) -> int | None:
    """The rating that more gave than any other; None: two have as many."""
    counts = Counter(rating for rating in ratings if rating is not None).most_common(2)
    return counts[0][0] if len(counts) == 1 or counts[0][1] > counts[1][1] else None
