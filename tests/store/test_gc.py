from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from o1_assets.execution.status import graph_status
from o1_assets.store.ancestry import ancestry
from o1_assets.store.cards import card_name
from o1_assets.store.gc import Garbage, find_garbage, remove_garbage
from o1_assets.store.objects import object_name
from o1_assets.store.pins import pin, pins, unpin
from o1_assets.store.scratch import DAY
from o1_assets.store.store import ArtifactStore, StoreError
from tests.execution.toy import make, make_all, toy_graph

LATER = time.time() + 100 * DAY


def content(store: ArtifactStore) -> dict[str, int]:
    """Every file of a store."""
    folders = ("heads", "manifests", "cache", "objects", "pins")
    return {entry.name: entry.size for folder in folders for entry in store.backend.walk(folder)}


def collect(store: ArtifactStore, keep_days: float = 0, now: float = LATER) -> Garbage:
    garbage = find_garbage(store, keep_days, now)
    remove_garbage(store, garbage)
    return garbage


def auditable(store: ArtifactStore, key: str, version: str) -> None:
    """The version's whole ancestry is there: every manifest and every byte."""
    for manifest in ancestry(store, key, version):
        store.verify(manifest.digest)


def test_only_what_todays_versions_were_made_from_stays(store: ArtifactStore) -> None:
    for count in (1, 2):
        make_all(store, toy_graph(count=count))
    old = {f"manifests/{m.key}/{m.version}.json" for k in toy_graph() for m in list(store.history(k))[:1]}
    garbage = collect(store)
    assert {key: row.versions for key, row in garbage.keys.items()} == dict.fromkeys(toy_graph(), 1)
    assert not old & content(store).keys()
    for key in toy_graph():
        assert len(store.versions(key)) == 1
        auditable(store, key, store.versions(key)[0])
    assert {s.state for s in graph_status(toy_graph(count=2), store).values()} == {"fresh"}
    assert not make_all(store, toy_graph(count=1))["toy/both"].cached, "what was removed is computed again"


def test_a_second_time_nothing_is_left_to_remove(disk: ArtifactStore) -> None:
    for count in (1, 2):
        make_all(disk, toy_graph(count=count))
    collect(disk)
    before = content(disk)
    again = collect(disk)
    assert not again.keys and not again.pointers and not again.objects and not again.orphans
    assert content(disk) == before


def test_looking_removes_nothing(disk: ArtifactStore) -> None:
    for count in (1, 2):
        make_all(disk, toy_graph(count=count))
    before = content(disk)
    garbage = find_garbage(disk, 0, LATER)
    assert sum(row.bytes for row in garbage.keys.values()) > 0
    assert content(disk) == before


def test_a_young_version_stays_with_all_it_was_made_from(disk: ArtifactStore) -> None:
    made = make_all(disk, toy_graph(count=1))
    make_all(disk, toy_graph(count=2))
    assert not collect(disk, keep_days=30, now=time.time() + 29 * DAY).keys
    auditable(disk, "toy/both", made["toy/both"].manifest.version)
    assert collect(disk, keep_days=30, now=time.time() + 31 * DAY).keys


def test_a_pinned_version_stays_with_all_it_was_made_from_until_it_is_unpinned(store: ArtifactStore) -> None:
    first = make_all(store, toy_graph(count=1))["toy/upper"].manifest
    make_all(store, toy_graph(count=2))
    pin(store, "toy/upper", first.version, "in the paper")
    removed = collect(store)
    assert removed.keys.keys() == {"toy/both"}
    auditable(store, "toy/upper", first.version)
    assert [entry.reason for entry in pins(store)] == ["in the paper"]
    unpin(store, "toy/upper", None)
    assert collect(store).keys.keys() == {"toy/letters", "toy/upper"}


def test_what_cannot_be_pinned_is_said(disk: ArtifactStore) -> None:
    make_all(disk, toy_graph())
    with pytest.raises(StoreError, match="missing"):
        pin(disk, "toy/upper", f"20260101T000000.000000Z-{'0' * 64}", "")
    with pytest.raises(StoreError, match=r"no pin of toy/upper was taken away.*which are none"):
        unpin(disk, "toy/upper", None)


def test_the_model_card_of_a_version_goes_with_it(disk: ArtifactStore) -> None:
    for count in (1, 2):
        make_all(disk, toy_graph(count=count))
    old, new = (card_name("toy/both", version) for version in disk.versions("toy/both"))
    for name in (old, new):
        disk.backend.write(name, b"# a model")
    disk.backend.write("cards/toy/both/README.md", b"of no version")
    assert sorted(collect(disk).cards) == sorted([old, "cards/toy/both/README.md"])
    assert disk.backend.read(old) is None and disk.backend.read(new) is not None


def test_equal_bytes_of_a_kept_version_stay(disk: ArtifactStore) -> None:
    make(disk, toy_graph(seed=0)["toy/letters"])
    make(disk, toy_graph(seed=1)["toy/letters"])
    garbage = collect(disk)
    assert garbage.keys["toy/letters"].versions == 1 and not garbage.objects
    head = disk.head("toy/letters")
    assert head is not None
    disk.verify(head.digest)


def test_an_object_that_no_version_names_goes_after_a_day(store: ArtifactStore) -> None:
    make_all(store, toy_graph())
    folder = store.scratch()
    (folder / "a").write_text("killed before it was recorded")
    digest = store.put(folder)
    assert not collect(store, now=time.time()).orphans, "another machine may be about to record it"
    assert collect(store).orphans.keys() == {digest}
    assert not store.present(digest)
    assert not [name for name in content(store) if digest in name]


