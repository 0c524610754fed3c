"""What is asked of the disk grows in proportion to what there is: counted, because seconds depend on the machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from o1_assets.cli import status
from o1_assets.core.settings import Settings
from o1_assets.execution.project import Project
from o1_assets.execution.status import outline_status
from o1_assets.labels.config import LabelBatchesConfig
from o1_assets.labels.inbox import progress
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.protocol import DENSE
from o1_assets.store.store import ArtifactStore
from tests.execution.toy import make, toy_graph
from tests.labels import world
from tests.labels.test_inbox import GOOD
from tests.labels.world import ROUND

_counted: list[str] | None = None


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _counted is not None and event in ("open", "os.listdir", "os.scandir"):
        _counted.append(str(arguments[0]))


sys.addaudithook(_hook)


def opened(work: Callable[[], object], under: Path) -> int:
    """How many files and folders under a folder the work opens."""
    global _counted
    _counted = []
    try:
        work()
        return sum(name.startswith(str(under)) for name in _counted)
    finally:
        _counted = None


def filed(root: Path, count: int) -> tuple[Inbox, LabelBatchesConfig, frozenset[str]]:
    """An inbox of so many batches of one record, their round and its solutions."""
    selection = world.load(root / "selection")
    inbox = Inbox(root / "inbox")
    for number in range(count):
        record = world.rated(world.unrated(selection)["right"], GOOD, labeler=f"labeler {number}")
        batch = world.write(root / "batch.jsonl", [record])
        assert inbox.submit(batch, ROUND, world.check(selection, DENSE)).accepted == 1
    return inbox, LabelBatchesConfig(round=ROUND, annotator="human", protocol="dense"), frozenset({"right"})


def test_a_tick_reads_each_batch_once_and_later_none_again(tmp_path: Path) -> None:
    counts = {}
    for size in (4, 16):
        root = tmp_path / str(size)
        _, config, wanted = filed(root, size)

        def ask(inbox: Inbox, config: LabelBatchesConfig = config, wanted: frozenset[str] = wanted) -> None:
            progress.inbox_notices(inbox, config)
            progress.people_version(inbox, config)
            progress.round_progress(inbox, config, wanted)

        inbox = Inbox(root / "inbox")
        counts[size] = [opened(lambda inbox=inbox: ask(inbox), root / "inbox") for _ in range(2)]  # type: ignore[misc]
    (first_4, again_4), (first_16, again_16) = counts[4], counts[16]
    # Later only the record of moves is looked for, which a batch that was never withdrawn does not have.
    assert first_16 - first_4 <= 12 * 8 and again_16 - again_4 <= 12, counts


def test_status_asks_each_round_of_the_loop_once_however_many_experiments_have_rounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project(Settings.load("nano", tmp_path), "rounds=2\nannotator=human")
    experiments = [a for a in project.graph.values() if isinstance(a.config, LabelBatchesConfig)]
    assert len(experiments) > 20
    asked: list[str] = []
    notices = progress.inbox_notices
    for module in (status, progress):
        monkeypatch.setattr(
            module,
            "inbox_notices",
            lambda inbox, config: asked.append(config.round) or notices(inbox, config),
        )
    _, rounds = status.status_rows(project, outline_status(project.outlines, project.store))
    assert asked == list(rounds) == ["r00", "r01", "r02"]
    # An experiment's round is rated apart from the inbox: its configuration is not the loop's.
    assert all(rounds[name].config == project.profile.batches(k) for k, name in enumerate(rounds))
    asked.clear()
    news = progress.arrivals(project.graph, project.store, project.inbox)
    assert asked == ["r00", "r01", "r02"] and set(news.ready) | set(news.waiting) <= set(asked)


def test_status_reads_as_many_files_of_a_home_of_many_versions(tmp_path: Path) -> None:
    settings = Settings.load("toy", tmp_path)
    store, counts = ArtifactStore(settings.store, settings.work), []
    for versions in (1, 12):
        for number in range(versions):
            for artifact in toy_graph(suffix=f"{versions} {number}").values():
                make(store, artifact)
        counts.append(opened(lambda: store.read_heads(toy_graph()), tmp_path))
    assert counts[0] == counts[1] == 6, counts
    assert len(os.listdir(Path(store.backend.place("manifests/toy/upper")))) > 10
