"""A home in which one round can be labelled."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from o1_assets.core.artifact import Artifact, Outcome, StageConfig, Task
from o1_assets.core.settings import Settings
from o1_assets.execution.materialize import materialize
from o1_assets.store.store import ArtifactStore
from tests.labels import world
from tests.labels.world import ROUND


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home whose store has the selection of r03 and its problems."""
    monkeypatch.setenv("O1_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("O1_SET", raising=False)
    settings = Settings.load("nano")
    store = ArtifactStore(settings.store, settings.work)
    selection, train = world.write_selection(tmp_path)
    for key, folder in ((f"{ROUND}/selection", selection), ("problems/train", train)):

        def copy(task: Task, config: StageConfig, folder: Path = folder) -> Outcome:
            shutil.copytree(folder, task.out, dirs_exist_ok=True)
            return Outcome()

        artifact = Artifact(key, copy, StageConfig(), {}, "made up", "test")
        materialize(artifact, store, profile="nano", open_engine=lambda path: None, threads=1)  # type: ignore[arg-type, return-value]
    return settings
