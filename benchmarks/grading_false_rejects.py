"""Right answers that the grader refuses."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.grading_cases import share
from benchmarks.registry import Figure

NAME = "grading_false_rejects"


def compare() -> Mapping[str, Figure]:
    return {NAME: share(True, "at most 0.03")}
