from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from o1_assets.problems.sandbox import confinement, interpreter, unit_tests
from o1_assets.problems.sandbox.unit_tests import UnitTest, run_tests

SUM = "def f(a, b):\n    return a + b\n"
HIDDEN = 8_675_309


def test_a_right_program_passes_and_a_wrong_one_is_told_what_it_gave() -> None:
    tests = [UnitTest((1, 2), 3), UnitTest((-4, 4), 0)]
    assert run_tests(SUM, tests).passed
    report = run_tests("def f(a, b):\n    return a - b\n", tests)
    assert report.failures == ("f(1, 2) is -1, not 3", "f(-4, 4) is -8, not 0") and not report.passed
    half = run_tests("def f(a, b):\n    return a // (b - 2)\n", [UnitTest((1, 2), 0), UnitTest((6, 4), 3)])
    assert half.share == 0.5 and "ZeroDivisionError" in half.failures[0]


def test_no_test_is_no_pass() -> None:
    assert not run_tests(SUM, []).passed


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return 1 if a else 0", True),
        ("return a == 2", 1),
        ("return [a, b]", (2, 3)),
        ("return {'x': [a, 1.0]}", {"x": [2, 1]}),
        ("return 7 ** 99999", 5),
    ],
)
def test_a_value_of_another_type_is_another_value(body: str, expected: Any) -> None:
    assert not run_tests(f"def f(a, b):\n    {body}", [UnitTest((2, 3), expected)]).passed


# Ordinary solutions: what passes here has to pass in CPython, and the other way round.
FIBONACCI = "def g(n):\n        return n if n < 2 else g(n - 1) + g(n - 2)\n    return g(a)"
BODIES: dict[str, Callable[[int, int], Any]] = {
    "return a // b * b + a % b": lambda a, b: a,
    "return -a // b, -a % b, max(a, b), min(a, b), divmod(a, b)": lambda a, b: (
        -a // b, -a % b, max(a, b), min(a, b), divmod(a, b)
    ),
    "if a < b:\n        return b\n    return a": max,
    "x = [i * i for i in range(a)]\n    return sum(x[::-1]), sorted(x, key=lambda v: -v)[:b]": lambda a, b: (
        sum(i * i for i in range(a)), [i * i for i in range(a)][::-1][:b]
    ),
    FIBONACCI: lambda a, b: [0, 1, 1, 2, 3, 5, 8, 13][a],
    "return f'{a:>3}' + 'x' * b, {'k': [a]}, None, a / b": lambda a, b: (
        f"{a:>3}" + "x" * b, {"k": [a]}, None, a / b
    ),
}  # fmt: skip


@pytest.mark.parametrize("body", BODIES)
def test_a_right_solution_passes_here_and_in_cpython(body: str) -> None:
    source, solution = f"def f(a, b):\n    {body}\n", BODIES[body]
    tests = [UnitTest((a, b), solution(a, b)) for a, b in ((7, 2), (3, 5))]
    names: dict[str, Callable] = {}
    exec(source, names)
    assert all(names["f"](*test.arguments) == test.expected for test in tests)
    assert run_tests(source, tests).failures == ("", "")


def test_a_program_sees_nothing_of_the_one_before_it() -> None:
    assert run_tests("kept = 5\n" + SUM, [UnitTest((1, 2), 3)]).passed
    assert "NameError" in run_tests("def f(a, b):\n    return kept", [UnitTest((1, 2), 5)]).failures[0]


def test_a_worker_that_was_killed_is_replaced() -> None:
    for depth in (1, 2):  # the process that owns the interpreter, then the interpreter itself
        assert run_tests(SUM, [UnitTest((1, 2), 3)]).passed
        assert unit_tests._sandbox._process is not None
        victims = [psutil.Process(unit_tests._sandbox._process.pid)]
        for _ in range(depth - 1):
            victims = [child for victim in victims for child in victim.children()]
        for victim in victims:
            victim.kill()
        assert victims and run_tests(SUM, [UnitTest((1, 2), 3)]).passed


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_the_interpreter_that_runs_programs_is_the_confined_one() -> None:
    assert run_tests(SUM, [UnitTest((1, 2), 3)]).passed
    assert unit_tests._sandbox._process is not None
    (worker,) = psutil.Process(unit_tests._sandbox._process.pid).children()
    status = Path(f"/proc/{worker.pid}/status").read_text()
    assert "NoNewPrivs:\t1" in status and worker.rlimit(psutil.RLIMIT_AS)[0] == confinement.MEMORY
    if os.uname().machine in confinement._SYSTEM_CALLS:
        assert "Seccomp:\t2" in status, "a filter of system calls"


def test_a_forked_child_has_a_worker_of_its_own() -> None:
    assert run_tests(SUM, [UnitTest((1, 2), 3)]).passed
    child = os.fork()
    if child == 0:
        os._exit(0 if run_tests(SUM, [UnitTest((1, 2), 3)]).passed else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert run_tests(SUM, [UnitTest((1, 2), 3)]).passed


def test_a_program_without_a_processor_is_run_again_with_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a loaded machine: the clock of the interpreter goes on while it waits."""
    slow = "def f(a, b):\n    for i in range(20_000):\n        a += 1\n    return a"
    monkeypatch.setattr(interpreter, "SECONDS", 1e-4)
    monkeypatch.setattr(interpreter, "STARVED", 100_000)
    monkeypatch.setattr(interpreter, "_processor_seconds", lambda pid: float(next(ticks)))
    with interpreter.workers() as pool:
        ticks = iter(range(99))  # it used the processor all the time
        assert interpreter.failures(pool, slow, [("f(1, 2)", 20_001)]) == ["TimeoutError: it takes too long"]
        ticks = iter([0] * 99)
        assert interpreter.failures(pool, slow, [("f(1, 2)", 20_001)]) == [""]
        monkeypatch.setattr(interpreter, "STARVED", 1)
        assert interpreter.failures(pool, slow, [("f(1, 2)", 20_001)]) == [None]
