"""`o1 run` and `o1 refresh`: one Dagster run over what is missing or stale and everything made from it."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from o1_assets.cli.console import Console
from o1_assets.core.artifact import Artifact
from o1_assets.core.disk import disk_full
from o1_assets.core.errors import O1Error
from o1_assets.core.settings import PROJECT, Settings
from o1_assets.execution.ledger import RunRecord
from o1_assets.execution.progress import watched_by
from o1_assets.execution.run_lock import RunLock
from o1_assets.execution.status import Status, graph_status
from o1_assets.graph import asked_for, build_graph, descendants
from o1_assets.orchestration.devices import enough_devices
from o1_assets.profiles.load import load_profile
from o1_assets.profiles.needs import check_needs, require
from o1_assets.profiles.profile import Profile
from o1_assets.store.scratch import tidy
from o1_assets.store.store import ArtifactStore

if TYPE_CHECKING:
    from dagster import AssetKey, DagsterEvent, DagsterInstance, ExecuteInProcessResult, JobExecutionResult


class RunFailed(O1Error):
    """The run stopped at an artifact; the message says which and why."""


QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


TAGS = {"o1/command": "run"}


@dataclass(frozen=True)
class RunResult:
    """computed: artifacts whose function ran. cached: the others that are fresh. waiting: key -> what to do.

    reportable: the summary that a report needs was made, now or before.
    """

    computed: int
    cached: int
    waiting: dict[str, str]
    seconds: float
    reportable: bool = True


def run(settings: Settings, *, include_missing: bool = True, parts: Sequence[str] = ()) -> RunResult:
    """Brings the graph up to date, with the optional parts that are named.

    Raises RunFailed, what was finished before stays finished; Unmet, and what `_refuse` does, before anything is
    started.
    """
    _refuse(settings)
    settings.home.mkdir(parents=True, exist_ok=True)
    lock, run_id, said = RunLock(settings.lock), str(uuid.uuid4()), False

    def waiting() -> None:
        nonlocal said
        if not said:
            print(f"another run holds {settings.lock}; waiting for it to end", file=sys.stderr, flush=True)
        said = True

    with lock.hold(run_id, waiting):
        return _run(settings, include_missing, parts, run_id)


def _run(settings: Settings, include_missing: bool, parts: Sequence[str], run_id: str) -> RunResult:
    profile = load_profile(settings.profile)
    graph = build_graph(profile, settings)
    store = ArtifactStore(settings.store, settings.work)
    tidy(store)
    status = graph_status(graph, store)
    wanted = {
        key for key, s in status.items() if s.state == "stale" or (include_missing and s.state == "missing")
    }
    try:
        scope = asked_for(graph, parts)
    except ValueError as error:
        raise RunFailed(str(error)) from None
    selected = descendants(graph, wanted & scope) & scope
    if not include_missing:
        selected = {key for key in selected if status[key].state != "missing"}
    record = RunRecord(settings.runs)
    if not selected:
        return RunResult(0, _fresh(status, scope), {}, record.seconds, store.head("eval/summary") is not None)
    check_needs(profile, settings, selected)
    console = Console(len(selected), record)
    failure = _execute(settings, store, graph, profile, selected, console, run_id)
    record.write()
    if failure:
        raise RunFailed(failure)
    cached = _fresh(status, scope - selected) + console.done - console.computed
    reportable = store.head("eval/summary") is not None
    return RunResult(console.computed, cached, console.waiting, record.seconds, reportable)


def _fresh(status: Mapping[str, Status], keys: Iterable[str]) -> int:
    return sum(status[key].state == "fresh" for key in keys)


def _refuse(settings: Settings) -> None:
    """Says what cannot work before anything is started. Raises MissingExtra, DevicesMissing, RunFailed."""
    profile = load_profile(settings.profile)
    require(profile.executor)
    if settings.postgres:
        require("postgres", "O1_DAGSTER_POSTGRES")
    if profile.executor == "k8s":
        raise RunFailed(
            "executor=k8s hands its steps out from inside the cluster: launch the job `everything` in the Dagster "
            "that deploy/README.md installs there, or use --set executor=local, local-gpu or ray here"
        )
    if profile.executor == "local-gpu":
        enough_devices(profile)


def _execute(
    settings: Settings,
    store: ArtifactStore,
    graph: dict[str, Artifact],
    profile: Profile,
    selected: set[str],
    console: Console,
    run_id: str,
) -> str | None:
    """Runs the selection, in this process or from it; returns the failed step and its error, or None."""
    if profile.executor != "local" or profile.classes.of(profile.class_of_training).processes > 1:
        # What other processes find the graph by.
        os.environ["O1_PROFILE"], os.environ["O1_HOME"] = settings.profile, str(settings.home.parent)
    if profile.executor == "local":
        from o1_assets.execution.environment import prepare_compute

        prepare_compute(profile.threads)
        _import_libraries()
    from o1_assets.definitions import build_definitions
    from o1_assets.orchestration.assets import asset_key
    from o1_assets.orchestration.instance import instance_lost, open_instance
    from o1_assets.orchestration.records import report_unknown
    from resources.compute import set_pools
    from sensors.recovery import fail_killed_runs

    keys = [asset_key(key) for key in sorted(selected)]
    try:
        with open_instance(settings) as instance, watched_by(console):
            fail_killed_runs(instance, RunLock(settings.lock))
            result: ExecuteInProcessResult | JobExecutionResult
            if profile.executor == "local":
                report_unknown(instance, graph, store)
                set_pools(instance, profile)
                job = build_definitions(settings).resolve_implicit_global_asset_job_def()
                result = job.execute_in_process(
                    instance=instance,
                    run_id=run_id,
                    asset_selection=keys,
                    raise_on_error=False,
                    run_config=QUIET,
                    tags=TAGS,
                )
            else:
                with RunLock(settings.lock).lend():
                    result = _hand_out(instance, keys)
            failures = [_failure(event) for event in result.filter_events(lambda e: e.is_step_failure)]
    except Exception as error:
        if trouble := disk_full(error, settings.home) or instance_lost(error, settings):
            raise trouble from error
        raise
    if full := disk_full(RuntimeError("; ".join(failures)), settings.home):
        raise full
    if failures:
        return f"{'; '.join(failures)} (traceback: the Dagster UI, run {result.run_id})"
    return None if result.success else f"run {result.run_id} failed; see the Dagster UI"


def _hand_out(instance: DagsterInstance, keys: list[AssetKey]) -> JobExecutionResult:
    """The profile's executor starts the steps, each of which loads the definitions again, from the environment.

    What they report, it tells the console.
    """
    import dagster as dg

    os.environ.setdefault("TQDM_DISABLE", "1")  # what libraries draw in other processes
    from dagster._core.definitions.reconstruct import ReconstructableRepository

    graph = ReconstructableRepository.for_module(
        "o1_assets.definitions", "defs", working_directory=str(PROJECT)
    )
    job = graph.get_reconstructable_job("__ASSET_JOB")
    return dg.execute_job(job, instance, run_config=QUIET, tags=TAGS, asset_selection=keys)


def _failure(event: DagsterEvent) -> str:
    error = event.step_failure_data.error
    cause = error.cause if error and error.cause else error
    message = cause.message.strip() if cause else "failed"
    if message.startswith("o1_assets."):  # an error of ours says all in its sentence
        message = message.partition(": ")[2]
    return f"{str(event.step_key).replace('__', '/')}: {message}"


def _import_libraries() -> None:
    """Imported before any artifact starts, so that an artifact's seconds are its own."""
    from importlib import import_module

    import transformers

    for library in ("torch", "trl"):
        import_module(library)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
