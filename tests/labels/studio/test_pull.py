"""Labels are pulled once, again when they change, and after any interruption."""

from __future__ import annotations

import copy
import logging
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from filelock import FileLock

from o1_assets.cli.label_studio import pull_lines
from o1_assets.core.settings import Settings
from o1_assets.execution.project import Project
from o1_assets.labels import export
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.inbox.validate import SelectionCheck
from o1_assets.labels.protocol import PROTOCOLS
from o1_assets.labels.selection import Selection
from o1_assets.labels.studio import client, pull
from o1_assets.labels.studio import pull as hook
from o1_assets.labels.studio.client import (
    LabelStudio,
    LabelStudioError,
    LocalServer,
    connection,
    labeling_home,
    write_local,
)
from o1_assets.labels.studio.pull import PullReport, pull_labels, read_progress, studio_pull
from o1_assets.labels.studio.push import push_records
from o1_assets.store.store import MissingInput
from tests.labels import world
from tests.labels.studio.fake import TOKEN, FakeStudio

LATER = (datetime.now(UTC) + timedelta(minutes=1)).isoformat(timespec="microseconds").replace("+00:00", "Z")


class Desk:
    """A fake server with a round labelled in it, an inbox, and what pulls."""

    def __init__(self, folder: Path) -> None:
        self.studio, self.inbox = FakeStudio(), Inbox(folder / "inbox")
        self.selection: Selection = world.load(folder)
        self.progress = folder / "label_studio.json"
        self.project = self.studio.add_recorded("dense", "r03")

    def check(self, name: str) -> SelectionCheck:
        return SelectionCheck(self.selection, name, PROTOCOLS["sparse" if name == "r04" else "dense"])

    def pull(
        self, seconds: float = 60.0, rounds: set[str] | None = None, by: str = pull.COMMAND
    ) -> PullReport:
        with self.studio.connect() as studio:
            return pull_labels(
                studio, "nano", self.inbox, self.check, self.progress, seconds=seconds, rounds=rounds, by=by
            )

    def solutions(self, name: str) -> list[str]:
        return [s for digest in self.inbox.accepted(name) for s in self.inbox.solutions(name, digest)]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_what_was_labelled_arrives_in_the_inbox_once(desk: Desk) -> None:
    report = desk.pull()
    assert (report.accepted, report.rejected, report.more) == ({"r03": 3}, {"r03": []}, False)
    assert sorted(desk.solutions("r03")) == ["direct", "right", "wrong"]
    assert desk.pull() == PullReport()
    assert len(desk.inbox.accepted("r03")) == 1


def test_only_what_changed_is_pulled_again(desk: Desk) -> None:
    desk.pull()
    task = desk.studio.tasks[desk.project][1]
    task["updated_at"] = task["annotations"][0]["updated_at"] = LATER
    assert desk.pull().accepted == {"r03": 1}
    assert desk.solutions("r03").count("wrong") == 2 and desk.solutions("r03").count("right") == 1


def test_a_second_labeller_of_a_task_is_pulled_without_the_first(desk: Desk) -> None:
    desk.pull()
    task = desk.studio.tasks[desk.project][0]
    second = {"id": 99, "completed_by": 2, "updated_by": 2, "updated_at": LATER}
    task["annotations"].append({**task["annotations"][0], **second})
    task["updated_at"] = LATER
    assert desk.pull().accepted == {"r03": 1}


