"""What a source of problems yields, and the order that it is drawn in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from o1_assets.core.errors import O1Error


class ProblemError(O1Error, ValueError):
    """What is wrong with a source and what to do about it, in one sentence."""


@dataclass(frozen=True)
class RawProblem:
    """One problem as its source has it.

    canonical: its content, whatever the wording (`canonical.py`).
    split: the side that its publishers put it on; None where the hash of its content decides.
    corrected: whether the source's own answer was wrong and has been replaced.
    """

    question: str
    answer: str
    canonical: str
    grader: str
    difficulty: int
    source: str
    metadata: dict[str, Any] = field(default_factory=dict)
    split: str | None = None
    corrected: bool = False


class Source(Protocol):
    endless: bool
    """Whether it can be drawn from for ever; if not, it ends by itself."""

    def problems(self, seed: int) -> Iterator[RawProblem]: ...


def in_seeded_order(problems: Iterable[RawProblem], seed: int) -> list[RawProblem]:
    """Shuffled, so that the first n are a fair sample."""

    # By a hash of the content instead of by position: a new row in the file moves none of the others.
    def position(problem: RawProblem) -> bytes:
        return hashlib.sha256(f"{seed}\0{problem.question}\0{problem.answer}".encode()).digest()

    return sorted(problems, key=position)
