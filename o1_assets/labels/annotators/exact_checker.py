"""The exact checker of a problem's steps, where its world has one: arithmetic and countdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from o1_assets.labels.annotators import arithmetic_checker, countdown_checker


def covers(problem: Mapping[str, Any]) -> bool:
    """Whether the steps of this problem (a row of problems.parquet) can be rated exactly."""
    return (
        countdown_checker.countdown_of(problem) is not None
        or arithmetic_checker.expression_of(problem) is not None
    )


def rate(problem: Mapping[str, Any], prefix: Sequence[str], text: str) -> int:
    """Rating of one step after the steps before it. Never raises; a problem that is not covered gives -1."""
    # First countdown: reasoning_gym keeps an expression with its problems too, which is one solution of many.
    if countdown_checker.countdown_of(problem) is not None:
        return countdown_checker.rate(problem, prefix, text)
    return arithmetic_checker.rate(problem, prefix, text)


def rate_steps(problem: Mapping[str, Any], steps: Sequence[str]) -> list[int]:
    """Ratings of all steps of a solution, each after those before it."""
    if countdown_checker.countdown_of(problem) is not None:
        return countdown_checker.rate_steps(problem, steps)
    return arithmetic_checker.rate_steps(problem, steps)


def right_next_steps(problem: Mapping[str, Any], prefix: Sequence[str]) -> list[str]:
    """The steps that are right after these, the one first that the corpus would most often have; none where no right
    step leads on."""
    if countdown_checker.countdown_of(problem) is not None:
        return countdown_checker.right_next_steps(problem, prefix)
    return arithmetic_checker.right_next_steps(problem, prefix)


def first_error(problem: Mapping[str, Any], steps: Sequence[str]) -> int | None:
    """Index of the first negative step, None if there is none (ProcessBench, arXiv:2412.06559, section 3.1).

    A wrong step counts although a `wait` repairs it at once.
    """
    return next((i for i, rating in enumerate(rate_steps(problem, steps)) if rating < 0), None)
