"""A recorded version made again: equal bytes, or what differs and why."""

from __future__ import annotations

import itertools
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from o1_assets.audit import replay as replay_module
from o1_assets.audit.replay import Replayed, replay, within_depth, worst
from o1_assets.core.artifact import Artifact, Outcome, StageConfig, Task
from o1_assets.core.settings import Settings
from o1_assets.labels.config import LabelBatchesConfig
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.labels.label_batches import batches_version, label_batches
from o1_assets.profiles.load import load_profile
from o1_assets.store.ancestry import ancestry
from o1_assets.store.digest import folder_tree
from o1_assets.store.store import ArtifactStore, StoreError
from tests.execution.toy import LettersConfig, make, make_all, toy_graph
from tests.labels import world
from tests.labels.world import ROUND

NANO = load_profile("nano", "")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings("nano", tmp_path / "home")


@pytest.fixture
def store(settings: Settings) -> ArtifactStore:
    return ArtifactStore(settings.store, settings.work)


@pytest.fixture
def graph(monkeypatch: pytest.MonkeyPatch) -> dict[str, Artifact]:
    """The toy graph as today's; tests change it in place."""
    today = toy_graph()
    monkeypatch.setattr(replay_module, "build_graph", lambda profile, settings: today)
    return today


def again(
    store: ArtifactStore, settings: Settings, key: str = "toy/both", depth: int | None = 1
) -> list[Replayed]:
    return replay(store, settings, NANO, key, depth=depth)


def test_the_same_computation_gives_the_same_bytes_at_any_depth_and_changes_nothing(
    store: ArtifactStore, settings: Settings, graph: dict[str, Artifact]
) -> None:
    make_all(store, graph)
    before = contents(settings.home)
    keys = [[result.manifest.key for result in again(store, settings, depth=depth)] for depth in (1, 2, None)]
    assert keys == [
        ["toy/both"],
        ["toy/letters", "toy/upper", "toy/both"],
        ["toy/letters", "toy/upper", "toy/both"],
    ]
    for result in again(store, settings, depth=None):
        assert (result.verdict, result.digest) == ("equal bytes", result.manifest.digest)
        assert not result.because
    assert contents(settings.home) == before and list((settings.work / "scratch").iterdir()) == []


def test_depth_counts_the_shortest_way_up(store: ArtifactStore, graph: dict[str, Artifact]) -> None:
    """toy/letters is an input of toy/both and of its input toy/upper."""
    make_all(store, graph)
    ancestors = ancestry(store, "toy/both")
    assert [len(within_depth(ancestors, depth)) for depth in (1, 2, 3, None)] == [1, 3, 3, 3]
    assert [m.key for m in within_depth(ancestry(store, "toy/upper"), 1)] == ["toy/upper"]


def test_the_recorded_configuration_counts_and_not_todays(
    store: ArtifactStore, settings: Settings, graph: dict[str, Artifact]
) -> None:
    make_all(store, toy_graph(count=5, suffix="!"))
    assert worst(again(store, settings, depth=None)) == "equal bytes"


counter = itertools.count()


def unstable(task: Task, config: LettersConfig) -> Outcome:
    (task.out / "text.txt").write_text(f"abc {next(counter)}")
    return Outcome()


def test_a_computation_that_is_not_deterministic_is_said_to_be(
    store: ArtifactStore, settings: Settings, graph: dict[str, Artifact]
) -> None:
    graph["toy/letters"] = replace(graph["toy/letters"], compute=unstable)
    make_all(store, graph)
    [result] = again(store, settings, "toy/letters")
    assert result.verdict == "differs" and "not deterministic" in result.because[0]
    assert [(file.path, file.what) for file in result.files] == [("text.txt", "other bytes")]


def test_remade_inputs_are_used_and_named_where_they_came_out_different(
    store: ArtifactStore, settings: Settings, graph: dict[str, Artifact]
) -> None:
    graph["toy/letters"] = replace(graph["toy/letters"], compute=unstable)
    make_all(store, graph)
    results = {result.manifest.key: result for result in again(store, settings, depth=None)}
    assert results["toy/both"].because == (
        "its input toy/letters came out different",
        "its input toy/upper came out different",
    )
    assert [result.verdict for result in again(store, settings, "toy/both")] == ["equal bytes"]


def test_changed_code_is_named_with_the_commit_to_check_out(
    store: ArtifactStore, settings: Settings, graph: dict[str, Artifact]
) -> None:
    manifest = make(store, graph["toy/letters"]).manifest
    environment = manifest.environment.model_copy(
        update={"git_commit": "0123456789abcdef", "git_dirty": False, "libraries": {"polars": "0.1"}}
    )
    old = manifest.model_copy(update={"code_version": "f" * 16, "environment": environment})
    store.record(old)
    [result] = again(store, settings, "toy/letters")
    assert result.verdict == "equal bytes"
    assert "its code has changed since; `git checkout 0123456789ab` has what made it" in result.because
    assert any(clause.startswith("polars was 0.1, today ") for clause in result.because)


