"""Is the final answer right? `grade` never raises or hangs on any answer, and never runs code that an answer holds.

Plain numbers are compared here, exactly. Anything else goes to math-verify or to reasoning_gym's own scorer. Both
parse with sympy, which no timeout inside a thread can interrupt, so they run in a process that is killed when it is
late (`grading_worker.py`).
"""

from __future__ import annotations

import atexit
import json
import os
import re
import selectors
import subprocess
import sys
import threading
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

from o1_assets.problems.canonical import normalise

LONGEST_ANSWER = 2_000
"""Characters. No problem's answer is longer; what is longer is not graded but wrong."""

_EXACT = """
    acre aiw arc_1d base_conversion basic_arithmetic bf binary_alternation caesar_cipher count_bits
    count_primes course_schedule gcd isomorphic_strings largest_island lcm leg_counting letter_counting
    list_functions mahjong_puzzle maze modulo_grid number_filtering number_sequence ransom_note
    rotate_matrix rotten_oranges simple_equations simple_geometry string_manipulation string_splitting
    string_synthesis syllogism word_sequence_reversal
"""

EXACT_GENERATORS = frozenset(_EXACT.split())
"""Generators whose scorer gives full marks to the stored answer's very text and to nothing else."""

# Three letters or more that name no function of LaTeX: the answer is text.
_WORD = re.compile(r"(?<![\\A-Za-z])(?!(?:sin|cos|tan|cot|sec|csc|log|exp|sqrt|frac|text|inf)\b)[A-Za-z]{3,}")

# What could close the box that a formula is handed over in, or offers several numbers.
_NO_FORMULA = re.compile(r'boxed|\$|__|["`;]|\\$|[0-9]\s+[0-9]+(?![0-9]|\s*/)')


def grade(grader: str, answer_given: str | None, problem_row: Mapping[str, Any]) -> bool:
    """Whether answer_given answers the problem (columns `answer` and `metadata` of problems.parquet).

    grader: "math" or "reasoning_gym:<generator>". Raises ValueError for any other, whatever the answer.
    """
    kind, _, generator = grader.partition(":")
    if not (grader == "math" or (kind == "reasoning_gym" and generator)):
        raise ValueError(f"there is no grader {grader!r}; use 'math' or 'reasoning_gym:<generator>'")
    given = (answer_given or "").strip()
    if not given or len(given) > LONGEST_ANSWER:
        return False
    if grader == "math":
        return grade_math(str(problem_row["answer"] or ""), given)
    if generator in EXACT_GENERATORS:
        # The scorer's own verdict, without a process: the samples of nano are all graded here.
        return bool(given == problem_row["answer"])
    return _grade_reasoning_gym(generator, str(problem_row["metadata"]), given)


def grade_math(gold: str, given: str) -> bool:
    """Whether `given` is mathematically the same as `gold`; a gold answer that cannot be read rewards nothing."""
    gold = gold.strip()
    if not any(c.isalnum() for c in gold) or len(gold) > LONGEST_ANSWER:
        return False
    exact = same_number(gold, given)
    if exact is not None:
        return exact
    gold, given = _bare(gold), _bare(given)
    if _WORD.search(gold):
        # math-verify reads a word as a product of letters, and so "silent" as equal to "listen".
        return normalise(_plain(gold)) == normalise(_plain(given))
    if not (_one_formula(gold) and _one_formula(given)):
        return False
    return _verify(gold, given)


@lru_cache(maxsize=65_536)
def _verify(gold: str, given: str) -> bool:
    return ask("math", {"gold": gold, "given": given})


@lru_cache(maxsize=4_096)
def _grade_reasoning_gym(generator: str, metadata: str, given: str) -> bool:
    return ask("reasoning_gym", {"generator": generator, "entry": json.loads(metadata), "given": given})


def _bare(text: str) -> str:
    """Without the \\boxed{...} or $...$ that may stand around all of it."""
    text = re.sub(r"\\\$|^\$(?=[0-9.]+[^$]*$)", "", text.strip())  # $5 is an amount, not a formula
    if text.startswith("\\boxed{") and text.endswith("}") and _one_formula(text[7:-1]):
        text = text[7:-1].strip()
    if len(text) > 2 and text[0] == text[-1] == "$" and "$" not in text[1:-1]:
        text = text[1:-1].strip()
    return text


def _one_formula(text: str) -> bool:
    """Whether this is one formula, unable to break out of the box that it is handed over in."""
    if _NO_FORMULA.search(text):
        # Several numbers are refused too: math-verify would add up a row of them, "7 8 9" to 24.
        return False
    depth = 0
    for c in text:
        depth += {"{": 1, "}": -1}.get(c, 0)
        if depth < 0:
            return False
    return depth == 0


