"""A round's selection as labelling sees it: solutions in order, the completions of each step, the questions."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl


@dataclass(frozen=True)
class Selection:
    """table: selection/solutions.parquet. steps: solution id -> step -> texts, the own step first.

    problems: rows of problems.parquet by problem id; empty when only labels are looked at.
    """

    table: pl.DataFrame
    completions: pl.DataFrame
    steps: dict[str, list[list[str]]]
    problems: dict[str, dict[str, Any]]

    @classmethod
    def load(cls, folder: Path, problems: Path | None = None) -> Selection:
        """folder: solutions.parquet and completions.parquet; problems: folder with problems.parquet.

        Raises ValueError if the completions of a solution are not steps 0, 1, .. with completions 0, 1, ..
        or a problem is missing.
        """
        table = pl.read_parquet(folder / "solutions.parquet")
        completions = pl.read_parquet(folder / "completions.parquet").sort(
            "solution_id", "step", "completion"
        )
        steps = _steps(completions)
        known: dict[str, dict[str, Any]] = {}
        if problems is not None:
            wanted = table.select("problem_id").unique()
            rows = pl.read_parquet(problems / "problems.parquet").join(wanted, on="problem_id", how="semi")
            known = {row["problem_id"]: row for row in rows.iter_rows(named=True)}
            missing = set(wanted["problem_id"]) - known.keys()
            if missing:
                raise ValueError(
                    f"the selection has {len(missing)} problems that the problem set does not have"
                )
        return cls(table, completions, steps, known)

    @cached_property
    def solution_ids(self) -> list[str]:
        """Solutions with at least one step, in the selection's order."""
        return [solution for solution in self.table["solution_id"] if solution in self.steps]

    @cached_property
    def problem_of(self) -> dict[str, dict[str, Any]]:
        """Solution id -> problem row, for the problems known."""
        pairs = self.table.select("solution_id", "problem_id").iter_rows()
        return {solution: self.problems[problem] for solution, problem in pairs if problem in self.problems}

    @cached_property
    def digest(self) -> str:
        """Sixteen hex digits over everything that is to be rated."""
        digest = hashlib.sha256()
        for solution in sorted(self.steps):
            digest.update(repr((solution, self.steps[solution])).encode())
        return digest.hexdigest()[:16]

    def shape(self, solution: str) -> Sequence[int]:
        return [len(texts) for texts in self.steps[solution]]


def _steps(completions: pl.DataFrame) -> dict[str, list[list[str]]]:
    steps: dict[str, list[list[str]]] = {}
    columns = completions.select("solution_id", "step", "completion", "text")
    for solution, step, completion, text in columns.iter_rows():
        texts = steps.setdefault(solution, [])
        if completion == 0:
            texts.append([])
        if step != len(texts) - 1 or completion != len(texts[step]):
            raise ValueError(f"solution {solution}: step {step} completion {completion} has no predecessor")
        texts[step].append(text)
    return steps
