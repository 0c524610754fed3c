"""Runs a selection of artifacts as one Dagster run and reports its progress to a watcher."""

from __future__ import annotations

import gc
import os

import dagster as dg

from o1_assets.core.disk import disk_full
from o1_assets.execution.environment import prepare_compute
from o1_assets.execution.progress import Watcher, watched_by
from o1_assets.execution.project import Project
from o1_assets.orchestration.instance import instance_lost, open_instance
from o1_assets.orchestration.internals import reconstructable_job, shown_as_the_uis_own
from o1_assets.orchestration.keys import asset_key
from o1_assets.orchestration.libraries import import_libraries
from o1_assets.orchestration.records import report_unknown
from resources.compute import set_pools
from sensors.recovery import fail_killed_runs

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
TAGS = {"o1/command": "run"}


def execute(project: Project, selected: set[str], watch: Watcher, run_id: str) -> str | None:
    """Makes `selected` in one run, by the profile's executor. Returns the failed steps and their errors, or None.

    To be called under the project's lock. Raises DiskFull, InstanceLost.
    """
    profile, settings = project.profile, project.settings
    in_process = profile.executor == "local"
    if not in_process or profile.classes.of(profile.class_of_training).processes > 1:
        project.export_to_environment()
    if in_process:
        prepare_compute(profile.threads)
        import_libraries()
    try:
        with open_instance(settings) as instance, watched_by(watch):
            fail_killed_runs(instance, project.lock)
            result: dg.ExecuteInProcessResult | dg.JobExecutionResult
            if in_process:
                result = _run_here(project, instance, selected, run_id)
            else:
                with project.lock.lend():
                    result = _hand_out(instance, selected)
            failures = [_failure(event) for event in result.filter_events(lambda e: e.is_step_failure)]
    except Exception as error:
        if explained := disk_full(error, settings.home) or instance_lost(error, settings):
            raise explained from error
        raise
    if full := disk_full(RuntimeError("; ".join(failures)), settings.home):
        raise full
    if failures:
        return f"{'; '.join(failures)} (traceback: the Dagster UI, run {result.run_id})"
    return None if result.success else f"run {result.run_id} failed; see the Dagster UI"


def _run_here(
    project: Project, instance: dg.DagsterInstance, selected: set[str], run_id: str
) -> dg.ExecuteInProcessResult:
    """Runs all steps in this process: 0.06 s a step."""
    from o1_assets.orchestration.definitions import build_definitions

    report_unknown(instance, project.graph, project.store)
    set_pools(instance, project.profile)
    definitions = build_definitions(project)
    # Whoever looks for the run in the UI looks under the job; parts of the graph beside the loop belong to none.
    in_loop = all(not project.graph[key].part for key in selected)
    job = (
        definitions.resolve_job_def("everything")
        if in_loop
        else definitions.resolve_implicit_global_asset_job_def()
    )
    # transformers' Trainer collects garbage several times a training, and each time looked through the 680,000 objects
    # that the libraries hold: 0.4 s, more than a small training takes. At exit they are collected as ever, else
    # nanobind (duckdb) prints them as leaks.
    gc.freeze()
    try:
        with shown_as_the_uis_own(instance):
            return job.execute_in_process(
                instance=instance,
                run_id=run_id,
                asset_selection=[asset_key(key) for key in sorted(selected)],
                raise_on_error=False,
                run_config=QUIET,
                tags=TAGS,
            )
    finally:
        gc.unfreeze()


def _hand_out(instance: dg.DagsterInstance, selected: set[str]) -> dg.JobExecutionResult:
    """Lets the profile's executor start the steps. Each loads the definitions again, as the environment says.

    `definitions.relay` tells the watcher what they report.
    """
    os.environ.setdefault("TQDM_DISABLE", "1")  # the progress bars that libraries draw in other processes
    keys = [asset_key(key) for key in sorted(selected)]
    job = reconstructable_job()
    with shown_as_the_uis_own(instance):
        return dg.execute_job(job, instance, run_config=QUIET, tags=TAGS, asset_selection=keys)


def _failure(event: dg.DagsterEvent) -> str:
    from o1_assets.orchestration.definitions import failure_message

    return f"{str(event.step_key).replace('__', '/')}: {failure_message(event)}"
