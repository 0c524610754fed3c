"""All private parts of Dagster that this project uses, behind one check of Dagster's version.

Dagster's public interface can neither delete what it recorded of checks and snapshots, nor run a module's job in other
processes, nor hand out its web application. The parts that can are private and may change with any minor version. So
they are imported here and nowhere else, and another version than those they were read in is refused before anything is
touched.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import sqlalchemy as db
from dagster._core.errors import DagsterPipesExecutionError as PipesFailed
from filelock import FileLock

from o1_assets.core.errors import O1Error
from o1_assets.core.settings import PROJECT

if TYPE_CHECKING:
    from dagster._core.definitions.reconstruct import ReconstructableJob
    from starlette.types import ASGIApp

__all__ = [
    "STORAGES", "EventLog", "PipesFailed", "UnsupportedDagster", "code_server", "daemon_command", "lock_pools",
    "quiet_steps", "reconstructable_job", "require_supported", "shown_as_the_uis_own", "webserver",
]  # fmt: skip

# The code location. Dagster keeps the state of the sensor under this name, which is the one of pyproject.toml.
LOCATION = "o1_assets"

# Dagster's versions whose insides were read: those that pyproject.toml allows (a test compares the two).
OLDEST, BELOW = (1, 13, 27), (1, 14, 0)

# The tables that rows are deleted from. One more column may be one more thing that refers to them.
COLUMNS = {
    "asset_check_executions": {
        "id", "asset_key", "check_name", "partition", "run_id", "execution_status", "evaluation_event",
        "evaluation_event_timestamp", "evaluation_event_storage_id", "materialization_event_storage_id",
        "create_timestamp",
    },
    "snapshots": {"id", "snapshot_id", "snapshot_body", "snapshot_type"},
}  # fmt: skip


class UnsupportedDagster(O1Error):
    """This Dagster, or its database, is not the one whose private parts are known here."""


def require_supported(version: str | None = None) -> None:
    """Raises UnsupportedDagster unless this version of Dagster is known. version: None asks the installed one."""
    version = version or dg.__version__
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:3])
    if not OLDEST <= numbers < BELOW:
        oldest, below = (".".join(map(str, bound)) for bound in (OLDEST, BELOW))
        raise UnsupportedDagster(
            f"Dagster {version} is installed, and this needs parts of it that are private and known from {oldest} to "
            f"below {below}: install one of those (`uv sync`)"
        )


def reconstructable_job(name: str = "__ASSET_JOB") -> ReconstructableJob:
    """A job, without a name that of all assets, in a form that other processes can load again, from the environment.

    The public `reconstructable` takes a function that returns a job, and refuses that of all assets for its name.
    """
    require_supported()
    from dagster._core.definitions.reconstruct import ReconstructableRepository

    repository = ReconstructableRepository.for_module(
        "o1_assets.definitions", "defs", working_directory=str(PROJECT)
    )
    return repository.get_reconstructable_job(name)


def quiet_steps() -> None:
    """From now on the steps of this process print no line each, which Dagster does whatever a run's loggers are."""
    require_supported()
    from dagster._core.execution import context_creation_job

    context_creation_job.default_system_loggers = lambda instance: []


@contextmanager
def shown_as_the_uis_own(instance: dg.DagsterInstance) -> Iterator[None]:
    """A run that this process creates meanwhile belongs to the UI's code location.

    Only such runs are on the UI's timeline, and can be executed again there. The public interface says where a run is
    from only of runs that a code server was asked for.
    """
    require_supported()
    from dagster._core.remote_origin import (
        RegisteredCodeLocationOrigin,
        RemoteJobOrigin,
        RemoteRepositoryOrigin,
    )

    repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(LOCATION), "__repository__")
    create = instance.create_run_for_job

    def create_here(job_def: dg.JobDefinition, **arguments: Any) -> dg.DagsterRun:
        arguments["remote_job_origin"] = RemoteJobOrigin(repository, job_def.name)
        arguments["job_code_origin"] = reconstructable_job(job_def.name).get_python_origin()
        return create(job_def, **arguments)

    with patched(instance, "create_run_for_job", create_here):
        yield


@contextmanager
def patched(thing: object, name: str, value: object) -> Iterator[None]:
    """Sets an attribute of an instance for a while, in place of what its class has."""
    setattr(thing, name, value)
    try:
        yield
    finally:
        delattr(thing, name)


@contextmanager
def code_server(instance: dg.DagsterInstance) -> Iterator[Path]:
    """Starts the process that loads the graph, and starts it again whenever it ends. Yields the workspace file for it.

    Webserver and daemon share it. It listens on a Unix socket that only this user may open.
    """
    require_supported()
    import yaml
    from dagster._cli.proxy_server_manager import ProxyServerManager
    from dagster._core.workspace.load_target import ModuleTarget

    target = ModuleTarget("o1_assets.definitions", None, str(PROJECT), LOCATION)
    with ProxyServerManager(instance, target, "warning") as servers, tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder) / "workspace.yaml"
        workspace.write_text(yaml.safe_dump({"load_from": servers.get_code_server_specs()}))
        yield workspace


def daemon_command(instance: dg.DagsterInstance, workspace: Path) -> list[str]:
    """Starts Dagster's daemon, which runs the sensor and the queue of runs."""
    from dagster_shared.serdes import serialize_value

    command = [sys.executable, "-m", "dagster._daemon", "run", "--workspace", str(workspace)]
    # It would say every 15 s that it looks for labels, below the address that people look for.
    command += ["--log-level", "warning"]
    return [*command, "--instance-ref", serialize_value(instance.get_ref())]


