"""The process that reads the answers which no comparison of plain numbers decides (`grading_worker.py`).

math-verify's own time limit is signal.alarm, which works in the main thread only, and Dagster runs us in other threads.
"""

from __future__ import annotations

import atexit
import json
import os
import selectors
import subprocess
import sys
import threading
from typing import Any

SECONDS = 3.0
"""CPU time for one answer; the common ones take a few milliseconds."""

PATIENCE = 60.0
"""Seconds on the wall clock until a process that says nothing, though it is out of CPU time, is given up."""

START_PATIENCE = 300.0
"""The same while it starts, which on a loaded machine takes long."""


class GradingProcess:
    """Grades one answer at a time, asked from any thread. A process that was killed is replaced at the next answer.

    kind: "math" or "reasoning_gym"; each has a process of its own, which imports what it needs before the first
    question, so that no answer is called late because a library was.
    """

    def __init__(self, kind: str, seconds: float = SECONDS, patience: float = PATIENCE) -> None:
        self.kind = kind
        self.seconds = seconds
        self.patience = patience
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def ask(self, question: dict[str, Any]) -> bool:
        """False too when no answer came in time. Raises RuntimeError if the process cannot even be started."""
        with self._lock:
            # A fork shares the pipes of its parent's process: never read each other's replies.
            if self._process is None or self._process.poll() is not None or self._owner != os.getpid():
                self._start()
            process = self._process
            assert process is not None and process.stdin is not None
            try:
                process.stdin.write(json.dumps(question).encode("ascii") + b"\n")
                process.stdin.flush()
                reply = _read_line(process, self.patience)
            except OSError:
                reply = b""
            if not reply:
                self._end()
            return reply == b"1\n"

    def close(self) -> None:
        with self._lock:
            self._end()

    def _start(self) -> None:
        module = [sys.executable, "-W", "ignore", "-m", "o1_assets.problems.grading_worker"]
        self._process = subprocess.Popen(
            [*module, self.kind, str(self.seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Control-C in a terminal is for the run: it must not kill the process in the middle of an answer.
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p or os.getcwd() for p in sys.path)},
        )
        self._owner = os.getpid()
        if _read_line(self._process, START_PATIENCE) != b"ready\n":
            self._end()
            raise RuntimeError(
                "the grading process did not start; to see why run"
                f" `python -m o1_assets.problems.grading_worker {self.kind} 5`"
            )

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            try:
                if pipe is not None:
                    pipe.close()
            except OSError:
                pass  # what was still to be written has no reader any more


def _read_line(process: subprocess.Popen[bytes], seconds: float) -> bytes:
    """The next line, b"" if none came in time. The worker writes each at once, so the first byte brings all."""
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        return process.stdout.readline() if selector.select(seconds) else b""


_processes = {kind: GradingProcess(kind) for kind in ("math", "reasoning_gym")}


for _process in _processes.values():
    atexit.register(_process.close)


def ask(kind: str, question: dict[str, Any]) -> bool:
    """Whether the answer in `question` is right: the arguments of `verify_math` or `score` in grading_worker."""
    return _processes[kind].ask(question)
