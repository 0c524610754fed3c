"""`o1 audit` as a person and a program meet it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from o1_assets.core.settings import Settings
from o1_assets.store.store import ArtifactStore
from tests.execution.toy import make_all, toy_graph

COMMAND = """
import sys
from o1_assets.cli import main
try:
    main()
finally:
    heavy = {"torch", "transformers", "dagster"} & set(sys.modules)
    assert not heavy, heavy
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    settings = Settings.load("nano", tmp_path)
    make_all(ArtifactStore(settings.store, settings.work), toy_graph())
    return tmp_path


def o1(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", COMMAND, *arguments],
        env={**os.environ, "O1_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_what_holds_exits_with_0_and_imports_nothing_heavy(home: Path) -> None:
    done = o1(home, "audit", "toy/both", "--html", str(home / "page.html"))
    assert done.returncode == 0, done.stderr
    assert "everything is as it was recorded" in done.stdout.splitlines()[1]
    assert (home / "page.html").read_text().startswith("<!doctype html>")


def test_what_does_not_hold_exits_with_1_and_names_the_first_broken_link_in_one_sentence(home: Path) -> None:
    for file in (home / "nano" / "store" / "objects").rglob("text.txt"):
        file.chmod(0o644)
        file.write_text("X")
    done = o1(home, "audit", "toy/both", "--json")
    assert done.returncode == 1
    assert done.stderr.startswith("o1: toy/letters is not as recorded: text.txt of object")
    assert done.stderr.count("\n") == 1
    said = json.loads(done.stdout)
    assert not said["ok"] and [one["key"] for one in said["broken"]] == [
        "toy/letters",
        "toy/upper",
        "toy/both",
    ]


def test_what_is_not_there_is_one_sentence(home: Path) -> None:
    done = o1(home, "audit", "toy/both", "--version", "0000000")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "no version of toy/both begins with '0000000'" in done.stderr
