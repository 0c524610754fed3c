"""Tables that a long computation keeps while it goes on: a killed one does not make them again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict

import polars as pl

from o1_assets.artifact import Cost, Task
from o1_assets.files import publish

TABLE, COST = "table.parquet", "cost.json"


def kept(task: Task, name: str, make: Callable[[], tuple[pl.DataFrame, Cost]]) -> tuple[pl.DataFrame, Cost]:
    """What `make` gives, read again where an earlier, killed process of the same computation has made it."""
    if task.unfinished is None:
        return make()
    done = task.unfinished / "done" / name
    if not done.is_dir():
        table, cost = make()
        begun = task.unfinished / "begun" / name
        shutil.rmtree(begun, ignore_errors=True)
        begun.mkdir(parents=True)
        table.write_parquet(begun / TABLE)
        (begun / COST).write_text(json.dumps(asdict(cost)) + "\n")
        publish(begun, done)
    return pl.read_parquet(done / TABLE), Cost(**json.loads((done / COST).read_text()))
