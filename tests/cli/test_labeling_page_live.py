"""The labelling page in a real browser, by keys, with a server that goes away and comes back: `make test-labeling`."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from o1_assets.cli.labeling_page.app import application
from o1_assets.cli.labeling_page.server import origins_of
from o1_assets.core.settings import Settings
from o1_assets.execution.project import Project
from o1_assets.labels.page.database import Database
from o1_assets.labels.page.desk import Desk
from o1_assets.labels.page.labelers import invite
from o1_assets.labels.round_inputs import round_inputs
from o1_assets.labels.schema import Record
from tests.labels.conftest import home  # noqa: F401
from tests.labels.world import ROUND

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = pytest.mark.skipif(
    "O1_TEST_LABEL_STUDIO" not in os.environ or CHROMIUM is None,
    reason="use `make test-labeling` where there is a Chromium",
)


class Served:
    """The page on a port that stays its own, so that it can go away and come back."""

    def __init__(self, settings: Settings) -> None:
        self.project, self.database = Project(settings), Database(settings.labeling_page)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.start()

    def start(self) -> None:
        project = self.project

        def inputs(name: str) -> Any:
            return round_inputs(project.profile, project.store, name)

        desk = Desk(self.database, project.inbox, [ROUND], inputs)
        app = application(desk, "nano", origins_of("127.0.0.1", self.port, None))
        config = uvicorn.Config(app, port=self.port, log_level="warning", timeout_graceful_shutdown=1)
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()
        while not self.server.started:
            self.thread.join(0.02)

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join()

    def records(self) -> dict[str, Record]:
        inbox = self.project.inbox
        files = [inbox.batch(ROUND, digest) for digest in inbox.accepted(ROUND)]
        records = [Record.from_line(line) for file in files for line in file.read_bytes().splitlines()]
        return {
            record.o1.solution_id: record for record in sorted(records, key=lambda r: r.moment) if record.o1
        }


@pytest.fixture
def served(home: Settings) -> Iterator[Served]:  # noqa: F811
    page = Served(home)
    yield page
    page.stop()
    page.database.close()


@pytest.fixture
def tab() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_page(viewport={"width": 390, "height": 844})
        tab.set_default_timeout(30_000)
        faults: list[str] = []
        tab.on("pageerror", lambda error: faults.append(str(error)))
        yield tab
        browser.close()
        assert faults == []


def test_three_solutions_by_keys_though_the_server_goes_away_and_the_tab_is_closed(
    served: Served, tab: Any
) -> None:
    tab.goto(f"http://127.0.0.1:{served.port}/#{invite(served.database, 'ann')}")
    tab.get_by_text("12-5=7").wait_for()
    assert "#" not in tab.url, "the token does not stay in the history"
    tab.keyboard.press("Enter")
    tab.locator("#go", has_text="Next").wait_for()
    tab.keyboard.press("Enter")

    tab.get_by_text("5*4=20").wait_for()
    served.stop()
    tab.keyboard.press("1")
    tab.get_by_text("The server does not answer").wait_for()
    served.start()
    tab.locator(".slot.wrong").wait_for()
    tab.locator("#trouble").wait_for(state="hidden")
    tab.keyboard.press("a")
    tab.locator("#go", has_text="Next").wait_for()
    served.stop()
    tab.keyboard.press("t")
    tab.keyboard.type("2+3 comes after 3*4")
    tab.goto("about:blank")
    served.start()
    tab.goto(f"http://127.0.0.1:{served.port}/")
    tab.get_by_text("5*4=20").wait_for()
    assert tab.locator("#note").input_value() == "2+3 comes after 3*4"
    tab.keyboard.press("Enter")

    tab.get_by_text("answer 5").wait_for()
    tab.keyboard.press("b")
    tab.get_by_text("Nothing is left for you").wait_for()
    tab.keyboard.press("p")
    tab.get_by_text("You called this a bad problem.").wait_for()
    served.stop()
    records = served.records()
    served.start()
    assert [step.completions[0].rating for step in records["right"].label.steps if step.completions] == [
        1,
        1,
        1,
    ]
    wrong = records["wrong"]
    assert wrong.label.steps[0].completions and wrong.o1 and wrong.o1.note == "2+3 comes after 3*4"
    assert [item.rating for item in wrong.label.steps[0].completions] == [-1, 1, 1]
    assert records["direct"].label.finish_reason == "bad_problem"
    assert {record.labeler for record in records.values()} == {"ann"}
