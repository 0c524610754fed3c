"""assistant/comparisons: several answers to each request, ranked by people or by an annotator with a constitution."""

from __future__ import annotations

from random import Random
from typing import Any

import polars as pl

from o1_assets.core.artifact import Outcome, Task
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.experiments.assistant.config import ComparisonsConfig
from o1_assets.experiments.assistant.constitution import pairs, quality, ranking, with_errors
from o1_assets.experiments.assistant.requests import expression
from o1_assets.problems.instructions import Request

SCHEMA: dict[str, Any] = {
    "problem_id": pl.String,
    "question": pl.String,
    "answers": pl.List(pl.String),
    "exact_ranks": pl.List(pl.Int32),
    "ranks": pl.List(pl.Int32),
}


def make_comparisons(task: Task, config: ComparisonsConfig) -> Outcome:
    """Inputs "answers" (solutions.parquet) and "requests". Writes comparisons.parquet: problem_id, question, answers,
    exact_ranks (0 for the best), and ranks, as the annotator gave them.

    Requests of whose answers none is better than another teach nothing, and are left out.
    """
    requests = read_parquet(task.inputs["requests"] / "problems.parquet")
    answers = read_parquet(task.inputs["answers"] / "solutions.parquet")
    asked = {row["problem_id"]: row for row in requests.iter_rows(named=True)}
    rows, shared = [], 0
    for (name,), group in answers.group_by("problem_id", maintain_order=True):
        row = asked[str(name)]
        request, operations = Request.parse(row["question"]), len(expression(row).ops)
        # Of an answer without any text nothing can be read.
        written = group.filter(pl.col("text").str.strip_chars() != "")
        different = written.unique(subset=["text"], keep="first", maintain_order=True)
        exact = ranking(
            [
                quality(request, a["steps"], a["finished"], a["correct"], operations)
                for a in different.iter_rows(named=True)
            ]
        )
        if max(exact, default=0) == 0:
            shared += 1
            continue
        rng = Random(derive_seed(task.seed, str(name)))
        ranks = with_errors(exact, config.swap_rate, rng)
        rows.append((str(name), row["question"], different["text"].to_list(), exact, ranks))
    table = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    table.write_parquet(task.out / "comparisons.parquet")
    all_pairs = sum(len(pairs(row[3])) for row in rows)
    flipped = sum(row[4][i] >= row[4][j] for row in rows for i, j in pairs(row[3]))
    return Outcome(
        {
            "comparisons": len(rows),
            "pairs": all_pairs,
            "flipped_share": flipped / all_pairs if all_pairs else None,
            "without_difference": shared,
        },
        rows=len(rows),
        sample=table.head(5).to_dicts(),
    )
