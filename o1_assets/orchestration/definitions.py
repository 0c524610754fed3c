"""Everything that Dagster shows and runs for one project: graph, resources, jobs and sensors together."""

from __future__ import annotations

import dagster as dg

from jobs.jobs import JOBS
from o1_assets.execution.project import Project
from o1_assets.execution.status import graph_status
from o1_assets.labels.studio.client import labeling_home
from o1_assets.labels.studio.pull import studio_pull
from o1_assets.orchestration.assets import checks_beside, report_asset, to_asset
from o1_assets.orchestration.execute import relay
from o1_assets.orchestration.records import report_unknown
from o1_assets.profiles.requirements import check_requirements
from o1_assets.store.scratch import tidy
from resources.compute import executor, set_pools
from resources.engine import EngineResource
from resources.exclusive import exclusive
from resources.label_studio import LabelStudioResource
from resources.store import StoreResource
from sensors.label_batches import label_batches_sensor
from sensors.recovery import fail_killed_runs


def build_definitions(project: Project) -> dg.Definitions:
    """The definitions of one project. Raises ProfileError, and MissingRequirement without the executor's packages."""
    profile, settings, graph = project.profile, project.settings, project.graph
    studio = LabelStudioResource(home=str(labeling_home(settings)))

    def put_in_order(instance: dg.DagsterInstance) -> None:
        fail_killed_runs(instance, project.lock)
        tidy(project.store)
        report_unknown(instance, graph, project.store)
        set_pools(instance, profile)

    def check(keys: set[str]) -> None:
        fresh = {key for key, s in graph_status(graph, project.store).items() if s.state == "fresh"}
        check_requirements(profile, settings, (keys & graph.keys()) - fresh)

    return dg.Definitions(
        assets=[*(to_asset(artifact, profile) for artifact in graph.values()), report_asset(project)],
        asset_checks=checks_beside(graph.values()),
        jobs=JOBS,
        sensors=[label_batches_sensor(project, studio_pull(settings, profile, project.store, studio.open))],
        resources={
            "store": StoreResource(url=settings.store, work=str(settings.work)),
            "engine": EngineResource(name=profile.engine),
            "label_studio": studio,
        },
        executor=exclusive(
            executor(profile), project.lock, put_in_order, check, relay(graph, lambda: project.store)
        ),
    )
