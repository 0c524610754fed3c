"""Against a real Label Studio, in a real browser: `make test-labeling`. It takes two minutes, most of them the start.

O1_TEST_LABEL_STUDIO names the label-studio executable. The clicking also needs playwright and a Chromium.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from o1_assets.core.settings import Settings
from o1_assets.labels.export import export_selection
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.inbox.validate import SelectionCheck
from o1_assets.labels.protocol import DENSE, SPARSE, Protocol, Writing, WrittenSteps
from o1_assets.labels.schema import Record, written_in
from o1_assets.labels.selection import Selection
from o1_assets.labels.studio.client import (
    LabelStudio,
    LabelStudioError,
    LocalServer,
    labeling_home,
    read_local,
)
from o1_assets.labels.studio.pull import pull_labels
from o1_assets.labels.studio.push import push_records
from tests.labels import world

EXECUTABLE = os.environ.get("O1_TEST_LABEL_STUDIO")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
START_SECONDS = 400
PASSWORD = "a long enough one"

pytestmark = [
    pytest.mark.skipif(EXECUTABLE is None, reason="set O1_TEST_LABEL_STUDIO, or use `make test-labeling`"),
    pytest.mark.timeout(START_SECONDS + 200),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """Started as `make labeling` starts it, on a free port, with data of its own."""
    home = tmp_path_factory.mktemp("o1")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["from o1_assets.cli import main; main()", "labels", "studio", "serve", str(EXECUTABLE)]
    process = subprocess.Popen(
        [sys.executable, "-c", *command, "--port", str(port)],
        env={**os.environ, "O1_HOME": str(home)},
        stdout=(home / "server.log").open("w"),
        stderr=subprocess.STDOUT,
    )
    try:
        for _ in range(START_SECONDS):
            assert process.poll() is None, (home / "server.log").read_text()[-2000:]
            try:
                if httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False).is_success:
                    break
            except httpx.HTTPError:
                pass
            time.sleep(1)
        known = read_local(labeling_home(Settings.load("nano", home)))
        assert known is not None
        arguments = subprocess.run(
            ["ps", "-ww", "-o", "args=", str(process.pid)], capture_output=True, text=True
        ).stdout
        assert "label-studio" in arguments
        assert known.password not in arguments and known.token not in arguments
        yield known
    finally:
        process.terminate()
        process.wait(30)


def sign_up(server: LocalServer, email: str, path: str | None = None) -> tuple[httpx.Client, int]:
    """The session of a new account, and the answer's status. path: of the page; the invitation's without it."""
    path = path or LabelStudio(server.url, server.token).invitation().removeprefix(server.url)
    session = httpx.Client(base_url=server.url, trust_env=False)
    token = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', session.get(path).text)[0]
    form = {"csrfmiddlewaretoken": token, "email": email, "password": PASSWORD}
    return session, session.post(path, data=form, headers={"Referer": server.url}).status_code


def choice(control: str, value: str) -> dict[str, Any]:
    return {"from_name": control, "to_name": "problem", "type": "choices", "value": {"choices": [value]}}


class Round:
    """A selection of the server's, its inbox, and its pulls. name has to be new for each test."""

    def __init__(
        self,
        server: LocalServer,
        folder: Path,
        name: str,
        protocol: Protocol,
        writing: Writing | None = None,
    ) -> None:
        self.name, self.protocol, self.folder = name, protocol, folder
        self.selection: Selection = world.load(folder, writing)
        self.inbox = Inbox(folder / "inbox")
        self.studio = LabelStudio(server.url, server.token)
        records = list(export_selection(self.selection, name, protocol))
        self.pushed = push_records(self.studio, name, records)

    def pull(self) -> dict[str, int]:
        report = pull_labels(
            self.studio, self.name, self.inbox,
            lambda name: SelectionCheck(self.selection, name, self.protocol), self.folder / "progress.json",
        )  # fmt: skip
        self.rejected = [reason for reasons in report.rejected.values() for reason in reasons]
        return report.accepted

    def labels(self) -> dict[str, list[list[int | None]]]:
        """Ratings by solution, the newest record of each."""
        found: dict[str, tuple[str, list[list[int | None]]]] = {}
        for digest in self.inbox.accepted(self.name):
            for line in self.inbox.batch(self.name, digest).read_bytes().splitlines():
                record = Record.from_line(line)
                assert record.o1 is not None and record.timestamp is not None
                ratings = [[item.rating for item in step.completions or []] for step in record.label.steps]
                older = found.get(record.o1.solution_id)
                if older is None or older[0] < record.timestamp:
                    found[record.o1.solution_id] = (record.timestamp, ratings)
        return {solution: ratings for solution, (_, ratings) in found.items()}


