"""Every answer that a judge gave, under the digest of what it was asked: a run that is repeated asks nothing twice.

One SQLite file in the home, `judge.sqlite`. An answer is in it before it is used, so a kill loses only those on their
way. It is no part of the store: `o1 gc` leaves it, because an answer costs money and another one would be different.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from o1_assets.labels.annotators.judge_prompt import JudgeError
from o1_assets.labels.annotators.judge_server import Reply
from o1_assets.labels.config import JudgeLimits

COUNTED = 500
"""After so many answers the file is counted again."""

_TABLE = """
create table if not exists answers (
    key text primary key, text text not null, finish text not null, prompt_tokens integer not null,
    completion_tokens integer not null, cost real not null, asked text not null
) without rowid
"""


class Answers:
    """Safe with several threads and processes. Limits count everything in the file, whichever run asked for it."""

    def __init__(self, file: Path, limits: JudgeLimits) -> None:
        self.file, self.limits = file, limits
        self.asked = self.found = 0
        self._lock = threading.Lock()
        # Of requests on their way: their number, and the most that they can cost.
        self._calls_under_way, self._cost_under_way = 0, 0.0
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._database = sqlite3.connect(file, check_same_thread=False, timeout=60)
            self._database.execute(_TABLE)
            self._spent = self._counted()
        except sqlite3.DatabaseError as error:
            raise self._damaged(error) from error

    def close(self) -> None:
        self._database.close()

    @property
    def spent(self) -> tuple[int, float]:
        """How many answers the file holds, and what they have cost."""
        with self._lock:
            return self._spent

    def answer(self, url: str, body: dict[str, Any], ask: Callable[[dict[str, Any]], Reply]) -> Reply:
        """The answer in the file, or else that of `ask`, which is filed first. Raises JudgeError."""
        content = json.dumps([url, body], sort_keys=True)
        key = hashlib.sha256(content.encode()).hexdigest()
        with self._lock:
            reply = self._reply(key)
            if reply is not None:
                self.found += 1
                return reply
            most = self._most(content, body)
            self._check_limits(most)
            self._calls_under_way += 1
            self._cost_under_way += most
        try:
            reply = ask(body)
        finally:
            with self._lock:
                self._calls_under_way -= 1
                self._cost_under_way -= most
        with self._lock:
            return self._file(key, reply)

    def _reply(self, key: str) -> Reply | None:
        query = "select text, finish, prompt_tokens, completion_tokens from answers where key = ?"
        try:
            row = self._database.execute(query, (key,)).fetchone()
        except sqlite3.DatabaseError as error:
            raise self._damaged(error) from error
        return None if row is None else Reply(*row)

    def _file(self, key: str, reply: Reply) -> Reply:
        cost = self._cost(reply.prompt_tokens, reply.completion_tokens)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        row = (key, reply.text, reply.finish, reply.prompt_tokens, reply.completion_tokens, cost, now)
        try:
            with self._database:
                # Of two processes that asked the same at once the first counts, for both.
                self._database.execute("insert or ignore into answers values (?, ?, ?, ?, ?, ?, ?)", row)
            self.asked += 1
            # The whole file is counted at times only, for what other processes add: it may hold a million answers.
            calls, spent = self._spent
            self._spent = (calls + 1, spent + cost) if self.asked % COUNTED else self._counted()
        except sqlite3.DatabaseError as error:
            raise self._damaged(error) from error
        return self._reply(key) or reply

    def _counted(self) -> tuple[int, float]:
        with closing(self._database.execute("select count(*), coalesce(sum(cost), 0) from answers")) as rows:
            calls, cost = rows.fetchone()
        return int(calls), float(cost)

    def _check_limits(self, most: float) -> None:
        limits = self.limits
        if limits.max_calls is None and limits.max_cost is None:
            return
        calls, cost = self._spent
        how = "its answers are kept, and `o1 run` goes on with the others"
        calls += self._calls_under_way
        if limits.max_calls is not None and calls >= limits.max_calls:
            raise JudgeError(
                f"the judge was asked {calls} times in all, and judge_limits.max_calls is {limits.max_calls}: "
                f"raise it; {how}"
            )
        if limits.max_cost is not None and cost + self._cost_under_way + most > limits.max_cost:
            raise JudgeError(
                f"the judge's answers have cost {cost:.4g}, and the next one could exceed judge_limits.max_cost, "
                f"{limits.max_cost:g}: raise it; {how}"
            )

    def _most(self, content: str, body: dict[str, Any]) -> float:
        """The most that a request can cost: a token has two bytes at least, and no more are written than allowed."""
        allowed = body.get("max_tokens") or body.get("max_completion_tokens") or 0
        return self._cost(len(content.encode()) // 2, int(allowed))

    def _cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        return (
            prompt_tokens * self.limits.price_read + completion_tokens * self.limits.price_written
        ) / 1_000_000

    def _damaged(self, error: Exception) -> JudgeError:
        return JudgeError(
            f"{self.file}, the judge's answers so far, cannot be used ({error}): free its disk or bring it back from a "
            "backup; moved away, everything is asked again"
        )
