"""Which solutions of a round nobody's rating counts of at present: what is sent out again."""

from __future__ import annotations

import polars as pl

from o1_assets.labels.batch import PEOPLE
from o1_assets.labels.batch_tables import tables_of_round
from o1_assets.labels.config import LabelBatchesConfig
from o1_assets.labels.gold import check_solutions, exact_ratings, lead_batches
from o1_assets.labels.hearing import hear
from o1_assets.labels.inbox import Inbox
from o1_assets.labels.protocol import PROTOCOLS
from o1_assets.labels.selection import Selection


def missing_solutions(config: LabelBatchesConfig, selection: Selection, inbox: Inbox) -> frozenset[str]:
    """Solutions that never came back, whose batches were withdrawn, or whose raters are all excluded.

    As in `round_progress`, a solution that was given up or called a bad problem has come back, and what the
    leads say of gold rates nothing. Beyond that, screening rates nothing, nor does a record of a solution that
    has changed since. Labels that others published miss nothing.
    """
    wanted = frozenset(selection.solution_ids)
    if config.source is not None:
        return frozenset()
    digests = inbox.accepted(config.round, PEOPLE)
    ratings, records = tables_of_round([(inbox, digest) for digest in digests], config.round, selection)
    gold = exact_ratings(
        selection, PROTOCOLS[config.protocol], check_solutions(selection, config.quality).known
    )
    heard = hear(ratings, records, gold, selection, digests, config.quality)
    excluded = heard.control.quality.filter("excluded")["labeler"]
    leads = list(lead_batches(inbox, config.round, config.quality))
    said = records.filter(
        ~pl.col("screening")
        & (pl.col("misfit") == "")
        & ~pl.col("batch").is_in(leads)
        & ~pl.col("labeler").is_in(excluded.implode())
    )
    return wanted.difference(said["solution_id"].to_list())
