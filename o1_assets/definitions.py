"""The one place where the graph, the resources, the jobs and the sensors meet."""

from __future__ import annotations

import os

import dagster as dg

from jobs.jobs import JOBS
from o1_assets.core.artifact import Artifact
from o1_assets.core.settings import Settings
from o1_assets.execution.run_lock import RunLock
from o1_assets.execution.status import graph_status
from o1_assets.graph import build_graph
from o1_assets.labels.studio.client import labeling_home
from o1_assets.labels.studio.pull import studio_pull
from o1_assets.orchestration.assets import report_asset, to_asset
from o1_assets.orchestration.checks import checks_beside
from o1_assets.orchestration.instance import wait_for_writers
from o1_assets.orchestration.records import report_unknown
from o1_assets.orchestration.relay import relay
from o1_assets.profiles.load import load_profile
from o1_assets.profiles.needs import check_needs
from o1_assets.profiles.profile import Profile
from o1_assets.store.scratch import tidy
from o1_assets.store.store import ArtifactStore
from resources.compute import executor, set_pools
from resources.engine import EngineResource
from resources.exclusive import exclusive
from resources.label_studio import LabelStudioResource
from resources.store import StoreResource
from sensors.label_batches import label_batches_sensor
from sensors.recovery import fail_killed_runs


def build_definitions(settings: Settings) -> dg.Definitions:
    """Everything Dagster shows and runs for one profile."""
    profile = load_profile(settings.profile)
    return definitions_of(build_graph(profile, settings), profile, settings)


def definitions_of(graph: dict[str, Artifact], profile: Profile, settings: Settings) -> dg.Definitions:
    studio = LabelStudioResource(home=str(labeling_home(settings)))

    def open_store() -> ArtifactStore:
        return ArtifactStore(settings.store, settings.work)

    def before(instance: dg.DagsterInstance) -> None:
        store = open_store()
        fail_killed_runs(instance, RunLock(settings.lock))
        tidy(store)
        report_unknown(instance, graph, store)
        set_pools(instance, profile)

    def check(keys: set[str]) -> None:
        fresh = {key for key, s in graph_status(graph, open_store()).items() if s.state == "fresh"}
        check_needs(profile, settings, (keys & graph.keys()) - fresh)

    return dg.Definitions(
        assets=[*(to_asset(artifact, profile) for artifact in graph.values()), report_asset(settings)],
        asset_checks=checks_beside(graph.values()),
        jobs=JOBS,
        sensors=[label_batches_sensor(graph, settings, studio_pull(settings, studio.open))],
        resources={
            "store": StoreResource(url=settings.store, work=str(settings.work)),
            "engine": EngineResource(name=profile.engine),
            "label_studio": studio,
        },
        executor=exclusive(
            executor(profile),
            RunLock(settings.lock),
            before,
            check,
            relay(graph, open_store),
        ),
    )


wait_for_writers()


# Dagster's own command-line tools import this module; where they start is not our business, the home is.
settings = Settings.load()


os.environ.setdefault("DAGSTER_HOME", str(settings.dagster_home()))


defs = build_definitions(settings)
