"""What a person, a program or a disk can do to a store: status names it, a run mends it or says why it cannot."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from o1_assets.core.errors import O1Error
from o1_assets.execution.status import Status, damaged, graph_status
from o1_assets.store.objects import object_name
from o1_assets.store.store import ArtifactStore, OtherRelease, StoreError
from tests.audit.world import audited
from tests.execution.toy import make_all, toy_graph

KEY = "toy/letters"
Tamper = Callable[[ArtifactStore], object]


@pytest.fixture
def finished(disk: ArtifactStore) -> ArtifactStore:
    """A store in which all was made, compared and remembered."""
    make_all(disk, toy_graph())
    time.sleep(0.06)  # changes right after the making are told by reading
    assert {s.state for s in graph_status(toy_graph(), disk).values()} == {"fresh"}
    heads = [disk.head(key) for key in toy_graph()]
    assert len(disk.marks.known([head.digest for head in heads if head])) == 3
    return disk


def folder(store: ArtifactStore, key: str = KEY) -> Path:
    versions = store.versions(key)
    return Path(store.backend.place(object_name(store.manifest(key, versions[-1]).digest)))


def text(store: ArtifactStore, key: str = KEY) -> Path:
    file = folder(store, key) / "text.txt"
    file.chmod(0o644)
    return file


def head(store: ArtifactStore) -> Path:
    return Path(store.backend.place(f"heads/{KEY}.json"))


def manifest(store: ArtifactStore) -> Path:
    return Path(store.backend.place(f"manifests/{KEY}/{store.versions(KEY)[-1]}.json"))


def flip_with_its_old_time(store: ArtifactStore) -> None:
    before = text(store).stat()
    text(store).write_text("abX")
    os.utime(text(store), ns=(before.st_atime_ns, before.st_mtime_ns))


def replace_with_its_old_time(store: ArtifactStore) -> None:
    before, other = text(store).stat(), folder(store).parent / "other"
    other.write_text("abX")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.rename(text(store))


def swap(store: ArtifactStore) -> None:
    one, two, aside = folder(store), folder(store, "toy/upper"), folder(store).parent / "aside"
    one.rename(aside)
    two.rename(one)
    aside.rename(two)


def swap_files(store: ArtifactStore) -> None:
    one, two, aside = text(store), text(store, "toy/upper"), folder(store).parent / "aside"
    one.rename(aside)
    two.rename(one)
    aside.rename(two)


def link_a_file(store: ArtifactStore) -> None:
    text(store).rename(store.work / "text.txt")
    (folder(store) / "text.txt").symlink_to(store.work / "text.txt")


def link_the_object(store: ArtifactStore) -> None:
    place = folder(store)
    place.rename(store.work / "elsewhere")
    place.symlink_to(store.work / "elsewhere")


def point_elsewhere(store: ArtifactStore) -> None:
    shutil.copy(store.backend.place("heads/toy/upper.json"), head(store))


def edit_the_manifest(store: ArtifactStore) -> None:
    content = json.loads(manifest(store).read_text())
    manifest(store).write_text(json.dumps({**content, "format": 3}, indent=1))


TAMPERS: dict[str, tuple[Tamper, str]] = {
    "flipped byte": (lambda s: text(s).write_text("abX"), "text.txt of object"),
    "flipped byte, old time": (flip_with_its_old_time, "is not what was stored"),
    "other file, same size, old time": (replace_with_its_old_time, "is not what was stored"),
    "truncated": (lambda s: os.truncate(text(s), 1), "is not what was stored"),
    "file gone": (lambda s: text(s).unlink(), "is missing"),
    "file added": (lambda s: (folder(s) / "more.txt").write_text("x"), "holds more.txt, which was never stored"),
    "pickle added": (lambda s: (folder(s) / "m.pkl").write_bytes(b"\x80\x04."), "holds what no artifact may"),
    "empty folder": (lambda s: (folder(s) / "empty").mkdir(), "holds the folder empty"),
    "folders in it": (lambda s: (folder(s) / "a" / "b").mkdir(parents=True), "holds the folder a,"),
    "link to a file": (link_a_file, "is a link"),
    "object is a link": (link_the_object, "is a link"),
    "objects swapped": (swap, "tree.json of object"),
    "files swapped": (swap_files, "is not what was stored"),
    "list of files": (lambda s: (folder(s) / "tree.json").write_text("[]"), "tree.json of object"),
    "list is no JSON": (lambda s: (folder(s) / "tree.json").write_bytes(b"\xff["), "tree.json of object"),
    "head gone": (lambda s: head(s).unlink(), "is gone, though 1 version is recorded"),
    "head empty": (lambda s: head(s).write_text(""), "is damaged"),
    "head elsewhere": (point_elsewhere, "is damaged"),
    "head to nothing": (lambda s: head(s).write_bytes(head(s).read_bytes().replace(b"Z-", b"Z-0")), "not there"),
    "manifest edited": (edit_the_manifest, "is damaged"),
    "manifest no JSON": (lambda s: manifest(s).write_bytes(b"\x00"), "is damaged"),
    "manifest gone": (lambda s: manifest(s).unlink(), "is not there"),
}  # fmt: skip


@pytest.mark.parametrize("name", TAMPERS)
def test_damage_is_named_and_made_again(finished: ArtifactStore, name: str) -> None:
    tamper, words = TAMPERS[name]
    digests = {key: made.manifest.digest for key, made in make_all(finished, toy_graph()).items()}
    tamper(finished)
    for every_byte in (False, True):
        states = status(finished, every_byte=every_byte)
        assert words in states[KEY].reason and "`o1 run`" in states[KEY].reason, states[KEY].reason
        assert states["toy/both"].state != "fresh"
        error = damaged(states)
        if (
            name == "head gone"
        ):  # nothing is damaged, and removing heads is a way to have things looked up again
            assert states[KEY].state == "missing" and error is None
        else:
            assert states[KEY].state == "damaged" and isinstance(error, O1Error) and KEY in str(error)
    found = audited(finished, "toy/both").broken
    assert found and all("`o1 " in each.message or "put what it" in each.message for each in found)
    store = ArtifactStore(finished.url, finished.work)
    made = make_all(store, toy_graph())
    assert {key: each.manifest.digest for key, each in made.items()} == digests
    assert {s.state for s in status(store, every_byte=True).values()} == {"fresh"}
    assert made["toy/both"].cached, "what was made from it is kept"
    # Of a lost manifest the others say truly that it is lost.
    assert bool(audited(store, "toy/both").broken) == name.startswith("manifest") or name == "head to nothing"


def status(store: ArtifactStore, every_byte: bool = False) -> dict[str, Status]:
    return graph_status(toy_graph(), ArtifactStore(store.url, store.work), every_byte=every_byte)


def test_what_did_not_change_is_not_read(finished: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("it was read")

    monkeypatch.setattr("o1_assets.store.objects.read_contents", refuse)
    assert {s.state for s in status(finished).values()} == {"fresh"}
    folder(finished).joinpath("text.txt").chmod(0o600)
    with pytest.raises(AssertionError, match="was read"):
        status(finished)


def test_other_permissions_and_a_copy_are_no_damage(finished: ArtifactStore, tmp_path: Path) -> None:
    text(finished).chmod(0o600)
    assert {s.state for s in status(finished).values()} == {"fresh"}
    shutil.copytree(tmp_path / "store", tmp_path / "copy" / "store")
    shutil.copytree(tmp_path / "work", tmp_path / "copy" / "work")
    copy = ArtifactStore(str(tmp_path / "copy" / "store"), tmp_path / "copy" / "work")
    assert {s.state for s in status(copy).values()} == {"fresh"}


@pytest.mark.parametrize(
    "content", [b"", b"no database at all, though long enough to be looked at" * 99, None]
)
def test_the_memory_may_be_lost_or_damaged(finished: ArtifactStore, content: bytes | None) -> None:
    file = finished.marks.file
    file.unlink()
    file.mkdir() if content is None else file.write_bytes(content)
    assert {s.state for s in status(finished).values()} == {"fresh"}
    text(finished).write_text("abX")
    assert status(finished)[KEY].state == "damaged"


def test_a_manifest_of_another_release_is_refused_and_not_replaced(
    finished: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = finished.versions(KEY)[-1]
    monkeypatch.setattr("o1_assets.store.store.Manifest.model_validate_json", _of_another_release)
    assert status(finished)["toy/both"].refused
    with pytest.raises(OtherRelease, match="another version of o1-assets"):
        make_all(ArtifactStore(finished.url, finished.work), toy_graph())
    assert finished.versions(KEY) == [version]


def _of_another_release(content: bytes) -> None:
    from o1_assets.store.manifest import Manifest

    Manifest.model_validate({**json.loads(content), "more": 1})


def test_a_damaged_input_is_refused_where_it_is_not_made_too(finished: ArtifactStore) -> None:
    from tests.execution.toy import make

    text(finished).write_text("abX")
    with pytest.raises(StoreError, match=r"text\.txt .*`o1 run` makes it again"):
        make(ArtifactStore(finished.url, finished.work), toy_graph(suffix="!")["toy/upper"])


def test_folders_without_files_are_not_stored(disk: ArtifactStore) -> None:
    made = disk.scratch()
    (made / "plots" / "old").mkdir(parents=True)
    (made / "a.txt").write_text("a")
    assert [path.name for path in sorted(disk.path(disk.put(made)).iterdir())] == ["a.txt", "tree.json"]
