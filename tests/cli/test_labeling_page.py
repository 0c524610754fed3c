"""The labelling page over HTTP: who gets in, what the browser may load, and a solution from the link to the inbox."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner, Result

from o1_assets.cli.label_rounds import LabelsError
from o1_assets.cli.labeling_page.app import FILES, application
from o1_assets.cli.labeling_page.server import BadAddress, origins_of
from o1_assets.cli.main import app as o1
from o1_assets.core.settings import Settings
from o1_assets.execution.project import Project
from o1_assets.labels.page.database import Database
from o1_assets.labels.page.desk import Desk
from o1_assets.labels.round_inputs import round_inputs
from tests.labels.conftest import home  # noqa: F401
from tests.labels.world import ROUND

HERE = "http://127.0.0.1:8090"
ORIGIN = {"Origin": HERE}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(o1, ["labels", *arguments])


def token_of(name: str, *options: str) -> str:
    link = run("invite", name, *options).output.strip()
    assert link.startswith(f"{HERE}/#"), "behind the #, where no server and no log sees it"
    return link.partition("#")[2]


@pytest.fixture
def client(home: Settings) -> Iterator[TestClient]:  # noqa: F811
    """Of r03, sparse. The exact checker rates it, so what comes in is kept and not used."""
    project, database = Project(home), Database(home.labeling_page)
    desk = Desk(
        database, project.inbox, [ROUND], lambda name: round_inputs(project.profile, project.store, name)
    )
    with TestClient(application(desk, "nano", origins_of("127.0.0.1", 8090, None)), base_url=HERE) as browser:
        yield browser
    database.close()


def post(client: TestClient, path: str, **body: Any) -> Any:
    answer = client.post(path, json=body, headers=ORIGIN)
    return answer.json() if answer.is_success else (answer.status_code, answer.json()["error"])


def test_from_the_link_to_the_first_task_and_from_there_to_the_inbox(
    client: TestClient,
    home: Settings,  # noqa: F811
) -> None:
    token = token_of("ann")
    assert post(client, "/api/next")[0] == 401 and post(client, "/api/join", token="x" * 43)[0] == 401
    assert post(client, "/api/join", token=token) == {"name": "ann", "lead": False}
    content = post(client, "/api/next")
    task = content["task"]
    assert content["progress"]["rounds"] == [{"round": ROUND, "wanted": 3, "mine": 0, "left": 3}]
    act = {"round": task["round"], "solution": task["solution"]}
    task = post(client, "/api/act", **act, version=0, what="confirm")["task"]
    assert post(client, "/api/act", **act, version=0, what="undo")[0] == 409
    done = post(client, "/api/act", **act, version=1, what="finish", milliseconds=900)
    assert done["task"]["is_done"] and done["progress"]["rounds"][0]["mine"] == 1
    assert post(client, "/api/task", **act)["task"] == done["task"]
    client.__exit__()
    inbox = Project(home).inbox
    [digest] = inbox.accepted(ROUND)
    assert inbox.manifest(ROUND, digest).labelers == ["ann"], (
        "a server that is stopped files what is finished"
    )
    client.__enter__()
    assert post(client, "/api/leave") == {} and post(client, "/api/next")[0] == 401


def test_the_lead_sees_what_labellers_do_not(client: TestClient) -> None:
    post(client, "/api/join", token=token_of("ann"))
    assert post(client, "/api/lead") == (403, "Only a lead sees this page.")
    post(client, "/api/join", token=token_of("lea", "--lead"))
    content = post(client, "/api/lead")
    assert [each["name"] for each in content["labelers"]] == ["ann", "lea"]
    assert content["rounds"][0]["disagreements"] == []


def test_a_browser_loads_the_page_and_nothing_from_elsewhere(client: TestClient) -> None:
    for path in FILES:
        answer = client.get(path, headers={"Sec-Fetch-Site": "none"})
        policy = answer.headers["content-security-policy"]
        assert answer.status_code == 200 and "default-src 'none'" in policy and "unsafe" not in policy
        assert answer.headers["cache-control"] == "no-store" and "style=" not in answer.text
    cookie = client.post("/api/join", json={"token": token_of("ann")}, headers=ORIGIN).headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict"} <= set(cookie.split("; "))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.test"}, 403),
        ({"Host": "evil.test:8090"}, 421),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({**ORIGIN, "Content-Type": "text/plain"}, 415),
    ],
)
def test_a_page_of_another_site_does_nothing(
    client: TestClient, headers: dict[str, str], status: int
) -> None:
    content = {"Content-Type": "application/json", **headers}
    assert client.post("/api/join", content=b'{"token": "x"}', headers=content).status_code == status


@pytest.mark.parametrize("body", [b"[]", b"{", b"x" * 300_000, b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_object_is_refused(client: TestClient, body: bytes) -> None:
    headers = {**ORIGIN, "Content-Type": "application/json"}
    assert client.post("/api/join", content=body, headers=headers).status_code == 422


def test_what_cannot_be_served_is_said_with_the_remedy(home: Settings) -> None:  # noqa: F811
    error = run("serve").exception
    assert isinstance(error, LabelsError) and "o1 labels switch r03 human" in str(error)
    assert origins_of("10.0.0.5", 80, None)[0] == "http://10.0.0.5"
    assert origins_of("127.0.0.1", 8090, "https://Labels.example.org")[0] == "https://labels.example.org"
    for host, address in (("0.0.0.0", None), ("127.0.0.1", "labels.example.org"), ("::", "http://x/y")):
        with pytest.raises(BadAddress):
            origins_of(host, 8090, address)
    assert run("disagreements", ROUND).output.startswith("r03: 0 completions are rated differently")
