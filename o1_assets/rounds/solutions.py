"""rNN/solutions: the newest policy solves a fresh draw of train problems, several times each."""

from __future__ import annotations

import polars as pl

from o1_assets.core.artifact import Cost, Outcome, Task
from o1_assets.core.engine import SamplingParams
from o1_assets.core.flops import flops_generate
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.problems.solutions import generated_tokens, readable, sample_solutions
from o1_assets.rounds.config import SolutionsConfig


def make_solutions(task: Task, config: SolutionsConfig) -> Outcome:
    """Inputs: policy (checkpoint), train (problems). Writes solutions.parquet, `samples` rows a drawn problem."""
    train = read_parquet(task.inputs["train"] / "problems.parquet")
    # The problems are a draw of their own seed, so that another number of samples leaves them as they are.
    problems = train.sample(
        min(config.problems, train.height), seed=derive_seed(task.seed, "problems"), shuffle=True
    )
    engine = task.open_engine(task.inputs["policy"])
    solutions = sample_solutions(
        engine,
        problems,
        n=config.samples,
        params=SamplingParams(max_tokens=config.prompt.max_tokens, temperature=config.temperature),
        seed=derive_seed(task.seed, "samples"),
        prompt=config.prompt,
    )
    tokens = generated_tokens(solutions)
    parameters = engine.parameters
    engine.close()
    solutions.write_parquet(task.out / "solutions.parquet")
    return Outcome(
        figures={
            "problems": problems.height,
            "solutions": solutions.height,
            "correct": solutions.select(pl.col("correct").mean()).item(),
            "finished": solutions.select(pl.col("finished").mean()).item(),
            "distinct": solutions.select("problem_id", "text").n_unique() / solutions.height,
        },
        cost=Cost(flops=flops_generate(parameters, tokens), tokens_generated=tokens),
        rows=solutions.height,
        sample=readable(problems, solutions),
    )
