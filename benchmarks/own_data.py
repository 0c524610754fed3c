"""From a clean clone to a report on one's own problems: docs/your-own.md, its data at the tests' tiny size.

What is timed is what somebody does who reads the page: `git clone` of the last commit here, `make .venv/ready` (the
packages come from pip's index, or from a cache of uv where there is one), and every command of the page in a process
of its own, with a judge on loopback that answers at once. People's minutes of typing and rating are not in it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from benchmarks.registry import Figure

NAME = "own_data_minutes"
REPETITIONS = 3
ARCHITECTURE = "gemma3_text"
PROJECT = Path(__file__).parents[1]


def compare() -> Mapping[str, Figure]:
    installed, followed = zip(*(_once() for _ in range(REPETITIONS)), strict=True)
    minutes = [(a + b) / 60 for a, b in zip(installed, followed, strict=True)]
    print("seconds of cloning and installing:", *(f"{s:.0f}" for s in installed), file=sys.stderr)
    return {
        NAME: Figure(
            median(minutes),
            max(minutes) - min(minutes),
            "min",
            f"at most 5; {median(installed) / 60:.2f} of them for clone and packages",
        )
    }


def _once() -> tuple[float, float]:
    """Seconds until `o1` is there, and seconds of the page."""
    from tests.end_to_end import reader
    from tests.labels.judging import serving

    with tempfile.TemporaryDirectory(prefix="own-data-") as name, serving() as judge:
        clone, folder = Path(name, "clone"), Path(name, "mine")
        started = time.perf_counter()
        subprocess.run(["git", "clone", "--quiet", PROJECT, clone], check=True)
        subprocess.run(["make", "--silent", ".venv/ready"], cwd=clone, check=True, stdout=subprocess.DEVNULL)
        ready = time.perf_counter()
        folder.mkdir()
        template = reader.files(folder, ARCHITECTURE, reader.ARCHITECTURES[ARCHITECTURE])
        judge.answer = reader.judge_every_second_step_right

        def o1(
            arguments: list[str], environment: Mapping[str, str], cwd: Path
        ) -> subprocess.CompletedProcess[str]:
            command = [str(clone / ".venv" / "bin" / "o1"), *arguments]
            return subprocess.run(
                command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True
            )

        python = str(clone / ".venv" / "bin" / "python")
        person = reader.Reader(folder, judge, 2, template, o1=o1, python=python)
        began = time.perf_counter()
        for line in reader.commands():
            person.follow(line)
        ended = time.perf_counter()
        if not list(folder.glob("home/mine/report.html")):
            raise SystemExit("the page was followed to its end, and there is no report")
    return ready - started, ended - began
