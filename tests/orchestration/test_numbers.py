"""Numbers typed in the launchpad: one run's `--set`, recorded, and shown as stale by the profile afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from o1_assets.core.settings import Settings
from o1_assets.execution.project import Project
from o1_assets.execution.status import graph_status
from o1_assets.orchestration.definitions import build_definitions
from o1_assets.orchestration.keys import asset_key
from o1_assets.orchestration.records import CODE_VERSION, disagreement
from resources.numbers import NumbersResource

KEY = "problems/test"


def launch(project: Project, instance: dg.DagsterInstance, **numbers: Any) -> dg.ExecuteInProcessResult:
    config = {"resources": {"numbers": {"config": numbers}}} if numbers else None
    job = build_definitions(project).resolve_job_def("everything")
    return job.execute_in_process(
        instance=instance, asset_selection=[asset_key(KEY)], run_config=config, raise_on_error=False
    )


def test_they_hold_for_one_run_and_leave_what_it_made_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("o1_assets.orchestration.definitions.check_requirements", lambda *_: None)
    project = Project(Settings.load("nano", tmp_path), "problems.test=30", parts=())
    with dg.DagsterInstance.ephemeral(str(tmp_path)) as instance:
        for numbers, made, state in (({"set": ["problems.test=20"]}, 20, "stale"), ({}, 30, "fresh")):
            assert launch(project, instance, **numbers).success
            head = project.store.head(KEY)
            event = instance.get_latest_materialization_event(asset_key(KEY))
            assert head is not None and event is not None and event.asset_materialization is not None
            assert head.figures["problems"] == made and head.config["test"] == made
            assert graph_status(project.graph, project.store)[KEY].state == state
            tags = event.asset_materialization.tags or {}
            assert disagreement(head, tags) == ""
            [spec] = [
                s for s in build_definitions(project).resolve_all_asset_specs() if s.key == asset_key(KEY)
            ]
            assert (tags[CODE_VERSION] == spec.code_version) == (state == "fresh"), "Dagster shows the same"

        refused = launch(project, instance, set=["policy.updatess=3"])
        [failure] = refused.filter_events(lambda event: event.is_step_failure)
        assert "policy.updates" in str(failure.step_failure_data.error), "the nearest field is named"


def test_the_named_ones_are_fields_of_the_profile() -> None:
    numbers = NumbersResource(updates=3, learning_rate=1e-4, solutions=50, seed=7, set=["orm.updates=5"])
    profile = Project(Settings.load("nano"), numbers.assignments()).profile
    assert (profile.policy.updates, profile.policy.learning_rate, profile.seed) == (3, 1e-4, 7)
    assert profile.later_selection.solutions == 50 and profile.later_orm.updates == 5
    assert NumbersResource().assignments() == ""
