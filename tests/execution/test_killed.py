"""kill -9 of a process that makes artifacts, at random moments; the real graph is in end_to_end/test_killed.py."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from o1_assets.core.artifact import Artifact, Outcome, Task
from o1_assets.engine.training.checkpoint import Checkpoints, set_random_state
from o1_assets.store.objects import scratch_name
from o1_assets.store.scratch import tidy
from o1_assets.store.store import ArtifactStore
from tests.execution.toy import LettersConfig, UpperConfig, make, make_all, toy_graph

KILLS = 12


UPDATES = 25


def train(task: Task, config: LettersConfig) -> Outcome:
    """A random walk: its end depends on every update and on where the generator stood."""
    kept, walk, done = Checkpoints.of(task), torch.zeros(100), 0
    torch.manual_seed(task.seed)
    if found := kept.load():
        done, state = found
        walk = state["walk"]
        set_random_state(state["random"])
        task.progress(f"continues at {done}")
    for update in range(done, UPDATES):
        walk += torch.randn(100)
        time.sleep(0.002)
        if kept.due():
            kept.save(update + 1, {"walk": walk})
    (task.out / "walk.txt").write_text(str(walk.tolist()))
    return Outcome()


def graph() -> dict[str, Artifact]:
    rows = [
        Artifact("toy/first", train, LettersConfig(), {"letters": "toy/both"}, "first", "toy"),
        Artifact("toy/second", train, LettersConfig(), {"first": "toy/first"}, "second", "toy", seed=1),
        Artifact("toy/last", train, UpperConfig(), {"second": "toy/second"}, "last", "toy", seed=2),
    ]
    return toy_graph() | {row.key: row for row in rows}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ArtifactStore:
    monkeypatch.setenv("O1_CHECKPOINT_SECONDS", "0")
    return ArtifactStore(str(tmp_path / "store"), tmp_path / "work")


def digests(store: ArtifactStore) -> dict[str, str | None]:
    heads = {key: store.head(key) for key in graph()}
    return {key: head.digest if head else None for key, head in heads.items()}


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def killed_after(seconds: float, store: ArtifactStore) -> bool:
    """Makes the graph in a process that is killed; False if it was done before."""
    child = os.fork()
    if child == 0:
        try:
            fresh = ArtifactStore(store.url, store.work)
            tidy(fresh)
            make_all(fresh, graph())
            os._exit(0)
        except BaseException:
            os._exit(1)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert not os.WIFEXITED(status) or os.WEXITSTATUS(status) == 0, "it failed before it was killed"
    return os.WIFSIGNALED(status)


def test_a_dozen_kills_leave_no_trace(store: ArtifactStore, tmp_path: Path) -> None:
    whole = ArtifactStore(str(tmp_path / "whole"), tmp_path / "work_of_whole")
    started = time.monotonic()
    make_all(whole, graph())
    seconds = time.monotonic() - started
    rng, kills, passes = random.Random(4), 0, 0
    while kills < KILLS:
        passes += 1
        store = ArtifactStore(str(tmp_path / f"store{passes}"), tmp_path / f"work{passes}")
        while kills < KILLS and killed_after(rng.uniform(0.0, seconds / 3), store):
            kills += 1
            for digest in filter(None, digests(store).values()):
                store.verify(digest)
        tidy(store)
        make_all(store, graph())
        assert digests(store) == digests(whole)
        assert {key: len(store.versions(key)) for key in graph()} == dict.fromkeys(graph(), 1)
        assert list((store.work / "scratch").iterdir()) == list((store.work / "unfinished").iterdir()) == []
        ours = {name for name in files(Path(store.url)) if name.startswith("objects/")}
        assert ours == {name for name in files(Path(whole.url)) if name.startswith("objects/")}


def test_a_manifest_whose_writer_was_killed_before_it_could_point_to_it_is_found(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = toy_graph()["toy/letters"]
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(store, "_point", _die)
        make(store, artifact)
    assert store.head(artifact.key) is None
    made = make(store, artifact)
    assert made.cached and store.head(artifact.key) == made.manifest
    assert len(store.versions(artifact.key)) == 1


def _die(*_: Any) -> None:
    raise KeyboardInterrupt


def test_scratch_of_the_dead_goes_and_of_the_living_stays(store: ArtifactStore) -> None:
    child = os.fork()
    if child == 0:
        store.scratch()
        os._exit(0)
    os.waitpid(child, 0)
    mine = store.scratch()
    elsewhere = mine.with_name(f"another-machine.{os.getpid()}.0123")
    elsewhere.mkdir()
    assert len(list(mine.parent.iterdir())) == 3
    tidy(store)
    assert sorted(mine.parent.iterdir()) == sorted([mine, elsewhere])
    assert str(os.getpid()) in scratch_name()


def test_an_unfinished_training_stays_until_its_artifact_is_stored(store: ArtifactStore) -> None:
    made = make_all(store, toy_graph())
    stored, open_ = (
        store.work / "unfinished" / name for name in (made["toy/both"].manifest.cache_key, "0" * 64)
    )
    for folder in (stored, open_):
        folder.mkdir(parents=True)
    tidy(store)
    assert not stored.exists() and open_.exists()


def test_killed_between_manifest_and_cache_entry_leaves_no_state(store: ArtifactStore) -> None:
    make_all(store, graph())
    made = store.head("toy/first")
    assert made is not None
    (entry,) = (path for path in Path(store.url, "cache").rglob("*") if path.name.startswith(made.cache_key))
    entry.unlink()
    left = store.work / "unfinished" / made.cache_key
    left.mkdir(parents=True)
    tidy(store)
    make_all(store, graph())
    assert entry.exists() and not left.exists() and len(store.versions("toy/first")) == 1
