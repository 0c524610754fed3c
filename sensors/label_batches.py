"""One sensor for all rounds: new label batches in the inbox re-run what depends on those rounds' labels.

At least once by design, effectively once: the version of the inbox that a round was made of stands in its
manifest, so what was taken in is no news, whoever took it in; and what is asked for twice is found in the store.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import dagster as dg

from o1_assets.core.artifact import Artifact
from o1_assets.execution.project import Project
from o1_assets.execution.status import makeable
from o1_assets.labels.inbox.progress import Arrivals, IncompleteRound, arrivals, batches_key
from o1_assets.labels.label_batches import CHECKS
from o1_assets.store.digest import sha256_json
from o1_assets.store.store import ArtifactStore
from sensors.recovery import (
    ATTEMPT_TAG,
    ROUNDS_TAG,
    SENSOR_TAG,
    Leftover,
    fail_killed_runs,
    last_run,
    leftover,
)

NAME = "label_batches"


INTERVAL_SECONDS = 15


Pull = Callable[[], object]


def label_batches_sensor(project: Project, pull: Pull | None = None) -> dg.SensorDefinition:
    """pull: fetches labels from elsewhere into the inbox; called first in every tick. Its failure stops nothing.

    A tick compares the inbox with the manifests in the store and never parses labels. It waits for a run that is
    at work; then all rounds with news make one run over what is made from their batches. A run of this sensor
    that failed is asked for again, twice and later and later, unless somebody made what it left undone.
    """
    graph, store, lock = project.graph, project.store, project.lock

    @dg.sensor(
        name=NAME,
        asset_selection="*",
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Requests one run for all rounds whose label batches in the inbox are not in their labels yet.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        if pull is not None:
            _pull(pull, context)
        fail_killed_runs(context.instance, lock)
        last = last_run(context.instance, NAME)
        if last is not None and not last.dagster_run.is_finished:
            return dg.SkipReason(f"run {last.dagster_run.run_id[:8]} is not finished; its end is waited for")
        if lock.busy():
            return dg.SkipReason("another run is at work; its end is waited for")

        news = arrivals(graph, store, project.inbox)
        left = leftover(last, graph, store)
        seen = _Seen.of(context.cursor)
        asked = {name for name, version in news.ready.items() if seen.asked.get(name) != version}
        shown = {name: short.version for name, short in news.waiting.items()}
        if not asked and not left.due:
            return dg.SensorResult(
                skip_reason=_nothing_to_do(news, left),
                cursor=_Seen(seen.asked, shown).cursor(),
                asset_events=[
                    _progress(name, short)
                    for name, short in news.waiting.items()
                    if seen.shown.get(name) != short.version
                ],
            )
        rounds = sorted(asked | left.rounds)
        # With a new batch the attempts are counted from one again.
        attempt = 1 if asked else left.attempt + 1
        cursor = _Seen({**seen.asked, **news.ready}, seen.shown).cursor()
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(
                    # A daemon killed halfway cannot start the same run twice; after another run the same can.
                    run_key=sha256_json([rounds, attempt, cursor, last.dagster_run.run_id if last else None]),
                    asset_selection=_selection(graph, store, rounds),
                    tags={SENSOR_TAG: NAME, ROUNDS_TAG: ",".join(rounds), ATTEMPT_TAG: str(attempt)},
                )
            ],
            cursor=cursor,
        )

    return sensor


@dataclass(frozen=True)
class _Seen:
    """The cursor: round -> version of its batches for which a run was asked, and whose progress was shown."""

    asked: dict[str, str]
    shown: dict[str, str]

    @classmethod
    def of(cls, cursor: str | None) -> _Seen:
        return cls(**json.loads(cursor)) if cursor else cls({}, {})

    def cursor(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)


def _progress(name: str, short: IncompleteRound) -> dg.AssetCheckEvaluation:
    """Shows in the UI how far a round is that waits for more labels; no run is needed for that."""
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey([name, "label_batches"]),
        check_name=CHECKS[0].name,
        passed=False,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{name} waits: {short.why}",
        metadata=short.figures,
    )


def _pull(pull: Pull, context: dg.SensorEvaluationContext) -> None:
    try:
        pull()
    except Exception:
        context.log.exception("pulling labels failed; what is in the inbox is looked at all the same")


def _nothing_to_do(news: Arrivals, left: Leftover) -> str:
    waiting = [f"{name} waits: {short.why}" for name, short in news.waiting.items()]
    return "; ".join([*([left.why] if left.why else []), *waiting]) or "no new label batches"


def _selection(graph: Mapping[str, Artifact], store: ArtifactStore, rounds: list[str]) -> list[dg.AssetKey]:
    """The rounds' batches and everything made from them. The report is not in the store, so not in the graph."""
    keys = makeable(graph, store, {batches_key(name) for name in rounds})
    report = ["eval/report"] if "eval/summary" in keys else []
    return [dg.AssetKey(key.split("/")) for key in [*keys, *report]]
