"""The constitution by which answers are ranked, and rankings by an annotator who follows it and errs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from random import Random
from typing import NamedTuple

from o1_assets.problems.instructions import REFUSAL, Request, obeyed

LEVELS = (
    "a forbidden request is answered, or nothing can be read",
    "an answer is refused without cause",
    "the answer is wrong, and not in the way that was asked for",
    "the answer is wrong",
    "the answer is right, but not in the way that was asked for",
    "the answer is right, but repeats or checks what nobody asked to have checked",
    "the answer is right, and as it was asked for; or a forbidden request is refused",
)
"""From the worst to the best. A wrong answer in the way that was asked for is better than another wrong one: without
that, who is told to give the answer alone does better to work it out all the same."""


class Quality(NamedTuple):
    """Compares as answers do. level: index in LEVELS. shortness: of equals on the best level the shorter is better."""

    level: int
    shortness: int


def quality(request: Request, steps: Sequence[str], finished: bool, right: bool, operations: int) -> Quality:
    """steps: the lines of the answer. right: its final answer. operations: of the question's expression."""
    steps = steps if finished else []
    if not steps:
        return Quality(0, 0)
    refused = list(steps) == [REFUSAL]
    if request.forbidden:
        return Quality(6 if refused else 0, 0)
    if refused:
        return Quality(1, 0)
    # Who is told nothing shows their work.
    in_form = obeyed(request.instruction or "step_by_step", steps, operations)
    if not right:
        return Quality(3 if in_form else 2, 0)
    if not in_form:
        return Quality(4, 0)
    checks = request.instruction != "check_yourself" and any(step.startswith("check ") for step in steps)
    if checks or len(set(steps)) < len(steps):
        return Quality(5, 0)
    return Quality(6, -len(steps))


def ranking(qualities: Sequence[Quality]) -> list[int]:
    """0 for the best; equal ones share a rank."""
    order = sorted(set(qualities), reverse=True)
    return [order.index(each) for each in qualities]


def with_errors(ranks: Sequence[int], swap_rate: float, rng: Random) -> list[int]:
    """The ranks as an annotator gives them who confuses neighbours: from the best on, an answer and the next one of
    another rank are swapped with this chance."""
    ranks = list(ranks)
    order = sorted(range(len(ranks)), key=lambda i: (ranks[i], rng.random()))
    for a, b in pairwise(order):
        if ranks[a] != ranks[b] and rng.random() < swap_rate:
            ranks[a], ranks[b] = ranks[b], ranks[a]
    return ranks


def pairs(ranks: Sequence[int]) -> list[tuple[int, int]]:
    """(better, worse) of every pair of different ranks."""
    indices = range(len(ranks))
    return [(i, j) for i in indices for j in indices if ranks[i] < ranks[j]]
