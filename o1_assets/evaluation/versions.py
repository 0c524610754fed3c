"""GPT* and every version of baby-o1 on the same held-out problems: what each solves, and how each doubts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from o1_assets.evaluation.difficulty import terciles
from o1_assets.evaluation.self_correction import self_correction

GENERATOR = -1
"""The round of GPT*, which no round trained."""


def solved(evals: Mapping[int, Path], generator_eval: Path) -> pl.DataFrame:
    """evals: round -> folder of rNN/eval. Columns round, problem_id, difficulty (by how often GPT* solves it), right
    (share of the samples)."""
    tables = {
        k: pl.read_parquet(folder / "solutions.parquet", columns=["problem_id", "correct"])
        .group_by("problem_id")
        .agg(right=pl.col("correct").mean())
        .sort("problem_id")
        for k, folder in {GENERATOR: generator_eval, **evals}.items()
    }
    problems = next(table["problem_id"] for k, table in tables.items() if k != GENERATOR)
    generator = tables[GENERATOR].filter(pl.col("problem_id").is_in(problems.implode()))
    levels = generator.select(
        "problem_id", difficulty=pl.Series(terciles(generator["right"].to_numpy()), dtype=pl.String)
    )
    return pl.concat(
        table.join(levels, on="problem_id", how="inner", maintain_order="left").select(
            "problem_id", "difficulty", "right", round=pl.lit(k, pl.Int32)
        )
        for k, table in tables.items()
    ).select("round", "problem_id", "difficulty", "right")


def corrections(evals: Mapping[int, Path], generator_eval: Path, word: str) -> pl.DataFrame:
    """One row a version: round, and `self_correction` of its rated solutions, on the problems of the rounds."""
    problems = None
    rows = []
    for k, folder in evals.items():
        steps = pl.read_parquet(folder / "steps.parquet")
        problems = steps["problem_id"].unique() if problems is None else problems
        rows.append({"round": k, **self_correction(steps, word)})
    assert problems is not None, "there is a round"
    steps = pl.read_parquet(generator_eval / "steps.parquet")
    steps = steps.filter(pl.col("problem_id").is_in(problems.implode()))
    return pl.DataFrame(
        [{"round": GENERATOR, **self_correction(steps, word)}, *rows], infer_schema_length=None
    )
