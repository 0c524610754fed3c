"""A full disk and a removed work folder: one sentence, nothing half-made, and as good as new afterwards."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from o1_assets.core.artifact import Artifact, Outcome, Task
from o1_assets.core.disk import DiskFull, disk_full
from o1_assets.store.scratch import ScratchLost
from o1_assets.store.store import ArtifactStore
from tests.execution.toy import LettersConfig, make, make_all, toy_graph


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(str(tmp_path / "store"), tmp_path / "work")


def test_whichever_write_finds_the_disk_full_nothing_half_made_is_seen(
    store: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = ArtifactStore(str(tmp_path / "whole"), tmp_path / "other")
    wanted = {key: made.manifest.digest for key, made in make_all(whole, toy_graph()).items()}
    sync, failures = os.fsync, 0
    for limit in range(1000):
        calls = 0

        def full(handle: int, limit: int = limit) -> None:
            nonlocal calls
            calls += 1
            if calls > limit:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            sync(handle)

        store = ArtifactStore(str(tmp_path / f"store{limit}"), tmp_path / "work")
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            try:
                make_all(store, toy_graph())
                break
            except (DiskFull, OSError) as error:
                failures += 1
                full_disk = error if isinstance(error, DiskFull) else disk_full(error, store.work)
                assert "is full" in str(full_disk) and "make room there and `o1 run` again" in str(full_disk)
        for key in toy_graph():
            if head := store.head(key):
                store.verify(head.digest)
        assert {key: made.manifest.digest for key, made in make_all(store, toy_graph()).items()} == wanted
        assert not [path for path in Path(store.url).rglob(".*") if path.is_file()]
    assert failures > 20


def test_the_texts_that_libraries_make_of_a_full_disk_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors import SafetensorError

    for error in (
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
        RuntimeError("(sqlite3.OperationalError) database or disk is full"),
        OSError(errno.EDQUOT, "quota"),
    ):
        assert disk_full(error, tmp_path), error
    wrapped = ValueError("something else")
    wrapped.__cause__ = OSError(errno.ENOSPC, "x")
    assert disk_full(wrapped, tmp_path)
    assert disk_full(ValueError("no space in this sentence"), tmp_path) is None
    io_error = RuntimeError("(sqlite3.OperationalError) disk I/O error")
    assert disk_full(io_error, tmp_path) is None
    monkeypatch.setattr("o1_assets.core.disk._NO_ROOM", 1 << 62)
    assert disk_full(io_error, tmp_path)


@pytest.mark.parametrize("comes_back", [True, False])
def test_a_work_folder_removed_while_an_artifact_is_made_stores_nothing(
    store: ArtifactStore, comes_back: bool
) -> None:
    def loses(task: Task, config: LettersConfig) -> Outcome:
        (task.out / "one.txt").write_text("one")
        shutil.rmtree(store.work)
        if comes_back:  # as libraries do that make the folders they write to
            task.out.mkdir(parents=True)
        (task.out / "two.txt").write_text("two")
        return Outcome()

    artifact = Artifact("toy/loses", loses, LettersConfig(), {}, "loses", "toy")
    with pytest.raises(ScratchLost, match=r"toy/loses was being made in it.*`o1 run` makes it again"):
        make(store, artifact)
    assert store.head("toy/loses") is None and not (Path(store.url) / "objects").exists()
    assert not make(store, toy_graph()["toy/letters"]).cached
