from __future__ import annotations

import itertools
import os
import sqlite3
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver
from dagster._core.loader import LoadingContextForTest

from o1_assets.core.settings import PROJECT, Settings
from o1_assets.orchestration.event_log import find_old_runs, remove_runs, shrink
from o1_assets.orchestration.internals import BELOW, OLDEST, UnsupportedDagster, require_supported
from o1_assets.store.scratch import DAY
from sensors.label_batches import NAME
from sensors.recovery import SENSOR_TAG

LATER = time.time() + 100 * DAY


_VERSIONS = itertools.count()


@dg.asset(code_version="1")
def labels() -> dg.MaterializeResult:
    return dg.MaterializeResult(
        data_version=dg.DataVersion(str(next(_VERSIONS))), metadata={"plot": "x" * 200_000}
    )


@dg.asset(deps=[labels], code_version="1", check_specs=[dg.AssetCheckSpec("enough", asset="prm")])
def prm() -> dg.MaterializeResult:
    passed = dg.AssetCheckResult(check_name="enough", passed=True)
    return dg.MaterializeResult(data_version=dg.DataVersion(str(next(_VERSIONS))), check_results=[passed])


class Lab:
    """Two assets, one of them checked, on an instance as `o1 run` makes it."""

    def __init__(self, home: Path, instance: dg.DagsterInstance) -> None:
        self.home, self.instance = home, instance
        self.definitions = dg.Definitions([labels, prm])

    def run(self, *assets: str, **tags: str) -> str:
        job = self.definitions.resolve_implicit_global_asset_job_def()
        keys = [dg.AssetKey(name) for name in assets or ("labels", "prm")]
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        result = job.execute_in_process(
            instance=self.instance, asset_selection=keys, run_config=quiet, tags=tags
        )
        assert result.success
        return result.run_id

    def seen(self) -> dict[str, object]:
        """What the UI shows of every asset: newest version, when, in which run, whether stale and why; its check."""
        graph = self.definitions.resolve_asset_graph()
        resolver = CachingStaleStatusResolver(self.instance, graph, LoadingContextForTest(self.instance))
        shown: dict[str, object] = {}
        for key in graph.get_all_asset_keys():
            event = self.instance.get_latest_materialization_event(key)
            assert event is not None and event.asset_materialization is not None
            causes = [cause.reason for cause in resolver.get_stale_causes(key)]
            made = event.asset_materialization
            shown[key.to_user_string()] = (
                event.run_id,
                event.timestamp,
                made,
                resolver.get_status(key),
                causes,
            )
        storage = self.instance.event_log_storage
        for check, record in storage.get_latest_asset_check_execution_by_key(
            list(graph.asset_check_keys)
        ).items():
            shown[str(check)] = (record.run_id, record.status)
        return shown

    def collect(self, keep_days: float = 30, now: float = LATER) -> list[str]:
        runs = find_old_runs(self.instance, keep_days, now, {SENSOR_TAG: NAME})
        remove_runs(self.instance, runs.ids)
        return runs.ids

    def rows(self) -> dict[str, int]:
        with sqlite3.connect(self.home / "history" / "runs" / "index.db") as index:
            tables = ("event_logs", "asset_event_tags", "asset_check_executions")
            rows = {table: index.execute(f"select count(*) from {table}").fetchone()[0] for table in tables}
        with sqlite3.connect(self.home / "history" / "runs.db") as runs:
            return {**rows, "snapshots": runs.execute("select count(*) from snapshots").fetchone()[0]}

    def size(self) -> int:
        return sum(path.stat().st_size for path in self.home.rglob("*.db*"))


@pytest.fixture
def lab() -> Iterator[Lab]:
    """In memory where the system has such a folder: SQLite waits for the disk at every event."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with TemporaryDirectory(dir=memory) as folder:
        home = Settings.load("nano", folder).dagster_home()
        with dg.DagsterInstance.from_config(str(home)) as instance:
            yield Lab(home, instance)


def test_old_runs_go_and_what_is_shown_of_every_asset_stays(lab: Lab) -> None:
    asked = lab.run(**{SENSOR_TAG: NAME})
    old, checked, newest = lab.run(), lab.run(), lab.run("labels")
    shown = lab.seen()
    assert [reason for *_, reasons in shown.values() if isinstance(reasons, list) for reason in reasons]
    assert not lab.collect(now=time.time()), "young runs stay"
    assert lab.collect() == [old]
    assert set(lab.instance.get_run_ids()) == {newest, checked, asked}, "the sensor finds its last run again"
    assert lab.seen() == shown
    assert {path.stem for path in (lab.home / "history" / "runs").glob("*.db")} == {
        "index",
        newest,
        checked,
        asked,
    }


def test_after_many_runs_the_log_is_as_large_as_after_one(lab: Lab) -> None:
    lab.run()
    rows, size = lab.rows(), lab.size()
    for _ in range(3):
        lab.run("labels")
        lab.run()
    assert lab.size() > 1.8 * size
    lab.collect()
    assert shrink(lab.home, at_least=0) == []
    assert lab.rows() == rows
    assert lab.size() < 1.05 * size


def test_a_removal_that_was_killed_is_finished_by_the_next(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        newest = lab.run()
    with monkeypatch.context() as patched:

        def killed(run_id: str) -> None:
            raise KeyboardInterrupt

        patched.setattr(lab.instance.event_log_storage, "delete_events", killed)
        with pytest.raises(KeyboardInterrupt):
            lab.collect()
    shown = lab.seen()
    assert len(lab.collect()) == 2, "one without its row and one whole"
    assert lab.seen() == shown and lab.instance.get_run_ids() == [newest]


def test_a_run_at_work_stays(lab: Lab) -> None:
    working = lab.instance.create_run_for_job(lab.definitions.resolve_implicit_global_asset_job_def()).run_id
    lab.run()
    lab.collect()
    assert lab.instance.has_run(working)


def test_a_table_that_is_not_the_known_one_is_refused_before_anything_is_removed(lab: Lab) -> None:
    lab.run()
    newest = lab.run()
    with sqlite3.connect(lab.home / "history" / "runs" / "index.db") as index:
        index.execute("alter table asset_check_executions add column refers_to text")
    runs = set(lab.instance.get_run_ids())
    with pytest.raises(UnsupportedDagster, match="refers_to, so nothing is removed"):
        lab.collect()
    assert set(lab.instance.get_run_ids()) == runs and newest in runs


@pytest.mark.parametrize("version", ["1.13.26", "1.14.0", "1.14.2rc1", "2.0"])
def test_another_dagster_than_the_locked_one_is_refused_in_a_sentence(
    lab: Lab, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dg, "__version__", version)
    with pytest.raises(UnsupportedDagster, match=rf"Dagster {version} is installed, .* install one of those"):
        find_old_runs(lab.instance, 30, LATER, {})


def test_the_versions_whose_insides_are_known_are_those_that_the_project_allows() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    (dagster,) = [needed for needed in project["dependencies"] if needed.startswith("dagster>")]
    oldest, below = (".".join(map(str, bound)) for bound in (OLDEST, BELOW))
    assert dagster == f"dagster>={oldest},<{below.removesuffix('.0')}"
    lock = tomllib.loads((PROJECT / "uv.lock").read_text())
    (locked,) = [package["version"] for package in lock["package"] if package["name"] == "dagster"]
    assert locked == dg.__version__, "these tests ran on the locked Dagster"
    require_supported(locked)
