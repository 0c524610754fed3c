"""The labelling page's memory: labellers and their tasks, in one SQLite file of the home.

Every act of a labeller is one transaction, so a killed server or a closed tab loses nothing that was answered. What is
finished is filed in the inbox; only there does it become labels.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

from o1_assets.core.errors import O1Error

SCHEMA = """
create table if not exists labelers (
    name text primary key, token_hash text not null unique, is_lead integer not null, invited text not null
);
create table if not exists tasks (
    round text not null, solution text not null, labeler text not null, screening integer not null,
    selection text not null,
    given real not null, touched real not null, version integer not null default 0, draft text not null,
    finished real, milliseconds integer, record text, filed text, refused text,
    primary key (round, solution, labeler)
);
create table if not exists facts (name text primary key, value text not null);
"""
"""tasks.finished: when the newest record was made, in seconds since 1970; record: its line. filed: the batch of the
inbox that holds it. refused: why the inbox did not take it. A draft may be newer than the record."""


ADDRESS = "address"
"""The fact that says where the page was last served: the beginning of an invitation's link."""


class DamagedPage(O1Error):
    """The labelling page's file cannot be read; the message says what to do."""


class Database:
    """One connection, used by several threads one after another."""

    def __init__(self, file: Path) -> None:
        self._lock = RLock()
        # It holds who may sign in and what they wrote, so only its owner may read it.
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
        try:
            self._connection = sqlite3.connect(
                file, timeout=30, check_same_thread=False, isolation_level=None
            )
            self._connection.row_factory = sqlite3.Row
            self._connection.executescript(SCHEMA)
        except sqlite3.DatabaseError as error:
            raise DamagedPage(
                f"{file} is damaged ({error}): put a copy of it back, or move it away and invite labellers anew; "
                "what was filed is in the inbox"
            ) from None

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; other threads and processes wait."""
        with self._lock:
            self._connection.execute("begin immediate")
            try:
                yield
            except BaseException:
                self._connection.execute("rollback")
                raise
            self._connection.execute("commit")

    def rows(self, query: str, *values: Any) -> list[sqlite3.Row]:
        with self._lock:
            return self._connection.execute(query, values).fetchall()

    def row(self, query: str, *values: Any) -> sqlite3.Row | None:
        with self._lock:
            row: sqlite3.Row | None = self._connection.execute(query, values).fetchone()
            return row

    def write(self, query: str, *values: Any) -> None:
        with self._lock:
            self._connection.execute(query, values)

    def fact(self, name: str) -> str | None:
        row = self.row("select value from facts where name = ?", name)
        return row["value"] if row else None

    def keep_fact(self, name: str, value: str) -> None:
        self.write(
            "insert into facts values (?, ?) on conflict do update set value = excluded.value", name, value
        )
