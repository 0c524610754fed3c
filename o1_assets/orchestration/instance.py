"""Creates and opens the Dagster instance of a profile, so that neither a kill nor another writer breaks it.

Dagster 1.13 keeps runs, events and schedules in SQLite. Its event log waits 30 s for another writer; its run
and schedule storages have sqlite3's default of 5 s, after which a run fails with "database is locked". Their
tables are made one by one, by whichever process comes first, and two that come at once disturb each other.
With O1_DAGSTER_POSTGRES all of them are in one Postgres database, and several machines may share it.
"""

from __future__ import annotations

import glob
import os
import re
import shutil
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from o1_assets.core.errors import O1Error, causes
from o1_assets.core.settings import Settings

if TYPE_CHECKING:
    from dagster import DagsterInstance


# How long a connection of this process waits for other writers. A transaction of Dagster's takes milliseconds.
BUSY_SECONDS = 120

# The folders of an instance that hold its databases.
PARTS = ("history", "schedules")


class InstanceLost(O1Error):
    """Dagster's settings or databases are gone or damaged; the artifacts do not depend on them."""


@contextmanager
def open_instance(settings: Settings) -> Iterator[DagsterInstance]:
    """The instance, made if it is not there. This process shares it with others (wait_for_writers, lock_pools)."""
    from o1_assets.orchestration.internals import lock_pools

    wait_for_writers()
    lock_pools()
    make_instance(settings)
    with instance_of(settings.dagster_home()) as instance:
        # What Dagster starts in other processes looks for its instance there.
        os.environ["DAGSTER_HOME"] = str(settings.dagster_home())
        yield instance


def instance_of(folder: Path) -> DagsterInstance:
    """The instance whose folder it is, by the dagster.yaml in it."""
    import dagster as dg

    # Dagster takes the path of its settings for a pattern: of a folder named a[1] it would silently read none, and of
    # one named a* those of other homes.
    return dg.DagsterInstance.from_config(
        str(folder), config_filename=glob.escape(str(folder / "dagster.yaml"))
    )


def instance_lost(error: Exception, settings: Settings) -> InstanceLost | None:
    """The error to raise if `error` came from an instance that is gone or damaged, else None."""
    home = settings.home / "dagster"
    if any("Timed out waiting for gRPC server" in str(cause) for cause in causes(error)):
        # Its message names the server's arguments, and among them the file below.
        return InstanceLost(
            "Dagster's code server did not start in time: try again when this machine is less busy"
        )
    if wrong := next((text for cause in causes(error) if "dagster.yaml" in (text := str(cause))), None):
        # Dagster names the copy that it read.
        reason = " ".join(re.sub(r'"?[^"\s]*dagster\.yaml"?', "it", wrong).split())
        return InstanceLost(
            f"{home / 'dagster.yaml'} cannot be used: correct it, or remove it, and it is written anew ({reason[:250]})"
        )
    if settings.postgres:
        return _postgres_lost(error)
    if not all((home / part).exists() for part in PARTS) or "unable to open database file" in str(error):
        return InstanceLost(
            f"{home} was removed during the run; what was finished is kept: `o1 run` again goes on from there"
        )
    if "database disk image is malformed" in str(error) or "file is not a database" in str(error):
        return InstanceLost(
            f"a database in {home} is damaged: remove that folder, which loses the runs' history only"
        )
    return None


def _postgres_lost(error: Exception) -> InstanceLost | None:
    from sqlalchemy.exc import OperationalError

    for cause in causes(error):
        if isinstance(cause, OperationalError):
            why = str(cause.orig).strip().splitlines()[0]
            return InstanceLost(
                f"the database of O1_DAGSTER_POSTGRES does not answer ({why}); what was finished is kept: start it, "
                "correct the address, or unset O1_DAGSTER_POSTGRES to use SQLite"
            )
    return None


def make_instance(settings: Settings) -> None:
    """Creates the databases that are missing, one process at a time.

    In Postgres Dagster creates its tables when it is first opened, inside of transactions.
    """
    home = settings.dagster_home()
    if settings.postgres:
        return
    with FileLock(settings.home / ".dagster.lock"):
        missing = [part for part in PARTS if not (home / part).exists()]
        if not missing:
            return
        # Elsewhere, and then moved in by one rename each: a kill leaves no database with some of its tables missing.
        made = settings.home / f".dagster.{uuid.uuid4().hex}"
        try:
            shutil.copytree(home, made, ignore=lambda folder, names: set(names) - {"dagster.yaml"})
            with instance_of(made) as instance:
                # The first question to each storage creates its tables.
                instance.get_runs(limit=1)
                instance.all_instigator_state()
            for part in missing:
                (made / part).rename(home / part)
        finally:
            shutil.rmtree(made, ignore_errors=True)


def wait_for_writers() -> None:
    """Every SQLite connection that SQLAlchemy opens in this process from now on waits BUSY_SECONDS."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    if not event.contains(Engine, "connect", _wait):
        event.listen(Engine, "connect", _wait)


def _wait(connection: Any, record: Any) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
