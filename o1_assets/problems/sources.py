"""A source of problems: something that yields raw problems in an order that only its seed decides."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from o1_assets.problems.config import FileSource, Gsm8kSource, MathSource, ReasoningGymSource, SourceConfig


class ProblemError(ValueError):
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


def open_source(config: SourceConfig) -> Source:
    match config:
        case ReasoningGymSource():
            from o1_assets.problems.reasoning_gym_source import ReasoningGymProblems

            return ReasoningGymProblems(config)
        case Gsm8kSource():
            from o1_assets.problems.gsm8k_source import Gsm8kProblems

            return Gsm8kProblems(config)
        case MathSource():
            from o1_assets.problems.math_source import MathProblems

            return MathProblems(config)
        case FileSource():
            from o1_assets.problems.file_source import FileProblems

            return FileProblems(Path(config.path))


def external_version(config: SourceConfig) -> str:
    """A digest of the files a source reads from outside the graph; "" where its configuration says it all."""
    match config:
        case FileSource(path=path):
            files = [Path(path)]
        case Gsm8kSource(folder=str(folder)) | MathSource(folder=str(folder)):
            files = [Path(folder) / "train.jsonl", Path(folder) / "test.jsonl"]
        case _:
            return ""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes() if file.is_file() else b"absent")
        digest.update(b"\0")
    return digest.hexdigest()


def in_seeded_order(problems: Iterable[RawProblem], seed: int) -> list[RawProblem]:
    """Shuffled by content, so that taking the first n is a fair sample and a new row moves none of the others."""
    return sorted(
        problems, key=lambda p: hashlib.sha256(f"{seed}\0{p.question}\0{p.answer}".encode()).digest()
    )
