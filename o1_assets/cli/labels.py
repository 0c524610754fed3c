"""`o1 labels export` and `o1 labels submit`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from o1_assets.labels.commands import export_to_file, submit_file
from o1_assets.labels.inbox import Inbox
from o1_assets.labels.round_inputs import round_inputs
from o1_assets.settings import Settings


def export(settings: Settings, round_name: str, output: Path | None, screening: bool = False) -> int:
    """Writes the round's selection to `output`, or to stdout; returns the number of solutions."""
    config, selection, train = round_inputs(settings, round_name)
    inbox = Inbox(settings.inbox)
    if output is not None:
        return export_to_file(config, selection, train, output, inbox, screening)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "export.jsonl"
        count = export_to_file(config, selection, train, file, inbox, screening)
        sys.stdout.write(file.read_text())
    return count


def submit(settings: Settings, file: Path, round_name: str) -> dict[str, Any]:
    """Files a batch; {"accepted": lines, "digest", "known", "quarantined", "rejected": [{"line", "reason"}]}."""
    config, selection, train = round_inputs(settings, round_name)
    report = submit_file(config, selection, train, Inbox(settings.inbox), file)
    return {
        "accepted": report.accepted,
        "digest": report.digest,
        "known": report.known,
        "quarantined": report.quarantined,
        "rejected": [{"line": line, "reason": reason} for line, reason in report.rejected],
    }