def test_annotations_made_and_changed_through_the_server_arrive_once_each(
    server: LocalServer, tmp_path: Path
) -> None:
    round_ = Round(server, tmp_path, "r01", SPARSE)
    tasks = {task["data"]["solution_id"]: task for task in round_.studio.tasks(round_.pushed.project)}
    assert len(tasks) == 3 and round_.pull() == {}

    path = f"/api/tasks/{tasks['direct']['id']}/annotations/"
    sent = {"result": [choice("step0", "right.2.last")], "lead_time": 2.5}
    annotation = round_.studio._call("POST", path, json=sent)["id"]
    assert round_.pull() == {"r01": 1} and round_.pull() == {}
    assert round_.labels() == {"direct": [[1, None, None]]}

    wrong = [choice("step0", "wrong.2.last"), choice("step0_alternative1", "right")]
    round_.studio._call("PATCH", f"/api/annotations/{annotation}/", json={"result": wrong})
    assert round_.pull() == {"r01": 1}
    assert round_.labels() == {"direct": [[-1, 1, None]]}


def test_a_push_again_adds_nothing_and_a_wrong_token_is_said(server: LocalServer, tmp_path: Path) -> None:
    assert Round(server, tmp_path, "r02", DENSE).pushed.added == 3
    assert Round(server, tmp_path, "r02", DENSE).pushed.added == 0
    with pytest.raises(LabelStudioError, match="refuses the token"):
        LabelStudio(server.url, "0" * 40).projects()
    with pytest.raises(LabelStudioError, match="is not Label Studio"):
        LabelStudio(f"{server.url}/elsewhere", server.token).projects()


def test_who_was_invited_may_label_as_himself_and_do_nothing_else(
    server: LocalServer, tmp_path: Path
) -> None:
    round_ = Round(server, tmp_path, "r05", SPARSE)
    tasks = {task["data"]["solution_id"]: task["id"] for task in round_.studio.tasks(round_.pushed.project)}
    result = [choice("step0", "right.2.last")]
    direct = f"/api/tasks/{tasks['direct']}/annotations"
    theirs = round_.studio._call("POST", f"{direct}/", json={"result": result})["id"]

    assert sign_up(server, "mallory@example.com", "/user/signup/")[1] == 403
    eve, _ = sign_up(server, "eve@example.com")
    mine = eve.post(direct, json={"result": result, "completed_by": 1}).json()
    assert mine["completed_by"] == mine["updated_by"] != 1
    assert eve.patch(f"/api/annotations/{mine['id']}", json={"result": result, "completed_by": 1}).is_success
    project = f"/api/projects/{round_.pushed.project}"
    forged = [{"data": {}, "annotations": [{"result": result, "completed_by": 1}]}]
    refused = [
        eve.patch(f"/api/annotations/{theirs}", json={"result": []}),
        eve.delete(f"/api/annotations/{theirs}"),
        eve.post(f"{direct}/{theirs}/drafts", json={"result": [], "lead_time": 1}),
        eve.post(f"{project}/import", json=forged),
        eve.delete(project),
        eve.patch(f"/api/tasks/{tasks['direct']}", json={"data": {}}),
        *map(
            eve.get, ("/api/current-user/token", "/api/token/", "/api/invite", "/admin/", f"{project}/export")
        ),
        eve.patch(f"/api/annotations/{mine['id']}", json={}, headers={"Origin": "http://evil.test"}),
    ]
    assert {answer.status_code for answer in refused} == {403}
    assert round_.pull() == {"r05": 2} and round_.rejected == []
    [digest] = round_.inbox.accepted("r05")
    assert round_.inbox.manifest("r05", digest).labelers == ["eve@example.com", server.user]


def test_what_the_server_knows_another_to_have_saved_or_nobody_is_set_aside(
    server: LocalServer, tmp_path: Path
) -> None:
    round_ = Round(server, tmp_path, "r06", SPARSE)
    [task, *_] = round_.studio.tasks(round_.pushed.project)
    first, path = [choice("step0", "right.1")], f"/api/tasks/{task['id']}/annotations"
    ann, _ = sign_up(server, "ann@example.com")
    mine = ann.post(path, json={"result": first}).json()
    # The lead's account may do everything, also in another's name: the server records who really did.
    round_.studio._call("POST", f"{path}/", json={"result": first, "completed_by": mine["completed_by"]})
    round_.studio._call("PATCH", f"/api/annotations/{mine['id']}/", json={"result": first})
    imported = {
        "data": task["data"],
        "annotations": [{"result": first, "completed_by": mine["completed_by"]}],
    }
    round_.studio._call("POST", f"/api/projects/{round_.pushed.project}/import", json=[imported])
    assert round_.pull() == {"r06": 0}
    signed = "it is signed by ann@example.com, but lead@example.com saved it last"
    assert sorted(signed in reason for reason in round_.rejected) == [False, True, True]
    assert sum("does not know who saved it" in reason for reason in round_.rejected) == 1

    assert ann.patch(f"/api/annotations/{mine['id']}", json={"result": first}).is_success
    assert round_.pull() == {"r06": 1} and round_.pull() == {}


