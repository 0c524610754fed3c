"""No test waits for the disk.

What survives a power failure no test can see, and many a test waited for it longer than it computed: those of the label
table took 19 s for 7 s of processor time. Processes that tests start by `subprocess` wait as a user's do.
"""

from __future__ import annotations

import os
import sqlite3
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine


def stop_waiting() -> None:
    """From now on this process calls `os.fsync` and SQLite, which Dagster uses, without a wait for the disk."""
    os.fsync = _checked
    if not event.contains(Engine, "connect", _asynchronous):
        event.listen(Engine, "connect", _asynchronous)


def _checked(file: Any) -> None:
    """Raises OSError where `os.fsync` would: for a file that is not open."""
    os.fstat(file if isinstance(file, int) else file.fileno())


def _asynchronous(connection: Any, record: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute("pragma synchronous = off")
