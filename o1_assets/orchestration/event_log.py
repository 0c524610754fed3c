"""Dagster's event log, which Dagster itself never shortens: old runs go, what the UI shows of every asset stays.

A run stays while it is the newest that made, planned or checked an asset, the sensor's newest, the newest of all,
or not finished. Everything else about a run that is older (events with their pictures, compute logs, its file) goes.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import sqlalchemy as db
from dagster._core.storage.dagster_run import FINISHED_STATUSES
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable as Checks
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.event_log.sqlite import SqliteEventLogStorage
from dagster._core.storage.runs.schema import SnapshotsTable as Snapshots
from dagster._core.storage.runs.sql_run_storage import SqlRunStorage

DAY = 86400.0


@dataclass(frozen=True)
class OldRuns:
    """ids: of runs that go, with those of which a killed removal left something; bytes: of their files."""

    ids: list[str]
    kept: int
    bytes: int


def find_old_runs(
    instance: dg.DagsterInstance, keep_days: float, now: float, newest_of: dict[str, str]
) -> OldRuns:
    """newest_of: tag -> value of runs whose newest is needed, such as a sensor's."""
    before = datetime.fromtimestamp(now - keep_days * DAY, UTC)
    finished = dg.RunsFilter(statuses=list(FINISHED_STATUSES), created_before=before)
    keep = _shown(instance) | _last_checks(instance)
    for filters in (dg.RunsFilter(), *(dg.RunsFilter(tags={tag: value}) for tag, value in newest_of.items())):
        keep.update(instance.get_run_ids(filters, limit=1))
    old = [run_id for run_id in instance.get_run_ids(finished) if run_id not in keep]
    known = set(instance.get_run_ids())
    halves = [run_id for run_id in _shards(instance, now) if run_id not in known]
    ids = [*old, *halves]
    return OldRuns(ids, len(known) - len(old), sum(_bytes(path) for i in ids for path in _files(instance, i)))


def remove_runs(instance: dg.DagsterInstance, run_ids: list[str]) -> None:
    """Their events, check results, compute logs and files. Killed in the middle, the next removal goes on."""
    if not run_ids:
        return
    storage = instance.event_log_storage
    snapshots = _snapshots(instance, instance.get_runs(dg.RunsFilter(run_ids=run_ids)))
    for run_id in run_ids:
        instance.delete_run(run_id)
        if isinstance(storage, SqlEventLogStorage):
            with storage.index_connection() as connection:
                connection.execute(Checks.delete().where(Checks.c.run_id == run_id))
        for path in _files(instance, run_id):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
    _remove_snapshots(instance, snapshots)


def shrink(home: Path, at_least: int = 1 << 20) -> list[str]:
    """Gives the space of deleted rows back to the disk; returns the files that somebody else held meanwhile.

    home: the instance's folder. at_least: bytes of a file that is worth it. The UI may stay open: it waits, or the
    file is left for the next time.
    """
    held = []
    for file in sorted(home.glob("history/**/*.db")) + sorted(home.glob("schedules/*.db")):
        if file.is_symlink() or file.stat().st_size < at_least:
            continue
        try:
            with contextlib.closing(sqlite3.connect(file, timeout=10)) as connection:
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.OperationalError:
            held.append(file.name)
    return held


def _shown(instance: dg.DagsterInstance) -> set[str]:
    """Runs that the UI names beside an asset: of its newest materialization, observation and plan."""
    runs = set()
    for record in instance.get_asset_records():
        entry = record.asset_entry
        runs.update({entry.last_run_id, entry.last_planned_materialization_run_id})
        for newest in (entry.last_materialization_record, entry.last_observation_record):
            if newest is not None:
                runs.add(newest.run_id)
    return {run_id for run_id in runs if run_id}


def _last_checks(instance: dg.DagsterInstance) -> set[str]:
    storage = instance.event_log_storage
    if not isinstance(storage, SqlEventLogStorage):
        return set()
    newest = db.select(db.func.max(Checks.c.id)).group_by(Checks.c.asset_key, Checks.c.check_name)
    with storage.index_connection() as connection:
        rows = connection.execute(db.select(Checks.c.run_id).where(Checks.c.id.in_(newest))).fetchall()
    return {row[0] for row in rows if row[0]}


def _snapshots(instance: dg.DagsterInstance, runs: Iterable[dg.DagsterRun]) -> set[str]:
    """Of the graph, of what was selected of it and of the plan: stored once for all runs that saw the same."""
    jobs = {run.job_snapshot_id for run in runs if run.job_snapshot_id}
    plans = {run.execution_plan_snapshot_id for run in runs if run.execution_plan_snapshot_id}
    lineages = [
        instance.get_job_snapshot(job).lineage_snapshot for job in jobs if instance.has_job_snapshot(job)
    ]
    return jobs | plans | {lineage.parent_snapshot_id for lineage in lineages if lineage}


def _remove_snapshots(instance: dg.DagsterInstance, names: set[str]) -> None:
    """Those of `names` that no run needs any more."""
    needed = _snapshots(instance, instance.get_runs())
    storage = instance.run_storage
    if isinstance(storage, SqlRunStorage) and (useless := sorted(names - needed)):
        with storage.connect() as connection:
            connection.execute(Snapshots.delete().where(Snapshots.c.snapshot_id.in_(useless)))


def _shards(instance: dg.DagsterInstance, now: float) -> Iterator[str]:
    """Ids of runs that have a file of events, without those of which one may just be being made."""
    storage = instance.event_log_storage
    if isinstance(storage, SqliteEventLogStorage):
        for run_id in storage.get_all_run_ids():
            path = Path(storage.path_for_shard(run_id))
            if run_id and path.exists() and path.stat().st_mtime < now - DAY:
                yield run_id


def _files(instance: dg.DagsterInstance, run_id: str) -> list[Path]:
    """Where a run's own events and compute logs lie."""
    storage, files = instance.event_log_storage, []
    if isinstance(storage, SqliteEventLogStorage):
        shard = Path(storage.path_for_shard(run_id))
        files = [shard, shard.with_name(f"{shard.name}-wal"), shard.with_name(f"{shard.name}-shm")]
    files.append(Path(instance.root_directory) / "storage" / run_id)
    return [path for path in files if path.exists()]


def _bytes(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
