"""Dagster's own tools find the graph by both ways that a project can name it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from o1_assets.core.settings import PROJECT


@pytest.mark.parametrize(
    "command",
    [
        ["dagster", "definitions", "validate", "-w", "workspace.yaml"],
        ["dg", "check", "defs"],
    ],
    ids=["workspace.yaml", "tool.dg"],
)
def test_it_loads_the_graph(command: list[str], tmp_path: Path) -> None:
    scripts = Path(sys.executable).parent
    environment = {
        **os.environ,
        "O1_HOME": str(tmp_path),
        "DAGSTER_HOME": str(tmp_path),
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "VIRTUAL_ENV": str(scripts.parent),
    }
    done = subprocess.run(
        [str(scripts / command[0]), *command[1:]],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


def test_the_definitions_load_without_what_only_an_extra_brings(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys, o1_assets.definitions as d; print(*sys.modules)"],
        cwd=PROJECT,
        env={**os.environ, "O1_HOME": str(tmp_path), "DAGSTER_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert not {"openlineage", "dagster_ray", "dagster_k8s", "torch"} & set(done.stdout.split())
