"""Pages of other sites are refused, whatever they send; those of the interface itself are answered."""

from __future__ import annotations

import json
from collections.abc import Iterator

import dagster as dg
import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from o1_assets.core.settings import DAGSTER_YAML
from o1_assets.orchestration.ui.guard import local_origins
from o1_assets.orchestration.ui.server import application

HERE = "http://127.0.0.1:3000"
SOCKET = "ws://127.0.0.1:3000/graphql"
PROXY = "https://o1.example.org"
JSON = {"Content-Type": "application/json"}
QUERY = json.dumps({"query": "{version}"})
MUTATION = 'mutation{wipeAssets(assetPartitionRanges:[{assetKey:{path:["a"]}}]){__typename}}'
LINK = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Dagster's real webserver, without a code server, behind the guard."""
    home = tmp_path_factory.mktemp("instance")
    (home / "dagster.yaml").write_text(DAGSTER_YAML)
    origins = [*local_origins(3000), PROXY]
    with dg.DagsterInstance.from_config(str(home)) as instance, application(instance, None, origins) as app:
        yield TestClient(app, base_url=HERE)


def test_the_interface_works(client: TestClient) -> None:
    assert client.post("/graphql", content=QUERY, headers=JSON).json() == {
        "data": {"version": dg.__version__}
    }
    own = {**JSON, "Origin": HERE, "Sec-Fetch-Site": "same-origin"}
    assert client.post("/graphql", content=QUERY, headers=own).status_code == 200
    assert client.get("/assets/r03/prm", headers={"Sec-Fetch-Site": "none"}).status_code == 200
    assert client.get("/graphql", headers={"Accept": "text/html"}).status_code == 200
    assert client.head("/server_info").status_code == 200


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://[::1]:3000", PROXY])
def test_each_of_its_addresses_works(client: TestClient, origin: str) -> None:
    headers = {**JSON, "Host": origin.partition("://")[2], "Origin": origin}
    assert client.post("/graphql", content=QUERY, headers=headers).status_code == 200


def test_its_web_socket_works(client: TestClient) -> None:
    with client.websocket_connect(SOCKET, ["graphql-ws"], headers={"Origin": HERE}) as socket:
        socket.send_json({"type": "connection_init"})
        assert socket.receive_json() == {"type": "connection_ack"}


def test_a_link_of_another_site_leads_to_a_page(client: TestClient) -> None:
    assert client.get("/assets/r03/prm", headers=LINK).status_code == 200
    assert client.get("/graphql", headers={**LINK, "Accept": "text/html"}).status_code == 403


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:3000", "127.0.0.1", "127.0.0.1:3001", "0.0.0.0:3000", "localhost.:3000",
     "127.0.0.1:3000.evil.example", "evil.example#127.0.0.1:3000", "user@127.0.0.1:3000", "o1.example.org:3000", ""],
)  # fmt: skip
def test_a_name_that_leads_here_is_refused(client: TestClient, host: str) -> None:
    answer = client.get("/server_info", headers={"Host": host, "Origin": f"http://{host}"})
    assert answer.status_code == 421 and "O1_UI_ORIGINS" in answer.text
    assert not opens_socket(client, {"Host": host, "Origin": f"http://{host}"})


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "", "file://", "http://127.0.0.1:8080", "https://127.0.0.1:3000",
     "http://localhost:3000", "http://127.0.0.1:3000.evil.example", "http://127.0.0.1:3000@evil.example", PROXY],
)  # fmt: skip
def test_a_page_of_another_origin_is_refused(client: TestClient, origin: str) -> None:
    headers = {**JSON, "Origin": origin}
    assert client.post("/graphql", content=QUERY, headers=headers).status_code == 403
    assert client.get("/server_info", headers=headers).status_code == 403
    assert not opens_socket(client, {"Origin": origin})


def test_what_a_page_of_another_site_loads_is_refused(client: TestClient) -> None:
    for site in ("cross-site", "same-site"):
        for mode, purpose in (("no-cors", "image"), ("no-cors", "script"), ("navigate", "iframe")):
            headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": purpose}
            assert client.get("/server_info", headers=headers).status_code == 403
    assert client.post("/graphql", content=QUERY, headers={**JSON, **LINK}).status_code == 403


def test_a_web_socket_without_an_origin_is_refused(client: TestClient) -> None:
    assert opens_socket(client, {"Origin": HERE}) and not opens_socket(client, {})


# A route of Starlette also matches its path with a newline behind it.
@pytest.mark.parametrize("path", ["/graphql", "/graphql%0A", "/%67raphql"])
def test_nothing_is_asked_by_get(client: TestClient, path: str) -> None:
    for headers in ({}, {"Accept": "*/*"}, {"Accept": "application/json"}):
        answer = client.get(path, params={"query": MUTATION}, headers=headers)
        assert answer.status_code == 405 and "POST" in answer.text
    page = client.get(path, params={"query": MUTATION}, headers={"Accept": "text/html"})
    assert page.status_code == 200 and "wipeAssets" not in page.text and "errors" not in page.text[:50]


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "text/plain; x=application/json", "application/x-www-form-urlencoded", "application/graphql",
     "multipart/form-data; boundary=application/json", "application/json, text/plain", "application/jsonp", None],
)  # fmt: skip
def test_a_post_that_needs_no_preflight_is_refused(client: TestClient, kind: str | None) -> None:
    headers = {"Content-Type": kind} if kind else {}
    for path in ("/graphql", "/report_asset_materialization/base/model"):
        answer = client.post(path, params={"query": MUTATION}, content=QUERY, headers=headers)
        assert answer.status_code == 415 and "application/json" in answer.text


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "DELETE", "PATCH", "TRACE"])
def test_other_methods_are_refused(client: TestClient, method: str) -> None:
    preflight = {"Origin": HERE, "Access-Control-Request-Method": "POST"}
    answer = client.request(method, "/graphql", headers=preflight)
    assert answer.status_code == 405 and "GET, HEAD and POST" in answer.text
    assert not any(name.startswith("access-control") for name in answer.headers)


@pytest.mark.parametrize("name", ["Host", "Origin", "Content-Type"])
def test_a_header_that_comes_twice_is_refused(client: TestClient, name: str) -> None:
    allowed = {"Host": "127.0.0.1:3000", "Origin": HERE, **JSON}
    twice = [*allowed.items(), (name, allowed[name])]
    assert client.post("/graphql", content=QUERY, headers=list(allowed.items())).status_code == 200
    assert client.post("/graphql", content=QUERY, headers=twice).status_code in (403, 415, 421)


def test_no_other_site_can_frame_or_embed_it(client: TestClient) -> None:
    for answer in (
        client.get("/"),
        client.get("/server_info"),
        client.get("/", headers={"Host": "evil.example"}),
    ):
        assert "frame-ancestors 'self'" in answer.headers.get_list("content-security-policy")
        assert answer.headers["x-frame-options"] == "SAMEORIGIN"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def opens_socket(client: TestClient, headers: dict[str, str]) -> bool:
    try:
        with client.websocket_connect(SOCKET, headers=headers):
            return True
    except WebSocketDisconnect:
        return False
