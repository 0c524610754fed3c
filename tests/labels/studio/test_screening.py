"""The screening solutions as a project of their own: they assess labellers and become no labels."""

from __future__ import annotations

import json

import polars as pl
import pytest
from typer.testing import CliRunner

from o1_assets.cli import label_studio as cli_studio
from o1_assets.cli.label_rounds import LabelsError
from o1_assets.cli.main import app
from o1_assets.core.settings import Settings
from o1_assets.labels.inbox.inbox import Inbox
from tests.labels.studio.fake import FakeStudio, recorded
from tests.labels.world import ROUND


@pytest.fixture
def studio(home: Settings, monkeypatch: pytest.MonkeyPatch) -> FakeStudio:
    server = FakeStudio()
    monkeypatch.setattr(cli_studio, "_open", lambda settings: server.connect())
    return server


def push(*arguments: str) -> dict[str, object]:
    done = CliRunner().invoke(app, ["labels", "studio", "push", ROUND, *arguments, "--json"])
    if done.exception:
        raise done.exception
    return json.loads(done.stdout)


def test_screening_has_a_project_beside_the_rounds_and_is_pulled_as_screening(
    home: Settings, studio: FakeStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("O1_SET", "quality.screening=2")
    whole, screening = push(), push("--screening")
    assert (whole["solutions"], screening["solutions"], screening["created"]) == (3, 2, True)
    assert screening["project"] != whole["project"] and not push("--screening")["created"]
    project = studio.projects[int(str(screening["project"]))]
    assert "screening" in project["title"] and "-screening" in project["description"]
    said = {task["data"]["solution_id"]: task["annotations"] for task in recorded("sparse")}
    for task in studio.tasks[int(str(screening["project"]))]:
        task["annotations"] = said[task["data"]["solution_id"]]
        task["updated_at"] = task["annotations"][0]["updated_at"]
    pulled = CliRunner().invoke(app, ["labels", "studio", "pull", ROUND, "--json"])
    assert json.loads(pulled.stdout)["accepted"] == {ROUND: 2}
    inbox = Inbox(home.inbox)
    (batch,) = inbox.accepted(ROUND)
    ratings, records = inbox.tables(ROUND, batch)
    assert records.height == 2 and pl.concat([ratings["screening"], records["screening"]]).all()


def test_a_round_without_screening_solutions_says_so(
    home: Settings, studio: FakeStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("O1_SET", "quality.screening=0")
    with pytest.raises(LabelsError, match=r"r03 has no screening solutions: quality.screening is 0"):
        push("--screening")
    assert studio.projects == {}


def test_the_invitation_is_printed_and_renewed(home: Settings, studio: FakeStudio) -> None:
    links = [
        CliRunner().invoke(app, ["labels", "studio", "invite", *more]).stdout for more in ([], ["--renew"])
    ]
    assert links == [f"{studio.url}/user/signup/?token={token}\n" for token in ("first", "second")]
