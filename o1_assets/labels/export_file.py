"""A round's solutions out to a file: all, the screening solutions, or those that nobody's rating counts of."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from o1_assets.labels.export import export_screening, export_selection
from o1_assets.labels.gold import check_solutions, lead_solutions
from o1_assets.labels.inbox import Inbox
from o1_assets.labels.missing import missing_solutions
from o1_assets.labels.protocol import PROTOCOLS
from o1_assets.labels.round_inputs import RoundInputs

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
