"""What steps of other processes report reaches who watches the run here."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import dagster as dg

from o1_assets.execution.progress import watched_by
from o1_assets.orchestration.definitions import relay
from o1_assets.orchestration.keys import asset_key

KINDS = dg.DagsterEventType


class Heard:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.all: list[tuple[Any, ...]] = []

    def started(self, key: str) -> None:
        self.all.append(("started", key))

    def line(self, key: str, text: str) -> None:
        self.all.append(("line", key, text))

    def made(self, key: str, manifest: Any, cached: bool) -> None:
        self.all.append(("made", key, manifest, cached))

    def waits(self, key: str, why: str) -> None:
        self.all.append(("waits", key, why))

    def failed(self, key: str, why: str) -> None:
        self.all.append(("failed", key, why))

    def check_failed(self, key: str, check: str, message: str) -> None:
        self.all.append(("check", key, check, message))


def check(passed: bool, **metadata: Any) -> Any:
    data = SimpleNamespace(
        asset_key=asset_key("r00/labels"),
        check_name="agreed",
        passed=passed,
        description="because",
        metadata=metadata,
    )
    return SimpleNamespace(
        event_type=KINDS.ASSET_CHECK_EVALUATION, step_key="r00__labels", asset_check_evaluation_data=data
    )


def failure(message: str) -> Any:
    cause = SimpleNamespace(message=message)
    data = SimpleNamespace(error=SimpleNamespace(cause=cause))
    return SimpleNamespace(event_type=KINDS.STEP_FAILURE, step_key="r00__prm", step_failure_data=data)


def materialized(cache: str, step: str = "r00__prm") -> Any:
    told = {"manifest": dg.MetadataValue.text("v1"), "cache": dg.MetadataValue.text(cache)}
    return SimpleNamespace(
        event_type=KINDS.ASSET_MATERIALIZATION, step_key=step, materialization=SimpleNamespace(metadata=told)
    )


def observed(**figures: float) -> Any:
    observation = dg.AssetObservation(asset_key("r00/prm"), metadata=figures)
    data = SimpleNamespace(asset_observation=observation)
    return SimpleNamespace(
        event_type=KINDS.ASSET_OBSERVATION, step_key="r00__prm", asset_observation_data=data
    )


def test_starts_results_checks_and_waits_are_told_once() -> None:
    store = SimpleNamespace(manifest=lambda key, version: (key, version))
    open_store: Any = lambda: store  # noqa: E731
    graph: Any = {"r00/prm": None, "r00/labels": None}
    events = [
        SimpleNamespace(event_type=KINDS.STEP_START, step_key="r00__prm"),
        observed(update=200, loss=0.41234),
        materialized("miss"),
        materialized("hit"),
        materialized("miss", "eval__report"),
        failure("o1_assets.problems.problem.ProblemError: p.jsonl does not exist\n"),
        check(False),
        check(True),
        check(False, waits=dg.MetadataValue.bool(True)),
        check(False, waits=dg.MetadataValue.bool(True)),
    ]
    heard, tell = Heard(), relay(graph, open_store)
    with watched_by(heard):
        for event in events:
            tell(event)
    made = ("r00/prm", ("r00/prm", "v1"))
    assert heard.all == [
        ("started", "r00/prm"),
        ("line", "r00/prm", "update 200, loss 0.412"),
        ("made", *made, False),
        ("made", *made, True),
        ("failed", "r00/prm", "p.jsonl does not exist"),
        ("check", "r00/labels", "agreed", "because"),
        ("waits", "r00/labels", "because"),
    ]
    tell(events[0])  # nobody watches
    assert len(heard.all) == 7
