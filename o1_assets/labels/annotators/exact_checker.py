"""The exact checker of a problem's steps, where it is of one of the worlds (`problems/worlds/`) or has an equation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from o1_assets.problems.word_steps import WordSteps, stored_calculations
from o1_assets.problems.worlds.registry import read_problem
from o1_assets.problems.worlds.world import Verdict, World

WORD_STEPS = WordSteps()


def covers(problem: Mapping[str, Any]) -> bool:
    """Whether the steps of this problem (a row of problems.parquet) can be rated exactly."""
    return _read(problem) is not None


def rate(problem: Mapping[str, Any], prefix: Sequence[str], text: str) -> int:
    """Rating of one step after the steps before it. Never raises; a problem that is not covered gives -1."""
    return _verdict(problem, prefix, text).rating


def error_kind(problem: Mapping[str, Any], prefix: Sequence[str], text: str) -> str | None:
    """What is wrong with a step (`Verdict`, and the `take` of its world); None if nothing."""
    verdict = _verdict(problem, prefix, text)
    return verdict.kind if verdict.rating < 0 else None


def rate_steps(problem: Mapping[str, Any], steps: Sequence[str]) -> list[int]:
    """Ratings of all steps of a solution, each after those before it."""
    read = _read(problem)
    if read is None:
        return [-1] * len(steps)
    world, working = read[0], _working_after(*read, ())
    ratings = []
    for text in steps:
        working, verdict = world.take_step(working, text)
        ratings.append(verdict.rating)
    return ratings


def right_next_steps(problem: Mapping[str, Any], prefix: Sequence[str]) -> list[str]:
    """The steps that are right after these, the one first that the corpus would most often have; none where no right
    step leads on."""
    read = _read(problem)
    return [] if read is None else read[0].right_next_steps(_working_after(*read, tuple(prefix)))


def first_error(problem: Mapping[str, Any], steps: Sequence[str]) -> int | None:
    """Index of the first negative step, None if there is none (ProcessBench, arXiv:2412.06559, section 3.1).

    A wrong step counts although a `wait` repairs it at once.
    """
    return next((i for i, rating in enumerate(rate_steps(problem, steps)) if rating < 0), None)


def _read(problem: Mapping[str, Any]) -> tuple[World | WordSteps, Any] | None:
    metadata = str(problem.get("metadata") or "")
    if (of_world := read_problem(metadata)) is not None:
        return of_world
    calculations = stored_calculations(metadata)
    return None if calculations is None else (WORD_STEPS, calculations)


def _verdict(problem: Mapping[str, Any], prefix: Sequence[str], text: str) -> Verdict:
    read = _read(problem)
    if read is None:
        return Verdict(-1, "unreadable")
    return read[0].take_step(_working_after(*read, tuple(prefix)), text)[1]


# The steps of one solution are rated one after another, and many solutions share a problem and its first steps.
@lru_cache(maxsize=1 << 14)
def _working_after(world: World | WordSteps, problem: Any, prefix: tuple[str, ...]) -> Any:
    working: Any = world.start(problem)
    for text in prefix:
        working, _ = world.take_step(working, text)
    return working
