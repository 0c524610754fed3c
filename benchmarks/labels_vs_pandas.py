"""Ingest of labels: ours against json and pandas with the same checks (`pandas_labels.py`), in turn.

Both begin with a file of 20,000 rated solutions and end with the round's label table on disk; that the two tables hold
the same ratings is checked in every repetition. Ours also keeps what was refused and why, the records, and a digest of
each batch, so that a later batch alone is read again.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.registry import Figure

NAME = "labels_vs_pandas"
SOLUTIONS, REPETITIONS = 20_000, 5


def compare() -> Mapping[str, Figure]:
    from benchmarks import labelled_set

    labelled_set.SOLUTIONS = SOLUTIONS
    os.environ["O1_SET"] = labelled_set.HUMAN
    with tempfile.TemporaryDirectory(prefix="bench-labels-") as name:
        folder = Path(name)
        labelled_set.prepare_home(folder)
        file = folder / "batch.jsonl"
        labelled_set.write_records(file, range(SOLUTIONS), "labeler")
        return _race(folder, file)


def _race(folder: Path, file: Path) -> Mapping[str, Figure]:
    import polars as pl

    from benchmarks.labelled_set import ROUND, settings, submit_and_label
    from benchmarks.pandas_labels import KEY, labels
    from o1_assets.store.store import ArtifactStore

    home = settings(folder)
    store = ArtifactStore(home.store, home.work)

    def content(key: str) -> Path:
        head = store.head(key)
        assert head is not None, key
        return store.verified(head.digest)

    selection, problems = content(f"{ROUND}/selection"), content("problems/train")

    def ours(out: Path) -> Path:
        submit_and_label(folder, file)
        return content(f"{ROUND}/labels")

    def theirs(processes: int) -> Callable[[Path], Path]:
        def run(out: Path) -> Path:
            labels(file, selection, problems, ROUND, out, processes)
            return out

        return run

    contenders = {"ours": ours, "pandas, 1 process": theirs(1), "pandas, 2 processes": theirs(2)}
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for repetition in range(REPETITIONS + 1):
        tables: dict[str, Any] = {}
        for name, contender in contenders.items():
            for left in (home.inbox, home.home / "store" / "cache", folder / "out"):
                shutil.rmtree(left, ignore_errors=True)
            (folder / "out").mkdir()
            started = time.perf_counter()
            result = contender(folder / "out")
            if repetition:  # the first is to warm up
                seconds[name].append(time.perf_counter() - started)
            table = pl.read_parquet(result / "labels.parquet")
            columns = [pl.col("solution_id"), pl.col("step", "completion", "rating").cast(pl.Int64)]
            tables[name] = table.select(columns).sort(KEY)
        assert all(table.equals(tables["ours"]) for table in tables.values()), "the label tables differ"
    for name, of_contender in seconds.items():
        print(f"  {name:44} {median(of_contender):8.2f} s", flush=True)
    best = min((name for name in seconds if name != "ours"), key=lambda name: median(seconds[name]))
    ratios = [b / a for a, b in zip(seconds["ours"], seconds[best], strict=True)]
    own, other = (f"{median(seconds[name]):.2f} s" for name in ("ours", best))
    against = f"at least 1; {best}; {SOLUTIONS:,} solutions"
    return {
        NAME: Figure(median(ratios), max(ratios) - min(ratios), "times", against, own, f"{best}: {other}")
    }
