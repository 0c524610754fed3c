"""Which solutions of a round nobody's rating counts of at present: what is sent out again."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import polars as pl

from o1_assets.labels.config import LabelBatchesConfig
from o1_assets.labels.export import export_screening, export_selection
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.inbox.reader import PEOPLE
from o1_assets.labels.inbox.tables import tables_of_round
from o1_assets.labels.protocol import PROTOCOLS
from o1_assets.labels.quality_control import (
    apply_quality_control,
    check_solutions,
    exact_ratings,
    lead_batches,
    lead_solutions,
)
from o1_assets.labels.round_inputs import RoundInputs
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
    filtered = apply_quality_control(ratings, records, gold, selection, digests, config.quality)
    excluded = filtered.quality.filter("excluded")["labeler"]
    leads = list(lead_batches(inbox, config.round, config.quality))
    said = records.filter(
        ~pl.col("screening")
        & (pl.col("misfit") == "")
        & ~pl.col("batch").is_in(leads)
        & ~pl.col("labeler").is_in(excluded.implode())
    )
    return wanted.difference(said["solution_id"].to_list())


# A round's solutions out to a file: all, the screening solutions, or those that nobody's rating counts of.

Which = Literal["all", "screening", "missing"]


def export_to_file(inputs: RoundInputs, inbox: Inbox, file: Path, which: Which = "all") -> int:
    """Writes solutions of the round as unrated records; returns how many. Raises OSError, ValueError.

    The gold solutions are marked among them, those that the leads rated in the inbox as well.
    which: "screening", only the screening solutions; "missing", only those of `missing_solutions`.
    """
    selection, config = inputs.load(), inputs.config
    protocol, checks = PROTOCOLS[config.protocol], check_solutions(selection, config.quality)
    if which == "screening":
        records = export_screening(selection, config.round, protocol, checks.screening)
    else:
        gold = checks.gold | lead_solutions(inbox, config.round, config.quality)
        only = missing_solutions(config, selection, inbox) if which == "missing" else None
        records = export_selection(selection, config.round, protocol, gold, only)
    partial = file.with_name(f".{file.name}.partial")
    count = 0
    with partial.open("w") as out:
        for record in records:
            out.write(record.to_line() + "\n")
            count += 1
    partial.replace(file)
    return count
