"""Who has the port or the home is said in one sentence, before anything is started."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from o1_assets.core.settings import BadSetting, Settings
from o1_assets.execution.project import Project
from o1_assets.orchestration.ui import serve
from o1_assets.orchestration.ui.serve import UIError, home_lock, listener
from o1_assets.profiles.load import ProfileError


def test_a_port_in_use_names_the_program_and_another_port() -> None:
    with listener(0) as first:
        port = first.getsockname()[1]
        # macOS tells only root which program it is.
        program = f"process {os.getpid()} .*python" if sys.platform == "linux" else ""
        with pytest.raises(UIError, match=f"port {port} is in use by {program}.*PORT="):
            listener(port)


def test_a_port_that_is_none_is_refused() -> None:
    for port in (-1, 65536):
        with pytest.raises(UIError, match="cannot be used"):
            listener(port)


def test_only_this_machine_can_connect() -> None:
    with listener(0) as listening:
        assert listening.family == socket.AF_INET and listening.getsockname()[0] == "127.0.0.1"


def test_a_home_is_served_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []

    def second(*_: object, **__: object) -> None:
        started.append((tmp_path / "nano" / "ui.lock").read_text())
        with pytest.raises(UIError, match=r"nano is served already, on http://127.0.0.1:\d+"):
            home_lock(tmp_path / "nano")

    monkeypatch.setattr(serve, "supervise", second)
    monkeypatch.setattr(Project, "export_to_environment", lambda self: None)
    for _ in range(2):
        serve.serve(Project(Settings.load("nano", tmp_path)), 0)
    assert len(started) == 2 and all(address.startswith("http://127.0.0.1:") for address in started)


def test_wrong_settings_are_said_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "supervise", lambda *_, **__: pytest.fail("it was started"))
    with pytest.raises(ProfileError):
        serve.serve(Project(Settings.load("nothing", tmp_path)), 0)
    monkeypatch.setenv("O1_UI_ORIGINS", "o1.example.org")
    with pytest.raises(BadSetting, match="https://HOST"):
        serve.serve(Project(Settings.load("nano", tmp_path)), 0)
