"""`o1 labels studio`: rounds into Label Studio, labels out of it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from o1_assets.cli.labels import LabelsError, export, nothing_to_rate
from o1_assets.labels.inbox import Inbox
from o1_assets.labels.round_inputs import round_inputs, selected_rounds
from o1_assets.labels.schema import Record
from o1_assets.labels.studio.client import START, LabelStudio
from o1_assets.labels.studio.connection import connection, labeling_home
from o1_assets.labels.studio.errors import LabelStudioError
from o1_assets.labels.studio.hook import progress_file
from o1_assets.labels.studio.pull import PullReport, pull_labels
from o1_assets.labels.studio.push import PushReport, push_records
from o1_assets.settings import Settings


def push(settings: Settings, round_name: str, labelers: int, screening: bool = False) -> PushReport:
    """screening: a project of the solutions that new labellers are tried on.

    Raises LabelStudioError, MissingInput, ProfileError; LabelsError where there is nothing to label.
    """
    with tempfile.TemporaryDirectory() as folder, _open(settings) as studio:
        file = Path(folder) / "export.jsonl"
        if not export(settings, round_name, file, "screening" if screening else "all"):
            raise LabelsError(nothing_to_rate(round_name, "screening" if screening else "all"))
        records = [Record.from_line(line) for line in file.read_bytes().splitlines()]
        return push_records(studio, settings.profile, records, labelers)


def pull(settings: Settings, round_name: str | None) -> PullReport:
    """Raises LabelStudioError, MissingInput, ProfileError."""
    if round_name is not None:
        round_inputs(settings, round_name)
    with _open(settings) as studio:
        return pull_labels(
            studio,
            settings.profile,
            Inbox(settings.inbox),
            lambda name: round_inputs(settings, name).check(),
            progress_file(settings),
            rounds=selected_rounds(settings) if round_name is None else {round_name},
        )


def _open(settings: Settings) -> LabelStudio:
    known = connection(labeling_home(settings))
    if known is None:
        raise LabelStudioError(f"no Label Studio is known; {START} and O1_LABEL_STUDIO_TOKEN")
    return LabelStudio(known.url, known.token)
