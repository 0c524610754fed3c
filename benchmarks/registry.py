"""The benchmarks by name, and what one is."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

FILES = (
    "labels_ingest",
    "labels_increment",
    "selection_10m",
    "status_after_a_year",
    "audit_after_a_year",
)


class Benchmark(Protocol):
    """What a module of this folder has to define."""

    NAME: str
    """Of the result in seconds; its peak memory is NAME without `_seconds`, with `_peak_rss_gib`."""
    AGAINST: str
    """What the figure is to be compared with: a limit, or another tool's figure and where it is from."""
    REPETITIONS: int
    # PREPARED: a name that modules share which prepare the same and leave it as it is; they are measured in turn.

    def prepare(self, folder: Path) -> None:
        """Builds in an empty folder what `measure` needs. The same every time."""

    def measure(self, folder: Path, repetition: int) -> None:
        """What is timed. May change the folder: `repetition` counts from 0 on the same one."""


def load(file: str) -> Benchmark:
    return cast(Benchmark, import_module(f"benchmarks.{file}"))


def by_name() -> dict[str, str]:
    """Name of a benchmark -> its file."""
    return {load(file).NAME: file for file in FILES}
