"""The recipes of ARCHITECTURE.md: a stage and an experiment are a folder and a line, and everything else follows.

They are added from another package, so that nothing of this one can know them.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from o1_assets.audit.audit import Today, audit
from o1_assets.core.settings import Settings
from o1_assets.execution.environment import environment
from o1_assets.execution.project import Project
from o1_assets.execution.status import graph_status
from o1_assets.graph import build_graph
from o1_assets.plan.plan import make_plan
from tests.execution.toy import make

STAGE = """
import json

import polars as pl

from o1_assets.core.artifact import Artifact, Outcome, StageConfig
from o1_assets.core.estimate import Estimate


class LengthsConfig(StageConfig):
    longest: int = 30


def artifacts(profile):
    return [
        Artifact(
            key="lengths/test",
            compute=make_lengths,
            config=LengthsConfig(),
            inputs={"test": "problems/test"},
            description="How long the held-out questions are.",
            group="lengths",
            seed=profile.seed_of("lengths/test"),
            estimate=estimate_lengths,
        )
    ]


def make_lengths(task, config):
    questions = pl.read_parquet(task.inputs["test"] / "problems.parquet")["question"]
    lengths = [min(len(question), config.longest) for question in questions]
    (task.out / "lengths.json").write_text(json.dumps(lengths))
    return Outcome(figures={"longest": max(lengths)}, rows=len(lengths))


def estimate_lengths(context, config):
    return Estimate(stored=4.0 * context["test"].problems)
"""

EXPERIMENT = """
import json
from dataclasses import replace

from o1_assets.core.artifact import Outcome, StageConfig
from o1_assets.experiments.experiment import Arm, Experiment, Training, experiment_artifacts
from o1_assets.experiments.variants import variant
from outside import lengths


class CutConfig(StageConfig):
    arms: tuple[str, ...] = ("short", "long")


def artifacts(profile):
    def train(limit):
        def once(seed):
            [stage] = lengths.artifacts(profile)
            arm = replace(stage, config=lengths.LengthsConfig(longest=limit))
            made = variant(f"ablations/cut/at_{limit}_{seed}", [arm], profile.seed_of, f"Cut at {limit}.")
            return Training(made, {"": made[0].key})

        return once

    arms = [Arm("short", "cut early", train(10), 1), Arm("long", "cut late", train(25), 1)]
    experiment = Experiment("cut", "Does the limit matter?", arms, make_result, CutConfig(), {"main": "lengths/test"})
    return experiment_artifacts(experiment, profile)


def make_result(task, config):
    longest = {
        arm: max(json.loads((task.inputs[f"{arm}_0"] / "lengths.json").read_text())) for arm in config.arms
    }
    (task.out / "result.json").write_text(json.dumps(longest))
    return Outcome(figures=longest)
"""

RESULT = "ablations/cut/result"

ADDED = {"lengths/test", "ablations/cut/at_10_0/lengths/test", "ablations/cut/at_25_0/lengths/test", RESULT}


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """The functions that declare the artifacts of the stage and of the experiment."""
    package = tmp_path / "packages" / "outside"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "lengths.py").write_text(STAGE)
    (package / "cut.py").write_text(EXPERIMENT)
    monkeypatch.syspath_prepend(str(package.parent))
    yield [importlib.import_module(f"outside.{name}").artifacts for name in ("lengths", "cut")]
    for name in [name for name in sys.modules if name.partition(".")[0] == "outside"]:
        del sys.modules[name]


@pytest.fixture
def project(tmp_path: Path, outside: list[Any]) -> Project:
    """nano with ten held-out problems, and the two additions: what the lines in graph.py do."""
    project = Project(Settings("nano", tmp_path / "home"), "problems.train=10\nproblems.test=10")
    project.graph = build_graph(project.profile, project.settings, extra=outside)
    return project


def make_added(project: Project) -> None:
    """Makes what was added, and the one input that it has of the graph."""
    for key, artifact in project.graph.items():
        if key in ADDED | {"problems/test"}:
            make(project.store, artifact)


def test_it_is_made_found_again_and_shown_by_the_status(project: Project) -> None:
    assert project.graph.keys() >= ADDED
    make_added(project)
    made = make(project.store, project.graph[RESULT])
    assert made.cached and made.manifest.figures == {"short": 10, "long": 25}
    states = graph_status(project.graph, project.store)
    assert {states[key].state for key in ADDED} == {"fresh"}
    assert states["base/model"].state == "missing"


def test_a_change_of_its_configuration_makes_it_and_what_is_made_from_it_stale(project: Project) -> None:
    make_added(project)
    stage = project.graph["lengths/test"]
    changed = stage.config.model_copy(update={"longest": 12})
    project.graph["lengths/test"] = replace(stage, config=changed)
    states = graph_status(project.graph, project.store)
    stale = {key for key in ADDED if states[key].state == "stale"}
    assert stale == {"lengths/test", RESULT}, "the arms have a configuration of their own"
    assert "longest" in states["lengths/test"].reason


def test_it_is_planned_and_an_arm_has_the_estimate_of_its_stage(project: Project) -> None:
    plan = make_plan(project.profile, project.graph, ["ablations"])
    assert not ADDED & set(plan.unknown)
    assert plan.made["lengths/test"].stored == plan.made["ablations/cut/at_10_0/lengths/test"].stored == 40
    assert "lengths/test" in make_plan(project.profile, project.graph).made, "it belongs to every run"
    assert RESULT not in make_plan(project.profile, project.graph).made, (
        "an experiment is made when asked for"
    )


def test_its_ancestry_is_audited(project: Project) -> None:
    make_added(project)
    today = Today(project.graph, environment(threads=1))
    result = audit(project.store, RESULT, today=today)
    assert not result.broken
    assert {version.key for version in result.versions} == ADDED | {"problems/test"}
    assert not any(version.remarks for version in result.versions), (
        "today's code and configuration are the same"
    )
