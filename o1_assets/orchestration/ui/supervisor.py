"""Runs a server in a session of its own, and lets nothing that it started outlive it.

A closed terminal (SIGHUP) ends Dagster's own `dg dev` but leaves its webserver, daemon and code servers behind, and
so does a kill. Here two processes watch each other: the server reads a pipe that closes when this process ends,
however it ends, and this process ends what is left of the session when the server has ended.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

# How long a run that is interrupted may take to record that, before it is killed. It loses nothing by a kill.
INTERRUPT_SECONDS = 15.0
POLL_SECONDS = 0.2

STOP_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def supervise(
    command: Sequence[str], folder: Path, *, keep: Sequence[int] = (), parent: int | None = None
) -> int | None:
    """Runs a server in a folder until it ends, it is asked to stop, or this process's parent has ended.

    keep: file descriptors that the server inherits. parent: None watches none. Returns the server's exit code, None if
    it did not end by itself. The number of the pipe to watch is appended to the command.
    """
    stop = threading.Event()
    for number in STOP_SIGNALS:
        # Under nohup SIGHUP is ignored, and it stays so. SIGINT is ignored in every background job of a script.
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: stop.set())
    reading, writing = os.pipe()
    # In a session of its own: Ctrl-C in the terminal reaches this process alone, which then ends the rest in order.
    server = subprocess.Popen(
        [*command, str(reading)],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        pass_fds=[reading, *keep],
        start_new_session=True,
    )
    os.close(reading)
    while server.poll() is None and not stop.is_set() and not (parent and _ending(parent)):
        time.sleep(POLL_SECONDS)
    status = server.returncode
    if status is None:
        print("Ending; runs that are interrupted by it lose nothing. Ctrl-C again kills them.", flush=True)
    stop.clear()
    os.close(writing)
    # The server now interrupts its session itself. A second signal means that nobody wants to wait for that.
    _wait(lambda: server.poll() is not None or stop.is_set(), INTERRUPT_SECONDS + 5)
    _send(signal.SIGKILL, _session(server.pid))
    server.wait()
    return status


def _ending(parent: int) -> bool:
    """Whether the parent has ended, or waits for this process to end so that it can follow a signal of its own."""
    if os.getppid() != parent:
        return True
    # GNU make that is sent SIGHUP or SIGINT alone, and not with its whole group, waits for its recipe to end. While
    # it does, it blocks that signal.
    with suppress(OSError, StopIteration):
        status = Path(f"/proc/{parent}/status").read_text().splitlines()
        blocked = int(next(line for line in status if line.startswith("SigBlk:")).split()[1], 16)
        return any(blocked >> (number - 1) & 1 for number in STOP_SIGNALS)
    return False


def stop_with(pipe: int) -> None:
    """Sends this process SIGTERM when the supervisor at the other end of the pipe is gone."""

    def wait() -> None:
        os.read(pipe, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def end_session() -> None:
    """Ends all other processes of this one's session: they are interrupted as by Ctrl-C, and killed after a while."""
    _send(signal.SIGINT, _session(os.getpid()))
    _wait(lambda: not _session(os.getpid()), INTERRUPT_SECONDS)
    _send(signal.SIGKILL, _session(os.getpid()))


def _session(leader: int) -> list[int]:
    """The processes of the session that the process `leader` opened, without this process. Zombies are none."""
    members = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if (
                process.pid != os.getpid()
                and os.getsid(process.pid) == leader
                and process.status() != psutil.STATUS_ZOMBIE
            ):
                members.append(process.pid)
    return members


def _send(number: int, processes: Sequence[int]) -> None:
    for process in processes:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(process, number)


def _wait(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
