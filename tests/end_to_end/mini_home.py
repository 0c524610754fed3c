"""A home in which the whole mini graph was made, and `o1` in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from o1_assets.core.settings import Settings
from o1_assets.graph import asked_for, build_graph
from o1_assets.profiles.load import load_profile
from tests import forked
from tests.mini import MINI

O1 = [sys.executable, "-W", "ignore", "-c", "from o1_assets.cli import main; main()"]


def environment(home: Path, overrides: str = "") -> dict[str, str]:
    return {"O1_HOME": str(home), "O1_SET": f"{MINI}\n{overrides}"}


def o1(
    home: Path, *arguments: str, overrides: str = "", timeout: float = 280
) -> subprocess.CompletedProcess[str]:
    return forked.o1(*arguments, environment=environment(home, overrides), timeout=timeout)


def o1_json(home: Path, *arguments: str, overrides: str = "") -> Any:
    done = o1(home, *arguments, "--json", overrides=overrides)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def graph_keys(home: Path, overrides: str = "") -> dict[str, Any]:
    graph = build_graph(load_profile("nano", f"{MINI}\n{overrides}"), Settings.load("nano", home))
    return {key: graph[key] for key in graph if key in asked_for(graph)}


def make(home: Path) -> None:
    """Everything but the optional parts, by a process of its own as on a user's machine."""
    done = subprocess.run(
        [*O1, "run", "--json"],
        env={**os.environ, **environment(home)}, capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(done.stdout)
    assert result["computed"] == len(graph_keys(home)) and result["cached"] == 0


def copied(home: Path, to: Path) -> Path:
    """A copy to change. What names the place it was made in are the catalogue and old events of Dagster's only."""
    shutil.copytree(home, to)
    return to
