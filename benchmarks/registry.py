"""The benchmarks by name, and what one is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Protocol, cast

FILES = (
    "labels_ingest",
    "labels_increment",
    "selection_10m",
    "status_after_a_year",
    "audit_after_a_year",
    "growth",
    "labels_vs_pandas",
    "sampler_vs_generate",
    "sampler_vs_vllm",
    "sft_vs_trl",
    "prm_vs_transformers",
    "grpo_vs_trl",
    "large_models",
    "serving",
    "own_data",
    "prm_tree_tokens_ratio",
    "beam_vs_its_hub",
    "mcts_vs_llm_reasoners",
    "search_token_saving",
    "test_time_r2",
    "questions",
    "grading_false_accepts",
    "grading_false_rejects",
    "grading_p999",
    "grading_plain",
    "hostile_programs",
    "sandbox_snippets",
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


@dataclass(frozen=True)
class Figure:
    """spread: from the smallest to the largest repetition, or the width of the interval that `against` names.

    ours, theirs: where another tool does the same, what each took, in words; docs/peers.md shows them.
    """

    value: float
    spread: float
    unit: str
    against: str
    ours: str = ""
    theirs: str = ""


class Comparison(Protocol):
    """What a module defines instead that measures by itself, one thing against another in turn."""

    NAME: str

    def compare(self) -> Mapping[str, Figure]:
        """Name of a result -> it; the first is NAME's. Raises SystemExit with a sentence if something is missing."""


def load(file: str) -> Benchmark:
    return cast(Benchmark, import_module(f"benchmarks.{file}"))


def load_comparison(file: str) -> Comparison | None:
    """None if the file is that of a `Benchmark`."""
    module: ModuleType = import_module(f"benchmarks.{file}")
    return cast(Comparison, module) if hasattr(module, "compare") else None


def by_name() -> dict[str, str]:
    """Name of a benchmark -> its file."""
    return {load(file).NAME: file for file in FILES}
