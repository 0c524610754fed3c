"""An artifact's seconds: those of a killed attempt count, in the manifest and not in the run that goes on."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from o1_assets.core.artifact import Artifact, Outcome, StageConfig, Task
from o1_assets.execution import ledger
from o1_assets.execution.ledger import RunRecord
from o1_assets.store.store import ArtifactStore
from tests.execution.toy import make

FIRST = 0.5


ATTEMPTS: list[int] = []


def interrupted(task: Task, config: StageConfig) -> Outcome:
    """The first attempt ends as a killed process does, after a training's state was saved."""
    ATTEMPTS.append(1)
    if len(ATTEMPTS) == 1:
        time.sleep(FIRST)
        task.progress("half of it")
        assert task.unfinished is not None
        for path in task.unfinished.iterdir():  # as `Checkpoints.save` does
            if path.is_file():
                path.unlink()
        raise KeyboardInterrupt
    (task.out / "text.txt").write_text("made")
    return Outcome()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ArtifactStore:
    ATTEMPTS.clear()
    monkeypatch.setattr(ledger, "SAVE_SECONDS", 0.0)
    return ArtifactStore(str(tmp_path / "store"), tmp_path / "work")


def test_a_killed_attempt_counts(store: ArtifactStore, tmp_path: Path) -> None:
    artifact = Artifact("toy/long", interrupted, StageConfig(), {}, "long", "toy")
    with pytest.raises(KeyboardInterrupt):
        make(store, artifact)
    (note,) = (store.work / "unfinished").glob("*/attempts/seconds.json")
    assert float(note.read_text()) >= FIRST
    note.write_text("5000")  # a long one, so that a slow machine hides nothing
    manifest = make(store, artifact).manifest
    assert manifest.cost.seconds > 5000
    assert not list((store.work / "unfinished").iterdir())

    record = RunRecord(tmp_path / "runs")
    record.started = time.time() - 1
    record.made(manifest)
    assert 1 <= record.compute_seconds <= record.seconds < 5000, "nothing was computed before it began"


def test_a_damaged_note_is_no_reason_to_fail(tmp_path: Path) -> None:
    note = tmp_path / "attempts" / "seconds.json"
    note.parent.mkdir()
    for text in ("", "{}", "null", '"a"'):
        note.write_text(text)
        assert ledger.Stopwatch(tmp_path).seconds < 5
    note.write_text("100.0")
    assert 100 <= ledger.Stopwatch(tmp_path).seconds < 105


def test_seconds_are_written_at_most_every_so_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "SAVE_SECONDS", 1000.0)
    ledger.Stopwatch(tmp_path).save()
    assert not list(tmp_path.iterdir())
