"""`o1 plan` as a person and a program meet it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from o1_assets.base.config import BaseConfig
from o1_assets.cli import plan as planning
from o1_assets.core.artifact import Cost, Outcome, Task
from o1_assets.core.settings import Settings
from o1_assets.execution.project import Project
from o1_assets.graph import build_graph
from o1_assets.plan import PlanError
from o1_assets.profiles.load import load_profile
from o1_assets.store.store import ArtifactStore
from tests.execution.toy import make

COMMAND = """
import sys
from o1_assets.cli import main
try:
    main()
finally:
    heavy = {"torch", "transformers", "dagster"} & set(sys.modules)
    assert not heavy, heavy
"""


def base_like(task: Task, config: BaseConfig) -> Outcome:
    """As much training as nano's base takes, and as many bytes."""
    (task.out / "model.json").write_text(json.dumps("x" * 1_500_000))
    tokens = 5_020_000
    return Outcome(cost=Cost(flops=6.0 * 369_504 * tokens, tokens_trained=tokens))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A home in which nothing but nano's base was made."""
    found = Settings.load("nano", tmp_path)
    artifact = build_graph(load_profile("nano", ""), found)["base/model"]
    make(ArtifactStore(found.store, found.work), replace(artifact, compute=base_like, inputs={}))
    return found


def test_it_imports_nothing_heavy_and_prints_json(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            "-c",
            COMMAND,
            "plan",
            "--gpu",
            "a100",
            "--utilisation",
            "0.5",
            "--json",
        ],
        env={**os.environ, "O1_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["total"]["hours"] == pytest.approx(said["total"]["flops"] / (0.5 * 312e12) / 3600)
    assert said["no_estimate"] == [] and "phase 2  policy" in said["stages"]
    assert not (tmp_path / "nano").exists()


def test_the_tables_fit_together(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    made, speed = planning.plan(Project(settings), (), "h100", 0.3, ())
    planning.print_plan(made, speed)
    shown = capsys.readouterr().out
    assert "phase 1" in shown and "NVIDIA H100 datasheet" in shown and "cannot fill a GPU" in shown
    assert "Nobody is asked for ratings" in shown


def test_writing_takes_longer_than_all_else_unless_a_utilisation_is_stated(settings: Settings) -> None:
    _, speed = planning.plan(Project(settings), (), "a100", None, ())
    written = 2.0 * 1_310_000_000 * 1e6
    assert speed.hours(written, 1e6, 1_310_000_000) == pytest.approx(written / (0.05 * 312e12) / 3600)
    assert speed.hours(3 * written, 1e6, 1_310_000_000) == pytest.approx(
        speed.hours(written, 1e6, 1_310_000_000) + 2 * written / (0.3 * 312e12) / 3600
    )
    # Published rates (docs/qwen.md), in tokens a second written on an A100 and on an H100.
    for gpu, parameters, published in (("a100", 1.31e9, 6305), ("a100", 6.5e9, 2299), ("h100", 31.2e9, 1176)):
        rate = (
            1e6
            / planning.plan(Project(settings), (), gpu, None, ())[1].hours(
                2 * parameters * 1e6, 1e6, int(parameters)
            )
            / 3600
        )
        assert rate == pytest.approx(published, rel=0.4)


def test_on_this_machine_hours_are_those_measured_here(settings: Settings) -> None:
    _, speed = planning.plan(Project(settings), (), "cpu", 0.3, ())
    (seconds,) = planning.check(Project(settings), ())[1].seconds.values()
    assert speed.hours(6 * 369_504 * 5_020_000) == pytest.approx(seconds / 3600)
    assert "measured on the runs in this store" in speed.words
    elsewhere = Settings.load("nano", settings.home.parent / "empty")
    assert "nothing was run here yet" in planning.plan(Project(elsewhere), (), "cpu", 0.3, ())[1].words


def test_a_check_compares_what_was_made_with_today_s_numbers_only(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared, taken = planning.check(Project(settings), ())
    assert list(taken.made) == ["base/model"] and len(taken.left_out) > 90
    assert {one.stage for one in compared} == {"base/model", "all"} and all(one.good for one in compared)
    assert planning.verdict(compared).startswith("All 6 figures are within")
    wrong, _ = planning.check(Project(settings), ("corpus_tokens=100",))
    assert "worst: tokens trained on of base/model, by 2.39" in planning.verdict(wrong)
    monkeypatch.setenv("O1_SET", "base.batch_size=16")
    with pytest.raises(PlanError, match="was made with this configuration"):
        planning.check(Project(settings), ())


@pytest.mark.parametrize(
    ("gpu", "utilisation", "parts", "why"),
    [
        ("h1000", 0.3, (), "no GPU 'h1000'"),
        ("h100", 0.0, (), "no share of the peak"),
        ("h100", 0.3, ("dreaming",), "'dreaming' is no optional part"),
    ],
)
def test_bad_input_is_one_sentence(
    tmp_path: Path, gpu: str, utilisation: float, parts: tuple[str, ...], why: str
) -> None:
    with pytest.raises(PlanError, match=why):
        planning.plan(Project(Settings.load("nano", tmp_path)), parts, gpu, utilisation, ())
