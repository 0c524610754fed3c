"""Annotations out of Label Studio, through the inbox.

What was pulled is remembered by annotation and moment of its last change, in one small file a profile. It only
saves work: without it everything is pulled again, and the inbox and the label table take repeats as repeats.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from o1_assets.labels.inbox import Inbox
from o1_assets.labels.intake import Check
from o1_assets.labels.schema import Record, parse_moment
from o1_assets.labels.studio.annotations import rated_record
from o1_assets.labels.studio.client import LabelStudio
from o1_assets.labels.studio.projects import Project, find_projects

OVERLAP = timedelta(minutes=5)
"""Asked for again at every pull: a change that the server had not finished writing is not missed."""


@dataclass
class PullReport:
    """By round: records that were accepted, and why others were not (they lie in the inbox's quarantine)."""

    accepted: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, list[str]] = field(default_factory=dict)


def pull_labels(
    studio: LabelStudio,
    profile: str,
    inbox: Inbox,
    check_of: Callable[[str], Check],
    state: Path,
    rounds: set[str] | None = None,
) -> PullReport:
    """Submits every annotation that is new or changed since the last pull; one batch a project.

    check_of: the inbox's check of a round, asked for only when there is something to submit. state: the file
    that remembers what was pulled. rounds: only these. At least once: a batch is remembered after the inbox has
    it. Raises LabelStudioError; what was submitted before stays submitted.
    """
    report, pulled = PullReport(), _read(state)
    users: dict[int, str] | None = None
    for project in find_projects(studio, profile):
        if rounds is not None and project.round not in rounds:
            continue
        key = f"{studio.url}/projects/{project.id}"
        seen: dict[str, str] = pulled.get(key, {})
        fresh, records = dict(seen), []
        for task in studio.tasks(project.id, updated_since=_since(seen)):
            for annotation in task.get("annotations") or []:
                name, changed = str(annotation["id"]), str(annotation["updated_at"])
                if seen.get(name) == changed:
                    continue
                users = studio.users() if users is None else users
                record = rated_record(task, annotation, users)
                fresh[name] = changed
                if record is not None:
                    records.append(record)
        if records:
            _submit(project, records, inbox, check_of(project.round), report)
        if fresh != seen:
            pulled[key] = fresh
            _write(state, pulled)
    return report


def _submit(project: Project, records: list[Record], inbox: Inbox, check: Check, report: PullReport) -> None:
    records.sort(key=lambda record: (record.timestamp or "", record.labeler or ""))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"label-studio-project-{project.id}.jsonl"
        file.write_text("".join(record.to_line() + "\n" for record in records))
        result = inbox.submit(file, project.round, check)
    report.accepted[project.round] = report.accepted.get(project.round, 0) + result.accepted
    report.rejected.setdefault(project.round, []).extend(str(violation) for violation in result.violations)


def _since(seen: dict[str, str]) -> str | None:
    if not seen:
        return None
    newest: datetime = max(parse_moment(moment) for moment in seen.values())
    return (newest - OVERLAP).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _read(state: Path) -> dict[str, dict[str, str]]:
    """A file that cannot be read counts as none: then everything is pulled again."""
    try:
        content: Any = json.loads(state.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _write(state: Path, pulled: dict[str, dict[str, str]]) -> None:
    state.parent.mkdir(parents=True, exist_ok=True)
    partial = state.with_name(f".{state.name}.{os.getpid()}")
    with partial.open("w") as out:
        json.dump(pulled, out, indent=1, sort_keys=True)
        out.flush()
        os.fsync(out.fileno())
    partial.replace(state)
