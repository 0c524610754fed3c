"""generator/sft_set: the samples whose final answer is correct (Lightman et al. 2023, section 2.4)."""

from __future__ import annotations

import polars as pl

from o1_assets.artifact import Outcome, Task
from o1_assets.generator.config import SftSetConfig


def make_sft_set(task: Task, config: SftSetConfig) -> Outcome:
    """Inputs "samples" and "train"; writes sft_set.parquet: solution_id, problem_id, question, text."""
    samples = pl.read_parquet(task.inputs["samples"] / "solutions.parquet")
    problems = pl.read_parquet(task.inputs["train"] / "problems.parquet").select("problem_id", "question")
    kept = select(samples, config).join(problems, on="problem_id", how="inner", maintain_order="left")
    kept = kept.select("solution_id", "problem_id", "question", "text")
    if kept.is_empty():
        raise ValueError(
            "no sample has the correct final answer: the base cannot follow the prompt's format yet"
        )
    kept.write_parquet(task.out / "sft_set.parquet")
    return Outcome(
        figures={
            "solutions": len(kept),
            "problems": kept["problem_id"].n_unique(),
            "kept_share": len(kept) / len(samples),
        },
        rows=len(kept),
        sample=kept.head(5).select("question", "text").to_dicts(),
    )


def select(samples: pl.DataFrame, config: SftSetConfig) -> pl.DataFrame:
    """The first distinct correct solutions of each problem, at most config.per_problem; in the given order."""
    correct = samples.filter(pl.col("correct") & (pl.col("steps").list.len() >= config.min_steps))
    distinct = correct.unique(subset=["problem_id", "text"], keep="first", maintain_order=True)
    return distinct.filter(pl.int_range(pl.len()).over("problem_id") < config.per_problem)
