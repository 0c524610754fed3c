"""Gold and screening solutions: which of a round's they are, and the ratings that are known of them.

They follow from the selection alone, so that what is exported and what is judged always agree. A solution
that is gold is rated by everybody and becomes no label; one shown in screening is labelled as usual too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Any, NamedTuple

import polars as pl

from o1_assets.labels.annotators.annotator import rate_selection
from o1_assets.labels.annotators.oracle import Oracle
from o1_assets.labels.config import QualityConfig
from o1_assets.labels.inbox.batch import PEOPLE
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.protocol import Protocol
from o1_assets.labels.selection import Selection

GOLD: dict[str, Any] = {
    "solution_id": pl.String, "step": pl.Int32, "completion": pl.Int32, "rating": pl.Int8,
}  # fmt: skip


GOLD_FILE = "gold.parquet"


LARGEST_SHARE = 0.1
"""Of a round's solutions: gold is not to cost a small round its labels."""


class Checks(NamedTuple):
    """A round's solutions whose ratings the exact checker knows. gold: among those of every labeller, at most a
    tenth of the round. screening: to try a new labeller on, none of them gold."""

    gold: frozenset[str]
    screening: frozenset[str]

    @property
    def known(self) -> frozenset[str]:
        return self.gold | self.screening


def check_solutions(selection: Selection, config: QualityConfig) -> Checks:
    """config.gold and config.screening solutions of the selection, as many as the exact checker covers."""
    oracle, solutions = Oracle(), selection.solution_ids
    gold = min(config.gold, int(LARGEST_SHARE * len(solutions)))
    problems = {name for name, problem in selection.problems.items() if oracle.covers(problem)}
    covered = [s for s in solutions if selection.problem_ids[s] in problems] if problems else []
    # An order that says nothing about them.
    covered.sort(key=lambda solution: hashlib.sha256(f"gold {solution}".encode()).digest())
    chosen = covered[: gold + config.screening]
    return Checks(frozenset(chosen[:gold]), frozenset(chosen[gold:]))


def lead_solutions(inbox: Inbox, round_name: str, config: QualityConfig) -> frozenset[str]:
    """Solutions in batches that hold nothing but ratings of the leads: those are gold as well."""
    return frozenset(
        solution
        for digest in lead_batches(inbox, round_name, config)
        for solution in inbox.solutions(round_name, digest)
    )


def lead_batches(inbox: Inbox, round_name: str, config: QualityConfig) -> set[str]:
    """Digests of people's batches that hold nothing but ratings of the leads."""
    people = inbox.accepted(round_name, PEOPLE) if config.leads else []
    return {d for d in people if set(inbox.manifest(round_name, d).labelers) <= set(config.leads)}


def exact_ratings(selection: Selection, protocol: Protocol, solutions: Collection[str]) -> pl.DataFrame:
    """What the exact checker says of them, as far as the protocol asks: columns of GOLD."""
    rows = [
        (solution, *slot, rating)
        for solution, ratings in rate_selection(selection, protocol, Oracle(), solutions).items()
        for slot, rating in ratings.items()
        if rating is not None
    ]
    return pl.DataFrame(rows, schema=GOLD, orient="row").sort("solution_id", "step", "completion")
