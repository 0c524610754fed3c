"""PRM800K's raw size, submitted as one file, validated and made into rNN/labels."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from benchmarks.labelled_set import HUMAN, SOLUTIONS, prepare_home, settings, submit_and_label, write_records

NAME = "labels_ingest_seconds"


AGAINST = "at most 60 s and 4 GiB on two cores"


REPETITIONS = 3


def prepare(folder: Path) -> None:
    prepare_home(folder)
    write_records(folder / "batch.jsonl", range(SOLUTIONS), "labeler")


def measure(folder: Path, repetition: int) -> None:
    os.environ["O1_SET"] = HUMAN
    shutil.rmtree(settings(folder).inbox, ignore_errors=True)
    shutil.rmtree(settings(folder).home / "store" / "cache", ignore_errors=True)
    figures = submit_and_label(folder, folder / "batch.jsonl")
    assert figures["accepted"] == SOLUTIONS and figures["labels"] > 1_000_000, figures