def _plain(text: str) -> str:
    """Without the LaTeX commands around words."""
    return re.sub(r"\\(?:text|mathrm|textbf|mbox)\s*\{([^{}]*)\}", r"\1", text)


# Plain numbers, compared without any parser of mathematics.

_DECIMAL = r"[+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)?(?:\.[0-9]*)?"
_NUMBER = re.compile(rf"(?P<decimal>{_DECIMAL})|(?P<ratio>[+-]?[0-9]+)\s*/\s*(?P<below>[0-9]+)")
_LONGEST_NUMBER = 100


def parse_number(text: str) -> Fraction | None:
    """An integer, decimal or ratio in ASCII digits, perhaps with a dollar sign or thousands commas; else None."""
    if len(text) > _LONGEST_NUMBER:
        return None
    match = _NUMBER.fullmatch(text.strip().replace("\\$", "").strip("$ ").replace("\u2212", "-"))
    if match is None:
        return None
    if match["below"] is not None:
        return Fraction(int(match["ratio"]), int(match["below"])) if int(match["below"]) else None
    digits = match["decimal"].replace(",", "")
    # The pattern matches "" and "." too.
    return Fraction(digits) if any(c.isdigit() for c in digits) else None


def same_number(gold: str, given: str) -> bool | None:
    """Whether two plain numbers are equal; None where only math-verify can tell."""
    a, b = parse_number(gold), parse_number(given)
    if a is None or b is None:
        return None
    if a == b:
        return True
    # A gold answer that is no integer may have been rounded, and math-verify compares with a tolerance.
    return False if a.denominator == 1 else None


# The process that reads all other answers. math-verify's own time limit is signal.alarm, which works in the main
# thread only, and Dagster runs us in other threads.

SECONDS = 3.0
"""CPU time for one answer; the common ones take a few milliseconds."""

PATIENCE = 60.0
"""Seconds on the wall clock until a process that says nothing, though it is out of CPU time, is given up."""

START_PATIENCE = 300.0
"""The same while it starts, which on a loaded machine takes long."""


class GradingProcess:
    """Grades one answer at a time, asked from any thread. A process that was killed is replaced at the next answer.

    kind: "math" or "reasoning_gym"; each has a process of its own, which imports what it needs before the first
    question, so that no answer is called late because a library was.
    """

    def __init__(self, kind: str, seconds: float = SECONDS, patience: float = PATIENCE) -> None:
        self.kind = kind
        self.seconds = seconds
        self.patience = patience
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def ask(self, question: dict[str, Any]) -> bool:
        """False too when no answer came in time. Raises RuntimeError if the process cannot even be started."""
        with self._lock:
            # A fork shares the pipes of its parent's process: never read each other's replies.
            if self._process is None or self._process.poll() is not None or self._owner != os.getpid():
                self._start()
            process = self._process
            assert process is not None and process.stdin is not None
            try:
                process.stdin.write(json.dumps(question).encode("ascii") + b"\n")
                process.stdin.flush()
                reply = _read_line(process, self.patience)
            except OSError:
                reply = b""
            if not reply:
                self._end()
            return reply == b"1\n"

    def close(self) -> None:
        with self._lock:
            self._end()

    def _start(self) -> None:
        module = [sys.executable, "-W", "ignore", "-m", "o1_assets.problems.grading_worker"]
        self._process = subprocess.Popen(
            [*module, self.kind, str(self.seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Control-C in a terminal is for the run: it must not kill the process in the middle of an answer.
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p or os.getcwd() for p in sys.path)},
        )
        self._owner = os.getpid()
        if _read_line(self._process, START_PATIENCE) != b"ready\n":
            self._end()
            raise RuntimeError(
                "the grading process did not start; to see why run"
                f" `python -m o1_assets.problems.grading_worker {self.kind} 5`"
            )

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            try:
                if pipe is not None:
                    pipe.close()
            except OSError:
                pass  # what was still to be written has no reader any more


def _read_line(process: subprocess.Popen[bytes], seconds: float) -> bytes:
    """The next line, b"" if none came in time. The worker writes each at once, so the first byte brings all."""
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        return process.stdout.readline() if selector.select(seconds) else b""


_processes = {kind: GradingProcess(kind) for kind in ("math", "reasoning_gym")}


for _process in _processes.values():
    atexit.register(_process.close)


def ask(kind: str, question: dict[str, Any]) -> bool:
    """Whether the answer in `question` is right: the arguments of `verify_math` or `score` in grading_worker."""
    return _processes[kind].ask(question)
