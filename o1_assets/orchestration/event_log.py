"""Removes old runs from Dagster's event log, which Dagster itself never does; what the UI shows of every asset stays.

A run is kept while it is the newest that made, planned or checked an asset, the newest of a sensor, the newest of all,
or not finished. Of any older run everything is removed: its events with their pictures, its compute logs and its files.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from o1_assets.orchestration.internals import EventLog
from o1_assets.store.scratch import DAY

FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


@dataclass(frozen=True)
class OldRuns:
    """ids: of the runs to remove, and of those that a killed removal left half of. bytes: of their files.

    remaining: how many runs are kept.
    """

    ids: list[str]
    remaining: int
    bytes: int


def find_old_runs(
    instance: dg.DagsterInstance, keep_days: float, now: float, newest_of: dict[str, str]
) -> OldRuns:
    """The runs to remove. newest_of: tag -> value of runs whose newest is kept, such as a sensor's.

    Raises UnsupportedDagster.
    """
    log = EventLog(instance)
    before = datetime.fromtimestamp(now - keep_days * DAY, UTC)
    finished = dg.RunsFilter(statuses=FINISHED, created_before=before)
    keep = _shown_in_the_ui(instance) | log.newest_check_runs()
    for filters in (dg.RunsFilter(), *(dg.RunsFilter(tags={tag: value}) for tag, value in newest_of.items())):
        keep.update(instance.get_run_ids(filters, limit=1))
    # Finished ones only: an unfinished run may still be waiting for its turn. Killed ones are marked as failed before.
    old = [run_id for run_id in instance.get_run_ids(finished) if run_id not in keep]
    known = set(instance.get_run_ids())
    ids = [*old, *(run_id for run_id in _half_removed(log, now) if run_id not in known)]
    size = sum(_size(path) for run_id in ids for path in _files(instance, log, run_id))
    return OldRuns(ids, len(known) - len(old), size)


def remove_runs(instance: dg.DagsterInstance, run_ids: list[str]) -> None:
    """Removes the runs' events, check results, compute logs and files. After a kill, the next removal continues.

    Raises UnsupportedDagster before anything is removed.
    """
    if not run_ids:
        return
    log = EventLog(instance)
    snapshots = _snapshots(instance, instance.get_runs(dg.RunsFilter(run_ids=run_ids)))
    for run_id in run_ids:
        instance.delete_run(run_id)
        log.delete_check_executions(run_id)
        for path in _files(instance, log, run_id):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
    # Last: runs share snapshots, so those of the runs that are left have to be known.
    log.delete_snapshots(snapshots - _snapshots(instance, instance.get_runs()))


def shrink(home: Path, at_least: int = 1 << 20) -> list[str]:
    """Gives the space of deleted rows back to the disk. Returns the files that were in use and keep their size.

    home: the instance's folder. at_least: smaller files, in bytes, are left alone. The UI may stay open: it waits, or
    the file is left for the next time.
    """
    held = []
    for file in sorted(home.glob("history/**/*.db")) + sorted(home.glob("schedules/*.db")):
        if file.is_symlink() or file.stat().st_size < at_least:
            continue
        try:
            with contextlib.closing(sqlite3.connect(file, timeout=10)) as connection:
                # SQLite keeps the pages of deleted rows in the file for new rows.
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.OperationalError:
            held.append(file.name)
    return held


def _shown_in_the_ui(instance: dg.DagsterInstance) -> set[str]:
    """The runs that the UI names beside an asset: those of its newest materialization, observation and plan."""
    runs = set()
    for record in instance.get_asset_records():
        entry = record.asset_entry
        runs.update({entry.last_run_id, entry.last_planned_materialization_run_id})
        for newest in (entry.last_materialization_record, entry.last_observation_record):
            if newest is not None:
                runs.add(newest.run_id)
    return {run_id for run_id in runs if run_id}


def _snapshots(instance: dg.DagsterInstance, runs: Iterable[dg.DagsterRun]) -> set[str]:
    """Ids of the runs' snapshots: of the graph, of the selection and of the plan. Equal ones are stored once."""
    jobs = {run.job_snapshot_id for run in runs if run.job_snapshot_id}
    plans = {run.execution_plan_snapshot_id for run in runs if run.execution_plan_snapshot_id}
    lineages = [
        instance.get_job_snapshot(job).lineage_snapshot for job in jobs if instance.has_job_snapshot(job)
    ]
    return jobs | plans | {lineage.parent_snapshot_id for lineage in lineages if lineage}


def _half_removed(log: EventLog, now: float) -> list[str]:
    """Runs with a file of events that is older than a day; a younger one may belong to a run that is starting."""
    return [
        run_id
        for run_id in log.runs_with_a_file()
        if (file := log.file_of(run_id)) and file.exists() and file.stat().st_mtime < now - DAY
    ]


def _files(instance: dg.DagsterInstance, log: EventLog, run_id: str) -> list[Path]:
    """The files and folders with a run's events and compute logs."""
    files = [Path(instance.root_directory) / "storage" / run_id]
    if file := log.file_of(run_id):
        # SQLite in WAL mode leaves two more files beside a database that was not closed.
        files += [file, file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm")]
    return [path for path in files if path.exists()]


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