def test_what_changes_while_a_pull_reads_is_found_by_the_next(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task that was read already changes, then a later one does: the later moment must not hide the earlier."""
    first, between, last = desk.studio.tasks[desk.project]
    original = pull.rated_record

    def labelled_meanwhile(task, annotation, users):  # type: ignore[no-untyped-def]
        if task["id"] == between["id"]:
            first["updated_at"] = first["annotations"][0]["updated_at"] = "2026-12-01T00:00:00.000000Z"
            last["updated_at"] = last["annotations"][0]["updated_at"] = LATER
        return original(task, annotation, users)

    monkeypatch.setattr(client, "PAGE", 1)
    monkeypatch.setattr(pull, "rated_record", labelled_meanwhile)
    desk.pull()
    monkeypatch.undo()
    desk.pull()
    assert desk.solutions("r03").count("right") == 2


def test_killed_before_it_is_remembered_the_same_batch_comes_again_and_counts_once(desk: Desk) -> None:
    desk.pull()
    before = desk.inbox.version("r03")
    desk.progress.unlink()
    assert desk.pull().accepted == {"r03": 3}
    assert desk.inbox.version("r03") == before and len(desk.inbox.accepted("r03")) == 1


BROKEN = [
    "", "{", "[]", "\0", '{"http://studio.test/projects/1": 1}',
    '{"http://studio.test/projects/1": {"after": "x"}}', '{"http://studio.test/projects/1": {"seen": {"1": null}}}',
    '{"http://studio.test/projects/1": {"since": "yesterday", "after": 1}}',
]  # fmt: skip


@pytest.mark.parametrize("content", BROKEN)
def test_a_damaged_memory_is_as_none(desk: Desk, content: str) -> None:
    desk.progress.write_text(content)
    assert desk.pull().accepted == {"r03": 3}


def test_out_of_time_it_goes_on_where_it_stopped(desk: Desk) -> None:
    first = desk.pull(seconds=0)
    assert first.accepted == {"r03": 1} and first.more
    assert desk.pull(seconds=0).accepted == {"r03": 1}
    assert desk.pull().accepted == {"r03": 1}
    assert sorted(desk.solutions("r03")) == ["direct", "right", "wrong"]
    [progress] = read_progress(desk.progress).values()
    assert progress.after == 0 and len(progress.seen) == 3


def test_each_round_has_its_own_batch_and_others_profiles_and_rounds_are_left_alone(desk: Desk) -> None:
    desk.studio.add_recorded("sparse", "r04")
    desk.studio.add_recorded("dense", "r03", profile="smol")
    desk.studio.projects[9] = {"id": 9, "description": "somebody's own project"}
    assert desk.pull(rounds={"r04"}).accepted == {"r04": 3}
    assert desk.inbox.accepted("r03") == []
    assert desk.pull().accepted == {"r03": 3}


def test_labels_of_solutions_that_the_round_no_longer_has_are_quarantined_and_said(desk: Desk) -> None:
    task = desk.studio.tasks[desk.project][0]
    task["data"]["record"] = task["data"]["record"].replace('"solution_id": "right"', '"solution_id": "gone"')
    report = desk.pull()
    assert report.accepted == {"r03": 2}
    assert "unknown_solution" in report.rejected["r03"][0]
    assert len(desk.inbox.quarantined("r03")) == 1


def test_an_annotation_that_cannot_be_used_stops_no_other_and_is_taken_once_it_is_mended(desk: Desk) -> None:
    first, second, third = desk.studio.tasks[desk.project]
    good = copy.deepcopy(second["annotations"][0])
    first["annotations"].append({**first["annotations"][0], "id": 98, "completed_by": 7})
    second["annotations"][0]["result"] = None
    del second["annotations"][0]["updated_at"]
    third["annotations"] += ["no object", {**third["annotations"][0], "id": "text"}]
    report = desk.pull()
    assert report.accepted == {"r03": 2} and len(report.rejected["r03"]) == 4
    assert all("[unusable_annotation]" in reason for reason in report.rejected["r03"])
    [forged] = [reason for reason in report.rejected["r03"] if "annotation 98 of" in reason]
    assert "http://studio.test/projects/1/data?task=" in forged
    assert "signed by label-studio:7, but lead@example.com saved it last" in forged

    # Nothing is said or filed twice, though the server says how long ago an annotation was made.
    second["annotations"][0]["created_ago"] = "5 minutes"
    quarantined = desk.inbox.quarantined("r03")
    again = desk.pull()
    assert (again, [quiet.unusable for quiet in again.quiet]) == (PullReport(), [4])
    assert desk.inbox.quarantined("r03") == quarantined and len(quarantined) == 1

    second["annotations"][0] = {**good, "updated_at": LATER}
    second["updated_at"] = LATER
    assert desk.pull().accepted == {"r03": 1}
    assert sorted(desk.solutions("r03")) == ["direct", "right", "wrong"]


@pytest.mark.parametrize(
    "task", [7, {}, {"id": 99}, {"id": 99, "annotations": 7}, {"id": "x", "annotations": [7]}]
)
def test_a_task_that_is_damaged_stops_no_other(desk: Desk, task: object) -> None:
    desk.studio.extra = [task]
    assert desk.pull().accepted == {"r03": 3}
    assert desk.pull().accepted == {}


def test_what_was_read_before_the_server_failed_arrives_and_the_next_pull_goes_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PAGE", 1)
    project, answers = desk.studio.add_recorded("sparse", "r04"), iter([None, None, 429, 500])
    desk.studio.fail = lambda asked: next(answers, None) if asked.get("project") == "1" else None
    first = desk.pull()
    assert first.accepted == {"r03": 2, "r04": 3}, "one project that fails stops no other"
    assert list(first.failed) == ["http://studio.test/projects/1"] and "says 429" in str(first.failed)
    assert desk.pull().accepted == {} and desk.pull().accepted == {"r03": 1}
    assert sorted(desk.solutions("r03")) == ["direct", "right", "wrong"] and project == 2


def test_a_task_that_is_deleted_while_a_pull_reads_hides_no_other(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PAGE", 1)
    tasks = desk.studio.tasks[desk.project]
    asked = iter([None, tasks.pop])
    desk.studio.fail = lambda _: (step := next(asked, None)) and step(0) and None
    assert desk.pull().accepted == {"r03": 3}


def test_a_moment_of_the_future_hides_nothing_that_comes_after_it(desk: Desk) -> None:
    first, second, _ = desk.studio.tasks[desk.project]
    first["annotations"][0]["updated_at"] = first["updated_at"] = "2098-01-01T00:00:00+05:30"
    desk.pull()
    now = datetime.now(UTC).isoformat()
    second["updated_at"] = second["annotations"][0]["updated_at"] = now
    assert desk.pull().accepted == {"r03": 1} and desk.pull().accepted == {}


def test_a_round_that_cannot_be_checked_stops_no_other_and_its_labels_come_later(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.studio.add_recorded("sparse", "r04")
    check = desk.check

    def damaged(name: str) -> SelectionCheck:
        if name == "r03":
            raise MissingInput("r03/selection is damaged")
        return check(name)

    monkeypatch.setattr(desk, "check", damaged)
    report = desk.pull()
    assert report.accepted == {"r04": 3} and list(report.failed.values()) == ["r03/selection is damaged"]
    monkeypatch.undo()
    assert desk.pull().accepted == {"r03": 3}


def test_a_closed_round_gets_its_labels_once_it_is_reopened(desk: Desk) -> None:
    desk.inbox.close("r03", "its labels are final")
    report = desk.pull()
    assert (report.accepted, report.closed) == ({}, {"r03": "its labels are final"})
    desk.inbox.reopen("r03")
    assert desk.pull().accepted == {"r03": 3}


def test_a_pull_waits_for_another_one_and_says_so_when_that_does_not_end(desk: Desk) -> None:
    with FileLock(f"{desk.progress}.lock"), pytest.raises(LabelStudioError, match="another pull is at work"):
        pull_labels(desk.studio.connect(), "nano", desk.inbox, desk.check, desk.progress, wait=0)


def test_what_the_sensor_pulled_a_moment_ago_is_said_by_the_command(desk: Desk) -> None:
    def lines(report: PullReport) -> str:
        return "\n".join(pull_lines(report, desk.inbox, "any round of profile nano"))

    assert "3 records accepted into r03, 0 violations" in lines(desk.pull(by=pull.SENSOR))
    said = lines(desk.pull())
    assert re.search(r"the sensor pulled 3 records at 20\d\d-.* UTC, and nothing was labelled since", said)
    desk.studio.projects.clear()
    assert "no project for any round of profile nano; `o1 labels studio push ROUND`" in lines(desk.pull())


def test_a_round_is_pushed_once_completed_after_a_kill_and_anew_for_another_selection(desk: Desk) -> None:
    records = list(export.export_selection(desk.selection, "r05", PROTOCOLS["sparse"]))
    with desk.studio.connect() as studio:
        first = push_records(studio, "nano", records)
        del desk.studio.tasks[first.project][1:]
        again = push_records(studio, "nano", records)
        assert (first.created, first.added, again.created, again.added) == (True, 3, False, 2)
        assert again.project == first.project and len(desk.studio.tasks[first.project]) == 3
        for record in records:
            assert record.o1 is not None
            record.o1.selection = "beef"
        assert push_records(studio, "nano", records).project != first.project
        with pytest.raises(ValueError, match="no solution to label"):
            push_records(studio, "nano", [])


def answering(status: int, content: object = None, text: str | None = None) -> httpx.MockTransport:
    return httpx.MockTransport(
        lambda _: httpx.Response(status, json=content) if text is None else httpx.Response(status, text=text)
    )


def failing(error: Exception) -> httpx.MockTransport:
    def handle(_: httpx.Request) -> httpx.Response:
        raise error

    return httpx.MockTransport(handle)


@pytest.mark.parametrize(
    ("transport", "token", "sentence"),
    [
        (answering(401, {"detail": "Invalid token."}), "bad", "refuses the token; set O1_LABEL_STUDIO_TOKEN"),
        (answering(401, {"detail": "x"}), "a.b.c", "refuses the personal token"),
        (answering(404, {"detail": "Not found"}), "t", "is not Label Studio (HTTP 404); correct O1_LABEL_STUDIO_URL"),
        (answering(200, text="<html>welcome</html>"), "t", "is not Label Studio (HTTP 200)"),
        (answering(400, {"detail": "Validation error", "validation_errors": {"title": ["too long"]}}), "t", "too long"),
        (answering(500, {"detail": "boom"}), "t", "says 500: \"boom\""),
        (answering(200, ["boom"]), "t", "its answer to /api/projects/ has no results"),
        (answering(200, {"results": None}), "t", "its answer to /api/projects/ has no results"),
        (answering(200, text="[" * 100_000), "t", "is not Label Studio (HTTP 200)"),
        (failing(httpx.ConnectError("refused")), "t", "(refused); start one with `make labeling`"),
        (failing(httpx.ConnectTimeout("slow")), "t", "does not answer in time; start one with `make labeling`"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_server_is_one_sentence(
    transport: httpx.MockTransport, token: str, sentence: str
) -> None:
    with (
        pytest.raises(LabelStudioError) as caught,
        LabelStudio("http://s.test", token, transport=transport) as s,
    ):
        s.projects()
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


def test_a_server_that_knows_no_pages_does_not_hold_a_pull_for_ever() -> None:
    rows = [{"id": 1}]
    transport = answering(200, {"results": rows, "count": 9, "tasks": rows, "total": 9})
    with LabelStudio("http://s.test", "t", transport=transport) as studio:
        assert studio.projects() == rows
        with pytest.raises(LabelStudioError, match="lists the same tasks of project 1 again and again"):
            list(studio.tasks(1))


@pytest.mark.parametrize(
    ("url", "token"), [("example", "t"), ("", "t"), ("ftp://x", "t"), ("http://x", "é"), ("http://x", "")]
)
def test_an_address_or_token_that_cannot_be_one_is_refused_by_name(url: str, token: str) -> None:
    with pytest.raises(LabelStudioError, match="O1_LABEL_STUDIO_"):
        LabelStudio(url, token).projects()


def test_a_personal_token_is_exchanged_for_a_short_lived_one() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/token/refresh":
            return httpx.Response(200, json={"access": "short"})
        assert request.headers["Authorization"] == "Bearer short"
        return httpx.Response(200, json={"count": 0, "results": []})

    with LabelStudio("http://s.test", "a.b.c", transport=httpx.MockTransport(answer)) as studio:
        assert studio.projects() == []


def pulling(home: Path, opened: Callable[[], LabelStudio | None]) -> Callable[[], None]:
    project = Project(Settings.load("nano", home), "")
    return studio_pull(project.settings, project.profile, project.store, opened)


def test_the_sensors_call_neither_fails_nor_hangs_and_says_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pull_now = pulling(tmp_path, lambda: LabelStudio("http://127.0.0.1:9", TOKEN, connect=1, timeout=1))
    started = time.monotonic()
    with caplog.at_level(logging.INFO, logger=hook.__name__):
        pull_now()
    assert time.monotonic() - started < 5
    [line] = [record.getMessage() for record in caplog.records if record.name == hook.__name__]
    assert line.startswith("no labels pulled: no Label Studio at http://127.0.0.1:9")


def test_the_sensors_call_is_silent_where_no_server_is_known(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pulling(tmp_path, lambda: None)()
    assert caplog.records == []


def test_the_environment_comes_before_the_server_that_make_labeling_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("URL", "TOKEN"):
        monkeypatch.delenv(f"O1_LABEL_STUDIO_{name}", raising=False)
    home = labeling_home(Settings.load("nano", tmp_path))
    assert connection(home) is None
    write_local(home, LocalServer("http://127.0.0.1:8080", "local", "lead@example.com", "secret"))
    assert (home / "server.json").stat().st_mode & 0o077 == 0
    local = connection(home)
    assert local is not None and (local.url, local.token) == ("http://127.0.0.1:8080", "local")
    monkeypatch.setenv("O1_LABEL_STUDIO_URL", "https://labels.example.com")
    monkeypatch.setenv("O1_LABEL_STUDIO_TOKEN", "theirs")
    other = connection(home)
    assert other is not None and (other.url, other.token) == ("https://labels.example.com", "theirs")
