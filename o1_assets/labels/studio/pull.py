"""Annotations out of Label Studio, through the inbox."""

from __future__ import annotations

import copy
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from o1_assets.labels.inbox import Inbox
from o1_assets.labels.intake import SelectionCheck
from o1_assets.labels.schema import Record
from o1_assets.labels.studio.annotations import rated_record
from o1_assets.labels.studio.client import LabelStudio
from o1_assets.labels.studio.progress import Progress, read_progress, write_progress
from o1_assets.labels.studio.projects import Project, find_projects


@dataclass
class PullReport:
    """By round: records that were accepted, and why others were not (they lie in the inbox's quarantine).

    more: time ran out; the next pull goes on.
    """

    accepted: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, list[str]] = field(default_factory=dict)
    more: bool = False


def pull_labels(
    studio: LabelStudio,
    profile: str,
    inbox: Inbox,
    check_of: Callable[[str], SelectionCheck],
    progress_file: Path,
    *,
    rounds: set[str] | None = None,
    seconds: float = float("inf"),
) -> PullReport:
    """Submits every annotation that is new or changed since the last pull; one batch a project.

    check_of: the inbox's check of a round, asked for only when there is something to submit. rounds: only these.
    seconds: after which no further task is read. At least once: what was pulled is remembered after the inbox
    has it. Raises LabelStudioError; what was submitted before stays submitted.
    """
    report, progress = PullReport(), read_progress(progress_file)
    users: dict[int, str] = {}
    deadline = time.monotonic() + seconds
    for project in find_projects(studio, profile):
        if rounds is not None and project.round not in rounds:
            continue
        key = f"{studio.url}/projects/{project.id}"
        before = progress.get(key, Progress())
        now = copy.deepcopy(before)
        records, whole = _read(studio, project, now, users, deadline)
        if records:
            _submit(project, records, inbox, check_of(project.round), report)
        if now != before:
            progress[key] = now
            write_progress(progress_file, progress)
        report.more = report.more or not whole
    return report


def _read(
    studio: LabelStudio, project: Project, progress: Progress, users: dict[int, str], deadline: float
) -> tuple[list[Record], bool]:
    """Records of what is new, and whether the pass came to its end. Brings `progress` up to date."""
    records: list[Record] = []
    progress.begin()
    for task in studio.tasks(project.id, updated_since=progress.since, after=progress.after):
        for annotation in task.get("annotations") or []:
            name, changed = str(annotation["id"]), str(annotation["updated_at"])
            if progress.seen.get(name) == changed:
                continue
            if not users:
                users.update(studio.users())
            record = rated_record(task, annotation, users)
            if record is not None:
                records.append(record)
            progress.seen[name] = changed
        progress.after = int(task["id"])
        if time.monotonic() > deadline:
            return records, False
    progress.end()
    return records, True


def _submit(
    project: Project, records: list[Record], inbox: Inbox, check: SelectionCheck, report: PullReport
) -> None:
    records.sort(key=lambda record: (record.timestamp or "", record.labeler or ""))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"label-studio-project-{project.id}.jsonl"
        file.write_text("".join(record.to_line() + "\n" for record in records))
        result = inbox.submit(file, project.round, check)
    report.accepted[project.round] = report.accepted.get(project.round, 0) + result.accepted
    report.rejected.setdefault(project.round, []).extend(str(violation) for violation in result.violations)
