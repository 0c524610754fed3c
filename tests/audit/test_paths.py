"""Nothing in a store leads out of it: no name in a tree or a manifest, and no link."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from o1_assets.store.digest import tree_bytes
from o1_assets.store.store import ArtifactStore, StoreError
from tests.audit.world import audited
from tests.execution.toy import make, make_all, toy_graph


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    store = ArtifactStore(str(tmp_path / "store"), tmp_path / "work")
    make_all(store, toy_graph())
    return store


def refused(store: ArtifactStore) -> str:
    """What the audit says first, after a run that needs toy/letters refused as well."""
    with pytest.raises(StoreError):
        make(ArtifactStore(store.url, store.work), toy_graph(suffix="!")["toy/upper"])
    broken = audited(store, "toy/both").broken
    assert broken and broken[0].key == "toy/letters"
    return broken[0].message


def folder(store: ArtifactStore) -> Path:
    head = store.head("toy/letters")
    assert head is not None
    return store.path(head.digest)


@pytest.mark.parametrize("path", ["../../../evil", "/etc/passwd", "a/../../b", ".."])
def test_a_tree_cannot_lead_out(store: ArtifactStore, path: str) -> None:
    tree = folder(store) / "tree.json"
    tree.write_bytes(tree_bytes([{"path": path, "size": 1, "sha256": "0" * 64}]))
    assert "a path outside of itself" in refused(store)


def test_a_link_inside_an_object_is_no_file_of_it(store: ArtifactStore, tmp_path: Path) -> None:
    file = folder(store) / "text.txt"
    shutil.copy(file, tmp_path / "same.txt")
    file.unlink()
    file.symlink_to(tmp_path / "same.txt")
    assert "text.txt" in refused(store) and "link" in refused(store)


def test_a_link_more_in_an_object_is_found(store: ArtifactStore, tmp_path: Path) -> None:
    (folder(store) / "more.txt").symlink_to("/etc/passwd")
    assert "more.txt" in refused(store)
    (folder(store) / "more.txt").unlink()
    (folder(store) / "sub").symlink_to(tmp_path)
    assert "sub" in refused(store)
    (folder(store) / "sub").unlink()
    (folder(store) / "dangling.txt").symlink_to(tmp_path / "nothing")
    assert "dangling.txt" in refused(store)


@pytest.mark.parametrize("depth", ["object", "aa", "objects"])
def test_an_object_that_is_a_link_is_not_followed(store: ArtifactStore, tmp_path: Path, depth: str) -> None:
    place = {"object": folder(store), "aa": folder(store).parent, "objects": folder(store).parents[1]}[depth]
    shutil.move(place, tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    assert "is a link, and a store follows none" in refused(store)


@pytest.mark.parametrize(
    "part", ["manifests/toy/letters", "manifests/toy", "heads/toy/letters.json", "manifests"]
)
def test_manifests_and_heads_that_are_links_are_not_followed(
    store: ArtifactStore, tmp_path: Path, part: str
) -> None:
    place = Path(store.backend.place(part))
    shutil.move(place, tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="is a link"):
        make(ArtifactStore(store.url, store.work), toy_graph(suffix="!")["toy/upper"])
    with pytest.raises(StoreError, match="is a link"):
        store.record(make_manifest(store))


def make_manifest(store: ArtifactStore):  # type: ignore[no-untyped-def]
    from tests.execution.toy import toy_graph

    other = ArtifactStore(store.url + "-other", store.work)
    return make(other, toy_graph(count=7)["toy/letters"]).manifest


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "a//b", ".", ""])
def test_no_name_leads_out_of_a_store(store: ArtifactStore, name: str) -> None:
    for use in (store.backend.read, store.backend.exists, store.backend.names):
        with pytest.raises(StoreError, match="outside of the store"):
            use(name)
    with pytest.raises(StoreError, match="outside of the store"):
        store.backend.write(name, b"")


def test_a_store_may_itself_be_reached_by_a_link(store: ArtifactStore, tmp_path: Path) -> None:
    (tmp_path / "moved").symlink_to(tmp_path / "store")
    assert not audited(ArtifactStore(str(tmp_path / "moved"), tmp_path / "work"), "toy/both").broken
