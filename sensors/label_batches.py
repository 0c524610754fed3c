"""One sensor for all rounds: new label batches in the inbox request a run of everything made from those labels.

It requests a run at least once, and effectively once. A round's manifest records the version of the inbox that the
round was made of, so batches that any run has used are no news. What is requested twice is found in the cache.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import dagster as dg
from pydantic import BaseModel, ConfigDict, ValidationError

from o1_assets.core.artifact import Artifact
from o1_assets.core.commands import with_profile
from o1_assets.execution.project import Project
from o1_assets.execution.status import makeable
from o1_assets.labels.config import LabelBatchesConfig
from o1_assets.labels.inbox.batch import DamagedBatch
from o1_assets.labels.inbox.progress import Arrivals, IncompleteRound, arrivals, batches_key
from o1_assets.labels.inbox.reader import UnreadableInbox
from o1_assets.labels.inbox.switches import DamagedSwitches
from o1_assets.labels.label_batches import CHECKS, INBOX_CHECK, inbox_finding
from o1_assets.orchestration.keys import asset_key
from o1_assets.store.digest import sha256_json
from o1_assets.store.store import ArtifactStore
from sensors.recovery import (
    ATTEMPT_TAG,
    ROUNDS_TAG,
    SENSOR_TAG,
    FailedRun,
    fail_killed_runs,
    failed_run,
    last_run,
)

NAME = "label_batches"
INTERVAL_SECONDS = 15
Pull = Callable[[], object]


def label_batches_sensor(project: Project, pull: Pull | None = None) -> dg.SensorDefinition:
    """pull: fetches labels from elsewhere into the inbox; called first in every tick. Its failure stops nothing.

    A tick compares the inbox with the manifests in the store and never parses labels. It waits for a run that is at
    work. Then it requests one run for all rounds with new batches, over everything that is made from them. A failed run
    of this sensor is requested twice more, after increasing delays, unless somebody has made what it left undone.
    """
    # No automation condition: those are edge-triggered and lose the edge when the requested run fails. This compares
    # states. Both together would start runs twice.
    latest, lock = project, project.lock

    @dg.sensor(
        name=NAME,
        asset_selection="*",
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Requests one run for all rounds whose label batches in the inbox are not in their labels yet.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        nonlocal latest
        if pull is not None:
            _pull(pull, context)
        fail_killed_runs(context.instance, lock)
        last = last_run(context.instance, NAME)
        if last is not None and not last.dagster_run.is_finished:
            return dg.SkipReason(f"run {last.dagster_run.run_id[:8]} is not finished; its end is waited for")
        if lock.busy():
            return dg.SkipReason("another run is at work; its end is waited for")

        try:
            # A round may have been switched to another annotator while this process was running.
            latest = latest.current()
            # Without the optional parts that this process has not loaded: it could not run them.
            graph, store = latest.loaded, latest.store
            news = arrivals(graph, store, latest.inbox)
        except (DamagedSwitches, DamagedBatch, UnreadableInbox) as error:
            context.log.warning(with_profile(str(error)))
            return dg.SkipReason(with_profile(str(error)))
        failed = failed_run(last, graph, store)
        before = _Cursor.parse(context.cursor, context.log.warning)
        # A round stays news until its run has made the label table; a run for it is requested once.
        new_rounds = {name for name, version in news.ready.items() if before.asked.get(name) != version}
        shown = {name: incomplete.version for name, incomplete in news.waiting.items()}
        notices = {name: sha256_json(lines) for name, lines in news.notices.items()}
        noticed = [
            _notices(graph, latest, name)
            for name in sorted({*notices, *before.notices})
            if notices.get(name) != before.notices.get(name) and batches_key(name) in graph
        ]
        if not new_rounds and not failed.due:
            return dg.SensorResult(
                skip_reason=_nothing_to_do(news, failed),
                cursor=_Cursor(asked=before.asked, shown=shown, notices=notices).to_json(),
                asset_events=noticed
                + [
                    _progress(name, incomplete)
                    for name, incomplete in news.waiting.items()
                    if before.shown.get(name) != incomplete.version
                ],
            )
        rounds = sorted(new_rounds | failed.rounds)
        # With a new batch the attempts are counted from one again.
        attempt = 1 if new_rounds else failed.attempt + 1
        cursor = _Cursor(asked={**before.asked, **news.ready}, shown=before.shown, notices=notices).to_json()
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(
                    # Dagster starts no run with a key that it has seen. A daemon that is killed after it started the
                    # run and before it saved the cursor asks with the same key; the last run's id makes it another
                    # key once that run has ended.
                    run_key=sha256_json([rounds, attempt, cursor, last.dagster_run.run_id if last else None]),
                    asset_selection=_selection(graph, store, rounds),
                    tags={SENSOR_TAG: NAME, ROUNDS_TAG: ",".join(rounds), ATTEMPT_TAG: str(attempt)},
                )
            ],
            cursor=cursor,
            asset_events=noticed,
        )

    return sensor


class _Cursor(BaseModel):
    """asked: round -> version of its batches for which a run was requested. shown: round -> version last shown.

    notices: round -> digest of the notices last shown.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    asked: dict[str, str] = {}
    shown: dict[str, str] = {}
    notices: dict[str, str] = {}

    @classmethod
    def parse(cls, cursor: str | None, warn: Callable[[str], object]) -> _Cursor:
        """The cursor that a tick left. One that is not ours is replaced by an empty one, and `warn` is told.

        An empty cursor is safe: what was requested before is found in the cache.
        """
        if not cursor:
            return cls()
        try:
            return cls.model_validate_json(cursor)
        except ValidationError:  # in the UI anybody may type a cursor
            warn(
                f"the cursor {cursor[:80]!r} was not written by this sensor, so it starts with an empty one: "
                "batches that were requested and are not in their labels yet are requested again"
            )
            return cls()

    def to_json(self) -> str:
        return json.dumps(self.model_dump(), sort_keys=True)


