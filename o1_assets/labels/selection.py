"""A round's selection as labelling sees it: solutions in order, the completions of each step, the questions.

It stays in columns until a single solution is asked for: a hundred thousand solutions load in a second.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

KEY = ["solution_id", "step", "completion"]


@dataclass(frozen=True)
class Selection:
    """table: selection/solutions.parquet. completions: sorted by KEY.

    problems: rows of problems.parquet by problem id; empty when only labels are looked at.
    """

    table: pl.DataFrame
    completions: pl.DataFrame
    problems: dict[str, dict[str, Any]]

    @classmethod
    def load(cls, folder: Path, problems: Path | None = None) -> Selection:
        """folder: solutions.parquet and completions.parquet; problems: folder with problems.parquet.

        A selection that was imported brings its own problems.parquet, which is then read instead.
        Raises ValueError if the completions of a solution are not steps 0, 1, .. with completions 0, 1, ..
        or a problem is missing.
        """
        table = pl.read_parquet(folder / "solutions.parquet")
        completions = pl.read_parquet(folder / "completions.parquet").sort(KEY)
        if "written" not in completions.columns:
            completions = completions.with_columns(written=pl.lit(False))
        _check_order(completions)
        known: dict[str, dict[str, Any]] = {}
        if problems is not None:
            own = folder / "problems.parquet"
            wanted = table.select("problem_id").unique()
            source = own if own.is_file() else problems / "problems.parquet"
            rows = pl.read_parquet(source).join(wanted, on="problem_id", how="semi")
            known = {row["problem_id"]: row for row in rows.iter_rows(named=True)}
            missing = wanted.height - len(known)
            if missing:
                raise ValueError(f"the selection has {missing} problems that the problem set does not have")
        return cls(table, completions, known)

    @cached_property
    def solution_ids(self) -> list[str]:
        """Solutions with at least one step, in the selection's order."""
        return [solution for solution in self.table["solution_id"] if solution in self.contents]

    @cached_property
    def steps(self) -> dict[str, list[list[str]]]:
        """Solution id -> step -> texts, the own step first."""
        texts = (
            self.completions.group_by("solution_id", "step", maintain_order=True)
            .agg("text")
            .group_by("solution_id", maintain_order=True)
            .agg("text")
        )
        return dict(zip(texts["solution_id"].to_list(), texts["text"].to_list(), strict=True))

    @cached_property
    def contents(self) -> dict[str, str]:
        """Solution id -> digest of everything in it that is to be rated, as `events.content_of` gives it."""
        text = pl.col("text")
        part = pl.format("{}:{}:{}:{}", "step", "completion", text.str.len_chars(), text)
        joined = (
            self.completions.select("solution_id", part.alias("part"))
            .group_by("solution_id", maintain_order=True)
            .agg(pl.col("part").str.join(""))
        )
        return {
            solution: hashlib.sha256(content.encode()).hexdigest()[:32]
            for solution, content in joined.iter_rows()
        }

    @cached_property
    def problem_of(self) -> dict[str, dict[str, Any]]:
        """Solution id -> problem row, for the problems known."""
        pairs = self.table.select("solution_id", "problem_id").iter_rows()
        return {solution: self.problems[problem] for solution, problem in pairs if problem in self.problems}

    @cached_property
    def digest(self) -> str:
        """Sixteen hex digits over everything that is to be rated."""
        return hashlib.sha256(repr(sorted(self.contents.items())).encode()).hexdigest()[:16]

    def shape(self, solution: str) -> Sequence[int]:
        return [len(texts) for texts in self.steps[solution]]


def _check_order(completions: pl.DataFrame) -> None:
    """completions are sorted; every row has to follow on the one before it."""
    solution, step, completion = (pl.col(name) for name in KEY)
    first = solution.ne_missing(solution.shift())
    follows = (
        pl.when(first)
        .then((step == 0) & (completion == 0))
        .when(step == step.shift())
        .then(completion == completion.shift() + 1)
        .otherwise((step == step.shift() + 1) & (completion == 0))
    )
    broken = completions.filter(~follows)
    if broken.height:
        solution_id, at, which = broken.select(KEY).row(0)
        raise ValueError(f"solution {solution_id}: step {at} completion {which} has no predecessor")
