"""A round's selection as labelling sees it: solutions in order, the completions of each step, the questions.

It stays in columns until the texts of single solutions are asked for: a hundred thousand solutions load in a second.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from o1_assets.core.files import sha256
from o1_assets.core.tables import read_parquet, scan_parquet
from o1_assets.labels.protocol import Writing

KEY = ["solution_id", "step", "completion"]
"""What names a completion in the tables of a round."""

# In tables of millions of ratings a completion is named by one integer, completion_id. Grouping, sorting and looking
# up by one integer is quicker than by a string and two integers. From the high bits to the low ones it
# holds the number of the solution (in the order of the ids), the step and the completion, so it sorts like KEY.
_STEP_BITS = _COMPLETION_BITS = 18
SOLUTION = pl.col("completion_id") // 2 ** (_STEP_BITS + _COMPLETION_BITS)
STEP = pl.col("completion_id") // 2**_COMPLETION_BITS % 2**_STEP_BITS
COMPLETION = pl.col("completion_id") % 2**_COMPLETION_BITS


def with_completion_id(table: pl.DataFrame, numbers: pl.DataFrame) -> pl.DataFrame:
    """Adds `completion_id` to a table with KEY; rows of solutions that `numbers` does not have are left out.

    numbers: columns solution_id and solution (see `Selection.numbers`).
    """
    number = pl.col("solution").cast(pl.Int64)
    packed = (number * 2**_STEP_BITS + pl.col("step")) * 2**_COMPLETION_BITS + pl.col("completion")
    joined = table.join(numbers, on="solution_id", how="inner", maintain_order="left")
    return joined.with_columns(completion_id=packed).drop("solution")


def texts_by_solution(completions: pl.DataFrame) -> pl.DataFrame:
    """Columns solution_id and text (a list per step of the texts in it) of ordered completions."""
    steps = completions.group_by("solution_id", "step", maintain_order=True).agg("text")
    return steps.group_by("solution_id", maintain_order=True).agg("text")


def content_of(steps: list[list[str]]) -> str:
    """32 hex digits over the texts of all completions of all steps, in order."""
    return hashlib.sha256(msgspec.json.encode(steps)).hexdigest()[:32]


@dataclass(frozen=True)
class Selection:
    """folder: solutions.parquet and completions.parquet, read when they are asked for.

    digest: sixteen hex digits over the file of everything that is to be rated.
    problems: rows of problems.parquet by problem id; empty when only labels are looked at.
    only: no other solutions than these are read; None reads all.
    """

    folder: Path
    digest: str
    problems: dict[str, dict[str, Any]]
    only: frozenset[str] | None = None

    @classmethod
    def load(cls, folder: Path, problems: Path | None = None) -> Selection:
        """problems: folder with problems.parquet; a selection that was imported brings its own.

        Raises ValueError if a problem is missing.
        """
        rows: dict[str, dict[str, Any]] = {}
        # The label table needs no problems; an export and an annotator do.
        if problems is not None:
            imported = folder / "problems.parquet"
            wanted = read_parquet(folder / "solutions.parquet", columns=["problem_id"]).unique()
            table = read_parquet(imported if imported.is_file() else problems / "problems.parquet")
            table = table.join(wanted, on="problem_id", how="semi")
            rows = {row["problem_id"]: row for row in table.iter_rows(named=True)}
            missing = wanted.height - len(rows)
            if missing:
                raise ValueError(f"the selection has {missing} problems that the problem set does not have")
        # Everything that is rated is in completions.parquet; scores and reasons in the other file may change.
        return cls(folder, sha256(folder / "completions.parquet")[:16], rows)

    def restricted_to(self, solutions: frozenset[str]) -> Selection:
        """The same selection, of which only these solutions are read; itself if it was read already."""
        # A new object, because the cached properties of this one are of all solutions.
        return self if "completions" in self.__dict__ else replace(self, only=solutions)

    def alone(self, solution: str) -> Selection:
        """The same selection, of which one solution is read."""
        return replace(self, only=frozenset({solution}))

    @cached_property
    def table(self) -> pl.DataFrame:
        """solutions.parquet."""
        return self._read("solutions")

    @cached_property
    def completions(self) -> pl.DataFrame:
        """completions.parquet, each solution's together, by step and completion. written: by a labeller.

        Raises ValueError if the completions of a solution are not steps 0, 1, .. with completions 0, 1, ..
        """
        completions = self._read("completions")
        # Sorting a million strings takes longer than everything else here, and the tables mostly are in order.
        if _out_of_order(completions) is not None:
            completions = completions.sort(KEY)
            if (row := _out_of_order(completions)) is not None:
                raise ValueError("solution {}: step {} completion {} has no predecessor".format(*row))
        # Only imported selections have steps that a labeller wrote.
        if "written" not in completions.columns:
            completions = completions.with_columns(written=pl.lit(False))
        return completions

    @cached_property
    def solution_ids(self) -> list[str]:
        """Solutions with at least one step, in the selection's order."""
        all_ids, with_steps = (
            self._read(name, ["solution_id"])["solution_id"] for name in ("solutions", "completions")
        )
        return all_ids.filter(all_ids.is_in(with_steps.unique().implode())).to_list()

    @cached_property
    def numbers(self) -> pl.DataFrame:
        """Columns solution_id and solution, the solution's number in the order of the ids."""
        ids = self._read("solutions", ["solution_id"])["solution_id"]
        return pl.DataFrame({"solution_id": ids.sort()}).with_row_index("solution")

    @cached_property
    def steps(self) -> dict[str, list[list[str]]]:
        """Solution id -> step -> texts, the own step first. Of a few solutions: `restricted_to(..).steps`."""
        texts = texts_by_solution(self.completions)
        return dict(zip(texts["solution_id"].to_list(), texts["text"].to_list(), strict=True))

    def __contains__(self, solution: str) -> bool:
        return solution in self.steps

    @cached_property
    def contents(self) -> dict[str, str]:
        """Solution id -> digest of everything in it that is to be rated."""
        return {solution: content_of(texts) for solution, texts in self.steps.items()}

    @cached_property
    def writing(self) -> dict[str, Writing]:
        """Solution id -> what a labeller may write where it goes wrong; solutions without any are left out."""
        if "writing" not in scan_parquet(self.folder / "solutions.parquet").collect_schema():
            return {}
        return dict(self._read("solutions", ["solution_id", "writing"]).drop_nulls().iter_rows())

    @cached_property
    def problem_ids(self) -> dict[str, str]:
        """Solution id -> problem id."""
        pairs = self._read("solutions", ["solution_id", "problem_id"])
        return dict(zip(pairs["solution_id"].to_list(), pairs["problem_id"].to_list(), strict=True))

    @cached_property
    def problem_of(self) -> dict[str, dict[str, Any]]:
        """Solution id -> problem row, for the problems known."""
        pairs = self.problem_ids.items()
        return {solution: self.problems[problem] for solution, problem in pairs if problem in self.problems}

    def _read(self, name: str, columns: Sequence[str] | None = None) -> pl.DataFrame:
        rows = scan_parquet(self.folder / f"{name}.parquet")
        if self.only is not None:
            rows = rows.filter(pl.col("solution_id").is_in(list(self.only)))
        return (rows if columns is None else rows.select(columns)).collect()


def _out_of_order(completions: pl.DataFrame) -> tuple[Any, ...] | None:
    """KEY of the first row that does not follow on the one before it; None: every solution is whole."""
    # Every expression looks at one row and the row before it, so a million rows are one pass.
    step, completion = pl.col("step"), pl.col("completion")
    # A solution that begins a second time has rows in two places.
    begins = pl.col("solution_id").ne_missing(pl.col("solution_id").shift())
    follows = (
        pl.when("begins")
        .then((step == 0) & (completion == 0) & pl.col("solution_id").is_first_distinct())
        .when(step == step.shift())
        .then(completion == completion.shift() + 1)
        .otherwise((step == step.shift() + 1) & (completion == 0))
    )
    broken = completions.with_columns(begins=begins).filter(~follows).select(KEY)
    return broken.row(0) if broken.height else None
