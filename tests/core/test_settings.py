"""Who may read a home, where one can lie, and under which addresses a proxy publishes the UI."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from o1_assets.core.settings import BadSetting, Settings


@pytest.fixture(autouse=True)
def usual_umask(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("O1_SHARED", raising=False)
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(folder: Path) -> int:
    return folder.stat().st_mode & 0o7777


@pytest.mark.parametrize(("shared", "expected"), [("", 0o700), ("1", 0o755)])
def test_a_new_home_is_its_owners_unless_it_is_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: str, expected: int
) -> None:
    monkeypatch.setenv("O1_SHARED", shared)
    settings = Settings.load("nano", tmp_path / "new")
    settings.dagster_home()
    assert mode(settings.home) == mode(tmp_path / "new") == expected
    assert settings.close_home() == ""


@pytest.mark.parametrize(
    ("before", "after"), [(0o755, 0o700), (0o777, 0o700), (0o2770, 0o2770), (0o750, 0o750)]
)
def test_a_home_that_everybody_could_read_is_closed_once(tmp_path: Path, before: int, after: int) -> None:
    settings = Settings.load("nano", tmp_path)
    (settings.home / "store").mkdir(parents=True)
    settings.home.chmod(before)
    assert ("O1_SHARED=1" in settings.close_home()) == (before != after)
    assert mode(settings.home) == after and settings.close_home() == ""


def test_a_folder_of_other_things_is_left_alone(tmp_path: Path) -> None:
    settings = Settings.load("nano", tmp_path)
    settings.home.mkdir(mode=0o755)
    assert settings.close_home() == "" and mode(settings.home) == 0o755


@pytest.mark.parametrize("name", ["what?", "two\nlines", "\udcff"])
def test_a_home_that_a_library_cannot_take_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadSetting, match="use another name"):
        Settings.load("nano", f"{tmp_path}/{name}")


def test_addresses_of_a_proxy_are_read_as_browsers_write_them(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.load("nano")
    monkeypatch.setenv("O1_UI_ORIGINS", "https://O1.Example.org:443/, http://10.0.0.1:8000 https://[FD00::1]")
    assert settings.ui_origins == {"https://o1.example.org", "http://10.0.0.1:8000", "https://[fd00::1]"}
    for wrong in (
        "*",
        "https://*.example.org",
        "https://o1.example.org/ui",
        "ftp://a",
        "https://",
        "http://a:b",
        "null",
    ):
        monkeypatch.setenv("O1_UI_ORIGINS", wrong)
        with pytest.raises(BadSetting, match="O1_UI_ORIGINS"):
            _ = settings.ui_origins


def test_a_home_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadSetting, match="is not a folder; set O1_HOME"):
        Settings.load("nano", tmp_path / "file")
    with pytest.raises(BadSetting, match=r"cannot be made .*O1_HOME"):
        Settings.load("nano", tmp_path / "file" / "below").make_home()
