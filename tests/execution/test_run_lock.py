"""One run at a time, and what a killed one leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from o1_assets.execution import run_lock
from o1_assets.execution.run_lock import RunLock

HOLD = """
import sys, time
from pathlib import Path
from o1_assets.execution.run_lock import RunLock
with RunLock(Path(sys.argv[1])).hold("killed"):
    print("holds", flush=True)
    time.sleep(60)
"""


def test_a_run_waits_for_another_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_lock, "POLL_SECONDS", 0.05)
    lock, waited = RunLock(tmp_path / "run.lock"), []

    def give_up() -> None:
        waited.append(1)
        raise KeyboardInterrupt

    with lock.hold("first"):
        assert lock.busy()
        with pytest.raises(KeyboardInterrupt), lock.hold("second", give_up):
            raise AssertionError("two runs at once")
        assert lock.killed() == []
    assert waited and not lock.busy() and list(lock.alive.iterdir()) == []
    with lock.hold("second"):
        pass


def test_a_killed_run_frees_the_lock_and_is_known_to_be_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = RunLock(tmp_path / "run.lock")
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock.lock)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "holds\n"
    now = time.time
    monkeypatch.setattr("time.time", lambda: now() + 60)
    assert lock.busy() and lock.killed() == []
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not lock.busy() and lock.killed() == ["killed"]
    lock.forget("killed")
    assert lock.killed() == []


def test_a_file_just_made_may_be_about_to_be_locked(tmp_path: Path) -> None:
    lock = RunLock(tmp_path / "run.lock")
    with lock.hold("other"):
        next(lock.alive.iterdir()).with_name(f"new@{run_lock.socket.gethostname()}").touch()
        assert lock.killed() == []


def test_runs_of_other_machines_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = RunLock(tmp_path / "run.lock")
    lock.alive.mkdir()
    (lock.alive / "run@elsewhere").touch()
    now = time.time
    monkeypatch.setattr("time.time", lambda: now() + 60)
    assert lock.killed() == []
