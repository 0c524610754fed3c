"""Finds what the sensor's last run left undone. Runs are found by their tags, so a killed daemon forgets nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import dagster as dg

from o1_assets.core.artifact import Artifact
from o1_assets.execution.run_lock import RunLock
from o1_assets.execution.status import behind, makeable
from o1_assets.labels.inbox.progress import batches_key
from o1_assets.store.store import ArtifactStore

SENSOR_TAG, ROUNDS_TAG, ATTEMPT_TAG = "o1/sensor", "o1/rounds", "o1/attempt"

# Delays after which a failed run is requested again. After the last one only a new batch or a person starts another.
RETRY_AFTER_SECONDS = (60.0, 600.0)


@dataclass(frozen=True)
class FailedRun:
    """What a failed run left undone. rounds: those that it was for; empty if nothing is left. attempt: its number.

    due: whether it is time to try again. why: the reason if it is not.
    """

    rounds: frozenset[str] = frozenset()
    attempt: int = 0
    due: bool = False
    why: str = ""


def last_run(instance: dg.DagsterInstance, sensor: str) -> dg.RunRecord | None:
    """The newest run that the sensor asked for."""
    records = instance.get_run_records(dg.RunsFilter(tags={SENSOR_TAG: sensor}), limit=1)
    return records[0] if records else None


def failed_run(last: dg.RunRecord | None, graph: Mapping[str, Artifact], store: ArtifactStore) -> FailedRun:
    """What is left of a failed run; nothing if another run has done its work since."""
    # A run that somebody cancelled did not fail, so it is not started again behind their back.
    if last is None or last.dagster_run.status != dg.DagsterRunStatus.FAILURE:
        return FailedRun()
    tags, run_id = last.dagster_run.tags, last.dagster_run.run_id[:8]
    # The profile may have fewer rounds than when the run was asked for.
    rounds = frozenset(name for name in tags.get(ROUNDS_TAG, "").split(",") if batches_key(name) in graph)
    if not behind(graph, store, makeable(graph, store, {batches_key(name) for name in rounds})):
        return FailedRun()
    # Somebody who starts a run by hand may give it these tags in any form.
    number = tags.get(ATTEMPT_TAG, "")
    attempt = int(number) if number.isdecimal() else len(RETRY_AFTER_SECONDS) + 1
    # Dagster's word for a run that a signal ended, as closing the UI does. That says nothing against the run, so it
    # is no attempt.
    if tags.get("dagster/failure_reason") == "UNEXPECTED_TERMINATION":
        attempt = max(0, attempt - 1)
    if attempt > len(RETRY_AFTER_SECONDS):
        why = f"run {run_id} failed, {attempt} times in all; `o1 run` or a new batch tries again"
        return FailedRun(rounds, attempt, False, why)
    remaining = RETRY_AFTER_SECONDS[max(0, attempt - 1)] - (time.time() - (last.end_time or 0.0))
    if remaining > 0:
        return FailedRun(
            rounds, attempt, False, f"run {run_id} failed; it is tried again in {remaining:.0f} s"
        )
    return FailedRun(rounds, attempt, True)


def fail_killed_runs(instance: dg.DagsterInstance, lock: RunLock) -> None:
    """Marks runs whose process was killed as failed."""
    # Dagster leaves a run whose process was killed with its server "started" for ever; the sensor would wait for it.
    for run_id in lock.killed():
        run = instance.get_run_by_id(run_id)
        if run is not None and not run.is_finished:
            instance.report_run_failed(run, "its process was killed; what it had finished is kept")
        lock.forget(run_id)
