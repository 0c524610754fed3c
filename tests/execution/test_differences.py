"""What of a version is not as today, said once for status, audit and replay."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from o1_assets.execution.differences import (
    Differences,
    checkout,
    compare,
    differences,
    environment_differences,
)
from o1_assets.store.store import ArtifactStore
from tests.execution.toy import make, toy_graph, upper


def test_code_configuration_and_seed_are_compared_each_for_itself(tmp_path: Path) -> None:
    store = ArtifactStore(str(tmp_path / "store"), tmp_path / "work")
    manifest = make(store, toy_graph()["toy/letters"]).manifest
    assert differences(manifest, toy_graph()["toy/letters"]) == Differences((), seed=False, code=False)
    other = toy_graph(count=5, seed=7)["toy/letters"]
    assert differences(manifest, other) == Differences(("count",), seed=True, code=False)
    rewritten = replace(toy_graph()["toy/letters"], compute=upper)
    assert differences(manifest, rewritten) == Differences((), seed=False, code=True)
    older = manifest.model_copy(update={"config": {**manifest.config, "dropped": 1}})
    assert differences(older, toy_graph()["toy/letters"]).dropped == ("dropped",)


def test_settings_of_another_release_are_not_called_changed_in_the_profile(tmp_path: Path) -> None:
    store = ArtifactStore(str(tmp_path / "store"), tmp_path / "work")
    manifest = make(store, toy_graph()["toy/letters"]).manifest
    then = manifest.model_copy(update={"config": {"count": 4, "gone": 1, "table": {"a": 1, "old": 2}}})
    now = compare(then, {"count": 5, "table": {"a": 2, "new": 3}, "late": None}, then.seed, then.code_version)
    assert now.config == ("count", "table.a") and now.by_release
    clauses = [
        "made without the settings late, table.new",
        "made with the settings gone, table.old, which are gone",
    ]
    assert list(now.fields()) == clauses


def test_an_environment_is_compared_by_what_the_bytes_depend_on(tmp_path: Path) -> None:
    store = ArtifactStore(str(tmp_path / "store"), tmp_path / "work")
    then = make(store, toy_graph()["toy/letters"]).manifest.environment
    assert list(environment_differences(then, then)) == []
    now = then.model_copy(update={"libraries": {"torch": "9.9"}, "python": "4.0", "threads": 8})
    found = list(environment_differences(then, now))
    assert f"torch was {then.libraries['torch']}, today 9.9" in found
    assert f"polars was {then.libraries['polars']}, today absent" in found
    assert f"Python was {then.python}, today 4.0" in found
    assert f"the number of threads was {then.threads}, today 8" in found


def test_where_no_commit_is_recorded_none_is_named(tmp_path: Path) -> None:
    store = ArtifactStore(str(tmp_path / "store"), tmp_path / "work")
    there = make(store, toy_graph()["toy/letters"]).manifest.environment
    assert "outside of a git checkout" in checkout(there.model_copy(update={"git_commit": None}))
    dirty = there.model_copy(update={"git_commit": "c0ffee" * 7, "git_dirty": True})
    assert checkout(dirty).startswith("`git checkout c0ffeec0ffee`") and "local changes" in checkout(dirty)
    assert there.git_commit, "the tests run in a clone"
    assert "git checkout" not in checkout(there) and "local changes" in checkout(there), "it is checked out"
