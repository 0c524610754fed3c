from __future__ import annotations

import json
from pathlib import Path

import pytest

from o1_assets.store.store import ArtifactStore, StoreError
from tests.execution.toy import make, make_all, toy_graph


def folder_with(store: ArtifactStore, files: dict[str, str]) -> Path:
    folder = store.scratch()
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_equal_content_has_one_digest_and_is_stored_once(store: ArtifactStore) -> None:
    first = store.put(folder_with(store, {"a.txt": "1", "sub/b.txt": "2"}))
    second = store.put(folder_with(store, {"sub/b.txt": "2", "a.txt": "1"}))
    assert first == second
    assert (store.path(first) / "sub" / "b.txt").read_text() == "2"
    assert store.backend.names(f"objects/{first[:2]}") == [first]


def test_renaming_a_file_changes_the_digest(store: ArtifactStore) -> None:
    assert store.put(folder_with(store, {"a": "1"})) != store.put(folder_with(store, {"b": "1"}))


def test_a_missing_object_is_named(store: ArtifactStore) -> None:
    with pytest.raises(StoreError, match="0000"):
        store.path("0" * 64)


@pytest.mark.parametrize("key", ["../x", "a//b", "/a", "a/../b", "A", "", "a b"])
def test_a_key_cannot_leave_the_store(store: ArtifactStore, key: str) -> None:
    with pytest.raises(StoreError):
        store.head(key)


def test_a_tree_that_points_outside_is_refused(tmp_path: Path) -> None:
    store = ArtifactStore(str(tmp_path / "store"), tmp_path / "work")
    digest = store.put(folder_with(store, {"a": "1"}))
    tree = store.path(digest) / "tree.json"
    tree.write_text(json.dumps([{"path": "../../evil", "size": 1, "sha256": "0"}]))
    with pytest.raises(StoreError, match="outside"):
        store.verify(digest)


def test_a_flipped_byte_is_found(tmp_path: Path) -> None:
    store = ArtifactStore(str(tmp_path / "store"), tmp_path / "work")
    digest = store.put(folder_with(store, {"a": "1", "b": "2"}))
    store.verify(digest)
    victim = store.path(digest) / "b"
    victim.chmod(0o644)
    victim.write_text("3")
    with pytest.raises(StoreError, match="b of object"):
        store.verify(digest)


def test_links_cannot_enter_the_store(tmp_path: Path) -> None:
    store = ArtifactStore(str(tmp_path / "store"), tmp_path / "work")
    folder = store.scratch()
    (folder / "link").symlink_to("/etc/passwd")
    with pytest.raises(ValueError, match="neither a file nor a folder"):
        store.put(folder)


def test_history_keeps_every_version_and_head_is_the_newest(store: ArtifactStore) -> None:
    digests = [make_all(store, toy_graph(count=n))["toy/upper"].manifest.digest for n in (1, 2, 3)]
    assert [m.digest for m in store.history("toy/upper")] == digests
    head = store.head("toy/upper")
    assert head is not None and head.digest == digests[-1]


def test_going_back_to_an_old_configuration_finds_the_old_bytes(store: ArtifactStore) -> None:
    old = make(store, toy_graph(count=2)["toy/letters"])
    make(store, toy_graph(count=3)["toy/letters"])
    back = make(store, toy_graph(count=2)["toy/letters"])
    assert back.cached and back.manifest.digest == old.manifest.digest
    head = store.head("toy/letters")
    assert head is not None and head.digest == old.manifest.digest
