"""Rates the steps of an arithmetic solution exactly: +1 right, 0 true but nothing gained, -1 wrong.

    3*4=12          right if some order of working may take it now and the result is true
    check 3*4=12    neutral if that operation was done before, rightly
    wait 3*4=12     replaces the operation step before it: right if that was wrong and this one is right in
                    the state before it; neutral if there was nothing to correct
    answer 7        right if 7 is the expression's value, whatever came before

Everything else, and everything after an answer, is wrong. After a wrong operation no operation is right until
a `wait` has replaced it: the expression that is left no longer has the problem's value.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from o1_assets.labels.annotators.arithmetic_trace import Trace, Verdict, start, take_step
from o1_assets.problems.expression import Expression

MAX_EXPRESSION_CHARS = 200
"""A longer problem is nobody's arithmetic; like the limits of a trace it bounds the time that any input can take."""


def rate(problem: Mapping[str, Any], prefix: Sequence[str], text: str) -> int:
    """Rating of one step after the steps before it. Never raises; a problem without expression gives -1."""
    return _judge(problem, prefix, text).rating


def rate_steps(problem: Mapping[str, Any], steps: Sequence[str]) -> list[int]:
    """Ratings of all steps of a solution, each after those before it."""
    return [verdict.rating for verdict in _judge_all(problem, steps)]


def first_error(problem: Mapping[str, Any], steps: Sequence[str]) -> int | None:
    """Index of the first negative step, None if there is none (ProcessBench, arXiv:2412.06559, section 3.1).

    A wrong step counts although a `wait` repairs it at once.
    """
    return next((i for i, rating in enumerate(rate_steps(problem, steps)) if rating < 0), None)


def error_kind(problem: Mapping[str, Any], prefix: Sequence[str], text: str) -> str | None:
    """What is wrong with a step; None if nothing.

    unreadable; after_answer; after_error (an unrepaired one); answer (wrong value); check (of nothing that
    was done rightly); correction (of nothing); absent (no such operation is left); order (a sum before the
    product beside it); grouping (b-c taken first in a-b-c); and of false results: self (a-a), zero, one
    (a product with it), sign, slip.
    """
    verdict = _judge(problem, prefix, text)
    return verdict.kind if verdict.rating < 0 else None


def expression_of(problem: Mapping[str, Any]) -> Expression | None:
    """The expression in a problem row's metadata (reasoning_gym's entry), None if there is none."""
    return _expression_in(str(problem.get("metadata") or ""))


@lru_cache(maxsize=1 << 14)
def _expression_in(metadata: str) -> Expression | None:
    try:
        text = json.loads(metadata)["metadata"]["expression"]
        return Expression.parse(text) if len(text) <= MAX_EXPRESSION_CHARS and text.isascii() else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


_start = lru_cache(maxsize=1 << 14)(start)


def _judge(problem: Mapping[str, Any], prefix: Sequence[str], text: str) -> Verdict:
    expression = expression_of(problem)
    if expression is None:
        return Verdict(-1, "unreadable")
    return take_step(_trace(expression, tuple(prefix)), text)[1]


def _judge_all(problem: Mapping[str, Any], steps: Sequence[str]) -> list[Verdict]:
    expression = expression_of(problem)
    if expression is None:
        return [Verdict(-1, "unreadable")] * len(steps)
    trace, verdicts = _start(expression), []
    for text in steps:
        trace, verdict = take_step(trace, text)
        verdicts.append(verdict)
    return verdicts


@lru_cache(maxsize=1 << 14)
def _trace(expression: Expression, prefix: tuple[str, ...]) -> Trace:
    trace = _start(expression)
    for text in prefix:
        trace, _ = take_step(trace, text)
    return trace