def _progress(name: str, incomplete: IncompleteRound) -> dg.AssetCheckEvaluation:
    """Shows in the UI the progress of a round that waits for more labels, without a run."""
    return dg.AssetCheckEvaluation(
        asset_key=asset_key(batches_key(name)),
        check_name=CHECKS[0].name,
        passed=False,
        severity=dg.AssetCheckSeverity.WARN,
        description=with_profile(f"{name} waits: {incomplete.why}"),
        metadata={**incomplete.figures, "waits": True},
    )


def _notices(graph: Mapping[str, Artifact], project: Project, name: str) -> dg.AssetCheckEvaluation:
    """Shows in the UI what is damaged in the inbox, or is kept and not used, without a run."""
    config = graph[batches_key(name)].config
    assert isinstance(config, LabelBatchesConfig)
    finding = inbox_finding(project.inbox, config)
    return dg.AssetCheckEvaluation(
        asset_key=asset_key(batches_key(name)),
        check_name=INBOX_CHECK,
        passed=finding.passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=with_profile(finding.message),
        metadata=finding.figures,
    )


def _pull(pull: Pull, context: dg.SensorEvaluationContext) -> None:
    try:
        pull()
    except Exception:  # whatever is wrong elsewhere, batches in the inbox must not wait for it
        context.log.exception("pulling labels failed; what is in the inbox is looked at all the same")


def _nothing_to_do(news: Arrivals, failed: FailedRun) -> str:
    waiting = [f"{name} waits: {incomplete.why}" for name, incomplete in news.waiting.items()]
    notices = [notice for of_round in news.notices.values() for notice in of_round]
    why = [*([failed.why] if failed.why else []), *waiting] or ["no new label batches"]
    return with_profile("; ".join([*why, *notices]))


def _selection(graph: Mapping[str, Artifact], store: ArtifactStore, rounds: list[str]) -> list[dg.AssetKey]:
    """The rounds' batches and everything made from them."""
    keys = makeable(graph, store, {batches_key(name) for name in rounds})
    # The report is not in the store, so it is not in the graph either.
    report = ["eval/report"] if "eval/summary" in keys else []
    return [asset_key(key) for key in [*keys, *report]]
