"""Leased GPUs: one step a device, several devices all or none, free again however the holder ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from o1_assets.orchestration import devices
from o1_assets.orchestration.devices import VISIBLE, DevicesMissing, enough_devices, leased, machine_devices
from o1_assets.profiles.load import load_profile

HOLD = """
import os, sys, time
from pathlib import Path
from o1_assets.orchestration.devices import leased
folder, count, seconds = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
with leased(count, ["0", "1", "2"], folder):
    names = os.environ["CUDA_VISIBLE_DEVICES"].split(",")
    marks = [folder / f"used-{name}" for name in names]
    for mark in marks:
        mark.touch(exist_ok=False)  # fails when somebody else has the device
    print(",".join(names), flush=True)
    time.sleep(seconds)
    for mark in marks:
        mark.unlink()
"""


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "POLL_SECONDS", 0.02)
    monkeypatch.delenv(VISIBLE, raising=False)


def holder(folder: Path, count: int, seconds: float) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", HOLD, str(folder), str(count), str(seconds)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def test_no_two_processes_ever_have_the_same_device(tmp_path: Path) -> None:
    started = [holder(tmp_path, count, 0.2) for count in (1, 2, 1, 3, 1, 2)]
    given = [process.communicate(timeout=120)[0].strip().split(",") for process in started]
    assert [process.returncode for process in started] == [0] * 6
    assert [len(names) for names in given] == [1, 2, 1, 3, 1, 2]


def test_a_killed_holder_gives_its_device_back(tmp_path: Path) -> None:
    process = holder(tmp_path, 3, 60)
    assert process.stdout is not None and process.stdout.readline() == "0,1,2\n"
    waited: list[int] = []
    threading.Timer(0.3, os.kill, (process.pid, signal.SIGKILL)).start()
    with leased(1, ["0", "1", "2"], tmp_path, lambda: waited.append(1)) as got:
        assert got == ["0"] and waited == [1]
    process.wait()


def test_a_step_that_wants_all_devices_is_served_before_those_that_come_later(tmp_path: Path) -> None:
    order: list[str] = []
    there = ["0", "1"]

    def take(name: str, count: int) -> None:
        with leased(count, there, tmp_path):
            order.append(name)

    with leased(1, there, tmp_path):
        both = threading.Thread(target=take, args=("both", 2))
        both.start()
        time.sleep(0.2)
        late = threading.Thread(target=take, args=("late", 1))
        late.start()
        time.sleep(0.2)
        assert order == []
    both.join(20)
    late.join(20)
    assert order == ["both", "late"]


def test_the_step_sees_its_devices_only_while_it_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VISIBLE, "4,GPU-abc")
    assert machine_devices() == ["4", "GPU-abc"]
    with leased(1, folder=tmp_path) as got:
        assert got == ["4"] and os.environ[VISIBLE] == "4"
    assert os.environ[VISIBLE] == "4,GPU-abc"
    with leased(0, folder=tmp_path) as got:
        assert got == [] and os.environ[VISIBLE] == "4,GPU-abc"


def test_too_few_devices_are_said_before_any_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(VISIBLE, "")
    with pytest.raises(DevicesMissing, match="needs 2"), leased(2, folder=tmp_path):
        raise AssertionError
    enough_devices(load_profile("nano", "executor=processes"))
    with pytest.raises(
        DevicesMissing, match=r"class gpu1 of profile nano needs 1 GPUs and this machine has 0"
    ):
        enough_devices(load_profile("nano", "executor=processes\nmodel_class=gpu1"))
    monkeypatch.setenv(VISIBLE, "0")
    enough_devices(load_profile("nano", "executor=processes\nmodel_class=gpu1"))
    with pytest.raises(DevicesMissing, match="class gpu8"):
        enough_devices(load_profile("nano", "executor=processes\nmodel_class=gpu1\ntraining_class=gpu8"))
