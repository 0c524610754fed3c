"""Where an export goes: whole or not at all, and never over what is not its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from o1_assets.export import folder as folder_module
from o1_assets.export.folder import EXPORT_FILE, ExportError, write_folder


def export(target: Path, text: str = "a") -> bool:
    def fill(stage: Path) -> None:
        (stage / "plots").mkdir()
        (stage / "model.txt").write_text(text)
        (stage / "plots" / "one.txt").write_text(text)

    return write_folder(target, fill, {"version": text})


def content(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()}


def test_it_appears_whole_with_the_folders_above_it_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "of" / "mine" / "policy"
    assert export(target)
    assert set(content(target)) == {"model.txt", "plots/one.txt", EXPORT_FILE}
    assert os.listdir(target.parent) == ["policy"]


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "policy").mkdir()
    assert export(tmp_path / "policy")


def test_the_same_again_touches_nothing(tmp_path: Path) -> None:
    export(tmp_path / "policy")
    before = (tmp_path / "policy").stat()
    assert not export(tmp_path / "policy")
    assert (tmp_path / "policy").stat() == before


@pytest.mark.parametrize("in_one_step", [True, False])
def test_another_version_takes_the_place_of_an_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_one_step: bool
) -> None:
    if not in_one_step:
        monkeypatch.setattr(folder_module, "_renameat2", lambda a, b: False)
    export(tmp_path / "policy", "a")
    (tmp_path / "beside").write_text("stays")
    assert export(tmp_path / "policy", "b")
    assert content(tmp_path / "policy")["model.txt"] == "b"
    assert sorted(os.listdir(tmp_path)) == ["beside", "policy"]


def test_linux_exchanges_in_one_step(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "was").write_text(name)
    assert folder_module._renameat2(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "a" / "was").read_text() == "b"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "notes.md").write_text("mine"), "holds notes.md, which no export wrote"),
        (
            lambda folder: (folder / "model.txt").write_text("mine"),
            "was changed since it was exported (model.txt)",
        ),
        (lambda folder: (folder / "model.txt").unlink(), "has lost model.txt"),
        (lambda folder: (folder / EXPORT_FILE).unlink(), "is not empty and no earlier export"),
        (lambda folder: (folder / EXPORT_FILE).write_text("{"), "is not empty and no earlier export"),
        (
            lambda folder: (folder / EXPORT_FILE).write_text('{"files": []}'),
            "is not empty and no earlier export",
        ),
        (lambda folder: (folder / "out").symlink_to("/"), "holds what no export wrote"),
    ],
)
def test_what_a_person_added_or_changed_is_not_replaced(tmp_path: Path, spoil, said: str) -> None:  # type: ignore[no-untyped-def]
    export(tmp_path / "policy", "a")
    spoil(tmp_path / "policy")
    before = sorted(os.listdir(tmp_path / "policy"))
    with pytest.raises(ExportError) as refused:
        export(tmp_path / "policy", "b")
    assert said in str(refused.value)
    assert sorted(os.listdir(tmp_path / "policy")) == before


def test_a_file_or_a_link_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    for name in ("file", "link"):
        with pytest.raises(ExportError, match=f"{name} is a {name}"):
            export(tmp_path / name)
    assert not list((tmp_path / "real").iterdir())


def test_what_fails_half_way_leaves_the_earlier_export_and_nothing_else(tmp_path: Path) -> None:
    export(tmp_path / "policy", "a")

    def fill(stage: Path) -> None:
        (stage / "model.txt").write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_folder(tmp_path / "policy", fill, {})
    assert content(tmp_path / "policy")["model.txt"] == "a"
    assert os.listdir(tmp_path) == ["policy"]


def test_what_a_killed_export_left_is_removed_by_the_next(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        write_folder(tmp_path / "policy", lambda stage: os._exit(9), {})
    os.waitpid(child, 0)
    assert len(os.listdir(tmp_path)) == 1 and not (tmp_path / "policy").exists()
    export(tmp_path / "policy")
    assert os.listdir(tmp_path) == ["policy"]
