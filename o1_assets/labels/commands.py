"""What `o1 labels` does: a round's selection out to a file, a rated file in through the inbox."""

from __future__ import annotations

from pathlib import Path

from o1_assets.labels.batch import SubmitReport
from o1_assets.labels.config import LabelBatchesConfig
from o1_assets.labels.export import export_screening, export_selection
from o1_assets.labels.gold import check_solutions, lead_solutions
from o1_assets.labels.inbox import Inbox
from o1_assets.labels.intake import SelectionCheck
from o1_assets.labels.protocol import PROTOCOLS
from o1_assets.labels.selection import Selection


def export_to_file(
    config: LabelBatchesConfig,
    selection: Path,
    train: Path,
    file: Path,
    inbox: Inbox | None = None,
    screening: bool = False,
) -> int:
    """Writes the round's selection as unrated records; returns how many. Raises OSError, ValueError.

    The gold solutions are marked among them, those that the leads rated in the inbox as well. screening: only
    the screening solutions instead.
    """
    loaded, protocol = Selection.load(selection, train), PROTOCOLS[config.protocol]
    checks = check_solutions(loaded, config.quality)
    if screening:
        records = export_screening(loaded, config.round, protocol, checks.screening)
    else:
        gold = checks.gold
        gold |= lead_solutions(inbox, config.round, config.quality) if inbox else frozenset()
        records = export_selection(loaded, config.round, protocol, gold)
    partial = file.with_name(f".{file.name}.partial")
    count = 0
    with partial.open("w") as out:
        for record in records:
            out.write(record.to_line() + "\n")
            count += 1
    partial.replace(file)
    return count


def submit_file(
    config: LabelBatchesConfig, selection: Path, train: Path, inbox: Inbox, file: Path
) -> SubmitReport:
    """Takes the good lines of a rated file, quarantines the rest. Raises OSError (file unreadable), ValueError."""
    loaded = Selection.load(selection, train)
    return inbox.submit(file, config.round, SelectionCheck(loaded, config.round, PROTOCOLS[config.protocol]))
