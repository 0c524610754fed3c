"""Answers that the grader accepts although they are wrong, which a policy would learn to write."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.grading_cases import share
from benchmarks.registry import Figure

NAME = "grading_false_accepts"


def compare() -> Mapping[str, Figure]:
    return {NAME: share(False, "0")}
