"""`make ui` for real: a batch from people leads to a run by itself. Minutes long, so only with O1_TEST_DAEMON=1."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest

from o1_assets.core.settings import Settings
from o1_assets.execution.run_lock import RunLock
from o1_assets.store.store import ArtifactStore
from sensors.recovery import SENSOR_TAG
from tests.end_to_end.mini_home import O1, copied, graph_keys, o1, o1_json
from tests.mini import MINI

pytestmark = [
    pytest.mark.skipif(
        not os.environ.get("O1_TEST_DAEMON"), reason="takes minutes: O1_TEST_DAEMON=1 runs it"
    ),
    pytest.mark.timeout(900),
]


@pytest.fixture(scope="module")
def home(mini_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Round 1 is rated by people first, and by the oracle where they have not."""
    home = copied(mini_home, tmp_path_factory.mktemp("daemon") / "o1")
    assert o1(home, "labels", "switch", "r01", "human+oracle").returncode == 0
    return home


@pytest.fixture
def server(home: Path, tmp_path: Path) -> Iterator[str]:
    """The command of `make ui` on a free port; its URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    environment = {**os.environ, "O1_HOME": str(home), "O1_SET": MINI}
    with (tmp_path / "server.log").open("w") as log:
        process = subprocess.Popen([*O1, "ui", "--port", port], env=environment, stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}"
            until(lambda: answers(f"{url}/server_info"), 180)
            yield url
        finally:
            process.terminate()
            assert process.wait(60) == 0


def test_a_batch_is_taken_in_within_a_minute_and_only_what_follows_is_made_again(
    home: Path, server: str, tmp_path: Path
) -> None:
    settings = Settings.load("nano", home)
    store = ArtifactStore(settings.store, settings.work)
    before = {key: head.cache_key for key in graph_keys(home) if (head := store.head(key))}
    file = rate(home, "r01", tmp_path)
    with dg.DagsterInstance.from_config(str(settings.dagster_home())) as instance:

        def run() -> dg.RunRecord | None:
            return next(
                iter(instance.get_run_records(dg.RunsFilter(tags={SENSOR_TAG: "label_batches"}))), None
            )

        time.sleep(20)  # at least one tick
        assert run() is None, "the first ticks on a finished store ask for nothing"
        submitted = time.time()
        assert o1_json(home, "labels", "submit", str(file), "--round", "r01")["accepted"] == 4
        until(lambda: (found := run()) is not None and found.dagster_run.is_finished, 300)
        made = run()
        assert made is not None and made.dagster_run.status == dg.DagsterRunStatus.SUCCESS
        assert made.start_time is not None and made.end_time is not None
        print(
            f"\nstarted {made.start_time - submitted:.0f} s, done {made.end_time - submitted:.0f} s after submitting"
        )
        assert made.start_time - submitted < 60
        after = {key: head.cache_key for key in graph_keys(home) if (head := store.head(key))}
        assert {key for key in after if after[key] != before[key]} == {
            "r01/label_batches", "r01/labels", "r01/prm", "r01/policy", "r01/eval",
            "eval/generator", "eval/baby_o1", "eval/summary",
        }  # fmt: skip
        assert o1_json(home, "run")["computed"] == 0
        time.sleep(35)
        assert len(instance.get_run_records(dg.RunsFilter(tags={SENSOR_TAG: "label_batches"}))) == 1


def test_a_run_beside_the_sensors_run_waits_and_makes_nothing_twice(
    home: Path, server: str, tmp_path: Path
) -> None:
    settings = Settings.load("nano", home)
    store = ArtifactStore(settings.store, settings.work)
    keys = graph_keys(home)
    versions = {key: len(store.versions(key)) for key in keys}
    file = rate(home, "r01", tmp_path, labeler="somebody else", skip=4)
    with dg.DagsterInstance.from_config(str(settings.dagster_home())) as instance:
        earlier = {record.dagster_run.run_id for record in instance.get_run_records()}

        def run() -> dg.RunRecord | None:
            records = instance.get_run_records(dg.RunsFilter(tags={SENSOR_TAG: "label_batches"}))
            return next((one for one in records if one.dagster_run.run_id not in earlier), None)

        assert o1_json(home, "labels", "submit", str(file), "--round", "r01")["accepted"] == 4
        until(lambda: run() is not None and RunLock(settings.lock).busy(), 120)
        beside = o1(home, "run", "--json")
        assert beside.returncode == 0, beside.stderr
        until(lambda: (found := run()) is not None and found.dagster_run.is_finished, 300)
        made = run()
        assert made is not None and made.dagster_run.status == dg.DagsterRunStatus.SUCCESS
    assert "waiting for it to end" in beside.stderr
    assert json.loads(beside.stdout)["computed"] == 0
    after = {key: len(store.versions(key)) - versions[key] for key in keys}
    assert set(after.values()) <= {0, 1} and after["r01/labels"] == after["r01/prm"] == 1
    assert o1(home, "audit", "eval/summary").returncode == 0


def rate(home: Path, round_name: str, folder: Path, labeler: str = "somebody", skip: int = 0) -> Path:
    """Four solutions of the selection, after the first `skip`, whose first step the labeller finds wrong."""
    exported = folder / "exported.jsonl"
    assert o1(home, "labels", "export", round_name, "-o", str(exported)).returncode == 0
    records = [json.loads(line) for line in exported.read_text().splitlines()[skip : skip + 4]]
    for record in records:
        record.update(labeler=labeler, timestamp="2026-01-01T00:00:00")
        record["label"]["finish_reason"] = "found_error"
        for step in record["label"]["steps"]:
            step["chosen_completion"] = None
        for completion in record["label"]["steps"][0]["completions"]:
            completion["rating"] = -1
    file = folder / "rated.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    return file


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(1)
