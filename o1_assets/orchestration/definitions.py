"""Everything that Dagster shows and runs for one project: graph, resources, jobs and sensors together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import dagster as dg

from jobs.jobs import jobs
from o1_assets.core.artifact import Artifact
from o1_assets.core.formatting import figure_text
from o1_assets.execution.progress import watcher
from o1_assets.execution.project import Project
from o1_assets.execution.status import graph_status
from o1_assets.labels.studio.client import labeling_home
from o1_assets.labels.studio.pull import studio_pull
from o1_assets.orchestration.alerts import alert_target
from o1_assets.orchestration.assets import checks_beside, report_asset, to_asset
from o1_assets.orchestration.keys import asset_key
from o1_assets.orchestration.records import report_unknown
from o1_assets.orchestration.story import chapters
from o1_assets.profiles.requirements import check_requirements
from o1_assets.store.scratch import tidy
from o1_assets.store.store import ArtifactStore
from resources.compute import executor, set_pools
from resources.engine import EngineResource
from resources.exclusive import exclusive
from resources.label_studio import LabelStudioResource
from resources.numbers import NumbersResource
from resources.store import StoreResource
from sensors.alerts import alert_sensors
from sensors.label_batches import label_batches_sensor
from sensors.recovery import fail_killed_runs


def build_definitions(project: Project, *, pictures: bool = False) -> dg.Definitions:
    """The definitions of one project: the loop, and the optional parts that the project loads.

    pictures: whether descriptions show plots, which `o1 ui` serves. Raises ProfileError, and MissingRequirement
    without the executor's packages.
    """
    profile, settings, graph = project.profile, project.settings, project.loaded
    numbered = chapters(graph)
    studio = LabelStudioResource(home=str(labeling_home(settings)))

    def clean_up(instance: dg.DagsterInstance) -> None:
        # Runs that were killed first: a pool's slots are freed only of runs that Dagster knows to have ended.
        fail_killed_runs(instance, project.lock)
        tidy(project.store)
        report_unknown(instance, graph, project.store)
        set_pools(instance, profile)

    def check(keys: set[str]) -> None:
        fresh = {key for key, s in graph_status(graph, project.store).items() if s.state == "fresh"}
        check_requirements(profile, settings, graph, (keys & graph.keys()) - fresh)

    return dg.Definitions(
        assets=[
            *(to_asset(artifact, project, numbered, pictures=pictures) for artifact in graph.values()),
            report_asset(project, numbered),
        ],
        asset_checks=checks_beside(graph.values()),
        jobs=jobs({artifact.part for artifact in graph.values()}),
        sensors=[
            label_batches_sensor(project, studio_pull(settings, profile, project.store, studio.open)),
            *(alert_sensors(project, target) if (target := alert_target()) else ()),
        ],
        resources={
            "store": StoreResource(url=settings.store, work=str(settings.work)),
            "engine": EngineResource(name=profile.engine),
            "numbers": NumbersResource(),
            "label_studio": studio,
        },
        executor=exclusive(
            executor(profile), project.lock, clean_up, check, relay(graph, lambda: project.store)
        ),
    )


def relay(
    graph: Mapping[str, Artifact], open_store: Callable[[], ArtifactStore]
) -> Callable[[dg.DagsterEvent], None]:
    """A function that tells this process's watcher of each event of a run whose steps compute in other processes.

    Without a watcher it does nothing. Of a step's progress it hears the figures of trainings (`live_curve`); lines are
    in Dagster's log and no events.
    """
    waiting: set[str] = set()
    artifact_keys = {asset_key(key): key for key in graph}

    def tell(event: dg.DagsterEvent) -> None:
        watch = watcher()
        if watch is None:
            return
        # Dagster allows no slash in the name of a step (`to_asset` replaces it).
        key = str(event.step_key).replace("__", "/")
        if event.event_type == dg.DagsterEventType.STEP_START and key in graph:
            watch.started(key)
        elif event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION and key in graph:
            metadata = event.materialization.metadata
            version, cache = _value(metadata, "manifest"), _value(metadata, "cache")
            watch.made(key, open_store().manifest(key, version), cache == "hit")
        elif event.event_type == dg.DagsterEventType.ASSET_OBSERVATION and key in graph:
            watch.line(key, _progress(event.asset_observation_data.asset_observation.metadata))
        elif event.event_type == dg.DagsterEventType.STEP_FAILURE and key in graph:
            watch.failed(key, failure_message(event))
        elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            checked, why = artifact_keys[check.asset_key], check.description or ""
            if _value(check.metadata, "waits"):
                if checked not in waiting:  # all checks of an artifact that waits have the same message
                    watch.waits(checked, why)
                waiting.add(checked)
            elif not check.passed:
                watch.check_failed(checked, check.check_name, why)

    return tell


def _progress(metadata: Mapping[str, Any]) -> str:
    """The figures of a training under way, as in "update 200, loss 0.41"."""
    return ", ".join(f"{name} {figure_text(_value(metadata, name), '.3g')}" for name in metadata)


def failure_message(event: dg.DagsterEvent) -> str:
    """Why a step failed."""
    error = event.step_failure_data.error
    cause = error.cause if error and error.cause else error
    message = cause.message.strip() if cause else "failed"
    # An error of this project says everything in its sentence.
    return message.partition(": ")[2] if message.startswith("o1_assets.") else message


def _value(metadata: Any, name: str) -> Any:
    entry = metadata.get(name)
    return getattr(entry, "value", entry)