def test_code_that_no_longer_knows_it_is_one_sentence(
    store: ArtifactStore, settings: Settings, graph: dict[str, Artifact]
) -> None:
    class Other(StageConfig):
        letters: int

    make_all(store, graph)
    graph["toy/letters"] = replace(graph["toy/letters"], config=Other(letters=3))
    del graph["toy/upper"]
    results = {result.manifest.key: result for result in again(store, settings, depth=None)}
    assert "does not fit today's code (at letters)" in results["toy/letters"].because[0]
    assert "today's code makes no toy/upper" in results["toy/upper"].because[0]
    assert results["toy/both"].verdict == "equal bytes", "from the stored inputs"


def test_a_damaged_input_is_refused(
    store: ArtifactStore, settings: Settings, graph: dict[str, Artifact]
) -> None:
    made = make_all(store, graph)
    file = store.path(made["toy/letters"].manifest.digest) / "text.txt"
    file.chmod(0o644)
    file.write_text("abd")
    with pytest.raises(StoreError, match=r"text\.txt of object"):
        again(ArtifactStore(settings.store, settings.work), settings)


def nothing(task: Task, config: Any) -> Outcome:
    raise AssertionError("an input is not made again at depth 1")


@pytest.fixture
def labelled(store: ArtifactStore, settings: Settings, tmp_path: Path) -> tuple[Inbox, str]:
    """r03/label_batches made of one batch from people and one of the oracle; the inbox and people's batch."""
    selection, train = world.write_selection(tmp_path / "world")
    inbox, loaded = Inbox(settings.inbox), world.load(tmp_path / "world")
    record = world.rated(world.unrated(loaded)["wrong"], {(0, 0): 1, (0, 1): 1, (0, 2): 1, (1, 0): 1})
    report = inbox.submit(world.write(tmp_path / "a.jsonl", [record]), ROUND, world.check(loaded))
    folders = {f"{ROUND}/selection": selection, "problems/train": train}

    def copying(folder: Path) -> Any:
        def copy(task: Task, config: Any) -> Outcome:
            shutil.copytree(folder, task.out, dirs_exist_ok=True)
            return Outcome()

        return copy

    for key, folder in folders.items():
        make(store, Artifact(key, copying(folder), LettersConfig(), {}, "", ""))
    config = LabelBatchesConfig(round=ROUND, protocol="dense", annotator="human+oracle")
    batches = Artifact(
        f"{ROUND}/label_batches", label_batches(inbox), config,
        {"selection": f"{ROUND}/selection", "train": "problems/train"}, "", "",
        external=lambda: batches_version(inbox.version(ROUND), None),
    )  # fmt: skip
    made = make(store, batches).manifest
    assert made.figures["batches_from_people"] == 1 and made.figures["batches"] == 2 and report.digest
    return inbox, report.digest


@pytest.mark.parametrize("since", ["nothing", "another came", "withdrawn", "gone"])
def test_label_batches_are_those_of_then(
    store: ArtifactStore, settings: Settings, tmp_path: Path, labelled: tuple[Inbox, str], since: str
) -> None:
    inbox, digest = labelled
    folder = settings.inbox / ROUND / "accepted" / digest
    if since == "another came":
        loaded = world.load(tmp_path / "world")
        record = world.rated(world.unrated(loaded)["direct"], {(0, 0): 1, (0, 1): 1, (0, 2): 1}, "bob")
        assert inbox.submit(world.write(tmp_path / "b.jsonl", [record]), ROUND, world.check(loaded)).digest
    elif since == "withdrawn":
        target = settings.inbox / ROUND / "withdrawn" / digest
        target.parent.mkdir()
        folder.rename(target)
    elif since == "gone":
        shutil.rmtree(folder)
    before = contents(settings.home)
    [result] = again(store, settings, f"{ROUND}/label_batches")
    assert result.verdict == "equal bytes", result.because
    assert bool(result.notes) == (since == "gone")
    assert contents(settings.home) == before, "the oracle files into the scratch home"


def contents(home: Path) -> list[dict[str, Any]]:
    """All files but the memory of which objects were compared."""
    return [entry for entry in folder_tree(home) if entry["path"] != "work/verified.sqlite"]


def test_a_batch_whose_lines_were_changed_is_not_taken(
    store: ArtifactStore, settings: Settings, labelled: tuple[Inbox, str]
) -> None:
    _, digest = labelled
    file = settings.inbox / ROUND / "accepted" / digest / "batch.jsonl"
    record = json.loads(file.read_text())
    record["labeler"] = "eve"
    file.chmod(0o644)
    file.write_text(json.dumps(record) + "\n")
    [result] = again(store, settings, f"{ROUND}/label_batches")
    assert result.verdict == "equal bytes", result.because
    assert "recorded object" in result.notes[0]
