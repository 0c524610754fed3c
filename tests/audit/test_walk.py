from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from o1_assets.store.ancestry import ancestry, find_version, reports
from o1_assets.store.manifest import ManifestInput
from o1_assets.store.store import ArtifactStore, StoreError
from tests.execution.toy import UpperConfig, make_all, toy_graph


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(str(tmp_path / "store"), tmp_path / "work")


def test_each_version_comes_once_and_after_its_inputs(store: ArtifactStore) -> None:
    make_all(store, toy_graph())
    assert [m.key for m in ancestry(store, "toy/both")] == ["toy/letters", "toy/upper", "toy/both"]


def test_an_old_version_is_followed_to_the_old_versions_of_its_inputs(store: ArtifactStore) -> None:
    old = {key: made.manifest for key, made in make_all(store, toy_graph(count=2)).items()}
    make_all(store, toy_graph(count=5))
    found = ancestry(store, "toy/both", old["toy/both"].digest)
    assert {m.key: m.version for m in found} == {key: m.version for key, m in old.items()}


def test_two_versions_of_one_input_are_both_in_the_ancestry(store: ArtifactStore) -> None:
    make_all(store, toy_graph())
    # Equal bytes of another seed: upper stays as it was made of the first letters, both is made beside the second.
    graph = toy_graph(seed=1)
    graph["toy/both"] = replace(graph["toy/both"], config=UpperConfig(suffix="?"))
    assert make_all(store, graph)["toy/upper"].cached
    keys = [m.key for m in ancestry(store, "toy/both")]
    assert sorted(keys) == ["toy/both", "toy/letters", "toy/letters", "toy/upper"]
    # What they reported counts once: they are the same result, and who upgraded has not paid for it twice.
    both = store.head("toy/both")
    assert both is not None
    item = ManifestInput(key="toy/both", digest=both.digest, version=both.version)
    assert [key for key, _ in reports(store, item)] == ["toy/letters", "toy/upper", "toy/both"]


def test_a_version_is_named_by_its_digest_its_name_or_the_beginning_of_either(store: ArtifactStore) -> None:
    for count in (2, 5):
        make_all(store, toy_graph(count=count))
    for made in store.history("toy/both"):
        sha = made.version.rpartition("-")[2]
        for wanted in (made.digest, made.digest[:9], made.version, made.version[:30], sha, sha[:9]):
            assert find_version(store, "toy/both", wanted) == made.version


def test_a_whole_name_is_found_without_reading_the_other_versions(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for count in (2, 5):
        make_all(store, toy_graph(count=count))
    monkeypatch.setattr(store.backend, "read", lambda name: pytest.fail(f"reads {name}"))
    for name in store.versions("toy/both"):
        assert find_version(store, "toy/both", name) == name


def test_of_several_versions_with_one_digest_the_newest_is_meant(store: ArtifactStore) -> None:
    made = [make_all(store, toy_graph(seed=seed))["toy/letters"].manifest for seed in (0, 1)]
    assert made[0].digest == made[1].digest and made[0].version != made[1].version
    assert find_version(store, "toy/letters", made[0].digest[:12]) == made[1].version


@pytest.mark.parametrize("wanted", ["zz", "../../heads/toy", "", "2"])
def test_what_names_no_version_or_several_is_said(store: ArtifactStore, wanted: str) -> None:
    for count in (2, 5):
        make_all(store, toy_graph(count=count))
    with pytest.raises(StoreError, match="toy/both"):
        find_version(store, "toy/both", wanted)


def test_a_key_that_was_never_made_is_said(store: ArtifactStore) -> None:
    with pytest.raises(StoreError, match="toy/both has no version"):
        ancestry(store, "toy/both")


def test_only_the_ancestry_is_read(store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_all(store, toy_graph(count=2))
    for count in range(3, 8):
        make_all(store, toy_graph(count=count))
    make_all(store, toy_graph(count=2))
    read: list[str] = []
    plain = store.backend.read
    monkeypatch.setattr(store.backend, "read", lambda name: read.append(name) or plain(name))
    monkeypatch.setattr(store.backend, "names", lambda folder: pytest.fail(f"{folder} was listed"))
    ancestry(store, "toy/both")
    manifests = {f"manifests/{m.manifest.key}/{m.manifest.version}.json" for m in made.values()}
    assert set(read) == {"heads/toy/both.json", *manifests}