@pytest.fixture
def page(server: LocalServer) -> Iterator[Any]:
    """A browser in which an invited labeller is signed in."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_page(viewport={"width": 1280, "height": 860})
        tab.set_default_timeout(60_000)
        tab.goto(f"{server.url}/user/login/")
        email = f"{uuid.uuid4().hex}@example.com"
        sign_up(server, email)
        tab.fill("input[name=email]", email)
        tab.fill("input[name=password]", PASSWORD)
        tab.click("button[type=submit]")
        tab.wait_for_url(lambda url: "login" not in url)
        yield tab
        browser.close()


class Labeller:
    """What somebody does with mouse and keyboard."""

    def __init__(self, page: Any, url: str) -> None:
        self.page = page
        page.goto(f"{url}/data?labeling=1")
        page.wait_for_selector(".o1-slot")
        page.wait_for_timeout(2000)
        page.keyboard.press("Escape")  # closes the instruction
        page.wait_for_timeout(500)

    def shown(self) -> list[str]:
        slots = self.page.locator(".o1-slot:visible").all()
        return [slot.locator("h3").inner_text() for slot in slots]

    def click(self, text: str, rating: str) -> None:
        slot = self.page.locator(".o1-slot:visible", has=self.page.get_by_text(text, exact=True))
        slot.get_by_text(rating).click()
        self.page.wait_for_timeout(300)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
            self.page.wait_for_timeout(300)

    def submit(self) -> None:
        with self.page.expect_response(lambda r: "/annotations" in r.url and r.request.method == "POST"):
            self.page.keyboard.press("Control+Enter")
        self.page.wait_for_timeout(2000)


def test_solutions_labelled_by_clicking_and_by_keys_arrive(
    server: LocalServer, tmp_path: Path, page: Any
) -> None:
    round_ = Round(server, tmp_path, "r03", SPARSE)
    labeller = Labeller(page, round_.pushed.url)
    assert labeller.shown() == ["3*4=12"]
    labeller.click("3*4=12", "Right")
    assert labeller.shown() == ["3*4=12", "12-5=7"]
    page.keyboard.press("Control+Enter")
    page.get_by_text("Please rate step 2, or say Unsure.").wait_for()
    page.locator(".ant-modal-confirm-btns button").click()
    page.wait_for_timeout(800)
    labeller.click("12-5=7", "Right")
    labeller.click("answer 7", "Right")
    labeller.submit()

    labeller.press("1", "s")
    assert labeller.shown() == ["2+3=5", "5*4=20", "2+12=14"]
    labeller.press("a")
    assert labeller.shown() == ["2+3=5", "3*4=12", "3*4=13"]
    labeller.press("Shift+1", "Alt+A")
    labeller.submit()
    assert round_.pull() == {"r03": 2}
    assert round_.labels() == {
        "right": [[1, None], [1, None, None], [1]],
        "wrong": [[-1, 1, -1], [None, None], [None]],
    }


def test_dense_labelling_asks_for_every_completion(server: LocalServer, tmp_path: Path, page: Any) -> None:
    round_ = Round(server, tmp_path, "r04", DENSE)
    labeller = Labeller(page, round_.pushed.url)
    labeller.press("1", "Shift+A", "w", "Shift+W", "Alt+X", "3")
    assert labeller.shown() == ["3*4=12", "4-5=-1", "12-5=7", "12-5=6", "check 3*4=12", "answer 7"]
    labeller.submit()
    assert round_.pull() == {"r04": 1}
    assert round_.labels() == {"right": [[1, -1], [0, 0, None], [1]]}


def test_the_rest_of_a_solution_is_written_under_its_wrong_step(
    server: LocalServer, tmp_path: Path, page: Any
) -> None:
    round_ = Round(server, tmp_path, "r07", SPARSE, "solution")
    labeller = Labeller(page, round_.pushed.url)
    # A step of the right solution is called wrong, and nobody is asked to write in that one.
    labeller.press("a", "Shift+1")
    assert page.locator(".o1-written:visible").count() == 0
    labeller.submit()
    labeller.press("a")
    field = page.locator(".o1-written:visible textarea")
    field.click()
    # Digits are keys of the page, and here they are text. A line is a step; Shift and Enter add a text as it is.
    for text, key in (("3*4=12", "Enter"), ("2+12=14", "Shift+Enter"), ("answer 14", "Tab")):
        page.keyboard.type(text)
        page.keyboard.press(key)
    page.locator(".o1-head").click()
    labeller.press("Shift+A", "Alt+A")
    labeller.submit()
    assert round_.pull() == {"r07": 2} and round_.rejected == []
    [digest] = round_.inbox.accepted("r07")
    records = map(Record.from_line, round_.inbox.batch("r07", digest).read_bytes().splitlines())
    assert [written for record in records if (written := written_in(record))] == [
        WrittenSteps(0, None, ("3*4=12", "2+12=14", "answer 14"))
    ]
