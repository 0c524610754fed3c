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

    canonical: its content whatever the wording (see canonical.py).
    split: the side that its publishers put it on, None where the content hash decides.
    corrected: the source's own answer was wrong and was replaced.
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
    """Shuffled by content, so that taking the first n is a fair sample and a new row moves none of the others."""
    return sorted(
        problems, key=lambda p: hashlib.sha256(f"{seed}\0{p.question}\0{p.answer}".encode()).digest()
    )
