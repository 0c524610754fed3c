"""One flipped bit anywhere is found by the audit, and whatever would use it refuses."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from o1_assets.core.artifact import Artifact, Outcome, StageConfig, Task
from o1_assets.core.settings import Settings
from o1_assets.execution.project import Project
from o1_assets.execution.status import graph_status
from o1_assets.store.catalogue import rebuild_catalogue
from o1_assets.store.store import ArtifactStore, StoreError
from tests.audit.world import audited, files, flips
from tests.execution.toy import make, make_all, toy_graph

SEED = 4


class NoConfig(StageConfig):
    pass


def numbers(task: Task, config: NoConfig) -> Outcome:
    (task.out / "sub").mkdir()
    (task.out / "sub" / "more.json").write_text('{"x": [1, 2, 3]}')
    pl.DataFrame({"x": list(range(50))}).write_parquet(task.out / "numbers.parquet")
    return Outcome(figures={"rows": 50}, rows=50)


def graph() -> dict[str, Artifact]:
    table = Artifact("toy/table", numbers, NoConfig(), {}, "table", "toy")
    toy = toy_graph()
    both = toy["toy/both"]
    inputs = {**both.inputs, "table": "toy/table"}
    return {
        "toy/table": table,
        **toy,
        "toy/both": Artifact(both.key, both.compute, both.config, inputs, "", "toy"),
    }


def holds(store: ArtifactStore) -> bool:
    try:
        return not audited(store, "toy/both").broken
    except StoreError:  # the only manifest of what was asked for is gone
        return False


@pytest.mark.parametrize("change", ["bit", "blank"])
def test_any_change_is_found_and_what_it_changed_is_made_again(tmp_path: Path, change: str) -> None:
    """Also a blank that became another: what JSON reads as the same is not the same bytes."""
    store = ArtifactStore(str(tmp_path / "store"), tmp_path / "work")
    digests = {key: made.manifest.digest for key, made in make_all(store, graph()).items()}
    every = files(tmp_path / "store")
    assert {path.relative_to(tmp_path / "store").parts[0] for path in every} == {
        "objects", "manifests", "heads", "cache",
    }  # fmt: skip
    for number, original in enumerate(every):
        content, part = original.read_bytes(), original.relative_to(tmp_path / "store").parts[0]
        other = content.replace(b"\n ", b"\n\t", 1) if change == "blank" else flipped(content, number)
        if other == content or (change == "blank" and "sub" in original.parts):
            continue
        root = tmp_path / str(number)
        shutil.copytree(tmp_path / "store", root / "store")
        file = root / "store" / original.relative_to(tmp_path / "store")
        file.chmod(0o644)
        file.write_bytes(other)
        damaged = ArtifactStore(str(root / "store"), root / "work")
        assert audited(damaged, "toy/both").broken, f"{file} was not found"
        states = graph_status(graph(), damaged)
        if part != "cache":  # which is looked into by whoever searches for a result
            assert [s.key for s in states.values() if s.state == "damaged"], file
        made = make_all(damaged, graph())
        assert {key: one.manifest.digest for key, one in made.items()} == digests, file
        assert {s.state for s in graph_status(graph(), damaged).values()} == {"fresh"}, file
        if part in ("objects", "heads"):  # how the lost version was made is known to no other manifest
            assert holds(damaged), file


def flipped(content: bytes, seed: int) -> bytes:
    place = random.Random(seed).randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << seed % 8]) + content[place + 1 :]


def test_a_file_that_is_cut_or_gone_is_found(tmp_path: Path) -> None:
    store = ArtifactStore(str(tmp_path / "store"), tmp_path / "work")
    make_all(store, graph())
    for file in files(tmp_path / "store"):
        if file.relative_to(tmp_path / "store").parts[0] in ("objects", "manifests"):
            content = file.read_bytes()
            file.chmod(0o644)
            file.write_bytes(content[:-1])
            assert audited(store, "toy/both").broken, file
            file.unlink()
            assert not holds(store), file
            file.write_bytes(content)


def test_what_is_damaged_in_the_same_process_is_found_even_with_its_old_time(tmp_path: Path) -> None:
    store = ArtifactStore(str(tmp_path / "store"), tmp_path / "work")
    file = store.path(make_all(store, graph())["toy/letters"].manifest.digest) / "text.txt"
    store.verified(file.parent.name)
    before = file.stat()
    file.chmod(0o644)
    file.write_text("abX")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(StoreError, match=r"text\.txt"):
        store.verified(file.parent.name)


def test_a_damaged_object_is_replaced_by_the_same_result_of_another_computation(tmp_path: Path) -> None:
    store = ArtifactStore(str(tmp_path / "store"), tmp_path / "work")
    digest = make(store, toy_graph()["toy/letters"]).manifest.digest
    file = store.path(digest) / "text.txt"
    file.chmod(0o644)
    file.write_text("abX")
    again = make(ArtifactStore(store.url, store.work), toy_graph(seed=1)["toy/letters"])
    assert again.manifest.digest == digest and file.read_text() == "abc"


def test_the_catalogue_shows_no_damaged_table(tmp_path: Path) -> None:
    store = ArtifactStore(str(tmp_path / "store"), tmp_path / "work")
    manifest = make_all(store, graph())["toy/table"].manifest
    file = store.path(manifest.digest) / "numbers.parquet"
    for _ in flips(file, count=1, seed=SEED):
        with pytest.raises(StoreError, match=r"numbers\.parquet"):
            rebuild_catalogue(
                ArtifactStore(store.url, store.work), {"toy/table": manifest}, tmp_path / "c.duckdb"
            )


def test_dagster_does_not_materialize_from_a_damaged_input(tmp_path: Path) -> None:
    from o1_assets.orchestration.assets import to_asset
    from o1_assets.orchestration.story import chapters
    from resources.engine import EngineResource
    from resources.numbers import NumbersResource
    from resources.store import StoreResource

    store = ArtifactStore(str(tmp_path / "store"), tmp_path / "work")
    letters = make(store, toy_graph()["toy/letters"]).manifest
    project = Project(Settings.load("nano", tmp_path / "home"), "")
    project.graph = toy_graph()
    body = to_asset(project.graph["toy/upper"], project, chapters(project.graph))
    resources = {
        "store": StoreResource(url=store.url, work=str(store.work)),
        "engine": EngineResource(),
        "numbers": NumbersResource(),
    }
    file = store.path(letters.digest) / "text.txt"
    for _ in flips(file, count=0, seed=SEED):
        result = dg.materialize([body], resources=resources, raise_on_error=False)
        [failure] = [event for event in result.all_events if event.is_step_failure]
        assert "text.txt" in str(failure.step_failure_data.error)
    assert dg.materialize([body], resources=resources).success
