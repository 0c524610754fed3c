"""Annotations out of Label Studio, through the inbox: by `o1 labels studio pull`, and by the label sensor."""

from __future__ import annotations

import copy
import hashlib
import json
import logging
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from o1_assets.core.errors import O1Error
from o1_assets.core.formatting import printable
from o1_assets.core.settings import Settings
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.inbox.validate import SelectionCheck
from o1_assets.labels.protocol import Violation
from o1_assets.labels.round_inputs import round_inputs, selected_rounds
from o1_assets.labels.schema import Record
from o1_assets.labels.studio.annotations import UnusableAnnotation, rated_record
from o1_assets.labels.studio.client import LabelStudio, LabelStudioError, StudioUnreachable, id_of
from o1_assets.labels.studio.pull_progress import SET_ASIDE, PullProgress, read_progress, write_progress
from o1_assets.labels.studio.tasks import StudioProject, find_projects
from o1_assets.store.store import ArtifactStore

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile

log = logging.getLogger(__name__)

SECONDS = 20.0
"""A tick of the sensor pulls for at most so long, besides waiting for an answer; the next tick continues."""
SENSOR, COMMAND = "the sensor", "`o1 labels studio pull`"
"""Who pulls."""


@dataclass(frozen=True)
class QuietProject:
    """A project with nothing new. annotations: how many were read so far; unusable: those of them that are set aside.

    pulled, pulled_at, pulled_by: as in PullProgress.
    """

    round: str
    url: str
    annotations: int
    unusable: int
    pulled: int
    pulled_at: str
    pulled_by: str


@dataclass
class PullReport:
    """accepted: round -> number of accepted records. rejected: round -> why others were not (they are quarantined).

    more: the time ran out; the next pull continues. quiet: projects with nothing new. closed: round -> why it takes
    no labels. failed: project URL -> why it was not read to its end.
    """

    accepted: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, list[str]] = field(default_factory=dict)
    more: bool = False
    # Not compared: what an earlier pull brought is no news of this one.
    quiet: list[QuietProject] = field(default_factory=list, compare=False)
    closed: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def pull_labels(
    studio: LabelStudio,
    profile: str,
    inbox: Inbox,
    check_of: Callable[[str], SelectionCheck],
    progress_file: Path,
    *,
    rounds: set[str] | None = None,
    seconds: float = float("inf"),
    by: str = COMMAND,
    wait: float = 60.0,
) -> PullReport:
    """Submits every annotation that is new or changed since the last pull; one batch a project.

    An annotation that cannot be used is quarantined with its reason, and taken once it is mended. A project that
    cannot be read stops no other. check_of: the inbox's check of a round, asked for only when there is something to
    submit. rounds: only these. seconds: after which no further task is read. by: who pulls. wait: seconds to wait for
    another pull. Raises LabelStudioError if another pull does not end, or the server does not list its projects.
    """
    try:
        # Two pulls at once would read the same annotations, and file them as two batches.
        with FileLock(f"{progress_file}.lock", timeout=wait):
            pull = _Pull(studio, inbox, check_of, progress_file, time.monotonic() + seconds, by)
            for project in find_projects(studio, profile):
                if (rounds is None or project.round in rounds) and not pull.read(project):
                    break
            return pull.report
    except Timeout:
        raise LabelStudioError("another pull is at work; what it brings need not be pulled again") from None


