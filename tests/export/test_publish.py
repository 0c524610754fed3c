"""`o1 publish` against a stand-in for the Hub: what is pushed, by whom it can be read, and where the token goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from o1_assets.cli.main import app
from o1_assets.core.errors import O1Error
from o1_assets.export.folder import EXPORT_FILE, write_folder
from o1_assets.export.publish import PublishError, publish
from tests.export.hub import Hub

TOKEN = "hf_a_secret_that_must_not_show"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    def fill(stage: Path) -> None:
        (stage / "README.md").write_text("---\nlicense: apache-2.0\n---\n# a card\n\n## Lineage\n")
        (stage / "config.json").write_text("{}")
        (stage / "model.safetensors").write_bytes(b"weights" * 100)

    about = {"key": "r01/policy", "version": "v1", "digest": "d" * 64, "profile": "nano"}
    write_folder(tmp_path / "export", fill, about)
    return tmp_path / "export"


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_export_is_pushed_with_card_and_lineage_and_is_private(folder: Path) -> None:
    hub = Hub(TOKEN)
    with hub.serve() as address:
        environment = {"HF_TOKEN": TOKEN, "HF_ENDPOINT": address}
        done = publish(folder, "me/policy", environment=environment)
        assert hub.repositories == {"me/policy": True} and done.private and done.commit == "abc"
        assert hub.files == content(folder) and done.url == f"{address}/me/policy"
        assert hub.summaries == [f"r01/policy v1, digest {'d' * 64}"]
        # What is no longer exported goes.
        hub.files["old.txt"] = b"old"
        publish(folder, "me/policy", environment=environment)
        assert hub.deleted == ["old.txt"] and hub.files == content(folder)
        hub.repositories["me/policy"] = False
        with pytest.raises(PublishError, match="--public if that is meant"):
            publish(folder, "me/policy", environment=environment)
        publish(folder, "me/policy", public=True, environment=environment)
        publish(folder, "me/open", public=True, environment=environment)
        assert hub.repositories["me/open"] is False
    assert hub.authorizations == {f"Bearer {TOKEN}"}


def test_a_dry_run_asks_nobody_and_needs_no_token(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = Hub(TOKEN)
    with hub.serve() as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        monkeypatch.setenv("O1_HOME", str(tmp_path))
        monkeypatch.delenv("HF_TOKEN", raising=False)
        shown = CliRunner().invoke(app, ["publish", str(folder), "me/policy", "--dry-run"])
        listed = CliRunner().invoke(app, ["publish", str(folder), "me/policy", "--dry-run", "--json"])
    assert shown.exit_code == 0 and f"would be on {address}/me/policy, private: 4 files" in shown.stdout
    assert json.loads(listed.stdout)["files"] == sorted(content(folder)) and hub.asked == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"repository": "policy"}, "write OWNER/NAME"),
        ({"environment": {}}, "there is no token of the Hub: set HF_TOKEN"),
        ({"environment": {"HF_TOKEN": "wrong_secret"}}, "the Hub refused me/policy"),
        ({"folder": "nothing"}, "holds no export; `o1 export KEY"),
        ({"changed": True}, "export it again into an empty folder"),
        ({"down": True}, "could not be reached"),
    ],
)
def test_what_cannot_be_published_is_one_sentence_without_the_token(
    folder: Path, change: dict[str, Any], says: str
) -> None:
    if change.get("changed"):
        (folder / "config.json").write_text('{"other": 1}')
    hub = Hub(TOKEN)
    with hub.serve() as address:
        environment = change.get("environment", {"HF_TOKEN": TOKEN})
        where = "http://127.0.0.1:9" if change.get("down") else address
        with pytest.raises(O1Error, match=says) as caught:
            publish(
                folder / change["folder"] if "folder" in change else folder,
                change.get("repository", "me/policy"),
                environment={**environment, "HF_ENDPOINT": where},
            )
    text = str(caught.value)
    assert "\n" not in text and "secret" not in text and hub.files == {} and EXPORT_FILE not in text
