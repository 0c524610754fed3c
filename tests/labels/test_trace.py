"""Each label in an artifact is counted once, as its label table has it, however many versions it rests on."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from o1_assets.cli.label_trace import trace_document, trace_lines
from o1_assets.core.artifact import Artifact, Compute, Outcome, StageConfig, Task
from o1_assets.execution.materialize import materialize
from o1_assets.labels.inbox.batch import INDEX, RATINGS
from o1_assets.labels.label_table import COLUMNS
from o1_assets.labels.trace import trace
from o1_assets.store.store import ArtifactStore

OLD, NEW = "a" * 64, "b" * 64


def table(*rows: tuple[str, int, int]) -> pl.DataFrame:
    """labels.parquet of (batch, line, rating), a solution each."""
    columns = [
        {
            **dict.fromkeys(COLUMNS, ""), "step": 0, "completion": 0, "labeler": "ann",
            "batch": batch, "line": line, "rating": rating, "solution_id": f"s{line}",
        }
        for batch, line, rating in rows
    ]  # fmt: skip
    return pl.DataFrame(columns)


def batches_of(labels: pl.DataFrame) -> Compute:
    def compute(task: Task, config: StageConfig) -> Outcome:
        labels.select("batch", "labeler", "rating").write_parquet(task.out / RATINGS)
        entries = [{"digest": batch, "source": "people"} for batch in sorted(set(labels["batch"]))]
        (task.out / INDEX).write_text(json.dumps({"batches": entries}))
        return Outcome()

    return compute


def labels_of(labels: pl.DataFrame) -> Compute:
    def compute(task: Task, config: StageConfig) -> Outcome:
        labels.write_parquet(task.out / "labels.parquet")
        return Outcome()

    return compute


def prm(task: Task, config: StageConfig) -> Outcome:
    (task.out / "model").write_text(str(sorted(str(folder.name) for folder in task.inputs.values())))
    return Outcome()


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    """r00/prm learned from the first version of r00/labels; r01/prm begins as it, and learned from the second."""
    store = ArtifactStore(str(tmp_path / "store"), tmp_path / "work")

    class Rated(StageConfig):
        version: int = 0

    def make(key: str, compute: Compute, version: int = 0, **inputs: str) -> None:
        artifact = Artifact(key, compute, Rated(version=version), inputs, "made up", "test")
        materialize(artifact, store, profile="nano", open_engine=lambda path: None, threads=1)  # type: ignore[arg-type, return-value]

    before = table((OLD, 1, 1), (OLD, 2, -1), (OLD, 3, 1))
    after = table((OLD, 1, 1), (OLD, 2, -1), (NEW, 3, -1), (NEW, 4, 1))
    for version, labels in enumerate((before, after)):
        make("r00/label_batches", batches_of(labels), version)
        make("r00/labels", labels_of(labels), version, batches="r00/label_batches")
        if not version:
            make("r00/prm", prm, labels_00="r00/labels")
    make("r01/prm", prm, init="r00/prm", labels_00="r00/labels")
    return store


def test_labels_are_those_of_the_table_that_the_artifact_learned_from_each_counted_once(
    store: ArtifactStore,
) -> None:
    traced = trace(store, "r01/prm", lines=True)
    head = store.head("r00/labels")
    assert head is not None and [each.version for each in traced.tables] == [head.version]
    assert json.loads(trace_document(traced))["labels"] == 4 and traced.lines is not None
    assert sorted(traced.lines["line"]) == [1, 2, 3, 4]
    assert trace(store, "r00/prm").counts["labels"].sum() == 3, "as it was made"


def test_an_earlier_table_that_an_ancestor_learned_from_is_named_with_what_only_it_has(
    store: ArtifactStore,
) -> None:
    traced = trace(store, "r01/prm")
    (earlier,) = json.loads(trace_document(traced))["earlier"]
    assert (earlier["key"], earlier["labels"]) == ("r00/labels", 1)
    first, *_, last = trace_lines(traced)
    assert first.endswith(": 4 labels by 1 labeller, of r00")
    assert "1 label that" in last and f"`o1 labels trace r00/labels --version {earlier['version']}`" in last
    assert trace(store, "r00/prm").earlier == []
