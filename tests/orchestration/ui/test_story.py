"""`o1 ui` opens with the loop's graph, and serves the plots of newest versions and nothing else."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from o1_assets.core.settings import Settings
from o1_assets.execution.project import Project
from o1_assets.orchestration.story import PICTURES
from o1_assets.orchestration.ui.story import Story


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    home = tmp_path_factory.mktemp("home")
    plots = home / "object" / "plots"
    plots.mkdir(parents=True)
    Image.new("RGB", (960, 480)).save(plots / "reward.png")
    (home / "secret.png").write_bytes(b"something else")
    (plots.parent / "secret.png").write_bytes(b"something else")
    project: Any = Project(Settings.load("nano", home), overrides="", parts=())

    def head(key: str) -> SimpleNamespace | None:
        return SimpleNamespace(digest="digest") if key == "r03/policy" else None

    project.store = SimpleNamespace(head=head, path=lambda digest: Path(home / "object"))
    return TestClient(Story(PlainTextResponse("Dagster's own"), project), follow_redirects=False)


def test_the_first_page_is_the_lineage_graph_with_phase_1_open(client: TestClient) -> None:
    answer = client.get("/", headers={"Accept": "text/html"})
    assert answer.status_code == 302
    assert answer.headers["location"].startswith("/asset-groups/?expanded=")
    assert "3_generator" in answer.headers["location"] and "4_phase_1" in answer.headers["location"]


@pytest.mark.parametrize("path", ["/", "/asset-groups/", "/assets/r03_policy"])
def test_all_else_is_dagsters(path: str, client: TestClient) -> None:
    assert client.get(path, headers={"Accept": "application/json"}).text == "Dagster's own"


def test_the_plot_of_the_newest_version_is_served(client: TestClient) -> None:
    answer = client.get(f"{PICTURES}/r03/policy/reward.png")
    assert Image.open(io.BytesIO(answer.content)).size == (480, 240)
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "name",
    [
        "r03/policy/kl",
        "r03/prm/reward",
        "r99/policy/reward",
        "r03/policy/..%2Fsecret",
        "r03/policy/%2E%2E/secret",
        "",
    ],
)
def test_nothing_else_is(name: str, client: TestClient) -> None:
    answer = client.get(f"{PICTURES}/{name}.png")
    assert answer.status_code == 404 and b"something else" not in answer.content
