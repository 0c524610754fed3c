"""What `o1 refresh` says it did, and the table of the headline."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from o1_assets.cli import run as running
from o1_assets.cli.main import app
from o1_assets.cli.report import print_headline
from o1_assets.core.settings import Settings
from o1_assets.evaluation.headline import headline
from o1_assets.execution.project import Project
from tests.execution.toy import make, toy_graph


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("O1_HOME", str(tmp_path))
    monkeypatch.setenv("O1_SET", "")
    return Settings.load("nano")


def test_a_refresh_of_nothing_finds_nothing_cached(settings: Settings) -> None:
    done = CliRunner().invoke(app, ["refresh", "--json"], catch_exceptions=False)
    said = json.loads(done.stdout)
    assert (said["computed"], said["cached"]) == (0, 0)


@pytest.mark.parametrize(("count", "computed", "cached"), [(3, 0, 2), (2, 2, 0)])
def test_a_refresh_counts_as_cached_what_is_fresh_and_not_what_was_never_made(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, count: int, computed: int, cached: int
) -> None:
    """toy/both was never made; with another count, the two others are stale."""
    project = Project(settings)
    store = project.store
    for key in ("toy/letters", "toy/upper"):
        make(store, toy_graph()[key])
    project.graph = graph = toy_graph(count=count)

    def execute(project: Project, selected: set[str], console: running.Console, run_id: str) -> None:
        for key in [key for key in graph if key in selected]:
            console.made(key, make(store, graph[key]).manifest, False)

    monkeypatch.setattr(running, "check_requirements", lambda *_: None)
    monkeypatch.setattr("o1_assets.orchestration.execute.execute", execute)
    done = running.run(project, include_missing=False)
    assert (done.computed, done.cached) == (computed, cached)


def test_where_there_is_no_report_yet_it_says_what_is_missing_for_it(settings: Settings) -> None:
    """Rounds may have been finished: the report is about all of them."""
    project = Project(settings)
    assert running.no_report(project, {"r01/label_batches": "rate them", "mini/sft_set": "?"}) == (
        "no report yet: eval/summary, which it is written from, waits for r01/label_batches"
    )
    assert running.no_report(project, {}).endswith("was never made; `o1 run` makes it")
    done = CliRunner().invoke(app, ["refresh"], catch_exceptions=False)
    assert "no round" not in done.stdout and running.no_report(project, {}) in done.stdout


def test_the_table_says_what_the_headline_s_own_rule_says(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = {
        "up": headline(0.5, target=0.5),
        "down": headline(0.6, target=0.5, better="lower"),
        "none": headline(1.0),
    }
    print_headline(Project(settings), rows)
    said = capsys.readouterr().out
    assert said.count(" met") == 1 and said.count("missed") == 1
    monkeypatch.setattr("o1_assets.evaluation.headline.met", lambda figure: False)
    print_headline(Project(settings), rows)
    assert capsys.readouterr().out.count("missed") == 3
