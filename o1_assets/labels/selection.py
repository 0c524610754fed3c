"""A round's selection as labelling sees it: solutions in order, the completions of each step, the questions.

It stays in columns until a single solution is asked for: a hundred thousand solutions load in a second.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from o1_assets.store.digest import sha256_file

# A completion of a selection as one number: tables of millions of ratings are joined and sorted by it.
#
# The numbers are in the order of solution id, step and completion.
#

_STEP_BITS = _COMPLETION_BITS = 18


SOLUTION = pl.col("slot") // 2 ** (_STEP_BITS + _COMPLETION_BITS)


STEP = pl.col("slot") // 2**_COMPLETION_BITS % 2**_STEP_BITS


COMPLETION = pl.col("slot") % 2**_COMPLETION_BITS


_SLOT = (pl.col("solution") * 2**_STEP_BITS + pl.col("step")) * 2**_COMPLETION_BITS + pl.col("completion")


def solution_starts(table: pl.DataFrame) -> NDArray[np.int64]:
    """The rows at which another solution begins than in the row before."""
    changes = table.select(pl.col("solution_id").ne_missing(pl.col("solution_id").shift()))
    starts = changes.to_series().to_numpy().copy()
    starts[:1] = True
    return np.flatnonzero(starts)


def number_solutions(solution_ids: pl.Series) -> pl.DataFrame:
    """Columns solution_id and solution, its number in the order of the ids; solution_ids are distinct."""
    return pl.DataFrame({"solution_id": solution_ids.sort()}).with_row_index("solution")


def with_slot(table: pl.DataFrame, numbers: pl.DataFrame) -> pl.DataFrame:
    """Adds `slot` to a table with solution_id, step and completion; rows of other solutions are left out.

    Rows of one solution mostly stand together: a run of them is looked up once.
    """
    starts = solution_starts(table)
    found = table.select(pl.col("solution_id").gather(starts)).join(
        numbers, on="solution_id", how="left", maintain_order="left"
    )
    number = found["solution"].cast(pl.Int64).fill_null(-1).to_numpy()
    repeated = np.repeat(number, np.diff(np.append(starts, table.height)))
    return (
        table.with_columns(solution=pl.Series(repeated, dtype=pl.Int64))
        .filter(pl.col("solution") >= 0)
        .with_columns(slot=_SLOT)
        .drop("solution")
    )


def content_of(steps: list[list[str]]) -> str:
    """32 hex digits over the texts of all completions of all steps, in order."""
    return hashlib.sha256(msgspec.json.encode(steps)).hexdigest()[:32]


KEY = ["solution_id", "step", "completion"]


@dataclass(frozen=True)
class Selection:
    """folder: solutions.parquet and completions.parquet, read when they are asked for.

    digest: sixteen hex digits over the file of everything that is to be rated.
    problems: rows of problems.parquet by problem id; empty when only labels are looked at.
    only: nothing is read of other solutions than these; None reads all.
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
        known: dict[str, dict[str, Any]] = {}
        if problems is not None:
            own = folder / "problems.parquet"
            wanted = pl.read_parquet(folder / "solutions.parquet", columns=["problem_id"]).unique()
            source = own if own.is_file() else problems / "problems.parquet"
            rows = pl.read_parquet(source).join(wanted, on="problem_id", how="semi")
            known = {row["problem_id"]: row for row in rows.iter_rows(named=True)}
            missing = wanted.height - len(known)
            if missing:
                raise ValueError(f"the selection has {missing} problems that the problem set does not have")
        return cls(folder, sha256_file(folder / "completions.parquet")[:16], known)

    @cached_property
    def table(self) -> pl.DataFrame:
        """solutions.parquet."""
        return self._read("solutions")

    def among(self, solutions: frozenset[str]) -> Selection:
        """The same selection, of which nothing but these solutions is read. What was read already stays so."""
        return self if "completions" in self.__dict__ else replace(self, only=solutions)

    def _read(self, name: str, columns: Sequence[str] | None = None) -> pl.DataFrame:
        rows = pl.scan_parquet(self.folder / f"{name}.parquet")
        if self.only is not None:
            rows = rows.filter(pl.col("solution_id").is_in(list(self.only)))
        return (rows if columns is None else rows.select(columns)).collect()

    @cached_property
    def completions(self) -> pl.DataFrame:
        """completions.parquet, each solution's together, by step and completion. written: by a labeller.

        Raises ValueError if the completions of a solution are not steps 0, 1, .. with completions 0, 1, ..
        """
        completions = self._read("completions")
        if _first_out_of_order(completions) is not None:
            completions = completions.sort(KEY)
            if (broken := _first_out_of_order(completions)) is not None:
                raise ValueError("solution {}: step {} completion {} has no predecessor".format(*broken))
        if "written" not in completions.columns:
            completions = completions.with_columns(written=pl.lit(False))
        return completions

    @cached_property
    def solution_ids(self) -> list[str]:
        """Solutions with at least one step, in the selection's order."""
        ids, named = (
            self._read(name, ["solution_id"])["solution_id"] for name in ("solutions", "completions")
        )
        return ids.filter(ids.is_in(named.unique().implode())).to_list()

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """First row of each solution in completions."""
        return solution_starts(self.completions)

    @cached_property
    def numbers(self) -> pl.DataFrame:
        """Columns solution_id and solution: its number, by which slots are counted."""
        return number_solutions(self._read("solutions", ["solution_id"])["solution_id"])

    @cached_property
    def _rows(self) -> dict[str, tuple[int, int]]:
        """Solution id -> its first row of completions and their number."""
        counts = np.diff(np.append(self.starts, self.completions.height))
        places = zip(self.starts.tolist(), counts.tolist(), strict=True)
        return dict(zip(self.completions["solution_id"][self.starts].to_list(), places, strict=True))

    def __contains__(self, solution: str) -> bool:
        return solution in self._rows

    def texts(self, solution: str) -> list[list[str]]:
        """Step -> texts of one solution, the own step first, without building `steps`."""
        rows, (which, text) = self._rows[solution], self._columns
        texts: list[list[str]] = []
        for completion, one in zip(which.slice(*rows).to_list(), text.slice(*rows).to_list(), strict=True):
            if completion == 0:
                texts.append([])
            texts[-1].append(one)
        return texts

    @cached_property
    def _columns(self) -> tuple[pl.Series, pl.Series]:
        return self.completions["completion"], self.completions["text"]

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
        """Solution id -> digest of everything in it that is to be rated."""
        return {solution: content_of(texts) for solution, texts in self.steps.items()}

    def problem(self, solution: str) -> dict[str, Any] | None:
        """The problem row of one solution, if it is known."""
        return self.problems.get(self.problem_ids[solution])

    @cached_property
    def problem_of(self) -> dict[str, dict[str, Any]]:
        """Solution id -> problem row, for the problems known."""
        pairs = self.problem_ids.items()
        return {solution: self.problems[problem] for solution, problem in pairs if problem in self.problems}

    @cached_property
    def problem_ids(self) -> dict[str, str]:
        """Solution id -> problem id."""
        columns = ["solution_id", "problem_id"]
        pairs = self._read("solutions", columns)
        return dict(zip(*(pairs[name].to_list() for name in columns), strict=True))

    def shape(self, solution: str) -> Sequence[int]:
        return [len(texts) for texts in self.steps[solution]]


def _first_out_of_order(completions: pl.DataFrame) -> tuple[Any, ...] | None:
    """KEY of the first row that does not follow on the one before it; None: every solution is whole."""
    starts = solution_starts(completions)
    first = np.zeros(completions.height, dtype=bool)
    first[starts] = completions["solution_id"][starts].is_first_distinct().to_numpy()
    begun = np.zeros(completions.height, dtype=bool)
    begun[starts] = True
    step, completion = pl.col("step"), pl.col("completion")
    follows = (
        pl.when(pl.Series(begun))
        .then((step == 0) & (completion == 0) & pl.Series(first))
        .when(step == step.shift())
        .then(completion == completion.shift() + 1)
        .otherwise((step == step.shift() + 1) & (completion == 0))
    )
    in_order = completions.select(follows).to_series()
    if in_order.all():
        return None
    return completions.filter(~in_order).select(KEY).row(0)
