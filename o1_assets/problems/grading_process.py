"""The processes that read long answers to mathematics, and those to reasoning_gym's problems.

reasoning_gym's scorers parse with sympy, which no timeout inside a thread can interrupt, so an answer that takes too
long ends the worker that reads it. Workers are forks of one *template* process, which has imported everything and reads
no answer itself (`grading_worker.py`): a new worker takes milliseconds.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from typing import Any, NamedTuple
from weakref import WeakSet

from o1_assets.problems.grading_worker import LONGEST_REPLY

log = logging.getLogger(__name__)

CPU_SECONDS = 0.3
"""Processor time for one answer, which decides what is too slow: it hardly depends on how busy the machine is. Reading
their own answers takes reasoning_gym's scorers 16 ms at most; the bounds of `formula_value.py` allow .13 s."""

WALL_SECONDS = 1.0
"""How long a caller waits for one answer. A worker that then still waits for a processor is given as long once more."""

START_PATIENCE = 300.0
"""Seconds until a template that says nothing is given up while it starts, which on a loaded machine takes long."""


PATIENCE = 10.0
"""The same while it makes or ends a worker, which takes milliseconds."""


def cores() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Worker(NamedTuple):
    """A fork of the template, and our end of the socket that it serves."""

    pid: int
    pipe: socket.socket

    def alive(self) -> bool:
        """Whether it listens: nothing comes from it before it is asked, and an end only if it has ended."""
        self.pipe.settimeout(0)
        try:
            self.pipe.recv(1)
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    def waits_for_a_processor(self) -> bool:
        """Whether it could run at this moment; one that was stopped, or sleeps, could not."""
        import psutil

        with suppress(psutil.Error):
            return bool(psutil.Process(self.pid).status() == psutil.STATUS_RUNNING)
        return False


