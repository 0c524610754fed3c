"""What is told to whom, once: failed runs, rounds that wait, checks that fail."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from o1_assets.core.settings import BadSetting
from o1_assets.orchestration.alerts import Alert, AlertFailed, alert_target, send
from sensors.alerts import alert_sensors
from tests.sensors.stub import Lab, quiet_report

ALERT = Alert("round_waits", "r00 wartet auf Zoë", "nano", "r00/label_batches")


def told(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture
def command(tmp_path: Path) -> str:
    """A command that appends what it is given to told.jsonl."""
    return f'sh -c \'cat >> "{tmp_path}/told.jsonl"; echo >> "{tmp_path}/told.jsonl"\''


def test_a_round_that_waits_is_told_once_and_a_failed_run_by_its_error(
    tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet_report(monkeypatch)
    with dg.DagsterInstance.ephemeral() as instance:
        lab = Lab(tmp_path / "home", instance, 'annotator="human"')
        run_failed, checks = alert_sensors(lab.project, command)
        lab.broken.add("generator/samples")
        lab.run()
        run = instance.get_runs(limit=1)[0]
        (failure,) = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.PIPELINE_FAILURE)
        assert failure.dagster_event is not None
        context = dg.build_run_status_sensor_context("alert_run_failed", failure.dagster_event, instance, run)
        run_failed(context.for_run_failure())
        (first,) = told(tmp_path / "told.jsonl")
        assert first["event"] == "run_failed" and "generator/samples is broken" in first["text"]
        lab.broken.clear()
        lab.run()
        cursor = None
        for _ in range(2):
            answer = checks(dg.build_sensor_context(instance, cursor=cursor))
            assert isinstance(answer, dg.SensorResult)
            cursor = answer.cursor
        news = told(tmp_path / "told.jsonl")[1:]
        assert [alert["event"] for alert in news] == ["round_waits"]
        assert news[0]["subject"] == "r00/label_batches" and "r00 waits" in news[0]["text"]


class Webhook(BaseHTTPRequestHandler):
    status, bodies = 200, list[Any]()

    def do_POST(self) -> None:
        self.bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def webhook() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Webhook)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/services/secret"
    server.shutdown()
    server.server_close()


def test_a_webhook_gets_the_same_json_and_its_address_stays_secret(
    webhook: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(ALERT, webhook)
    assert Webhook.bodies[-1]["text"] == ALERT.text and Webhook.bodies[-1]["event"] == "round_waits"
    monkeypatch.setattr(Webhook, "status", 500)
    with pytest.raises(AlertFailed, match="answered 500") as failed:
        send(ALERT, webhook)
    with pytest.raises(AlertFailed, match="cannot be reached") as unreached:
        send(ALERT, "http://127.0.0.1:9/secret")
    assert "secret" not in str(failed.value) + str(unreached.value)


def test_one_setting_names_a_command_or_a_webhook(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AlertFailed, match="ended with 3"):
        send(ALERT, "sh -c 'exit 3'")
    for value, expected in {"": None, "https://a.b/c": "https://a.b/c", "sh -c true": "sh -c true"}.items():
        monkeypatch.setenv("O1_ALERT", value)
        assert alert_target() == expected
    monkeypatch.setenv("O1_ALERT", "no-such-program --token secret")
    with pytest.raises(BadSetting, match="neither the address of a webhook") as refused:
        alert_target()
    assert "secret" not in str(refused.value)
