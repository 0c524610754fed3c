"""ablations/verifiers/labels: GPT*'s solutions drawn at random, rated by the exact checker as phase 1 is.

More of them than round 0 has, because accuracy is wanted against their number. Writes solutions.parquet and
completions.parquet as rNN/selection does, and labels.parquet: solution_id, problem_id, question, step, completion,
text, rating, one row a rated completion.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl

from o1_assets.artifact import Outcome, Task
from o1_assets.labels.annotator import rate_selection
from o1_assets.labels.oracle import Oracle
from o1_assets.labels.protocol import DENSE
from o1_assets.labels.selection import Selection
from o1_assets.rounds.config import SelectionConfig
from o1_assets.rounds.selection import make_selection

SCHEMA: dict[str, Any] = {
    "solution_id": pl.String, "problem_id": pl.String, "question": pl.String, "step": pl.Int32,
    "completion": pl.Int32, "text": pl.String, "rating": pl.Int8,
}  # fmt: skip


def make_labelled(task: Task, config: SelectionConfig) -> Outcome:
    """Inputs: solutions, policy, train. Raises ValueError where the exact checker cannot rate a problem."""
    made = make_selection(task, config)
    selection = Selection.load(task.out, task.inputs["train"])
    ids = list(selection.solution_ids)
    ratings = rate_selection(selection, DENSE, Oracle(), set(ids))
    unrated = next((solution for solution in ids if solution not in ratings), None)
    if unrated is not None:
        problem = selection.problem_of[unrated]["problem_id"]
        raise ValueError(
            f"ablations/verifiers needs problems with an exact checker, and {problem} has none; use a source of "
            "arithmetic problems (problems.source) or leave this experiment out"
        )
    rows = [
        {
            "solution_id": solution,
            "problem_id": selection.problem_of[solution]["problem_id"],
            "question": selection.problem_of[solution]["question"],
            "step": slot.step,
            "completion": slot.completion,
            "text": selection.texts(solution)[slot.step][slot.completion],
            "rating": rating,
        }
        for solution in ids
        for slot, rating in sorted(ratings[solution].items())
    ]
    labels = pl.DataFrame(rows, schema=SCHEMA)
    labels.write_parquet(task.out / "labels.parquet")
    counts = dict(labels.group_by("rating").len().iter_rows())
    figures = {
        name: counts.get(rating, 0) for name, rating in (("negative", -1), ("neutral", 0), ("positive", 1))
    }
    return replace(made, figures={**made.figures, "labels": labels.height, **figures})
