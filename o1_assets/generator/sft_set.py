"""generator/sft_set: the samples whose final answer is correct (Lightman et al. 2023, section 2.4)."""

from __future__ import annotations

import json
import re

import polars as pl

from o1_assets.core.artifact import Outcome, Task
from o1_assets.generator.config import SftSetConfig


def make_sft_set(task: Task, config: SftSetConfig) -> Outcome:
    """Inputs "samples" and "train"; writes sft_set.parquet: solution_id, problem_id, question, text."""
    samples = pl.read_parquet(task.inputs["samples"] / "solutions.parquet")
    train = pl.read_parquet(task.inputs["train"] / "problems.parquet")
    problems = train.select("problem_id", "question")
    kept = select(samples, config).join(problems, on="problem_id", how="inner", maintain_order="left")
    kept = kept.select("solution_id", "problem_id", "question", "text")
    own = len(kept)
    if config.references is not None:
        tried = train.join(samples, on="problem_id", how="semi", maintain_order="left")
        unsolved = tried.join(kept, on="problem_id", how="anti", maintain_order="left")
        kept = pl.concat([kept, references(unsolved, config.references)])
    if kept.is_empty():
        raise ValueError(
            "no sample has the correct final answer: the base cannot follow the prompt's format yet"
        )
    kept.write_parquet(task.out / "sft_set.parquet")
    return Outcome(
        figures={
            "solutions": len(kept),
            "problems": kept["problem_id"].n_unique(),
            "kept_share": own / len(samples),
            **({} if config.references is None else {"references": len(kept) - own}),
        },
        rows=len(kept),
        sample=kept.head(5).select("question", "text").to_dicts(),
    )


def select(samples: pl.DataFrame, config: SftSetConfig) -> pl.DataFrame:
    """The first distinct correct solutions of each problem, at most config.per_problem; in the given order."""
    correct = samples.filter(pl.col("correct") & (pl.col("steps").list.len() >= config.min_steps))
    distinct = correct.unique(subset=["problem_id", "text"], keep="first", maintain_order=True)
    return distinct.filter(pl.int_range(pl.len()).over("problem_id") < config.per_problem)


def references(problems: pl.DataFrame, template: str) -> pl.DataFrame:
    """The worked solutions that came with the problems, for those that have one, without GSM8K's <<48/2=24>>."""
    rows = []
    for problem in problems.iter_rows(named=True):
        solution = re.sub(r"<<[^>]*>>", "", json.loads(problem["metadata"]).get("solution") or "").strip()
        if solution:
            text = template.replace("{answer}", problem["answer"]).replace("{solution}", solution)
            rows.append(
                (f"reference-{problem['problem_id']}", problem["problem_id"], problem["question"], text)
            )
    columns = ("solution_id", "problem_id", "question", "text")
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")
