"""Annotations out of Label Studio, through the inbox."""

from __future__ import annotations

import copy
import json
import logging
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from o1_assets.core.files import json_bytes, replace_file
from o1_assets.core.settings import Settings
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.inbox.validate import SelectionCheck
from o1_assets.labels.protocol import PROTOCOLS, Ratings, Slot
from o1_assets.labels.round_inputs import round_inputs, selected_rounds
from o1_assets.labels.schema import Record, fill, parse_moment
from o1_assets.labels.studio.client import LabelStudio, LabelStudioError
from o1_assets.labels.studio.interface import ENDING
from o1_assets.labels.studio.tasks import Project, control_name, find_projects, rating_of
from o1_assets.store.store import ArtifactStore

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile

# A Label Studio annotation as a rated record.


def rated_record(
    task: Mapping[str, Any], annotation: Mapping[str, Any], users: Mapping[int, str]
) -> Record | None:
    """The task's record with the annotation's ratings; None if it was skipped or is not about a task of ours.

    users: e-mail address by user id. The labeller is the one who last saved the annotation, the timestamp when.
    A rating that the protocol does not ask for is left over from before the labeller changed an earlier one;
    it is dropped.
    """
    if annotation.get("was_cancelled") or "record" not in task["data"]:
        return None
    record = Record.from_line(task["data"]["record"])
    if record.o1 is None:
        return None
    chosen = {
        result["from_name"]: result["value"]["choices"][0]
        for result in annotation["result"]
        if result.get("type") == "choices" and result["value"].get("choices")
    }
    protocol = PROTOCOLS[record.o1.protocol]
    shape = [len(step.completions or []) for step in record.label.steps]
    given = {
        slot: rating_of(chosen[control_name(slot)])
        for step, count in enumerate(shape)
        for slot in (Slot(step, completion) for completion in range(count))
        if control_name(slot) in chosen
    }
    asked = set(protocol.reached(shape, given))
    ratings: Ratings = {slot: rating for slot, rating in given.items() if slot in asked}
    fill(record, ratings, protocol, _labeler(annotation, users), str(annotation["updated_at"]))
    record.label.total_time = round(float(annotation.get("lead_time") or 0) * 1000)
    if ENDING in chosen:
        record.label.finish_reason = chosen[ENDING]
    elif all(rating is None for rating in ratings.values()):
        record.label.finish_reason = "give_up"
    return record


def _labeler(annotation: Mapping[str, Any], users: Mapping[int, str]) -> str:
    who = annotation.get("completed_by")
    if isinstance(who, Mapping):
        return str(who.get("email") or f"label-studio:{who.get('id')}")
    return users.get(int(who), f"label-studio:{who}") if who is not None else "label-studio:unknown"


# What was pulled of every project: one small file that only saves work, and may be lost at any time.
#
# A pass reads a project's tasks by ascending id. One that ran out of time is resumed where it stopped. The next one
# asks for what changed since the newest change that was known when the last one began: what was changed behind its
# back while it read is found then, and no clock but the server's is trusted.
#

OVERLAP = timedelta(minutes=5)
"""Asked for again at every pass: a change that the server had not finished writing is not missed."""


@dataclass
class Progress:
    """seen: annotation id -> its last change when it was pulled. since, after: of the pass under way.

    next_since: `since` of the pass after it.
    """

    seen: dict[str, str] = field(default_factory=dict)
    since: str | None = None
    after: int = 0
    next_since: str | None = None

    def begin(self) -> None:
        """A new pass, unless one is under way."""
        if self.after == 0:
            self.since, self.next_since = self.next_since, _newest(self.seen)

    def end(self) -> None:
        self.after = 0


def _newest(seen: dict[str, str]) -> str | None:
    if not seen:
        return None
    newest = max(parse_moment(moment) for moment in seen.values()) - OVERLAP
    return newest.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def read_progress(file: Path) -> dict[str, Progress]:
    """By project URL. A file that cannot be read counts as none: then everything is pulled again."""
    try:
        return {key: Progress(**value) for key, value in json.loads(file.read_text()).items()}
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return {}


def write_progress(file: Path, progress: dict[str, Progress]) -> None:
    replace_file(file, json_bytes({key: asdict(one) for key, one in progress.items()}))


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


# What the label sensor calls at the top of a tick: pull what is new, never fail, never hang.

SECONDS = 20.0
"""What a tick spends on pulling at most, besides waiting for an answer; the next tick goes on."""


log = logging.getLogger(__name__)


def progress_file(settings: Settings) -> Path:
    """Remembers what was pulled; may be deleted at any time."""
    return settings.home / "label_studio.json"


def studio_pull(
    settings: Settings, profile: Profile, store: ArtifactStore, open_studio: Callable[[], LabelStudio | None]
) -> Callable[[], None]:
    """A call that pulls and says on one log line what came or why nothing could.

    open_studio: called every time; None while no server is known.
    """

    def pull() -> None:
        try:
            opened = open_studio()
            if opened is None:
                return
            with opened as studio:
                report = pull_labels(
                    studio,
                    settings.profile,
                    Inbox(settings.inbox),
                    lambda name: round_inputs(profile, store, name).check(),
                    progress_file(settings),
                    rounds=selected_rounds(profile, store),
                    seconds=SECONDS,
                )
        except LabelStudioError as error:
            log.warning("no labels pulled: %s", error)
            return
        for name, count in report.accepted.items():
            log.info("%s: %d labelled solutions pulled from Label Studio", name, count)
        for name, reasons in report.rejected.items():
            if reasons:
                log.warning("%s: %d violations quarantined, first: %s", name, len(reasons), reasons[0])

    return pull