class _Pull:
    """One pull over several projects."""

    def __init__(
        self,
        studio: LabelStudio,
        inbox: Inbox,
        check_of: Callable[[str], SelectionCheck],
        file: Path,
        deadline: float,
        by: str,
    ) -> None:
        self.studio, self.inbox, self.check_of, self.by = studio, inbox, check_of, by
        self.file, self.deadline = file, deadline
        self.progress = read_progress(file)
        self.report = PullReport()
        # Asked for at the first new annotation: most pulls find none.
        self.users: dict[int, str] | None = None

    def read(self, project: StudioProject) -> bool:
        """Pulls one project. False: the server is gone, and asking for the next one would only wait again."""
        url = f"{self.studio.url}/projects/{project.id}"
        closed = self.inbox.closed(project.round)
        if closed is not None:
            # Its labels stay where they are: reopened, the round gets them.
            self.report.closed[project.round] = closed
            return True
        before = self.progress.get(url, PullProgress())
        now, news, error = copy.deepcopy(before), _News(project, url), None
        try:
            self.report.more = not self._tasks(project, now, news) or self.report.more
        except LabelStudioError as cause:
            error = cause
        try:
            # Also when the server failed in the middle: what it said before is good.
            self._submit(news, now)
            # Remembered after the inbox has the records: a pull that is killed in between submits them a second time,
            # and the inbox recognises them.
            if now != before:
                self.progress[url] = now
                write_progress(self.file, self.progress)
        except (O1Error, OSError) as cause:
            self.report.failed[url] = str(cause)
            return True
        if error is not None:
            self.report.failed[url] = str(error)
        elif not news:
            self.report.quiet.append(
                QuietProject(
                    project.round, url, len(now.seen), now.unusable, now.pulled, now.pulled_at, now.pulled_by
                )
            )
        return not isinstance(error, StudioUnreachable)

    def _tasks(self, project: StudioProject, progress: PullProgress, news: _News) -> bool:
        """Collects what is new, and updates `progress`. Returns whether the pass came to its end."""
        progress.begin()
        for task in self.studio.tasks(project.id, updated_since=progress.since, after=progress.after):
            for name, annotation in _annotations(task):
                self._annotation(name, annotation, task, progress, news)
            progress.after = max(progress.after, id_of(task) or 0)
            if time.monotonic() > self.deadline:
                return False
        progress.end()
        return True

    def _annotation(self, name: str, annotation: Any, task: Any, progress: PullProgress, news: _News) -> None:
        change = annotation.get("updated_at") if isinstance(annotation, dict) else None
        if isinstance(change, str) and progress.seen.get(name) == change:
            return
        if self.users is None:
            self.users = self.studio.users()
        try:
            record = rated_record(task, annotation, self.users)
            if record is not None:
                news.records.append(record)
        except UnusableAnnotation as reason:
            line = _as_line(task, annotation)
            # Not by its last change alone: it may have none, and be mended without one.
            change = f"{change}{SET_ASIDE}{hashlib.sha256(line.encode()).hexdigest()}"
            if progress.seen.get(name) != change:
                news.set_aside(name, task, line, str(reason))
        progress.seen[name] = str(change)

    def _submit(self, news: _News, progress: PullProgress) -> None:
        if not news:
            return
        name = news.project.round
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / f"label-studio-project-{news.project.id}.jsonl"
            refused = news.write(file)
            result = self.inbox.submit(file, name, self.check_of(name), refused_lines=refused)
        self.report.accepted[name] = self.report.accepted.get(name, 0) + result.accepted
        self.report.rejected.setdefault(name, []).extend(str(violation) for violation in result.violations)
        if result.accepted:
            progress.pulled, progress.pulled_by = result.accepted, self.by
            progress.pulled_at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


@dataclass
class _News:
    """What is new in a project: records, and the annotations that cannot be used, each as a line with its reason."""

    project: StudioProject
    url: str
    records: list[Record] = field(default_factory=list)
    unusable: list[tuple[str, Violation]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.records or self.unusable)

    def set_aside(self, name: str, task: Any, line: str, reason: str) -> None:
        data = task.get("data") if isinstance(task, dict) else None
        solution = data.get("solution_id") if isinstance(data, dict) else None
        message = (
            f"annotation {name} of {self.url}/data?task={id_of(task)} was set aside: {printable(reason, 400)}. "
            "Once it is mended and saved there, the next pull takes it"
        )
        violation = Violation(
            "unusable_annotation", message, solution=solution if isinstance(solution, str) else None
        )
        self.unusable.append((line, violation))

    def write(self, file: Path) -> dict[int, Violation]:
        """Writes everything as the lines of a file for the inbox; returns why some are refused, by line."""
        # In a fixed order, so that the same annotations make the same batch.
        self.records.sort(key=lambda record: (record.timestamp or "", record.labeler or ""))
        self.unusable.sort(key=lambda item: item[0])
        lines = [*(record.to_line() for record in self.records), *(line for line, _ in self.unusable)]
        file.write_text("".join(f"{line}\n" for line in lines))
        first = len(self.records) + 1
        return {number: violation for number, (_, violation) in enumerate(self.unusable, first)}


def _annotations(task: Any) -> Iterator[tuple[str, Any]]:
    """The annotations of a task, each with a name that it keeps."""
    annotations = task.get("annotations") if isinstance(task, dict) else [task]
    if annotations is None:
        return
    for position, annotation in enumerate(annotations if isinstance(annotations, list) else [annotations], 1):
        number = id_of(annotation)
        yield (f"{position} of task {id_of(task)}" if number is None else str(number)), annotation


def _as_line(task: Any, annotation: Any) -> str:
    """What the server said of an annotation, as a line to keep; without what changes while nobody touches it."""
    if isinstance(annotation, dict):
        annotation = {name: value for name, value in annotation.items() if name != "created_ago"}
    content = {"task": id_of(task), "annotation": annotation}
    if isinstance(task, dict):
        content["data"] = task.get("data")
    return json.dumps(content, sort_keys=True)


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
            settings.make_home()
            with server as studio:
                report = pull_labels(
                    studio,
                    settings.profile,
                    Inbox(settings.inbox),
                    lambda name: round_inputs(profile, store, name).check(),
                    progress_file(settings),
                    rounds=selected_rounds(profile, store),
                    seconds=SECONDS,
                    by=SENSOR,
                    wait=0,
                )
        except LabelStudioError as error:
            log.warning("no labels pulled: %s", error)
            return
        for name, count in report.accepted.items():
            log.info("%s: %d labelled solutions pulled from Label Studio", name, count)
        for name, reasons in report.rejected.items():
            if reasons:
                log.warning("%s: %d violations quarantined, first: %s", name, len(reasons), reasons[0])
        for url, reason in report.failed.items():
            log.warning("%s was not pulled to its end: %s", url, reason)

    return pull
