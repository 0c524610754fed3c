"""The Label Studio of `make labeling`: nobody else reads its secrets, and a labeller may label and nothing else."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from o1_assets.core.settings import Settings
from o1_assets.labels.studio import client
from o1_assets.labels.studio.client import LabelStudio, LabelStudioError, connection, labeling_home, serve

SERVER = Path(client.__file__).parent / "server"


@pytest.fixture(scope="module")
def guard() -> ModuleType:
    """It runs in Label Studio's environment, so it belongs to no package of ours."""
    spec = importlib.util.spec_from_file_location("o1_guard", SERVER / "o1_guard.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def request(
    line: str, body: bytes = b"{}", form: str = "application/json", charset: str = "utf-8", **headers: str
) -> SimpleNamespace:
    """line: such as "GET /api/tasks?page=1"."""
    method, address = line.split(" ")
    path, _, query = address.partition("?")
    pairs = [tuple(pair.split("=")) for pair in query.split("&") if pair]
    values = SimpleNamespace(getlist=lambda name: [value for key, value in pairs if key == name])
    return SimpleNamespace(
        method=method,
        path_info=path,
        GET=values,
        headers=headers,
        get_host=lambda: "127.0.0.1:8080",
        body=body,
        content_type=form,
        content_params={"charset": charset},
    )


NEEDED = """
GET /
GET /static/css/main.css
POST /user/login/
GET /user/signup/?token=x
POST /user/signup/?token=x
GET /logout
GET /projects/3/data?labeling=1
GET /api/projects/3?id=3
GET /api/dm/views?project=3
POST /api/dm/views?tabID=0&project=3
POST /api/dm/actions?id=next_task&tabID=3&project=3
GET /api/tasks?page=1&page_size=30&view=3&project=3
POST /api/tasks/7/annotations?project=3
POST /api/tasks/7/annotations/
POST /api/tasks/7/drafts?project=3
GET /api/users?project=3
""".strip().splitlines()

FORBIDDEN = """
DELETE /api/projects/3/
PATCH /api/projects/3
POST /api/projects/
POST /api/projects/3/import
GET /api/projects/3/export?exportType=JSON
DELETE /api/tasks/7/
PATCH /api/tasks/7/
POST /api/tasks/
PUT /api/annotations/2/
DELETE /api/annotations/2/
POST /api/dm/actions?id=delete_tasks&project=3
POST /api/dm/actions?id=next_task&id=delete_tasks&project=3
POST /api/dm/actions
PATCH /api/dm/views/3
GET /api/current-user/token
POST /api/current-user/reset-token
GET /api/token/
GET /api/invite
POST /api/invite/reset-token
GET /api/organizations/1/memberships
PATCH /api/users/1/
POST /api/webhooks/
POST /api/storages/s3
GET /admin/
GET /django-rq/
GET /metrics/
GET //api/invite
GET /api/invite/version/
OPTIONS /api/projects/3
POST /static/x
""".strip().splitlines()


@pytest.mark.parametrize("line", NEEDED)
def test_a_labeller_may_do_what_the_page_asks_for(guard: ModuleType, line: str) -> None:
    assert guard.allows(request(line))


@pytest.mark.parametrize("line", FORBIDDEN)
def test_a_labeller_may_do_nothing_else(guard: ModuleType, line: str) -> None:
    assert not guard.allows(request(line))


def test_a_labeller_cannot_take_the_mark_of_a_ground_truth_from_others(guard: ModuleType) -> None:
    line, mark = "POST /api/tasks/7/annotations", b'{"ground_truth": true}'
    assert guard.allows(request(line, b'{"result": [], "ground_truth": false}'))
    assert not any(map(guard.allows, (request(line, mark), request(line, b"["), request(line, b"[1]"))))
    assert not guard.allows(request(line, b"ground_truth=1", "application/x-www-form-urlencoded"))
    assert not guard.allows(request(line, b"{}", charset="utf-7"))


def test_a_page_of_another_origin_cannot_use_somebodys_session(guard: ModuleType) -> None:
    line = "POST /api/tasks/7/annotations"
    assert not guard.is_foreign(request(line, Origin="http://127.0.0.1:8080"))
    assert not guard.is_foreign(request(line)), "programs send no origin"
    for origin in ("http://evil.test", "http://127.0.0.1:3000", "null", "http://127.0.0.1:8080.evil.test"):
        assert guard.is_foreign(request(line, Origin=origin))


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """What would be started; `serve` with this home and executable."""
    executable, seen = tmp_path / "label-studio", SimpleNamespace()
    executable.touch()
    settings = Settings.load("nano", tmp_path / "home")

    def execve(path: Path, arguments: list[str], environment: dict[str, str]) -> None:
        seen.arguments, seen.environment = arguments, environment

    monkeypatch.setattr(os, "execve", execve)
    umask = os.umask(0o022)
    seen.home, seen.serve = labeling_home(settings), lambda: serve(settings, executable, 8080)
    yield seen
    os.umask(umask)


def test_password_and_token_are_in_no_argument_and_no_output_and_in_a_private_folder(
    started: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    started.home.mkdir(parents=True, mode=0o755)
    started.serve()
    known = client.read_local(started.home)
    assert known is not None
    everything = " ".join(started.arguments) + capsys.readouterr().out
    assert known.password not in everything and known.token not in everything
    assert started.environment["LABEL_STUDIO_PASSWORD"] == known.password
    assert started.environment["LABEL_STUDIO_USER_TOKEN"] == known.token
    assert started.home.stat().st_mode & 0o077 == 0
    assert (started.home / "server.json").stat().st_mode & 0o077 == 0
    assert (Path(started.environment["PYTHONPATH"]) / "o1_settings.py").exists()
    started.serve()
    assert client.read_local(started.home) == known


def test_an_account_that_is_lost_or_damaged_is_said_and_no_other_is_made(started: SimpleNamespace) -> None:
    started.home.mkdir(parents=True)
    (started.home / "label_studio.sqlite3").touch()
    with pytest.raises(LabelStudioError, match=r"server\.json is missing"):
        started.serve()
    for content in ("", "{", "[]", '{"url": 1}', '{"url": "http://x"}', "\udcff"):
        (started.home / "server.json").write_bytes(content.encode(errors="surrogateescape"))
        with pytest.raises(LabelStudioError, match=r"server\.json is damaged .*; it holds the account"):
            started.serve()
        with pytest.raises(LabelStudioError, match="damaged"):
            connection(started.home)


def test_an_address_with_a_password_is_refused_without_repeating_it() -> None:
    with pytest.raises(LabelStudioError, match="O1_LABEL_STUDIO_URL") as caught:
        LabelStudio("http://ann:secret@studio.test", "token")
    assert "secret" not in str(caught.value)
