"""Annotations out of Label Studio, through the inbox: by `o1 labels studio pull`, and by the label sensor."""

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
from o1_assets.labels.studio.push import ENDING
from o1_assets.labels.studio.tasks import StudioProject, control_name, find_projects, rating_of
from o1_assets.store.store import ArtifactStore

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile

log = logging.getLogger(__name__)

OVERLAP = timedelta(minutes=5)
"""Asked for again at every pass: a change that the server had not finished writing is not missed."""
SECONDS = 20.0
"""A tick of the sensor pulls for at most so long, besides waiting for an answer; the next tick continues."""


def rated_record(
    task: Mapping[str, Any], annotation: Mapping[str, Any], users: Mapping[int, str]
) -> Record | None:
    """The task's record with the annotation's ratings; None if it was skipped or the task is not ours.

    users: e-mail address by user id. The labeller is the user who last saved the annotation, the timestamp the time of
    that.
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
    # A rating that the protocol does not ask for was given before the labeller changed an earlier one.
    asked = set(protocol.reached(shape, given))
    ratings: Ratings = {slot: rating for slot, rating in given.items() if slot in asked}
    fill(record, ratings, protocol, _labeler(annotation, users), str(annotation["updated_at"]))
    record.label.total_time = round(float(annotation.get("lead_time") or 0) * 1000)
    if ENDING in chosen:
        record.label.finish_reason = chosen[ENDING]
    # An annotation of nothing but "unsure" could not be accepted as ratings.
    elif all(rating is None for rating in ratings.values()):
        record.label.finish_reason = "give_up"
    return record


def _labeler(annotation: Mapping[str, Any], users: Mapping[int, str]) -> str:
    user = annotation.get("completed_by")
    if isinstance(user, Mapping):
        return str(user.get("email") or f"label-studio:{user.get('id')}")
    return users.get(int(user), f"label-studio:{user}") if user is not None else "label-studio:unknown"


@dataclass
class PullProgress:
    """What was pulled of a project. It only saves work, and may be lost at any time.

    seen: annotation id -> its last change when it was pulled. since, after: of the pass under way. next_since: `since`
    of the pass after it.
    """

    # A pass reads a project's tasks by ascending id. If it runs out of time, it is resumed at the task `after`. The
    # next pass asks for changes since the newest one that was known when this pass began: changes that were made to
    # tasks behind it while it read are then found, and no clock but the server's is trusted.

    seen: dict[str, str] = field(default_factory=dict)
    since: str | None = None
    after: int = 0
    next_since: str | None = None

    def begin(self) -> None:
        """Begins a new pass, unless one is under way."""
        if self.after == 0:
            self.since, self.next_since = self.next_since, _newest(self.seen)

    def end(self) -> None:
        self.after = 0


def _newest(seen: dict[str, str]) -> str | None:
    if not seen:
        return None
    newest = max(parse_moment(moment) for moment in seen.values()) - OVERLAP
    return newest.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def read_progress(file: Path) -> dict[str, PullProgress]:
    """By project URL. A file that cannot be read counts as none: then everything is pulled again."""
    try:
        return {key: PullProgress(**value) for key, value in json.loads(file.read_text()).items()}
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return {}


def write_progress(file: Path, progress: dict[str, PullProgress]) -> None:
    replace_file(file, json_bytes({key: asdict(of_project) for key, of_project in progress.items()}))


@dataclass
class PullReport:
    """accepted: round -> number of accepted records. rejected: round -> why others were not (they are quarantined).

    more: the time ran out; the next pull continues.
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
    seconds: after which no further task is read. Raises LabelStudioError; what was submitted before stays submitted.
    """
    report, progress = PullReport(), read_progress(progress_file)
    users: dict[int, str] = {}
    deadline = time.monotonic() + seconds
    for project in find_projects(studio, profile):
        if rounds is not None and project.round not in rounds:
            continue
        key = f"{studio.url}/projects/{project.id}"
        before = progress.get(key, PullProgress())
        now = copy.deepcopy(before)
        records, is_complete = _read(studio, project, now, users, deadline)
        if records:
            _submit(project, records, inbox, check_of(project.round), report)
        # Remembered after the inbox has the records: a pull that is killed in between submits them a second time, and
        # the inbox recognises them.
        if now != before:
            progress[key] = now
            write_progress(progress_file, progress)
        report.more = report.more or not is_complete
    return report


def _read(
    studio: LabelStudio,
    project: StudioProject,
    progress: PullProgress,
    users: dict[int, str],
    deadline: float,
) -> tuple[list[Record], bool]:
    """Records of new annotations, and whether the pass came to its end. Updates `progress`."""
    records: list[Record] = []
    progress.begin()
    for task in studio.tasks(project.id, updated_since=progress.since, after=progress.after):
        for annotation in task.get("annotations") or []:
            name, changed = str(annotation["id"]), str(annotation["updated_at"])
            if progress.seen.get(name) == changed:
                continue
            # Asked for at the first new annotation: most pulls find none.
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
    project: StudioProject, records: list[Record], inbox: Inbox, check: SelectionCheck, report: PullReport
) -> None:
    # In a fixed order, so that the same annotations make the same batch.
    records.sort(key=lambda record: (record.timestamp or "", record.labeler or ""))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"label-studio-project-{project.id}.jsonl"
        file.write_text("".join(record.to_line() + "\n" for record in records))
        result = inbox.submit(file, project.round, check)
    report.accepted[project.round] = report.accepted.get(project.round, 0) + result.accepted
    report.rejected.setdefault(project.round, []).extend(str(violation) for violation in result.violations)


def progress_file(settings: Settings) -> Path:
    """The file of `PullProgress`; it may be deleted at any time."""
    return settings.home / "label_studio.json"


def studio_pull(
    settings: Settings, profile: Profile, store: ArtifactStore, open_studio: Callable[[], LabelStudio | None]
) -> Callable[[], None]:
    """A function for the top of a sensor's tick: it pulls what is new, never hangs, and logs an error of the server.

    open_studio: called every time; None while no server is known.
    """

    def pull() -> None:
        try:
            server = open_studio()
            if server is None:
                return
            with server as studio:
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
