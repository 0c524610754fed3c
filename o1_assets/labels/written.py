"""Solutions that labellers wrote steps of, whole or in part: written.parquet in rNN/labels, and what a policy learns.

A row is a path from the first step on: steps that were rated right, then the written ones; in published data rated ones
may follow. What nobody wrote in leaves no file. Nobody rates what they wrote, so that it is right is an assumption:
of phase 1 of PRM800K, which has such steps, 85% of the solutions end correct (Lightman et al. 2023, section 2.4).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from o1_assets.core.artifact import Figures
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.core.tables import read_parquet
from o1_assets.labels.inbox.written import step_fault
from o1_assets.labels.selection import Selection

FILE = "written.parquet"

PATH: dict[str, Any] = {
    "solution_id": pl.String, "problem_id": pl.String, "question": pl.String,
    "steps": pl.List(pl.String), "written": pl.List(pl.Boolean), "whole": pl.Boolean,
    "labeler": pl.String, "batch": pl.String, "line": pl.Int32,
}  # fmt: skip
"""written: of each step, whether the labeller wrote it. whole: it goes on to the end of the solution. line: in the
batch, from 1."""


def written_paths(labels: pl.DataFrame, records: pl.DataFrame, selection: Selection) -> pl.DataFrame:
    """The columns of PATH, in the order of the solutions and labellers.

    labels: columns of labels.parquet. records: those with written steps, each labeller's newest of a solution. A path
    is left out if the label table does not hold everything before the written steps as right.
    """
    is_own = pl.col("completion") == 0
    imported = labels.filter(is_own & pl.col("rating").is_null())["solution_id"].unique()
    solutions = pl.concat([records["solution_id"], imported]).unique()
    near = labels.filter(pl.col("solution_id").is_in(solutions.implode()))
    rows = [*_written_here(near, records), *_published(near, imported.to_list(), selection)]
    paths = pl.DataFrame(rows, schema=PATH, orient="row")
    # Of equal texts the first labeller's stands for all: they would be trained on twice.
    order = ["solution_id", "labeler", "batch", "line"]
    return paths.sort(order).unique(["solution_id", "steps"], keep="first", maintain_order=True)


def _written_here(labels: pl.DataFrame, records: pl.DataFrame) -> Iterator[tuple[Any, ...]]:
    right = labels.filter((pl.col("rating") >= 0).fill_null(True))
    columns = ["solution_id", "step", "completion", "text", "problem_id", "question"]
    known = {row[:3]: row[3:] for row in right.select(columns).iter_rows()}
    questions = {
        row[0]: row[1:] for row in labels.select("solution_id", "problem_id", "question").iter_rows()
    }
    for row in records.iter_rows(named=True):
        solution, first = row["solution_id"], row["written_from"]
        slots = [(solution, step, 0) for step in range(first)]
        if row["written_after"] is not None:
            slots[-1] = (solution, first - 1, row["written_after"])
        if solution not in questions or not all(slot in known for slot in slots):
            continue
        texts = [text.strip() for text in row["written"]]
        # Accepted while nobody was asked to write, it was never looked at.
        if any(step_fault(text) for text in texts):
            continue
        steps = [known[slot][0] for slot in slots] + texts
        flags = [False] * first + [True] * len(texts)
        whole = row["finish_reason"] == "solution"
        yield (solution, *questions[solution], steps, flags, whole, row["labeler"], row["batch"], row["line"])


def _published(labels: pl.DataFrame, solutions: list[str], selection: Selection) -> Iterator[tuple[Any, ...]]:
    """Paths of an imported round, where the written step stands among the own ones, without a rating."""
    own, lengths = (
        table.filter((pl.col("completion") == 0) & pl.col("solution_id").is_in(solutions))
        for table in (labels, selection.completions)
    )
    length = dict(lengths.group_by("solution_id").len().iter_rows())
    for (solution,), rows in own.sort("step").group_by("solution_id", maintain_order=True):
        texts, ratings = rows["text"].to_list(), rows["rating"].to_list()
        whole = len(texts) == length[solution] and (ratings[-1] is None or ratings[-1] >= 0)
        flags = [rating is None for rating in ratings]
        who = rows.filter(pl.col("rating").is_null()).select("labeler", "batch", "line").row(0)
        yield (solution, rows["problem_id"][0], rows["question"][0], texts, flags, whole, *who)


def read_written(labels: Path) -> pl.DataFrame:
    """written.parquet of a folder of rNN/labels, empty where nobody wrote anything."""
    file = labels / FILE
    return read_parquet(file) if file.is_file() else pl.DataFrame(schema=PATH)


def written_figures(paths: pl.DataFrame) -> Figures:
    """How many steps were written, in how many solutions, and how many of these are whole."""
    return {
        "written_steps": int(paths["written"].list.sum().sum()),
        "written_solutions": paths["solution_id"].n_unique(),
        "written_whole": int(paths["whole"].sum()),
    }


def written_rows(paths: pl.DataFrame) -> pl.DataFrame:
    """The written steps one by one, with the columns of labels.parquet: completion and rating are null."""
    steps = pl.int_ranges(pl.col("text").list.len(), dtype=pl.Int32)
    return (
        paths.rename({"steps": "text"})
        .with_columns(step=steps, completion=pl.lit(None, pl.Int32), rating=pl.lit(None, pl.Int8))
        .explode("text", "written", "step")
        .filter("written")
        .drop("written", "whole")
    )


# What a policy learns: a written solution where it found none by itself.


def written_solutions(inputs: Mapping[str, Path], prompt: PromptFormat) -> pl.DataFrame:
    """Whole written solutions of all rounds so far, of train problems that no sample of the round solved.

    inputs: labels_NN, solutions_NN of the same rounds, train (problems). Columns problem_id, question, steps, source
    ("written"). A solution whose answer the grader calls wrong is left out: people make mistakes too.
    """
    from o1_assets.problems.grading import grade_all

    problems = read_parquet(inputs["train"] / "problems.parquet")
    rounds = sorted(match[1] for name in inputs if (match := re.fullmatch(r"labels_(\d\d)", name)))
    unsolved = [pl.DataFrame(schema=PATH)]
    for number in rounds:
        solutions = read_parquet(
            inputs[f"solutions_{number}"] / "solutions.parquet", ["problem_id", "correct"]
        )
        paths = read_written(inputs[f"labels_{number}"]).filter("whole")
        unsolved.append(
            paths.join(solutions.filter("correct"), on="problem_id", how="anti", maintain_order="left")
        )
    # A problem that is not one of today's train problems, as in an import, has no answer to compare with.
    paths = pl.concat(unsolved).join(problems, on="problem_id", how="semi", maintain_order="left")
    paths = paths.unique(["problem_id", "steps"], keep="first", maintain_order=True)
    rows = {row["problem_id"]: row for row in problems.iter_rows(named=True)}
    graded = [
        (prompt.answer("\n".join(steps)), rows[problem])
        for problem, steps in paths.select("problem_id", "steps").iter_rows()
    ]
    right = paths.filter(pl.Series(grade_all(graded), dtype=pl.Boolean))
    return right.select("problem_id", "question", "steps", source=pl.lit("written"))
