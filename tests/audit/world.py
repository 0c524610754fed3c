"""A round from its selection to its labels, made for real, and ways to damage what a store holds."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

from o1_assets.audit.audit import audit
from o1_assets.audit.lines import Homes
from o1_assets.audit.result import Audit
from o1_assets.core.artifact import Artifact, Outcome, StageConfig, Task
from o1_assets.labels.config import LabelBatchesConfig, LabelsConfig, QualityConfig
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.label_batches import batches_version, label_batches
from o1_assets.labels.label_table import make_labels
from o1_assets.store.store import ArtifactStore
from tests.execution.toy import make_all
from tests.labels import world
from tests.labels.world import ROUND


class FolderConfig(StageConfig):
    folder: str


def copied(task: Task, config: FolderConfig) -> Outcome:
    shutil.copytree(config.folder, task.out, dirs_exist_ok=True)
    return Outcome()


def label_graph(root: Path, inbox: Inbox) -> dict[str, Artifact]:
    """problems/train, and r03's selection, label_batches (two batches: ann's and the oracle's) and labels."""
    selection, train = world.write_selection(root / "source")
    batches = LabelBatchesConfig(
        round=ROUND, protocol="dense", annotator="human+oracle", quality=QualityConfig(gold=0)
    )

    def artifact(key: str, compute, config, inputs, **more) -> Artifact:  # type: ignore[no-untyped-def]
        return Artifact(key, compute, config, inputs, key, "toy", **more)

    rows = [
        artifact("problems/train", copied, FolderConfig(folder=str(train)), {}),
        artifact(f"{ROUND}/selection", copied, FolderConfig(folder=str(selection)), {}),
        artifact(
            f"{ROUND}/label_batches",
            label_batches(inbox),
            batches,
            {"selection": f"{ROUND}/selection", "train": "problems/train"},
            external=lambda: batches_version(inbox.version(ROUND), None),
        ),
        artifact(
            f"{ROUND}/labels",
            make_labels,
            LabelsConfig(round=ROUND, protocol="dense"),
            {"selection": f"{ROUND}/selection", "batches": f"{ROUND}/label_batches"},
        ),
    ]
    return {row.key: row for row in rows}


def make_labelled(root: Path) -> tuple[ArtifactStore, Inbox]:
    """A store with r03/labels; "wrong" was rated by ann, the rest by the oracle."""
    store, inbox = ArtifactStore(str(root / "store"), root / "work"), Inbox(root / "inbox")
    graph = label_graph(root, inbox)
    selection = world.load(root / "source")
    ann = world.rated(world.unrated(selection)["wrong"], {(0, 0): -1, (0, 1): 1, (0, 2): -1}, "ann")
    inbox.submit(world.write(root / "ann.jsonl", [ann]), ROUND, world.check(selection))
    make_all(store, graph)
    return store, inbox


def audited(store: ArtifactStore, key: str, inbox: Inbox | None = None) -> Audit:
    homes = Homes(inbox, inbox.root.with_name("imported")) if inbox else None
    return audit(ArtifactStore(store.url, store.work), key, homes=homes)


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def flips(file: Path, count: int, seed: int) -> Iterator[int]:
    """Flips one bit of the first byte, the last one and `count` random ones, one after another, and mends it again."""
    content = file.read_bytes()
    rng = random.Random(f"{seed} {file.name}")
    file.chmod(0o644)
    for place in {0, len(content) - 1, *(rng.randrange(len(content)) for _ in range(count))}:
        damaged = bytearray(content)
        damaged[place] ^= 1 << rng.randrange(8)
        file.write_bytes(damaged)
        yield place
    file.write_bytes(content)
