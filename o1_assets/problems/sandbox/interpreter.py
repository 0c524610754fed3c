"""The process behind `unit_tests.run_tests`: it owns the interpreter, runs programs in it and compares what comes back.

`python -m o1_assets.problems.sandbox.interpreter` reads one JSON question a line and replies with one line of JSON: for
each test "" or what happened. It is a process of its own because the interpreter's threads do not survive a fork of the
process that started it, and so that whatever value a program returns is made here, far from a training.
"""

from __future__ import annotations

import ast
import json
import resource
import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from pydantic_monty import CollectString, Monty, MontyCrashedError, MontyError, MontySession, OSPolicy
from pydantic_monty._binary import find_monty_binary

from o1_assets.core.errors import O1Error
from o1_assets.problems.sandbox import confinement

SECONDS = 0.1
"""For the program's definitions, and then for each call: a hundred times what a short function takes."""

GRACE = 0.5
"""Seconds more until a worker is killed that does not stop by itself."""

STARVED = 10
"""How many times as long a program runs that was stopped without having had a processor: a loaded machine has to give
the same verdicts."""

START_PATIENCE = 60.0
"""Seconds until a worker that says nothing is given up while it starts, which on a loaded machine takes long."""

MEMORY = 8 * 2**20
"""Bytes of the interpreter's heap. A value as large may come back to this process."""

DEPTH = 100
"""Calls inside calls. The interpreter refuses sources, too, that are nested deeply."""

PRINTED = 10_000
"""Bytes that a program may print; nobody reads them."""

PROGRAMS_PER_WORKER = 2_000
"""After which it is replaced: nothing may build up."""

LONGEST_MESSAGE = 200

READY = "ready"
"""What the process says once it can run programs."""

# The same program has the same verdict today and tomorrow, and sleeping costs nobody any time.
CLOCKLESS: OSPolicy = {
    "datetime": datetime(2000, 1, 1, tzinfo=UTC),
    "timezone": "utc",
    "sleep": "zero",
    "random_start": {"seed": 0},
}


def main() -> None:
    with workers() as pool:
        print(READY, flush=True)
        for line in sys.stdin:
            question = json.loads(line)
            # As Python's literals: JSON knows no tuples.
            tests = [(call, ast.literal_eval(expected)) for call, expected in question["tests"]]
            print(json.dumps(failures(pool, question["source"], tests)), flush=True)


@contextmanager
def workers() -> Iterator[Monty]:
    """A pool of one confined worker process, which is replaced whenever it ends."""
    with tempfile.TemporaryDirectory(prefix="sandbox-") as folder:
        script = Path(folder, "worker")
        # -I and -S: neither the user's environment nor site-packages are of use, and it starts in half the time.
        command = [sys.executable, "-I", "-S", confinement.__file__, find_monty_binary()]
        script.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
        script.chmod(0o700)
        with Monty(
            binary_path=script,
            max_processes=1,
            request_timeout=START_PATIENCE,
            feed_duration_limit_grace=GRACE,
            max_checkouts_per_worker=PROGRAMS_PER_WORKER,
        ) as pool:
            yield pool


def failures(pool: Monty, source: str, tests: list[tuple[str, Any]]) -> list[str | None]:
    """For each test, a call and its expected value, "" or what happened; None if no verdict was possible in time."""
    for seconds in (SECONDS, STARVED * SECONDS):
        try:
            return _run(pool, source, tests, seconds)
        except _StoppedError as stopped:
            if not stopped.starved:
                return [str(stopped)] * len(tests)
    return [None] * len(tests)


class _StoppedError(O1Error):
    """A program used up its time, or its interpreter ended. starved: it hardly had a processor meanwhile."""

    def __init__(self, reason: str, starved: bool) -> None:
        super().__init__(reason)
        self.starved = starved


def _run(pool: Monty, source: str, tests: list[tuple[str, Any]], seconds: float) -> list[str | None]:
    with pool.checkout(
        limits={
            "max_feed_duration_secs": seconds,
            "max_memory": MEMORY,
            "max_recursion_depth": DEPTH,
            "max_suspensions": 100,
            "max_total_sleep_secs": 0.0,
        },
        os_policy=CLOCKLESS,
    ) as session:
        program = _Program(session, seconds)
        problem, _ = program.feed(source)
        return [problem or program.failure(call, expected) for call, expected in tests]


class _Program:
    """One program in its session, which is not used again."""

    def __init__(self, session: MontySession, seconds: float) -> None:
        self.session, self.seconds = session, seconds
        self.before = _processor_seconds(session.worker_pid)
        self.ended_before = _ended_seconds()

    def failure(self, call: str, expected: Any) -> str:
        problem, value = self.feed(call)
        if problem:
            return f"{call}: {problem}"
        return "" if same(value, expected) else f"{call} is {_short(value)}, not {expected!r}"

    def feed(self, code: str) -> tuple[str, Any]:
        """What went wrong in one line, or "" and the value. Raises _StoppedError where nothing more can be run."""
        try:
            return "", self.session.feed_run(code, print_callback=CollectString(max_bytes=PRINTED))
        except MontyCrashedError as error:
            # A worker that has ended is counted with all the processor time of its life.
            used = _ended_seconds() - self.ended_before - self.before
            raise _StoppedError(
                "the interpreter ended", error.timed_out and used < self.seconds / 2
            ) from error
        except MontyError as error:
            message = " ".join(str(error).split())[:LONGEST_MESSAGE]
            if message.startswith("TimeoutError: feed time limit"):
                used = _processor_seconds(self.session.worker_pid) - self.before
                raise _StoppedError("TimeoutError: it takes too long", used < self.seconds / 2) from error
            return message, None
        # A value that Python cannot hold here, such as a text with half a surrogate. The program is its cause.
        except Exception as error:
            return f"{type(error).__name__}: {error}"[:LONGEST_MESSAGE], None


def _processor_seconds(pid: int | None) -> float:
    """Of a living process; 0 if it has ended."""
    with suppress(psutil.Error):
        times = psutil.Process(pid).cpu_times()
        return float(times.user + times.system)
    return 0.0


def _ended_seconds() -> float:
    """Processor time of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def same(value: Any, expected: Any) -> bool:
    """Equal and of the same types throughout: True is not 1, and what only says that it is equal is not."""
    if type(value) is not type(expected):
        return False
    if isinstance(expected, list | tuple):
        return len(value) == len(expected) and all(map(same, value, expected))
    if isinstance(expected, dict):
        return list(value) == list(expected) and all(same(value[key], expected[key]) for key in expected)
    return bool(value == expected)


def _short(value: Any) -> str:
    if type(value) in (float, bool, str, type(None)) or (type(value) is int and abs(value) < 10**18):
        return repr(value)[:LONGEST_MESSAGE]
    return f"another {type(value).__name__}"


if __name__ == "__main__":
    main()
