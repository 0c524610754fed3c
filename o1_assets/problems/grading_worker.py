"""The processes behind `grading_process.GradingProcesses`: a template that forks workers, which read answers.

The template is started as `python -m o1_assets.problems.grading_worker KIND CPU_SECONDS`, KIND being "math" or
"reasoning_gym"; its stdin is a socket. A worker gets one JSON question a line and replies with the byte 1 or 0.
"""

from __future__ import annotations

import ast
import gc
import json
import logging
import os
import resource
import signal
import socket
import sys
from contextlib import suppress
from functools import lru_cache
from importlib import import_module
from math import inf, prod
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from reasoning_gym.dataset import ProceduralDataset


MEMORY = 2**30
"""Bytes of address space, of which a worker starts with a quarter: 9**9**9**9 has to fail here, not take the machine
down."""

LONGEST_REPLY = 1_000
"""Bytes of what the template says."""

PARSED = frozenset(
    {"countdown", "intermediate_integration", "polynomial_multiplication", "puzzle24", "simple_integration"}
)
"""Generators whose scorer hands the answer to sympy.parse_expr, which evaluates it as Python."""

EVALUATED = frozenset({"binary_matrix", "n_queens", "spiral_matrix", "string_insertion"})
"""Generators whose scorer evaluates the answer as Python, only to give part of the marks for a list."""


def main(kind: str, cpu_seconds: float) -> None:
    """The template: forks and ends workers as ordered, until whoever ordered them is gone.

    "fork" comes with the socket that the worker is to serve, and is answered by its number; "end NUMBER" by 0.
    """
    control = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    _limit_memory()
    logging.disable(logging.CRITICAL)
    try:
        _load(kind)
    except Exception as error:
        control.sendall(f"{type(error).__name__}: {error}\n".encode()[:LONGEST_REPLY])
        return
    gc.freeze()  # a collection in a worker would copy every page of what was loaded
    control.sendall(b"ready\n")
    workers: set[int] = set()
    while True:
        order, descriptors, _, _ = socket.recv_fds(control, LONGEST_REPLY, 1)
        if not order:
            break
        worker = 0
        if order == b"fork\n":
            worker = os.fork()
            if worker == 0:
                control.close()
                _serve(kind, cpu_seconds, descriptors[0])
            os.close(descriptors[0])
            workers.add(worker)
        elif (ended := int(order.split()[1])) in workers:
            os.kill(ended, signal.SIGKILL)
            os.waitpid(ended, 0)
            workers.remove(ended)
        control.sendall(b"%d\n" % worker)
    # A worker that reads an answer, or was stopped, does not see that it is no longer wanted.
    for worker in workers:
        os.kill(worker, signal.SIGKILL)


def _load(kind: str) -> None:
    """Import what reads answers."""
    if kind == "math":
        # Also mpmath, which is imported for the first formula that is no fraction.
        verify_math(r"2\sqrt{2}", r"\sqrt{8}")
    else:
        import_module("reasoning_gym")
        import_module("sympy").parse_expr("x")  # imports what a scorer would


def _serve(kind: str, cpu_seconds: float, descriptor: int) -> NoReturn:
    """The worker: answers questions until there are no more, or one takes too long."""
    pipe = socket.socket(fileno=descriptor)
    # SIGPROF ends the process. Raising an exception from it instead would leave caches half filled, and would not
    # interrupt one long call in C, such as a power of large integers.
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    gc.disable()
    with pipe.makefile("rb") as questions:
        for line in questions:
            question = json.loads(line)
            if kind == "reasoning_gym":
                _prepare(question["generator"], question["entry"])
            signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
            correct = answer(kind, question)
            signal.setitimer(signal.ITIMER_PROF, 0)
            pipe.sendall(b"1" if correct else b"0")
            _clear(kind)
    os._exit(0)


def _prepare(generator: str, entry: dict[str, Any]) -> None:
    """Open the data set, for which no answer is charged, and make what sympy draws at random depend on nothing."""
    import_module("sympy.core.random").seed(0)
    with suppress(Exception):
        dataset(generator, json.dumps(entry.get("parameters", {})))


def _clear(kind: str) -> None:
    """Forget the answer, so that the next one is not charged for collecting what this one left behind."""
    if kind == "math":
        from o1_assets.problems.answers.equality import same_answer
        from o1_assets.problems.answers.read import read_answer

        read_answer.cache_clear()
        same_answer.cache_clear()
    gc.collect()


def answer(kind: str, question: dict[str, Any]) -> bool:
    """Whether the answer in the question is right. One that cannot be read is wrong."""
    try:
        return verify_math(**question) if kind == "math" else score(**question)
    except Exception:  # RecursionError and MemoryError are among them
        return False


def verify_math(gold: str, given: str) -> bool:
    from o1_assets.problems.answers.equality import same_answer

    return same_answer(gold, given)


def score(generator: str, entry: dict[str, Any], given: str) -> bool:
    """reasoning_gym's own scorer: full marks or nothing."""
    if generator in PARSED and not is_plain_expression(given):
        return False
    scorer = dataset(generator, json.dumps(entry.get("parameters", {})))
    return bool(scorer.score_answer(given, entry) >= 1)


@lru_cache(maxsize=64)
def dataset(generator: str, parameters: str) -> ProceduralDataset:
    import reasoning_gym

    dataset = reasoning_gym.create_dataset(generator, seed=0, size=10, **json.loads(parameters))
    if generator in EVALUATED:
        # The scorer's module looks `eval` up in its own globals first: there it finds one that reads literals only.
        vars(sys.modules[type(dataset).__module__])["eval"] = ast.literal_eval
    return dataset


def _limit_memory() -> None:
    with suppress(ValueError, OSError):  # macOS knows no such limit; that on time remains
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
        return all(_plain(node) for node in ast.walk(tree)) and _exponent(tree) <= _LARGEST_EXPONENT
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return False


def _plain(node: ast.AST) -> bool:
    match node:
        case ast.Expression() | ast.BinOp() | ast.UnaryOp() | ast.Load():
            return True
        case ast.Constant(value=value):
            return type(value) in (int, float)
        case ast.Name(id=name):
            return name in _CALLS or (len(name) <= 8 and name.isalpha())
        case ast.Call(func=ast.Name(id=name), args=[_], keywords=[]):
            return name in _CALLS
    return isinstance(node, _OPERATORS)


def _exponent(node: ast.AST) -> float:
    """At least what any number in the node is raised to, by all powers that it stands in."""
    inside = max((_exponent(child) for child in ast.iter_child_nodes(node)), default=1.0)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        if any(isinstance(n, ast.Pow) for n in ast.walk(node.right)):
            return inf  # 9**9**9 would fill the memory before any limit on time ends it
        numbers = (n.value for n in ast.walk(node.right) if isinstance(n, ast.Constant))
        return inside * prod(max(1, n) for n in numbers if isinstance(n, int | float))
    return inside


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
