"""Runs of the UI and the sensor compute under the run lock, whatever executor the profile has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from o1_assets.execution import run_lock
from o1_assets.execution.run_lock import RunLock
from o1_assets.profiles.load import load_profile
from resources.compute import executor
from resources.exclusive import _Exclusive, exclusive

PLAN: Any = SimpleNamespace(step_keys_to_execute=["r00__prm"])


class Inner(dg.Executor):
    def __init__(self, lock: RunLock) -> None:
        self.lock = lock

    @property
    def retries(self) -> Any:
        return "the inner one's"

    def execute(self, plan_context: Any, execution_plan: Any) -> Iterator[Any]:
        yield self.lock.busy()


def context(status: dg.DagsterRunStatus, lines: list[str]) -> Any:
    return SimpleNamespace(
        run_id="run",
        instance=SimpleNamespace(get_run_by_id=lambda run_id: SimpleNamespace(status=status)),
        log=SimpleNamespace(info=lines.append),
    )


@pytest.mark.parametrize("name", ["local", "processes"])
def test_the_profiles_executor_stays_what_it_is(name: str, tmp_path: Path) -> None:
    inner = executor(load_profile("nano", f"executor={name}"))
    outer = exclusive(inner, RunLock(tmp_path / "run.lock"))
    assert outer.name == inner.name
    assert outer.get_requirements({}) == inner.get_requirements({})


def test_a_run_holds_the_lock_for_as_long_as_it_computes(tmp_path: Path) -> None:
    lock = RunLock(tmp_path / "run.lock")
    outer = _Exclusive(Inner(lock), lock)
    assert list(outer.execute(context(dg.DagsterRunStatus.STARTED, []), PLAN)) == [True]
    assert not lock.busy() and outer.retries == "the inner one's"


def test_a_run_that_cannot_end_well_does_not_begin(tmp_path: Path) -> None:
    lock = RunLock(tmp_path / "run.lock")

    def check(keys: set[str]) -> None:
        raise LookupError(*keys)

    outer = _Exclusive(Inner(lock), lock, check=check)
    with pytest.raises(LookupError, match="r00/prm"):
        list(outer.execute(context(dg.DagsterRunStatus.STARTED, []), PLAN))
    assert not lock.busy()


def test_what_a_run_needs_is_asked_once(tmp_path: Path) -> None:
    """`o1 run` has asked before it hands its steps out under its own lock."""
    lock, asked = RunLock(tmp_path / "run.lock"), list[set[str]]()
    outer = _Exclusive(Inner(lock), lock, check=asked.append)
    with lock.hold("o1 run"), lock.lend():
        assert list(outer.execute(context(dg.DagsterRunStatus.STARTED, []), PLAN)) == [True]
    assert asked == []
    list(outer.execute(context(dg.DagsterRunStatus.STARTED, []), PLAN))
    assert asked == [{"r00/prm"}]


def test_what_is_tidied_before_a_run_is_tidied_under_the_lock(tmp_path: Path) -> None:
    lock, busy = RunLock(tmp_path / "run.lock"), list[bool]()
    outer = _Exclusive(Inner(lock), lock, lambda instance: busy.append(lock.busy()))
    list(outer.execute(context(dg.DagsterRunStatus.STARTED, []), PLAN))
    assert busy == [True]


def test_a_run_that_is_terminated_while_it_waits_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_lock, "POLL_SECONDS", 0.05)
    lock = RunLock(tmp_path / "run.lock")
    outer = _Exclusive(Inner(lock), lock)
    with lock.hold("other"), pytest.raises(dg.DagsterExecutionInterruptedError, match="terminated"):
        list(outer.execute(context(dg.DagsterRunStatus.CANCELING, []), PLAN))


def test_a_run_that_waits_says_so_once_and_goes_on_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_lock, "POLL_SECONDS", 0.05)
    lock, lines = RunLock(tmp_path / "run.lock"), list[str]()
    other = lock.hold("other")
    other.__enter__()
    calls = 0

    def status(run_id: str) -> Any:
        nonlocal calls
        calls += 1
        if calls == 3:
            other.__exit__(None, None, None)
        return SimpleNamespace(status=dg.DagsterRunStatus.STARTED)

    waiting = context(dg.DagsterRunStatus.STARTED, lines)
    waiting.instance.get_run_by_id = status
    assert list(_Exclusive(Inner(lock), lock).execute(waiting, PLAN)) == [True]
    assert lines == ["another run is at work on this store; waiting for it to end"]


def test_what_comes_before_a_run_happens_under_the_lock_and_its_failure_is_a_warning(tmp_path: Path) -> None:
    lock, lines = RunLock(tmp_path / "run.lock"), list[str]()

    def before(instance: Any) -> None:
        raise RuntimeError(f"busy: {lock.busy()}")

    run = context(dg.DagsterRunStatus.STARTED, [])
    run.log.warning = lines.append
    assert list(_Exclusive(Inner(lock), lock, before).execute(run, PLAN)) == [True]
    assert len(lines) == 1 and "busy: True" in lines[0]
