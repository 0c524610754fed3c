"""A pool counts the steps of all runs: two runs at once, of two processes, on one instance of Dagster."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from dagster._core.storage.event_log import SqlEventLogStorage
from sqlalchemy import event
from sqlalchemy.engine import Engine

from o1_assets.core.settings import PROJECT, Settings
from o1_assets.orchestration.instance import make_instance, open_instance

RUN = """
import sys, time
from pathlib import Path
import dagster as dg
from o1_assets.orchestration.instance import open_instance
from o1_assets.profiles.load import load_profile
from o1_assets.execution.run_lock import RunLock
from o1_assets.core.settings import Settings
from resources.compute import placement, set_pools

settings = Settings.load("nano", sys.argv[1])
profile = load_profile("nano", f"executor=processes\\nclasses.gpu1.at_once={sys.argv[3]}")
place = placement("gpu1", profile)

def step(i):
    @dg.op(name=f"step_{i}", pool=place.pool, tags=place.op_tags)
    def body():
        start = time.time()
        time.sleep(0.5)
        with open(sys.argv[2], "a") as file:
            file.write(f"{start} {time.time()}\\n")
    return body

@dg.job(executor_def=dg.in_process_executor)
def steps():
    for i in range(4):
        step(i)()

with RunLock(settings.lock).hold(sys.argv[4]), open_instance(settings) as instance:
    set_pools(instance, profile)
with open_instance(settings) as instance:
    Path(f"{sys.argv[2]}.{sys.argv[4]}").touch()
    while len(list(Path(sys.argv[2]).parent.glob("seen.*"))) < 2:
        time.sleep(0.05)  # both runs begin together
    assert steps.execute_in_process(instance=instance).success
"""


def most_at_once(spans: list[tuple[float, float]]) -> int:
    return max(sum(start <= other < end for start, end in spans) for other, _ in spans)


@pytest.mark.parametrize("limit", [1, 2] if os.environ.get("O1_TEST_EXECUTORS") else [1])
def test_two_runs_at_once_never_exceed_a_pool(limit: int, tmp_path: Path) -> None:
    home, seen = tmp_path / "home", tmp_path / "seen"
    home.mkdir()
    settings = Settings.load("nano", home)
    settings.home.mkdir()
    make_instance(settings)
    words = [sys.executable, "-W", "ignore", "-c", RUN, str(home), str(seen), str(limit)]
    started = [
        subprocess.Popen([*words, name], cwd=PROJECT, stderr=subprocess.PIPE, text=True) for name in "ab"
    ]
    said = [process.communicate(timeout=280)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0], said
    spans = [(float(a), float(b)) for a, b in (line.split() for line in seen.read_text().splitlines())]
    assert len(spans) == 8
    assert most_at_once(spans) == limit


@contextmanager
def before_statement(start: str, act: Callable[[], object]) -> Iterator[None]:
    """Right before the first SQL statement that begins so, another thread gets 0.3 s for the act."""
    other = threading.Thread(target=act)

    def hook(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if statement.startswith(start) and other.ident is None:
            other.start()
            other.join(0.3)

    event.listen(Engine, "before_cursor_execute", hook)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", hook)
    other.join()


def test_a_slot_is_claimed_once_and_its_release_is_seen_by_who_queues_at_that_moment(tmp_path: Path) -> None:
    settings = Settings.load("nano", tmp_path)
    with open_instance(settings) as first, open_instance(settings) as second:
        a, b = first.event_log_storage, second.event_log_storage
        assert isinstance(a, SqlEventLogStorage)
        a.set_concurrency_slots("gpu1", 1)
        for run in "ab":  # Both saw a free slot at once.
            a.add_pending_step("gpu1", run, "step", should_assign=True)
        claims = []
        with before_statement(
            "UPDATE concurrency_slots", lambda: claims.append(b.claim_concurrency_slot("gpu1", "b", "step"))
        ):
            claims.append(a.claim_concurrency_slot("gpu1", "a", "step"))
        assert sum(claim.is_claimed for claim in claims) == 1

        for run in "ab":
            a.free_concurrency_slots_for_run(run)
        a.claim_concurrency_slot("gpu1", "a", "step")
        with before_statement("INSERT INTO pending_steps", lambda: a.free_concurrency_slots_for_run("a")):
            b.claim_concurrency_slot("gpu1", "b", "step")
        assert b.claim_concurrency_slot("gpu1", "b", "step").is_claimed  # As its process asks every second.