@contextmanager
def webserver(instance: dg.DagsterInstance, workspace: Path | None) -> Iterator[ASGIApp]:
    """Dagster's web interface to the code servers of a workspace file, as `dagster-webserver` serves it."""
    require_supported()
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import EmptyWorkspaceTarget, WorkspaceFileTarget
    from dagster_webserver.app import create_app_from_workspace_process_context
    from dagster_webserver.cli import (
        DEFAULT_DB_STATEMENT_TIMEOUT,
        DEFAULT_POOL_MAX_OVERFLOW,
        DEFAULT_POOL_RECYCLE,
    )

    instance.optimize_for_webserver(
        DEFAULT_DB_STATEMENT_TIMEOUT, DEFAULT_POOL_RECYCLE, DEFAULT_POOL_MAX_OVERFLOW
    )
    target = WorkspaceFileTarget([str(workspace)]) if workspace else EmptyWorkspaceTarget()
    with WorkspaceProcessContext(instance, version=dg.__version__, workspace_load_target=target) as context:
        # Open pages ask for news every two seconds.
        yield create_app_from_workspace_process_context(context, live_data_poll_rate=2000)


# What an instance imports when it is opened; together they take 1.2 s of a processor.
STORAGES = (
    "dagster._core.storage.root", "dagster._core.storage.runs", "dagster._core.storage.schedules",
    "dagster._core.storage.sqlite_storage",
)  # fmt: skip

# What changes the slots of a pool or the queue for them. None of these calls another.
POOL_CHANGES = (
    "claim_concurrency_slot", "free_concurrency_slot_for_step", "free_concurrency_slots_for_run",
    "set_concurrency_slots",
)  # fmt: skip


@cache
def lock_pools() -> None:
    """From now on this process changes the pools of a SQLite event log only while no other process does.

    Dagster looks for a free slot and claims it in two statements, and relies on SELECT ... FOR UPDATE, which SQLite
    ignores: of 200 times that two processes began at once, both got the one slot of a pool 106 times. Besides, it
    looks whether a step may claim a slot, and queues the step, in two transactions. A slot that is given back between
    them is assigned to no step, and the step waits for ever. Postgres locks the slot, so that it has only the second
    fault, which is not mended there.
    """
    require_supported()
    from dagster._core.storage.event_log.sqlite import SqliteEventLogStorage

    def alone(change: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(change)
        def locked(storage: SqliteEventLogStorage, *args: Any, **kwargs: Any) -> Any:
            lock = Path(storage.path_for_shard("pools")).with_suffix(".lock")
            # A change takes a few milliseconds; the default looks again only after 50.
            with FileLock(lock, poll_interval=0.005):
                return change(storage, *args, **kwargs)

        return locked

    for name in POOL_CHANGES:
        setattr(SqliteEventLogStorage, name, alone(getattr(SqliteEventLogStorage, name)))


class EventLog:
    """The tables and files of an instance that its public methods do not reach. Raises UnsupportedDagster."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        # Version and tables are checked when it is opened, so that a refusal comes before the first deletion.
        require_supported()
        from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
        from dagster._core.storage.event_log.sqlite import SqliteEventLogStorage
        from dagster._core.storage.runs.sql_run_storage import SqlRunStorage

        events, runs = instance.event_log_storage, instance.run_storage
        # An ephemeral instance keeps everything in memory, where there is nothing to remove.
        self._events = events if isinstance(events, SqlEventLogStorage) else None
        self._files = events if isinstance(events, SqliteEventLogStorage) else None
        self._runs = runs if isinstance(runs, SqlRunStorage) else None
        if self._events:
            with self._events.index_connection() as connection:
                _require_columns(connection, "asset_check_executions")
        if self._runs:
            with self._runs.connect() as connection:
                _require_columns(connection, "snapshots")

    def newest_check_runs(self) -> set[str]:
        """The runs of the newest execution of every check."""
        # The public query takes the keys of checks, and those that the graph no longer has are not known.
        if not self._events:
            return set()
        checks = _checks()
        newest = db.select(db.func.max(checks.c.id)).group_by(checks.c.asset_key, checks.c.check_name)
        with self._events.index_connection() as connection:
            rows = connection.execute(db.select(checks.c.run_id).where(checks.c.id.in_(newest))).fetchall()
        return {row[0] for row in rows if row[0]}

    def delete_check_executions(self, run_id: str) -> None:
        """Deletes a run's check results, which `DagsterInstance.delete_run` leaves."""
        if self._events:
            checks = _checks()
            with self._events.index_connection() as connection:
                connection.execute(checks.delete().where(checks.c.run_id == run_id))

    def delete_snapshots(self, snapshot_ids: Iterable[str]) -> None:
        """Deletes snapshots of jobs and plans, which all runs share and which no public method deletes."""
        if self._runs and (ids := sorted(snapshot_ids)):
            from dagster._core.storage.runs.schema import SnapshotsTable

            with self._runs.connect() as connection:
                connection.execute(SnapshotsTable.delete().where(SnapshotsTable.c.snapshot_id.in_(ids)))

    def runs_with_a_file(self) -> list[str]:
        """Ids of the runs that have a file of events. Only SQLite has one for each run."""
        return [run_id for run_id in self._files.get_all_run_ids() if run_id] if self._files else []

    def file_of(self, run_id: str) -> Path | None:
        return Path(self._files.path_for_shard(run_id)) if self._files else None


@cache
def _checks() -> db.Table:
    from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable

    return AssetCheckExecutionsTable


def _require_columns(connection: Any, table: str) -> None:
    columns = {column["name"] for column in db.inspect(connection).get_columns(table)}
    if columns != COLUMNS[table]:
        odd = ", ".join(sorted(columns ^ COLUMNS[table]))
        raise UnsupportedDagster(
            f"the table {table} of Dagster's database differs from the known one in {odd}, so nothing is removed: "
            "bring the instance to the installed Dagster with `dagster instance migrate`"
        )
