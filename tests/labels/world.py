"""A small selection written to disk, and ways to rate it by hand."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from o1_assets.core.artifact import Task
from o1_assets.labels.export import export_selection
from o1_assets.labels.inbox.tables import ParsedRecord
from o1_assets.labels.inbox.validate import SelectionCheck
from o1_assets.labels.protocol import DENSE, Protocol, Slot, Violation, Writing
from o1_assets.labels.schema import Record, fill
from o1_assets.labels.selection import Selection
from o1_assets.problems.expression import Expression

SOLUTIONS: dict[str, tuple[str, list[list[str]]]] = {
    # id -> expression, completions of each step (the own one first)
    "right": ("3 * 4 - 5", [["3*4=12", "4-5=-1"], ["12-5=7", "12-5=6", "check 3*4=12"], ["answer 7"]]),
    "wrong": ("2 + 3 * 4", [["2+3=5", "3*4=12", "3*4=13"], ["5*4=20", "2+12=14"], ["answer 20"]]),
    "direct": ("6 - 2", [["answer 5", "6-2=4", "answer 4"]]),
}

ROUND = "r03"


def problem(expression: str) -> dict[str, Any]:
    """A row of problems.parquet, as reasoning_gym's basic_arithmetic would give it."""
    question, answer = f"Calculate {expression}.", str(Expression.parse(expression).value())
    entry = {"question": question, "answer": answer, "metadata": {"expression": expression}}
    return {
        "problem_id": expression.replace(" ", ""),
        "question": question,
        "answer": answer,
        "source": "reasoning_gym",
        "grader": "reasoning_gym:basic_arithmetic",
        "difficulty": 3,
        "metadata": json.dumps(entry),
    }


def write_selection(
    root: Path,
    solutions: Mapping[str, tuple[str, list[list[str]]]] = SOLUTIONS,
    writing: Writing | None = None,
) -> tuple[Path, Path]:
    """Folders `selection` and `train` as the graph makes them. writing: what may be written in wrong solutions."""
    rows, completions, problems = [], [], {}
    for solution, (expression, steps) in solutions.items():
        row = problem(expression)
        problems[row["problem_id"]] = row
        texts = [alternatives[0] for alternatives in steps]
        rows.append(
            {
                "solution_id": solution, "problem_id": row["problem_id"], "sample": 0, "text": "\n".join(texts) + "\n",
                "steps": texts, "answer": texts[-1].removeprefix("answer "),
                "correct": texts[-1] == f"answer {row['answer']}", "token_ids": [1, 2], "finished": True,
                "score": 0.5, "reason": "convincing_rest",
            }
        )  # fmt: skip
        completions += [
            (solution, row["problem_id"], step, completion, text)
            for step, alternatives in enumerate(steps)
            for completion, text in enumerate(alternatives)
        ]
    schema = {
        "solution_id": pl.String, "problem_id": pl.String, "step": pl.Int32, "completion": pl.Int32, "text": pl.String,
    }  # fmt: skip
    selection, train = root / "selection", root / "train"
    selection.mkdir(parents=True, exist_ok=True)
    train.mkdir(exist_ok=True)
    table = pl.DataFrame(rows)
    if writing is not None:
        table = table.with_columns(writing=pl.when(~pl.col("correct")).then(pl.lit(writing)))
    table.write_parquet(selection / "solutions.parquet")
    pl.DataFrame(completions, schema=schema, orient="row").write_parquet(selection / "completions.parquet")
    pl.DataFrame(list(problems.values())).write_parquet(train / "problems.parquet")
    return selection, train


def load(root: Path, writing: Writing | None = None) -> Selection:
    return Selection.load(*write_selection(root, writing=writing))


class AcceptAll(SelectionCheck):
    """Finds nothing wrong with any record."""

    def violations(self, parsed: ParsedRecord) -> list[Violation]:
        return []


def check(selection: Selection, protocol: Protocol = DENSE) -> SelectionCheck:
    return SelectionCheck(selection, ROUND, protocol)


def unrated(selection: Selection, protocol: Protocol = DENSE) -> dict[str, Record]:
    return {
        record.o1.solution_id: record for record in export_selection(selection, ROUND, protocol) if record.o1
    }


def rated(
    record: Record,
    ratings: Mapping[tuple[int, int], int | None],
    labeler: str = "ann",
    timestamp: str = "2026-01-01T00:00:00",
    protocol: Protocol = DENSE,
) -> Record:
    """A copy of the record with ratings by (step, completion)."""
    filled = copy.deepcopy(record)
    fill(filled, {Slot(*slot): rating for slot, rating in ratings.items()}, protocol, labeler, timestamp)
    return filled


def write(path: Path, records: list[Record]) -> Path:
    path.write_text("".join(record.to_line() + "\n" for record in records))
    return path


def task(inputs: Mapping[str, Path], out: Path) -> Task:
    def no_engine(path: Path) -> Any:
        raise AssertionError("labels never sample")

    out.mkdir(parents=True)
    return Task(inputs=inputs, out=out, seed=0, open_engine=no_engine)