class GradingProcesses:
    """Grades answers in as many workers as there are processors, asked from any thread.

    kind: "math" or "reasoning_gym"; each has a template of its own, which is started by the first question.
    undecided: answers graded wrong only because the machine was too busy.
    """

    def __init__(
        self,
        kind: str,
        workers: int | None = None,
        cpu_seconds: float = CPU_SECONDS,
        wall_seconds: float = WALL_SECONDS,
    ) -> None:
        self.kind = kind
        self.workers = workers or cores()
        self.cpu_seconds = cpu_seconds
        self.wall_seconds = wall_seconds
        self.undecided = 0
        self._begin()
        _all.add(self)

    def _begin(self) -> None:
        self._lock = threading.Lock()  # of the template and its socket
        self._places = threading.BoundedSemaphore(self.workers)
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._template: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def ask(self, question: dict[str, Any]) -> bool:
        """False too when no answer came in time. Raises RuntimeError if the processes cannot even be started."""
        text = json.dumps(question).encode("ascii") + b"\n"
        with self._places:
            worker = self._worker()
            self._busy.add(worker)
            reply = b""
            try:
                reply = self._reply(worker, text)
            finally:
                # Also after an interruption: the reply to this question must not be read as that to the next one.
                self._busy.discard(worker)
                if reply:
                    self._idle.append(worker)
                else:
                    self._end(worker)
        return reply == b"1"

    def close(self) -> None:
        """End all processes; the next question starts new ones."""
        with self._lock:
            self._end_all()

    def _reply(self, worker: _Worker, text: bytes) -> bytes:
        """b"1" or b"0"; b"" if none came in time, or the worker ended."""
        worker.pipe.settimeout(self.wall_seconds)
        with suppress(OSError):
            worker.pipe.sendall(text)
            try:
                return worker.pipe.recv(1)
            except TimeoutError:
                if not worker.waits_for_a_processor():
                    raise
            try:
                return worker.pipe.recv(1)
            except TimeoutError:
                self._count_undecided()
        return b""

    def _count_undecided(self) -> None:
        self.undecided += 1
        if self.undecided & (self.undecided - 1) == 0:  # 1, 2, 4, 8, ...: enough to see that it goes on
            log.warning(
                "This machine is too busy to grade answers in time: %d so far had less than %s s of processor time in"
                " %s s and count as wrong. Let fewer things run on it and compute again what was graded meanwhile.",
                self.undecided, self.cpu_seconds, 2 * self.wall_seconds,
            )  # fmt: skip

    def _worker(self) -> _Worker:
        """An idle worker that is alive, else a new one."""
        while True:
            try:
                worker = self._idle.pop()
            except IndexError:
                return self._fork()
            if worker.alive():
                return worker
            self._end(worker)

    def _fork(self) -> _Worker:
        ours, theirs = socket.socketpair()
        with theirs, self._lock:
            try:
                return _Worker(self._order(b"fork\n", theirs), ours)
            except OSError:  # somebody has killed or stopped the template
                return _Worker(self._order(b"fork\n", theirs), ours)

    def _end(self, worker: _Worker) -> None:
        worker.pipe.close()
        with self._lock, suppress(OSError):
            # By the template, its parent: to anybody else the number could meanwhile be that of another process.
            if self._template is not None:
                self._order(b"end %d\n" % worker.pid)

    def _order(self, order: bytes, end: socket.socket | None = None) -> int:
        """What the template replies. If it does not, all processes are ended, and OSError is raised."""
        if self._control is None:
            self._start()
        assert self._control is not None
        try:
            socket.send_fds(self._control, [order], [end.fileno()] if end else [])
            return int(_line(self._control))
        except (
            BaseException
        ):  # an interruption too: the reply that was not read would be taken for the next one's
            self._end_all()
            raise

    def _start(self) -> None:
        self._control, theirs = socket.socketpair()
        module = [sys.executable, "-W", "ignore", "-m", "o1_assets.problems.grading_worker"]
        with theirs:
            self._template = subprocess.Popen(
                [*module, self.kind, str(self.cpu_seconds)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                # Control-C in a terminal is for the run: it must not kill a worker in the middle of an answer. And the
                # workers are in the template's group, by which all are ended.
                start_new_session=True,
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join(p or os.getcwd() for p in sys.path),
                    "PYTHONHASHSEED": "0",  # the order of sympy's sets decides what it tries first
                    "OMP_NUM_THREADS": "1",  # a fork has none of its parent's threads
                },
            )
        self._control.settimeout(START_PATIENCE)
        reply = b""
        try:
            reply = _line(self._control)
        except OSError as error:
            reply = str(error).encode()
        if reply != b"ready":
            self._end_all()
            raise RuntimeError(f"the process that grades answers did not start: {reply.decode()}")
        self._control.settimeout(PATIENCE)

    def _end_all(self) -> None:
        template, control = self._template, self._control
        self._template, self._control = None, None
        if template is not None:
            with suppress(ProcessLookupError):
                os.killpg(template.pid, signal.SIGKILL)
            template.wait()
        if control is not None:
            control.close()
        while self._idle:  # the busy ones are ended by whoever asked them
            self._idle.pop().pipe.close()

    def after_fork(self) -> None:
        """In a forked child: its parent's processes stay its parent's."""
        # Our copies have to be closed: while one is open, the template does not see that the parent has ended.
        for worker in [*self._idle, *self._busy]:
            worker.pipe.close()
        if self._control is not None:
            self._control.close()
        self._begin()


def _line(control: socket.socket) -> bytes:
    """The template's reply, which it writes at once. Raises OSError at the end of the stream."""
    reply = control.recv(LONGEST_REPLY)
    if not reply.endswith(b"\n"):
        raise ConnectionResetError("the grading processes have ended")
    return reply[:-1]


_all: WeakSet[GradingProcesses] = WeakSet()


def _after_fork() -> None:
    for processes in list(_all):
        processes.after_fork()


def _close_all() -> None:
    for processes in list(_all):
        processes.close()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_close_all)

_processes = {kind: GradingProcesses(kind) for kind in ("math", "reasoning_gym")}


def ask(kind: str, question: dict[str, Any]) -> bool:
    """Whether the answer in `question` is right: the arguments of `verify_math` or `score` in grading_worker."""
    return _processes[kind].ask(question)
