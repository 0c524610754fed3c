"""Opens the source that a configuration names, and gives the version of what it reads outside of the graph."""

from __future__ import annotations

import hashlib
from pathlib import Path

from o1_assets.problems.config import (
    FileSource,
    Gsm8kSource,
    MathSource,
    ReasoningGymSource,
    SourceConfig,
    WordProblemsSource,
    WorldSource,
)
from o1_assets.problems.problem import Source


def open_source(config: SourceConfig) -> Source:
    # Imports are here: reasoning_gym takes two seconds to load, and `o1 status` asks for versions only.
    match config:
        case ReasoningGymSource():
            from o1_assets.problems.reasoning_gym_source import ReasoningGymProblems

            return ReasoningGymProblems(config)
        case Gsm8kSource() | MathSource():
            from o1_assets.problems.published_source import PublishedProblems

            return PublishedProblems(config)
        case WordProblemsSource():
            from o1_assets.problems.word_problems import WordProblems

            return WordProblems(config)
        case WorldSource():
            from o1_assets.problems.world_source import WorldProblems

            return WorldProblems(config)
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
        case WordProblemsSource(folder=str(folder)):
            from o1_assets.problems.word_problems import OTHERS, SVAMP, published_file

            files = [published_file(Path(folder), name) for name in (SVAMP, OTHERS)]
        case _:
            return ""
    digest = hashlib.sha256()
    for file in files:
        try:
            with file.open("rb") as opened:
                while block := opened.read(2**20):
                    digest.update(block)
        except OSError:  # said by whatever reads the rows
            digest.update(b"absent")
        digest.update(b"\0")
    return digest.hexdigest()
