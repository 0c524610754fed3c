"""What serves the interface ends with what started it, however that ends. A small program stands for the server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from o1_assets.core.settings import PROJECT

# A server with a child that asks to be interrupted, as a run does, and one that only a kill ends.
SERVER = """
import json, os, signal, subprocess, sys, time
from o1_assets.orchestration.ui import supervisor
supervisor.INTERRUPT_SECONDS = 1.5
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
supervisor.stop_with(int(sys.argv[-1]))
wait = "while :; do sleep .05; done"
run = subprocess.Popen(["sh", "-c", "trap 'echo interrupted > run; exit' INT; touch ready; " + wait])
stubborn = subprocess.Popen(["sh", "-c", "trap '' INT; " + wait])
while not os.path.exists("ready"): time.sleep(.01)
with open("started.json", "w") as file: json.dump([os.getpid(), run.pid, stubborn.pid], file)
try:
    time.sleep(60)
finally:
    supervisor.end_session()
"""
SUPERVISOR = f"""
import os, signal, sys
from pathlib import Path
from o1_assets.orchestration.ui import supervisor
signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in the background job of a script
signal.signal(signal.SIGHUP, signal.SIG_DFL)
supervisor.INTERRUPT_SECONDS, supervisor.POLL_SECONDS = 1.5, 0.1
parent = int(sys.argv[1]) if sys.argv[1:] else None
print(supervisor.supervise([sys.executable, "-c", {SERVER!r}], Path("."), parent=parent), flush=True)
"""
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(PROJECT)}


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR], cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


@pytest.mark.parametrize(
    "number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name
)
def test_a_signal_ends_everything(
    supervisor: subprocess.Popen[str], tmp_path: Path, number: signal.Signals
) -> None:
    processes = started(tmp_path)
    supervisor.send_signal(number)
    until_gone(processes)
    assert (tmp_path / "run").read_text() == "interrupted\n", "a run may say that it was interrupted"
    assert supervisor.stdout is not None
    assert supervisor.stdout.read()[:6] == ("" if number == signal.SIGKILL else "Ending")


def test_nothing_outlives_a_killed_server(supervisor: subprocess.Popen[str], tmp_path: Path) -> None:
    server, *others = started(tmp_path)
    os.kill(server, signal.SIGKILL)
    until_gone(others)
    assert supervisor.stdout is not None and supervisor.stdout.read() == "-9\n"


@pytest.fixture
def hangup_is_heard() -> Iterator[None]:
    """What a test starts is ended by SIGHUP also where the tests themselves run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hangup_is_heard")
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL], ids=lambda number: number.name)
def test_it_ends_with_make(tmp_path: Path, number: signal.Signals) -> None:
    if number != signal.SIGKILL and sys.platform != "linux":
        pytest.skip("what signals a process blocks is only told on Linux")
    (tmp_path / "supervisor.py").write_text(SUPERVISOR)
    (tmp_path / "Makefile").write_text(f"ui:\n\texec {sys.executable} supervisor.py $$PPID\n")
    with subprocess.Popen(
        ["make", "ui"], cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as make:
        processes = started(tmp_path)
        make.send_signal(number)
        until_gone(processes)


def started(folder: Path) -> list[int]:
    file = folder / "started.json"
    deadline = time.monotonic() + 30
    while not (file.exists() and file.read_text()):
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.02)
    processes: list[int] = json.loads(file.read_text())
    return processes


def until_gone(processes: list[int]) -> None:
    deadline = time.monotonic() + 20
    while remaining := [pid for pid in processes if alive(pid)]:
        assert time.monotonic() < deadline, f"{remaining} are still there"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
