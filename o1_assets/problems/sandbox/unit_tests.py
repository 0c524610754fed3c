"""Runs a short Python function that a model wrote against unit tests. The program cannot reach this machine.

It runs in pydantic-monty, an interpreter in Rust of a subset of Python that has no files, network, processes or
introspection to offer, inside a process that has given up its rights over the operating system (`confinement.py`). The
verdict is made outside (`interpreter.py`): a value comes back and is compared with one that the program never sees, so
a program that prints, exits, overwrites names or returns an object equal to everything passes nothing.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import select
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

log = logging.getLogger(__name__)

LONGEST_SOURCE = 10_000
"""Characters of a program."""

_INTERPRETER = "o1_assets.problems.sandbox.interpreter"

PATIENCE = 300.0
"""Seconds until a process that says nothing is given up; its own limits end a program long before."""


@dataclass(frozen=True)
class UnitTest:
    """A call and what it has to return. Both are plain data: numbers, text, None, and lists, tuples, dicts of these."""

    arguments: tuple[Any, ...]
    expected: Any

    def call(self, name: str) -> str:
        return f"{name}({', '.join(map(repr, self.arguments))})"


@dataclass(frozen=True)
class Report:
    """failures: for each test "" if it passed, else one line that says what happened: "f(2, 3) is 5, not 6"."""

    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return bool(self.failures) and not any(self.failures)

    @property
    def share(self) -> float:
        """Of the tests, those that passed."""
        return sum(not failure for failure in self.failures) / max(1, len(self.failures))


class Sandbox:
    """One interpreter, started by the first program and again whenever it has ended; asked from any thread.

    undecided: programs whose tests failed only because the machine was too busy.
    """

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self.undecided = 0
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, source: str, tests: Sequence[UnitTest], name: str = "f") -> Report:
        """What becomes of each test of the function `name` that `source` defines.

        Raises RuntimeError if the process cannot even be started, nothing because of a program.
        """
        if len(source) > LONGEST_SOURCE:
            return Report(("the program is too long",) * len(tests))
        question = {"source": source, "tests": [(test.call(name), repr(test.expected)) for test in tests]}
        with self._lock:
            # Somebody may have killed the process. A program that ends it twice did it itself.
            failures = self._ask(question) or self._ask(question)
        if failures is None:
            return Report(("the interpreter ended",) * len(tests))
        if None in failures:
            self._count_undecided()
        return Report(tuple(failure if failure is not None else "no time to run it" for failure in failures))

    def close(self) -> None:
        """End the process; the next program starts another one."""
        with self._lock:
            self._end()

    def after_fork(self) -> None:
        """In a forked child: its parent's process stays its parent's."""
        # Our copies have to be closed: while one is open, the process does not see that the parent has ended.
        if self._process is not None:
            for pipe in (self._process.stdin, self._process.stdout):
                assert pipe is not None
                pipe.close()
            self._process.returncode = 0  # it is not ours to wait for
        self._begin()

    def _ask(self, question: dict[str, Any]) -> list[str | None] | None:
        """None if the process ended instead of answering."""
        if self._process is None:
            self._process = _start()
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        reply = b""
        try:
            with suppress(OSError):
                stdin.write(json.dumps(question).encode("ascii") + b"\n")
                stdin.flush()
                if select.select([stdout], [], [], PATIENCE)[0]:
                    reply = stdout.readline()
        finally:
            # Also after an interruption: the reply to this question must not be read as that to the next one.
            if not reply.endswith(b"\n"):
                self._end()
        failures: list[str | None] | None = json.loads(reply) if reply.endswith(b"\n") else None
        return failures

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None and process.stdout is not None
        with suppress(OSError):
            process.stdin.close()
        process.stdout.close()
        try:
            process.wait(5)  # it removes its folder
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _count_undecided(self) -> None:
        self.undecided += 1
        if self.undecided & (self.undecided - 1) == 0:  # 1, 2, 4, 8, ...: enough to see that it goes on
            log.warning(
                "This machine is too busy to run programs in time: %d so far hardly had a processor, and their tests"
                " count as failed. Let fewer things run on it and compute again what was graded meanwhile.",
                self.undecided,
            )


def _start() -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", _INTERPRETER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        # Control-C in a terminal is for the run.
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p or os.getcwd() for p in sys.path)},
    )
    assert process.stdout is not None
    if not select.select([process.stdout], [], [], PATIENCE)[0] or process.stdout.readline() != b"ready\n":
        process.kill()
        raise RuntimeError(
            f"the process that runs programs did not start; `{sys.executable} -m {_INTERPRETER}` says why"
        )
    return process


_sandbox = Sandbox()
os.register_at_fork(after_in_child=_sandbox.after_fork)
atexit.register(_sandbox.close)


def run_tests(source: str, tests: Sequence[UnitTest], name: str = "f") -> Report:
    """`Sandbox.run` in this process' sandbox."""
    return _sandbox.run(source, tests, name)
