"""How a training of several processes is started, and ended."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from o1_assets.core.settings import PROJECT
from o1_assets.orchestration.launch import command, guarded

STEP = """
import signal, subprocess
signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as a library may have done
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
from o1_assets.orchestration.launch import guarded
subprocess.run(guarded("r00/prm", 2))
"""


SLOW = """
import os, sys, time
from pathlib import Path
Path(os.environ["STARTED"]).write_text(f"{os.getpid()} {' '.join(sys.argv[1:])}")
time.sleep(600)
"""


def test_what_is_started_is_the_command_of_the_documentation() -> None:
    words = command("r03/policy", 4)
    assert words[1:6] == ["-m", "accelerate.commands.launch", "--num_processes", "4", "--multi_gpu"]
    assert words[-3:] == ["-m", "o1_assets.orchestration.train", "r03/policy"]
    assert "--multi_gpu" not in command("r03/policy", 1)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's death")
def test_a_training_ends_with_the_step_that_asked_for_it_however_that_ends(tmp_path: Path) -> None:
    fake = tmp_path / "accelerate" / "commands"
    fake.mkdir(parents=True)
    for folder in (fake, fake.parent):
        (folder / "__init__.py").touch()
    (fake / "launch.py").write_text(SLOW)
    started = tmp_path / "started"
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{PROJECT}", "STARTED": str(started)}
    step = subprocess.Popen([sys.executable, "-c", STEP], env=environment, cwd=tmp_path)
    deadline = time.monotonic() + 120
    while not started.exists() or not started.read_text():
        assert time.monotonic() < deadline and step.poll() is None
        time.sleep(0.05)
    training = psutil.Process(int(started.read_text().split()[0]))
    assert started.read_text().endswith("-m o1_assets.orchestration.train r00/prm")
    step.kill()
    step.wait()
    while training.is_running() and training.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "it is still there"
        time.sleep(0.05)


def test_a_training_whose_step_is_gone_is_not_begun() -> None:
    words = [*guarded("r00/prm", 2)[:-1], "1"]
    done = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and "what asked for this training is gone" in done.stderr
