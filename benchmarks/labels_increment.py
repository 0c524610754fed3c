"""One more batch of 1,000 solutions on top of 100,000: only it is parsed."""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.labelled_set import HUMAN, SOLUTIONS, prepare_home, submit_and_label, write_records

NAME = "labels_increment_seconds"


AGAINST = "at most 5 s"


REPETITIONS = 3


BATCH = 1000


def prepare(folder: Path) -> None:
    os.environ["O1_SET"] = HUMAN
    prepare_home(folder)
    write_records(folder / "batch.jsonl", range(SOLUTIONS), "labeler")
    submit_and_label(folder, folder / "batch.jsonl")
    for repetition in range(REPETITIONS):
        numbers = range(repetition * BATCH, (repetition + 1) * BATCH)
        write_records(folder / f"more-{repetition}.jsonl", numbers, "another labeler")


def measure(folder: Path, repetition: int) -> None:
    os.environ["O1_SET"] = HUMAN
    figures = submit_and_label(folder, folder / f"more-{repetition}.jsonl")
    assert figures["accepted"] == BATCH and figures["solutions"] == SOLUTIONS, figures
