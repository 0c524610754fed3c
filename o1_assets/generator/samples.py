"""generator/samples: several step-by-step solutions of each train problem by the prompted base."""

from __future__ import annotations

import polars as pl

from o1_assets.core.artifact import Cost, Outcome, Task
from o1_assets.core.engine import SamplingParams
from o1_assets.core.flops import flops_generate
from o1_assets.generator.config import SamplesConfig


def make_samples(task: Task, config: SamplesConfig) -> Outcome:
    """Inputs "base" and "train"; writes solutions.parquet."""
    from o1_assets.problems.solutions import generated_tokens, readable, sample_solutions

    problems = (
        pl.read_parquet(task.inputs["train"] / "problems.parquet").sort("problem_id").head(config.problems)
    )
    engine = task.open_engine(task.inputs["base"])
    task.progress(f"{len(problems)} problems, {config.per_problem} solutions each")
    solutions = sample_solutions(
        engine,
        problems,
        config.per_problem,
        SamplingParams(config.prompt.max_tokens, config.temperature),
        task.seed,
        config.first_prompt,
    )
    solutions.write_parquet(task.out / "solutions.parquet")
    tokens = generated_tokens(solutions)
    solved = solutions.group_by("problem_id").agg(pl.col("correct").any())
    outcome = Outcome(
        figures={
            "solutions": len(solutions),
            "correct_share": _share(solutions, "correct"),
            "solved_problems_share": _share(solved, "correct"),
            "finished_share": _share(solutions, "finished"),
            "tokens": tokens,
        },
        cost=Cost(flops=flops_generate(engine.parameters, tokens), tokens_generated=tokens),
        rows=len(solutions),
        sample=readable(problems, solutions),
    )
    engine.close()
    return outcome


def _share(table: pl.DataFrame, column: str) -> float:
    return float(table.select(pl.col(column).mean()).item() or 0)
