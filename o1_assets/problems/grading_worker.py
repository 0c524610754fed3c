"""The other end of grading_process.py: one JSON question a line on stdin, "1" or "0" a line on stdout."""

from __future__ import annotations

import ast
import contextlib
import json
import logging
import os
import resource
import signal
import sys
import time
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from o1_assets.problems.plain_expression import is_plain_expression

if TYPE_CHECKING:
    from reasoning_gym.dataset import ProceduralDataset


MEMORY = 3 * 2**30
"""Bytes of address space: 9**9**9**9 has to fail here, not take the machine down."""


PARSED = frozenset(
    {"countdown", "intermediate_integration", "polynomial_multiplication", "puzzle24", "simple_integration"}
)
"""Generators whose scorer hands the answer to sympy.parse_expr, which evaluates it as Python."""


EVALUATED = frozenset({"binary_matrix", "n_queens", "spiral_matrix", "string_insertion"})
"""Generators whose scorer evaluates the answer as Python, only to give part of the marks for a list."""


class Late(BaseException):
    """No Exception: sympy catches those and goes on."""


def main(kind: str, seconds: float) -> None:
    """kind: "math" or "reasoning_gym". seconds: of CPU time for one question, so that load changes no grade.

    A power of large integers hears no alarm: the system ends the process one to two CPU seconds later.
    """
    replies = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a library prints is no reply
    _limit_memory()
    logging.disable(logging.CRITICAL)
    if kind == "math":
        verify_math("x+1", "1+x")  # loads the parser
    else:
        import_module("reasoning_gym")
    signal.signal(signal.SIGPROF, _late)
    replies.write(b"ready\n")
    for line in sys.stdin.buffer:
        _limit_cpu(seconds)
        signal.setitimer(signal.ITIMER_PROF, seconds)
        try:
            right = answer(kind, json.loads(line))
        except Late:
            right = False
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        replies.write(b"1\n" if right else b"0\n")


def _late(signum: int, frame: object) -> None:
    raise Late


def answer(kind: str, question: dict[str, Any]) -> bool:
    """Any failure to read an answer means that it is wrong."""
    try:
        return verify_math(**question) if kind == "math" else score(**question)
    except Exception:  # RecursionError and MemoryError are among them
        return False


def verify_math(gold: str, given: str) -> bool:
    """math-verify on the LaTeX of both, each in a box so that all of it counts and not its last number.

    Its reader of plain expressions is not used: it ends in sympy.parse_expr.
    """
    from math_verify import LatexExtractionConfig, parse, verify

    reads = [LatexExtractionConfig(boxed_match_priority=0)]
    gold_read, given_read = (parse(f"\\boxed{{{t}}}", reads, parsing_timeout=None) for t in (gold, given))
    return bool(verify(gold_read, given_read, timeout_seconds=None))


def score(generator: str, entry: dict[str, Any], given: str) -> bool:
    """reasoning_gym's own scorer: full marks or nothing."""
    if generator in PARSED and not is_plain_expression(given):
        return False
    dataset = _dataset(generator, json.dumps(entry.get("parameters", {})))
    return bool(dataset.score_answer(given, entry) >= 1)


@lru_cache(maxsize=64)
def _dataset(generator: str, parameters: str) -> ProceduralDataset:
    import reasoning_gym

    dataset = reasoning_gym.create_dataset(generator, seed=0, size=10, **json.loads(parameters))
    if generator in EVALUATED:
        vars(sys.modules[type(dataset).__module__])["eval"] = ast.literal_eval
    return dataset


def _limit_cpu(seconds: float) -> None:
    """Counted from now."""
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time() + seconds) + 2, most))


def _limit_memory() -> None:
    with contextlib.suppress(ValueError, OSError):  # macOS knows no such limit; that on time remains
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
