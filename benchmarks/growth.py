"""How cost grows with label batches, rounds, a home's age, problems and ratings: the same work at several sizes.

What is measured is processor time, because it grows with the work alone, whatever else the machine does. docs/scale.md
is made of it. O1_BENCH=full adds the largest sizes, whose homes take minutes to make up.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from typing import Any

from benchmarks import labelled_set, year
from benchmarks.labelled_set import no_engine, records
from benchmarks.registry import Figure
from o1_assets.core.artifact import Task
from o1_assets.core.settings import Settings
from o1_assets.execution.project import Project
from o1_assets.graph import asked_for
from o1_assets.labels.inbox.progress import arrivals

NAME = "growth"
FULL = os.environ.get("O1_BENCH") == "full"

SIZES = {
    "label batches in a round": (10, 100, 1000),
    "rounds": (10, 30, 99),
    "versions in a home": (1_000, 10_000, *([100_000] if FULL else [])),
    "problems": (2_000, 20_000, 200_000),
    "rated solutions": (1_000, 10_000, *([100_000] if FULL else [])),
}
"""What grows -> the sizes. Each is measured in an order of magnitude that tells n from n squared."""

PEOPLE = "annotator=human\nmin_rated_share=0"
AGAINST = {"status": "at most 2 s", "tick": "at most 1 s"}


def compare() -> Mapping[str, Figure]:
    figures: dict[str, Figure] = {}
    for what, make in MAKERS.items():
        for size in SIZES[what]:
            with tempfile.TemporaryDirectory(prefix="growth-") as folder:
                for measure, seconds in make(Path(folder), size):
                    name = f"growth: {what}, {size}: {measure}"
                    figures[name] = Figure(seconds, 0.0, "s", AGAINST.get(measure, ""))
                    print(f"{name} {seconds:.2f} s", file=sys.stderr, flush=True)
    return figures


Measured = Iterator[tuple[str, float]]


def batches(folder: Path, count: int) -> Measured:
    """A round that people rate, a batch a solution."""
    settings, overrides = _home(folder, f"rounds=1\n{PEOPLE}", count)
    yield from _asked(settings, overrides)


def rounds(folder: Path, count: int) -> Measured:
    settings, overrides = _home(folder, f"rounds={count}\n{PEOPLE}")
    yield "graph", _cpu(lambda: Project(settings, overrides).graph)
    yield from _asked(settings, overrides)


def versions(folder: Path, count: int) -> Measured:
    """A home of so many versions of nano's artifacts."""
    settings, overrides = _home(folder, PEOPLE)
    graph = Project(settings, overrides).graph
    loop = {key: graph[key] for key in graph if key in asked_for(graph)}
    year.old_runs(loop, Path(settings.store), count // len(loop))
    yield from _asked(settings, overrides)


def problems(folder: Path, count: int) -> Measured:
    """problems/train of a file."""
    file, draw = folder / "rows.jsonl", random.Random(0)
    with file.open("w") as out:
        for number in range(count * 10 // 8 + 100):
            a, b = draw.randrange(10**6), number
            out.write(json.dumps({"question": f"What is {a} + {b}?", "answer": str(a + b)}) + "\n")
    source = json.dumps({"kind": "file", "path": str(file)})
    sizes = f"problems.train={count}\nproblems.test=50\nproblems.test_fraction=0.1"
    every_row = "problems.arithmetic=null\nproblems.countdown=null\nproblems.shares=null"
    shares = f"problems.source={source}\n{sizes}\n{every_row}"
    artifact = Project(Settings.load("nano", folder / "home"), shares).graph["problems/train"]
    (folder / "out").mkdir()
    task = Task({}, folder / "out", artifact.seed, no_engine)
    yield "made", _cpu(lambda: artifact.compute(task, artifact.config))


def rated(folder: Path, count: int) -> Measured:
    """A batch of so many rated solutions, submitted and made into labels."""
    labelled_set.SOLUTIONS = count
    os.environ["O1_SET"] = labelled_set.HUMAN
    labelled_set.prepare_home(folder)
    labelled_set.write_records(folder / "batch.jsonl", range(count), "labeler")
    yield "labels", _cpu(lambda: labelled_set.submit_and_label(folder, folder / "batch.jsonl"))
    labelled_set.write_records(folder / "more.jsonl", range(count // 100), "another")
    yield "1% more", _cpu(lambda: labelled_set.submit_and_label(folder, folder / "more.jsonl"))


MAKERS: dict[str, Callable[[Path, int], Measured]] = {
    "label batches in a round": batches,
    "rounds": rounds,
    "versions in a home": versions,
    "problems": problems,
    "rated solutions": rated,
}


def _home(folder: Path, overrides: str, solutions: int = 1) -> tuple[Settings, str]:
    """A home in which the loop was made, with contents that are made up; r00's selection has so many solutions."""
    settings = Settings.load("nano", folder / "home")
    project = Project(settings, overrides)
    loop = asked_for(project.graph)
    year.SELECTED, year.CONTENT = solutions, 100
    numbers = year.without_errors()
    for key, artifact in project.graph.items():
        if key not in loop:
            continue
        name, _, stage = key.partition("/")
        if stage == "label_batches":
            _file_batches(folder, project, name, numbers if name == "r00" else numbers[:1])
        year.make_up(artifact, project.store)
    return settings, overrides


def _file_batches(folder: Path, project: Project, round_name: str, numbers: list[int]) -> None:
    from o1_assets.labels.round_inputs import round_inputs

    check = round_inputs(project.profile, project.store, round_name).check()
    protocol = "dense" if round_name == "r00" else "sparse"
    for number in numbers:
        (record,) = records(range(number, number + 1), "labeler")
        file = folder / "batch.jsonl"
        file.write_text(
            json.dumps({**record, "o1": {**record["o1"], "round": round_name, "protocol": protocol}}) + "\n"
        )
        assert project.inbox.submit(file, round_name, check).accepted == 1


def _asked(settings: Settings, overrides: str) -> Measured:
    """`o1 status`, and what a tick of the sensor asks, the first time in a process and later."""
    environment = {**os.environ, "O1_HOME": str(settings.home.parent), "O1_SET": overrides}
    command = [sys.executable, "-W", "ignore", "-c", "from o1_assets.cli import main; main()", "status"]
    for _ in range(2):  # the first one writes the outlines
        before = getrusage(RUSAGE_CHILDREN)
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
        after = getrusage(RUSAGE_CHILDREN)
    yield "status", after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    project = Project(settings, overrides)
    graph, store, inbox = project.loaded, project.store, project.inbox
    yield "first tick", _cpu(lambda: arrivals(graph, store, inbox))
    yield "tick", _cpu(lambda: arrivals(graph, store, inbox))


def _cpu(work: Callable[[], Any]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started
