"""Labels are verified down to batch, labeller and line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from o1_assets.audit import lines
from o1_assets.audit.result import document
from o1_assets.audit.text import console, render
from o1_assets.core.artifact import Artifact, Outcome, StageConfig, Task
from o1_assets.core.files import sha256
from o1_assets.labels.config import LabelBatchesConfig, LabelsConfig
from o1_assets.labels.imported.importer import import_labels
from o1_assets.labels.imported.source import ImportedConfig, ImportedRound, imported_selection
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.label_batches import batches_version, label_batches
from o1_assets.labels.label_table import make_labels
from o1_assets.store.store import ArtifactStore, manifest_cache_key
from tests.audit.world import audited, files, flips, make_labelled
from tests.execution.toy import make_all
from tests.labels.test_imported import WRITTEN
from tests.labels.world import ROUND

LABELS = f"{ROUND}/labels"


@pytest.fixture
def labelled(tmp_path: Path) -> tuple[ArtifactStore, Inbox]:
    return make_labelled(tmp_path)


def by(inbox: Inbox, source: str) -> Path:
    """The folder of the one batch of a source."""
    [digest] = inbox.accepted(ROUND, source)
    return inbox.find(ROUND, digest)


def test_it_says_whose_lines_the_labels_are(labelled: tuple[ArtifactStore, Inbox]) -> None:
    store, inbox = labelled
    result = audited(store, LABELS, inbox)
    assert not result.broken
    assert (result.summary["batches"], result.summary["lines"]) == (2, 3)
    versions = {one["key"]: one for one in document(result)["versions"]}
    batches = {batch["source"]: batch for batch in versions[f"{ROUND}/label_batches"]["labels"]["batches"]}
    assert batches["people"]["rated_by"] == {"ann": 1} and batches["people"]["name"] == "ann.jsonl"
    assert batches["oracle"]["rated_by"] == {"oracle": 2} and batches["oracle"]["place"] == "accepted"
    rows = {row["labeler"]: row["rows"] for row in versions[LABELS]["labels"]["rows"]}
    assert rows.keys() == {"ann", "oracle"} and rows["ann"] == 3
    with (shown := console()).capture() as text:
        shown.print(render(result))
    assert "3 lines in 2 batches by ann, oracle" in text.get()


def test_any_flipped_bit_of_a_batch_is_found(labelled: tuple[ArtifactStore, Inbox]) -> None:
    store, inbox = labelled
    for source in ("people", "oracle"):
        for name in ("batch.jsonl", "ratings.parquet", "records.parquet"):
            for place in flips(by(inbox, source) / name, count=2, seed=4):
                [broken] = audited(store, LABELS, inbox).broken
                assert broken.part == "batch" and by(inbox, source).name in broken.message, (name, place)
    assert not audited(store, LABELS, inbox).broken


def test_a_batch_that_is_gone_is_named_and_one_that_was_withdrawn_is_found(
    labelled: tuple[ArtifactStore, Inbox],
) -> None:
    store, inbox = labelled
    folder = by(inbox, "people")
    withdrawn = inbox.root / ROUND / "withdrawn" / folder.name
    withdrawn.parent.mkdir()
    folder.rename(withdrawn)
    result = audited(store, LABELS, inbox)
    assert not result.broken and f"label batch {folder.name[:12]} has been withdrawn since" in result.remarks
    withdrawn.rename(inbox.root / "elsewhere")
    [broken] = audited(store, LABELS, inbox).broken
    assert folder.name in broken.message and "is gone" in broken.message


def test_a_batch_that_is_a_link_is_none(labelled: tuple[ArtifactStore, Inbox]) -> None:
    store, inbox = labelled
    folder = by(inbox, "people")
    folder.rename(inbox.root / "elsewhere")
    folder.symlink_to(inbox.root / "elsewhere")
    assert [broken.part for broken in audited(store, LABELS, inbox).broken] == ["batch"]


def with_rows(
    store: ArtifactStore, key: str, change: Callable[[pl.DataFrame], pl.DataFrame], name: str
) -> None:
    """Puts a changed table under the rules of the store: an object and a manifest that fit each other."""
    head = store.head(key)
    assert head is not None
    folder, held = store.scratch(), store.path(head.digest)
    for file in files(held):
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "tree.json").unlink()
    change(pl.read_parquet(held / name)).write_parquet(folder / name)
    forged = head.model_copy(update={"digest": store.put(folder)})
    store.record(forged.model_copy(update={"cache_key": manifest_cache_key(forged)}))


@pytest.mark.parametrize(
    "change",
    [pl.col("rating") * -1, pl.col("line") + 7, pl.col("labeler") + "x", pl.lit("0" * 64).alias("batch")],
    ids=["rating", "line", "labeler", "batch"],
)
def test_a_label_that_no_line_says_is_found(labelled: tuple[ArtifactStore, Inbox], change: pl.Expr) -> None:
    store, inbox = labelled
    with_rows(store, LABELS, lambda rows: rows.with_columns(change), "labels.parquet")
    [broken] = audited(store, LABELS, inbox).broken
    assert (broken.key, broken.part) == (LABELS, "label") and "names line" in broken.message


@pytest.mark.parametrize("name", ["ratings.parquet", "records.parquet"])
def test_a_table_of_batches_that_their_lines_do_not_lead_to_is_found(
    labelled: tuple[ArtifactStore, Inbox], name: str
) -> None:
    store, inbox = labelled
    key = f"{ROUND}/label_batches"
    with_rows(store, key, lambda rows: rows.with_columns(moment=pl.col("moment") + 1), name)
    broken = audited(store, key, inbox).broken
    assert {one.part for one in broken} == {"batch"} and all(name in one.message for one in broken)
    with_rows(store, key, lambda rows: rows.with_columns(batch=pl.lit("0" * 64)), name)
    assert any("does not list" in one.message for one in audited(store, key, inbox).broken)


def test_an_inbox_manifest_that_says_otherwise_is_found(labelled: tuple[ArtifactStore, Inbox]) -> None:
    store, inbox = labelled
    file = by(inbox, "people") / "manifest.json"
    said = json.loads(file.read_text())
    for field, value in {"source": "oracle", "lines": 2, "solutions": 9, "digest": "0" * 64}.items():
        file.write_text(json.dumps({**said, field: value}))
        assert any(field in one.message for one in audited(store, LABELS, inbox).broken), field
    file.write_text("{")
    assert [one.part for one in audited(store, LABELS, inbox).broken] == ["batch"]


def test_what_another_batch_of_the_same_lines_would_be_called(labelled: tuple[ArtifactStore, Inbox]) -> None:
    _, inbox = labelled
    for source in ("people", "oracle"):
        assert sha256(by(inbox, source) / "batch.jsonl") == by(inbox, source).name
    for wrong in ("", "..", "0" * 63, "../" + "0" * 61):
        with pytest.raises(ValueError, match="not the name of a batch"):
            inbox.find(ROUND, wrong)
    with pytest.raises(FileNotFoundError):
        inbox.find(ROUND, "0" * 64)


def test_labels_that_were_imported_are_followed_to_the_import(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "phase1.jsonl").write_text(json.dumps(WRITTEN) + "\n")
    imported = tmp_path / "imported"
    version = import_labels(tmp_path / "data", imported).version
    inbox = Inbox(tmp_path / "inbox")
    store = ArtifactStore(str(tmp_path / "store"), tmp_path / "work")
    make_all(store, imported_graph(ImportedRound(imported, "prm800k", "r00"), inbox))
    assert not audited(store, "r00/labels", inbox).broken, "also what a labeller wrote, which is never rated"
    result = audited(store, "r00/label_batches", inbox)
    assert not result.broken and result.asked.labels is not None
    assert [batch.place for batch in result.asked.labels.batches] == ["imported"]
    for file in files(imported / "prm800k" / version):
        for _ in flips(file, count=0, seed=4):
            lines._source_version.cache_clear()
            [broken] = audited(store, "r00/label_batches", inbox).broken
            assert "has changed since it was imported" in broken.message, file
    lines._source_version.cache_clear()
    shutil.rmtree(imported / "prm800k" / version)
    [broken] = audited(store, "r00/label_batches", inbox).broken
    assert "import that source again" in broken.message


def imported_graph(source: ImportedRound, inbox: Inbox) -> dict[str, Artifact]:
    """Round 0 with labels that others published, up to its table of labels."""
    config = LabelBatchesConfig(round="r00", protocol="dense", annotator="oracle", source="prm800k")
    selected = ImportedConfig(source="prm800k", round="r00")
    made = [
        Artifact("problems/test", no_problems, StageConfig(), {}, "", ""),
        Artifact("r00/selection", imported_selection(source), selected, {"test": "problems/test"}, "", ""),
        Artifact(
            "r00/label_batches",
            label_batches(inbox, source),
            config,
            {"selection": "r00/selection", "train": "problems/test"},
            "",
            "",
            external=lambda: batches_version(inbox.version("r00"), source),
        ),
        Artifact(
            "r00/labels",
            make_labels,
            LabelsConfig(round="r00", protocol="dense"),
            {"selection": "r00/selection", "batches": "r00/label_batches"},
            "",
            "",
        ),
    ]
    return {artifact.key: artifact for artifact in made}


def no_problems(task: Task, config: StageConfig) -> Outcome:
    schema = {"problem_id": pl.String, "question": pl.String, "metadata": pl.String}
    pl.DataFrame(schema=schema).write_parquet(task.out / "problems.parquet")
    return Outcome()
