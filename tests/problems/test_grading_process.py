from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import psutil
import pytest

from o1_assets.problems.grading_process import GradingProcesses

INTEGRAL = {"generator": "simple_integration", "entry": {"metadata": {"variable": "x", "integrand": "2*x"}}}
EASY = {**INTEGRAL, "given": "x**2 + 1"}
WRONG = {**INTEGRAL, "given": "x**3"}
ENDLESS = {**INTEGRAL, "given": "*".join(f"sin({i}*x)" for i in range(1, 12))}


@pytest.fixture(scope="module")
def started() -> Iterator[GradingProcesses]:
    processes = GradingProcesses("reasoning_gym", workers=3)
    assert processes.ask(EASY)
    yield processes
    processes.close()


def children(processes: GradingProcesses) -> list[psutil.Process]:
    assert processes._template is not None
    return psutil.Process(processes._template.pid).children()


def gone(pids: list[int]) -> bool:
    deadline = time.monotonic() + 10
    while any(psutil.pid_exists(p) and psutil.Process(p).status() != "zombie" for p in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_an_answer_that_takes_too_long_is_wrong_and_the_next_one_is_read_at_once(
    started: GradingProcesses,
) -> None:
    start = time.perf_counter()
    assert not started.ask(ENDLESS)
    assert time.perf_counter() - start < 2.5, "1 s, or 2 s on a busy machine"
    start = time.perf_counter()
    assert started.ask(EASY)
    assert time.perf_counter() - start < 1, "no library is imported again"


def test_a_worker_that_hangs_is_ended_and_replaced(started: GradingProcesses) -> None:
    assert started.ask(EASY)
    [*_, stopped] = started._idle
    undecided = started.undecided
    os.kill(stopped.pid, signal.SIGSTOP)
    start = time.perf_counter()
    assert not started.ask({**EASY, "given": "x" * 10**6}), "more than its socket holds"
    assert time.perf_counter() - start < 1.5
    assert started.ask(EASY)
    assert gone([stopped.pid])
    assert started.undecided == undecided, "a worker that hangs is not one that waits for a processor"


def test_workers_and_a_template_that_were_killed_are_replaced(started: GradingProcesses) -> None:
    assert started.ask(EASY)
    os.kill(started._idle[-1].pid, signal.SIGKILL)
    assert gone([started._idle[-1].pid])
    assert started.ask(EASY)
    assert started._template is not None
    workers = [child.pid for child in children(started)]
    os.kill(started._template.pid, signal.SIGKILL)
    os.kill(started._idle[-1].pid, signal.SIGKILL)
    assert gone([started._template.pid, started._idle[-1].pid])
    assert started.ask(EASY)
    assert gone(workers), "what a template made ends with it"


def test_threads_use_several_workers_and_get_their_own_verdicts(started: GradingProcesses) -> None:
    verdicts: dict[int, bool] = {}

    def work(number: int) -> None:
        verdicts[number] = started.ask((WRONG, EASY)[number % 2])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(40)]
    slow = threading.Thread(target=started.ask, args=(ENDLESS,))
    for thread in (slow, *threads):
        thread.start()
    for thread in (slow, *threads):
        thread.join()
    assert verdicts == {i: i % 2 == 1 for i in range(40)}
    assert 2 <= len(children(started)) <= 3


def test_a_reply_that_was_not_waited_for_is_not_read_as_the_next_one(
    started: GradingProcesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*args: object) -> bytes:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(started, "_reply", interrupted)
        for _ in range(3):
            with pytest.raises(KeyboardInterrupt):
                started.ask(EASY)
    assert not started.ask(WRONG)
    assert started.ask(EASY)


def test_a_busy_machine_is_given_more_time_once_and_said_to_be_busy(
    started: GradingProcesses, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if two seconds brought the worker less than its .3 s of a processor.
    monkeypatch.setattr(started, "wall_seconds", 0.05)
    monkeypatch.setattr(started, "undecided", 0)
    assert not started.ask(ENDLESS)
    assert started.undecided == 1
    assert "too busy to grade" in caplog.text


def test_a_forked_process_has_workers_of_its_own(started: GradingProcesses) -> None:
    assert started.ask(EASY)
    with started._lock:  # as if another thread were asking while this one forks
        child = os.fork()
        if child == 0:
            forgotten = started._template is None and not started._idle and not started._lock.locked()
            os._exit(0 if forgotten else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert started.ask(EASY)


PARENT = """
import os, sys, time
from o1_assets.problems.grading_process import GradingProcesses
processes = GradingProcesses("math")
processes.ask({"gold": "x+y", "given": "y+x"})
if os.fork() == 0:
    time.sleep(60)  # like a worker of a data loader, which outlives its parent
print(processes._template.pid, processes._idle[0].pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("end", ["killed", "exits"])
def test_no_process_is_left_behind(end: str) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None and parent.stdin is not None
    template, worker = map(int, parent.stdout.readline().split())
    orphans = psutil.Process(parent.pid).children()
    if end == "killed":
        os.kill(worker, signal.SIGSTOP)
        parent.kill()
    else:
        parent.stdin.close()
    try:
        parent.wait(20)
        assert gone([template, worker])
    finally:
        for orphan in orphans:
            if orphan.is_running() and orphan.pid != template:
                orphan.kill()
        parent.stdout.close()
