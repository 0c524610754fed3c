"""Two sensors that tell people elsewhere (O1_ALERT): of runs that failed, and of rounds that wait and checks that fail.

They exist only where O1_ALERT is set, and run in the daemon (`make ui`).
"""

from __future__ import annotations

import json
from typing import Any

import dagster as dg

from o1_assets.execution.project import Project
from o1_assets.orchestration.alerts import Alert, AlertFailed, send
from o1_assets.orchestration.keys import asset_key

INTERVAL_SECONDS = 30


def alert_sensors(project: Project, target: str) -> list[dg.SensorDefinition]:
    """target: as `alert_target` gives it."""
    profile = project.settings.profile

    @dg.run_failure_sensor(
        name="alert_run_failed",
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells O1_ALERT of each run that fails.",
    )
    def run_failed(context: dg.RunFailureSensorContext) -> None:
        from o1_assets.orchestration.definitions import failure_message

        run = context.dagster_run.run_id
        steps = [
            f"{str(step.step_key).replace('__', '/')}: {failure_message(step)}"
            for step in context.get_step_failure_events()
        ]
        why = " ".join(("; ".join(steps) or context.failure_event.message or "").split())[:500]
        text = f"o1, profile {profile}: run {run[:8]} failed: {why}"
        _send(Alert("run_failed", text, profile, run, run), target, context.log)

    @dg.sensor(
        name="alert_checks",
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells O1_ALERT once of each round that begins to wait for people, and of each check that fails.",
    )
    def checks(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        before: dict[str, str] = _parsed(context.cursor)
        alerts = {alert.subject: alert for alert in failed_checks(project, context.instance)}
        # A round that goes on waiting is no news, whatever has come in; a check is news once for each run.
        now = {subject: alert.run or "" for subject, alert in alerts.items()}
        sent = dict(before)
        for subject, alert in alerts.items():
            if before.get(subject) != now[subject] and _send(alert, target, context.log):
                sent[subject] = now[subject]
        cursor = {subject: sent[subject] for subject in alerts if subject in sent}
        return dg.SensorResult(
            skip_reason=f"{len(alerts)} checks to be told of", cursor=json.dumps(cursor, sort_keys=True)
        )

    return [run_failed, checks]


def failed_checks(project: Project, instance: dg.DagsterInstance) -> list[Alert]:
    """An alert for each round that waits now, and for each serious check whose newest result is a failure."""
    keys = {
        dg.AssetCheckKey(asset_key(artifact.key), check.name): (artifact.key, check)
        for artifact in project.loaded.values()
        for check in artifact.checks
    }
    records = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(keys))
    profile, alerts, waiting = project.settings.profile, list[Alert](), set[str]()
    for check_key, (key, check) in keys.items():
        record = records.get(check_key)
        event = record.event.dagster_event if record is not None and record.event else None
        if record is None or event is None or event.event_type != dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            continue
        result = event.asset_check_evaluation_data
        if result.passed:
            continue
        why = result.description or f"{check.name} failed"
        if "waits" in result.metadata:
            if key not in waiting:  # all checks of what waits say the same
                alerts.append(Alert("round_waits", f"o1, profile {profile}: {why}", profile, key))
            waiting.add(key)
        elif result.severity == dg.AssetCheckSeverity.ERROR:
            text = f"o1, profile {profile}: {key} fails {check.name}: {why}"
            alerts.append(Alert("check_failed", text, profile, f"{key} {check.name}", record.run_id))
    return alerts


def _parsed(cursor: str | None) -> dict[str, str]:
    try:
        read = json.loads(cursor or "{}")
    except ValueError:  # in the UI anybody may type a cursor
        return {}
    return read if isinstance(read, dict) else {}


def _send(alert: Alert, target: str, log: Any) -> bool:
    """Whether it was delivered; what was not is tried again in the next tick, apart from failed runs."""
    try:
        send(alert, target)
    except AlertFailed as error:
        log.warning(str(error))
        return False
    log.info(f"told O1_ALERT: {alert.text}")
    return True