def test_a_pointer_to_nothing_goes(disk: ArtifactStore) -> None:
    made = make_all(disk, toy_graph())
    gone = made["toy/both"].manifest
    disk.backend.write(f"cache/00/{'0' * 64}.json", b'{"key": "toy/both", "version": "20260101-00"}')
    disk.backend.write(f"cache/11/{'1' * 64}.json", b"not JSON")
    disk.backend.write(f"cache/22/{'2' * 64}.json", b'{"key": "Toy both", "version": "x"}')
    assert sorted(collect(disk).pointers) == [f"cache/{2 * n}/{64 * n}.json" for n in "012"]
    assert disk.cached(gone.cache_key) == gone


@pytest.mark.parametrize("victim", ["kept", "going"])
def test_a_damaged_manifest_stops_everything(disk: ArtifactStore, victim: str) -> None:
    for count in (1, 2):
        make_all(disk, toy_graph(count=count))
    version = disk.versions("toy/upper")[-1 if victim == "kept" else 0]
    disk.backend.write(f"manifests/toy/upper/{version}.json", b"{}")
    before = content(disk)
    with pytest.raises(StoreError, match="damaged"):
        collect(disk)
    assert content(disk) == before


def test_a_file_that_is_no_manifest_is_named(disk: ArtifactStore) -> None:
    make_all(disk, toy_graph())
    disk.backend.write("manifests/toy/upper/Notes.json", b"{}")
    with pytest.raises(StoreError, match=r"manifests/toy/upper/Notes.json is damaged"):
        collect(disk)


def test_killed_at_any_moment_what_remains_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stops before the n-th removal for every n: what is listed can be audited, today is fresh, and gc goes on."""

    class Killed(Exception):
        pass

    unlink, rename = Path.unlink, Path.rename
    for stop in range(40):
        store = ArtifactStore(str(tmp_path / str(stop)), tmp_path / "work")
        for count in (1, 2, 3):
            make_all(store, toy_graph(count=count))
        left = stop

        def step(original: Callable[..., Any], *arguments: Any) -> Any:
            nonlocal left
            if left == 0:
                raise Killed
            left -= 1
            return original(*arguments)

        with monkeypatch.context() as patched:
            patched.setattr(Path, "unlink", lambda path, missing_ok=False: step(unlink, path, missing_ok))
            patched.setattr(Path, "rename", lambda path, target: step(rename, path, target))
            try:
                collect(store)
                finished = True
            except Killed:
                finished = False
        for key in toy_graph():
            for manifest in store.history(key):
                auditable(store, key, manifest.version)
                found = store.cached(manifest.cache_key)
                assert found is None or found == manifest
        assert {s.state for s in graph_status(toy_graph(count=3), store).values()} == {"fresh"}
        collect(store)
        assert {key: len(store.versions(key)) for key in toy_graph()} == dict.fromkeys(toy_graph(), 1)
        if finished:
            return
    raise AssertionError("there are more removals than this test stops at")


@pytest.mark.parametrize(
    "link", ["manifests/toy", "objects", "objects/aa", "heads/toy", "cache", "pins", ".trash"]
)
def test_nothing_outside_of_the_store_is_removed_through_a_link(tmp_path: Path, link: str) -> None:
    store = ArtifactStore(str(tmp_path / "store"), tmp_path / "work")
    for count in (1, 2):
        make_all(store, toy_graph(count=count))
    outside = tmp_path / "outside"
    place = Path(store.backend.place(link))
    if place.exists():
        place.rename(outside)
    else:
        (outside / ("b" * 64)).mkdir(parents=True)
        (outside / ("b" * 64) / "precious").write_text("1")
        place.parent.mkdir(exist_ok=True)
    place.symlink_to(outside)
    before = {path: path.is_file() and path.read_bytes() for path in outside.rglob("*")}
    with suppress(StoreError):
        collect(store)
    assert {path: path.is_file() and path.read_bytes() for path in outside.rglob("*")} == before


@pytest.mark.parametrize(
    "name", ["../precious", "objects/../../precious", "/precious", "a//b", "./a", "inside/x"]
)
def test_a_name_that_leads_out_of_the_store_is_refused(tmp_path: Path, name: str) -> None:
    store = ArtifactStore(str(tmp_path / "store"), tmp_path / "work")
    make_all(store, toy_graph())
    for path in (tmp_path / "precious", tmp_path / "x"):
        path.write_text("1")
    (tmp_path / "store" / "inside").symlink_to(tmp_path)
    with pytest.raises(StoreError, match=r"outside of the store|is a link"):
        store.backend.remove([name])
    with pytest.raises(StoreError, match=r"outside of the store|is a link"):
        store.backend.remove_folder(name, first="tree.json")
    assert (tmp_path / "precious").exists() and (tmp_path / "x").exists()


def test_a_listing_that_lags_behind_removes_nothing_that_is_needed(
    store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Heads are asked for by name; a version that no listing shows yet is found through its head."""
    make_all(store, toy_graph(count=1))
    stale = {
        folder: list(store.backend.walk(folder)) for folder in ("heads", "manifests", "cache", "objects")
    }
    made = make_all(store, toy_graph(count=2))
    with monkeypatch.context() as patched:
        patched.setattr(store.backend, "walk", lambda folder: iter(stale.get(folder, [])))
        collect(store)
    for key, one in made.items():
        auditable(store, key, one.manifest.version)
        assert store.cached(one.manifest.cache_key) == one.manifest
    assert store.present(made["toy/both"].manifest.digest)
    assert object_name(made["toy/both"].manifest.digest)
