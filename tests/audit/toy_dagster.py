"""The toy graph of three text files, run by Dagster as `o1 run` runs the real one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import dagster as dg

from o1_assets.core.artifact import Artifact
from o1_assets.core.settings import Settings
from o1_assets.execution.project import Project
from o1_assets.orchestration.definitions import build_definitions
from o1_assets.orchestration.keys import asset_key
from o1_assets.store.store import ArtifactStore


def toy_settings(home: Path) -> Settings:
    return Settings("nano", home)


def toy_store(home: Path) -> ArtifactStore:
    settings = toy_settings(home)
    return ArtifactStore(settings.store, settings.work)


def run_toy(
    home: Path,
    graph: Mapping[str, Artifact],
    instance: dg.DagsterInstance,
    only: list[str] | None = None,
    told: bool = True,
) -> dg.ExecuteInProcessResult:
    """only: the keys to make, all without it. told: whether Dagster is first told of what it does not know."""
    from o1_assets.orchestration.records import report_unknown

    project = Project(toy_settings(home), "")
    project.graph = dict(graph)
    if told:
        report_unknown(instance, graph, project.store)
    job = build_definitions(project).resolve_implicit_global_asset_job_def()
    keys = [asset_key(key) for key in (only or graph)]
    return job.execute_in_process(instance=instance, asset_selection=keys, raise_on_error=False)
