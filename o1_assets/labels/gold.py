"""Gold and screening solutions: which of a round's they are, and the ratings that are known of them.

They follow from the selection alone, so that what is exported and what is judged always agree. A solution
that is gold is rated by everybody and becomes no label; one shown in screening is labelled as usual too.
"""

from __future__ import annotations

import hashlib

import polars as pl

from o1_assets.labels.annotator import annotate
from o1_assets.labels.config import QualityConfig
from o1_assets.labels.inbox import PEOPLE, Inbox
from o1_assets.labels.oracle import Oracle
from o1_assets.labels.protocol import Protocol
from o1_assets.labels.quality import GOLD
from o1_assets.labels.ratings import ratings_of
from o1_assets.labels.selection import Selection

GOLD_FILE = "gold.parquet"
LARGEST_SHARE = 0.1
"""Of a round's solutions: gold is not to cost a small round its labels."""


def gold_solutions(selection: Selection, config: QualityConfig) -> frozenset[str]:
    """The round's gold solutions: config.gold of those that the exact checker covers, at most a tenth of all."""
    return frozenset(_ranked(selection)[: _gold_count(selection, config)])


def screening_solutions(selection: Selection, config: QualityConfig) -> frozenset[str]:
    """config.screening solutions to try a new labeller on, none of them gold."""
    start = _gold_count(selection, config)
    return frozenset(_ranked(selection)[start : start + config.screening])


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


def exact_ratings(
    selection: Selection, round_name: str, protocol: Protocol, solutions: frozenset[str]
) -> pl.DataFrame:
    """What the exact checker says of them, as far as the protocol asks: columns of GOLD."""
    rows = [
        (record.o1.solution_id, slot.step, slot.completion, rating)
        for record in annotate(selection, round_name, protocol, Oracle(), set(solutions))
        if record.o1 is not None
        for slot, rating in ratings_of(record).items()
        if rating is not None
    ]
    return pl.DataFrame(rows, schema=GOLD, orient="row").sort("solution_id", "step", "completion")


def _gold_count(selection: Selection, config: QualityConfig) -> int:
    return min(config.gold, int(LARGEST_SHARE * len(selection.solution_ids)))


def _ranked(selection: Selection) -> list[str]:
    """Solutions that the exact checker covers, in an order that says nothing about them."""
    oracle = Oracle()
    covered = [s for s in selection.solution_ids if oracle.covers(selection.problem_of[s])]
    return sorted(covered, key=lambda solution: hashlib.sha256(f"gold {solution}".encode()).digest())
