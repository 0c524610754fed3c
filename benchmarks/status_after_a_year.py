"""`o1 status` on a store of 1,000 runs: the whole command, from the start of the process."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.command import o1

NAME = "status_seconds_after_a_year"


AGAINST = "at most 2 s"


REPETITIONS = 7


PREPARED = "year"


def prepare(folder: Path) -> None:
    from benchmarks.year import prepare_home

    prepare_home(folder)


def measure(folder: Path, repetition: int) -> None:
    rows = json.loads(o1(folder / "home", "status", "--json", O1_SET="annotator=human"))["artifacts"]
    stale = [row for row in rows if row["state"] != "fresh" and "optional" not in row["reason"]]
    assert len(rows) > 90 and not stale, stale[:3]
