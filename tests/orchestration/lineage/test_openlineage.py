"""What is made is told to a real listener, and what goes wrong there costs a run nothing."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from o1_assets.core.artifact import Outcome, Task, Waiting
from o1_assets.orchestration.lineage.observer import emitter
from tests.audit.toy_dagster import run_toy, toy_store
from tests.execution.toy import LettersConfig, toy_graph

client = pytest.importorskip("openlineage.client", reason="needs the extra `lineage`")


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral(str(tmp_path)) as made:
        yield made


@pytest.fixture
def listener() -> Iterator[tuple[str, list[tuple[str, dict[str, Any]]]]]:
    """Its address, and (path, event) of what was posted to it."""
    posted: list[tuple[str, dict[str, Any]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posted.append((self.path, json.loads(body)))
            self.send_response(201)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", posted
    server.shutdown()


def sent() -> None:
    to = emitter()
    assert to is not None and to.flush(20)


def read(event: dict[str, Any]) -> Any:
    """The event as the library's own types, which check run ids, times and addresses."""
    from openlineage.client.event_v2 import Job, Run, RunEvent, RunState

    run, job = event["run"], event["job"]
    return RunEvent(
        eventTime=event["eventTime"],
        producer=event["producer"],
        eventType=RunState(event["eventType"]),
        run=Run(run["runId"], run["facets"]),
        job=Job(job["namespace"], job["name"], job["facets"]),
    )


def test_each_artifact_starts_and_completes_with_its_inputs_and_output_by_digest(
    instance: dg.DagsterInstance,
    tmp_path: Path,
    listener: tuple[str, list[tuple[str, dict[str, Any]]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address, posted = listener
    monkeypatch.setenv("O1_OPENLINEAGE", address)
    result = run_toy(tmp_path, toy_graph(), instance)
    assert result.success
    sent()
    assert {path for path, _ in posted} == {"/api/v1/lineage"}
    events = [event for _, event in posted]
    assert [(e["job"]["name"], e["eventType"]) for e in events] == [
        (key, state) for key in toy_graph() for state in ("START", "COMPLETE")
    ]
    assert all(read(event).run.runId == event["run"]["runId"] for event in events)
    assert all(e["run"]["facets"]["parent"]["run"]["runId"] == result.run_id for e in events)
    runs = [e["run"]["runId"] for e in events]
    assert runs[::2] == runs[1::2] and len(set(runs)) == 3

    head = toy_store(tmp_path).head("toy/both")
    assert head is not None
    last = events[-1]
    versions = {d["name"]: d["facets"]["version"]["datasetVersion"] for d in last["inputs"]}
    assert versions == {item.key: item.digest for item in head.inputs.values()}
    [output] = last["outputs"]
    assert output["name"] == "toy/both" and output["facets"]["version"]["datasetVersion"] == head.digest
    assert output["outputFacets"]["outputStatistics"]["fileCount"] == 1
    assert events[1]["outputs"][0]["facets"]["o1_figures"]["figures"] == {"count": 3}
    source = last["job"]["facets"]["sourceCodeLocation"]
    assert source["path"] == "tests/execution/toy.py" and source["codeVersion"] == head.code_version
    assert last["run"]["facets"]["o1_computation"]["cache"] == "miss"

    assert run_toy(tmp_path, toy_graph(), instance).success
    sent()
    assert posted[-1][1]["run"]["facets"]["o1_computation"]["cache"] == "hit"


def batches(task: Task, config: LettersConfig) -> Outcome:
    index = [{"digest": "a" * 64, "source": "people"}, {"digest": "b" * 64, "source": "oracle"}]
    (task.out / "index.json").write_text(json.dumps({"batches": index}))
    return Outcome()


def test_batches_from_people_are_inputs_and_a_machines_are_not(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "events.jsonl"
    monkeypatch.setenv("O1_OPENLINEAGE", file.as_uri())
    artifact = replace(toy_graph()["toy/letters"], key="r03/label_batches", compute=batches)
    assert run_toy(tmp_path, {artifact.key: artifact}, instance).success
    sent()
    inputs = json.loads(file.read_text().splitlines()[-1])["inputs"]
    assert [(d["namespace"], d["name"]) for d in inputs] == [("o1-inbox", f"r03/{'a' * 64}")]


def waits(task: Task, config: LettersConfig) -> Outcome:
    raise Waiting("label it")


def breaks(task: Task, config: LettersConfig) -> Outcome:
    raise RuntimeError("no such thing")


@pytest.mark.parametrize(
    ("compute", "state", "message"), [(waits, "ABORT", "label it"), (breaks, "FAIL", "no such thing")]
)
def test_a_failure_and_a_wait_are_told_apart_in_a_file(
    instance: dg.DagsterInstance,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    compute: Callable[[Task, LettersConfig], Outcome],
    state: str,
    message: str,
) -> None:
    file = tmp_path / "events.jsonl"
    monkeypatch.setenv("O1_OPENLINEAGE", file.as_uri())
    artifact = replace(toy_graph()["toy/letters"], compute=compute)
    run_toy(tmp_path, {artifact.key: artifact}, instance)
    sent()
    events = [json.loads(line) for line in file.read_text().splitlines()]
    assert [e["eventType"] for e in events] == ["START", state]
    assert message in read(events[-1]).run.facets["errorMessage"]["message"]


def test_a_listener_that_is_not_there_is_one_warning(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setenv("O1_OPENLINEAGE", "http://127.0.0.1:1")
    with caplog.at_level(logging.WARNING):
        started = time.monotonic()
        assert run_toy(tmp_path, toy_graph(), instance).success
        assert time.monotonic() - started < 60
        sent()
    to = emitter()
    assert to is not None and to.lost == 6
    assert sum("OpenLineage events are being lost" in record.message for record in caplog.records) == 1


def test_nothing_is_sent_unless_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("O1_OPENLINEAGE", "OPENLINEAGE_URL", "OPENLINEAGE_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    assert emitter() is None
    monkeypatch.setenv("OPENLINEAGE_URL", "http://127.0.0.1:1")
    assert emitter() is not None
    monkeypatch.setenv("OPENLINEAGE_DISABLED", "true")
    assert emitter() is None
