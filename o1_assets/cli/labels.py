"""`o1 labels export` and `o1 labels submit`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from o1_assets.labels.commands import export_to_file, submit_file
from o1_assets.labels.config import LabelBatchesConfig
from o1_assets.labels.inbox import Inbox
from o1_assets.materialize import MissingInput
from o1_assets.profiles.load import ProfileError, load_profile
from o1_assets.settings import Settings
from o1_assets.store.store import ArtifactStore


def export(settings: Settings, round_name: str, output: Path | None, screening: bool = False) -> int:
    """Writes the round's selection to `output`, or to stdout; returns the number of solutions."""
    config, selection, train = _round(settings, round_name)
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
    config, selection, train = _round(settings, round_name)
    report = submit_file(config, selection, train, Inbox(settings.inbox), file)
    return {
        "accepted": report.accepted,
        "digest": report.digest,
        "known": report.known,
        "quarantined": report.quarantined,
        "rejected": [{"line": line, "reason": reason} for line, reason in report.rejected],
    }


def _round(settings: Settings, name: str) -> tuple[LabelBatchesConfig, Path, Path]:
    profile = load_profile(settings.profile)
    rounds = [f"r{k:02d}" for k in range(profile.rounds + 1)]
    if name not in rounds:
        raise ProfileError(
            f"there is no round {name!r} in profile {profile.name}; it has {rounds[0]} to {rounds[-1]}"
        )
    store = ArtifactStore(settings.store, settings.work)
    folders = []
    for key in (f"{name}/selection", "problems/train"):
        head = store.head(key)
        if head is None:
            raise MissingInput(f"{key} has not been made yet; `o1 run` makes it, then {name} can be labelled")
        folders.append(store.path(head.digest))
    return profile.batches(int(name[1:])), folders[0], folders[1]
