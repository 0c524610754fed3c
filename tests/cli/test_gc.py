from __future__ import annotations

import json
import os
import time
from pathlib import Path

import dagster as dg
import pytest
from typer.testing import CliRunner

from o1_assets.cli.gc import collect
from o1_assets.cli.main import app
from o1_assets.core.settings import Settings
from o1_assets.execution.project import Project
from o1_assets.execution.run_lock import Busy, RunLock
from o1_assets.store.gc import DAY
from o1_assets.store.store import ArtifactStore
from tests.execution.toy import make_all, toy_graph

AGO = time.time() - 100 * DAY


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("O1_HOME", str(tmp_path))
    settings = Settings.load("nano")
    store = ArtifactStore(settings.store, settings.work)
    for count in (1, 2):
        make_all(store, toy_graph(count=count))
    return settings


def o1(*arguments: str) -> dict[str, object]:
    result = CliRunner().invoke(app, ["gc", *arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    document: dict[str, object] = json.loads(result.stdout)
    return document


def old(path: Path) -> Path:
    for entry in [*path.rglob("*"), path]:
        os.utime(entry, (AGO, AGO))
    return path


def folder(path: Path, size: int = 10) -> Path:
    path.mkdir(parents=True)
    (path / "a").write_bytes(b"x" * size)
    return old(path)


def test_it_removes_nothing_unless_told_to(settings: Settings) -> None:
    before = sorted(settings.home.rglob("*"))
    said = o1("--keep-days", "0")
    assert not said["removed"] and said["keys"].keys() == toy_graph().keys()  # type: ignore[attr-defined]
    assert sorted(settings.home.rglob("*")) == before
    done = o1("--keep-days", "0", "--yes")
    assert done["removed"] and done["keys"] == said["keys"] and done["bytes"] == said["bytes"]
    assert o1("--keep-days", "0")["keys"] == {}


def test_young_versions_stay_unless_told_otherwise(settings: Settings) -> None:
    assert o1("--yes")["keys"] == {}


def test_pins_are_made_listed_and_undone(settings: Settings) -> None:
    store = ArtifactStore(settings.store, settings.work)
    first = store.versions("toy/both")[0]
    (pin,) = o1("--pin", f"toy/both@{first[:20]}", "--reason", "in the paper")["pins"]  # type: ignore[misc]
    assert (pin["key"], pin["version"], pin["reason"]) == ("toy/both", first, "in the paper")
    assert o1("--keep-days", "0")["keys"] == {}
    assert o1("--unpin", "toy/both")["pins"] == []


def test_nothing_is_removed_while_a_run_is_at_work(settings: Settings) -> None:
    with RunLock(settings.lock).hold("run"):
        assert o1("--keep-days", "0")["keys"], "looking is always possible"
        with pytest.raises(Busy, match="a run is at work"):
            collect(Project(settings), keep_days=0, yes=True)


def test_what_killed_processes_left_goes_and_what_is_in_use_stays(settings: Settings) -> None:
    store = ArtifactStore(settings.store, settings.work)
    host = os.uname().nodename
    head = store.head("toy/both")
    assert head is not None
    gone = [
        folder(settings.work / "scratch" / f"{host}.999999999.abc"),
        folder(settings.work / "unfinished" / head.cache_key),
        folder(settings.work / "unfinished" / ("a" * 64)),
        folder(settings.work / "copies" / ("b" * 64)),
        folder(settings.home / "store" / ".trash" / "c"),
    ]
    half = settings.home / "store" / "heads" / "toy" / ".both.json.0"
    half.write_text("{")
    old(half)
    stays = [
        folder(settings.work / "scratch" / f"{host}.{os.getpid()}.abc"),
        folder(settings.work / "copies" / head.digest),
        settings.work / "unfinished" / ("d" * 64),
        folder(settings.inbox / "r00" / "batches" / "e"),
    ]
    stays[2].mkdir()
    said = o1("--yes")
    assert said["temporary_files"] == 1 and not half.exists()
    assert [path for path in gone if path.exists()] == []
    assert [path for path in stays if not path.exists()] == []


def test_links_in_the_work_folder_are_not_followed(settings: Settings, tmp_path: Path) -> None:
    precious = folder(tmp_path / "precious" / ("f" * 64))
    for place in ("copies", "unfinished"):
        (settings.work / place).mkdir(parents=True, exist_ok=True)
        (settings.work / place / "link").symlink_to(precious)
    (settings.work / "scratch").rmdir()
    (settings.work / "scratch").symlink_to(precious.parent)
    o1("--yes", "--keep-days", "0")
    assert (precious / "a").exists()


def test_records_of_runs_stay_while_they_made_something_kept(settings: Settings) -> None:
    store = ArtifactStore(settings.store, settings.work)
    head = store.head("toy/both")
    assert head is not None
    settings.runs.mkdir()
    for name, made in {"needed": head.cache_key, "useless": "0" * 64}.items():
        (settings.runs / f"{name}.json").write_text(json.dumps({"computed": {"toy/both": made}}))
    for path in settings.runs.iterdir():
        old(path)
    assert o1("--yes")["run_records"] == 1
    assert [path.name for path in settings.runs.iterdir()] == ["needed.json"]


def test_ticks_of_the_sensor_are_not_kept_for_ever(settings: Settings) -> None:
    from dagster._core.definitions.run_request import InstigatorType

    with dg.DagsterInstance.from_config(str(settings.dagster_home())) as instance:
        days = instance.get_tick_retention_settings(InstigatorType.SENSOR)
    assert len(days) == 4 and all(0 < limit <= 90 for limit in days.values())
