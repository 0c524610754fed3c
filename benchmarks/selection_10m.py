"""Active selection: 2,000 convincing wrong answers (and others) out of ten million scored solutions in Parquet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from o1_assets.rounds.choose import choose_from_files

NAME = "selection_10m_seconds"


AGAINST = "at most 60 s and 4 GiB on two cores"


REPETITIONS = 3


SOLUTIONS, PROBLEMS, FILES = 10_000_000, 12_000, 10


CHOSEN, PER_PROBLEM = 2000, 2


def prepare(folder: Path) -> None:
    rng = np.random.default_rng(0)
    size = SOLUTIONS // FILES
    for part in range(FILES):
        numbers = pl.Series(np.arange(part * size, (part + 1) * size, dtype=np.int64))
        # Hashed ids, as of real solutions: nothing is in order or compresses well. A tenth of the scores tie at 1.
        score = np.where(rng.random(size) < 0.1, 1.0, rng.random(size))
        pl.DataFrame(
            {
                "solution_id": [f"{number:016x}" for number in numbers.hash(1).to_list()],
                "problem_id": [f"{number:016x}" for number in (numbers % PROBLEMS).hash(2).to_list()],
                "correct": rng.random(size) < 0.5,
                "score": score,
            }
        ).write_parquet(folder / f"scored-{part}.parquet")


def measure(folder: Path, repetition: int) -> None:
    files = sorted(folder.glob("scored-*.parquet"))
    chosen = choose_from_files(files, CHOSEN, PER_PROBLEM, 0.8, folder / "spill")
    assert chosen.height == CHOSEN and chosen["solution_id"].n_unique() == CHOSEN
