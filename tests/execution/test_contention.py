"""Dagster's SQLite and the DuckDB catalogue with others at work on them: a run waits, it never fails."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from o1_assets.core.settings import DAGSTER_YAML, PROJECT, Settings
from o1_assets.orchestration.instance import (
    PARTS,
    InstanceLost,
    instance_lost,
    instance_of,
    make_instance,
    open_instance,
    wait_for_writers,
)
from o1_assets.store.catalogue import rebuild_catalogue
from o1_assets.store.store import ArtifactStore
from tests.execution.toy import make_all, toy_graph

HELD_SECONDS = 5.5
"""Longer than the 5 s that sqlite3 waits by itself."""


HAMMER = """
import json, sys, time
from pathlib import Path
import dagster as dg
from o1_assets.orchestration.instance import open_instance
from o1_assets.core.settings import Settings
name, seconds = sys.argv[1], float(sys.argv[2])

@dg.asset(name=name)
def made():
    return dg.MaterializeResult(metadata={"x": 1})

errors, rounds, worst = [], 0, 0.0
while time.monotonic() < float(sys.argv[3]):
    time.sleep(0.01)
with open_instance(Settings.load("nano")) as instance:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        started = time.monotonic()
        try:
            if name.startswith("w"):
                assert dg.materialize([made], instance=instance, run_config={
                    "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}).success
            else:
                instance.get_run_records(limit=50)
                instance.get_latest_materialization_event(dg.AssetKey("w0"))
                instance.get_asset_keys()
        except Exception as error:
            errors.append(repr(error)[:300])
        rounds, worst = rounds + 1, max(worst, time.monotonic() - started)
print(json.dumps({"rounds": rounds, "worst": worst, "errors": errors}))
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("DAGSTER_HOME", "")
    return Settings("nano", tmp_path / "nano")


def test_a_write_waits_for_whoever_writes_to_dagsters_databases(settings: Settings) -> None:
    with open_instance(settings) as instance:
        history = settings.home / "dagster" / "history"
        others = [
            sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            for path in (history / "runs.db", history / "runs" / "index.db")
        ]
        for other in others:
            other.execute("begin immediate")
        release = threading.Timer(HELD_SECONDS, lambda: [other.execute("rollback") for other in others])
        started = time.monotonic()
        release.start()
        try:
            instance.run_storage.set_cursor_values({"run": "storage"})
            instance.report_runless_asset_event(dg.AssetMaterialization("event_log"))
        finally:
            release.join()
        assert time.monotonic() - started >= HELD_SECONDS
        assert instance.run_storage.get_cursor_values({"run"}) == {"run": "storage"}


def test_an_instance_is_made_as_a_whole_and_what_is_missing_is_made_again(settings: Settings) -> None:
    home = settings.dagster_home()
    make_instance(settings)
    made = {path.relative_to(home) for path in home.rglob("*.db")}
    assert {path.name for path in made} == {"runs.db", "index.db", "schedules.db"}
    (home / "schedules").rename(settings.home / "gone")
    make_instance(settings)
    assert {path.relative_to(home) for path in home.rglob("*.db")} == made
    assert not [
        path for path in settings.home.iterdir() if path.name.startswith(".dagster.") and path.is_dir()
    ]
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert instance.get_runs() == [] and instance.event_log_storage.has_secondary_index("asset_key_table")


def test_a_removed_or_damaged_instance_is_one_sentence(settings: Settings) -> None:
    make_instance(settings)
    assert instance_lost(ValueError("x"), settings) is None
    found = instance_lost(ValueError("(sqlite3.DatabaseError) file is not a database"), settings)
    assert isinstance(found, InstanceLost) and "is damaged" in str(found)
    slow = RuntimeError(
        "Timed out waiting for gRPC server to start after 180s. Launched with: x/dagster.yaml"
    )
    assert "did not start in time" in str(instance_lost(slow, settings))
    (settings.home / "dagster" / PARTS[0]).rename(settings.home / "gone")
    assert "was removed" in str(instance_lost(ValueError("x"), settings))


def test_settings_of_dagster_are_read_in_a_folder_with_any_name(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "dagster.yaml").write_text("telemetry: {enabled: true}")
    for name in ("a[1]", "[a]", "a*"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "dagster.yaml").write_text(DAGSTER_YAML)
        with instance_of(tmp_path / name) as instance:
            assert not instance.telemetry_enabled and instance.run_monitoring_enabled


@pytest.mark.parametrize(
    "text", ["run_monitoring: [", "nonsense: 1", "- a", "run_monitoring: {enabled: maybe}"]
)
def test_settings_of_dagster_that_cannot_be_read_are_one_sentence(settings: Settings, text: str) -> None:
    file = settings.dagster_home() / "dagster.yaml"
    file.write_text(text)
    with pytest.raises(Exception) as raised:
        make_instance(settings)
    message = str(instance_lost(raised.value, settings))
    assert (
        message.startswith(f"{file} cannot be used: correct it, or remove it") and ".dagster." not in message
    )


def test_waiting_is_asked_for_once() -> None:
    from sqlalchemy import create_engine, text

    wait_for_writers()
    wait_for_writers()
    with create_engine("sqlite://").connect() as connection:
        assert connection.execute(text("pragma busy_timeout")).scalar() == 120_000


def test_catalogues_written_at_once_and_read_meanwhile_do_not_meet(tmp_path: Path) -> None:
    store = ArtifactStore(str(tmp_path / "store"), tmp_path / "work")
    manifests = {key: made.manifest for key, made in make_all(store, toy_graph()).items()}
    target = tmp_path / "catalogue.duckdb"
    rebuild_catalogue(store, manifests, target)
    reads_and_locks = (
        "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); input()"
    )
    reader = subprocess.Popen(
        [sys.executable, "-c", reads_and_locks, str(target)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert reader.stdout is not None and reader.stdout.readline() == b"open\n"
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: rebuild_catalogue(store, manifests, target), range(8)))
        with duckdb.connect(str(target), read_only=True) as connection:
            assert connection.execute("select count(*) from artifacts").fetchone() == (3,)
    finally:
        reader.communicate(b"\n")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.skipif(not os.environ.get("O1_TEST_KILL"), reason="takes a minute: O1_TEST_KILL=1 runs it")
def test_processes_that_hammer_one_new_instance_never_find_it_locked(settings: Settings) -> None:
    environment = {**os.environ, "O1_HOME": str(settings.home.parent), "PYTHONPATH": str(PROJECT)}
    together = str(time.monotonic() + 15)
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", HAMMER, name, "25", together],
            env=environment, stdout=subprocess.PIPE, text=True,
        )
        for name in ("w0", "w1", "w2", "r0", "r1", "r2")
    ]  # fmt: skip
    results = [json.loads(process.communicate(timeout=300)[0]) for process in processes]
    print(*results, sep="\n")
    assert not [error for result in results for error in result["errors"]]
    assert all(result["rounds"] for result in results)
