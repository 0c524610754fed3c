"""The outlines that `o1 status` keeps are those of the graph, are made again when it changes, and import little."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from o1_assets import cli
from o1_assets.cli.main import app
from o1_assets.core.artifact import Artifact, Outcome, Task
from o1_assets.core.settings import Settings
from o1_assets.execution import outline
from o1_assets.execution.project import Project
from o1_assets.graph import build_graph
from o1_assets.labels.config import Switch
from o1_assets.labels.inbox.switches import Switches
from o1_assets.profiles.load import load_profile
from tests.execution.toy import make

SHORT = "rounds=1"


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    """A home in which nano's problems are made, as far as `o1 status` can tell."""
    settings = Settings.load("nano", tmp_path)
    graph, store = build_graph(load_profile("nano", SHORT), settings), Project(settings).store
    for key in ("problems/train", "problems/test"):
        make(store, _made_up(graph[key]))
    return settings


def _made_up(artifact: Artifact) -> Artifact:
    def compute(task: Task, config: Any) -> Outcome:
        (task.out / "text.txt").write_text(artifact.key)
        return Outcome()

    # By the name of the real one, from which the code version follows.
    compute.__module__, compute.__qualname__ = artifact.compute.__module__, artifact.compute.__qualname__
    return replace(artifact, compute=compute)


def built(project: Project) -> bool:
    """Whether reading the outlines built the graph."""
    _ = project.outlines
    return "graph" in vars(project)


def content(outlines: dict[str, outline.Outline]) -> list[tuple[Any, ...]]:
    # The version of code counts only for what was made.
    return [
        (
            o.key, o.part, dict(o.inputs), o.seed, o.config(), o.rated, o.external and o.external(),
            o.code() if o.key in ("problems/train", "problems/test") else None,
        )
        for o in outlines.values()
    ]  # fmt: skip


def test_kept_outlines_are_those_of_the_graph(home: Settings) -> None:
    first, second = Project(home, SHORT), Project(home, SHORT)
    assert built(first) and not built(second)
    assert content(second.outlines) == content(first.outlines)
    rated = [o for o in second.outlines.values() if o.rated]
    assert [o.key for o in rated] == ["r00/label_batches", "r01/label_batches"]
    # reasoning_gym's problems lie in no file: nothing has to be tried before they are made.
    assert not any(second.outlines[key].checked_first for key in ("problems/train", "problems/test"))
    # What was made since they were kept has its version from the graph, once.
    key = "r00/labels"
    make(second.store, replace(_made_up(first.graph[key]), inputs={}))
    assert second.outlines[key].code() == outline.outline(first.graph[key]).code() and "graph" in vars(second)
    third = Project(home, SHORT)
    assert third.outlines[key].code() == second.outlines[key].code() and "graph" not in vars(third)


def test_they_are_made_again_when_anything_changes(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert built(Project(home, SHORT)) and built(Project(home, f"{SHORT}\nseed=1"))
    assert built(Project(home, SHORT)) and not built(Project(home, SHORT))
    (home.work / outline.FILE).write_text('{"origin": 3, "outlines')
    assert built(Project(home, SHORT)) and not built(Project(home, SHORT))
    Switches(home.inbox).add("r01", Switch(annotator="human", who="lead", when="2026-01-01"))
    switched = Project(home, SHORT)
    assert built(switched) and built(Project(home, f"{SHORT}\nannotator=human"))
    assert switched.outlines["r01/label_batches"].config()["annotator"] == "human"
    assert built(Project(home, SHORT)) and not built(Project(home, SHORT))
    sources = [*outline._sources(), ("new.py", b"")]
    monkeypatch.setattr(outline, "_sources", lambda: iter(sources))
    assert built(Project(home, SHORT))


def test_a_graph_that_reads_files_keeps_none(home: Settings, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("")
    overrides = f'{SHORT}\nproblems.source={{"kind":"file","path":"{tmp_path / "rows.jsonl"}"}}'
    assert built(Project(home, overrides)) and built(Project(home, overrides))


HEAVY = (
    "torch",
    "transformers",
    "dagster",
    "numpy._core",
    "polars._plr",
    "fsspec",
    "duckdb",
    "pyarrow",
    "filelock",
)
MODULES = f"""
import sys
from o1_assets.cli import main
try:
    main()
finally:
    own = [name for name in sys.modules if name.startswith("o1_assets.")]
    print("MODULES", len(own), *[name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
"""


def test_status_imports_no_stage_and_no_library_of_tables(home: Settings) -> None:
    """Every imported module takes a millisecond; those that a stage needs are some three hundred."""
    command = [sys.executable, "-W", "ignore", "-c", MODULES, "status", "--json"]
    environment = {**os.environ, "O1_HOME": str(home.home.parent), "O1_SET": SHORT}
    for expected in (range(200, 500), range(60)):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0 and done.stdout.count('"missing"') > 90, done.stderr
        modules, *heavy = done.stderr.split("MODULES ")[1].split()
        assert int(modules) in expected, done.stderr
    assert not heavy


def test_each_command_is_looked_for_in_the_file_that_has_it() -> None:
    groups = {"evaluate", "labels", "problems", "profile"}
    everything = get_command(app)
    assert set(cli._MODULES) == set(everything.commands) - groups  # type: ignore[attr-defined]
    assert set(cli._MODULES.values()) <= {path.stem for path in Path(cli.__file__).parent.glob("*.py")}
