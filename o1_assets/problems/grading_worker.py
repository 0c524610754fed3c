"""The process behind `grading_process.GradingProcess`: one JSON question a line on stdin, "1" or "0" a line on stdout.

It is started as `python -m o1_assets.problems.grading_worker KIND SECONDS`, KIND being "math" or "reasoning_gym".
"""

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


class OutOfTime(BaseException):
    """The CPU time of one question is over."""

    # Not an Exception: sympy catches those and goes on.


def main(kind: str, seconds: float) -> None:
    """Answer questions until stdin ends. seconds: of CPU time for one question, so that load changes no grade."""
    replies = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a library prints is no reply
    _limit_memory()
    logging.disable(logging.CRITICAL)
    if kind == "math":
        verify_math("x+1", "1+x")  # loads the parser
    else:
        import_module("reasoning_gym")
    signal.signal(signal.SIGPROF, _out_of_time)
    replies.write(b"ready\n")
    for line in sys.stdin.buffer:
        _limit_cpu(seconds)
        signal.setitimer(signal.ITIMER_PROF, seconds)
        try:
            correct = answer(kind, json.loads(line))
        except OutOfTime:
            correct = False
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        replies.write(b"1\n" if correct else b"0\n")


def _out_of_time(signum: int, frame: object) -> None:
    raise OutOfTime


def answer(kind: str, question: dict[str, Any]) -> bool:
    """Whether the answer in the question is right. One that cannot be read is wrong."""
    try:
        return verify_math(**question) if kind == "math" else score(**question)
    except Exception:  # RecursionError and MemoryError are among them
        return False


def verify_math(gold: str, given: str) -> bool:
    """Whether math-verify finds the LaTeX of both equal."""
    from math_verify import LatexExtractionConfig, parse, verify

    # In a box all of an answer counts, otherwise its last number alone. Only the LaTeX reader is used: the one of
    # plain expressions ends in sympy.parse_expr, which evaluates Python.
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
        # The scorer's module looks `eval` up in its own globals first: there it finds one that reads literals only.
        vars(sys.modules[type(dataset).__module__])["eval"] = ast.literal_eval
    return dataset


def _limit_cpu(seconds: float) -> None:
    """Let the system end the process one to two CPU seconds after the alarm, counted from now."""
    # A power of large integers is one call in C, during which Python delivers no alarm.
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time() + seconds) + 2, hard))


def _limit_memory() -> None:
    with contextlib.suppress(ValueError, OSError):  # macOS knows no such limit; that on time remains
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


# Which answers may be shown to sympy.parse_expr, which evaluates what it reads.

_NAMES = "sin cos tan cot sec csc asin acos atan sinh cosh tanh exp log ln sqrt Abs"
_CALLS = frozenset(_NAMES.split())
_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.UAdd, ast.USub)
_LONGEST_EXPRESSION = 500
_LARGEST_EXPONENT = 1_000


def is_plain_expression(text: str) -> bool:
    """Whether the text is numbers, short names, + - * / ** and calls of common functions, and nothing else.

    An attribute, a string or an index is what an attack through eval needs.

    >>> is_plain_expression("2*x**3 + sin(x)"), is_plain_expression("__import__('os')")
    (True, False)
    """
    if len(text) > _LONGEST_EXPRESSION:
        return False
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return all(_plain(node) for node in ast.walk(tree))


def _plain(node: ast.AST) -> bool:
    match node:
        case ast.BinOp(op=ast.Pow(), right=exponent):
            # 9**9**9 would fill the memory before any limit on time ends it.
            return all(not isinstance(n, ast.Pow) and _small(n) for n in ast.walk(exponent))
        case ast.Expression() | ast.BinOp() | ast.UnaryOp() | ast.Load():
            return True
        case ast.Constant(value=value):
            return type(value) in (int, float)
        case ast.Name(id=name):
            return name in _CALLS or (len(name) <= 8 and name.isalpha())
        case ast.Call(func=ast.Name(id=name), args=[_], keywords=[]):
            return name in _CALLS
    return isinstance(node, _OPERATORS)


def _small(node: ast.AST) -> bool:
    value = node.value if isinstance(node, ast.Constant) else 0
    return isinstance(value, int | float) and value <= _LARGEST_EXPONENT


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
