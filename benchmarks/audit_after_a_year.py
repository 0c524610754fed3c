"""`o1 audit r10/policy` on a store of 1,000 runs: every byte of its ancestry, from the start of the process."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.command import o1

NAME = "audit_seconds_after_a_year"


AGAINST = "at most 5 s"


REPETITIONS = 7


PREPARED = "year"


def prepare(folder: Path) -> None:
    from benchmarks.year import prepare_home

    prepare_home(folder)


def measure(folder: Path, repetition: int) -> None:
    audited = json.loads(o1(folder / "home", "audit", "r10/policy", "--json", O1_SET="annotator=human"))
    assert audited["ok"] and audited["summary"]["artifacts"] > 60, audited["summary"]
